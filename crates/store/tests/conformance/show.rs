//! Rows as one line each, for tests that say what they expect.

use batchyard_core::array::StatusCounts;
use batchyard_core::id::JobKey;
use batchyard_core::time::Timestamp;
use batchyard_runtime::store::{AttemptRow, JobRow, JobStateRow, JobSummaryRow, Store};

/// How a job or child stands: its state, then its attempts.
pub(crate) fn job(store: &dyn Store, key: JobKey) -> String {
    let rows = store.jobs(&[key]).unwrap();
    let Some(row) = rows.first() else {
        return "unknown".to_owned();
    };
    let JobRow {
        dependencies,
        state: of_job,
        attempts,
        current,
        array,
        ..
    } = row;
    let mut lines = vec![state(of_job)];
    if !dependencies.is_empty() {
        lines.push(format!("  waits for {}", dependencies.len()));
    }
    if let Some(array) = array {
        lines.push(format!("  {}: {}", array.size, counts(&array.counts)));
    }
    for attempt in attempts {
        let AttemptRow {
            attempt,
            place,
            started_at,
            stopped_at,
            exit_code,
            reason,
            status_reason,
            containers,
            is_preempted,
        } = attempt;
        let from = time(*started_at);
        let until = time(Some(*stopped_at));
        let exit_code = exit_code.map_or("-".to_owned(), |code| code.to_string());
        let reason = reason.as_deref().unwrap_or("-");
        lines.push(format!(
            "  {attempt} in {}, {from} to {until}: exit {exit_code}, {reason}, {status_reason}{}",
            place.environment,
            if *is_preempted { ", preempted" } else { "" }
        ));
        for end in containers {
            lines.push(format!("    {}: {:?} {:?}", end.name, end.exit_code, end.reason));
        }
    }
    if let Some((attempt, place)) = current {
        lines.push(format!("  {attempt} in {}, live", place.environment));
    }
    lines.join("\n")
}

/// How it stands: times in seconds since the world began.
pub(crate) fn state(state: &JobStateRow) -> String {
    let JobStateRow {
        status,
        status_reason,
        created_at,
        started_at,
        stopped_at,
        exit_code,
        reason,
        is_cancelled,
        is_terminated,
    } = state;
    let mut words = vec![
        status.as_str().to_owned(),
        format!("created {}", time(Some(*created_at))),
    ];
    let mut add =
        |name: &str, value: Option<String>| words.extend(value.map(|value| format!("{name}{value}")));
    add("started ", started_at.map(|at| time(Some(at))));
    add("stopped ", stopped_at.map(|at| time(Some(at))));
    add("exit ", exit_code.map(|code| code.to_string()));
    add("", reason.clone());
    add("because ", status_reason.clone());
    add("cancelled", is_cancelled.then(String::new));
    add("terminated", is_terminated.then(String::new));
    words.join(", ")
}

pub(crate) fn counts(counts: &StatusCounts) -> String {
    let StatusCounts {
        pending,
        runnable,
        starting,
        running,
        succeeded,
        failed,
    } = counts;
    format!(
        "{pending} pending, {runnable} runnable, {starting} starting, {running} running, {succeeded} succeeded, {failed} failed"
    )
}

/// The names of listed jobs, or the indexes of children, and their states.
pub(crate) fn list(rows: &[JobSummaryRow]) -> String {
    let words = rows.iter().map(|row| {
        let name = row.key.child.map_or(row.name.clone(), |child| child.to_string());
        format!("{name} {}", row.state.status.as_str())
    });
    words.collect::<Vec<_>>().join(", ")
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or("-".to_owned(), |at| {
        format!("{}s", (at.as_millis() - 1_000_000) / 1_000)
    })
}
