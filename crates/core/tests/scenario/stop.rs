//! CancelJob and TerminateJob, row by row of the table in section B.7.

use expect_test::expect;

use crate::script::check;

#[test]
fn assumed_waiting_jobs_fail_at_once() {
    check(
        "
        environment ce shared; queue q ce
        submit a q vcpus=4
        submit b q after=a; submit c q after=a
        cancel b; terminate c
        submit d q; submit e q
        cancel d; terminate e
        show
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=4
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
            > submit b q after=a; submit c q after=a
                b is number 2 of queue 1
                c is number 3 of queue 1
            > cancel b; terminate c
                b FAILED: not needed, cancelled
                c FAILED: enough, terminated
            > submit d q; submit e q
                d is number 4 of queue 1
                d RUNNABLE
                e is number 5 of queue 1
                e RUNNABLE
            > cancel d; terminate e
                d FAILED: not needed, cancelled
                e FAILED: enough, terminated
            > show
                ce: 4 vCPU, 512 MiB in use by 1
                a STARTING
        "#]],
    );
}

#[test]
fn jobs_with_an_attempt_go_on_when_cancelled_and_stop_when_terminated() {
    check(
        "
        environment ce shared; queue q ce
        submit a q attempts=3; cancel a; cancel a; started a; exited a 0
        submit b q attempts=3; started b; cancel b; exited b 1
        submit c q attempts=3; terminate c; explain c; terminate c; not-started c stopped
        submit d q attempts=3; started d; terminate d; exited d 0
        cancel d; terminate d; terminate d:1; cancel nothing
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q attempts=3; cancel a; cancel a; started a; exited a 0
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a is cancelled, and goes on
                a RUNNING
                a SUCCEEDED: Essential container in task exited, exit code 0
                => forget a#1
            > submit b q attempts=3; started b; cancel b; exited b 1
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
                b RUNNING
                b is cancelled, and goes on
                b FAILED: Essential container in task exited, exit code 1
                => forget b#1
            > submit c q attempts=3; terminate c; explain c; terminate c; not-started c stopped
                c is number 3 of queue 1
                c RUNNABLE
                c STARTING in environment 1
                => launch c#1
                c is to stop: enough
                => stop c#1 within 30000ms
                c is STARTING in queue q; it needs 1 vCPU, 512 MiB.
                It is being stopped in compute environment ce: enough.
                c FAILED: enough, stopped, never RUNNING
                => forget c#1
            > submit d q attempts=3; started d; terminate d; exited d 0
                d is number 4 of queue 1
                d RUNNABLE
                d STARTING in environment 1
                => launch d#1
                d RUNNING
                d is to stop: enough
                => stop d#1 within 30000ms
                d FAILED: enough, exit code 0
                => forget d#1
            > cancel d; terminate d; terminate d:1; cancel nothing
        "#]],
    );
}

#[test]
fn a_job_that_waits_for_another_try_is_stopped() {
    check(
        "
        environment ce shared; queue q ce
        submit a q attempts=3; started a; submit b q attempts=3
        update environment ce shared disabled; exited a 1; exited b 1
        explain a; explain b
        terminate a; cancel b
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q attempts=3; started a; submit b q attempts=3
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a RUNNING
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
            > update environment ce shared disabled; exited a 1; exited b 1
                environment 1 ce is version 2, Disabled
                a RUNNABLE again: Essential container in task exited, exit code 1
                => forget a#1
                queue 1 is held up by a: ACTION_REQUIRED - CE(s) associated with the job queue are invalid.
                b RUNNABLE again: Essential container in task exited, exit code 1, never RUNNING
                => forget b#1
            > explain a; explain b
                a is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce is disabled; needed: that it is enabled
                b is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                Jobs start in order of submission; 1 job or array is before it.
                The first of them, a, cannot start, and holds the queue up:
                  compute environment ce is disabled; needed: that it is enabled
            > terminate a; cancel b
                a FAILED: enough, terminated
                queue 1 is held up by b: ACTION_REQUIRED - CE(s) associated with the job queue are invalid.
                b FAILED: not needed, cancelled
                queue 1 is held up no more
        "#]],
    );
}

#[test]
fn an_array_is_cancelled() {
    check(
        "
        environment ce shared max=2; queue q ce
        submit a q array=5 attempts=3
        started a:0
        cancel a
        exited a:0 1; started a:1; exited a:1 0
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q array=5 attempts=3
                a is number 1 of queue 1
                a:0-4 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
            > started a:0
                a:0 RUNNING
            > cancel a
                a is cancelled as a whole
                a:2-4 FAILED: not needed
                a:0 is cancelled, and goes on
                a:1 is cancelled, and goes on
            > exited a:0 1; started a:1; exited a:1 0
                a:0 FAILED: Essential container in task exited, exit code 1
                => forget a:0#1
                a:1 RUNNING
                a:1 SUCCEEDED: Essential container in task exited, exit code 0
                a FAILED as a whole: Array Child Job failed
                => forget a:1#1
        "#]],
    );
}

