//! CreateConsumableResource.

use batchyard_core::command::PutItem;
use batchyard_core::item::{ConsumableResource, Item, ItemKey};
use batchyard_core::name::ConsumableResourceName;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{CreateConsumableResourceRequest, CreateConsumableResourceResponse};

use super::{ConsumableDocument, NON_REPLENISHABLE, REPLENISHABLE};
use crate::batch::{Batch, tags};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn create_consumable(
        &self,
        caller: &Caller,
        input: CreateConsumableResourceRequest,
    ) -> Result<CreateConsumableResourceResponse, Fault> {
        let CreateConsumableResourceRequest {
            consumable_resource_name,
            resource_type,
            tags,
            total_quantity,
        } = input;
        let key = ConsumableResourceName::parse(&consumable_resource_name)
            .map(ItemKey::ConsumableResource)
            .map_err(|_| client_exception("ConsumableResource name should match a valid pattern."))?;
        let total = u64::try_from(total_quantity.unwrap_or(0))
            .map_err(|_| client_exception("totalQuantity cannot be a negative number."))?;
        let is_replenishable = match resource_type.as_deref() {
            None | Some(REPLENISHABLE) => true,
            Some(NON_REPLENISHABLE) => false,
            // Own words.
            Some(other) => {
                return Err(client_exception(format!(
                    "resourceType {other} is not valid. Valid values are: [{REPLENISHABLE}, {NON_REPLENISHABLE}]"
                )));
            }
        };
        tags::check(tags.as_ref(), &self.limits)?;
        let consumable_resource_arn = self.account.batch(&key.resource());
        let put = PutItem {
            key,
            item: Item::ConsumableResource(ConsumableResource {
                is_replenishable,
                total,
            }),
            document: ConsumableDocument::default().write(),
            tags: tags::pairs(tags),
        };
        self.create_item(caller, put).await?;
        Ok(CreateConsumableResourceResponse {
            consumable_resource_arn,
            consumable_resource_name,
        })
    }
}
