//! Job definitions.

use std::sync::Arc;

use batchyard_core::change::Document;
use batchyard_core::name::DefinitionName;
use batchyard_runtime::store::{DefinitionQuery, DefinitionRevision, DefinitionRow, Page};
use rusqlite::{Connection, Row};

use super::{one_more, page, tags};
use crate::sqlite::code::DEFINITION_FORGOTTEN;
use crate::sqlite::failure::Failure;

const COLUMNS: &str = "SELECT name, revision, is_active, document FROM definitions";

pub(in crate::sqlite) fn definitions(
    connection: &Connection,
    query: &DefinitionQuery,
) -> Result<Page<DefinitionRow, DefinitionRevision>, Failure> {
    match query {
        DefinitionQuery::Revisions(revisions) => {
            let mut statement = connection.prepare_cached(&format!(
                "{COLUMNS} WHERE name = ?1 AND revision = ?2 AND is_active <> ?3"
            ))?;
            let mut found = Vec::new();
            for DefinitionRevision { name, revision } in revisions {
                let mut rows = statement.query((name.as_str(), revision, DEFINITION_FORGOTTEN))?;
                if let Some(row) = rows.next()? {
                    found.push(definition(connection, row)?);
                }
            }
            Ok(Page {
                rows: found,
                next: None,
            })
        }
        DefinitionQuery::Page {
            name,
            is_active,
            after,
            limit,
        } => {
            // Within the name of the last one lower revisions follow, then higher names.
            let mut statement = connection.prepare_cached(&format!(
                "{COLUMNS} WHERE (name > ?1 OR (name = ?1 AND revision < ?2)) AND (?3 IS NULL OR name = ?3)
                 AND (?4 IS NULL OR is_active = ?4) AND is_active <> ?6 ORDER BY name, revision DESC LIMIT ?5"
            ))?;
            let (after_name, after_revision) = after
                .as_ref()
                .map_or(("", 0), |after| (after.name.as_str(), after.revision));
            let mut rows = statement.query((
                after_name,
                after_revision,
                name.as_ref().map(|name| name.as_str()),
                is_active,
                one_more(*limit),
                DEFINITION_FORGOTTEN,
            ))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(definition(connection, row)?);
            }
            Ok(page(found, *limit, |row| row.revision.clone()))
        }
    }
}

pub(in crate::sqlite) fn latest(
    connection: &Connection,
    name: &DefinitionName,
) -> Result<Option<DefinitionRow>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "{COLUMNS} WHERE name = ?1 AND is_active = 1 ORDER BY revision DESC LIMIT 1"
    ))?;
    let mut rows = statement.query([name.as_str()])?;
    rows.next()?.map(|row| definition(connection, row)).transpose()
}

fn definition(connection: &Connection, row: &Row<'_>) -> Result<DefinitionRow, Failure> {
    let name: String = row.get(0)?;
    let revision: u32 = row.get(1)?;
    let tags = tags(connection, &format!("job-definition/{name}:{revision}"))?;
    Ok(DefinitionRow {
        revision: DefinitionRevision {
            name: DefinitionName::parse(&name)
                .map_err(|error| Failure::damaged("definitions.name", error))?,
            revision,
        },
        is_active: row.get(2)?,
        document: Document(Arc::from(row.get::<_, String>(3)?)),
        tags,
    })
}
