//! The port to what runs jobs.
//!
//! An engine decides nothing: it carries out [`Order`]s and tells facts as [`Report`]s. Everything is keyed by attempt.
//!
//! # Contract
//!
//! * **Orders are idempotent.** The driver sends an order again after a restart, and after it lost its leadership. A launch of an
//!   attempt that the engine already has, runs or has ended, starts nothing; a stop of one that has ended does nothing.
//! * **Reports are told at least once and may repeat.** For each attempt: `Started` and later `Exited`, or `NotStarted`, or `Lost`.
//!   Of a training job `Preparing` before, when the engine begins to fetch what it needs.
//!   `Exited` is told only when all output of the attempt is in the log store, so that who sees a job ended sees its whole log.
//! * **Facts outlive the server.** Until the order `Forget` for it, an engine can tell again how an attempt ended, also
//!   after the server process was killed. After `Forget` it drops everything it holds of the attempt (process records, containers).
//! * **[`Engine::recover`] makes both sides agree.** It is called once before the first order, and again whenever the driver
//!   had to reload its state. The engine re-tells the facts of every current attempt it knows; tells `Lost` for a current attempt
//!   that was started, and that it does not know; and stops and forgets what it knows beside the current ones.
//! * No order blocks the caller for long: `order` waits only while the engine's bounded queue is full.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use batchyard_core::id::AttemptKey;
use batchyard_core::launch::{LaunchSpec, Runner, Variable};
use batchyard_core::report::Report;
use batchyard_core::resources::GpuSet;
use batchyard_core::time::Millis;
use tokio::sync::mpsc;

use crate::log::StreamName;

/// A future that can be kept behind a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the driver asks an engine to do.
#[derive(Clone, Debug)]
pub enum Order {
    /// Start this attempt.
    Launch(Box<Launch>),
    /// Ask the attempt to stop (SIGTERM), and kill it when `grace` is over. If it has not started yet, it need not any more:
    /// then `NotStarted` or `Exited` is told as fits; `NotStarted` also of an attempt that was never launched.
    Stop {
        /// Which attempt.
        attempt: AttemptKey,
        /// Time from asking to killing.
        grace: Millis,
    },
    /// The end of this attempt is recorded for good: drop all that is held of it.
    Forget {
        /// Which attempt.
        attempt: AttemptKey,
    },
}

/// All that is needed to start an attempt.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Which attempt.
    pub attempt: AttemptKey,
    /// What to run; shared by all children of an array job.
    pub spec: Arc<LaunchSpec>,
    /// The complete environment but what the host or the image adds: the user's variables and Batch's own (section F.1), names unique.
    pub environment: Vec<Variable>,
    /// Where the output goes; `None` where the job's log driver takes it elsewhere.
    pub stream: Option<StreamName>,
    /// The GPUs of the host that are this attempt's alone.
    pub gpus: GpuSet,
    /// Which node of a multi-node parallel job this is.
    pub node: Option<Node>,
    /// For each container of a task, in the order of the definition, what is its own; empty for other jobs.
    pub members: Vec<MemberLaunch>,
}

/// What one container of a task needs to start, beside its definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberLaunch {
    /// Its complete environment, as with [`Launch::environment`].
    pub environment: Vec<Variable>,
    /// Where its output goes.
    pub stream: Option<StreamName>,
    /// Those of the attempt's GPUs that it alone may use.
    pub gpus: GpuSet,
}

/// A node of a multi-node parallel job. Nodes of one attempt that run as containers share a private network, on which each has the name
/// `node-INDEX`; the nodes besides the main one find its address in [`MAIN_ADDRESS`], which the engine sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Which one.
    pub index: u32,
    /// The attempt of the main one, whose program has started before any other is launched.
    pub main: AttemptKey,
}

/// The variable with the main node's address (section F.1); the main node itself has none.
pub const MAIN_ADDRESS: &str = "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS";

/// An attempt that the core holds for alive, as `recover` is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentAttempt {
    /// Which attempt.
    pub attempt: AttemptKey,
    /// Whether `Started` was recorded: then an engine that does not know it has lost it. Otherwise its launch will be ordered (again).
    pub was_started: bool,
    /// What it runs as; `None` if that cannot be read any more.
    pub kind: Option<RunnerKind>,
}

/// What an attempt runs as: engines that do both look where it could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunnerKind {
    /// A process of the host.
    Process,
    /// A container, or several.
    Container,
}

impl RunnerKind {
    /// What this runs as.
    #[must_use]
    pub fn of(runner: &Runner) -> Self {
        match runner {
            Runner::Process(_) => RunnerKind::Process,
            Runner::Container(_) | Runner::Task(_) => RunnerKind::Container,
        }
    }
}

/// Runs jobs. See the module for the contract.
pub trait Engine: Send + Sync + 'static {
    /// Takes an order. Returns when it is queued, not when it is done.
    fn order(&self, order: Order) -> BoxFuture<'_, ()>;

    /// Compares what the engine knows with what the core holds for alive, and makes both agree. Returns when the comparison is done
    /// and its reports are queued.
    ///
    /// # Errors
    /// When the engine cannot look (its daemon does not answer): the caller tries again later and sends no order before.
    fn recover(&self, current: Vec<CurrentAttempt>) -> BoxFuture<'_, Result<(), RecoverError>>;
}

/// The engine could not compare its state with the core's.
#[derive(Debug, thiserror::Error)]
#[error("look for running jobs on the {engine} engine")]
pub struct RecoverError {
    /// Which engine, as users know it: `process`, `docker`.
    pub engine: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Where an engine tells its reports. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reports(mpsc::Sender<(AttemptKey, Report)>);

impl Reports {
    /// A handle, and the end the driver reads. `limit` is how many reports may wait.
    #[must_use]
    pub fn channel(limit: usize) -> (Reports, mpsc::Receiver<(AttemptKey, Report)>) {
        let (sender, receiver) = mpsc::channel(limit);
        (Reports(sender), receiver)
    }

    /// Tells a fact; waits while the driver is behind. After the driver's end the fact is dropped: it will be told again on
    /// `recover` by the next one.
    pub async fn tell(&self, attempt: AttemptKey, report: Report) {
        // The only error is a closed channel.
        let _driver_is_gone = self.0.send((attempt, report)).await;
    }
}
