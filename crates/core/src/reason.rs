//! Status reasons as clients know them, to the letter (section B.4).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::id::InstanceId;

/// Why a job or an attempt is where it is; mostly one of the fixed texts below, else a caller's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatusReason(Cow<'static, str>);

/// An ordinary end, with success or without.
pub const ESSENTIAL_CONTAINER_EXITED: StatusReason = fixed("Essential container in task exited");
/// The attempt ran longer than its timeout.
pub const TIMED_OUT: StatusReason = fixed("Job attempt duration exceeded timeout");
/// The program could not be started; the container's reason says more.
pub const TASK_FAILED_TO_START: StatusReason = fixed("Task failed to start");
/// A job that this one depends on has failed.
pub const DEPENDENT_JOB_FAILED: StatusReason = fixed("Dependent Job failed");
/// An array job of which at least one child has failed.
pub const ARRAY_CHILD_FAILED: StatusReason = fixed("Array Child Job failed");
/// A node was stopped, or never started, because the main node of its job had ended (own choice of words).
pub const MAIN_NODE_ENDED: StatusReason = fixed("Main node of the job ended");
/// A node was stopped because another one of its job could not be started (own choice of words).
pub const NODE_NOT_STARTED: StatusReason = fixed("Another node of the job failed to start");
/// The queue was deleted under the job (own choice of words).
pub const QUEUE_DELETED: StatusReason = fixed("Job queue was deleted");

const fn fixed(text: &'static str) -> StatusReason {
    StatusReason(Cow::Borrowed(text))
}

impl StatusReason {
    /// A caller's words: the reason given with a cancellation or termination.
    #[must_use]
    pub fn given(text: String) -> Self {
        StatusReason(Cow::Owned(text))
    }

    /// The machine went away under the attempt. The instance's name is made from its number; attempts without an instance of their
    /// own ran on the host itself, number 0.
    #[must_use]
    pub fn host_terminated(instance: Option<InstanceId>) -> Self {
        let number = instance.map_or(0, |id| id.0);
        StatusReason(Cow::Owned(format!(
            "Host EC2 (instance i-{number:017x}) terminated."
        )))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
