//! Lists of jobs, newest first, and of children, by index.

use batchyard_core::array::Array;
use batchyard_core::id::{ArrayIndex, JobId, JobKey, Sequence};
use batchyard_core::interval_set::IntervalSet;
use batchyard_core::job::JobStatus;
use batchyard_runtime::store::{
    DefinitionRevision, JobCursor, JobFilter, JobQuery, JobScope, JobSummaryRow, Page, TextMatch,
};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::child::{ChildRow, child};
use super::job::{StateColumns, array_row, definition_name};
use super::node::{node, nodes_row};
use super::queue::BlockedFronts;
use super::{one_more, page};
use crate::sqlite::code::{at, job_id, narrow, number, status_code, time};
use crate::sqlite::failure::Failure;
use crate::sqlite::load::array;
use crate::sqlite::profile::KnownProfiles;

const COLUMNS: &str = "SELECT sequence, id, name, definition, revision, profile, created_at,
     status, started_at, stopped_at, exit_code, reason, status_reason, is_cancelled, is_terminated,
     array_size, array_counts, array_updated_at, node_count, main_node FROM jobs";

pub(in crate::sqlite) fn list_jobs(
    connection: &Connection,
    profiles: &KnownProfiles,
    query: &JobQuery,
) -> Result<Page<JobSummaryRow, JobCursor>, Failure> {
    match &query.scope {
        JobScope::Queue(queue) => {
            let queue = Value::from(i64::from(queue.0));
            whole_jobs(connection, profiles, query, "queue = ?", queue)
        }
        JobScope::Consumers(name) => {
            let name = Value::from(name.as_str().to_owned());
            whole_jobs(connection, profiles, query, CONSUMERS, name)
        }
        JobScope::Array(id) => children(connection, profiles, query, *id),
        JobScope::Nodes(id) => nodes(connection, profiles, query, *id),
    }
}

/// Conditions in SQL, with their values.
struct Conditions {
    text: String,
    values: Vec<Value>,
}

impl Conditions {
    fn add(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        let separator = if self.text.is_empty() { "WHERE" } else { "AND" };
        self.text = format!("{} {separator} {condition}", self.text);
        self.values.extend(values);
    }

    fn add_filter(&mut self, filter: &JobFilter) {
        match filter {
            JobFilter::Name(text) => self.add_text("name", "COLLATE NOCASE", text),
            JobFilter::Definition(text) => self.add_text("definition", "", text),
            JobFilter::Revision(DefinitionRevision { name, revision }) => self.add(
                "definition = ? AND revision = ?",
                [
                    Value::from(name.as_str().to_owned()),
                    Value::from(i64::from(*revision)),
                ],
            ),
            JobFilter::CreatedBefore(time) => self.add("created_at < ?", [Value::from(at(*time))]),
            JobFilter::Share(share) => self.add(
                "profile IN (SELECT id FROM profiles WHERE json_extract(content, '$.share.identifier') = ?)",
                [Value::from(share.clone())],
            ),
            JobFilter::QuotaShare(share) => self.add(
                "profile IN (SELECT id FROM profiles WHERE json_extract(content, '$.service.quota_share') = ?)",
                [Value::from(share.clone())],
            ),
            JobFilter::CreatedAfter(time) => self.add("created_at > ?", [Value::from(at(*time))]),
        }
    }

    /// Names have letters of ASCII only: NOCASE knows them all. Only job names are compared so (section A4.22).
    fn add_text(&mut self, column: &str, collation: &str, text: &TextMatch) {
        let TextMatch { text, is_prefix } = text;
        match is_prefix {
            false => self.add(&format!("{column} = ? {collation}"), [Value::from(text.clone())]),
            true => self.add(
                &format!("substr({column}, 1, length(?)) = ? {collation}"),
                [Value::from(text.clone()), Value::from(text.clone())],
            ),
        }
    }
}

