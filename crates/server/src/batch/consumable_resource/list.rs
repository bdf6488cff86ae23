//! ListConsumableResources.

use batchyard_core::item::ItemKey;
use batchyard_core::name::ConsumableResourceName;
use batchyard_runtime::store::{ItemRow, ItemScope};
use batchyard_wire::Fault;
use batchyard_wire::batch::{
    ConsumableResourceSummary, ListConsumableResourcesRequest, ListConsumableResourcesResponse,
};

use super::{facts, one_filter, quantity, resource_type, text_match};
use crate::batch::Batch;
use crate::batch::item::item_name;

impl Batch {
    pub(in crate::batch) async fn list_consumables(
        &self,
        input: ListConsumableResourcesRequest,
    ) -> Result<ListConsumableResourcesResponse, Fault> {
        let ListConsumableResourcesRequest {
            filters,
            max_results,
            next_token,
        } = input;
        let filters = filters.unwrap_or_default();
        let name = one_filter(&filters, &["CONSUMABLE_RESOURCE_NAME"])?.map(|(_, value)| text_match(value));
        let scope = ItemScope::ConsumableResources;
        let key = |name: &str| {
            ConsumableResourceName::parse(name)
                .ok()
                .map(ItemKey::ConsumableResource)
        };
        let (rows, next_token) = self
            .item_page(scope, name, max_results, next_token.as_deref(), key)
            .await?;
        let in_use = self.in_use(rows.iter().map(|row| &row.key)).await?;
        Ok(ListConsumableResourcesResponse {
            consumable_resources: rows
                .iter()
                .zip(in_use)
                .map(|(row, in_use)| self.consumable_summary(row, in_use))
                .collect(),
            next_token,
        })
    }

    fn consumable_summary(&self, row: &ItemRow, in_use: u64) -> ConsumableResourceSummary {
        let facts = facts(row);
        ConsumableResourceSummary {
            consumable_resource_arn: self.account.batch(&row.key.resource()),
            consumable_resource_name: item_name(&row.key).to_owned(),
            in_use_quantity: quantity(in_use),
            resource_type: Some(resource_type(facts)),
            total_quantity: quantity(facts.total),
        }
    }
}
