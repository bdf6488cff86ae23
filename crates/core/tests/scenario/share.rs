//! Fair share: whose turn it is (section C.3).
//!
//! Long because it is data: scripts with their golden output.

use expect_test::expect;

use crate::script::check;

#[test]
fn shares_take_turns_by_what_they_have_used() {
    check(
        "
        host vcpus=2
        item scheduling-policy/fair; environment ce shared; queue q policy=fair ce
        submit a0 q share=a vcpus=2; submit a1 q share=a; submit a2 q share=a; submit b0 q share=b; submit b1 q share=b
        started a0; at +60
        exited a0 0
        explain a1; explain b1
        snapshot q
        ",
        &expect![[r#"
            > host vcpus=2
            > item scheduling-policy/fair; environment ce shared; queue q policy=fair ce
                scheduling-policy/fair is version 1
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a0 q share=a vcpus=2; submit a1 q share=a; submit a2 q share=a; submit b0 q share=b; submit b1 q share=b
                share a of queue 1 has used 0 vCPU seconds
                a0 is number 1 of queue 1
                a0 RUNNABLE
                share a of queue 1 has used 2 vCPU seconds
                a0 STARTING in environment 1
                => launch a0#1
                a1 is number 2 of queue 1
                a1 RUNNABLE
                a2 is number 3 of queue 1
                a2 RUNNABLE
                share b of queue 1 has used 0 vCPU seconds
                b0 is number 4 of queue 1
                b0 RUNNABLE
                b1 is number 5 of queue 1
                b1 RUNNABLE
            > started a0; at +60
                a0 RUNNING
            > exited a0 0
                share a of queue 1 has used 122 vCPU seconds
                a0 SUCCEEDED: Essential container in task exited, exit code 0
                => forget a0#1
                share b of queue 1 has used 1 vCPU seconds
                b0 STARTING in environment 1
                share b of queue 1 has used 2 vCPU seconds
                b1 STARTING in environment 1
                => launch b0#1
                => launch b1#1
            > explain a1; explain b1
                a1 is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its share, and cannot start:
                  compute environment ce has to wait for other jobs: this host has 0 vCPU, 7168 MiB free
                  there will be room in about 60 s, when job b0 ends as the last runs of its definition did
                Its share a has lately used 1.9 vCPU-minutes × weight 1.
                b1 is STARTING in queue q; it needs 1 vCPU, 512 MiB.
                It has its place in compute environment ce.
            > snapshot q
                a1 since +0
                a2 since +0
                b uses 2 vCPU, 1024 MiB
                2 active shares
        "#]],
    );
}

#[test]
fn jobs_that_start_at_one_instant_alternate_between_the_shares() {
    check(
        "
        host vcpus=6
        item scheduling-policy/fair; environment ce shared; queue block ce; queue q policy=fair ce
        submit all block vcpus=6
        submit a q share=a array=6; submit b q share=b array=6
        exited all 0
        ",
        &expect![[r#"
            > host vcpus=6
            > item scheduling-policy/fair; environment ce shared; queue block ce; queue q policy=fair ce
                scheduling-policy/fair is version 1
                environment 1 ce is version 1, Enabled
                queue 1 block is version 1, Enabled
                queue 2 q is version 1, Enabled
            > submit all block vcpus=6
                all is number 1 of queue 1
                all RUNNABLE
                all STARTING in environment 1
                => launch all#1
            > submit a q share=a array=6; submit b q share=b array=6
                share a of queue 2 has used 0 vCPU seconds
                a is number 2 of queue 2
                a:0-5 RUNNABLE
                share b of queue 2 has used 0 vCPU seconds
                b is number 3 of queue 2
                b:0-5 RUNNABLE
            > exited all 0
                all SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget all#1
                share a of queue 2 has used 1 vCPU seconds
                a:0 STARTING in environment 1
                share b of queue 2 has used 1 vCPU seconds
                b:0 STARTING in environment 1
                share a of queue 2 has used 2 vCPU seconds
                a:1 STARTING in environment 1
                share b of queue 2 has used 2 vCPU seconds
                b:1 STARTING in environment 1
                share a of queue 2 has used 3 vCPU seconds
                a:2 STARTING in environment 1
                share b of queue 2 has used 3 vCPU seconds
                b:2 STARTING in environment 1
                => launch a:0#1
                => launch b:0#1
                => launch a:1#1
                => launch b:1#1
                => launch a:2#1
                => launch b:2#1
        "#]],
    );
}

#[test]
fn a_weight_counts_against_its_share() {
    check(
        "
        host vcpus=9
        item scheduling-policy/fair weights=a:2; environment ce shared; queue block ce; queue q policy=fair ce
        submit all block vcpus=9
        submit a q share=a array=9; submit b q share=b array=9
        exited all 0
        show
        ",
        &expect![[r#"
            > host vcpus=9
            > item scheduling-policy/fair weights=a:2; environment ce shared; queue block ce; queue q policy=fair ce
                scheduling-policy/fair is version 1
                environment 1 ce is version 1, Enabled
                queue 1 block is version 1, Enabled
                queue 2 q is version 1, Enabled
            > submit all block vcpus=9
                all is number 1 of queue 1
                all RUNNABLE
                all STARTING in environment 1
                => launch all#1
            > submit a q share=a array=9; submit b q share=b array=9
                share a of queue 2 has used 0 vCPU seconds
                a is number 2 of queue 2
                a:0-8 RUNNABLE
                share b of queue 2 has used 0 vCPU seconds
                b is number 3 of queue 2
                b:0-8 RUNNABLE
            > exited all 0
                all SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget all#1
                share a of queue 2 has used 1 vCPU seconds
                a:0 STARTING in environment 1
                share b of queue 2 has used 1 vCPU seconds
                b:0 STARTING in environment 1
                share b of queue 2 has used 2 vCPU seconds
                b:1 STARTING in environment 1
                share a of queue 2 has used 2 vCPU seconds
                a:1 STARTING in environment 1
                share b of queue 2 has used 3 vCPU seconds
                b:2 STARTING in environment 1
                share b of queue 2 has used 4 vCPU seconds
                b:3 STARTING in environment 1
                share a of queue 2 has used 3 vCPU seconds
                a:2 STARTING in environment 1
                share b of queue 2 has used 5 vCPU seconds
                b:4 STARTING in environment 1
                share b of queue 2 has used 6 vCPU seconds
                b:5 STARTING in environment 1
                => launch a:0#1
                => launch b:0#1
                => launch b:1#1
                => launch a:1#1
                => launch b:2#1
                => launch b:3#1
                => launch a:2#1
                => launch b:4#1
                => launch b:5#1
            > show
                ce: 9 vCPU, 4608 MiB in use by 9
                a PENDING: 0 pending, 6 runnable, 3 starting, 0 running, 0 succeeded, 0 failed
                b PENDING: 0 pending, 3 runnable, 6 starting, 0 running, 0 succeeded, 0 failed
        "#]],
    );
}

#[test]
fn shares_of_a_prefix_divide_what_one_would_get() {
    check(
        "
        host vcpus=6
        item scheduling-policy/fair weights=team*:1; environment ce shared; queue block ce; queue q policy=fair ce
        submit all block vcpus=6
        submit x q share=team1 array=6; submit y q share=team2 array=6; submit z q share=other array=6
        explain z:0
        exited all 0
        show
        ",
        &expect![[r#"
            > host vcpus=6
            > item scheduling-policy/fair weights=team*:1; environment ce shared; queue block ce; queue q policy=fair ce
                scheduling-policy/fair is version 1
                environment 1 ce is version 1, Enabled
                queue 1 block is version 1, Enabled
                queue 2 q is version 1, Enabled
            > submit all block vcpus=6
                all is number 1 of queue 1
                all RUNNABLE
                all STARTING in environment 1
                => launch all#1
            > submit x q share=team1 array=6; submit y q share=team2 array=6; submit z q share=other array=6
                share team1 of queue 2 has used 0 vCPU seconds
                x is number 2 of queue 2
                x:0-5 RUNNABLE
                share team2 of queue 2 has used 0 vCPU seconds
                y is number 3 of queue 2
                y:0-5 RUNNABLE
                share other of queue 2 has used 0 vCPU seconds
                z is number 4 of queue 2
                z:0-5 RUNNABLE
            > explain z:0
                z:0 is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its share, and cannot start:
                  compute environment ce has to wait for other jobs: this host has 0 vCPU, 7680 MiB free
                Its share other has lately used 0.0 vCPU-minutes × weight 1.
            > exited all 0
                all SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget all#1
                share other of queue 2 has used 1 vCPU seconds
                z:0 STARTING in environment 1
                share team1 of queue 2 has used 1 vCPU seconds
                x:0 STARTING in environment 1
                share team2 of queue 2 has used 1 vCPU seconds
                y:0 STARTING in environment 1
                share other of queue 2 has used 2 vCPU seconds
                z:1 STARTING in environment 1
                share other of queue 2 has used 3 vCPU seconds
                z:2 STARTING in environment 1
                share team1 of queue 2 has used 2 vCPU seconds
                x:1 STARTING in environment 1
                => launch z:0#1
                => launch x:0#1
                => launch y:0#1
                => launch z:1#1
                => launch z:2#1
                => launch x:1#1
            > show
                ce: 6 vCPU, 3072 MiB in use by 6
                x PENDING: 0 pending, 4 runnable, 2 starting, 0 running, 0 succeeded, 0 failed
                y PENDING: 0 pending, 5 runnable, 1 starting, 0 running, 0 succeeded, 0 failed
                z PENDING: 0 pending, 3 runnable, 3 starting, 0 running, 0 succeeded, 0 failed
        "#]],
    );
}

#[test]
fn priorities_order_the_jobs_of_a_share_only() {
    check(
        "
        host vcpus=1
        item scheduling-policy/fair; environment ce shared; queue block ce; queue q policy=fair ce
        submit all block
        submit low q share=a; submit high q share=a priority=9; submit other q share=b; submit again q share=a priority=9 attempts=2
        snapshot q
        exited all 0
        started high; at +10; exited high 0
        explain low
        ",
        &expect![[r#"
            > host vcpus=1
            > item scheduling-policy/fair; environment ce shared; queue block ce; queue q policy=fair ce
                scheduling-policy/fair is version 1
                environment 1 ce is version 1, Enabled
                queue 1 block is version 1, Enabled
                queue 2 q is version 1, Enabled
            > submit all block
                all is number 1 of queue 1
                all RUNNABLE
                all STARTING in environment 1
                => launch all#1
            > submit low q share=a; submit high q share=a priority=9; submit other q share=b; submit again q share=a priority=9 attempts=2
                share a of queue 2 has used 0 vCPU seconds
                low is number 2 of queue 2
                low RUNNABLE
                high is number 3 of queue 2
                high RUNNABLE
                share b of queue 2 has used 0 vCPU seconds
                other is number 4 of queue 2
                other RUNNABLE
                again is number 5 of queue 2
                again RUNNABLE
            > snapshot q
                high since +0
                other since +0
                again since +0
                low since +0
                2 active shares
            > exited all 0
                all SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget all#1
                share a of queue 2 has used 1 vCPU seconds
                high STARTING in environment 1
                => launch high#1
            > started high; at +10; exited high 0
                high RUNNING
                share a of queue 2 has used 11 vCPU seconds
                high SUCCEEDED: Essential container in task exited, exit code 0
                => forget high#1
                share b of queue 2 has used 1 vCPU seconds
                other STARTING in environment 1
                => launch other#1
            > explain low
                low is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                In a share jobs start by priority, then in order of submission; 1 job or array is before it.
                The first of them, again, cannot start, and its share waits with it:
                  compute environment ce has to wait for other jobs: this host has 0 vCPU, 7680 MiB free
                  there will be room in about 10 s, when job other ends as the last runs of its definition did
                Its share a has lately used 0.2 vCPU-minutes × weight 1.
        "#]],
    );
}

#[test]
fn assumed_a_share_whose_front_is_too_large_lets_others_start() {
    check(
        "
        host vcpus=4
        item scheduling-policy/fair; environment ce shared max=3; queue q policy=fair ce limit=maximum:600
        submit large q share=a vcpus=4; submit behind q share=a; submit b q share=b vcpus=2
        explain behind
        at +600
        ",
        &expect![[r#"
            > host vcpus=4
            > item scheduling-policy/fair; environment ce shared max=3; queue q policy=fair ce limit=maximum:600
                scheduling-policy/fair is version 1
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit large q share=a vcpus=4; submit behind q share=a; submit b q share=b vcpus=2
                share a of queue 1 has used 0 vCPU seconds
                large is number 1 of queue 1
                large RUNNABLE
                queue 1, share a, is held up by large: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU requirement of the job.
                behind is number 2 of queue 1
                behind RUNNABLE
                share b of queue 1 has used 0 vCPU seconds
                b is number 3 of queue 1
                b RUNNABLE
                share b of queue 1 has used 2 vCPU seconds
                b STARTING in environment 1
                => launch b#1
            > explain behind
                behind is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                In a share jobs start by priority, then in order of submission; 1 job or array is before it.
                The first of them, large, cannot start, and its share waits with it:
                  compute environment ce may have 3 vCPU at most, less than the job needs; needed: maxvCpus of 4
                Its share a has lately used 0.0 vCPU-minutes × weight 1.
            > at +600
                queue 1, share a, is held up no more
                share a of queue 1 has used 0 vCPU seconds
                large FAILED: Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE, cancelled
                share a of queue 1 has used 1 vCPU seconds
                behind STARTING in environment 1
                => launch behind#1
        "#]],
    );
}

#[test]
fn the_reservation_keeps_room_for_shares_without_jobs() {
    check(
        "
        host vcpus=8
        item scheduling-policy/fair reserve=50; environment ce shared max=8; queue q policy=fair ce
        submit a q share=a array=8
        explain a:4
        submit b q share=b array=8
        submit c q share=c array=8
        show
        ",
        &expect![[r#"
            > host vcpus=8
            > item scheduling-policy/fair reserve=50; environment ce shared max=8; queue q policy=fair ce
                scheduling-policy/fair is version 1
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q share=a array=8
                share a of queue 1 has used 0 vCPU seconds
                a is number 1 of queue 1
                a:0-7 RUNNABLE
                share a of queue 1 has used 1 vCPU seconds
                a:0 STARTING in environment 1
                share a of queue 1 has used 2 vCPU seconds
                a:1 STARTING in environment 1
                share a of queue 1 has used 3 vCPU seconds
                a:2 STARTING in environment 1
                share a of queue 1 has used 4 vCPU seconds
                a:3 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
                => launch a:2#1
                => launch a:3#1
            > explain a:4
                a:4 is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its share, and cannot start:
                  it has to leave 4 of the queue's 8 vCPU to shares that have no jobs now; jobs of 1 active shares hold 4
                Its share a has lately used 0.1 vCPU-minutes × weight 1.
            > submit b q share=b array=8
                share b of queue 1 has used 0 vCPU seconds
                b is number 2 of queue 1
                b:0-7 RUNNABLE
                share b of queue 1 has used 1 vCPU seconds
                b:0 STARTING in environment 1
                share b of queue 1 has used 2 vCPU seconds
                b:1 STARTING in environment 1
                => launch b:0#1
                => launch b:1#1
            > submit c q share=c array=8
                share c of queue 1 has used 0 vCPU seconds
                c is number 3 of queue 1
                c:0-7 RUNNABLE
                share c of queue 1 has used 1 vCPU seconds
                c:0 STARTING in environment 1
                => launch c:0#1
            > show
                ce: 7 vCPU, 3584 MiB in use by 7
                a PENDING: 0 pending, 4 runnable, 4 starting, 0 running, 0 succeeded, 0 failed
                b PENDING: 0 pending, 6 runnable, 2 starting, 0 running, 0 succeeded, 0 failed
                c PENDING: 0 pending, 7 runnable, 1 starting, 0 running, 0 succeeded, 0 failed
        "#]],
    );
}

#[test]
fn a_share_that_only_waits_for_other_jobs_shrinks_the_reservation_at_once() {
    check(
        "
        host vcpus=4
        item scheduling-policy/fair reserve=50; environment ce shared max=4; queue q policy=fair ce
        submit a q share=a array=3
        submit b q share=b after=a
        ",
        &expect![[r#"
            > host vcpus=4
            > item scheduling-policy/fair reserve=50; environment ce shared max=4; queue q policy=fair ce
                scheduling-policy/fair is version 1
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q share=a array=3
                share a of queue 1 has used 0 vCPU seconds
                a is number 1 of queue 1
                a:0-2 RUNNABLE
                share a of queue 1 has used 1 vCPU seconds
                a:0 STARTING in environment 1
                share a of queue 1 has used 2 vCPU seconds
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
            > submit b q share=b after=a
                share b of queue 1 has used 0 vCPU seconds
                b is number 2 of queue 1
                share a of queue 1 has used 3 vCPU seconds
                a:2 STARTING in environment 1
                => launch a:2#1
        "#]],
    );
}

#[test]
fn assumed_a_job_larger_than_what_is_not_reserved_starts_when_nothing_else_runs() {
    check(
        "
        host vcpus=8
        item scheduling-policy/fair reserve=50; environment ce shared max=8; queue q policy=fair ce
        submit small q share=a; submit large q share=a vcpus=6
        exited small 0
        ",
        &expect![[r#"
            > host vcpus=8
            > item scheduling-policy/fair reserve=50; environment ce shared max=8; queue q policy=fair ce
                scheduling-policy/fair is version 1
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit small q share=a; submit large q share=a vcpus=6
                share a of queue 1 has used 0 vCPU seconds
                small is number 1 of queue 1
                small RUNNABLE
                share a of queue 1 has used 1 vCPU seconds
                small STARTING in environment 1
                => launch small#1
                large is number 2 of queue 1
                large RUNNABLE
            > exited small 0
                share a of queue 1 has used 1 vCPU seconds
                small SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget small#1
                share a of queue 1 has used 7 vCPU seconds
                large STARTING in environment 1
                => launch large#1
        "#]],
    );
}

#[test]
fn assumed_use_fades_and_a_share_without_jobs_is_active_for_as_long() {
    check(
        "
        host vcpus=1
        item scheduling-policy/fair decay=1200; environment ce shared; queue q policy=fair ce
        submit a q share=a; started a; at +300; exited a 0; snapshot q
        at +600; submit b q share=b; submit a2 q share=a; explain a2
        started b; at +599; exited b 0; submit b2 q share=b; explain b2
        at +2000; exited a2 0; started b2; at +2000; exited b2 0; at +1199; submit c q share=c; snapshot q; at +1; submit c2 q share=c
        ",
        &expect![[r#"
            > host vcpus=1
            > item scheduling-policy/fair decay=1200; environment ce shared; queue q policy=fair ce
                scheduling-policy/fair is version 1
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q share=a; started a; at +300; exited a 0; snapshot q
                share a of queue 1 has used 0 vCPU seconds
                a is number 1 of queue 1
                a RUNNABLE
                share a of queue 1 has used 1 vCPU seconds
                a STARTING in environment 1
                => launch a#1
                a RUNNING
                share a of queue 1 has used 301 vCPU seconds
                a SUCCEEDED: Essential container in task exited, exit code 0
                => forget a#1
                1 active shares
            > at +600; submit b q share=b; submit a2 q share=a; explain a2
                share b of queue 1 has used 0 vCPU seconds
                b is number 2 of queue 1
                b RUNNABLE
                share b of queue 1 has used 1 vCPU seconds
                b STARTING in environment 1
                => launch b#1
                a2 is number 3 of queue 1
                a2 RUNNABLE
                a2 is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its share, and cannot start:
                  compute environment ce has to wait for other jobs: this host has 0 vCPU, 7680 MiB free
                  there will be room in about 5 min, when job b ends as the last runs of its definition did
                Its share a has lately used 1.8 vCPU-minutes × weight 1.
            > started b; at +599; exited b 0; submit b2 q share=b; explain b2
                b RUNNING
                share b of queue 1 has used 600 vCPU seconds
                b SUCCEEDED: Essential container in task exited, exit code 0
                => forget b#1
                share a of queue 1 has used 1 vCPU seconds
                a2 STARTING in environment 1
                => launch a2#1
                b2 is number 4 of queue 1
                b2 RUNNABLE
                b2 is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its share, and cannot start:
                  compute environment ce has to wait for other jobs: this host has 0 vCPU, 7680 MiB free
                  there will be room in about 5 min, when job a2 ends as the last runs of its definition did
                Its share b has lately used 7.4 vCPU-minutes × weight 1.
            > at +2000; exited a2 0; started b2; at +2000; exited b2 0; at +1199; submit c q share=c; snapshot q; at +1; submit c2 q share=c
                share a of queue 1 has used 1179 vCPU seconds
                a2 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a2#1
                share b of queue 1 has used 1 vCPU seconds
                b2 STARTING in environment 1
                => launch b2#1
                b2 RUNNING
                share b of queue 1 has used 1199 vCPU seconds
                b2 SUCCEEDED: Essential container in task exited, exit code 0
                => forget b2#1
                share c of queue 1 has used 0 vCPU seconds
                c is number 5 of queue 1
                c RUNNABLE
                queue 1 forgets a
                share c of queue 1 has used 1 vCPU seconds
                c STARTING in environment 1
                => launch c#1
                c uses 1 vCPU, 512 MiB
                2 active shares
                c2 is number 6 of queue 1
                c2 RUNNABLE
                queue 1 forgets b
        "#]],
    );
}

#[test]
fn a_queue_gets_a_policy_another_and_none() {
    check(
        "
        host vcpus=1
        item scheduling-policy/fair; item scheduling-policy/heavy weights=a:3; environment ce shared; queue q ce
        submit all q; submit x q; submit y q
        update queue q policy=fair ce; submit a q share=a; snapshot q
        update queue q policy=heavy ce; update item scheduling-policy/heavy weights=a:9; explain a
        update queue q ce; snapshot q
        ",
        &expect![[r#"
            > host vcpus=1
            > item scheduling-policy/fair; item scheduling-policy/heavy weights=a:3; environment ce shared; queue q ce
                scheduling-policy/fair is version 1
                scheduling-policy/heavy is version 1
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit all q; submit x q; submit y q
                all is number 1 of queue 1
                all RUNNABLE
                all STARTING in environment 1
                => launch all#1
                x is number 2 of queue 1
                x RUNNABLE
                y is number 3 of queue 1
                y RUNNABLE
            > update queue q policy=fair ce; submit a q share=a; snapshot q
                queue 1 q is version 2, Enabled
                share  of queue 1 has used 0 vCPU seconds
                share a of queue 1 has used 0 vCPU seconds
                a is number 4 of queue 1
                a RUNNABLE
                x since +0
                a since +0
                y since +0
                queue uses 1 vCPU, 512 MiB
                2 active shares
            > update queue q policy=heavy ce; update item scheduling-policy/heavy weights=a:9; explain a
                queue 1 q is version 3, Enabled
                scheduling-policy/heavy is version 2
                a is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its share, and cannot start:
                  compute environment ce has to wait for other jobs: this host has 0 vCPU, 7680 MiB free
                Its share a has lately used 0.0 vCPU-minutes × weight 9.
                Share (none) is next: it has lately used 0.0 vCPU-minutes × weight 1.
            > update queue q ce; snapshot q
                queue 1 q is version 4, Enabled
                queue 1 forgets , a
                x since +0
                y since +0
                a since +0
                queue uses 1 vCPU, 512 MiB
        "#]],
    );
}

#[test]
fn an_unmanaged_environment_reserves_of_what_it_is_said_to_have() {
    check(
        "
        item scheduling-policy/fair reserve=50; environment nothing shared said=0; environment two shared said=2; queue n policy=fair nothing; queue t policy=fair two
        submit a n share=a vcpus=4
        exited a 0; submit b t share=b vcpus=3; submit c t share=b; explain c
        ",
        &expect![[r#"
            > item scheduling-policy/fair reserve=50; environment nothing shared said=0; environment two shared said=2; queue n policy=fair nothing; queue t policy=fair two
                scheduling-policy/fair is version 1
                environment 1 nothing is version 1, Enabled
                environment 2 two is version 1, Enabled
                queue 1 n is version 1, Enabled
                queue 2 t is version 1, Enabled
            > submit a n share=a vcpus=4
                share a of queue 1 has used 0 vCPU seconds
                a is number 1 of queue 1
                a RUNNABLE
                share a of queue 1 has used 4 vCPU seconds
                a STARTING in environment 1
                => launch a#1
            > exited a 0; submit b t share=b vcpus=3; submit c t share=b; explain c
                share a of queue 1 has used 4 vCPU seconds
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                share b of queue 2 has used 0 vCPU seconds
                b is number 2 of queue 2
                b RUNNABLE
                share b of queue 2 has used 3 vCPU seconds
                b STARTING in environment 2
                => launch b#1
                c is number 3 of queue 2
                c RUNNABLE
                c is RUNNABLE in queue t; it needs 1 vCPU, 512 MiB.
                It is next in its share, and cannot start:
                  it has to leave 1 of the queue's 4 vCPU to shares that have no jobs now; jobs of 1 active shares hold 3
                Its share b has lately used 0.1 vCPU-minutes × weight 1.
        "#]],
    );
}
