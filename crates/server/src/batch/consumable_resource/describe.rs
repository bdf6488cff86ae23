//! DescribeConsumableResource.

use batchyard_runtime::store::ItemRow;
use batchyard_wire::Fault;
use batchyard_wire::batch::{DescribeConsumableResourceRequest, DescribeConsumableResourceResponse};

use super::{facts, key, not_found, quantity, resource_type};
use crate::batch::item::item_name;
use crate::batch::{Batch, tags};

impl Batch {
    pub(in crate::batch) async fn describe_consumable(
        &self,
        input: &DescribeConsumableResourceRequest,
    ) -> Result<DescribeConsumableResourceResponse, Fault> {
        let reference = &input.consumable_resource;
        let row = self.item(&key(reference)?).await?;
        let row = row.ok_or_else(|| not_found(reference))?;
        let facts = facts(&row);
        let in_use = self.in_use([&row.key]).await?.into_iter().next().unwrap_or(0);
        let ItemRow {
            key,
            version: _,
            item: _,
            document: _,
            created_at,
            tags,
        } = row;
        Ok(DescribeConsumableResourceResponse {
            available_quantity: quantity(facts.total.saturating_sub(in_use)),
            consumable_resource_arn: self.account.batch(&key.resource()),
            consumable_resource_name: item_name(&key).to_owned(),
            created_at: Some(created_at.as_millis()),
            in_use_quantity: quantity(in_use),
            resource_type: Some(resource_type(facts)),
            tags: Some(tags::map(tags)),
            total_quantity: quantity(facts.total),
        })
    }
}
