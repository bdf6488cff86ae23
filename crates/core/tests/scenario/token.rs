//! Client tokens of submissions.

use expect_test::expect;

use crate::script::check;

#[test]
fn the_same_submission_adds_no_second_job() {
    check(
        "
        environment ce shared; queue q ce
        submit a q token=t:1; submit b q token=t:1; submit c q token=t:2; submit d q token=u:1
        exited a 0; submit e q token=t:1
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q token=t:1; submit b q token=t:1; submit c q token=t:2; submit d q token=u:1
                token t stands for a
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                refused: the client token was used for another job, a
                token u stands for d
                d is number 2 of queue 1
                d RUNNABLE
                d STARTING in environment 1
                => launch d#1
            > exited a 0; submit e q token=t:1
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
        "#]],
    );
}

#[test]
fn a_refused_submission_leaves_its_token_free() {
    check(
        "
        environment ce shared; queue q ce
        submit a nowhere token=t:1; submit b q token=t:2
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a nowhere token=t:1; submit b q token=t:2
                refused: job queue nowhere does not exist
                token t stands for b
                b is number 1 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
        "#]],
    );
}

#[test]
fn a_token_counts_for_a_day() {
    check(
        "
        environment ce shared; queue q ce
        submit a q token=t:1; submit b q token=u:1; at +86399; submit c q token=t:1
        at +1; submit d q token=t:2; submit e q token=v:1
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q token=t:1; submit b q token=u:1; at +86399; submit c q token=t:1
                token t stands for a
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                token u stands for b
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
            > at +1; submit d q token=t:2; submit e q token=v:1
                forgotten tokens: t, u
                token t stands for d
                d is number 3 of queue 1
                d RUNNABLE
                d STARTING in environment 1
                => launch d#1
                token v stands for e
                e is number 4 of queue 1
                e RUNNABLE
                e STARTING in environment 1
                => launch e#1
        "#]],
    );
}

#[test]
fn a_token_may_count_for_less() {
    check(
        "
        environment ce shared; queue q ce
        submit a q token=t:1; submit b q token=u:1 life=10; at +10; submit c q token=u:2 life=10
        submit d q token=t:1
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q token=t:1; submit b q token=u:1 life=10; at +10; submit c q token=u:2 life=10
                token t stands for a
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                token u stands for b
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
                forgotten tokens: u
                token u stands for c
                c is number 3 of queue 1
                c RUNNABLE
                c STARTING in environment 1
                => launch c#1
            > submit d q token=t:1
        "#]],
    );
}
