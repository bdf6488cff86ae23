//! The thread that commits batches: one at a time, in order.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::store::{Batch, Store, StoreError};

/// The way to the writer thread. It ends when this is dropped.
pub(super) struct Writer {
    batches: std::sync::mpsc::SyncSender<Arc<Batch>>,
    results: mpsc::Receiver<Result<(), StoreError>>,
}

impl Writer {
    pub(super) fn start(store: Arc<dyn Store>) -> Self {
        // One batch is in flight at most, so neither channel ever blocks.
        let (batches, to_write) = std::sync::mpsc::sync_channel::<Arc<Batch>>(1);
        let (told, results) = mpsc::channel(1);
        let write = move || {
            while let Ok(batch) = to_write.recv() {
                let result = store.commit(&batch);
                drop(batch);
                if told.blocking_send(result).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        thread.spawn(write).expect("a thread can be started at start-up");
        Writer { batches, results }
    }

    /// Hands a batch over. Only when no other is in flight.
    pub(super) fn write(&self, batch: Arc<Batch>) {
        self.batches
            .send(batch)
            .expect("the writer lives as long as its handle");
    }

    /// The result of the batch in flight. Cancel-safe.
    pub(super) async fn result(&mut self) -> Result<(), StoreError> {
        self.results
            .recv()
            .await
            .expect("the writer lives as long as its handle")
    }
}
