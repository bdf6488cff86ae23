//! DeleteSchedulingPolicy: refused while a queue has the policy.

use batchyard_core::item::ItemKey;
use batchyard_wire::Fault;
use batchyard_wire::batch::{DeleteSchedulingPolicyRequest, DeleteSchedulingPolicyResponse};

use super::{not_found, policy_name};
use crate::batch::Batch;
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn delete_policy(
        &self,
        caller: &Caller,
        input: &DeleteSchedulingPolicyRequest,
    ) -> Result<DeleteSchedulingPolicyResponse, Fault> {
        let name = policy_name(&input.arn).ok_or_else(|| not_found(&input.arn))?;
        self.delete_item(caller, ItemKey::SchedulingPolicy(name)).await?;
        Ok(DeleteSchedulingPolicyResponse {})
    }
}
