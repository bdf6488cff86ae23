//! A store on threads: one that commits, and others that read.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use batchyard_core::id::JobId;
use batchyard_core::state::Stored;
use tokio::sync::oneshot;

use super::{Batch, DriverStore, LaunchRow, Store, StoreError};
use crate::engine::BoxFuture;

/// Batches that may wait for the writer; the driver has one in flight at most, so nothing ever waits here.
const BATCHES_WAITING_MAX: usize = 1;

/// A [`Store`] whose calls block, as the driver uses it. Its thread ends when this is dropped.
pub struct StoreThreads {
    store: Arc<dyn Store>,
    batches: SyncSender<ToWrite>,
}

struct ToWrite {
    batch: Arc<Batch>,
    told: oneshot::Sender<Result<(), StoreError>>,
}

impl StoreThreads {
    /// Starts the thread that commits.
    ///
    /// # Panics
    /// If the system gives no thread.
    #[must_use]
    pub fn start(store: Arc<dyn Store>) -> Self {
        let (batches, to_write) = std::sync::mpsc::sync_channel(BATCHES_WAITING_MAX);
        let writer = Arc::clone(&store);
        let write = move || {
            while let Ok(ToWrite { batch, told }) = to_write.recv() {
                let result = writer.commit(&batch);
                drop(batch);
                // A driver that was dropped meanwhile waits for nothing.
                let _nobody_waits = told.send(result);
            }
        };
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        thread.spawn(write).expect("a thread can be started at start-up");
        StoreThreads { store, batches }
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let store = Arc::clone(&self.store);
        let reading = tokio::task::spawn_blocking(move || read(&*store));
        Box::pin(async move { reading.await.expect("the store does not panic") })
    }
}

impl DriverStore for StoreThreads {
    fn load(&self) -> BoxFuture<'static, Result<Stored, StoreError>> {
        self.read(|store| store.load())
    }

    fn commit(&self, batch: Arc<Batch>) -> BoxFuture<'static, Result<(), StoreError>> {
        let (told, result) = oneshot::channel();
        let writer = "the writer lives as long as its handle";
        self.batches.send(ToWrite { batch, told }).expect(writer);
        Box::pin(async move { result.await.expect(writer) })
    }

    fn probe(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.read(|store| store.probe())
    }

    fn launch(&self, id: JobId) -> BoxFuture<'static, Result<Option<LaunchRow>, StoreError>> {
        self.read(move |store| store.launch(id))
    }
}
