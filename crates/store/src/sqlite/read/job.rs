//! Jobs in full.

use std::sync::Arc;

use batchyard_core::array::StatusCounts;
use batchyard_core::change::{Document, JobContent};
use batchyard_core::id::{AttemptNumber, EnvironmentId, InstanceId, JobId, JobKey, Sequence};
use batchyard_core::job::{Dependency, Placement};
use batchyard_core::launch::NodeLaunches;
use batchyard_core::name::{DefinitionName, QueueName};
use batchyard_core::time::Timestamp;
use batchyard_core::token::KeptToken;
use batchyard_runtime::store::{ArrayRow, AttemptRow, JobRow, JobStateRow, LaunchRow, PlaceRow};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::child::{ChildRow, child};
use super::node::{node, nodes_row};
use super::queue::{BlockedFronts, environment_name};
use super::tags;
use crate::sqlite::code::{child_code, from_json, gpus, job_id, narrow, placement, status, time};
use crate::sqlite::failure::Failure;
use crate::sqlite::load::{array, kept_token};
use crate::sqlite::profile::KnownProfiles;

pub(in crate::sqlite) fn launch(connection: &Connection, id: JobId) -> Result<Option<LaunchRow>, Failure> {
    type Columns = (String, String, Option<u32>, Option<String>);
    let row: Option<Columns> = connection
        .prepare_cached(
            "SELECT job_contents.launch, queues.name, jobs.array_size, job_contents.nodes FROM jobs
             JOIN job_contents ON job_contents.sequence = jobs.sequence JOIN queues ON queues.id = jobs.queue
             WHERE jobs.id = ?1",
        )?
        .query_row([id.to_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((launch, queue, array_size, nodes)) = row else {
        return Ok(None);
    };
    Ok(Some(LaunchRow {
        launch: Arc::new(from_json("job_contents.launch", &launch)?),
        queue: queue_name(&queue)?,
        array_size,
        nodes: node_launches(nodes)?,
    }))
}

pub(in crate::sqlite) fn client_token(
    connection: &Connection,
    token: &str,
) -> Result<Option<KeptToken>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT token, digest, job, at, life FROM client_tokens WHERE token = ?1")?;
    Ok(statement.query_row([token], kept_token).optional()?)
}

pub(in crate::sqlite) fn jobs(
    connection: &Connection,
    profiles: &KnownProfiles,
    keys: &[JobKey],
) -> Result<Vec<JobRow>, Failure> {
    let fronts = BlockedFronts::read(connection)?;
    let mut found = Vec::new();
    for key in keys {
        found.extend(job(connection, profiles, &fronts, *key)?);
    }
    Ok(found)
}

fn job(
    connection: &Connection,
    profiles: &KnownProfiles,
    fronts: &BlockedFronts,
    key: JobKey,
) -> Result<Option<JobRow>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT jobs.sequence, queues.name, jobs.profile, jobs.name, definition, revision, launch, job_contents.document, created_at,
         array_size, array_counts, array_updated_at,
         status, started_at, stopped_at, exit_code, reason, status_reason, is_cancelled, is_terminated,
         attempts_ended, environment, instance, gpus, node_count, main_node, job_contents.nodes, scheduled_at
         FROM jobs JOIN job_contents ON job_contents.sequence = jobs.sequence JOIN queues ON queues.id = jobs.queue
         WHERE jobs.id = ?1",
    )?;
    let mut rows = statement.query([key.id.to_bytes()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let created_at = time(row.get(8)?);
    let array_row = array_row(row, 9)?;
    let nodes = nodes_row(row, 24)?;
    let (mut state, current, dependencies) = match (key.child, array_row.is_some(), nodes) {
        (None, is_array, _) => {
            let state = StateColumns::read(row, 12)?.of(created_at)?;
            let dependencies = match is_array {
                // The record of an array that has ended keeps what it still waited for.
                true if state.status.is_terminal() => Vec::new(),
                true => array(connection, key.id)?.gate,
                false => dependencies(connection, key.id)?,
            };
            (state, current_attempt(row, 20)?, dependencies)
        }
        (Some(index), _, Some(nodes)) => {
            let job = StateColumns::read(row, 12)?.of(created_at)?;
            let Some(ChildRow { state, current }) = node(connection, key.id, index, nodes, &job)? else {
                return Ok(None);
            };
            (state, current, Vec::new())
        }
        (Some(index), true, None) => {
            let array = array(connection, key.id)?;
            let Some(ChildRow { state, current }) = child(connection, key.id, index, &array, created_at)?
            else {
                return Ok(None);
            };
            (state, current, Vec::new())
        }
        (Some(_), false, None) => return Ok(None),
    };
    fronts.tell(key, &mut state);
    let current =
        current.map(|(attempt, placement)| Ok::<_, Failure>((attempt, place(connection, placement)?)));
    let mut content = content(row)?;
    let of_node = |launches: &Arc<NodeLaunches>| launches.of(key.child?).cloned();
    if let Some(launch) = content.nodes.as_ref().and_then(of_node) {
        content.launch = launch;
    }
    // What runs of a job with nodes as a whole is its main node.
    let runs = match (key.child, nodes) {
        (None, Some(nodes)) => JobKey::child(key.id, nodes.main),
        (_, _) => key,
    };
    Ok(Some(JobRow {
        key,
        sequence: Sequence(narrow("jobs.sequence", row.get(0)?)?),
        queue: queue_name(&row.get::<_, String>(1)?)?,
        profile: (*profiles.profile(connection, row.get(2)?)?).clone(),
        content: JobContent {
            tags: match key.child {
                None => tags(connection, &format!("job/{}", key.id))?,
                Some(_) => Vec::new(),
            },
            ..content
        },
        dependencies,
        state,
        scheduled_at: row.get::<_, Option<i64>>(27)?.map(time),
        attempts: attempts(connection, runs)?,
        current: current.transpose()?,
        array: array_row.filter(|_| key.child.is_none()),
        nodes,
    }))
}

fn content(row: &Row<'_>) -> Result<JobContent, Failure> {
    Ok(JobContent {
        name: row.get(3)?,
        definition: definition_name(&row.get::<_, String>(4)?)?,
        revision: row.get(5)?,
        launch: Arc::new(from_json("job_contents.launch", &row.get::<_, String>(6)?)?),
        nodes: node_launches(row.get(26)?)?,
        document: Document(Arc::from(row.get::<_, String>(7)?)),
        tags: Vec::new(),
    })
}

fn node_launches(text: Option<String>) -> Result<Option<Arc<NodeLaunches>>, Failure> {
    text.map(|text| from_json("job_contents.nodes", &text))
        .transpose()
}

fn dependencies(connection: &Connection, id: JobId) -> Result<Vec<Dependency>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT on_job, on_child FROM dependencies WHERE job = ?1 ORDER BY position")?;
    let rows = statement.query_map([id.to_bytes()], |row| {
        let on = JobKey {
            id: job_id(row.get(0)?),
            child: row.get(1)?,
        };
        Ok(Dependency { on })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn attempts(connection: &Connection, key: JobKey) -> Result<Vec<AttemptRow>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT attempt, environment, instance, gpus, started_at, stopped_at, exit_code, reason, status_reason, containers,
         is_preempted FROM attempts WHERE job = ?1 AND child = ?2 ORDER BY attempt",
    )?;
    let mut rows = statement.query((key.id.to_bytes(), child_code(key)))?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        let instance: Option<u32> = row.get(2)?;
        let placement = Placement {
            environment: EnvironmentId(row.get(1)?),
            instance: instance.map(InstanceId),
            gpus: gpus(row.get(3)?),
        };
        let started_at: Option<i64> = row.get(4)?;
        let containers: Option<String> = row.get(9)?;
        attempts.push(AttemptRow {
            attempt: row.get(0)?,
            place: place(connection, placement)?,
            started_at: started_at.map(time),
            stopped_at: time(row.get(5)?),
            exit_code: row.get(6)?,
            reason: row.get(7)?,
            status_reason: row.get(8)?,
            containers: match containers {
                Some(text) => from_json("containers", &text)?,
                None => Vec::new(),
            },
            is_preempted: row.get(10)?,
        });
    }
    Ok(attempts)
}

