//! What is submitted in a simulation: traces of real machines, and lists of jobs.

mod csv;
mod error;
mod swf;

use batchyard_core::job::ShareClaim;
use batchyard_core::name::QueueName;
use batchyard_core::resources::Resources;
use batchyard_core::time::{Millis, Timestamp};

pub use self::csv::read as read_csv;
pub use error::{Place, WorkloadError};
pub use swf::{QueueBy, ShareBy, SwfOptions, read as read_swf};

/// Jobs to be submitted, in order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// In order of submission.
    pub jobs: Vec<Job>,
    /// What was left out or assumed, for people.
    pub notes: Vec<String>,
    /// Processors of the machine that a trace is of, where it says so.
    pub vcpus: Option<u32>,
}

/// A job to be submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// When. With `think` the earliest.
    pub submit: Timestamp,
    /// How long it runs, each child of an array.
    pub run: Millis,
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
