//! Engines tell at least once: facts that come twice, late, out of order, or of nothing that is known change nothing.

use std::sync::Arc;

use batchyard_core::id::{AttemptKey, JobKey};
use batchyard_core::report::Report;
use batchyard_core::time::Millis;

use crate::fixture::{job_id, registry, submission};
use crate::world::World;

#[tokio::test]
async fn facts_that_come_again_change_nothing() {
    let mut world = World::new().await;
    let id = world.submit(submission(0));
    world.answered(id).await.unwrap();
    let attempt = world.running(1).await[0];
    world.start_noted(id).await;
    let journal = world.disk.contents().journal.len();
    world.tell_facts(attempt).await;
    drained(&world).await;
    // What changed nothing is not in the journal either, but for the command that says that all before was read.
    assert_eq!(world.disk.contents().journal.len(), journal + 1);
    world.host.exit(attempt, 0);
    let facts = world.host.facts(attempt);
    for report in facts.iter().chain(facts.iter().rev()) {
        world.tell(attempt, report.clone()).await;
    }
    drained(&world).await;
    let journal = world.disk.contents().journal.len();
    for report in facts {
        world.tell(attempt, report).await;
    }
    drained(&world).await;
    assert_eq!(world.disk.contents().journal.len(), journal + 1);
    world.let_everything_end().await;
}

#[tokio::test]
async fn an_end_without_a_start_is_an_end() {
    let mut world = World::new().await;
    let id = world.submit(submission(0));
    world.answered(id).await.unwrap();
    let attempt = world.running(1).await[0];
    world.host.exit(attempt, 0);
    let exited = world.host.facts(attempt).pop().unwrap();
    world.tell(attempt, exited).await;
    world.ended(id).await;
    world.let_everything_end().await;
}

#[tokio::test]
async fn facts_of_unknown_attempts_are_dropped() {
    let mut world = World::new().await;
    let id = world.submit(submission(0));
    world.answered(id).await.unwrap();
    let attempt = world.running(1).await[0];
    let at = batchyard_core::time::Timestamp::from_millis(0);
    let unknown = [
        AttemptKey {
            job: JobKey::whole(job_id(99)),
            ..attempt
        },
        AttemptKey {
            job: JobKey::child(id, 5),
            ..attempt
        },
        AttemptKey {
            attempt: attempt.attempt + 1,
            ..attempt
        },
    ];
    drained(&world).await;
    let journal = world.disk.contents().journal.len();
    for attempt in unknown {
        world.tell(attempt, Report::Lost { at }).await;
    }
    drained(&world).await;
    assert_eq!(world.disk.contents().journal.len(), journal + 1);
    assert_eq!(world.host.running(), [attempt]);
    world.let_everything_end().await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_ends_no_job() {
    let mut world = World::new().await;
    // The driver has seen this time.
    drained(&world).await;
    world.clock.set_back(Millis::from_seconds(3_600));
    let mut submit = submission(0);
    Arc::make_mut(&mut submit.profile).timeout = Some(Millis::from_seconds(60));
    let id = world.submit(submit);
    world.start_noted(id).await;
    drained(&world).await;
    let stopping = |world: &World| {
        let contents = world.disk.contents();
        let execution = contents.state.execution(JobKey::whole(id)).unwrap();
        execution.attempt.as_ref().unwrap().stopping.is_some()
    };
    assert!(!stopping(&world));
    world.let_everything_end().await;
}

/// Resolves when all that was told before is read and durable: reports go first, and a command is durable after them.
async fn drained(world: &World) {
    let [_, _, register] = registry();
    world.command(register).await.unwrap();
}
