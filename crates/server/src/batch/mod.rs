//! AWS Batch: one folder for each kind of resource, one file for each operation.
//!
//! [`Batch`] has what operations need. Writes become a command and go through the driver; reads go to the store. The
//! texts of refusals stand with the operations; those that several share are in `refusal`.

mod api;
mod compute_environment;
mod consumable_resource;
mod event;
mod forecast;
mod interrupt;
mod item;
mod job;
mod job_definition;
mod job_queue;
mod page;
mod quota_share;
mod refusal;
mod scheduling_policy;
mod service_environment;
mod service_job;
mod tags;
mod task;

use std::num::NonZeroU32;
use std::sync::Arc;

use batchyard_core::command::{Command, Reply};
use batchyard_core::id::{JobKey, NodeKey};
use batchyard_core::time::Timestamp;
use batchyard_runtime::clock::Clock;
use batchyard_runtime::driver::{CommandError, Handle};
use batchyard_runtime::store::{NodesRow, Store, StoreError};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::{client_exception, server_exception};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Mutex, Semaphore};

use crate::arn::Account;
use crate::caller::Caller;
use crate::config::LimitsConfig;
use crate::limits::READS_MAX;
use crate::prices::Prices;
use crate::provisions::Provisions;

pub(crate) use event::{EventFeed, EventsPage, EventsQuery};
pub(crate) use forecast::ForecastQuery;
pub(crate) use job::explain::explain;
pub(crate) use task::{Task, TaskRole};

/// The operations of AWS Batch.
pub(crate) struct Batch {
    /// Whose resources these are.
    pub(crate) account: Account,
    driver: Handle,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    provisions: Arc<Provisions>,
    limits: LimitsConfig,
    prices: Prices,
    /// `None` where no events are kept.
    events: Option<event::EventFeed>,
    submissions: Option<DefaultDirectRateLimiter>,
    service_submissions: Option<DefaultDirectRateLimiter>,
    definitions: job_definition::Definitions,
    reads: Arc<Semaphore>,
    copies: forecast::Copies,
    forecasts: forecast::Forecasts,
    /// Held while an item is changed.
    item_changes: Mutex<()>,
    /// Held while an environment of an EKS cluster is made.
    cluster_changes: Mutex<()>,
}

impl Batch {
    /// Operations on the state that `driver` owns and `store` keeps. `provisions`: what jobs may count on.
    #[must_use]
    pub(crate) fn new(
        account: Account,
        driver: Handle,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        provisions: Provisions,
        limits: LimitsConfig,
    ) -> Batch {
        Batch {
            account,
            driver,
            store,
            clock,
            provisions: Arc::new(provisions),
            limits,
            prices: Prices::default(),
            events: None,
            submissions: limiter(limits.submit_jobs_per_second),
            service_submissions: limiter(limits.submit_service_jobs_per_second),
            definitions: job_definition::Definitions::default(),
            reads: Arc::new(Semaphore::new(READS_MAX)),
            copies: forecast::Copies::default(),
            forecasts: forecast::Forecasts::default(),
            item_changes: Mutex::default(),
            cluster_changes: Mutex::default(),
        }
    }

    /// The same, where this is what instance types cost.
    #[must_use]
    pub(crate) fn with_prices(self, prices: Prices) -> Batch {
        Batch { prices, ..self }
    }

    /// The same, where events are kept and told of.
    #[must_use]
    pub(crate) fn with_events(self, events: Option<EventFeed>) -> Batch {
        Batch { events, ..self }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Has a command carried out; resolves when it is durable.
    async fn command(&self, caller: &Caller, command: Command) -> Result<Reply, CommandError> {
        self.driver.command(Arc::clone(&caller.principal), command).await
    }

    /// Reads the store off the reactor, at most [`READS_MAX`] at once.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        let _permit = self.reads.acquire().await.expect("the semaphore is never closed");
        let store = Arc::clone(&self.store);
        let result = tokio::task::spawn_blocking(move || read(store.as_ref())).await;
        result
            .expect("reading the store does not panic")
            .map_err(|error| {
                tracing::error!(
                    cause = batchyard_runtime::cause::with_causes(&error),
                    "failed to read the store"
                );
                server_exception("The state could not be read; the server's log says why.")
            })
    }
}

/// Lets so many requests through in a second; none where there is no limit.
fn limiter(per_second: u32) -> Option<DefaultDirectRateLimiter> {
    NonZeroU32::new(per_second).map(|rate| RateLimiter::direct(Quota::per_second(rate)))
}

/// The answer at overload, and above a rate that was configured.
fn too_many_requests() -> Fault {
    Fault::new(429, "TooManyRequestsException", "Too Many Requests")
}

/// The words for a command that was not carried out for reasons of the server.
fn unavailable(error: &CommandError) -> Fault {
    match error {
        CommandError::Overloaded => too_many_requests(),
        CommandError::Unavailable(reason) => {
            server_exception(format!("The server refuses writes for now: {reason}."))
        }
        CommandError::Stopping => server_exception("The server is stopping."),
        CommandError::Rejected(rejection) => refusal::text(rejection),
    }
}

/// AWS wraps some of its texts; clients look for the inner one (section 0.9).
fn wrapped(text: &str, caller: &Caller) -> Fault {
    client_exception(format!(
        "Error executing request, Exception : {text}, RequestId: {}",
        caller.request_id
    ))
}

/// The key that a client's job id stands for: of a job, a child (`ID:INDEX`) or a node (`ID#INDEX`); `None` for what cannot be one.
fn job_key(text: &str) -> Option<JobKey> {
    let id = crate::arn::name("job", text);
    let of_node = || id.parse().map(NodeKey::key);
    id.parse().or_else(|_| of_node()).ok()
}

/// The id and the ARN that a job, child or node has in answers.
fn job_names(account: &Account, key: JobKey, nodes: Option<NodesRow>) -> (String, String) {
    match NodeKey::of(key).filter(|_| nodes.is_some()) {
        Some(node) => (node.to_string(), account.node(node)),
        None => (key.to_string(), account.job(key)),
    }
}
