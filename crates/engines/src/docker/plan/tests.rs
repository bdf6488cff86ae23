//! What follows from how the containers of a task stand.
//!
//! Long because every way that a task can go is shown.

use batchyard_core::launch::ContainerDependency;
use batchyard_core::time::Millis;
use expect_test::{Expect, expect};

use super::*;

mod pod;

/// Seconds since the containers were made.
fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

/// `side? START db within 5`: a name, with a question mark where it is not essential, and an exclamation mark where it is a host; conditions with names; a start timeout.
fn member(text: &str) -> Member {
    let mut words = text.split(' ');
    let name = words.next().unwrap();
    let (mut depends_on, mut start_timeout) = (Vec::new(), None);
    while let (Some(word), Some(value)) = (words.next(), words.next()) {
        let condition = match word {
            "START" => ContainerCondition::Start,
            "COMPLETE" => ContainerCondition::Complete,
            "SUCCESS" => ContainerCondition::Success,
            "within" => {
                start_timeout = Some(Millis::from_seconds(value.parse().unwrap()));
                continue;
            }
            _ => panic!("{word}"),
        };
        let on = value.to_owned();
        depends_on.push(ContainerDependency { on, condition });
    }
    Member {
        index: 0,
        count: 0,
        name: name.trim_end_matches(['?', '!']).to_owned(),
        is_essential: !name.ends_with('?'),
        is_host: name.ends_with('!'),
        depends_on,
        start_timeout,
        stop_timeout: Millis::from_seconds(30),
        end: TaskEnd::FirstEssential,
    }
}

/// `made`, `refused`, `runs since 1`, `ended at 5 with 0` or `... with memory`.
fn stand(text: &str) -> Stand {
    match *text.split(' ').collect::<Vec<_>>().as_slice() {
        ["made"] => Stand::Made,
        ["refused"] => Stand::Refused("no such program".to_owned()),
        ["runs", "since", second] => Stand::Running {
            started_at: at(second.parse().unwrap()),
        },
        ["ended", "at", second, "with", code] => Stand::Exited(Exit {
            started_at: at(1),
            finished_at: at(second.parse().unwrap()),
            exit_code: Some(code.parse().unwrap_or(137)),
            is_out_of_memory: code == "memory",
            failure: (code == "7").then(|| "what the program wrote".to_owned()),
        }),
        _ => panic!("{text}"),
    }
}

fn shown(plan: Plan, members: &[Member]) -> String {
    let Plan {
        started_at,
        start,
        stop,
        wake_at,
        end,
    } = plan;
    let names = |indexes: &[usize]| -> String {
        let names = indexes.iter().map(|index| members[*index].name.as_str());
        names.collect::<Vec<_>>().join(" ")
    };
    let second = |at: Timestamp| at.as_millis() / 1000;
    let mut lines = Vec::new();
    lines.extend(started_at.map(|at| format!("runs since {}", second(at))));
    lines.extend((!start.is_empty()).then(|| format!("start {}", names(&start))));
    lines.extend((!stop.is_empty()).then(|| format!("stop {}", names(&stop))));
    lines.extend(wake_at.map(|at| format!("look again at {}", second(at))));
    let ends = match end {
        Some(Report::Exited {
            at,
            exit_code,
            reason,
            containers,
        }) => {
            lines.push(format!("ended at {}: {exit_code:?} {reason:?}", second(at)));
            containers
        }
        Some(Report::NotStarted {
            reason, containers, ..
        }) => {
            lines.push(format!("not started: {reason}"));
            containers
        }
        Some(Report::Preparing | Report::Started { .. } | Report::Lost { .. }) => panic!("no plan says so"),
        None => Vec::new(),
    };
    for ContainerEnd {
        name,
        exit_code,
        reason,
        has_started,
    } in ends
    {
        lines.push(format!("  {name}: {exit_code:?} {reason:?} {has_started}"));
    }
    if lines.is_empty() {
        lines.push("wait".to_owned());
    }
    lines.join("\n") + "\n"
}

