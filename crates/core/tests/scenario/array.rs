//! Array jobs (section B.10).

use expect_test::expect;

use crate::script::check;

#[test]
fn children_start_in_order_and_get_records_when_they_do() {
    check(
        "
        environment ce shared max=2; queue q ce
        submit a q array=10000
        show; explain a; explain a:0; explain a:1; explain a:2; explain a:9999; explain a:10000
        started a:1; exited a:1 0; started a:0
        show
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q array=10000
                a is number 1 of queue 1
                a:0-9999 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
            > show; explain a; explain a:0; explain a:1; explain a:2; explain a:9999; explain a:10000
                ce: 2 vCPU, 1024 MiB in use by 2
                a PENDING: 0 pending, 9998 runnable, 2 starting, 0 running, 0 succeeded, 0 failed
                a is PENDING in queue q; it needs 1 vCPU, 512 MiB.
                Its children: 0 pending, 9998 runnable, 2 starting, 0 running, 0 succeeded, 0 failed.
                a:0 is STARTING in queue q; it needs 1 vCPU, 512 MiB.
                It has its place in compute environment ce.
                a:1 is STARTING in queue q; it needs 1 vCPU, 512 MiB.
                It has its place in compute environment ce.
                a:2 is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce holds 2 of the 2 vCPU it may have at most; needed: maxvCpus of 3, or others to end
                a:9999 is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                Jobs start in order of submission; lower children of its own array are before it.
                The first of them, a:2, cannot start, and holds the queue up:
                  compute environment ce holds 2 of the 2 vCPU it may have at most; needed: maxvCpus of 3, or others to end
                it is not live
            > started a:1; exited a:1 0; started a:0
                a:1 RUNNING
                a:1 SUCCEEDED: Essential container in task exited, exit code 0
                => forget a:1#1
                a:2 STARTING in environment 1
                => launch a:2#1
                a:0 RUNNING
            > show
                ce: 2 vCPU, 1024 MiB in use by 2
                a PENDING: 0 pending, 9997 runnable, 1 starting, 1 running, 1 succeeded, 0 failed
        "#]],
    );
}

#[test]
fn sizes_out_of_range_are_refused() {
    check(
        "
        environment ce shared; queue q ce
        submit a q array=0; submit b q array=1; submit c q array=10001
        show
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q array=0; submit b q array=1; submit c q array=10001
                refused: an array job has 2 to 10000 children, not 0
                refused: an array job has 2 to 10000 children, not 1
                refused: an array job has 2 to 10000 children, not 10001
            > show
                ce: 0 vCPU, 0 MiB in use by 0
        "#]],
    );
}

#[test]
fn an_array_ends_with_its_last_child() {
    check(
        "
        environment ce shared; queue q ce
        submit a q array=2; exited a:0 0; exited a:1 0
        submit b q array=3; exited b:1 1; exited b:0 0; exited b:2 0
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q array=2; exited a:0 0; exited a:1 0
                a is number 1 of queue 1
                a:0-1 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
                a:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a:0#1
                a:1 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                a SUCCEEDED as a whole: no reason
                => forget a:1#1
            > submit b q array=3; exited b:1 1; exited b:0 0; exited b:2 0
                b is number 2 of queue 1
                b:0-2 RUNNABLE
                b:0 STARTING in environment 1
                b:1 STARTING in environment 1
                b:2 STARTING in environment 1
                => launch b:0#1
                => launch b:1#1
                => launch b:2#1
                b:1 FAILED: Essential container in task exited, exit code 1, never RUNNING
                => forget b:1#1
                b:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b:0#1
                b:2 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b FAILED as a whole: Array Child Job failed
                => forget b:2#1
        "#]],
    );
}

