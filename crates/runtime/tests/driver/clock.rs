//! A clock that moves when a test says so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use batchyard_core::time::{Millis, Timestamp};
use batchyard_runtime::clock::Clock;
use batchyard_runtime::engine::BoxFuture;

use crate::moved::Moved;

pub(crate) struct ManualClock {
    now: Arc<Mutex<Timestamp>>,
    ticks: Moved,
    moved: Moved,
}

impl ManualClock {
    pub(crate) fn new(moved: Moved) -> Self {
        ManualClock {
            now: Arc::new(Mutex::new(Timestamp::from_millis(1_000_000))),
            ticks: Moved::new(),
            moved,
        }
    }

    /// Somebody sets the host's clock back. Who waits goes on waiting as long as before.
    pub(crate) fn set_back(&self, span: Millis) {
        let back = i64::try_from(span.as_millis()).unwrap();
        let mut now = self.now.lock().unwrap();
        *now = Timestamp::from_millis(now.as_millis() - back);
    }

    pub(crate) fn elapse(&self, span: Millis) {
        let mut now = self.now.lock().unwrap();
        *now = *now + span;
        drop(now);
        self.ticks.tell();
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        let until = self.now() + Millis::new(u64::try_from(span.as_millis()).unwrap());
        let now = Arc::clone(&self.now);
        let mut ticks = self.ticks.changes();
        // Who lets time pass until something happens has to know that somebody began to wait for it.
        self.moved.tell();
        Box::pin(async move {
            while *now.lock().unwrap() < until {
                ticks.moved().await;
            }
        })
    }
}
