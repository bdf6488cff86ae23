//! The driver: the one task that owns a [`Core`], and the order of things round it: compute, commit, then act.
//!
//! ```text
//! clients ──commands──▶ ┌────────┐ batch ┌────────┐
//! engines ──reports───▶ │ driver │ ────▶ │ store  │
//!        clock ───────▶ │ (Core) │ ◀──── │        │
//!                       └────────┘ done  └────────┘
//!            replies ◀──────┤
//!            effects ──▶ dispatcher ──orders──▶ engine
//! ```
//!
//! While one batch is being committed the next is computed. Replies and effects of a batch leave only after its commit. A commit
//! that fails ends the driver's leadership: it drops its core, tells everybody who waits, and starts again from the store, as after a
//! restart of the process. There is no rollback, hence no way for one to be wrong.
//!
//! Start reading at `task`.

mod batch;
mod dispatch;
mod task;

use std::sync::Arc;

use batchyard_core::command::{Command, Rejection, Reply};
use batchyard_core::explain::{Explanation, explain};
use batchyard_core::id::{AttemptKey, JobKey};
use batchyard_core::name::QueueName;
use batchyard_core::report::Report;
use batchyard_core::snapshot::QueueSnapshot;
use batchyard_core::state::RestoreError;
use batchyard_core::time::Timestamp;
use batchyard_core::{Core, CoreConfig};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::engine::Engine;
use crate::launch::LaunchSettings;
use crate::store::{DriverStore, StoreError};

/// Commands that may wait for the driver; one more is refused as overload (own choice: some tens of milliseconds of work).
pub const COMMANDS_WAITING_MAX: usize = 4096;

/// Reports that may wait for the driver; engines then wait (own choice).
pub const REPORTS_WAITING_MAX: usize = 4096;

/// What a driver works with.
pub struct Ports {
    /// Durable state.
    pub store: Arc<dyn DriverStore>,
    /// What runs jobs.
    pub engine: Arc<dyn Engine>,
    /// The engine's reports.
    pub reports: mpsc::Receiver<(AttemptKey, Report)>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Told after each commit with events; `None` where no events are kept.
    pub events: Option<watch::Sender<()>>,
}

/// The way to the core. Cheap to clone; the driver ends when it is told to.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
}

/// What enters the driver's queue.
enum Request {
    Command {
        principal: Arc<str>,
        command: Box<Command>,
        reply: oneshot::Sender<Result<Reply, CommandError>>,
    },
    Read(Box<dyn FnOnce(&Core) + Send>),
    Stop {
        done: oneshot::Sender<()>,
    },
}

/// Why a command was not carried out. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The core refused it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too many commands wait; the caller should try again later.
    #[error("too many requests wait")]
    Overloaded,
    /// The store refuses writes; the text says why. The caller should try again later.
    #[error("the store refuses writes: {0}")]
    Unavailable(Arc<str>),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// The driver could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store could not be read.
    #[error("load the state")]
    Load(#[from] StoreError),
    /// What it has makes no sense.
    #[error("make sense of the stored state")]
    Restore(#[from] RestoreError),
}

/// Loads the state and starts the driver. It runs until [`Handle::stop`] or until all handles are gone.
///
/// # Errors
/// When the state cannot be loaded. Later failures of the store are survived.
pub async fn start(
    config: CoreConfig,
    settings: LaunchSettings,
    ports: Ports,
) -> Result<(Handle, JoinHandle<()>), StartError> {
    let core = load(config, &ports.store).await?;
    let (requests, receiver) = mpsc::channel(COMMANDS_WAITING_MAX);
    let task = tokio::spawn(task::Driver::new(core, settings, ports, receiver).run());
    Ok((Handle { requests }, task))
}

async fn load(config: CoreConfig, store: &Arc<dyn DriverStore>) -> Result<Core, StartError> {
    let stored = store.load().await?;
    Ok(Core::restore(config, stored)?)
}

impl Handle {
    /// Has a command carried out. Resolves when it is durable. How the dependencies of a job ended that are not live any more is the caller's
    /// to look up.
    ///
    /// # Errors
    /// See [`CommandError`]; nothing was changed then.
    pub async fn command(&self, principal: Arc<str>, command: Command) -> Result<Reply, CommandError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Command {
            principal,
            command: Box::new(command),
            reply,
        };
        self.requests.try_send(request).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => CommandError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => CommandError::Stopping,
        })?;
        answer.await.unwrap_or(Err(CommandError::Stopping))
    }

    /// Reads the state as it is now, perhaps ahead of the store by what is being committed.
    ///
    /// # Errors
    /// When the driver is overloaded, has lost its store, or is stopping.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Core) -> T + Send + 'static,
    ) -> Result<T, CommandError> {
        let (reply, answer) = oneshot::channel();
        let read = Box::new(move |core: &Core| {
            // The asker may have gone away meanwhile.
            let _nobody_waits = reply.send(read(core));
        });
        self.requests
            .try_send(Request::Read(read))
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => CommandError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => CommandError::Stopping,
            })?;
        answer.await.map_err(|_| CommandError::Stopping)
    }

    /// Why a live job is where it is at `now`; `None` for one that has ended or never was.
    ///
    /// # Errors
    /// As for [`read`](Handle::read).
    pub async fn explain(&self, key: JobKey, now: Timestamp) -> Result<Option<Explanation>, CommandError> {
        self.read(move |core| explain(core.state(), key, now)).await
    }

    /// What stands at the front of a queue at `now`, and what its jobs hold; `None` if there is no such queue.
    ///
    /// # Errors
    /// As for [`read`](Handle::read).
    pub async fn snapshot(
        &self,
        queue: QueueName,
        now: Timestamp,
    ) -> Result<Option<QueueSnapshot>, CommandError> {
        self.read(move |core| {
            let (id, _) = core.state().queue_named(&queue)?;
            Some(core.snapshot(id, now))
        })
        .await
    }

    /// Ends the driver after what it has accepted is durable. Running jobs go on without it.
    pub async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.requests.send(Request::Stop { done }).await.is_ok() {
            // An error means that the driver ended before it could answer, which is as good.
            let _ended_already = ended.await;
        }
    }
}
