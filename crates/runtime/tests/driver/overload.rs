//! More than the store can take: what waits is bounded, what is too much is refused at once, what was accepted is done.

use batchyard_runtime::driver::{COMMANDS_WAITING_MAX, CommandError};

use crate::disk::Hold;
use crate::fixture::submission;
use crate::world::World;

/// More than a batch and the queue together may hold.
const SUBMISSIONS: usize = 40_000;

#[tokio::test]
async fn what_is_too_much_is_refused_and_the_rest_is_done() {
    let mut world = World::new().await;
    world.disk.hold(Hold::Before);
    let mut ids = Vec::new();
    for number in 0..SUBMISSIONS {
        ids.push(world.submit(submission(number)));
        if number % 256 == 0 {
            // Lets clients and driver run, as they would beside each other.
            tokio::task::yield_now().await;
        }
    }
    let is_refused = |world: &World, id| world.answer(id) == Some(Err(CommandError::Overloaded));
    let last = ids[SUBMISSIONS - 1];
    assert_eq!(world.answered(last).await, Err(CommandError::Overloaded));
    world.disk.hold(Hold::None);
    for id in &ids {
        let answer = world.answered(*id).await;
        assert!(
            answer.is_ok() || answer == Err(CommandError::Overloaded),
            "{answer:?}"
        );
    }
    let accepted = ids.iter().filter(|id| !is_refused(&world, **id)).count();
    // The batch in flight, the next, and the queue: each submission makes at least two changes.
    assert!(accepted >= COMMANDS_WAITING_MAX, "only {accepted} were accepted");
    assert!(accepted <= SUBMISSIONS / 2, "{accepted} were accepted");
    let changes_max = world.disk.contents().changes_max;
    assert!(changes_max < 20_000, "a batch of {changes_max} changes");
    world.check();
    world.crash().await;
}
