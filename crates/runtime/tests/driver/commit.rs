//! Commit, then act: nothing leaves the driver before it is durable, and nothing at all of what is not.

use std::sync::Arc;

use batchyard_core::command::{Command, DependsOn};
use batchyard_core::id::JobKey;
use batchyard_core::time::Millis;
use batchyard_runtime::driver::CommandError;

use crate::disk::Hold;
use crate::fixture::{SLOTS, registry, submission};
use crate::world::World;

fn no_space() -> CommandError {
    CommandError::Unavailable(Arc::from("no space left on the disk of the server's data folder"))
}

#[tokio::test]
async fn answers_and_launches_leave_after_the_commit() {
    let mut world = World::new().await;
    world.disk.hold(Hold::After);
    let id = world.submit(submission(0));
    let disk = world.disk.clone();
    world
        .moved
        .until("the commit is written", || {
            disk.contents().held == 1 && disk.contents().state.job(id).is_some()
        })
        .await;
    // The driver has nothing to do but to wait: a read passes it, and still nothing has left.
    world.handle().read(|_| ()).await.unwrap();
    assert_eq!(world.answer(id), None);
    assert_eq!(world.host.running(), []);
    world.disk.hold(Hold::None);
    world.answered(id).await.unwrap();
    world.running(1).await;
    world.let_everything_end().await;
}

#[tokio::test]
async fn a_full_disk_refuses_what_waited_and_what_comes_and_keeps_the_rest() {
    let mut world = World::new().await;
    let before = world.submit(submission(0));
    world.answered(before).await.unwrap();
    let running = world.running(1).await;

    world.disk.fill(true);
    world.disk.hold(Hold::Before);
    let in_flight = world.submit(submission(1));
    let disk = world.disk.clone();
    world.commit_held().await;
    let behind = world.submit(submission(2));
    world.handle().read(|_| ()).await.unwrap();
    world.disk.hold(Hold::None);
    assert_eq!(world.answered(in_flight).await, Err(no_space()));
    assert_eq!(world.answered(behind).await, Err(no_space()));
    let later = world.submit(submission(3));
    assert_eq!(world.answered(later).await, Err(no_space()));
    // Who reads is told that there is no answer now, instead of one that may be undone.
    assert!(world.handle().read(|_| ()).await.is_err());
    // The job that ran goes on, and ends while nobody can note it.
    world.exit(running[0], 0).await;

    world.disk.fill(false);
    let key = JobKey::whole(before);
    world
        .elapse_until(|| disk.contents().ended.contains_key(&key))
        .await;
    let after = world.submit(submission(4));
    world.answered(after).await.unwrap();
    world.let_everything_end().await;
}

#[tokio::test]
async fn a_fact_whose_commit_fails_is_told_again() {
    let mut world = World::new().await;
    let id = world.submit(submission(0));
    world.start_noted(id).await;
    let running = world.running(1).await;
    world.disk.fill(true);
    world.disk.hold(Hold::Before);
    world.exit(running[0], 0).await;
    let disk = world.disk.clone();
    world.commit_held().await;
    world.disk.hold(Hold::None);
    world
        .moved
        .until("it has failed", || disk.contents().held == 0)
        .await;
    world.disk.fill(false);
    let key = JobKey::whole(id);
    world
        .elapse_until(|| disk.contents().ended.contains_key(&key))
        .await;
    world.let_everything_end().await;
}

#[tokio::test]
async fn a_store_that_stays_full_is_asked_again_until_it_is_not() {
    let mut world = World::new().await;
    world.disk.fill(true);
    let refused = world.submit(submission(0));
    assert_eq!(world.answered(refused).await, Err(no_space()));
    for number in 1..4 {
        world.clock.elapse(Millis::from_seconds(1));
        let again = world.submit(submission(number));
        assert_eq!(world.answered(again).await, Err(no_space()));
    }
    world.let_everything_end().await;
    let id = world.submit(submission(4));
    world.answered(id).await.unwrap();
    world.let_everything_end().await;
}

#[tokio::test]
async fn a_refused_command_leaves_no_trace() {
    let mut world = World::new().await;
    let journal = world.disk.contents().journal.len();
    let [create, ..] = registry();
    assert!(matches!(
        world.command(create).await,
        Err(CommandError::Rejected(_))
    ));
    assert_eq!(world.disk.contents().journal.len(), journal);
    world.let_everything_end().await;
}

#[tokio::test]
async fn a_dependency_that_ended_in_a_batch_on_its_way_is_known() {
    let mut world = World::new().await;
    let first = world.submit(submission(0));
    world.answered(first).await.unwrap();
    let running = world.running(1).await;
    world.disk.hold(Hold::Before);
    world.exit(running[0], 0).await;
    world.commit_held().await;
    let mut second = submission(1);
    second.dependencies.push(DependsOn {
        on: JobKey::whole(first),
        is_pairing: false,
        ended: None,
    });
    let id = world.submit(second);
    world.handle().read(|_| ()).await.unwrap();
    world.disk.hold(Hold::None);
    world.answered(id).await.unwrap();
    world.running(1).await;
    world.let_everything_end().await;
}

#[tokio::test]
async fn stopping_waits_for_what_was_accepted() {
    let mut world = World::new().await;
    world.disk.hold(Hold::Before);
    let ids: Vec<_> = (0..SLOTS)
        .map(|number| world.submit(submission(number)))
        .collect();
    world.commit_held().await;
    let handle = world.handle();
    let stop = tokio::spawn(async move { handle.stop().await });
    world.disk.hold(Hold::None);
    stop.await.unwrap();
    for id in ids {
        // Those that were in the queue before the stop are done; none of them is left without an answer.
        world.answered(id).await.unwrap();
    }
    let refused = world.command(Command::DeleteQueue(submission(0).queue)).await;
    assert_eq!(refused, Err(CommandError::Stopping));
    world.crash().await;
    world.let_everything_end().await;
}

#[tokio::test]
async fn a_driver_that_nobody_can_reach_any_more_ends_though_its_store_is_full() {
    let mut world = World::new().await;
    world.disk.fill(true);
    let refused = world.submit(submission(0));
    assert_eq!(world.answered(refused).await, Err(no_space()));
    world.let_go().await;
    world.let_everything_end().await;
}
