//! What scheduling policies, consumable resources and quota shares have in common: rows found by key, changed by version.

use batchyard_core::command::{Command, PutItem, Rejection};
use batchyard_core::item::ItemKey;
use batchyard_runtime::driver::CommandError;
use batchyard_runtime::store::{ItemRow, ItemScope, ItemSelect, Page, TextMatch};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;

use super::{Batch, page, unavailable};
use crate::caller::Caller;

impl Batch {
    /// The item with this key.
    pub(super) async fn item(&self, key: &ItemKey) -> Result<Option<ItemRow>, Fault> {
        let select = ItemSelect::Keyed(vec![key.clone()]);
        let page = self.read(move |store| store.items(&select)).await?;
        Ok(page.rows.into_iter().next())
    }

    /// A page of items by name; `key` reads the name that a token stands for.
    pub(super) async fn item_page(
        &self,
        scope: ItemScope,
        name: Option<TextMatch>,
        max_results: Option<i32>,
        next_token: Option<&str>,
        key: impl Fn(&str) -> Option<ItemKey>,
    ) -> Result<(Vec<ItemRow>, Option<String>), Fault> {
        let limit = page::limit(max_results, self.limits.page_items)?;
        let after = page::cursor(next_token)?
            .map(|name| key(&name).ok_or_else(|| client_exception("nextToken is not valid.")))
            .transpose()?;
        let select = ItemSelect::Page {
            scope,
            name,
            after,
            limit,
        };
        let Page { rows, next } = self.read(move |store| store.items(&select)).await?;
        let next = next.map(|key| page::token(item_name(&key)));
        Ok((rows, next))
    }

    pub(super) async fn create_item(&self, caller: &Caller, put: PutItem) -> Result<(), Fault> {
        self.command(caller, Command::CreateItem(Box::new(put)))
            .await
            .map(drop)
            .map_err(|error| unavailable(&error))
    }

    /// Changes an item to what `change` makes of its row. What `change` answers besides is the answer.
    pub(super) async fn change_item<T>(
        &self,
        caller: &Caller,
        key: &ItemKey,
        change: impl FnOnce(&ItemRow) -> Result<(Option<PutItem>, T), Fault>,
    ) -> Result<T, Fault> {
        // One after another, from reading to commit: each is to be made of what the one before has left.
        let _turn = self.item_changes.lock().await;
        let Some(row) = self.item(key).await? else {
            let missing = CommandError::Rejected(Rejection::ItemNotFound(key.clone()));
            return Err(unavailable(&missing));
        };
        let (put, answer) = change(&row)?;
        if let Some(put) = put {
            let command = Command::UpdateItem {
                put: Box::new(put),
                version: row.version,
            };
            self.command(caller, command)
                .await
                .map_err(|error| unavailable(&error))?;
        }
        Ok(answer)
    }

    /// Deletes an item. One that is not there is as good as deleted (section 0.13; own decision where AWS is silent).
    pub(super) async fn delete_item(&self, caller: &Caller, key: ItemKey) -> Result<(), Fault> {
        match self.command(caller, Command::DeleteItem(key)).await {
            Ok(_) | Err(CommandError::Rejected(Rejection::ItemNotFound(_))) => Ok(()),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

/// The name of an item among its kind.
pub(super) fn item_name(key: &ItemKey) -> &str {
    match key {
        ItemKey::SchedulingPolicy(name) => name.as_str(),
        ItemKey::ConsumableResource(name) => name.as_str(),
        ItemKey::QuotaShare(_, name) => name.as_str(),
    }
}