#[test]
fn an_array_is_terminated() {
    check(
        "
        environment ce shared max=2; queue q ce
        submit a q array=5 attempts=3
        started a:0
        terminate a
        terminate a
        exited a:0 0; not-started a:1 stopped
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q array=5 attempts=3
                a is number 1 of queue 1
                a:0-4 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
            > started a:0
                a:0 RUNNING
            > terminate a
                a is terminated as a whole
                a:2-4 FAILED: enough
                a:0 is to stop: enough
                a:1 is to stop: enough
                => stop a:0#1 within 30000ms
                => stop a:1#1 within 30000ms
            > terminate a
            > exited a:0 0; not-started a:1 stopped
                a:0 FAILED: enough, exit code 0
                => forget a:0#1
                a:1 FAILED: enough, stopped, never RUNNING
                a FAILED as a whole: Array Child Job failed
                => forget a:1#1
        "#]],
    );
}

#[test]
fn a_child_is_stopped_alone() {
    check(
        "
        environment ce shared max=2; queue q ce
        submit a q array=5
        terminate a:4; cancel a:3; cancel a:0; terminate a:1; cancel a:9
        started a:0; exited a:0 0; exited a:1 143
        exited a:2 0
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q array=5
                a is number 1 of queue 1
                a:0-4 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
            > terminate a:4; cancel a:3; cancel a:0; terminate a:1; cancel a:9
                a:4 FAILED: enough, terminated
                a:3 FAILED: not needed, cancelled
                a:0 is cancelled, and goes on
                a:1 is to stop: enough
                => stop a:1#1 within 30000ms
            > started a:0; exited a:0 0; exited a:1 143
                a:0 RUNNING
                a:0 SUCCEEDED: Essential container in task exited, exit code 0
                => forget a:0#1
                a:2 STARTING in environment 1
                => launch a:2#1
                a:1 FAILED: enough, exit code 143, never RUNNING
                => forget a:1#1
            > exited a:2 0
                a:2 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                a FAILED as a whole: Array Child Job failed
                => forget a:2#1
        "#]],
    );
}

#[test]
fn an_array_in_sequence_whose_first_child_is_to_be_tried_again_is_terminated() {
    check(
        "
        environment ce shared; queue q ce
        submit a q array=3 sequential attempts=2
        update environment ce shared disabled
        exited a:0 1
        terminate a
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q array=3 sequential attempts=2
                a is number 1 of queue 1
                a:0 RUNNABLE
                a:0 STARTING in environment 1
                => launch a:0#1
            > update environment ce shared disabled
                environment 1 ce is version 2, Disabled
            > exited a:0 1
                a:0 RUNNABLE again: Essential container in task exited, exit code 1, never RUNNING
                => forget a:0#1
                queue 1 is held up by a:0: ACTION_REQUIRED - CE(s) associated with the job queue are invalid.
            > terminate a
                a is terminated as a whole
                a:1-2 FAILED: enough
                a:0 FAILED: enough, terminated
                a FAILED as a whole: Array Child Job failed
                queue 1 is held up no more
        "#]],
    );
}

#[test]
fn a_job_that_loses_its_environment_is_not_tried_again_once_terminated() {
    check(
        "
        environment ce shared; environment other shared; queue q ce
        submit a q attempts=3; submit b q attempts=3; started a
        update queue q other; update environment ce shared disabled; delete environment ce
        terminate a
        exited a 143; lost b
        ",
        &expect![[r#"
            > environment ce shared; environment other shared; queue q ce
                environment 1 ce is version 1, Enabled
                environment 2 other is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q attempts=3; submit b q attempts=3; started a
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
                a RUNNING
            > update queue q other; update environment ce shared disabled; delete environment ce
                queue 1 q is version 2, Enabled
                environment 1 ce is version 2, Disabled
                environment 1 is being deleted
                a is to stop: environment deleted
                b is to stop: environment deleted
                => stop a#1 within 30000ms
                => stop b#1 within 30000ms
            > terminate a
                a is to stop: enough
            > exited a 143; lost b
                a FAILED: enough, exit code 143
                => forget a#1
                b RUNNABLE again: Host EC2 (instance i-00000000000000000) terminated., never RUNNING
                => forget b#1
                environment 1 is gone
                b STARTING in environment 2
                => launch b#2
        "#]],
    );
}
