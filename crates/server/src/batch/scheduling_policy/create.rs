//! CreateSchedulingPolicy.

use batchyard_core::command::PutItem;
use batchyard_core::item::{Item, ItemKey};
use batchyard_core::name::SchedulingPolicyName;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{CreateSchedulingPolicyRequest, CreateSchedulingPolicyResponse};

use super::{PolicyDocument, check};
use crate::batch::{Batch, tags};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn create_policy(
        &self,
        caller: &Caller,
        input: CreateSchedulingPolicyRequest,
    ) -> Result<CreateSchedulingPolicyResponse, Fault> {
        let CreateSchedulingPolicyRequest {
            fairshare_policy,
            name,
            quota_share_policy,
            tags,
        } = input;
        let key = SchedulingPolicyName::parse(&name)
            .map(ItemKey::SchedulingPolicy)
            .map_err(|_| client_exception("Scheduling policy name should match a valid pattern."))?;
        tags::check(tags.as_ref(), &self.limits)?;
        let policy = check::policy(
            fairshare_policy.as_ref(),
            quota_share_policy.as_ref(),
            self.limits.share_distribution,
        )?;
        let document = PolicyDocument {
            fairshare_policy,
            quota_share_policy,
        };
        let arn = self.account.batch(&key.resource());
        let put = PutItem {
            key,
            item: Item::SchedulingPolicy(policy),
            document: document.write(),
            tags: tags::pairs(tags),
        };
        self.create_item(caller, put).await?;
        Ok(CreateSchedulingPolicyResponse { arn, name })
    }
}
