//! What engines tell the core: facts about an attempt, never decisions.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A fact about one attempt. Engines may repeat a report: one that no longer fits the state is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
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
    },
    /// The program could not be started and never will be for this attempt.
    NotStarted {
        /// When that was clear.
        at: Timestamp,
        /// The container's reason, such as `CannotPullContainerError: …`, at most 255 characters.
        reason: String,
    },
    /// The engine once knew the attempt, or should have, and does not any more: its host went away under it.
    Lost {
        /// When that was seen.
        at: Timestamp,
    },
}