/// Jobs that take of a consumable resource.
const CONSUMERS: &str =
    "profile IN (SELECT profiles.id FROM profiles, json_each(profiles.content, '$.consumables') AS claim
     WHERE json_extract(claim.value, '$.name') = ?)";

/// Single jobs and array parents for which a condition on one value holds.
fn whole_jobs(
    connection: &Connection,
    profiles: &KnownProfiles,
    query: &JobQuery,
    condition: &str,
    value: Value,
) -> Result<Page<JobSummaryRow, JobCursor>, Failure> {
    let mut conditions = Conditions {
        text: String::new(),
        values: Vec::new(),
    };
    conditions.add(condition, [value]);
    if let Some(status) = query.status {
        conditions.add("status = ?", [Value::from(status_code(status))]);
    }
    if let Some(JobCursor::Sequence(after)) = query.after {
        conditions.add("sequence < ?", [Value::from(number(after.0))]);
    }
    if let Some(filter) = &query.filter {
        conditions.add_filter(filter);
    }
    let Conditions { text, mut values } = conditions;
    values.push(Value::from(one_more(query.limit)));
    let mut statement =
        connection.prepare_cached(&format!("{COLUMNS} {text} ORDER BY sequence DESC LIMIT ?"))?;
    let mut rows = statement.query(params_from_iter(values))?;
    let fronts = BlockedFronts::read(connection)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let sequence = Sequence(narrow("jobs.sequence", row.get(0)?)?);
        let mut summary = summary(connection, profiles, row)?;
        fronts.tell(summary.key, &mut summary.state);
        found.push((sequence, summary));
    }
    let Page { rows, next } = page(found, query.limit, |(sequence, _)| JobCursor::Sequence(*sequence));
    let rows = rows.into_iter().map(|(_, summary)| summary).collect();
    Ok(Page { rows, next })
}

fn summary(
    connection: &Connection,
    profiles: &KnownProfiles,
    row: &Row<'_>,
) -> Result<JobSummaryRow, Failure> {
    let profile = profiles.profile(connection, row.get(5)?)?;
    Ok(JobSummaryRow {
        key: JobKey::whole(job_id(row.get(1)?)),
        name: row.get(2)?,
        definition: DefinitionRevision {
            name: definition_name(&row.get::<_, String>(3)?)?,
            revision: row.get(4)?,
        },
        vcpus: profile.resources.vcpus,
        share: profile.share.as_ref().map(|share| share.identifier.clone()),
        state: StateColumns::read(row, 7)?.of(time(row.get(6)?))?,
        array: array_row(row, 15)?,
        nodes: nodes_row(row, 18)?,
    })
}

fn children(
    connection: &Connection,
    profiles: &KnownProfiles,
    query: &JobQuery,
    id: JobId,
) -> Result<Page<JobSummaryRow, JobCursor>, Failure> {
    let Some(parent) = parent(
        connection,
        profiles,
        query,
        id,
        "id = ? AND array_size IS NOT NULL",
    )?
    else {
        return Ok(nothing());
    };
    let array = array(connection, id)?;
    let first = first_after(query.after);
    let wanted = with_status(&array, query.status);
    let fronts = BlockedFronts::read(connection)?;
    let mut found = Vec::new();
    for index in from(&wanted, first).take(query.limit.saturating_add(1)) {
        let row = child(connection, id, index, &array, parent.state.created_at)?;
        let Some(ChildRow {
            mut state,
            current: _,
        }) = row
        else {
            continue;
        };
        let key = JobKey::child(id, index);
        fronts.tell(key, &mut state);
        found.push((
            index,
            JobSummaryRow {
                key,
                state,
                array: None,
                ..parent.clone()
            },
        ));
    }
    let Page { rows, next } = page(found, query.limit, |(index, _)| JobCursor::Child(*index));
    let rows = rows.into_iter().map(|(_, summary)| summary).collect();
    Ok(Page { rows, next })
}

