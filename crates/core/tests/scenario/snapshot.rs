//! What stands at the front of a queue, and since when.

use expect_test::expect;

use crate::script::check;

#[test]
fn a_place_is_had_since_somebody_ahead_left_or_came() {
    check(
        "
        environment ce shared max=2; queue q ce
        submit a q vcpus=2 attempts=2; submit b q; at +1; submit c q; at +1; submit d q; at +1; submit e q
        snapshot q
        at +1; cancel c
        snapshot q
        at +1; exited a 1
        snapshot q
        at +1; exited a 0
        snapshot q
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=2 attempts=2; submit b q; at +1; submit c q; at +1; submit d q; at +1; submit e q
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                c is number 3 of queue 1
                c RUNNABLE
                d is number 4 of queue 1
                d RUNNABLE
                e is number 5 of queue 1
                e RUNNABLE
            > snapshot q
                b since +0
                c since +1
                d since +2
                e since +3
                queue uses 2 vCPU, 512 MiB
            > at +1; cancel c
                c FAILED: not needed, cancelled
            > snapshot q
                b since +0
                d since +4
                e since +4
                queue uses 2 vCPU, 512 MiB
            > at +1; exited a 1
                a RUNNABLE again: Essential container in task exited, exit code 1, never RUNNING
                => forget a#1
                a STARTING in environment 1
                => launch a#2
            > snapshot q
                b since +5
                d since +5
                e since +5
                queue uses 2 vCPU, 512 MiB
            > at +1; exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#2
                b STARTING in environment 1
                d STARTING in environment 1
                => launch b#1
                => launch d#1
            > snapshot q
                e since +6
                queue uses 2 vCPU, 1024 MiB
        "#]],
    );
}

#[test]
fn children_stand_in_order_among_single_jobs() {
    check(
        "
        environment ce shared max=1; queue q ce
        submit run q; submit a q array=3; at +5; submit b q
        snapshot q
        at +1; cancel a:1
        snapshot q
        at +1; exited run 0
        snapshot q
        ",
        &expect![[r#"
            > environment ce shared max=1; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit run q; submit a q array=3; at +5; submit b q
                run is number 1 of queue 1
                run RUNNABLE
                run STARTING in environment 1
                => launch run#1
                a is number 2 of queue 1
                a:0-2 RUNNABLE
                b is number 3 of queue 1
                b RUNNABLE
            > snapshot q
                a:0 since +0
                a:1 since +0
                a:2 since +0
                b since +5
                queue uses 1 vCPU, 512 MiB
            > at +1; cancel a:1
                a:1 FAILED: not needed, cancelled
            > snapshot q
                a:0 since +0
                a:2 since +6
                b since +6
                queue uses 1 vCPU, 512 MiB
            > at +1; exited run 0
                run SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget run#1
                a:0 STARTING in environment 1
                => launch a:0#1
            > snapshot q
                a:2 since +7
                b since +7
                queue uses 1 vCPU, 512 MiB
        "#]],
    );
}

#[test]
fn jobs_released_late_go_by_their_submission() {
    check(
        "
        environment ce shared max=1; environment other shared max=1; queue q ce; queue first other
        submit run q; submit a first; submit b q after=a; submit c q; at +5
        snapshot q
        exited a 0
        snapshot q
        ",
        &expect![[r#"
            > environment ce shared max=1; environment other shared max=1; queue q ce; queue first other
                environment 1 ce is version 1, Enabled
                environment 2 other is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 first is version 1, Enabled
            > submit run q; submit a first; submit b q after=a; submit c q; at +5
                run is number 1 of queue 1
                run RUNNABLE
                run STARTING in environment 1
                => launch run#1
                a is number 2 of queue 2
                a RUNNABLE
                a STARTING in environment 2
                => launch a#1
                b is number 3 of queue 1
                c is number 4 of queue 1
                c RUNNABLE
            > snapshot q
                c since +0
                queue uses 1 vCPU, 512 MiB
            > exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b waits no more for a
                b RUNNABLE
                => forget a#1
            > snapshot q
                b since +5
                c since +5
                queue uses 1 vCPU, 512 MiB
        "#]],
    );
}

#[test]
fn at_most_a_hundred_are_shown() {
    let shown = crate::script::play(
        "
        environment ce shared max=1; queue q ce
        submit run q; submit a q array=1000
        snapshot q
        ",
    );
    assert_eq!(shown.matches(" since ").count(), 100);
    assert!(shown.contains("a:99 since +0"));
}

#[test]
fn use_is_told_by_share() {
    check(
        "
        environment ce shared; item scheduling-policy/p; queue q policy=p ce; queue plain ce
        submit a q share=red; submit b q share=red; submit c q share=blue; submit d plain
        snapshot q; snapshot plain
        exited a 0; exited b 0
        snapshot q
        ",
        &expect![[r#"
            > environment ce shared; item scheduling-policy/p; queue q policy=p ce; queue plain ce
                environment 1 ce is version 1, Enabled
                scheduling-policy/p is version 1
                queue 1 q is version 1, Enabled
                queue 2 plain is version 1, Enabled
            > submit a q share=red; submit b q share=red; submit c q share=blue; submit d plain
                share red of queue 1 has used 0 vCPU seconds
                a is number 1 of queue 1
                a RUNNABLE
                share red of queue 1 has used 1 vCPU seconds
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                share red of queue 1 has used 2 vCPU seconds
                b STARTING in environment 1
                => launch b#1
                share blue of queue 1 has used 0 vCPU seconds
                c is number 3 of queue 1
                c RUNNABLE
                share blue of queue 1 has used 1 vCPU seconds
                c STARTING in environment 1
                => launch c#1
                d is number 4 of queue 2
                d RUNNABLE
                d STARTING in environment 1
                => launch d#1
            > snapshot q; snapshot plain
                blue uses 1 vCPU, 512 MiB
                red uses 2 vCPU, 1024 MiB
                2 active shares
                queue uses 1 vCPU, 512 MiB
            > exited a 0; exited b 0
                share red of queue 1 has used 2 vCPU seconds
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                share red of queue 1 has used 2 vCPU seconds
                b SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b#1
            > snapshot q
                blue uses 1 vCPU, 512 MiB
                2 active shares
        "#]],
    );
}
