//! Attempts and the retry strategy (sections B.5, B.6).

use expect_test::expect;

use crate::script::check;

#[test]
fn failed_attempts_are_repeated_until_none_is_left() {
    check(
        "
        environment ce shared; queue q ce
        submit a q attempts=3
        started a; exited a 1
        not-started a CannotStartContainerError:no
        started a; lost a
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q attempts=3
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
            > started a; exited a 1
                a RUNNING
                a RUNNABLE again: Essential container in task exited, exit code 1
                => forget a#1
                a STARTING in environment 1
                => launch a#2
            > not-started a CannotStartContainerError:no
                a RUNNABLE again: Task failed to start, CannotStartContainerError:no, never RUNNING
                => forget a#2
                a STARTING in environment 1
                => launch a#3
            > started a; lost a
                a RUNNING
                a FAILED: Host EC2 (instance i-00000000000000000) terminated.
                => forget a#3
        "#]],
    );
}

#[test]
fn rules_decide_in_order() {
    check(
        "
        environment ce shared; queue q ce
        submit a q attempts=3 exit-on=code:1; exited a 2; exited a 1
        submit b q attempts=3 exit-on=reason:*; not-started b CannotPullContainerError
        submit c q attempts=3 exit-on=reason:*; exited c 1
        submit d q attempts=3 exit-on=status:Essential*; lost d; exited d 1
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q attempts=3 exit-on=code:1; exited a 2; exited a 1
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a RUNNABLE again: Essential container in task exited, exit code 2, never RUNNING
                => forget a#1
                a STARTING in environment 1
                => launch a#2
                a FAILED: Essential container in task exited, exit code 1, never RUNNING
                => forget a#2
            > submit b q attempts=3 exit-on=reason:*; not-started b CannotPullContainerError
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
                b FAILED: Task failed to start, CannotPullContainerError, never RUNNING
                => forget b#1
            > submit c q attempts=3 exit-on=reason:*; exited c 1
                c is number 3 of queue 1
                c RUNNABLE
                c STARTING in environment 1
                => launch c#1
                c FAILED: Essential container in task exited, exit code 1, never RUNNING
                => forget c#1
            > submit d q attempts=3 exit-on=status:Essential*; lost d; exited d 1
                d is number 4 of queue 1
                d RUNNABLE
                d STARTING in environment 1
                => launch d#1
                d RUNNABLE again: Host EC2 (instance i-00000000000000000) terminated., never RUNNING
                => forget d#1
                d STARTING in environment 1
                => launch d#2
                d FAILED: Essential container in task exited, exit code 1, never RUNNING
                => forget d#2
        "#]],
    );
}

#[test]
fn a_job_tried_again_goes_to_the_front_of_its_queue() {
    check(
        "
        environment ce shared; queue q ce
        submit a q vcpus=4 attempts=2; submit b q vcpus=4; submit c q vcpus=4
        explain b; explain c
        exited a 1
        exited a 0
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=4 attempts=2; submit b q vcpus=4; submit c q vcpus=4
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                c is number 3 of queue 1
                c RUNNABLE
            > explain b; explain c
                b is RUNNABLE in queue q; it needs 4 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce has to wait for other jobs: this host has 0 vCPU, 7680 MiB free
                c is RUNNABLE in queue q; it needs 4 vCPU, 512 MiB.
                Jobs start in order of submission; 1 job or array is before it.
                The first of them, b, cannot start, and holds the queue up:
                  compute environment ce has to wait for other jobs: this host has 0 vCPU, 7680 MiB free
            > exited a 1
                a RUNNABLE again: Essential container in task exited, exit code 1, never RUNNING
                => forget a#1
                a STARTING in environment 1
                => launch a#2
            > exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#2
                b STARTING in environment 1
                => launch b#1
        "#]],
    );
}

#[test]
fn children_are_tried_again_one_by_one_and_first() {
    check(
        "
        environment ce shared max=2; queue q ce
        submit a q array=3 attempts=2; submit b q
        exited a:1 1
        exited a:0 0; exited a:1 0
        exited a:2 1; exited b 0; exited a:2 1
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q array=3 attempts=2; submit b q
                a is number 1 of queue 1
                a:0-2 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
                b is number 2 of queue 1
                b RUNNABLE
            > exited a:1 1
                a:1 RUNNABLE again: Essential container in task exited, exit code 1, never RUNNING
                => forget a:1#1
                a:1 STARTING in environment 1
                => launch a:1#2
            > exited a:0 0; exited a:1 0
                a:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a:0#1
                a:2 STARTING in environment 1
                => launch a:2#1
                a:1 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a:1#2
                b STARTING in environment 1
                => launch b#1
            > exited a:2 1; exited b 0; exited a:2 1
                a:2 RUNNABLE again: Essential container in task exited, exit code 1, never RUNNING
                => forget a:2#1
                a:2 STARTING in environment 1
                => launch a:2#2
                b SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b#1
                a:2 FAILED: Essential container in task exited, exit code 1, never RUNNING
                a FAILED as a whole: Array Child Job failed
                => forget a:2#2
        "#]],
    );
}
