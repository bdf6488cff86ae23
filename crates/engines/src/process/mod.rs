//! Jobs as processes of this host, under a supervisor that outlives the server.
//!
//! ```text
//!  server                                       supervisor (one per directory)
//!  ProcessEngine ── orders ──▶ link ══ socket ══▶ launches, stops, forgets ──▶ jobs
//!                              tail ◀── spool ◀── what happened, what they wrote ◀┘
//!                               └─▶ log store (lines and cursor at once), then reports
//! ```
//!
//! All that happens to jobs goes through the `spool`, in order: output before the end that follows it. The server reads the spool from a
//! cursor that the log store keeps in the same transaction as the lines read up to there, and only then tells reports and lets the
//! supervisor delete what was read. So a kill of either side at any moment neither loses nor doubles a line, and an end is told only
//! when the log is complete. The socket carries wishes and wake-ups, no facts; only `List` is answered on it, for [`recover`](ProcessEngine::recover).
//!
//! The supervisor keeps an attempt until `Forget`. When it is killed itself, its jobs are killed by the next one and told as lost.
//! It stays as it is when the server is upgraded, until it is idle: the protocol is versioned.
//!
//! The engine decides nothing about jobs. Where to start reading: [`ProcessEngine`], then `supervisor/`.

mod account;
mod limits;
mod link;
mod program;
mod protocol;
mod socket;
mod spool;
mod supervisor;
mod tail;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use batchyard_core::id::AttemptKey;
use batchyard_runtime::engine::{CurrentAttempt, Order, RecoverError, Reports};
use batchyard_runtime::log::LogStore;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::secrets::Secrets;
use account::Account;
pub(crate) use link::now;
pub use supervisor::{Error as SuperviseError, supervise};

/// The engine's name, as users know it.
const ENGINE: &str = "process";

/// What the engine is told by the configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The supervisor's folder; made where it is missing, for the owner alone.
    pub directory: PathBuf,
    /// The program that calls [`supervise`].
    pub supervisor_program: PathBuf,
    /// Its arguments; the directory follows as the last one.
    pub supervisor_arguments: Vec<OsString>,
    /// The user that jobs run as, if not the supervisor's own; needs root.
    pub run_as: Option<String>,
    /// Where the values of secrets are.
    pub secrets: Secrets,
}

/// The engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory cannot be made.
    #[error("make {directory}")]
    Directory {
        /// Which.
        directory: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The user that jobs are to run as cannot be used.
    #[error("run process jobs as {name}: {reason}")]
    User {
        /// The user's name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The log store does not tell how far the spool was read.
    #[error("find out how far the output of processes was read")]
    Cursor(#[from] batchyard_runtime::log::LogError),
    /// The supervisor does not start.
    #[error("start the supervisor of process jobs; its log is {log}")]
    Supervisor {
        /// Where it says why.
        log: PathBuf,
        /// What is known here.
        #[source]
        source: link::Error,
    },
}

/// What the supervisor can do on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Which control groups it uses, if any.
    pub cgroup: Option<CgroupVersion>,
    /// Whether memory limits are enforced.
    pub memory_limit: bool,
}

/// The two kinds of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CgroupVersion {
    /// A hierarchy for each controller.
    V1,
    /// One hierarchy.
    V2,
}

/// Runs process jobs. Dropping it ends its tasks; the supervisor and the jobs go on and are found again.
#[derive(Debug)]
pub struct ProcessEngine {
    capabilities: Capabilities,
    messages: mpsc::Sender<link::Message>,
    tail: AbortHandle,
}

impl ProcessEngine {
    /// Finds the supervisor, or starts it, and starts the engine's tasks on the current runtime.
    ///
    /// # Errors
    /// When the directory or the user cannot be used, or no supervisor answers.
    pub async fn start(
        config: Config,
        reports: Reports,
        logs: Arc<dyn LogStore>,
    ) -> Result<Self, StartError> {
        let account = config.run_as.as_deref().map(other_account).transpose()?.flatten();
        let directory = config.directory.clone();
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(|source| StartError::Directory {
                directory: directory.clone(),
                source,
            })?;
        let cursor = tail::cursor(logs.as_ref())?;
        let (messages, inbox) = mpsc::channel(limits::ORDERS_WAITING_MAX);
        let (link, capabilities, tail) = link::Link::start(config, account, inbox, cursor, reports, logs)
            .await
            .map_err(|source| StartError::Supervisor {
                log: directory.join(link::LOG),
                source,
            })?;
        tokio::spawn(link.run());
        Ok(ProcessEngine {
            capabilities,
            messages,
            tail,
        })
    }

    /// What the supervisor can do on this host.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Takes an order; waits only while the queue is full.
    pub async fn order(&self, order: Order) {
        self.send(link::Message::Order(order)).await;
    }

    /// Compares the supervisor's attempts with those that the core holds for alive: tells again what is known of current ones, and drops all
    /// others. The answer is which of `current` are known here; to tell `Lost` for those that no engine knows is the caller's.
    ///
    /// # Errors
    /// When the supervisor does not answer.
    pub async fn recover(&self, current: &[CurrentAttempt]) -> Result<BTreeSet<AttemptKey>, RecoverError> {
        let (reply, answer) = oneshot::channel();
        let current = current.iter().map(|current| current.attempt).collect();
        self.send(link::Message::Recover { current, reply }).await;
        answer.await.map_err(|_| RecoverError {
            engine: ENGINE,
            source: "the supervisor of process jobs went away".into(),
        })
    }

    /// Ends the engine, and the supervisor as soon as no attempt is left that runs or is not forgotten. A server that connects before that
    /// keeps it.
    pub async fn end_when_idle(self) {
        self.send(link::Message::EndWhenIdle).await;
        self.messages.closed().await;
    }

    async fn send(&self, message: link::Message) {
        self.messages
            .send(message)
            .await
            .expect("the link lives as long as its engine");
    }
}

impl Drop for ProcessEngine {
    fn drop(&mut self) {
        // Who comes next reads the spool from the cursor: what this one has read and not yet appended must not come to the log as well. Orders
        // that were taken are still sent.
        self.tail.abort();
    }
}

/// The user that jobs run as; `None` where that is who we are anyway, and have no right to say so once more.
fn other_account(name: &str) -> Result<Option<Account>, StartError> {
    let failed = |reason: String| StartError::User {
        name: name.to_owned(),
        reason,
    };
    let account = Account::find(name).map_err(|error| failed(error.to_string()))?;
    let own = Account::own();
    match own.uid {
        0 => Ok(Some(account)),
        uid if uid == account.uid => Ok(None),
        _ => Err(failed(format!("only root can; this server runs as {}", own.name))),
    }
}
