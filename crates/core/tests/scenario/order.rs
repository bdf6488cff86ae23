//! Who goes first (section C.1).

use expect_test::expect;

use crate::script::{check, play};

#[test]
fn assumed_a_front_without_a_place_blocks_its_queue_only() {
    check(
        "
        environment ce shared; queue q ce; queue other ce
        submit a q vcpus=3; submit b q vcpus=2; submit c q; submit d other
        explain b; explain c
        exited d 0; exited a 0
        ",
        &expect![[r#"
            > environment ce shared; queue q ce; queue other ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 other is version 1, Enabled
            > submit a q vcpus=3; submit b q vcpus=2; submit c q; submit d other
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                c is number 3 of queue 1
                c RUNNABLE
                d is number 4 of queue 2
                d RUNNABLE
                d STARTING in environment 1
                => launch d#1
            > explain b; explain c
                b is RUNNABLE in queue q; it needs 2 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce has to wait for other jobs: this host has 0 vCPU, 7168 MiB free
                c is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                Jobs start in order of submission; 1 job or array is before it.
                The first of them, b, cannot start, and holds the queue up:
                  compute environment ce has to wait for other jobs: this host has 0 vCPU, 7168 MiB free
            > exited d 0; exited a 0
                d SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget d#1
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                b STARTING in environment 1
                c STARTING in environment 1
                => launch b#1
                => launch c#1
        "#]],
    );
}

#[test]
fn the_queue_with_the_higher_priority_goes_first() {
    check(
        "
        environment ce shared; queue low priority=1 ce; queue high priority=10 ce
        submit a low vcpus=4; submit b low vcpus=4; submit c high vcpus=4; submit d high vcpus=4
        exited a 0; exited c 0
        update queue low priority=20 ce
        submit e high vcpus=4; submit f low vcpus=4
        exited d 0; exited b 0
        ",
        &expect![[r#"
            > environment ce shared; queue low priority=1 ce; queue high priority=10 ce
                environment 1 ce is version 1, Enabled
                queue 1 low is version 1, Enabled
                queue 2 high is version 1, Enabled
            > submit a low vcpus=4; submit b low vcpus=4; submit c high vcpus=4; submit d high vcpus=4
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                c is number 3 of queue 2
                c RUNNABLE
                d is number 4 of queue 2
                d RUNNABLE
            > exited a 0; exited c 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                c STARTING in environment 1
                => launch c#1
                c SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget c#1
                d STARTING in environment 1
                => launch d#1
            > update queue low priority=20 ce
                queue 1 low is version 2, Enabled
            > submit e high vcpus=4; submit f low vcpus=4
                e is number 5 of queue 2
                e RUNNABLE
                f is number 6 of queue 1
                f RUNNABLE
            > exited d 0; exited b 0
                d SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget d#1
                b STARTING in environment 1
                => launch b#1
                b SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b#1
                f STARTING in environment 1
                => launch f#1
        "#]],
    );
}

#[test]
fn environments_are_tried_in_the_order_of_the_queue() {
    check(
        "
        environment first shared max=1; environment second shared max=2; queue q second first
        submit a q; submit b q; submit c q; submit d q
        explain d
        update environment second shared max=2 disabled
        exited a 0; exited c 0
        explain d
        ",
        &expect![[r#"
            > environment first shared max=1; environment second shared max=2; queue q second first
                environment 1 first is version 1, Enabled
                environment 2 second is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q; submit b q; submit c q; submit d q
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 2
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 2
                => launch b#1
                c is number 3 of queue 1
                c RUNNABLE
                c STARTING in environment 1
                => launch c#1
                d is number 4 of queue 1
                d RUNNABLE
            > explain d
                d is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment second holds 2 of the 2 vCPU it may have at most; needed: maxvCpus of 3, or others to end
                  compute environment first holds 1 of the 1 vCPU it may have at most; needed: maxvCpus of 2, or others to end
            > update environment second shared max=2 disabled
                environment 2 second is version 2, Disabled
            > exited a 0; exited c 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                c SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget c#1
                d STARTING in environment 1
                => launch d#1
            > explain d
                d is STARTING in queue q; it needs 1 vCPU, 512 MiB.
                It has its place in compute environment first.
        "#]],
    );
}

#[test]
fn a_disabled_queue_runs_what_it_has() {
    check(
        "
        environment ce shared; queue q ce
        submit a q vcpus=4; submit b q vcpus=4
        update queue q disabled ce; submit c q
        exited a 0
        exited b 0
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=4; submit b q vcpus=4
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
            > update queue q disabled ce; submit c q
                queue 1 q is version 2, Disabled
                refused: job queue q is disabled
            > exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                b STARTING in environment 1
                => launch b#1
            > exited b 0
                b SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b#1
        "#]],
    );
}

#[test]
fn a_disabled_environment_takes_nothing_new() {
    check(
        "
        environment ce shared; queue q ce
        submit a q; update environment ce shared disabled; submit b q
        explain b; exited a 0
        update environment ce shared
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q; update environment ce shared disabled; submit b q
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                environment 1 ce is version 2, Disabled
                b is number 2 of queue 1
                b RUNNABLE
                queue 1 is held up by b: ACTION_REQUIRED - CE(s) associated with the job queue are invalid.
            > explain b; exited a 0
                b is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce is disabled; needed: that it is enabled
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
            > update environment ce shared
                environment 1 ce is version 3, Enabled
                queue 1 is held up no more
                b STARTING in environment 1
                => launch b#1
        "#]],
    );
}

#[test]
fn a_place_that_can_never_be_is_said_to_be_so() {
    check(
        "
        environment ce shared max=2; queue q ce; environment small types=m5.large; queue r small
        submit a q vcpus=3; submit b r vcpus=3; submit c q vcpus=5
        explain a; explain b; terminate a; explain c
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q ce; environment small types=m5.large; queue r small
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                environment 2 small is version 1, Enabled
                queue 2 r is version 1, Enabled
            > submit a q vcpus=3; submit b r vcpus=3; submit c q vcpus=5
                a is number 1 of queue 1
                a RUNNABLE
                queue 1 is held up by a: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU requirement of the job.
                b is number 2 of queue 2
                b RUNNABLE
                queue 2 is held up by b: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that can be met by the CE(s) attached to the job queue.
                c is number 3 of queue 1
                c RUNNABLE
            > explain a; explain b; terminate a; explain c
                a is RUNNABLE in queue q; it needs 3 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce may have 2 vCPU at most, less than the job needs; needed: maxvCpus of 3
                b is RUNNABLE in queue r; it needs 3 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment small has no instance type that is large enough for the job; needed: an instance type with 3 vCPU, 512 MiB
                a FAILED: enough, terminated
                queue 1 is held up by c: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that can be met by the CE(s) attached to the job queue.
                c is RUNNABLE in queue q; it needs 5 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce runs on this host, which has 4 vCPU, 8192 MiB: less than the job needs, even when idle; needed: that the job asks for less
        "#]],
    );
}

#[test]
fn more_than_one_pass_can_start_starts_all_the_same() {
    let printed = play(
        "
        host vcpus=3000 memory=3000
        environment ce shared; queue q ce
        submit a q array=3000 memory=1
        ",
    );
    assert_eq!(printed.matches("=> launch").count(), 3_000);
}
