//! What engines tell the core: facts about an attempt, never decisions.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A fact about one attempt. Engines may repeat a report: one that no longer fits the state is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The engine has begun to fetch what the attempt needs: its image, its data. Only told of service jobs, and dropped of others.
    Preparing,
    /// The program runs. At most once counts, the first.
    Started {
        /// When it started, by the clock of the engine's host.
        at: Timestamp,
    },
    /// The program has ended, and all its output is in the log store.
    Exited {
        /// When it ended.
        at: Timestamp,
        /// 0..=255; 128 + n for a death by signal n. `None` where the engine cannot know it.
        exit_code: Option<i32>,
        /// The container's reason (section B.4, second table), at most 255 characters, or what a training job wrote about its failure, at
        /// most 1,024; `None` for ordinary ends.
        reason: Option<String>,
        /// How each container of a task ended, in the order of its definition; empty where the attempt is a single container or process.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        containers: Vec<ContainerEnd>,
    },
    /// The program could not be started and never will be for this attempt.
    NotStarted {
        /// When that was clear.
        at: Timestamp,
        /// The container's reason, such as `CannotPullContainerError: …`, at most 255 characters.
        reason: String,
        /// As with `Exited`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        containers: Vec<ContainerEnd>,
    },
    /// The engine once knew the attempt, or should have, and does not any more: its host went away under it.
    Lost {
        /// When that was seen.
        at: Timestamp,
    },
}

/// How one container of a task ended. The core passes it on unread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerEnd {
    /// Its name in the task.
    pub name: String,
    /// 0..=255; `None` where it never started or the engine cannot know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Its reason, at most 255 characters; `None` for ordinary ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it started: then it has a log stream.
    #[serde(default)]
    pub has_started: bool,
}