fn check_at(now: i64, is_to_stop: bool, task: &[(&str, &str)], expected: Expect) {
    check_of(TaskEnd::FirstEssential, now, is_to_stop, task, expected);
}

fn check_of(end: TaskEnd, now: i64, is_to_stop: bool, task: &[(&str, &str)], expected: Expect) {
    let members = task.iter().map(|(text, _)| Member { end, ..member(text) });
    let members: Vec<Member> = members.collect();
    let stands: Vec<Stand> = task.iter().map(|(_, text)| stand(text)).collect();
    let plan = plan(View {
        members: &members,
        stands: &stands,
        made_at: at(0),
        now: at(now),
        is_to_stop,
    });
    expected.assert_eq(&shown(plan, &members));
}

fn check(task: &[(&str, &str)], expected: Expect) {
    check_at(3, false, task, expected);
}

#[test]
fn containers_without_dependencies_start_together() {
    check(
        &[("a", "made"), ("b", "made")],
        expect![[r#"
        start a b
    "#]],
    );
    check(
        &[("a", "runs since 1"), ("b", "runs since 2")],
        expect![[r#"
        runs since 2
    "#]],
    );
}

#[test]
fn conditions_are_waited_for() {
    check(
        &[("db", "made"), ("app START db", "made")],
        expect![[r#"
        start db
    "#]],
    );
    check(
        &[("db", "runs since 1"), ("app START db", "made")],
        expect![[r#"
        start app
    "#]],
    );
    check(
        &[("init?", "runs since 1"), ("app COMPLETE init", "made")],
        expect![[r#"
            wait
        "#]],
    );
    check(
        &[("init?", "ended at 2 with 3"), ("app COMPLETE init", "made")],
        expect![[r#"
            start app
        "#]],
    );
    check(
        &[("init?", "ended at 2 with 0"), ("app SUCCESS init", "made")],
        expect![[r#"
            start app
        "#]],
    );
    check(
        &[
            ("one?", "ended at 2 with 0"),
            ("two?", "runs since 1"),
            ("app SUCCESS one COMPLETE two", "made"),
        ],
        expect![[r#"
            wait
        "#]],
    );
}

#[test]
fn a_task_does_not_start_when_an_essential_container_waits_in_vain() {
    check(
        &[("init?", "ended at 2 with 3"), ("app SUCCESS init", "made")],
        expect![[r#"
            not started: ContainerDependencyError: container app depends on init, which did not succeed
              init: Some(3) None true
              app: None Some("ContainerDependencyError: container app depends on init, which did not succeed") false
        "#]],
    );
    // What runs is stopped first.
    check(
        &[
            ("db", "runs since 1"),
            ("init?", "ended at 2 with 3"),
            ("app SUCCESS init", "made"),
        ],
        expect![[r#"
            stop db
        "#]],
    );
    check(
        &[
            ("db", "ended at 4 with 143"),
            ("init?", "ended at 2 with 3"),
            ("app SUCCESS init", "made"),
        ],
        expect![[r#"
            not started: ContainerDependencyError: container app depends on init, which did not succeed
              db: Some(143) None true
              init: Some(3) None true
              app: None Some("ContainerDependencyError: container app depends on init, which did not succeed") false
        "#]],
    );
    // Through another container, too.
    check(
        &[
            ("init?", "ended at 2 with 3"),
            ("middle? SUCCESS init", "made"),
            ("app START middle", "made"),
        ],
        expect![[r#"
            not started: ContainerDependencyError: container app depends on middle, which did not succeed
              init: Some(3) None true
              middle: None Some("ContainerDependencyError: container middle depends on init, which did not succeed") false
              app: None Some("ContainerDependencyError: container app depends on middle, which did not succeed") false
        "#]],
    );
}

#[test]
fn a_container_that_is_not_essential_may_wait_in_vain() {
    check(
        &[
            ("init?", "ended at 2 with 3"),
            ("side? SUCCESS init", "made"),
            ("app", "runs since 1"),
        ],
        expect![[r#"
            runs since 1
        "#]],
    );
    check(
        &[
            ("init?", "ended at 2 with 3"),
            ("side? SUCCESS init", "made"),
            ("app", "ended at 5 with 0"),
        ],
        expect![[r#"
            runs since 1
            ended at 5: Some(0) None
              init: Some(3) None true
              side: None Some("ContainerDependencyError: container side depends on init, which did not succeed") false
              app: Some(0) None true
        "#]],
    );
    check(
        &[("side?", "refused"), ("app", "runs since 1")],
        expect![[r#"
        runs since 1
    "#]],
    );
}

#[test]
fn a_program_that_cannot_be_started_ends_the_task_where_it_is_essential() {
    check(
        &[("side?", "runs since 1"), ("app", "refused")],
        expect![[r#"
        stop side
    "#]],
    );
    check(
        &[("side?", "ended at 2 with 143"), ("app", "refused")],
        expect![[r#"
            not started: CannotStartContainerError: Error response from daemon: no such program
              side: Some(143) None true
              app: None Some("CannotStartContainerError: Error response from daemon: no such program") false
        "#]],
    );
}

#[test]
fn start_timeouts_count_from_when_all_was_made() {
    let task = [("init?", "runs since 1"), ("app SUCCESS init within 5", "made")];
    check_at(
        3,
        false,
        &task,
        expect![[r#"
        look again at 5
    "#]],
    );
    check_at(
        5,
        false,
        &task,
        expect![[r#"
        stop init
    "#]],
    );
    let task = [
        ("init?", "ended at 6 with 137"),
        ("app SUCCESS init within 5", "made"),
    ];
    check_at(
        7,
        false,
        &task,
        expect![[r#"
            not started: ContainerDependencyError: container app waited for init longer than its startTimeout
              init: Some(137) None true
              app: None Some("ContainerDependencyError: container app waited for init longer than its startTimeout") false
        "#]],
    );
    // Nobody looked in time, and it was in time.
    let task = [
        ("init?", "ended at 4 with 0"),
        ("app SUCCESS init within 5", "made"),
    ];
    check_at(
        9,
        false,
        &task,
        expect![[r#"
        start app
    "#]],
    );
    // Nobody looked in time, and it was not in time.
    let task = [
        ("init?", "ended at 6 with 0"),
        ("app SUCCESS init within 5", "made"),
    ];
    check_at(
        9,
        false,
        &task,
        expect![[r#"
            not started: ContainerDependencyError: container app waited for init longer than its startTimeout
              init: Some(0) None true
              app: None Some("ContainerDependencyError: container app waited for init longer than its startTimeout") false
        "#]],
    );
}

#[test]
fn the_end_of_an_essential_container_ends_the_task() {
    check(
        &[("app", "ended at 5 with 0"), ("side?", "runs since 1")],
        expect![[r#"
            runs since 1
            stop side
        "#]],
    );
    check(
        &[("app", "ended at 5 with 0"), ("side?", "ended at 6 with 143")],
        expect![[r#"
            runs since 1
            ended at 6: Some(0) None
              app: Some(0) None true
              side: Some(143) None true
        "#]],
    );
    check(
        &[("app", "runs since 1"), ("side?", "ended at 2 with 9")],
        expect![[r#"
            runs since 1
        "#]],
    );
    // Whatever was to come does not start any more.
    check(
        &[("app", "ended at 5 with 0"), ("late? COMPLETE app", "made")],
        expect![[r#"
            runs since 1
            ended at 5: Some(0) None
              app: Some(0) None true
              late: None Some("Stopped before the container was started") false
        "#]],
    );
}

#[test]
fn every_essential_container_must_succeed() {
    check(
        &[("a", "ended at 5 with 0"), ("b", "ended at 6 with 143")],
        expect![[r#"
            runs since 1
            ended at 6: Some(143) None
              a: Some(0) None true
              b: Some(143) None true
        "#]],
    );
    check(
        &[("a", "ended at 7 with 2"), ("b", "ended at 6 with memory")],
        expect![[r#"
            runs since 1
            ended at 7: Some(137) Some("OutOfMemoryError: Container killed due to memory usage")
              a: Some(2) None true
              b: Some(137) Some("OutOfMemoryError: Container killed due to memory usage") true
        "#]],
    );
    check(
        &[
            ("a", "ended at 5 with 0"),
            ("slow?", "ended at 6 with 0"),
            ("b SUCCESS slow", "made"),
        ],
        expect![[r#"
            runs since 1
            ended at 6: None Some("essential container b had not started when its task ended")
              a: Some(0) None true
              slow: Some(0) None true
              b: None Some("Stopped before the container was started") false
        "#]],
    );
}

#[test]
fn a_stop_stops_all() {
    let task = [("init?", "runs since 1"), ("app SUCCESS init", "made")];
    check_at(
        3,
        true,
        &task,
        expect![[r#"
        stop init
    "#]],
    );
    let task = [("init?", "ended at 4 with 143"), ("app SUCCESS init", "made")];
    check_at(
        5,
        true,
        &task,
        expect![[r#"
            not started: Stopped before the container was started
              init: Some(143) None true
              app: None Some("ContainerDependencyError: container app depends on init, which did not succeed") false
        "#]],
    );
    let task = [("a", "ended at 4 with 143"), ("b", "ended at 5 with 0")];
    check_at(
        5,
        true,
        &task,
        expect![[r#"
        runs since 1
        ended at 5: Some(143) None
          a: Some(143) None true
          b: Some(0) None true
    "#]],
    );
    check_at(
        3,
        true,
        &[("a", "made")],
        expect![[r#"
        not started: Stopped before the container was started
          a: None Some("Stopped before the container was started") false
    "#]],
    );
}

#[test]
fn hosts_wait_for_each_other_and_fail_together() {
    let hosts = |one, other| [("algo-1!", one), ("algo-2!", other)];
    check(
        &hosts("made", "made"),
        expect![[r#"
        start algo-1 algo-2
    "#]],
    );
    check(
        &hosts("ended at 2 with 0", "runs since 1"),
        expect![[r#"
        runs since 1
    "#]],
    );
    check(
        &hosts("ended at 2 with 0", "ended at 5 with 0"),
        expect![[r#"
        runs since 1
        ended at 5: Some(0) None
          algo-1: Some(0) None true
          algo-2: Some(0) None true
    "#]],
    );
    // One that fails takes the others with it, and is the one that is told of.
    check(
        &hosts("runs since 1", "ended at 3 with 7"),
        expect![[r#"
        runs since 1
        stop algo-1
    "#]],
    );
    check(
        &hosts("ended at 4 with 143", "ended at 3 with 7"),
        expect![[r#"
        runs since 1
        ended at 4: Some(7) Some("what the program wrote")
          algo-1: Some(143) None true
          algo-2: Some(7) Some("what the program wrote") true
    "#]],
    );
    check(
        &hosts("ended at 2 with 0", "ended at 3 with 7"),
        expect![[r#"
        runs since 1
        ended at 3: Some(7) Some("what the program wrote")
          algo-1: Some(0) None true
          algo-2: Some(7) Some("what the program wrote") true
    "#]],
    );
    // Also before all have started.
    check(
        &hosts("ended at 2 with 7", "made"),
        expect![[r#"
        runs since 1
        ended at 2: Some(7) Some("what the program wrote")
          algo-1: Some(7) Some("what the program wrote") true
          algo-2: None Some("Stopped before the container was started") false
    "#]],
    );
    check(
        &hosts("refused", "runs since 1"),
        expect![[r#"
        stop algo-2
    "#]],
    );
}
