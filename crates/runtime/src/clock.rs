//! The clock as a port, so that tests and the simulator say what time it is.

use std::time::{Duration, SystemTime};

use batchyard_core::time::Timestamp;

use crate::engine::BoxFuture;

/// Tells the time of day, and lets it pass.
pub trait Clock: Send + Sync + 'static {
    /// Now. May step back when the host's clock is set; callers that need order use the core's sequence numbers.
    fn now(&self) -> Timestamp;

    /// Resolves when this much time has passed, however the host's clock is set meanwhile. Dropping it is enough to give up waiting.
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()>;
}

/// The host's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(span))
    }
}
