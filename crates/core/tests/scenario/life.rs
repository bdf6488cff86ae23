//! The states of a single job, row by row of the transition table (section B.2), and timeouts (B.8).

use expect_test::expect;

use crate::script::check;

#[test]
fn a_job_goes_through_its_states_to_success() {
    check(
        "
        environment ce shared; queue q ce
        submit a q
        show; explain a
        at +1; started a
        explain a
        at +1; exited a 0
        show
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
            > show; explain a
                ce: 1 vCPU, 512 MiB in use by 1
                a STARTING
                a is STARTING in queue q; it needs 1 vCPU, 512 MiB.
                It has its place in compute environment ce.
            > at +1; started a
                a RUNNING
            > explain a
                a is RUNNING in queue q; it needs 1 vCPU, 512 MiB.
                It has its place in compute environment ce.
            > at +1; exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0
                => forget a#1
            > show
                ce: 0 vCPU, 0 MiB in use by 0
        "#]],
    );
}

#[test]
fn a_failing_job_fails() {
    check(
        "
        environment ce shared; queue q ce
        submit a q; started a; exited a 3
        submit b q; started b; lost b
        submit c q; not-started c CannotPullContainerError:no
        submit d q; started d; exited d unknown
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q; started a; exited a 3
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a RUNNING
                a FAILED: Essential container in task exited, exit code 3
                => forget a#1
            > submit b q; started b; lost b
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
                b RUNNING
                b FAILED: Host EC2 (instance i-00000000000000000) terminated.
                => forget b#1
            > submit c q; not-started c CannotPullContainerError:no
                c is number 3 of queue 1
                c RUNNABLE
                c STARTING in environment 1
                => launch c#1
                c FAILED: Task failed to start, CannotPullContainerError:no, never RUNNING
                => forget c#1
            > submit d q; started d; exited d unknown
                d is number 4 of queue 1
                d RUNNABLE
                d STARTING in environment 1
                => launch d#1
                d RUNNING
                d FAILED: Essential container in task exited
                => forget d#1
        "#]],
    );
}

#[test]
fn a_job_waits_for_those_it_depends_on() {
    check(
        "
        environment ce shared; queue q ce
        submit a q
        submit b q after=a
        explain b
        started a; exited a 0
        started b; exited b 0
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
            > submit b q after=a
                b is number 2 of queue 1
            > explain b
                b is PENDING in queue q; it needs 1 vCPU, 512 MiB.
                It waits for job a to succeed.
            > started a; exited a 0
                a RUNNING
                a SUCCEEDED: Essential container in task exited, exit code 0
                b waits no more for a
                b RUNNABLE
                => forget a#1
                b STARTING in environment 1
                => launch b#1
            > started b; exited b 0
                b RUNNING
                b SUCCEEDED: Essential container in task exited, exit code 0
                => forget b#1
        "#]],
    );
}

#[test]
fn time_in_starting_does_not_count_towards_the_timeout() {
    check(
        "
        environment ce shared; queue q ce
        submit a q timeout=60 attempts=3
        at +1000
        started a
        at +59
        at +1
        exited a 137
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q timeout=60 attempts=3
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
            > at +1000
            > started a
                a RUNNING
            > at +59
            > at +1
                a is to stop: timeout
                => stop a#1 within 30000ms
            > exited a 137
                a FAILED: Job attempt duration exceeded timeout, exit code 137
                => forget a#1
        "#]],
    );
}

#[test]
fn each_attempt_has_the_whole_timeout() {
    check(
        "
        environment ce shared; queue q ce
        submit a q timeout=60 attempts=3
        started a; at +50; exited a 1
        started a; at +50; exited a 1
        started a; at +60; exited a 143
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q timeout=60 attempts=3
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
            > started a; at +50; exited a 1
                a RUNNING
                a RUNNABLE again: Essential container in task exited, exit code 1
                => forget a#1
                a STARTING in environment 1
                => launch a#2
            > started a; at +50; exited a 1
                a RUNNING
                a RUNNABLE again: Essential container in task exited, exit code 1
                => forget a#2
                a STARTING in environment 1
                => launch a#3
            > started a; at +60; exited a 143
                a RUNNING
                a is to stop: timeout
                => stop a#3 within 30000ms
                a FAILED: Job attempt duration exceeded timeout, exit code 143
                => forget a#3
        "#]],
    );
}

