//! What is expected of queued jobs, and why nothing is of some.

use expect_test::expect;

use crate::stage::check;

#[test]
fn run_times_come_from_the_history_of_the_definition() {
    check(
        "
        host 1
        define sort
        submit a 10 definition=sort
        submit b 10 definition=sort
        submit c 30 definition=sort
        at +60
        submit x 10 definition=sort
        submit y 10 definition=sort
        submit z 10 definition=sort
        at +5
        forecast
        ",
        &expect![[r#"
            0    a placed
            0    a started
            10   a ended 0 Succeeded
            10   b placed
            10   b started
            20   b ended 0 Succeeded
            20   c placed
            20   c started
            50   c ended 0 Succeeded
            60   x placed
            60   x started
            forecast at 65:
                 y 70, 90; runs
                 z 80, 120; runs
        "#]],
    );
}

#[test]
fn what_has_run_for_long_is_compared_with_what_ran_as_long_and_is_then_overdue() {
    check(
        "
        host 1
        define sort
        submit a 10 definition=sort
        submit b 30 definition=sort
        at +50
        submit x endless definition=sort
        submit y 1
        at +15
        forecast
        at +25
        forecast
        ",
        &expect![[r#"
            0    a placed
            0    a started
            10   a ended 0 Succeeded
            10   b placed
            10   b started
            40   b ended 0 Succeeded
            50   x placed
            50   x started
            forecast at 65:
                 y 80, 80; runs
            forecast at 90:
                 y 100, 100; runs
        "#]],
    );
}

#[test]
fn timeouts_cap_and_stand_in_and_without_both_nothing_is_known() {
    check(
        "
        host 1
        define fresh
        submit a endless timeout=100 definition=fresh
        submit b 5 definition=fresh
        submit c 5 timeout=10
        submit d 5 after=c
        forecast
        ",
        &expect![[r#"
            0    a placed
            0    a started
            forecast at 0:
                 b 100, 100; timeouts
                 c unknown, for b
                 d unknown, for b
        "#]],
    );
}

#[test]
fn a_start_beside_something_endless_is_the_latest() {
    check(
        "
        host 2
        submit quick 5
        at +10
        define fresh
        submit a endless definition=fresh
        submit b endless timeout=20
        submit c 5
        forecast
        ",
        &expect![[r#"
            0    quick placed
            0    quick started
            5    quick ended 0 Succeeded
            10   a placed
            10   a started
            10   b placed
            10   b started
            forecast at 10:
                 c 15, 15; runs endless
        "#]],
    );
}

#[test]
fn arrays_have_a_first_and_a_last() {
    check(
        "
        host 2
        submit quick 10
        at +10
        submit array 10 array=6
        submit joined 10 after=array
        forecast array:3
        forecast starts=3 array:3
        ",
        &expect![[r#"
            0    quick placed
            0    quick started
            10   quick ended 0 Succeeded
            10   array:0 placed
            10   array:1 placed
            10   array:0 started
            10   array:1 started
            forecast at 10:
                 array 20, 20; runs; the last 30, 30; runs
                 joined 40, 40; runs
                 array:3 20, 20; runs
            forecast at 10:
                 array 20, 20; runs; the last 30, 30; runs
                 joined ≥30, ≥30;
                 array:3 20, 20; runs
        "#]],
    );
}

#[test]
fn what_fits_nowhere_never_starts_and_holds_up_what_is_behind() {
    check(
        "
        host 2
        submit a endless
        submit huge 1 vcpus=3
        submit b 1
        forecast
        ",
        &expect![[r#"
            0    a placed
            0    a started
            forecast at 0:
                 huge never
                 b never
        "#]],
    );
}
