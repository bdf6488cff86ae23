//! Scheduling policies (section A.5): how the jobs of a queue are ordered.

mod check;
mod create;
mod delete;
mod describe;
mod list;
mod update;

use batchyard_core::change::Document;
use batchyard_core::item::{Item, ItemKey, SchedulingPolicy};
use batchyard_core::name::SchedulingPolicyName;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{FairsharePolicy, QuotaSharePolicy};
use serde::{Deserialize, Serialize};

use super::Batch;
use crate::arn;
pub(super) use check::{bad_share_identifier, is_share_identifier};

/// What the store keeps in the client's words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PolicyDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    fairshare_policy: Option<FairsharePolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota_share_policy: Option<QuotaSharePolicy>,
}

impl PolicyDocument {
    fn write(&self) -> Document {
        let text = serde_json::to_string(self).expect("documents of policies have only text keys");
        Document(text.into())
    }

    /// Reads what this server, or an older one, wrote.
    fn read(document: &Document) -> PolicyDocument {
        serde_json::from_str(&document.0)
            .expect("the server wrote the document itself, and the store keeps it")
    }
}

impl Batch {
    /// The policy that a queue is to have (section A2.6).
    ///
    /// # Errors
    /// When it is not an ARN of a policy, or there is none.
    pub(super) async fn policy_for_queue(
        &self,
        arn: &str,
    ) -> Result<(SchedulingPolicyName, SchedulingPolicy), Fault> {
        let name =
            policy_name(arn).ok_or_else(|| client_exception("Only scheduling policy Arn can be allowed."))?;
        let row = self.item(&ItemKey::SchedulingPolicy(name.clone())).await?;
        match row.map(|row| row.item) {
            Some(Item::SchedulingPolicy(policy)) => Ok((name, policy)),
            _ => Err(not_found(arn)),
        }
    }
}

/// The name in the ARN of a policy: policies are named by nothing else (section 0.15).
fn policy_name(text: &str) -> Option<SchedulingPolicyName> {
    let name = arn::tail(text)?.strip_prefix("scheduling-policy/")?;
    SchedulingPolicyName::parse(name).ok()
}

/// The live service's words (section A2.6).
fn not_found(arn: &str) -> Fault {
    client_exception(format!("SchedulingPolicy {arn} not found."))
}
