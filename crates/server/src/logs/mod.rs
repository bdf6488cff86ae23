//! CloudWatch Logs: what jobs wrote, and what clients put beside it.
//!
//! One file for each noun; the store behind it has its own crate. `aws logs tail` is FilterLogEvents in a loop.

mod api;
mod event;
mod group;
mod stream;

use batchyard_logs::{Error, Logs};
use batchyard_runtime::clock::Clock;
use batchyard_wire::Fault;
use batchyard_wire::logs::errors::{
    invalid_parameter_exception, resource_already_exists_exception, resource_not_found_exception,
    service_unavailable_exception,
};
use std::sync::Arc;
use tokio::sync::Semaphore;

use crate::arn::Account;
use crate::limits::READS_MAX;

/// The operations of CloudWatch Logs.
pub(crate) struct LogsApi {
    account: Account,
    logs: Logs,
    clock: Arc<dyn Clock>,
    reads: Semaphore,
}

impl LogsApi {
    /// Operations on the log store.
    #[must_use]
    pub(crate) fn new(account: Account, logs: Logs, clock: Arc<dyn Clock>) -> LogsApi {
        LogsApi {
            account,
            logs,
            clock,
            reads: Semaphore::new(READS_MAX),
        }
    }

    /// Reads the store off the reactor, at most [`READS_MAX`] at once.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Logs) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Fault> {
        let _permit = self.reads.acquire().await.expect("the semaphore is never closed");
        let logs = self.logs.clone();
        let result = tokio::task::spawn_blocking(move || read(&logs)).await;
        result
            .expect("reading the log store does not panic")
            .map_err(fault)
    }
}

/// The live service's words for what the store refuses.
fn fault(error: Error) -> Fault {
    match error {
        Error::GroupNotFound(_) => resource_not_found_exception("The specified log group does not exist."),
        Error::StreamNotFound(_) => resource_not_found_exception("The specified log stream does not exist."),
        Error::GroupExists(_) => resource_already_exists_exception("The specified log group already exists"),
        Error::StreamExists(_) => {
            resource_already_exists_exception("The specified log stream already exists")
        }
        Error::InvalidToken => invalid_parameter_exception("The specified nextToken is invalid."),
        Error::Invalid { field, reason } => invalid_parameter_exception(format!("{field} must be {reason}.")),
        error @ Error::Full(_) => {
            tracing::error!(
                cause = batchyard_runtime::cause::with_causes(&error),
                "failed to write log events"
            );
            service_unavailable_exception(
                "The server refuses writes for now: no space left on the disk of the log store.",
            )
        }
        error @ Error::Broken(_) => {
            tracing::error!(
                cause = batchyard_runtime::cause::with_causes(&error),
                "failed to use the log store"
            );
            service_unavailable_exception("The log store failed; the server's log says why.")
        }
    }
}

/// The group that a request names by name, or by identifier: a name or an ARN.
fn group_name(name: Option<String>, identifier: Option<String>) -> Result<String, Fault> {
    match (name, identifier) {
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) => Ok(of_arn(&identifier).unwrap_or(&identifier).to_owned()),
        // Own words for the model's rule.
        (Some(_), Some(_)) => Err(invalid_parameter_exception(
            "Only one of logGroupName and logGroupIdentifier can be given.",
        )),
        (None, None) => Err(invalid_parameter_exception(
            "One of logGroupName and logGroupIdentifier must be given.",
        )),
    }
}

/// The name of the log group in an ARN such as `arn:aws:logs:us-east-1:123456789012:log-group:NAME:*`.
fn of_arn(arn: &str) -> Option<&str> {
    let (_, name) = arn
        .split_once(":log-group:")
        .filter(|_| arn.starts_with("arn:"))?;
    Some(name.strip_suffix(":*").unwrap_or(name))
}

/// A limit that the model has checked already.
fn limit(given: Option<i32>, default: usize) -> usize {
    given
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(default)
}
