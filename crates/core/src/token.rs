//! Client tokens: a submission that is asked for again with its token answers as the first time, and adds no second job.

use serde::{Deserialize, Serialize};

use crate::id::JobId;
use crate::time::{Millis, Timestamp};

/// What a client marks a submission with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientToken {
    /// The client's words: 1..=128 characters.
    pub token: Box<str>,
    /// Of the request, so that another one with the same token is told apart: the first 16 bytes of a SHA-256.
    pub digest: [u8; 16],
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
        self.at + LIFETIME
    }
}

/// How long a token counts.
const LIFETIME: Millis = Millis::from_seconds(24 * 60 * 60);
