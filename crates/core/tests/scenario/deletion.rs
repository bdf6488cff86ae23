//! The end of queues and environments.

use expect_test::expect;

use crate::script::{check, play};

#[test]
fn an_environment_goes_when_nothing_is_left_in_it() {
    check(
        "
        environment ce types=m5.large max=4; environment other shared; queue q ce
        submit a q attempts=2; submit b q; started a
        delete environment ce; update queue q other; delete environment ce
        update environment ce types=m5.large disabled; delete environment ce
        delete environment ce; update environment ce shared; queue r ce
        environment ce shared
        exited a 143
        exited b 0
        environment ce shared
        show
        ",
        &expect![[r#"
            > environment ce types=m5.large max=4; environment other shared; queue q ce
                environment 1 ce is version 1, Enabled
                environment 2 other is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q attempts=2; submit b q; started a
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1 on instance 1
                => launch b#1
                a RUNNING
            > delete environment ce; update queue q other; delete environment ce
                refused: compute environment ce is used by job queue q
                queue 1 q is version 2, Enabled
                refused: compute environment ce is enabled
            > update environment ce types=m5.large disabled; delete environment ce
                environment 1 ce is version 2, Disabled
                environment 1 is being deleted
                a is to stop: environment deleted
                b is to stop: environment deleted
                => stop a#1 within 30000ms
                => stop b#1 within 30000ms
            > delete environment ce; update environment ce shared; queue r ce
                refused: compute environment ce is being modified
                refused: compute environment ce is being modified
                refused: compute environment ce does not exist
            > environment ce shared
                refused: compute environment ce exists
            > exited a 143
                a RUNNABLE again: Host EC2 (instance i-00000000000000001) terminated., exit code 143
                => forget a#1
                queue 1 is held up by a: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type [optimal]
            > exited b 0
                b FAILED: Host EC2 (instance i-00000000000000001) terminated., exit code 0, never RUNNING
                => forget b#1
                environment 1 gave instance 1 back
                environment 1 is gone
                queue 1 is held up no more
                a STARTING in environment 2
                => launch a#2
            > environment ce shared
                environment 3 ce is version 1, Enabled
            > show
                other: 1 vCPU, 512 MiB in use by 1
                ce: 0 vCPU, 0 MiB in use by 0
                a STARTING
        "#]],
    );
}

#[test]
fn an_empty_environment_goes_at_once_and_makes_room() {
    check(
        "
        environment ce types=m5.xlarge min=4 max=4; environment other shared; queue q other
        submit a q
        explain a
        update environment ce types=m5.xlarge min=4 max=4 disabled; delete environment ce
        ",
        &expect![[r#"
            > environment ce types=m5.xlarge min=4 max=4; environment other shared; queue q other
                environment 1 ce is version 1, Enabled
                environment 1 got instance 1, m5.xlarge with 4 vCPU, 8192 MiB
                environment 2 other is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q
                a is number 1 of queue 1
                a RUNNABLE
                queue 1 is held up by a: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type [optimal]
            > explain a
                a is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment other has to wait for other jobs: this host has 0 vCPU, 0 MiB free
            > update environment ce types=m5.xlarge min=4 max=4 disabled; delete environment ce
                environment 1 ce is version 2, Disabled
                environment 1 is being deleted
                environment 1 gave instance 1 back
                environment 1 is gone
                queue 1 is held up no more
                a STARTING in environment 2
                => launch a#1
        "#]],
    );
}

#[test]
fn a_queue_goes_with_its_last_job() {
    check(
        "
        environment ce shared; queue q ce
        submit a q attempts=3; started a
        delete queue q; update queue q disabled ce; delete queue q
        exited a 143
        queue q ce; show
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q attempts=3; started a
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a RUNNING
            > delete queue q; update queue q disabled ce; delete queue q
                refused: job queue q is enabled
                queue 1 q is version 2, Disabled
                queue 1 is being deleted
                a is to stop: Job queue was deleted
                => stop a#1 within 30000ms
            > exited a 143
                a FAILED: Job queue was deleted, exit code 143
                => forget a#1
                queue 1 is gone
            > queue q ce; show
                queue 2 q is version 1, Enabled
                ce: 0 vCPU, 0 MiB in use by 0
        "#]],
    );
}

#[test]
fn a_job_that_loses_its_host_is_not_tried_again_in_a_deleted_queue() {
    check(
        "
        environment ce shared; environment other shared; queue q ce
        submit a q attempts=3; started a
        update queue q disabled other; update environment ce shared disabled; delete environment ce
        delete queue q
        exited a 143
        ",
        &expect![[r#"
            > environment ce shared; environment other shared; queue q ce
                environment 1 ce is version 1, Enabled
                environment 2 other is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q attempts=3; started a
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a RUNNING
            > update queue q disabled other; update environment ce shared disabled; delete environment ce
                queue 1 q is version 2, Disabled
                environment 1 ce is version 2, Disabled
                environment 1 is being deleted
                a is to stop: environment deleted
                => stop a#1 within 30000ms
            > delete queue q
                queue 1 is being deleted
            > exited a 143
                a FAILED: Host EC2 (instance i-00000000000000000) terminated., exit code 143
                => forget a#1
                queue 1 is gone
                environment 1 is gone
        "#]],
    );
}

/// It takes more than one pass to end so many jobs, and none of those left for the next one starts meanwhile.
#[test]
fn a_long_queue_is_deleted_and_none_of_its_jobs_starts() {
    let mut script = "environment ce shared; queue q ce\nsubmit large q vcpus=8\n".to_owned();
    for number in 0..2_500 {
        script += &format!("submit j{number} q vcpus=0.25 memory=1\n");
    }
    script += "update queue q disabled ce; delete queue q\nqueue q ce\n";
    let printed = play(&script);
    assert_eq!(
        printed
            .matches("FAILED: Job queue was deleted, terminated")
            .count(),
        2_501
    );
    assert_eq!(printed.matches("=> launch").count(), 0);
    assert!(printed.contains("queue 1 is gone") && printed.contains("queue 2 q is version 1"));
}
