//! UpdateConsumableResource: SET, ADD and REMOVE act on the total (section C5.2).

use batchyard_core::command::PutItem;
use batchyard_core::item::{ConsumableResource, Item};
use batchyard_runtime::store::ItemRow;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{UpdateConsumableResourceRequest, UpdateConsumableResourceResponse};

use super::{ConsumableDocument, TokenUpdate, facts, key, not_found, quantity};
use crate::batch::Batch;
use crate::batch::item::item_name;
use crate::caller::Caller;

/// How long a client token is known (section A.7: eight hours), in milliseconds.
const TOKEN_LIFE_MS: i64 = 8 * 3_600_000;

/// Client tokens that one resource remembers (own choice); the oldest are forgotten first.
const TOKENS_MAX: usize = 1_000;

impl Batch {
    pub(in crate::batch) async fn update_consumable(
        &self,
        caller: &Caller,
        input: UpdateConsumableResourceRequest,
    ) -> Result<UpdateConsumableResourceResponse, Fault> {
        let UpdateConsumableResourceRequest {
            client_token,
            consumable_resource,
            operation,
            quantity: asked,
        } = input;
        let key = key(&consumable_resource)?;
        if self.item(&key).await?.is_none() {
            return Err(not_found(&consumable_resource));
        }
        // Own words for both.
        let operation = operation.unwrap_or_default();
        if !["SET", "ADD", "REMOVE"].contains(&operation.as_str()) {
            return Err(client_exception(format!(
                "operation {operation} is not valid. Valid values are: [SET, ADD, REMOVE]"
            )));
        }
        let asked = u64::try_from(asked.unwrap_or(0))
            .map_err(|_| client_exception("quantity cannot be a negative number."))?;
        let change = Change {
            operation,
            quantity: asked,
            token: client_token,
            now: self.now().as_millis(),
        };
        let total = self.change_item(caller, &key, |row| change.of(row)).await?;
        Ok(UpdateConsumableResourceResponse {
            consumable_resource_arn: self.account.batch(&key.resource()),
            consumable_resource_name: item_name(&key).to_owned(),
            total_quantity: quantity(total),
        })
    }
}

/// What is asked for.
struct Change {
    operation: String,
    quantity: u64,
    token: Option<String>,
    now: i64,
}

impl Change {
    /// What becomes of a row, and the total afterwards. What was asked for before with the same token changes nothing.
    fn of(&self, row: &ItemRow) -> Result<(Option<PutItem>, u64), Fault> {
        let facts = facts(row);
        let mut document = ConsumableDocument::read(&row.document);
        document
            .updates
            .retain(|update| update.at > self.now - TOKEN_LIFE_MS);
        if let Some(token) = &self.token
            && let Some(before) = document.updates.iter().find(|update| update.token == *token)
        {
            if (before.operation.as_str(), before.quantity) != (self.operation.as_str(), self.quantity) {
                // Own words.
                return Err(client_exception(
                    "clientToken was used for an update with other parameters.",
                ));
            }
            return Ok((None, before.total));
        }
        let total = self.total(facts.total)?;
        document
            .updates
            .extend(self.token.clone().map(|token| TokenUpdate {
                token,
                at: self.now,
                operation: self.operation.clone(),
                quantity: self.quantity,
                total,
            }));
        let excess = document.updates.len().saturating_sub(TOKENS_MAX);
        document.updates.drain(..excess);
        let put = PutItem {
            key: row.key.clone(),
            item: Item::ConsumableResource(ConsumableResource { total, ..facts }),
            document: document.write(),
            tags: Vec::new(),
        };
        Ok((Some(put), total))
    }

    fn total(&self, before: u64) -> Result<u64, Fault> {
        let total = match self.operation.as_str() {
            "ADD" => before.saturating_add(self.quantity),
            "REMOVE" => before
                .checked_sub(self.quantity)
                .ok_or_else(|| client_exception("totalQuantity cannot be a negative number."))?,
            _ => self.quantity,
        };
        // The API writes it as a signed number.
        Ok(total.min(i64::MAX.unsigned_abs()))
    }
}
