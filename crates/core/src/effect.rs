//! What the world is asked to do after a step: idempotent, keyed by attempt, and derivable from the state.

use crate::id::AttemptKey;
use crate::job::Placement;
use crate::time::Millis;

/// Something to be done once the changes are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start this attempt.
    Launch {
        /// Which.
        attempt: AttemptKey,
        /// What it holds, and where.
        placement: Placement,
    },
    /// Ask this attempt to stop, and kill it when the grace is over.
    Stop {
        /// Which.
        attempt: AttemptKey,
        /// Time from asking to killing.
        grace: Millis,
    },
    /// The attempt's end is recorded: drop what is held of it.
    Forget {
        /// Which.
        attempt: AttemptKey,
    },
}
