//! Compute environments.

use std::sync::Arc;

use batchyard_core::change::Document;
use batchyard_core::id::EnvironmentId;
use batchyard_core::name::{EnvironmentKind, EnvironmentName};
use batchyard_runtime::store::{EnvironmentRow, Page, Select};
use rusqlite::{Connection, Row};

use super::{named, tags};
use crate::sqlite::code::{from_json, life, narrow, switch};
use crate::sqlite::failure::Failure;

const COLUMNS: &str = "SELECT id, name, version, switch, life, spec, document,
     (SELECT coalesce(sum(vcpus), 0) FROM instances WHERE environment = environments.id), renewal IS NOT NULL
     FROM environments";

pub(in crate::sqlite) fn environments(
    connection: &Connection,
    kind: EnvironmentKind,
    select: &Select<EnvironmentName>,
) -> Result<Page<EnvironmentRow, EnvironmentName>, Failure> {
    let name = |row: &EnvironmentRow| row.name.clone();
    named(
        connection,
        COLUMNS,
        // A slash is in the names of service environments, and of no others.
        match kind {
            EnvironmentKind::Compute => "instr(name, '/') = 0",
            EnvironmentKind::Service => "instr(name, '/') > 0",
        },
        select,
        EnvironmentName::as_str,
        name,
        environment,
    )
}

fn environment(connection: &Connection, row: &Row<'_>) -> Result<EnvironmentRow, Failure> {
    let name = EnvironmentName::read(&row.get::<_, String>(1)?)
        .map_err(|error| Failure::damaged("environments.name", error))?;
    Ok(EnvironmentRow {
        id: EnvironmentId(row.get(0)?),
        version: narrow("environments.version", row.get(2)?)?,
        switch: switch(row.get(3)?)?,
        life: life(row.get(4)?)?,
        spec: from_json("environments.spec", &row.get::<_, String>(5)?)?,
        instance_vcpus: row.get(7)?,
        is_renewing: row.get(8)?,
        document: Document(Arc::from(row.get::<_, String>(6)?)),
        tags: tags(connection, &name.resource())?,
        name,
    })
}
