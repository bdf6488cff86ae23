//! Copies of the core, no more of them than the driver can bear.

use std::time::Instant;

use batchyard_core::Core;
use batchyard_runtime::driver::Handle;
use batchyard_wire::Fault;
use tokio::sync::Mutex;

use crate::batch::unavailable;
use crate::limits::DRIVER_SHARE;

/// When the next copy may be made.
#[derive(Default)]
pub(in crate::batch) struct Copies {
    next: Mutex<Option<Instant>>,
}

impl Copies {
    /// A copy of the core as it is, and when the next may be made; waits until this one may.
    ///
    /// # Errors
    /// When the driver is overloaded or stopping.
    pub(super) async fn copy(&self, driver: &Handle) -> Result<(Core, Instant), Fault> {
        // Held while waiting: copies are made one after another.
        let mut next = self.next.lock().await;
        if let Some(next) = *next {
            tokio::time::sleep_until(next.into()).await;
        }
        let copy = |core: &Core| {
            let begin = Instant::now();
            let copy = core.clone();
            (copy, begin.elapsed())
        };
        let (core, took) = driver.read(copy).await.map_err(|error| unavailable(&error))?;
        let after = Instant::now() + took * DRIVER_SHARE;
        *next = Some(after);
        Ok((core, after))
    }
}
