//! What is submitted in a simulation: traces of real machines, and lists of jobs.

mod csv;
mod error;
mod swf;

use std::collections::BTreeSet;

use batchyard_core::id::AttemptNumber;
use batchyard_core::job::ShareClaim;
use batchyard_core::name::{DefinitionName, QueueName};
use batchyard_core::resources::Resources;
use batchyard_core::time::{Millis, Timestamp};

pub use self::csv::read as read_csv;
pub use error::{Place, WorkloadError};
pub use swf::{QueueBy, ShareBy, SwfOptions, read as read_swf};

/// Jobs to be submitted, in order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// The file that it is from, as errors call it; empty for one that is from none.
    pub file: String,
    /// In order of submission.
    pub jobs: Vec<Job>,
    /// What was left out or assumed, for people.
    pub notes: Vec<String>,
    /// Processors of the machine that a trace is of, where it says so.
    pub vcpus: Option<u32>,
}

/// A job to be submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// The line of the file that says so, from 1; 0 for none.
    pub line: u64,
    /// When. With `think` the earliest.
    pub submit: Timestamp,
    /// How long each attempt runs, each child of an array.
    pub run: Millis,
    /// What its attempts exit with that fail, 0 to 255; 0 for a job that succeeds.
    pub exit_code: u8,
    /// How many attempts fail before one succeeds; `None` if none does.
    pub failures: Option<u16>,
    /// How often it is tried in all, 1 to 10; `None` is as often as the simulation says.
    pub attempts: Option<u8>,
    /// The definition that it comes from, whose earlier runs say how long it is expected to run; all jobs that name none have one together.
    pub definition: Option<DefinitionName>,
    /// What each attempt holds.
    pub need: Resources,
    /// Its queue; `None` is the site's first.
    pub queue: Option<QueueName>,
    /// The share, and the priority in it.
    pub share: Option<ShareClaim>,
    /// The longest it may run.
    pub timeout: Option<Millis>,
    /// Children; `None` for a single job.
    pub array_size: Option<u32>,
    /// Positions in the workload of the jobs that it waits for, all earlier.
    pub after: Vec<u32>,
    /// It is submitted no earlier than so long after the end of the first of `after`, which it then does not wait for.
    pub think: Option<Millis>,
}

impl Workload {
    /// The definitions that its jobs name, each once, by name.
    pub fn definitions(&self) -> impl Iterator<Item = &DefinitionName> {
        let named = self.jobs.iter().filter_map(|job| job.definition.as_ref());
        named.collect::<BTreeSet<_>>().into_iter()
    }
}

impl Job {
    /// What an attempt exits with, 0 for success. `attempt`: from 1.
    #[must_use]
    pub fn exit_code_of(&self, attempt: AttemptNumber) -> i32 {
        let succeeds = self.failures.is_some_and(|failures| attempt > failures);
        if succeeds { 0 } else { i32::from(self.exit_code) }
    }
}