#[test]
fn children_in_sequence() {
    check(
        "
        environment ce shared; queue q ce
        submit a q array=3 sequential
        explain a:2
        exited a:0 0
        exited a:1 1
        submit b q array=3 sequential attempts=2; exited b:0 1; exited b:0 0; exited b:1 0; exited b:2 0
        submit c q array=3 sequential; cancel c:2; exited c:0 0; exited c:1 0
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q array=3 sequential
                a is number 1 of queue 1
                a:0 RUNNABLE
                a:0 STARTING in environment 1
                => launch a:0#1
            > explain a:2
                a:2 is PENDING in queue q; it needs 1 vCPU, 512 MiB.
                It waits for job a:1 to succeed.
            > exited a:0 0
                a:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                a:1 RUNNABLE
                => forget a:0#1
                a:1 STARTING in environment 1
                => launch a:1#1
            > exited a:1 1
                a:1 FAILED: Essential container in task exited, exit code 1, never RUNNING
                a:2 FAILED: Dependent Job failed
                a FAILED as a whole: Array Child Job failed
                => forget a:1#1
            > submit b q array=3 sequential attempts=2; exited b:0 1; exited b:0 0; exited b:1 0; exited b:2 0
                b is number 2 of queue 1
                b:0 RUNNABLE
                b:0 STARTING in environment 1
                => launch b:0#1
                b:0 RUNNABLE again: Essential container in task exited, exit code 1, never RUNNING
                => forget b:0#1
                b:0 STARTING in environment 1
                => launch b:0#2
                b:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b:1 RUNNABLE
                => forget b:0#2
                b:1 STARTING in environment 1
                => launch b:1#1
                b:1 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b:2 RUNNABLE
                => forget b:1#1
                b:2 STARTING in environment 1
                => launch b:2#1
                b:2 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b SUCCEEDED as a whole: no reason
                => forget b:2#1
            > submit c q array=3 sequential; cancel c:2; exited c:0 0; exited c:1 0
                c is number 3 of queue 1
                c:0 RUNNABLE
                c:0 STARTING in environment 1
                => launch c:0#1
                c:2 FAILED: not needed, cancelled
                c:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                c:1 RUNNABLE
                => forget c:0#1
                c:1 STARTING in environment 1
                => launch c:1#1
                c:1 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                c FAILED as a whole: Array Child Job failed
                => forget c:1#1
        "#]],
    );
}

#[test]
fn children_paired_with_children() {
    check(
        "
        environment ce shared max=2; queue q ce; queue other ce
        submit a q array=3; submit b other array=3 pair=a
        explain b:1
        exited a:1 0
        exited a:0 1
        exited b:1 0; exited a:2 0
        exited b:2 0
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q ce; queue other ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 other is version 1, Enabled
            > submit a q array=3; submit b other array=3 pair=a
                a is number 1 of queue 1
                a:0-2 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
                b is number 2 of queue 2
            > explain b:1
                b:1 is PENDING in queue other; it needs 1 vCPU, 512 MiB.
                It waits for job a:1 to succeed.
            > exited a:1 0
                a:1 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b waits no more for a:1
                b:1 RUNNABLE
                => forget a:1#1
                a:2 STARTING in environment 1
                => launch a:2#1
            > exited a:0 1
                a:0 FAILED: Essential container in task exited, exit code 1, never RUNNING
                b:0 FAILED: Dependent Job failed
                => forget a:0#1
                b:1 STARTING in environment 1
                => launch b:1#1
            > exited b:1 0; exited a:2 0
                b:1 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b:1#1
                a:2 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b waits no more for a:2
                b:2 RUNNABLE
                a FAILED as a whole: Array Child Job failed
                b has seen all of a
                => forget a:2#1
                b:2 STARTING in environment 1
                => launch b:2#1
            > exited b:2 0
                b:2 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b FAILED as a whole: Array Child Job failed
                => forget b:2#1
        "#]],
    );
}

