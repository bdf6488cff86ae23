//! Queues that are held up, and what is done about it (sections C.7 and A2.9).

use expect_test::expect;

use crate::script::check;

#[test]
fn a_front_that_never_fits_says_so_and_is_cancelled_after_the_limit() {
    check(
        "
        environment ce shared max=2; queue q limit=maximum:600 ce
        submit a q vcpus=3; submit b q
        at +599; show
        at +1
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q limit=maximum:600 ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=3; submit b q
                a is number 1 of queue 1
                a RUNNABLE
                queue 1 is held up by a: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU requirement of the job.
                b is number 2 of queue 1
                b RUNNABLE
            > at +599; show
                ce: 0 vCPU, 0 MiB in use by 0
                a RUNNABLE
                b RUNNABLE
            > at +1
                queue 1 is held up no more
                a FAILED: Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE, cancelled
                b STARTING in environment 1
                => launch b#1
        "#]],
    );
}

#[test]
fn a_limit_on_another_reason_does_nothing() {
    check(
        "
        host vcpus=4 memory=32000
        environment ce types=m5.large; queue q limit=maximum:600 limit=capacity:600 ce
        submit a q memory=9000; submit b q
        at +1000000
        cancel a
        ",
        &expect![[r#"
            > host vcpus=4 memory=32000
            > environment ce types=m5.large; queue q limit=maximum:600 limit=capacity:600 ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q memory=9000; submit b q
                a is number 1 of queue 1
                a RUNNABLE
                queue 1 is held up by a: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that can be met by the CE(s) attached to the job queue.
                b is number 2 of queue 1
                b RUNNABLE
            > at +1000000
            > cancel a
                a FAILED: not needed, cancelled
                queue 1 is held up no more
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                b STARTING in environment 1 on instance 1
                => launch b#1
        "#]],
    );
}

#[test]
fn assumed_waiting_for_the_environments_own_jobs_is_no_reason() {
    check(
        "
        environment ce shared max=2; queue q limit=maximum:600 limit=capacity:600 limit=requirement:600 ce
        submit a q vcpus=2; submit b q vcpus=2
        at +1000000
        exited a 0
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q limit=maximum:600 limit=capacity:600 limit=requirement:600 ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=2; submit b q vcpus=2
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
            > at +1000000
            > exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                b STARTING in environment 1
                => launch b#1
        "#]],
    );
}

#[test]
fn assumed_an_environment_that_gets_nothing_of_the_host_lacks_capacity() {
    check(
        "
        environment busy shared; environment ce types=m5.large,m5.xlarge; queue q busy; queue other limit=capacity:600 ce
        submit a q vcpus=4; submit b other; submit c other
        at +500
        exited a 0
        at +600
        ",
        &expect![[r#"
            > environment busy shared; environment ce types=m5.large,m5.xlarge; queue q busy; queue other limit=capacity:600 ce
                environment 1 busy is version 1, Enabled
                environment 2 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 other is version 1, Enabled
            > submit a q vcpus=4; submit b other; submit c other
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 2
                b RUNNABLE
                queue 2 is held up by b: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type [m5.large]
                c is number 3 of queue 2
                c RUNNABLE
            > at +500
            > exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                queue 2 is held up no more
                environment 2 got instance 1, m5.large with 2 vCPU, 8160 MiB
                b STARTING in environment 2 on instance 1
                c STARTING in environment 2 on instance 1
                => launch b#1
                => launch c#1
            > at +600
        "#]],
    );
}

#[test]
fn the_limit_counts_from_when_the_reason_came_up() {
    check(
        "
        environment ce shared max=2 disabled; queue q limit=maximum:600 ce
        submit a q vcpus=3
        at +1000
        update environment ce shared max=2
        at +599
        update queue q limit=maximum:700 ce
        at +100; show
        at +1
        ",
        &expect![[r#"
            > environment ce shared max=2 disabled; queue q limit=maximum:600 ce
                environment 1 ce is version 1, Disabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=3
                a is number 1 of queue 1
                a RUNNABLE
                queue 1 is held up by a: ACTION_REQUIRED - CE(s) associated with the job queue are invalid.
            > at +1000
            > update environment ce shared max=2
                environment 1 ce is version 2, Enabled
                queue 1 is held up by a: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU requirement of the job.
            > at +599
            > update queue q limit=maximum:700 ce
                queue 1 q is version 2, Enabled
            > at +100; show
                ce: 0 vCPU, 0 MiB in use by 0
                a RUNNABLE
            > at +1
                queue 1 is held up no more
                a FAILED: Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE, cancelled
        "#]],
    );
}

#[test]
fn children_of_an_array_are_cancelled_one_after_the_other() {
    check(
        "
        environment ce shared max=2; queue q limit=maximum:600 ce
        submit a q vcpus=3 array=2
        at +600
        at +600
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q limit=maximum:600 ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=3 array=2
                a is number 1 of queue 1
                a:0-1 RUNNABLE
                queue 1 is held up by a:0: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU requirement of the job.
            > at +600
                queue 1 is held up no more
                a:0 FAILED: Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE, cancelled
                queue 1 is held up by a:1: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU requirement of the job.
            > at +600
                queue 1 is held up no more
                a:1 FAILED: Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE, cancelled
                a FAILED as a whole: Array Child Job failed
        "#]],
    );
}

#[test]
fn a_deleted_queue_is_held_up_by_nothing() {
    check(
        "
        environment ce shared max=2; queue q limit=maximum:600 ce
        submit a q vcpus=3
        update queue q disabled limit=maximum:600 ce
        delete queue q
        at +600
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q limit=maximum:600 ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=3
                a is number 1 of queue 1
                a RUNNABLE
                queue 1 is held up by a: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU requirement of the job.
            > update queue q disabled limit=maximum:600 ce
                queue 1 q is version 2, Disabled
            > delete queue q
                queue 1 is held up no more
                queue 1 is being deleted
                a FAILED: Job queue was deleted, terminated
                queue 1 is gone
            > at +600
        "#]],
    );
}

#[test]
fn an_invalid_environment_takes_no_jobs_until_it_is_updated() {
    check(
        "
        environment ce shared; queue q ce
        submit a q; update environment ce shared invalid
        submit b q; explain b
        queue other ce
        update queue q priority=2 ce
        started a; exited a 0
        update environment ce shared
        started b
        update environment ce shared invalid disabled; exited b 0
        update queue q disabled ce; delete queue q; delete environment ce
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q; update environment ce shared invalid
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                environment 1 ce is version 2, Enabled, invalid
            > submit b q; explain b
                b is number 2 of queue 1
                b RUNNABLE
                queue 1 is held up by b: ACTION_REQUIRED - CE(s) associated with the job queue are invalid.
                b is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce is invalid: its status reason says why; needed: an update that makes it valid
            > queue other ce
                refused: compute environment ce does not exist
            > update queue q priority=2 ce
                queue 1 q is version 2, Enabled
            > started a; exited a 0
                a RUNNING
                a SUCCEEDED: Essential container in task exited, exit code 0
                => forget a#1
            > update environment ce shared
                environment 1 ce is version 3, Enabled
                queue 1 is held up no more
                b STARTING in environment 1
                => launch b#1
            > started b
                b RUNNING
            > update environment ce shared invalid disabled; exited b 0
                environment 1 ce is version 4, Disabled, invalid
                b SUCCEEDED: Essential container in task exited, exit code 0
                => forget b#1
            > update queue q disabled ce; delete queue q; delete environment ce
                queue 1 q is version 3, Disabled
                queue 1 is being deleted
                queue 1 is gone
                environment 1 is being deleted
                environment 1 is gone
        "#]],
    );
}
