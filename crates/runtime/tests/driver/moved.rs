//! How tests wait: for a fact, looked at again whenever anything moved. Nothing here waits for time.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

/// Turns of all tasks in which nothing moves while a test waits: no more is coming then, as nothing here waits for time or threads.
const PATIENCE: u32 = 20_000;

/// Told whenever something happened that a test may wait for. Who waits is woken in the order of waiting, always: tokio's `watch` wakes in
/// an order by chance.
#[derive(Clone, Default)]
pub(crate) struct Moved(Arc<Mutex<Moves>>);

#[derive(Default)]
struct Moves {
    count: u64,
    waiting: Vec<Waker>,
}

impl Moved {
    pub(crate) fn new() -> Self {
        Moved::default()
    }

    pub(crate) fn tell(&self) {
        let mut moves = self.0.lock().unwrap();
        moves.count += 1;
        let waiting = std::mem::take(&mut moves.waiting);
        drop(moves);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// What moves from now on.
    pub(crate) fn changes(&self) -> Changes {
        Changes {
            moved: self.clone(),
            seen: self.count(),
        }
    }

    fn count(&self) -> u64 {
        self.0.lock().unwrap().count
    }

    /// Resolves once this holds.
    ///
    /// # Panics
    /// If it does not, and nothing moves any more; `what` says which fact is missing.
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let mut changes = self.changes();
        while !holds() {
            changes.next(what).await;
        }
    }
}

/// A place in the sequence of moves.
pub(crate) struct Changes {
    moved: Moved,
    seen: u64,
}

impl Changes {
    /// Resolves when something has moved since the last call, however long that takes.
    pub(crate) async fn moved(&mut self) {
        let Changes { moved, seen } = self;
        *seen = poll_fn(|context| {
            let mut moves = moved.0.lock().unwrap();
            if moves.count > *seen {
                return Poll::Ready(moves.count);
            }
            moves.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Resolves when something has moved since the last call.
    ///
    /// # Panics
    /// If nothing does any more.
    pub(crate) async fn next(&mut self, what: &str) {
        assert!(self.within(PATIENCE).await, "it never happened that {what}");
    }

    /// Whether something moves since the last call and within so many turns.
    pub(crate) async fn within(&mut self, turns: u32) -> bool {
        for _ in 0..turns {
            let count = self.moved.count();
            if count > self.seen {
                self.seen = count;
                return true;
            }
            tokio::task::yield_now().await;
        }
        false
    }
}
