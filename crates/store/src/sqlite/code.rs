//! How values of the domain are written in columns, and read back. The migration says the same for people.

use batchyard_core::environment::{Life, Switch};
use batchyard_core::id::{EnvironmentId, InstanceId, JobId, JobKey};
use batchyard_core::job::{JobStatus, Placement};
use batchyard_core::resources::GpuSet;
use batchyard_core::time::{Millis, Timestamp};
use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failure::Failure;

/// `life` of what is gone: its row stays for its name.
/// `is_active` of a definition of which only the number is left.
pub(super) const DEFINITION_FORGOTTEN: i64 = 2;

pub(super) const LIFE_GONE: i64 = 2;

/// `child` of an attempt of a single job.
pub(super) const NO_CHILD: i64 = -1;

pub(super) fn status_code(status: JobStatus) -> i64 {
    match status {
        JobStatus::Submitted => 0,
        JobStatus::Pending => 1,
        JobStatus::Runnable => 2,
        JobStatus::Starting => 3,
        JobStatus::Running => 4,
        JobStatus::Succeeded => 5,
        JobStatus::Failed => 6,
        // Came later than the others.
        JobStatus::Scheduled => 7,
    }
}

pub(super) fn status(code: i64) -> Result<JobStatus, Failure> {
    JobStatus::ALL
        .into_iter()
        .find(|status| status_code(*status) == code)
        .ok_or_else(|| Failure::damaged("status", code))
}

pub(super) fn switch_code(switch: Switch) -> i64 {
    match switch {
        Switch::Enabled => 0,
        Switch::Disabled => 1,
    }
}

pub(super) fn switch(code: i64) -> Result<Switch, Failure> {
    match code {
        0 => Ok(Switch::Enabled),
        1 => Ok(Switch::Disabled),
        _ => Err(Failure::damaged("switch", code)),
    }
}

pub(super) fn life_code(life: Life) -> i64 {
    match life {
        Life::Valid => 0,
        Life::Deleting => 1,
        // Below 2, which is gone: that is what queries and indices look at.
        Life::Invalid => -1,
    }
}

pub(super) fn life(code: i64) -> Result<Life, Failure> {
    match code {
        0 => Ok(Life::Valid),
        1 => Ok(Life::Deleting),
        -1 => Ok(Life::Invalid),
        _ => Err(Failure::damaged("life", code)),
    }
}

pub(super) fn at(time: Timestamp) -> i64 {
    time.as_millis()
}

/// For how long a token counts; none counts so long that it does not fit.
pub(super) fn token_life_code(life: Millis) -> i64 {
    i64::try_from(life.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn token_life(millis: i64) -> Millis {
    Millis::new(u64::try_from(millis).unwrap_or(0))
}

pub(super) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// SQLite's integers are signed: the bits stay what they are.
pub(super) fn gpus_code(gpus: GpuSet) -> i64 {
    gpus.to_bits().cast_signed()
}

pub(super) fn gpus(code: i64) -> GpuSet {
    GpuSet::from_bits(code.cast_unsigned())
}

pub(super) fn child_code(key: JobKey) -> i64 {
    key.child.map_or(NO_CHILD, i64::from)
}

pub(super) fn job_id(bytes: [u8; 16]) -> JobId {
    JobId::from_bytes(bytes)
}

/// A number that never exceeds what SQLite's integers can hold, such as a sequence.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).expect("a counter does not reach 2^63")
}

/// A number that the store wrote as a smaller type than SQLite has.
pub(super) fn narrow<T: TryFrom<i64>>(column: &str, value: i64) -> Result<T, Failure> {
    T::try_from(value).map_err(|_| Failure::damaged(column, value))
}

pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value)
        .expect("the domain's types have names for keys and nothing that cannot be written")
}

pub(super) fn from_json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::damaged(column, error))
}

/// The placement in the columns `environment`, `instance`, `gpus` from `first` on; `None` where there is none.
pub(super) fn placement(row: &Row<'_>, first: usize) -> Result<Option<Placement>, Failure> {
    let environment: Option<u32> = row.get(first)?;
    let Some(environment) = environment else {
        return Ok(None);
    };
    let instance: Option<u32> = row.get(first + 1)?;
    Ok(Some(Placement {
        environment: EnvironmentId(environment),
        instance: instance.map(InstanceId),
        gpus: gpus(row.get(first + 2)?),
    }))
}
