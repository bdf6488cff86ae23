//! Job queues.

use std::sync::Arc;

use batchyard_core::blocked::Blocked;
use batchyard_core::change::Document;
use batchyard_core::id::{EnvironmentId, JobKey, QueueId};
use batchyard_core::job::JobStatus;
use batchyard_core::name::{EnvironmentName, QueueName};
use batchyard_runtime::store::{JobStateRow, Page, QueueRow, Select};
use rusqlite::{Connection, Row};

use super::{named, tags};
use crate::sqlite::code::{from_json, life, narrow, switch};
use crate::sqlite::failure::Failure;
use crate::sqlite::load::policy;

const COLUMNS: &str =
    "SELECT id, name, version, switch, life, priority, environments, document, policy, actions FROM queues";

pub(in crate::sqlite) fn queues(
    connection: &Connection,
    select: &Select<QueueName>,
) -> Result<Page<QueueRow, QueueName>, Failure> {
    let name = |row: &QueueRow| row.name.clone();
    named(connection, COLUMNS, "1", select, QueueName::as_str, name, queue)
}

fn queue(connection: &Connection, row: &Row<'_>) -> Result<QueueRow, Failure> {
    let name: String = row.get(1)?;
    let environments: Vec<EnvironmentId> = from_json("queues.environments", &row.get::<_, String>(6)?)?;
    let environments = environments
        .into_iter()
        .map(|id| environment_name(connection, id));
    Ok(QueueRow {
        id: QueueId(row.get(0)?),
        name: QueueName::parse(&name).map_err(|error| Failure::damaged("queues.name", error))?,
        version: narrow("queues.version", row.get(2)?)?,
        switch: switch(row.get(3)?)?,
        life: life(row.get(4)?)?,
        priority: row.get(5)?,
        environments: environments.collect::<Result<_, _>>()?,
        policy: policy(row.get(8)?)?,
        actions: from_json("queues.actions", &row.get::<_, String>(9)?)?,
        document: Document(Arc::from(row.get::<_, String>(7)?)),
        tags: tags(connection, &format!("job-queue/{name}"))?,
    })
}

/// What holds queues up: at most one front of each line, and lines are some hundreds at most.
pub(super) struct BlockedFronts(Vec<Blocked>);

impl BlockedFronts {
    pub(super) fn read(connection: &Connection) -> Result<Self, Failure> {
        let mut statement = connection.prepare_cached("SELECT content FROM blocked_lines")?;
        let mut rows = statement.query([])?;
        let mut fronts = Vec::new();
        while let Some(row) = rows.next()? {
            fronts.push(from_json("blocked_lines.content", &row.get::<_, String>(0)?)?);
        }
        Ok(BlockedFronts(fronts))
    }

    /// Gives a job the reason why it holds its queue up, if it does.
    pub(super) fn tell(&self, key: JobKey, state: &mut JobStateRow) {
        let front = self.0.iter().find(|blocked| blocked.job == key);
        if let Some(front) = front.filter(|_| state.status == JobStatus::Runnable) {
            state.status_reason = Some(front.cause.status_reason().as_str().to_owned());
        }
    }
}

/// The name of an environment, also of one that is gone.
pub(super) fn environment_name(
    connection: &Connection,
    id: EnvironmentId,
) -> Result<EnvironmentName, Failure> {
    let name: String = connection
        .prepare_cached("SELECT name FROM environments WHERE id = ?1")?
        .query_row([id.0], |row| row.get(0))?;
    EnvironmentName::read(&name).map_err(|error| Failure::damaged("environments.name", error))
}
