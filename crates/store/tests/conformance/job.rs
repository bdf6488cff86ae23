//! Single jobs from submission to their end.

use std::sync::Arc;

use batchyard_core::change::StopKind;
use batchyard_core::command::Command;
use batchyard_core::id::JobKey;
use batchyard_core::resources::MilliVcpus;
use batchyard_core::retry::RetryStrategy;
use batchyard_core::time::Millis;
use batchyard_runtime::store::LaunchRow;
use expect_test::{Expect, expect};

use crate::fixture::{job_id, queue_name, submission};
use crate::list::with_quota_shares;
use crate::place::Place;
use crate::show;
use crate::world::World;

fn check(world: &mut World<'_>, key: JobKey, expected: Expect) {
    expected.assert_eq(&show::job(world.store(), key));
    world.elapse(Millis::from_seconds(1));
}

pub(crate) fn a_job_goes_from_submission_to_its_end(place: &dyn Place) {
    let mut world = World::new(place);
    let first = JobKey::whole(world.submit(submission(0)));
    let mut submit = submission(1);
    submit.dependencies = vec![world.depends_on(first, false)];
    let second = JobKey::whole(world.submit(submit));
    check(
        &mut world,
        first,
        expect![[r#"
            STARTING, created 0s
              1 in ce0, live"#]],
    );
    check(
        &mut world,
        second,
        expect![[r#"
            PENDING, created 0s
              waits for 1"#]],
    );
    world.started(first);
    check(
        &mut world,
        first,
        expect![[r#"
            RUNNING, created 0s, started 2s
              1 in ce0, live"#]],
    );
    world.exited(first, 0);
    check(
        &mut world,
        first,
        expect![[r#"
            SUCCEEDED, created 0s, started 2s, stopped 3s, exit 0, because Essential container in task exited
              1 in ce0, 2s to 3s: exit 0, -, Essential container in task exited"#]],
    );
    check(
        &mut world,
        second,
        expect![[r#"
            STARTING, created 0s
              1 in ce0, live"#]],
    );
    world.started(second);
    world.exited(second, 137);
    check(
        &mut world,
        second,
        expect![[r#"
            FAILED, created 0s, started 5s, stopped 5s, exit 137, OutOfMemoryError: Container killed due to memory usage, because Essential container in task exited
              1 in ce0, 5s to 5s: exit 137, OutOfMemoryError: Container killed due to memory usage, Essential container in task exited"#]],
    );
}

pub(crate) fn a_retried_job_shows_its_last_attempt(place: &dyn Place) {
    let mut world = World::new(place);
    let mut submit = submission(0);
    Arc::make_mut(&mut submit.profile).retry = RetryStrategy {
        attempts: 3,
        rules: Vec::new(),
    };
    let key = JobKey::whole(world.submit(submit));
    world.started(key);
    world.exited(key, 1);
    // The next attempt is about to start: what is shown is still the last one's.
    check(
        &mut world,
        key,
        expect![[r#"
            STARTING, created 0s, started 0s, exit 1, because Essential container in task exited
              1 in ce0, 0s to 0s: exit 1, -, Essential container in task exited
              2 in ce0, live"#]],
    );
    world.started(key);
    check(
        &mut world,
        key,
        expect![[r#"
            RUNNING, created 0s, started 1s
              1 in ce0, 0s to 0s: exit 1, -, Essential container in task exited
              2 in ce0, live"#]],
    );
    world.restart();
    world.exited(key, 0);
    check(
        &mut world,
        key,
        expect![[r#"
            SUCCEEDED, created 0s, started 1s, stopped 2s, exit 0, because Essential container in task exited
              1 in ce0, 0s to 0s: exit 1, -, Essential container in task exited
              2 in ce0, 1s to 2s: exit 0, -, Essential container in task exited"#]],
    );
}

pub(crate) fn a_job_that_gave_way_says_so_and_counts_it(place: &dyn Place) {
    let (mut world, ids) = with_quota_shares(place);
    // The latest of its share is the one to give way.
    let key = JobKey::whole(ids[2]);
    world.started(JobKey::whole(ids[0]));
    world.elapse(Millis::from_seconds(1));
    world.started(key);
    let urgent = Command::PrioritizeServiceJob {
        job: ids[3],
        priority: 9,
    };
    world.command(urgent).unwrap();
    world.commit();
    check(
        &mut world,
        key,
        expect![[r#"
        RUNNING, created 0s, started 1s, because PREEMPTION_IN_PROGRESS: In-share preemption triggered by a job of higher priority
          1 in service-environment/se, live"#]],
    );
    world.exited(key, 143);
    world.restart();
    check(
        &mut world,
        key,
        expect![[r#"
        RUNNABLE, created 0s, started 1s, exit 143, OutOfMemoryError: Container killed due to memory usage, because In-share preemption triggered by a job of higher priority
          1 in service-environment/se, 1s to 2s: exit 143, OutOfMemoryError: Container killed due to memory usage, In-share preemption triggered by a job of higher priority, preempted"#]],
    );
    let execution = world.state().execution(key).unwrap();
    assert_eq!((execution.attempts_ended, execution.preemptions), (1, 1));
}

pub(crate) fn a_service_job_is_scheduled_before_it_is_prepared(place: &dyn Place) {
    let (mut world, ids) = with_quota_shares(place);
    let key = JobKey::whole(ids[0]);
    let shown = |world: &mut World<'_>| {
        let row = world.store().jobs(&[key]).unwrap().remove(0);
        let is_scheduled = world
            .state()
            .execution(key)
            .unwrap()
            .attempt
            .as_ref()
            .map(|attempt| attempt.is_scheduled);
        let seconds = row
            .scheduled_at
            .map(|at| at.since(row.state.created_at).as_millis() / 1000);
        format!(
            "{} since {seconds:?}, {is_scheduled:?}",
            row.state.status.as_str()
        )
    };
    expect!["SCHEDULED since Some(0), Some(true)"].assert_eq(&shown(&mut world));
    world.restart();
    expect!["SCHEDULED since Some(0), Some(true)"].assert_eq(&shown(&mut world));
    world.preparing(key);
    expect!["STARTING since Some(0), Some(false)"].assert_eq(&shown(&mut world));
    world.restart();
    expect!["STARTING since Some(0), Some(false)"].assert_eq(&shown(&mut world));
    world.started(key);
    world.restart();
    expect!["RUNNING since Some(0), Some(false)"].assert_eq(&shown(&mut world));
}

pub(crate) fn stops_are_noted_where_they_were_asked_for(place: &dyn Place) {
    let mut world = World::new(place);
    let running = JobKey::whole(world.submit(submission(0)));
    world.started(running);
    let mut big = submission(1);
    Arc::make_mut(&mut big.profile).resources.vcpus = MilliVcpus(5_000);
    let runnable = JobKey::whole(world.submit(big));
    let mut after = submission(2);
    after.dependencies = vec![world.depends_on(runnable, false)];
    let dependent = JobKey::whole(world.submit(after));
    world.stop(running, StopKind::Cancel);
    world.stop(runnable, StopKind::Cancel);
    check(
        &mut world,
        running,
        expect![[r#"
            RUNNING, created 0s, started 0s, cancelled
              1 in ce0, live"#]],
    );
    check(
        &mut world,
        runnable,
        expect!["FAILED, created 0s, stopped 0s, because enough, cancelled"],
    );
    check(
        &mut world,
        dependent,
        expect!["FAILED, created 0s, stopped 0s, because Dependent Job failed"],
    );
    world.stop(running, StopKind::Terminate);
    world.restart();
    world.exited(running, 143);
    check(
        &mut world,
        running,
        expect![[r#"
            FAILED, created 0s, started 0s, stopped 3s, exit 143, OutOfMemoryError: Container killed due to memory usage, because enough, cancelled, terminated
              1 in ce0, 0s to 3s: exit 143, OutOfMemoryError: Container killed due to memory usage, enough"#]],
    );
}

pub(crate) fn jobs_come_in_the_order_asked_for(place: &dyn Place) {
    let mut world = World::new(place);
    let keys: Vec<JobKey> = (0..4)
        .map(|number| JobKey::whole(world.submit(submission(number))))
        .collect();
    let unknown = [JobKey::whole(job_id(9)), JobKey::child(keys[0].id, 0)];
    let asked = [keys[2], unknown[0], keys[0], keys[3], unknown[1], keys[0]];
    let rows = world.store().jobs(&asked).unwrap();
    let found: Vec<JobKey> = rows.iter().map(|row| row.key).collect();
    assert_eq!(found, [keys[2], keys[0], keys[3], keys[0]]);
}

pub(crate) fn a_launch_is_what_was_submitted(place: &dyn Place) {
    let mut world = World::new(place);
    let single = world.submit(submission(0));
    let mut array = submission(1);
    array.array_size = Some(7);
    let array = world.submit(array);
    let store = world.store();
    let row = |number: usize, array_size| LaunchRow {
        launch: submission(number).content.launch,
        queue: queue_name("q0"),
        array_size,
        nodes: None,
    };
    assert_eq!(store.launch(single).unwrap(), Some(row(0, None)));
    assert_eq!(store.launch(array).unwrap(), Some(row(1, Some(7))));
    assert_eq!(store.launch(job_id(2)).unwrap(), None);
}

pub(crate) fn the_journal_has_only_the_identifier_of_a_submission(place: &dyn Place) {
    let mut world = World::new(place);
    let key = JobKey::whole(world.submit(submission(0)));
    world.started(key);
    world.stop(key, StopKind::Terminate);
    world.commit();
    let journal = place.journal();
    // Before these: an environment, a queue, a definition.
    expect![[r#"
        {"command":{"submit_job":"00000000-0001-4000-8000-00009e3779b9"}}
        {"report":{"attempt":"00000000-0001-4000-8000-00009e3779b9/1","report":{"started":{"at":1000000}}}}
        {"command":{"stop_job":{"job":"00000000-0001-4000-8000-00009e3779b9","kind":"terminate","reason":"enough"}}}"#]]
    .assert_eq(&journal[3..].join("\n"));
}
