//! How tests wait: for a fact, looked at again whenever anything moved. Nothing here waits for time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// The longest that nothing moves while a test waits: longer is for ever, and the test says so.
const PATIENCE: Duration = Duration::from_secs(60);

/// Told whenever something happened that a test may wait for.
#[derive(Clone)]
pub(crate) struct Moved(Arc<watch::Sender<u64>>);

impl Moved {
    pub(crate) fn new() -> Self {
        Moved(Arc::new(watch::Sender::new(0)))
    }

    pub(crate) fn tell(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    /// What moves from now on.
    pub(crate) fn changes(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    /// Resolves once this holds.
    ///
    /// # Panics
    /// If it does not, and nothing moves for a minute; `what` says which fact is missing.
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let mut changes = self.changes();
        while !holds() {
            changes.next(what).await;
        }
    }
}

/// A place in the sequence of moves.
pub(crate) struct Changes(watch::Receiver<u64>);

impl Changes {
    /// Resolves when something has moved since the last call.
    ///
    /// # Panics
    /// If nothing does for a minute.
    pub(crate) async fn next(&mut self, what: &str) {
        let changed = tokio::time::timeout(PATIENCE, self.0.changed()).await;
        assert!(changed.is_ok(), "it never happened that {what}");
    }
}
