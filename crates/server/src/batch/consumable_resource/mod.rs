//! Consumable resources (sections A.7 and C.5): tokens, licences and the like, which jobs take while they run or for good.

mod create;
mod delete;
mod describe;
mod jobs;
mod list;
mod update;

use batchyard_core::change::Document;
use batchyard_core::item::{ConsumableResource, Item, ItemKey};
use batchyard_core::name::ConsumableResourceName;
use batchyard_runtime::store::{ItemRow, TextMatch};
use batchyard_wire::Fault;
use batchyard_wire::batch::KeyValuesPair;
use batchyard_wire::batch::errors::client_exception;
use serde::{Deserialize, Serialize};

use crate::arn;
use crate::batch::{Batch, unavailable};

/// What comes back when a job ends (section A.7).
const REPLENISHABLE: &str = "REPLENISHABLE";
/// What does not.
const NON_REPLENISHABLE: &str = "NON_REPLENISHABLE";

/// What the store keeps besides the facts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ConsumableDocument {
    /// Updates with a client token of the last hours: asked for again, they are not made again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    updates: Vec<TokenUpdate>,
}

/// An update that came with a client token.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TokenUpdate {
    token: String,
    /// Milliseconds since the epoch.
    at: i64,
    operation: String,
    quantity: u64,
    /// What there was afterwards.
    total: u64,
}

impl ConsumableDocument {
    fn write(&self) -> Document {
        let text =
            serde_json::to_string(self).expect("documents of consumable resources have only text keys");
        Document(text.into())
    }

    /// Reads what this server, or an older one, wrote.
    fn read(document: &Document) -> ConsumableDocument {
        serde_json::from_str(&document.0)
            .expect("the server wrote the document itself, and the store keeps it")
    }
}

/// The key of a reference, a name or an ARN.
///
/// # Errors
/// For what can be neither.
fn key(reference: &str) -> Result<ItemKey, Fault> {
    ConsumableResourceName::parse(arn::name("consumable-resource", reference))
        .map(ItemKey::ConsumableResource)
        .map_err(|_| not_found(reference))
}

/// Own words (section L.1).
fn not_found(reference: &str) -> Fault {
    client_exception(format!("ConsumableResource {reference} not found."))
}

fn facts(row: &ItemRow) -> ConsumableResource {
    match &row.item {
        Item::ConsumableResource(facts) => *facts,
        Item::SchedulingPolicy(_) | Item::QuotaShare(_) => {
            unreachable!("the core keeps items of the key's kind only")
        }
    }
}

impl Batch {
    /// What jobs hold of each and will give back.
    async fn in_use<'a>(&self, keys: impl IntoIterator<Item = &'a ItemKey>) -> Result<Vec<u64>, Fault> {
        let keys: Vec<ItemKey> = keys.into_iter().cloned().collect();
        let in_use = self.driver.read(move |core| {
            let in_use = keys.iter().map(|key| match key {
                ItemKey::ConsumableResource(name) => core.state().supply(name).1,
                ItemKey::SchedulingPolicy(_) | ItemKey::QuotaShare(..) => 0,
            });
            in_use.collect()
        });
        in_use.await.map_err(|error| unavailable(&error))
    }
}

fn resource_type(facts: ConsumableResource) -> String {
    let text = if facts.is_replenishable {
        REPLENISHABLE
    } else {
        NON_REPLENISHABLE
    };
    text.to_owned()
}

/// A quantity as the API writes it.
fn quantity(quantity: u64) -> Option<i64> {
    i64::try_from(quantity).ok()
}

/// The one filter of a list, by the names that it may have; `None` without one. The texts are our own.
fn one_filter<'a>(filters: &'a [KeyValuesPair], names: &[&str]) -> Result<Option<(&'a str, &'a str)>, Fault> {
    let pair = match filters {
        [] => return Ok(None),
        [pair] => pair,
        _ => return Err(client_exception("Only one filter is allowed.")),
    };
    let name = pair.name.as_deref().unwrap_or_default();
    if !names.contains(&name) {
        return Err(client_exception(format!("{name} is not the name of a filter.")));
    }
    match pair.values.as_deref().unwrap_or_default() {
        [value] => Ok(Some((name, value))),
        _ => Err(client_exception(format!(
            "The filter {name} needs exactly one value."
        ))),
    }
}

fn text_match(value: &str) -> TextMatch {
    let prefix = value.strip_suffix('*');
    TextMatch {
        text: prefix.unwrap_or(value).to_owned(),
        is_prefix: prefix.is_some(),
    }
}
