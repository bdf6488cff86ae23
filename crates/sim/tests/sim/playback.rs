//! What happens in virtual time, and when.

use expect_test::expect;

use crate::stage::check;

#[test]
fn jobs_start_when_there_is_room_and_run_as_long_as_they_run() {
    check(
        "
        host 2
        submit a 10
        submit b 20
        submit c 5 vcpus=2
        submit d 0
        play
        ",
        &expect![[r#"
            0    a placed
            0    a started
            0    b placed
            0    b started
            10   a ended 0 Succeeded
            20   b ended 0 Succeeded
            20   c placed
            20   c started
            25   c ended 0 Succeeded
            25   d placed
            25   d started
            25   d ended 0 Succeeded
        "#]],
    );
}

#[test]
fn programs_start_after_the_latency_and_are_stopped_at_their_timeout() {
    check(
        "
        start-latency 3
        kill-after-grace
        submit long 100 timeout=10
        submit exact 10 timeout=10
        submit gone 7
        terminate gone
        play
        ",
        &expect![[r#"
            0    long placed
            0    exact placed
            0    gone placed
            3    long started
            3    exact started
            3    gone started
            10   gone ended 0 Failed
            13   exact ended 0 Succeeded
            43   long ended 137 Failed
        "#]],
    );
}

#[test]
fn dependencies_hold_when_they_are_met_and_when_they_have_ended_already() {
    check(
        "
        host 4
        submit a 10
        submit b 5 after=a
        at +11
        submit c 1 after=a
        submit array 4 array=3 most=2 after=b
        play
        ",
        &expect![[r#"
            0    a placed
            0    a started
            10   a ended 0 Succeeded
            10   b placed
            10   b started
            11   c placed
            11   c started
            12   c ended 0 Succeeded
            15   b ended 0 Succeeded
            15   array:0 placed
            15   array:1 placed
            15   array:0 started
            15   array:1 started
            19   array:0 ended 0 Succeeded
            19   array:1 ended 0 Succeeded
            19   array:2 placed
            19   array:2 started
            23   array:2 ended 0 Succeeded
        "#]],
    );
}

#[test]
fn what_runs_for_ever_ends_when_it_is_stopped() {
    check(
        "
        submit a endless
        at +100
        terminate a
        play
        ",
        &expect![[r#"
            0    a placed
            0    a started
            100  a ended 143 Failed
        "#]],
    );
}
