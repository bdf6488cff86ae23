//! The engine that runs jobs as containers of a Docker daemon (Engine API 1.41 and later).
//!
//! Nothing is remembered outside the daemon and the log store: a container carries in its labels all that a later server needs, and
//! stays until `Forget`. One task, the *registry*, knows which attempts there are; each attempt has a *keeper* task that launches
//! it or finds it again, copies its output, and tells how it ended. One *watch* reads the daemon's events and wakes the keepers;
//! they then look for themselves, so that an event that was missed or doubled does no harm.
//!
//! ```text
//! order, recover → registry ⇄ keepers (launch → follow → look → drain → wait for Forget) → reports, log store
//!                  registry ← watch (events, and a list of all containers now and then)
//! ```
//!
//! The engine must not decide anything about jobs: no retries of attempts, no timeouts of jobs. Where to start reading:
//! [`DockerEngine`], then `keeper.rs` for an attempt's way, `task.rs` and `plan.rs` for one of several containers, `position.rs` for why
//! no line is lost or doubled.
//!
//! The out-of-memory mark is the daemon's: where only a child of the container's first process was killed, some versions do not set it, and
//! then the exit code is all that is told.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use batchyard_core::id::AttemptKey;
use batchyard_core::time::Millis;
use batchyard_runtime::engine::{CurrentAttempt, Order, RecoverError, Reports};
use batchyard_runtime::log::LogStore;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::secrets::Secrets;
use crate::storage::ObjectStorage;

mod container;
mod daemon;
mod drain;
mod folder;
mod holder;
mod image;
mod input;
mod keeper;
mod labels;
mod launch;
mod limits;
mod moment;
mod network;
mod pieces;
mod place;
mod plan;
mod position;
mod pull;
mod reason;
mod registry;
mod removal;
mod results;
mod secret;
mod state;
mod task;
mod user;
mod volume;
mod watch;

pub use daemon::ConnectError;
pub use image::PullPolicy;

/// The engine's name, as users know it.
const ENGINE: &str = "docker";

/// What the engine is told by the configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of the daemon: `unix://…` or `tcp://…`; `None` takes `DOCKER_HOST`, or else `unix:///var/run/docker.sock`.
    pub host: Option<String>,
    /// Identifier of this server's data. It is a label of every container, so that several servers share a daemon.
    pub namespace: String,
    /// The containers' network mode: `host` as on AWS (section E3.1), `bridge`, `none`, or a network's name.
    pub network: String,
    /// When images are pulled.
    pub pull: PullPolicy,
    /// How long a launch waits for a daemon that does not answer.
    pub unreachable_max: Millis,
    /// Where the folders of attempts are made that have one of their own (training jobs): on this host, which must be the daemon's.
    pub attempt_folders: Option<PathBuf>,
    /// The store that training jobs read objects of and keep results in, if there is one.
    pub storage: Option<ObjectStorage>,
    /// Where the values of secrets are.
    pub secrets: Secrets,
}

/// Runs container jobs through a Docker daemon. Dropping it ends its tasks; the containers stay and are found again by `recover`.
#[derive(Debug)]
pub struct DockerEngine {
    inbox: mpsc::Sender<registry::Message>,
}

impl Config {
    /// The usual address, host network, images pulled when missing, 30 s for a daemon that does not answer.
    #[must_use]
    pub fn new(namespace: String) -> Self {
        Config {
            host: None,
            namespace,
            network: "host".to_owned(),
            pull: PullPolicy::default(),
            unreachable_max: limits::UNREACHABLE_MAX,
            attempt_folders: None,
            storage: None,
            secrets: Secrets::default(),
        }
    }
}

impl DockerEngine {
    /// Starts the engine's tasks on the current runtime. The daemon need not answer yet.
    ///
    /// # Errors
    /// When the address is of a kind that is not known.
    pub fn connect(config: Config, reports: Reports, logs: Arc<dyn LogStore>) -> Result<Self, ConnectError> {
        let Config {
            host,
            namespace,
            network,
            pull,
            unreachable_max,
            attempt_folders,
            storage,
            secrets,
        } = config;
        let context = Arc::new(Context {
            daemon: daemon::Daemon::new(host)?,
            namespace,
            network,
            pull,
            unreachable_max,
            attempt_folders,
            storage,
            secrets,
            images: image::Images::new(),
            launches: Semaphore::new(limits::LAUNCHES_MAX),
            requests: Semaphore::new(limits::REQUESTS_MAX),
            drains: Semaphore::new(limits::DRAINS_MAX),
            reports,
            logs,
        });
        Ok(DockerEngine {
            inbox: registry::Registry::spawn(context),
        })
    }

    /// Takes an order; waits only while the queue is full.
    pub async fn order(&self, order: Order) {
        self.send(registry::Message::Order(order)).await;
    }

    /// Has the daemon's containers compared with the attempts that the core holds for alive: it is told again what is known of current
    /// ones, and all others of this namespace are stopped and forgotten. Returns when that is queued, behind the orders of before and in
    /// front of those that come; the answer is which of `current` are known here. To tell `Lost` for those that no engine knows
    /// is the caller's.
    pub async fn recover(&self, current: Vec<CurrentAttempt>) -> Recovery {
        let (reply, answer) = oneshot::channel();
        self.send(registry::Message::Recover { current, reply }).await;
        Recovery(answer)
    }

    async fn send(&self, message: registry::Message) {
        self.inbox
            .send(message)
            .await
            .expect("the registry lives as long as its engine");
    }
}

/// A comparison that was asked for.
#[derive(Debug)]
pub struct Recovery(oneshot::Receiver<Result<BTreeSet<AttemptKey>, daemon::Failure>>);

impl Recovery {
    /// Which of the current attempts are known. May be asked again after it was given up waiting for.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn known(&mut self) -> Result<BTreeSet<AttemptKey>, RecoverError> {
        let answer = (&mut self.0)
            .await
            .expect("the registry lives as long as its engine and answers");
        answer.map_err(|failure| RecoverError {
            engine: ENGINE,
            source: Box::new(failure),
        })
    }
}

/// What all tasks share.
struct Context {
    daemon: daemon::Daemon,
    namespace: String,
    network: String,
    pull: PullPolicy,
    unreachable_max: Millis,
    attempt_folders: Option<PathBuf>,
    storage: Option<ObjectStorage>,
    secrets: Secrets,
    images: image::Images,
    /// Bounds creating and starting.
    launches: Semaphore,
    /// Bounds everything else that is asked of the daemon for single containers.
    requests: Semaphore,
    /// Bounds reading the rest of the output of containers that have ended: it may take long, and nothing else waits for it.
    drains: Semaphore,
    reports: Reports,
    logs: Arc<dyn LogStore>,
}
