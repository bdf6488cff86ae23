//! What a server and a supervisor say to each other on the socket: frames of a length (4 bytes, little-endian) and JSON.
//!
//! The two may be of different releases, because a supervisor stays until its jobs have ended. So within one [`VERSION`] members
//! are only added, with a default, and unknown members are ignored; what cannot be done so gets a new version, and a server refuses a
//! supervisor of another one in words. It must not contain how either side works. Start with [`Request`].

use std::path::PathBuf;

use batchyard_core::id::AttemptKey;
use batchyard_core::launch::{Ulimit, Variable};
use batchyard_core::resources::Resources;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_runtime::log::StreamName;
use serde::{Deserialize, Serialize};

use super::Capabilities;
use super::account::Account;
use super::limits;
use super::spool::Position;

/// The version of the protocol and of the spool's records.
pub(super) const VERSION: u32 = 1;

/// From the server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Start this attempt, unless it is known.
    Launch(Box<Program>),
    /// SIGTERM, and SIGKILL after the grace.
    Stop { attempt: AttemptKey, grace: Millis },
    /// Drop what is held of it; kill it first where it runs.
    Forget { attempt: AttemptKey },
    /// All before this position is in the log store and told.
    Consumed { position: Position },
    /// Answer with all attempts. The number comes back in the answer.
    List { number: u64 },
    /// End when there is nothing to do and to keep.
    EndWhenIdle,
}

/// What to run: all that the supervisor needs, resolved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Program {
    pub(super) attempt: AttemptKey,
    /// Program and arguments, not empty.
    pub(super) command: Vec<String>,
    /// The complete environment.
    pub(super) environment: Vec<Variable>,
    pub(super) directory: PathBuf,
    pub(super) ulimits: Vec<Ulimit>,
    pub(super) resources: Resources,
    pub(super) stream: Option<StreamName>,
    /// `None`: as the supervisor itself.
    pub(super) account: Option<Account>,
}

/// From the supervisor.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// The first of a connection.
    Hello {
        version: u32,
        capabilities: Capabilities,
    },
    /// The spool is written up to here.
    Written { position: Position },
    /// All attempts: to `List`.
    Known { number: u64, attempts: Vec<Known> },
}

/// An attempt that the supervisor holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) attempt: AttemptKey,
    pub(super) stream: Option<StreamName>,
    /// When it started, if it did.
    pub(super) started_at: Option<Timestamp>,
    /// How it ended, and the position in the spool behind that fact.
    pub(super) ended: Option<(Ending, Position)>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ending {
    /// The program ended.
    Exited {
        at: Timestamp,
        exit_code: i32,
        reason: Option<String>,
    },
    /// It never ran.
    NotStarted { at: Timestamp, reason: String },
    /// An earlier supervisor died while it ran.
    Lost { at: Timestamp },
}

/// The other side speaks something else.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The length in front of a frame is beyond all reason.
    #[error("read a frame of {0} bytes")]
    TooLong(usize),
    /// Not the JSON of a message.
    #[error("read a message of the process supervisor's protocol")]
    Malformed(#[from] serde_json::Error),
}

/// Appends messages as one frame.
pub(super) fn write_frame<T: Serialize>(messages: &[T], into: &mut Vec<u8>) {
    let begin = into.len();
    into.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut *into, messages)
        .expect("messages have string keys only, and memory takes all bytes");
    let length = u32::try_from(into.len() - begin - 4).expect("a batch of messages is far below 4 GiB");
    into[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
}

/// Takes the first frame off, if it is complete.
///
/// # Errors
/// When it is not a frame of this protocol: the connection is of no use any more.
pub(super) fn read_frame<T: for<'a> Deserialize<'a>>(buffer: &mut Vec<u8>) -> Result<Option<Vec<T>>, Error> {
    let Some((head, rest)) = buffer.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_le_bytes(*head)).expect("32 bits fit");
    if length > limits::FRAME_BYTES_MAX {
        return Err(Error::TooLong(length));
    }
    let Some(frame) = rest.get(..length) else {
        return Ok(None);
    };
    let messages = serde_json::from_slice(frame)?;
    buffer.drain(..4 + length);
    Ok(Some(messages))
}
