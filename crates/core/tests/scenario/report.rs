//! Reports that come late, twice, or out of order.

use expect_test::expect;

use crate::script::check;

#[test]
fn reports_that_do_not_fit_change_nothing() {
    check(
        "
        environment ce shared; queue q ce
        submit a q attempts=2
        started a; started a; exited a 1; exited a#1 1; started a#1; lost a#1
        started a#1; not-started a#3 no; started a#3
        started a#2; exited a#2 0; exited a#2 0; lost a#2; started a#2
        started nothing; exited nothing 0; lost a:7
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q attempts=2
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
            > started a; started a; exited a 1; exited a#1 1; started a#1; lost a#1
                a RUNNING
                a RUNNABLE again: Essential container in task exited, exit code 1
                => forget a#1
                a STARTING in environment 1
                => launch a#2
                => forget a#1
                => forget a#1
            > started a#1; not-started a#3 no; started a#3
                => forget a#3
            > started a#2; exited a#2 0; exited a#2 0; lost a#2; started a#2
                a RUNNING
                a SUCCEEDED: Essential container in task exited, exit code 0
                => forget a#2
                => forget a#2
                => forget a#2
            > started nothing; exited nothing 0; lost a:7
                => forget unknown#1
                => forget a:7#1
        "#]],
    );
}

#[test]
fn an_exit_can_come_before_the_start() {
    check(
        "
        environment ce shared; queue q ce
        submit a q; exited a 0; started a
        submit b q; at +5; terminate b; started b; exited b 143
        submit c q timeout=60; terminate c; started c; at +100
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q; exited a 0; started a
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
            > submit b q; at +5; terminate b; started b; exited b 143
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
                b is to stop: enough
                => stop b#1 within 30000ms
                b RUNNING
                b FAILED: enough, exit code 143
                => forget b#1
            > submit c q timeout=60; terminate c; started c; at +100
                c is number 3 of queue 1
                c RUNNABLE
                c STARTING in environment 1
                => launch c#1
                c is to stop: enough
                => stop c#1 within 30000ms
                c RUNNING
        "#]],
    );
}

#[test]
fn the_ends_of_a_tasks_containers_are_passed_on() {
    check(
        "
        environment ce shared; queue q ce
        submit a q attempts=3; started a
        exited a 3 containers=app:3,side:143
        not-started a no containers=app:-,side:0
        started a; lost a
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
            > exited a 3 containers=app:3,side:143
                a RUNNABLE again: Essential container in task exited, exit code 3, app 3, side 143
                => forget a#1
                a STARTING in environment 1
                => launch a#2
            > not-started a no containers=app:-,side:0
                a RUNNABLE again: Task failed to start, no, never RUNNING, app without exit code, side 0
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
