//! Arrays and their children.

use std::time::{Duration, Instant};

use batchyard_core::change::StopKind;
use batchyard_core::command::Ended;
use batchyard_core::id::{JobId, JobKey};
use batchyard_core::job::JobStatus;
use batchyard_core::time::Millis;
use batchyard_runtime::store::{JobCursor, JobQuery, JobScope};
use expect_test::{Expect, expect};

use crate::fixture::submission;
use crate::place::Place;
use crate::show;
use crate::world::World;

fn submit(world: &mut World<'_>, number: usize, size: u32) -> JobId {
    let mut submit = submission(number);
    submit.array_size = Some(size);
    world.submit(submit)
}

/// The array, then its children.
fn check(world: &mut World<'_>, id: JobId, size: u32, expected: Expect) {
    let store = world.store();
    let keys = std::iter::once(JobKey::whole(id)).chain((0..size).map(|child| JobKey::child(id, child)));
    let shown: Vec<_> = keys.map(|key| show::job(store, key)).collect();
    expected.assert_eq(&shown.join("\n"));
}

pub(crate) fn children_have_rows_or_are_made_up(place: &dyn Place) {
    let mut world = World::new(place);
    // Five fit on the host.
    let id = submit(&mut world, 0, 9);
    for child in [0, 1, 2] {
        world.started(JobKey::child(id, child));
    }
    world.elapse(Millis::from_seconds(1));
    world.exited(JobKey::child(id, 0), 0);
    world.exited(JobKey::child(id, 1), 3);
    world.stop(JobKey::child(id, 7), StopKind::Cancel);
    check(
        &mut world,
        id,
        10,
        expect![[r#"
            PENDING, created 0s
              9: 0 pending, 1 runnable, 4 starting, 1 running, 1 succeeded, 2 failed
            SUCCEEDED, created 0s, started 0s, stopped 1s, exit 0, because Essential container in task exited
              1 in ce0, 0s to 1s: exit 0, -, Essential container in task exited
            FAILED, created 0s, started 0s, stopped 1s, exit 3, because Essential container in task exited
              1 in ce0, 0s to 1s: exit 3, -, Essential container in task exited
            RUNNING, created 0s, started 0s
              1 in ce0, live
            STARTING, created 0s
              1 in ce0, live
            STARTING, created 0s
              1 in ce0, live
            STARTING, created 0s
              1 in ce0, live
            STARTING, created 0s
              1 in ce0, live
            FAILED, created 0s, stopped 1s, because enough, cancelled
            RUNNABLE, created 0s
            unknown"#]],
    );
}

pub(crate) fn a_stopped_array_says_so_on_its_children(place: &dyn Place) {
    let mut world = World::new(place);
    let first = submit(&mut world, 0, 8);
    let mut waits = submission(1);
    waits.array_size = Some(8);
    waits.dependencies = vec![world.depends_on(JobKey::whole(first), true)];
    let second = world.submit(waits);
    world.started(JobKey::child(first, 0));
    // Child 0 of the second waits no more and is runnable; child 1 has failed for its dependency.
    world.exited(JobKey::child(first, 0), 0);
    world.exited(JobKey::child(first, 1), 1);
    world.stop(JobKey::whole(second), StopKind::Terminate);
    check(
        &mut world,
        second,
        3,
        expect![[r#"
        FAILED, created 0s, stopped 0s, because Array Child Job failed, terminated
          8: 0 pending, 0 runnable, 0 starting, 0 running, 0 succeeded, 8 failed
        FAILED, created 0s, stopped 0s, because enough, terminated
        FAILED, created 0s, stopped 0s, because Dependent Job failed
        FAILED, created 0s, stopped 0s, because enough, terminated"#]],
    );
    world.stop(JobKey::whole(first), StopKind::Cancel);
    check(
        &mut world,
        first,
        8,
        expect![[r#"
        PENDING, created 0s, cancelled
          8: 0 pending, 0 runnable, 5 starting, 0 running, 1 succeeded, 2 failed
        SUCCEEDED, created 0s, started 0s, stopped 0s, exit 0, because Essential container in task exited
          1 in ce0, 0s to 0s: exit 0, -, Essential container in task exited
        FAILED, created 0s, stopped 0s, exit 1, because Essential container in task exited
          1 in ce0, - to 0s: exit 1, -, Essential container in task exited
        STARTING, created 0s, cancelled
          1 in ce0, live
        STARTING, created 0s, cancelled
          1 in ce0, live
        STARTING, created 0s, cancelled
          1 in ce0, live
        STARTING, created 0s, cancelled
          1 in ce0, live
        STARTING, created 0s, cancelled
          1 in ce0, live
        FAILED, created 0s, stopped 0s, because enough, cancelled"#]],
    );
    world.restart();
    world.commit();
}

pub(crate) fn an_array_of_a_million_costs_next_to_nothing(place: &dyn Place) {
    const SIZE: u32 = 1_000_000;
    let mut world = World::large(place);
    let begun = Instant::now();
    let id = submit(&mut world, 0, SIZE);
    world.stop(JobKey::child(id, 500_000), StopKind::Cancel);
    let store = world.store();
    let page = |status, after| {
        let query = JobQuery {
            scope: JobScope::Array(id),
            status,
            filter: None,
            after: Some(JobCursor::Child(after)),
            limit: 3,
        };
        show::list(&store.list_jobs(&query).unwrap().rows)
    };
    expect!["499999 RUNNABLE, 500000 FAILED, 500001 RUNNABLE"].assert_eq(&page(None, 499_998));
    expect!["499999 RUNNABLE, 500001 RUNNABLE, 500002 RUNNABLE"]
        .assert_eq(&page(Some(JobStatus::Runnable), 499_998));
    expect!["500000 FAILED"].assert_eq(&page(Some(JobStatus::Failed), 3));
    expect!["999999 RUNNABLE"].assert_eq(&page(None, SIZE - 2));
    expect![""].assert_eq(&page(None, SIZE - 1));
    expect!["3 STARTING, 4 STARTING"].assert_eq(&page(Some(JobStatus::Starting), 2));
    let rows = store
        .jobs(&[JobKey::child(id, SIZE - 1), JobKey::child(id, SIZE)])
        .unwrap();
    assert_eq!(rows.len(), 1);
    let restored = store.load().unwrap();
    assert_eq!(restored.jobs.len(), 1);
    let spent = begun.elapsed();
    // A row per child would take seconds; this takes milliseconds, but the machine may be busy.
    assert!(spent < Duration::from_secs(2), "it took {spent:?}");
}

pub(crate) fn how_an_array_ended_is_known_child_by_child(place: &dyn Place) {
    let mut world = World::new(place);
    let id = submit(&mut world, 0, 3);
    let ended = |world: &mut World<'_>, child| {
        let key = JobKey { id, child };
        world.store().ended(key).unwrap()
    };
    world.exited(JobKey::child(id, 1), 0);
    let succeeded = Some(Ended {
        status: JobStatus::Succeeded,
        array: None,
    });
    assert_eq!(ended(&mut world, Some(1)), succeeded);
    assert_eq!(ended(&mut world, Some(0)), None);
    assert_eq!(ended(&mut world, None), None);
    world.exited(JobKey::child(id, 2), 0);
    world.exited(JobKey::child(id, 0), 1);
    let failed = Ended {
        status: JobStatus::Failed,
        array: None,
    };
    assert_eq!(ended(&mut world, Some(0)), Some(failed));
    assert_eq!(ended(&mut world, Some(3)), None);
    let whole = Ended {
        status: JobStatus::Failed,
        array: Some((3, [1, 2].into_iter().collect())),
    };
    assert_eq!(ended(&mut world, None), Some(whole));
}
