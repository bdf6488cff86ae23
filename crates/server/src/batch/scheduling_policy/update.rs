//! UpdateSchedulingPolicy: what is given replaces the whole policy; its kind stays (section A.5).

use batchyard_core::command::PutItem;
use batchyard_core::item::{Item, ItemKey};
use batchyard_wire::Fault;
use batchyard_wire::batch::{UpdateSchedulingPolicyRequest, UpdateSchedulingPolicyResponse};

use super::{PolicyDocument, check, not_found, policy_name};
use crate::batch::Batch;
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn update_policy(
        &self,
        caller: &Caller,
        input: UpdateSchedulingPolicyRequest,
    ) -> Result<UpdateSchedulingPolicyResponse, Fault> {
        let UpdateSchedulingPolicyRequest {
            arn,
            fairshare_policy,
            quota_share_policy,
        } = input;
        let name = policy_name(&arn).ok_or_else(|| not_found(&arn))?;
        let key = ItemKey::SchedulingPolicy(name);
        if self.item(&key).await?.is_none() {
            return Err(not_found(&arn));
        }
        // Without a policy nothing changes.
        if fairshare_policy.is_none() && quota_share_policy.is_none() {
            return Ok(UpdateSchedulingPolicyResponse {});
        }
        let policy = check::policy(
            fairshare_policy.as_ref(),
            quota_share_policy.as_ref(),
            self.limits.share_distribution,
        )?;
        let document = PolicyDocument {
            fairshare_policy,
            quota_share_policy,
        };
        let put = PutItem {
            key: key.clone(),
            item: Item::SchedulingPolicy(policy),
            document: document.write(),
            tags: Vec::new(),
        };
        self.change_item(caller, &key, |_| Ok((Some(put), ()))).await?;
        Ok(UpdateSchedulingPolicyResponse {})
    }
}
