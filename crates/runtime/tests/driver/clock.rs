//! A clock that moves when a test says so.

use std::sync::Arc;
use std::time::Duration;

use batchyard_core::time::{Millis, Timestamp};
use batchyard_runtime::clock::Clock;
use batchyard_runtime::engine::BoxFuture;
use tokio::sync::watch;

use crate::moved::Moved;

pub(crate) struct ManualClock {
    now: Arc<watch::Sender<Timestamp>>,
    moved: Moved,
}

impl ManualClock {
    pub(crate) fn new(moved: Moved) -> Self {
        let start = Timestamp::from_millis(1_000_000);
        ManualClock {
            now: Arc::new(watch::Sender::new(start)),
            moved,
        }
    }

    /// Somebody sets the host's clock back. Who waits goes on waiting as long as before.
    pub(crate) fn set_back(&self, span: Millis) {
        self.now.send_modify(|now| {
            let back = i64::try_from(span.as_millis()).unwrap();
            *now = Timestamp::from_millis(now.as_millis() - back);
        });
    }

    pub(crate) fn elapse(&self, span: Millis) {
        self.now.send_modify(|now| *now = *now + span);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        let until = self.now() + Millis::new(u64::try_from(span.as_millis()).unwrap());
        let mut now = self.now.subscribe();
        // Who lets time pass until something happens has to know that somebody began to wait for it.
        self.moved.tell();
        Box::pin(async move {
            let _clock_is_gone = now.wait_for(|now| *now >= until).await;
        })
    }
}
