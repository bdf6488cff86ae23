//! Scheduling policies, consumable resources, quota shares.

use batchyard_core::change::Document;
use batchyard_core::item::ItemKey;
use batchyard_runtime::store::{ItemRow, ItemScope, ItemSelect, Page, TextMatch};
use rusqlite::{Connection, Row};

use super::{one_more, page, tags};
use crate::sqlite::code::{from_json, narrow, time};
use crate::sqlite::failure::Failure;

const COLUMNS: &str = "SELECT resource, key, version, item, document, created_at FROM items";

pub(in crate::sqlite) fn items(
    connection: &Connection,
    select: &ItemSelect,
) -> Result<Page<ItemRow, ItemKey>, Failure> {
    match select {
        ItemSelect::Keyed(keys) => {
            let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE resource = ?1"))?;
            let mut found = Vec::new();
            for key in keys {
                let mut rows = statement.query([key.resource()])?;
                if let Some(row) = rows.next()? {
                    found.push(item(connection, row)?);
                }
            }
            Ok(Page {
                rows: found,
                next: None,
            })
        }
        ItemSelect::Page {
            scope,
            name,
            after,
            limit,
        } => {
            let prefix = prefix(scope);
            let after = after.as_ref().map_or_else(|| prefix.clone(), ItemKey::resource);
            let TextMatch { text, is_prefix } = name.clone().unwrap_or(TextMatch {
                text: String::new(),
                is_prefix: true,
            });
            // The name is what follows the prefix, up to the end: names have no slash, so those below another kind's prefix do not match.
            // They have letters of ASCII only: NOCASE knows them all (section A.7).
            // '0' is the character behind '/'.
            let end = format!("{}0", prefix.trim_end_matches('/'));
            let mut statement = connection.prepare_cached(&format!(
                "{COLUMNS} WHERE resource > ?1 AND resource < ?6
                 AND substr(resource, length(?2) + 1, CASE WHEN ?4 THEN length(?3) ELSE 1000 END) = ?3 COLLATE NOCASE
                 ORDER BY resource LIMIT ?5"
            ))?;
            let mut rows = statement.query((after, prefix, text, is_prefix, one_more(*limit), end))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(item(connection, row)?);
            }
            Ok(page(found, *limit, |row| row.key.clone()))
        }
    }
}

/// What the resources of a scope begin with, and no others.
fn prefix(scope: &ItemScope) -> String {
    match scope {
        ItemScope::SchedulingPolicies => "scheduling-policy/".to_owned(),
        ItemScope::ConsumableResources => "consumable-resource/".to_owned(),
        ItemScope::QuotaShares(queue) => format!("job-queue/{queue}/quota-share/"),
    }
}

fn item(connection: &Connection, row: &Row<'_>) -> Result<ItemRow, Failure> {
    let resource: String = row.get(0)?;
    Ok(ItemRow {
        key: from_json("items.key", &row.get::<_, String>(1)?)?,
        version: narrow("items.version", row.get(2)?)?,
        item: from_json("items.item", &row.get::<_, String>(3)?)?,
        document: Document(row.get::<_, String>(4)?.into()),
        created_at: time(row.get(5)?),
        tags: tags(connection, &resource)?,
    })
}
