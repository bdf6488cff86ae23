//! DescribeSchedulingPolicies.

use batchyard_core::item::ItemKey;
use batchyard_runtime::store::{ItemRow, ItemSelect};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    DescribeSchedulingPoliciesRequest, DescribeSchedulingPoliciesResponse, SchedulingPolicyDetail,
};

use super::{PolicyDocument, policy_name};
use crate::batch::item::item_name;
use crate::batch::{Batch, tags};

impl Batch {
    pub(in crate::batch) async fn describe_policies(
        &self,
        input: DescribeSchedulingPoliciesRequest,
    ) -> Result<DescribeSchedulingPoliciesResponse, Fault> {
        // Own words (section A.5: up to 100).
        let most = self.limits.page_items;
        if input.arns.len() > most {
            return Err(client_exception(format!("arns can have at most {most} entries.")));
        }
        // Unknown ones are left out without a word, as everywhere.
        let names = input.arns.iter().filter_map(|arn| policy_name(arn));
        let select = ItemSelect::Keyed(names.map(ItemKey::SchedulingPolicy).collect());
        let page = self.read(move |store| store.items(&select)).await?;
        Ok(DescribeSchedulingPoliciesResponse {
            scheduling_policies: Some(page.rows.into_iter().map(|row| self.policy_detail(row)).collect()),
        })
    }

    fn policy_detail(&self, row: ItemRow) -> SchedulingPolicyDetail {
        let ItemRow {
            key,
            version: _,
            item: _,
            document,
            created_at: _,
            tags,
        } = row;
        let PolicyDocument {
            fairshare_policy,
            quota_share_policy,
        } = PolicyDocument::read(&document);
        SchedulingPolicyDetail {
            arn: self.account.batch(&key.resource()),
            fairshare_policy,
            name: item_name(&key).to_owned(),
            quota_share_policy,
            tags: Some(tags::map(tags)),
        }
    }
}