#[test]
fn pairing_with_an_array_that_has_got_somewhere() {
    check(
        "
        environment ce shared max=3; queue q ce
        submit a q array=4
        exited a:0 0; exited a:1 1
        submit b q array=4 pair=a
        exited a:2 0; exited a:3 0
        submit c q array=4 pair=a,b after=b:0
        exited b:0 0; exited b:2 0; exited b:3 0
        exited c:0 0; exited c:2 0; exited c:3 0
        submit d q array=4 pair=a after=b; submit e q array=4 pair=c
        exited e:0 0; exited e:2 0; exited e:3 0
        ",
        &expect![[r#"
            > environment ce shared max=3; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q array=4
                a is number 1 of queue 1
                a:0-3 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                a:2 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
                => launch a:2#1
            > exited a:0 0; exited a:1 1
                a:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a:0#1
                a:3 STARTING in environment 1
                => launch a:3#1
                a:1 FAILED: Essential container in task exited, exit code 1, never RUNNING
                => forget a:1#1
            > submit b q array=4 pair=a
                b is number 2 of queue 1
                b:1 FAILED: Dependent Job failed
                b:0 RUNNABLE
                b:0 STARTING in environment 1
                => launch b:0#1
            > exited a:2 0; exited a:3 0
                a:2 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b waits no more for a:2
                b:2 RUNNABLE
                => forget a:2#1
                b:2 STARTING in environment 1
                => launch b:2#1
                a:3 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b waits no more for a:3
                b:3 RUNNABLE
                a FAILED as a whole: Array Child Job failed
                b has seen all of a
                => forget a:3#1
                b:3 STARTING in environment 1
                => launch b:3#1
            > submit c q array=4 pair=a,b after=b:0
                c is number 3 of queue 1
                c:1 FAILED: Dependent Job failed
            > exited b:0 0; exited b:2 0; exited b:3 0
                b:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                c waits no more for b:0
                c waits no more for b:0
                c:0 RUNNABLE
                => forget b:0#1
                c:0 STARTING in environment 1
                => launch c:0#1
                b:2 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                c waits no more for b:2
                c:2 RUNNABLE
                => forget b:2#1
                c:2 STARTING in environment 1
                => launch c:2#1
                b:3 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                c waits no more for b:3
                c:3 RUNNABLE
                b FAILED as a whole: Array Child Job failed
                c has seen all of b
                => forget b:3#1
                c:3 STARTING in environment 1
                => launch c:3#1
            > exited c:0 0; exited c:2 0; exited c:3 0
                c:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget c:0#1
                c:2 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget c:2#1
                c:3 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                c FAILED as a whole: Array Child Job failed
                => forget c:3#1
            > submit d q array=4 pair=a after=b; submit e q array=4 pair=c
                d is number 4 of queue 1
                d:0-3 FAILED: Dependent Job failed
                d FAILED as a whole: Dependent Job failed
                e is number 5 of queue 1
                e:1 FAILED: Dependent Job failed
                e:0,2-3 RUNNABLE
                e:0 STARTING in environment 1
                e:2 STARTING in environment 1
                e:3 STARTING in environment 1
                => launch e:0#1
                => launch e:2#1
                => launch e:3#1
            > exited e:0 0; exited e:2 0; exited e:3 0
                e:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget e:0#1
                e:2 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget e:2#1
                e:3 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                e FAILED as a whole: Array Child Job failed
                => forget e:3#1
        "#]],
    );
}

#[test]
fn pairs_of_pairs_fail_together() {
    check(
        "
        environment ce shared; queue q ce
        submit a q array=2; submit b q array=2 pair=a; submit c q array=2 pair=b; submit d q after=c
        terminate a
        not-started a:0 stopped; not-started a:1 stopped
        show
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q array=2; submit b q array=2 pair=a; submit c q array=2 pair=b; submit d q after=c
                a is number 1 of queue 1
                a:0-1 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
                b is number 2 of queue 1
                c is number 3 of queue 1
                d is number 4 of queue 1
            > terminate a
                a is terminated as a whole
                a:0 is to stop: enough
                a:1 is to stop: enough
                => stop a:0#1 within 30000ms
                => stop a:1#1 within 30000ms
            > not-started a:0 stopped; not-started a:1 stopped
                a:0 FAILED: enough, stopped, never RUNNING
                b:0 FAILED: Dependent Job failed
                c:0 FAILED: Dependent Job failed
                => forget a:0#1
                a:1 FAILED: enough, stopped, never RUNNING
                b:1 FAILED: Dependent Job failed
                a FAILED as a whole: Array Child Job failed
                b has seen all of a
                c:1 FAILED: Dependent Job failed
                b FAILED as a whole: Dependent Job failed
                c has seen all of b
                c FAILED as a whole: Dependent Job failed
                d FAILED: Dependent Job failed
                => forget a:1#1
            > show
                ce: 0 vCPU, 0 MiB in use by 0
        "#]],
    );
}
