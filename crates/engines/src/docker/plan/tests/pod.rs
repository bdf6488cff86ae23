//! The same of pods, which are over when all their containers are.

use batchyard_core::launch::TaskEnd;
use expect_test::{Expect, expect};

use super::check_of;

fn check_pod(is_to_stop: bool, pod: &[(&str, &str)], expected: Expect) {
    check_of(TaskEnd::All, 3, is_to_stop, pod, expected);
}

#[test]
fn a_pod_is_over_when_all_its_containers_are() {
    check_pod(
        false,
        &[("a", "ended at 2 with 3"), ("b", "runs since 1")],
        expect![[r#"
        runs since 1
    "#]],
    );
    check_pod(
        false,
        &[
            ("a", "ended at 2 with 0"),
            ("b", "ended at 4 with 5"),
            ("c", "ended at 3 with 8"),
        ],
        expect![[r#"
            runs since 1
            ended at 4: Some(8) None
              a: Some(0) None true
              b: Some(5) None true
              c: Some(8) None true
        "#]],
    );
    check_pod(
        false,
        &[("a", "ended at 2 with 0"), ("b", "ended at 4 with 0")],
        expect![[r#"
        runs since 1
        ended at 4: Some(0) None
          a: Some(0) None true
          b: Some(0) None true
    "#]],
    );
    check_pod(
        true,
        &[("a", "ended at 2 with 0"), ("b", "runs since 1")],
        expect![[r#"
        stop b
    "#]],
    );
    check_pod(
        true,
        &[("a", "ended at 2 with 0"), ("b", "ended at 4 with 143")],
        expect![[r#"
        runs since 1
        ended at 4: Some(143) None
          a: Some(0) None true
          b: Some(143) None true
    "#]],
    );
    check_pod(
        false,
        &[("a", "runs since 1"), ("b", "refused")],
        expect![[r#"
        stop a
    "#]],
    );
}

#[test]
fn init_containers_come_first_and_must_succeed() {
    let with = |first, second, app, expected| {
        let pod = [
            ("one", first),
            ("two SUCCESS one", second),
            ("app SUCCESS two", app),
        ];
        check_pod(false, &pod, expected);
    };
    with(
        "made",
        "made",
        "made",
        expect![[r#"
        start one
    "#]],
    );
    with(
        "ended at 2 with 0",
        "made",
        "made",
        expect![[r#"
        start two
    "#]],
    );
    with(
        "ended at 2 with 0",
        "ended at 3 with 0",
        "made",
        expect![[r#"
        start app
    "#]],
    );
    with(
        "ended at 2 with 4",
        "made",
        "made",
        expect![[r#"
        runs since 1
        ended at 2: Some(4) None
          one: Some(4) None true
          two: None Some("ContainerDependencyError: container two depends on one, which did not succeed") false
          app: None Some("ContainerDependencyError: container app depends on two, which did not succeed") false
    "#]],
    );
    with(
        "ended at 2 with 0",
        "ended at 3 with 0",
        "ended at 4 with 0",
        expect![[r#"
        runs since 1
        ended at 4: Some(0) None
          one: Some(0) None true
          two: Some(0) None true
          app: Some(0) None true
    "#]],
    );
    check_pod(
        true,
        &[("one", "ended at 2 with 0"), ("app SUCCESS one", "made")],
        expect![[r#"
        not started: Stopped before the container was started
          one: Some(0) None true
          app: None Some("Stopped before the container was started") false
    "#]],
    );
}
