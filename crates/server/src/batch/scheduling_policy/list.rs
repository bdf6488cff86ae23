//! ListSchedulingPolicies: only ARNs (section A.5).

use batchyard_core::item::ItemKey;
use batchyard_core::name::SchedulingPolicyName;
use batchyard_runtime::store::ItemScope;
use batchyard_wire::Fault;
use batchyard_wire::batch::{
    ListSchedulingPoliciesRequest, ListSchedulingPoliciesResponse, SchedulingPolicyListingDetail,
};

use crate::batch::Batch;

impl Batch {
    pub(in crate::batch) async fn list_policies(
        &self,
        input: ListSchedulingPoliciesRequest,
    ) -> Result<ListSchedulingPoliciesResponse, Fault> {
        let ListSchedulingPoliciesRequest {
            max_results,
            next_token,
        } = input;
        let scope = ItemScope::SchedulingPolicies;
        let key = |name: &str| {
            SchedulingPolicyName::parse(name)
                .ok()
                .map(ItemKey::SchedulingPolicy)
        };
        let (rows, next_token) = self
            .item_page(scope, None, max_results, next_token.as_deref(), key)
            .await?;
        let listed = rows.iter().map(|row| SchedulingPolicyListingDetail {
            arn: self.account.batch(&row.key.resource()),
        });
        Ok(ListSchedulingPoliciesResponse {
            scheduling_policies: Some(listed.collect()),
            next_token,
        })
    }
}