fn place(connection: &Connection, placement: Placement) -> Result<PlaceRow, Failure> {
    Ok(PlaceRow {
        placement,
        environment: environment_name(connection, placement.environment)?,
    })
}

/// The columns that say how a job or child stands, from `status` to `is_terminated`.
pub(super) struct StateColumns {
    status: i64,
    started_at: Option<i64>,
    stopped_at: Option<i64>,
    exit_code: Option<i32>,
    reason: Option<String>,
    status_reason: Option<String>,
    is_cancelled: bool,
    is_terminated: bool,
}

impl StateColumns {
    pub(super) fn read(row: &Row<'_>, first: usize) -> Result<Self, rusqlite::Error> {
        Ok(StateColumns {
            status: row.get(first)?,
            started_at: row.get(first + 1)?,
            stopped_at: row.get(first + 2)?,
            exit_code: row.get(first + 3)?,
            reason: row.get(first + 4)?,
            status_reason: row.get(first + 5)?,
            is_cancelled: row.get(first + 6)?,
            is_terminated: row.get(first + 7)?,
        })
    }

    /// As the port has it, of a job submitted at this time.
    pub(super) fn of(self, created_at: Timestamp) -> Result<JobStateRow, Failure> {
        let StateColumns {
            status: code,
            started_at,
            stopped_at,
            exit_code,
            reason,
            status_reason,
            is_cancelled,
            is_terminated,
        } = self;
        Ok(JobStateRow {
            status: status(code)?,
            status_reason,
            created_at,
            started_at: started_at.map(time),
            stopped_at: stopped_at.map(time),
            exit_code,
            reason,
            is_cancelled,
            is_terminated,
        })
    }
}

/// The present attempt in the columns `attempts_ended`, `environment`, `instance`, `gpus` from `first` on.
pub(super) fn current_attempt(
    row: &Row<'_>,
    first: usize,
) -> Result<Option<(AttemptNumber, Placement)>, Failure> {
    let attempts_ended: AttemptNumber = row.get(first)?;
    Ok(placement(row, first + 1)?.map(|placement| (attempts_ended + 1, placement)))
}

/// What lists and descriptions show of an array, in the columns `array_size`, `array_counts`, `array_updated_at` from `first` on.
pub(super) fn array_row(row: &Row<'_>, first: usize) -> Result<Option<ArrayRow>, Failure> {
    let size: Option<u32> = row.get(first)?;
    let Some(size) = size else {
        return Ok(None);
    };
    let counts: StatusCounts = from_json("jobs.array_counts", &row.get::<_, String>(first + 1)?)?;
    Ok(Some(ArrayRow {
        size,
        counts,
        updated_at: time(row.get(first + 2)?),
    }))
}

pub(super) fn definition_name(text: &str) -> Result<DefinitionName, Failure> {
    DefinitionName::parse(text).map_err(|error| Failure::damaged("definition", error))
}

fn queue_name(text: &str) -> Result<QueueName, Failure> {
    QueueName::parse(text).map_err(|error| Failure::damaged("queues.name", error))
}