#[test]
fn children_time_out_one_by_one() {
    check(
        "
        environment ce shared; queue q ce
        submit a q timeout=60 array=2
        started a:0; at +30; started a:1; at +30; exited a:0 137
        exited a:1 0
        at +100
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q timeout=60 array=2
                a is number 1 of queue 1
                a:0-1 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
            > started a:0; at +30; started a:1; at +30; exited a:0 137
                a:0 RUNNING
                a:1 RUNNING
                a:0 is to stop: timeout
                => stop a:0#1 within 30000ms
                a:0 FAILED: Job attempt duration exceeded timeout, exit code 137
                => forget a:0#1
            > exited a:1 0
                a:1 SUCCEEDED: Essential container in task exited, exit code 0
                a FAILED as a whole: Array Child Job failed
                => forget a:1#1
            > at +100
        "#]],
    );
}

#[test]
fn the_deletion_of_a_queue_fails_its_jobs() {
    check(
        "
        environment ce shared; queue q ce; queue other ce
        submit a q; started a
        submit b q; submit c q after=a; submit d q array=2; submit e other after=b
        submit f q vcpus=4
        update queue q disabled ce; delete queue q
        explain a
        submit g q
        delete queue q; update queue q ce
        exited a 143; not-started b stopped; not-started d:0 stopped
        show
        ",
        &expect![[r#"
            > environment ce shared; queue q ce; queue other ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 other is version 1, Enabled
            > submit a q; started a
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a RUNNING
            > submit b q; submit c q after=a; submit d q array=2; submit e other after=b
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
                c is number 3 of queue 1
                d is number 4 of queue 1
                d:0-1 RUNNABLE
                d:0 STARTING in environment 1
                d:1 STARTING in environment 1
                => launch d:0#1
                => launch d:1#1
                e is number 5 of queue 2
            > submit f q vcpus=4
                f is number 6 of queue 1
                f RUNNABLE
            > update queue q disabled ce; delete queue q
                queue 1 q is version 2, Disabled
                queue 1 is being deleted
                a is to stop: Job queue was deleted
                b is to stop: Job queue was deleted
                c FAILED: Job queue was deleted, terminated
                d is terminated as a whole
                d:0 is to stop: Job queue was deleted
                d:1 is to stop: Job queue was deleted
                f FAILED: Job queue was deleted, terminated
                => stop a#1 within 30000ms
                => stop b#1 within 30000ms
                => stop d:0#1 within 30000ms
                => stop d:1#1 within 30000ms
            > explain a
                a is RUNNING in queue q; it needs 1 vCPU, 512 MiB.
                It is being stopped in compute environment ce: Job queue was deleted.
            > submit g q
                refused: job queue q does not exist
            > delete queue q; update queue q ce
                refused: job queue q is being modified
                refused: job queue q is being modified
            > exited a 143; not-started b stopped; not-started d:0 stopped
                a FAILED: Job queue was deleted, exit code 143
                => forget a#1
                b FAILED: Job queue was deleted, stopped, never RUNNING
                e FAILED: Dependent Job failed
                => forget b#1
                d:0 FAILED: Job queue was deleted, stopped, never RUNNING
                => forget d:0#1
            > show
                ce: 1 vCPU, 512 MiB in use by 1
                d PENDING: 0 pending, 0 runnable, 1 starting, 0 running, 0 succeeded, 1 failed
        "#]],
    );
}

#[test]
fn what_cannot_run_fails_at_once_and_takes_others_with_it() {
    check(
        "
        environment ce shared; queue q ce
        submit a q; submit b q after=a fails=too_long; submit c q after=b
        submit d q array=3 fails=too_long
        submit e q nodes=2 fails=too_long
        show
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q; submit b q after=a fails=too_long; submit c q after=b
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b FAILED: too long
                c is number 3 of queue 1
                c FAILED: Dependent Job failed
            > submit d q array=3 fails=too_long
                d is number 4 of queue 1
                d:0-2 FAILED: too long
                d FAILED as a whole: Array Child Job failed
            > submit e q nodes=2 fails=too_long
                e is number 5 of queue 1
                e FAILED: too long
            > show
                ce: 1 vCPU, 512 MiB in use by 1
                a STARTING
        "#]],
    );
}
