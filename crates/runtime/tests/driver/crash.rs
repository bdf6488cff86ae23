//! A server is killed, and the next one goes on from what was committed.

use batchyard_core::command::Command;
use batchyard_core::id::JobKey;
use batchyard_core::job::JobStatus;

use crate::disk::Hold;
use crate::fixture::submission;
use crate::world::World;

#[tokio::test]
async fn a_batch_that_was_not_written_never_was() {
    let mut world = World::new().await;
    world.disk.hold(Hold::Before);
    let id = world.submit(submission(0));
    world.commit_held().await;
    world.crash().await;
    world.disk.hold(Hold::None);
    world.start().await;
    world.let_everything_end().await;
    assert!(!world.disk.contents().ended.contains_key(&JobKey::whole(id)));
}

#[tokio::test]
async fn a_job_whose_launch_never_left_is_launched_by_the_next_server() {
    let mut world = World::new().await;
    world.disk.hold(Hold::After);
    let id = world.submit(submission(0));
    world.placement_held().await;
    assert_eq!(world.host.running(), []);
    world.crash().await;
    world.disk.hold(Hold::None);
    world.start().await;
    assert_eq!(world.running(1).await[0].job, JobKey::whole(id));
    world.let_everything_end().await;
}

#[tokio::test]
async fn a_program_that_ended_while_no_server_ran_is_found() {
    let mut world = World::new().await;
    let id = world.submit(submission(0));
    world.answered(id).await.unwrap();
    let running = world.running(1).await;
    world.crash().await;
    world.host.exit(running[0], 7);
    world.start().await;
    world.ended(id).await;
    let ended = world.disk.contents().ended[&JobKey::whole(id)].clone();
    assert_eq!(ended.status, JobStatus::Failed);
    world.let_everything_end().await;
}

#[tokio::test]
async fn a_stop_that_never_left_is_asked_for_again() {
    let mut world = World::new().await;
    let id = world.submit(submission(0));
    world.answered(id).await.unwrap();
    world.start_noted(id).await;
    world.disk.hold(Hold::After);
    world.terminate(JobKey::whole(id));
    let disk = world.disk.clone();
    world
        .moved
        .until("the stop is written", || {
            let contents = disk.contents();
            let execution = contents.state.execution(JobKey::whole(id)).unwrap();
            execution.attempt.as_ref().unwrap().stopping.is_some()
        })
        .await;
    world.crash().await;
    world.disk.hold(Hold::None);
    world.start().await;
    world.ended(id).await;
    world.let_everything_end().await;
}

#[tokio::test]
async fn a_program_that_went_away_with_its_host_is_lost_and_its_job_ends() {
    let mut world = World::new().await;
    let id = world.submit(submission(0));
    world.answered(id).await.unwrap();
    let running = world.running(1).await;
    world.start_noted(id).await;
    world.crash().await;
    let _lost = world.host.lose();
    world.start().await;
    world.ended(id).await;
    assert!(world.disk.contents().attempts_ended.contains(&running[0]));
    world.let_everything_end().await;
}

#[tokio::test]
async fn orders_wait_until_the_engine_has_looked() {
    let mut world = World::new().await;
    world.crash().await;
    world.host.processes().recoveries_refused = 2;
    world.start().await;
    let id = world.submit(submission(0));
    world.answered(id).await.unwrap();
    let host = world.host.clone();
    // The first server looked once too.
    for looks in 2..4 {
        world
            .moved
            .until("the engine is asked to look", || {
                host.processes().recoveries == looks
            })
            .await;
        assert_eq!(world.host.running(), []);
        world.elapse_until(|| host.processes().recoveries > looks).await;
    }
    world.running(1).await;
    world.let_everything_end().await;
}

#[tokio::test]
async fn a_job_whose_launch_cannot_be_read_fails_and_says_so() {
    let mut world = World::new().await;
    world.disk.hold(Hold::After);
    let id = world.submit(submission(0));
    world.placement_held().await;
    world.crash().await;
    world.disk.hold(Hold::None);
    world.disk.damage_launches(true);
    world.start().await;
    world.ended(id).await;
    let key = JobKey::whole(id);
    assert_eq!(world.disk.contents().ended[&key].status, JobStatus::Failed);
    // The others go on.
    world.disk.damage_launches(false);
    let other = world.submit(submission(1));
    world.answered(other).await.unwrap();
    world.running(1).await;
    world.let_everything_end().await;
}

#[tokio::test]
async fn a_queue_that_was_being_deleted_goes_on_being_deleted() {
    let mut world = World::new().await;
    let id = world.submit(submission(0));
    world.answered(id).await.unwrap();
    world.running(1).await;
    let mut put = match crate::fixture::registry() {
        [_, Command::CreateQueue(put), _] => put,
        _ => panic!("the second creates the queue"),
    };
    put.switch = batchyard_core::environment::Switch::Disabled;
    let version = 1;
    world
        .command(Command::UpdateQueue {
            put: put.clone(),
            version,
        })
        .await
        .unwrap();
    world.disk.hold(Hold::After);
    let handle = world.handle();
    let name = put.name.clone();
    tokio::spawn(async move { handle.command("root".into(), Command::DeleteQueue(name)).await });
    let disk = world.disk.clone();
    world.commit_held().await;
    world.crash().await;
    world.disk.hold(Hold::None);
    world.start().await;
    world.ended(id).await;
    world
        .moved
        .until("the queue is gone", || {
            disk.contents().state.queues().next().is_none()
        })
        .await;
    world.let_everything_end().await;
}
