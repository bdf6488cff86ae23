//! Capacity that is taken away under its jobs: Batchyard's own operation, `POST /batchyard/v1/interrupt`.
//!
//! What EC2 does to Spot instances on its own comes about here when somebody asks for it: to see how a pipeline takes it, or to clear an
//! instance for good.

use batchyard_core::command::Command;
use batchyard_core::id::InstanceId;
use batchyard_core::time::Millis;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use serde::{Deserialize, Serialize};

use super::{Batch, job_key, unavailable};
use crate::caller::Caller;
use crate::limits::INTERRUPTION_NOTICE_SECONDS_MAX;

/// What is taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Interruption {
    /// An instance such as `i-00000000000000001`, or a job, whose instance is meant, or whose own place where it runs straight on the
    /// host.
    target: String,
    /// How long the jobs of an instance may still run, 0 to 86,400 s; EC2 gives two minutes.
    #[serde(default = "two_minutes")]
    notice_seconds: u32,
}

fn two_minutes() -> u32 {
    120
}

impl Batch {
    /// Takes capacity away.
    ///
    /// # Errors
    /// When the body is none, when there is no such instance or job, and when the job neither runs nor is about to.
    pub(crate) async fn interrupt(&self, caller: &Caller, body: &[u8]) -> Result<(), Fault> {
        let Interruption {
            target,
            notice_seconds,
        } = serde_json::from_slice(body)
            .map_err(|error| client_exception(format!("The request is not an interruption: {error}.")))?;
        if notice_seconds > INTERRUPTION_NOTICE_SECONDS_MAX {
            return Err(client_exception(format!(
                "noticeSeconds must be at most {INTERRUPTION_NOTICE_SECONDS_MAX}."
            )));
        }
        let notice = Millis::from_seconds(u64::from(notice_seconds));
        let command = match (InstanceId::parse_ec2_id(&target), job_key(&target)) {
            (Some(instance), _) => Command::InterruptInstance { instance, notice },
            (None, Some(job)) => Command::InterruptJob { job, notice },
            (None, None) => {
                return Err(client_exception(format!(
                    "target must be an instance (i-…) or a job, not {target}."
                )));
            }
        };
        self.command(caller, command)
            .await
            .map(drop)
            .map_err(|error| unavailable(&error))
    }
}
