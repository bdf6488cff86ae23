//! Dependencies between jobs (section B.9).

use expect_test::expect;

use crate::script::{check, play};

#[test]
fn all_dependencies_must_succeed() {
    check(
        "
        environment ce shared; queue q ce; queue other ce
        submit a q; submit b other
        submit c q after=a,b,a
        explain c
        exited a 0; explain c
        exited b 0
        ",
        &expect![[r#"
            > environment ce shared; queue q ce; queue other ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 other is version 1, Enabled
            > submit a q; submit b other
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 2
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
            > submit c q after=a,b,a
                c is number 3 of queue 1
            > explain c
                c is PENDING in queue q; it needs 1 vCPU, 512 MiB.
                It waits for job a to succeed.
                It waits for job b to succeed.
            > exited a 0; explain c
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                c waits no more for a
                => forget a#1
                c is PENDING in queue q; it needs 1 vCPU, 512 MiB.
                It waits for job b to succeed.
            > exited b 0
                b SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                c waits no more for b
                c RUNNABLE
                => forget b#1
                c STARTING in environment 1
                => launch c#1
        "#]],
    );
}

#[test]
fn a_failure_goes_down_the_chain() {
    check(
        "
        environment ce shared; queue q ce
        submit a q; submit b q after=a; submit c q after=b; submit d q after=c,a; submit e q array=3 after=c; submit f q after=e
        exited a 1
        show
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q; submit b q after=a; submit c q after=b; submit d q after=c,a; submit e q array=3 after=c; submit f q after=e
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                c is number 3 of queue 1
                d is number 4 of queue 1
                e is number 5 of queue 1
                f is number 6 of queue 1
            > exited a 1
                a FAILED: Essential container in task exited, exit code 1, never RUNNING
                b FAILED: Dependent Job failed
                d FAILED: Dependent Job failed
                c FAILED: Dependent Job failed
                e:0-2 FAILED: Dependent Job failed
                e FAILED as a whole: Dependent Job failed
                f FAILED: Dependent Job failed
                => forget a#1
            > show
                ce: 0 vCPU, 0 MiB in use by 0
        "#]],
    );
}

#[test]
fn jobs_that_have_ended_count_at_once() {
    check(
        "
        environment ce shared; queue q ce
        submit a q; exited a 0; submit b q; exited b 1
        submit c q after=a
        submit d q after=b
        submit e q after=a,b
        submit f q array=2 after=b
        submit g q array=2; exited g:0 0; exited g:1 1
        submit h q after=g:0; submit i q after=g:1; submit j q after=g
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q; exited a 0; submit b q; exited b 1
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
                b FAILED: Essential container in task exited, exit code 1, never RUNNING
                => forget b#1
            > submit c q after=a
                c is number 3 of queue 1
                c RUNNABLE
                c STARTING in environment 1
                => launch c#1
            > submit d q after=b
                d is number 4 of queue 1
                d FAILED: Dependent Job failed
            > submit e q after=a,b
                e is number 5 of queue 1
                e FAILED: Dependent Job failed
            > submit f q array=2 after=b
                f is number 6 of queue 1
                f:0-1 FAILED: Dependent Job failed
                f FAILED as a whole: Dependent Job failed
            > submit g q array=2; exited g:0 0; exited g:1 1
                g is number 7 of queue 1
                g:0-1 RUNNABLE
                g:0 STARTING in environment 1
                g:1 STARTING in environment 1
                => launch g:0#1
                => launch g:1#1
                g:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget g:0#1
                g:1 FAILED: Essential container in task exited, exit code 1, never RUNNING
                g FAILED as a whole: Array Child Job failed
                => forget g:1#1
            > submit h q after=g:0; submit i q after=g:1; submit j q after=g
                h is number 8 of queue 1
                h RUNNABLE
                h STARTING in environment 1
                => launch h#1
                i is number 9 of queue 1
                i FAILED: Dependent Job failed
                j is number 10 of queue 1
                j FAILED: Dependent Job failed
        "#]],
    );
}

#[test]
fn what_cannot_be_waited_for_is_refused() {
    check(
        "
        environment ce shared; queue q ce
        submit a q after=nothing
        submit b q
        submit c q after=b:0
        submit d q sequential
        submit e q pair=b
        submit f q array=2 pair=b
        submit g q array=2; submit h q array=3 pair=g; submit i q array=2 pair=g:1; submit j q after=g:2
        submit k q after=b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b
        submit l q after=b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b
        submit m q array=2 sequential after=b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b
        show
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q after=nothing
                refused: job 00000000-0000-4000-8000-000000000000, which this job depends on, does not exist
            > submit b q
                b is number 1 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
            > submit c q after=b:0
                refused: job b:0, which this job depends on, does not exist
            > submit d q sequential
                refused: only array jobs have SEQUENTIAL and N_TO_N dependencies
            > submit e q pair=b
                refused: only array jobs have SEQUENTIAL and N_TO_N dependencies
            > submit f q array=2 pair=b
                refused: an N_TO_N dependency needs an array job of the same size
            > submit g q array=2; submit h q array=3 pair=g; submit i q array=2 pair=g:1; submit j q after=g:2
                g is number 2 of queue 1
                g:0-1 RUNNABLE
                g:0 STARTING in environment 1
                g:1 STARTING in environment 1
                => launch g:0#1
                => launch g:1#1
                refused: an N_TO_N dependency needs an array job of the same size
                refused: an N_TO_N dependency needs an array job of the same size
                refused: job g:2, which this job depends on, does not exist
            > submit k q after=b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b
                k is number 3 of queue 1
            > submit l q after=b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b
                refused: a job depends on at most 20 jobs
            > submit m q array=2 sequential after=b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b
                refused: a job depends on at most 20 jobs
            > show
                ce: 3 vCPU, 1536 MiB in use by 3
                b STARTING
                g PENDING: 0 pending, 0 runnable, 2 starting, 0 running, 0 succeeded, 0 failed
                k PENDING
        "#]],
    );
}

#[test]
fn a_job_waits_for_an_array_and_an_array_for_a_job() {
    check(
        "
        environment ce shared; queue q ce
        submit a q; submit b q array=2 after=a; submit c q after=b
        explain b:1; explain c
        exited a 0
        exited b:0 0; exited b:1 0
        exited c 0
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q; submit b q array=2 after=a; submit c q after=b
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                c is number 3 of queue 1
            > explain b:1; explain c
                b:1 is PENDING in queue q; it needs 1 vCPU, 512 MiB.
                It waits for job a to succeed.
                c is PENDING in queue q; it needs 1 vCPU, 512 MiB.
                It waits for job b to succeed.
            > exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b waits no more for a
                b:0-1 RUNNABLE
                => forget a#1
                b:0 STARTING in environment 1
                b:1 STARTING in environment 1
                => launch b:0#1
                => launch b:1#1
            > exited b:0 0; exited b:1 0
                b:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b:0#1
                b:1 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b SUCCEEDED as a whole: no reason
                c waits no more for b
                c RUNNABLE
                => forget b:1#1
                c STARTING in environment 1
                => launch c#1
            > exited c 0
                c SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget c#1
        "#]],
    );
}

#[test]
fn a_child_can_be_waited_for() {
    check(
        "
        environment ce shared max=2; queue q ce
        submit a q array=3; submit b q after=a:0; submit c q after=a:2; submit d q array=2 after=a:1
        exited a:0 0
        exited a:1 1
        exited a:2 0
        exited b 0; exited c 0
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q array=3; submit b q after=a:0; submit c q after=a:2; submit d q array=2 after=a:1
                a is number 1 of queue 1
                a:0-2 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
                b is number 2 of queue 1
                c is number 3 of queue 1
                d is number 4 of queue 1
            > exited a:0 0
                a:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b waits no more for a:0
                b RUNNABLE
                => forget a:0#1
                a:2 STARTING in environment 1
                => launch a:2#1
            > exited a:1 1
                a:1 FAILED: Essential container in task exited, exit code 1, never RUNNING
                d:0-1 FAILED: Dependent Job failed
                d FAILED as a whole: Dependent Job failed
                => forget a:1#1
                b STARTING in environment 1
                => launch b#1
            > exited a:2 0
                a:2 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                c waits no more for a:2
                c RUNNABLE
                a FAILED as a whole: Array Child Job failed
                => forget a:2#1
                c STARTING in environment 1
                => launch c#1
            > exited b 0; exited c 0
                b SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b#1
                c SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget c#1
        "#]],
    );
}

/// Consequences are drawn from a list, not by recursion: a chain longer than the stack is deep falls as well.
#[test]
fn a_chain_of_ten_thousand_falls() {
    let mut script = "environment ce shared; queue q ce\nsubmit j0 q\n".to_owned();
    for number in 1..10_000 {
        script += &format!("submit j{number} q after=j{}\n", number - 1);
    }
    script += "exited j0 1\n";
    let printed = play(&script);
    let failed = printed
        .lines()
        .filter(|line| line.ends_with("FAILED: Dependent Job failed"));
    assert_eq!(failed.count(), 9_999);
}
