//! Client tokens: a submission that is asked for again with its token answers as the first time, and adds no second job.

use serde::{Deserialize, Serialize};

use crate::id::JobId;
use crate::time::{Millis, Timestamp};

/// What a client marks a submission with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientToken {
    /// The client's words, with what tells the tokens of one operation from those of another.
    pub token: Box<str>,
    /// Of the request, so that another one with the same token is told apart: the first 16 bytes of a SHA-256.
    pub digest: [u8; 16],
    /// For how long it counts.
    #[serde(default = "day")]
    pub life: Millis,
}

/// A token that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptToken {
    /// The token, and the request it stood for.
    pub token: ClientToken,
    /// The job that came of it.
    pub job: JobId,
    /// When.
    pub at: Timestamp,
}

impl KeptToken {
    /// Until when it counts, that moment excluded.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.at + self.token.life
    }
}

/// How long tokens counted that were written down without it.
fn day() -> Millis {
    Millis::from_seconds(24 * 60 * 60)
}