/// The parent of listed children or nodes, for which a condition on its id holds. All of these have its name, definition and time of
/// submission: a filter takes all of them or none.
fn parent(
    connection: &Connection,
    profiles: &KnownProfiles,
    query: &JobQuery,
    id: JobId,
    condition: &str,
) -> Result<Option<JobSummaryRow>, Failure> {
    let mut conditions = Conditions {
        text: String::new(),
        values: Vec::new(),
    };
    conditions.add(condition, [Value::from(id.to_bytes().to_vec())]);
    if let Some(filter) = &query.filter {
        conditions.add_filter(filter);
    }
    let Conditions { text, values } = conditions;
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} {text}"))?;
    let mut rows = statement.query(params_from_iter(values))?;
    match rows.next()? {
        Some(row) => Ok(Some(summary(connection, profiles, row)?)),
        None => Ok(None),
    }
}

fn nothing() -> Page<JobSummaryRow, JobCursor> {
    Page {
        rows: Vec::new(),
        next: None,
    }
}

fn first_after(after: Option<JobCursor>) -> ArrayIndex {
    match after {
        Some(JobCursor::Child(after)) => after.saturating_add(1),
        Some(JobCursor::Sequence(_)) | None => 0,
    }
}

/// Nodes are a thousand at most: each is looked at.
fn nodes(
    connection: &Connection,
    profiles: &KnownProfiles,
    query: &JobQuery,
    id: JobId,
) -> Result<Page<JobSummaryRow, JobCursor>, Failure> {
    let Some(parent) = parent(
        connection,
        profiles,
        query,
        id,
        "id = ? AND node_count IS NOT NULL",
    )?
    else {
        return Ok(nothing());
    };
    let Some(facts) = parent.nodes else {
        return Ok(nothing());
    };
    let profile = profiles.profile(connection, profile_number(connection, id)?)?;
    let mut found = Vec::new();
    for index in first_after(query.after)..facts.count {
        let row = node(connection, id, index, facts, &parent.state)?;
        let Some(ChildRow { state, current: _ }) = row else {
            continue;
        };
        if query.status.is_some_and(|status| status != state.status) {
            continue;
        }
        let summary = JobSummaryRow {
            key: JobKey::child(id, index),
            state,
            vcpus: profile.need(Some(index)).vcpus,
            ..parent.clone()
        };
        found.push((index, summary));
        if found.len() > query.limit {
            break;
        }
    }
    let Page { rows, next } = page(found, query.limit, |(index, _)| JobCursor::Child(*index));
    let rows = rows.into_iter().map(|(_, summary)| summary).collect();
    Ok(Page { rows, next })
}

fn profile_number(connection: &Connection, id: JobId) -> Result<i64, Failure> {
    let mut statement = connection.prepare_cached("SELECT profile FROM jobs WHERE id = ?1")?;
    Ok(statement.query_row([id.to_bytes()], |row| row.get(0))?)
}

/// The children in this state, or all.
fn with_status(array: &Array, status: Option<JobStatus>) -> IntervalSet {
    let Some(status) = status else {
        return IntervalSet::up_to(array.size);
    };
    let mut wanted = match status {
        JobStatus::Submitted | JobStatus::Scheduled | JobStatus::Starting | JobStatus::Running => {
            IntervalSet::default()
        }
        JobStatus::Pending => array.waiting.clone(),
        JobStatus::Runnable => array.runnable.clone(),
        JobStatus::Succeeded => array.succeeded.clone(),
        JobStatus::Failed => array.failed.clone(),
    };
    for (index, _) in array
        .executions
        .iter()
        .filter(|(_, execution)| execution.status() == status)
    {
        wanted.insert(batchyard_core::interval_set::Interval::one(*index));
    }
    wanted
}

/// The indexes from `first` on. Intervals before it are passed over as a whole.
fn from(set: &IntervalSet, first: ArrayIndex) -> impl Iterator<Item = ArrayIndex> {
    let intervals = set
        .intervals()
        .iter()
        .filter(move |interval| interval.last() >= first);
    intervals.flat_map(move |interval| interval.first().max(first)..=interval.last())
}
