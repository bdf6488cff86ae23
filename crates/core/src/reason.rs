//! Status reasons as clients know them, to the letter (section B.4).

use std::borrow::Cow;
use std::fmt;

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
/// A task on Fargate Spot was reclaimed.
pub const SPOT_TASK_INTERRUPTED: StatusReason = fixed("Your Spot Task was interrupted.");
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
/// The quota share was deleted under the job (own choice of words).
pub const QUOTA_SHARE_DELETED: StatusReason = fixed("Quota share was deleted");
/// A job of a quota share gave borrowed capacity back (section C4.4).
pub const PREEMPTED_CROSS_SHARE: StatusReason =
    fixed("Cross-share preemption triggered to reclaim borrowed capacity");
/// A job of a quota share gave way to one of higher priority (own choice of words).
pub const PREEMPTED_IN_SHARE: StatusReason =
    fixed("In-share preemption triggered by a job of higher priority");
/// A service job's ordinary end (section G.4).
pub const TRAINING_COMPLETED: StatusReason = fixed("Received status from SageMaker: Training job completed");

/// Characters of what a training job writes about its failure that are shown, as SageMaker does.
pub const FAILURE_CHARACTERS_MAX: usize = 1_024;

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
        let instance = instance.unwrap_or(InstanceId(0)).ec2_id();
        StatusReason(Cow::Owned(format!("Host EC2 (instance {instance}) terminated.")))
    }

    /// A training job has ended badly, in the form of SageMaker's reasons (the beginning is section B.4's; the classes of errors are those
    /// that SageMaker writes, the rest our own words). `failure` is what the program wrote about it.
    #[must_use]
    pub fn training_failed(failure: Option<&str>, exit_code: Option<i32>) -> Self {
        let failure = failure.unwrap_or_default();
        let code = exit_code.map_or(String::new(), |code| format!(", exit code: {code}"));
        StatusReason::of_training(format_args!("AlgorithmError: {failure}{code}"))
    }

    /// A training job could not be started, or what it made could not be kept.
    #[must_use]
    pub fn training_not_started(reason: &str) -> Self {
        StatusReason::of_training(format_args!("ClientError: {reason}"))
    }

    /// The machine went away under a training job.
    #[must_use]
    pub fn training_lost() -> Self {
        StatusReason::of_training(format_args!(
            "InternalServerError: the host of the training job went away"
        ))
    }

    fn of_training(text: fmt::Arguments<'_>) -> Self {
        StatusReason(Cow::Owned(format!("Received status from SageMaker: {text}")))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
