//! Compute environments.

use std::sync::Arc;

use batchyard_core::change::Document;
use batchyard_core::id::EnvironmentId;
use batchyard_core::name::EnvironmentName;
use batchyard_runtime::store::{EnvironmentRow, Page, Select};
use rusqlite::{Connection, Row};

use super::{one_more, page, tags};
use crate::sqlite::code::{LIFE_GONE, from_json, life, narrow, switch};
use crate::sqlite::failure::Failure;

const COLUMNS: &str = "SELECT id, name, version, switch, life, spec, document,
     (SELECT coalesce(sum(vcpus), 0) FROM instances WHERE environment = environments.id) FROM environments";

pub(in crate::sqlite) fn environments(
    connection: &Connection,
    select: &Select<EnvironmentName>,
) -> Result<Page<EnvironmentRow, EnvironmentName>, Failure> {
    match select {
        Select::Named(names) => {
            let mut statement =
                connection.prepare_cached(&format!("{COLUMNS} WHERE name = ?1 AND life < ?2"))?;
            let mut found = Vec::new();
            for name in names {
                let mut rows = statement.query((name.as_str(), LIFE_GONE))?;
                if let Some(row) = rows.next()? {
                    found.push(environment(connection, row)?);
                }
            }
            Ok(Page {
                rows: found,
                next: None,
            })
        }
        Select::Page { after, limit } => {
            let mut statement = connection.prepare_cached(&format!(
                "{COLUMNS} WHERE name > ?1 AND life < ?2 ORDER BY name LIMIT ?3"
            ))?;
            // Names are not empty: all are after "".
            let after = after.as_ref().map_or("", |name| name.as_str());
            let mut rows = statement.query((after, LIFE_GONE, one_more(*limit)))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(environment(connection, row)?);
            }
            Ok(page(found, *limit, |row| row.name.clone()))
        }
    }
}

fn environment(connection: &Connection, row: &Row<'_>) -> Result<EnvironmentRow, Failure> {
    let name: String = row.get(1)?;
    Ok(EnvironmentRow {
        id: EnvironmentId(row.get(0)?),
        name: EnvironmentName::parse(&name).map_err(|error| Failure::damaged("environments.name", error))?,
        version: narrow("environments.version", row.get(2)?)?,
        switch: switch(row.get(3)?)?,
        life: life(row.get(4)?)?,
        spec: from_json("environments.spec", &row.get::<_, String>(5)?)?,
        instance_vcpus: row.get(7)?,
        document: Document(Arc::from(row.get::<_, String>(6)?)),
        tags: tags(connection, &format!("compute-environment/{name}"))?,
    })
}
