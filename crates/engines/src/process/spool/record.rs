//! One record of the spool, as bytes. Pure. Start with [`Record`].

use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::time::Timestamp;
use batchyard_runtime::log::StreamName;
use serde::{Deserialize, Serialize};

use crate::process::limits;
use crate::process::protocol::Ending;

/// Length and checksum.
const HEAD_BYTES: usize = 8;
/// Kind, attempt and time, before the output's bytes.
const OUTPUT_HEAD_BYTES: usize = 1 + 23 + 8;
const KIND_OUTPUT: u8 = 1;
const KIND_FACT: u8 = 2;

/// A fact about an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::process) struct Record {
    pub(in crate::process) attempt: AttemptKey,
    pub(in crate::process) fact: Fact,
}

/// What happened. All but output is kept as JSON, by the rules of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::process) enum Fact {
    /// It will be started now: if nothing else follows, nobody knows whether it was.
    Accepted { stream: Option<StreamName> },
    /// It runs.
    Started {
        at: Timestamp,
        pid: i32,
        /// Milliseconds from the host's start to the process's start, by which it is told from a later one with the same pid.
        uptime_ms: u64,
    },
    /// It wrote this: a chunk in the sense of [`crate::lines`].
    #[serde(skip)]
    Output { at: Timestamp, chunk: Vec<u8> },
    /// It ended.
    Ended(Ending),
    /// Nobody asks for it any more.
    Forgotten,
}

impl Record {
    /// Appends the record's bytes.
    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        let Record { attempt, fact } = self;
        if let Fact::Output { at, chunk } = fact {
            return encode_output(*attempt, *at, chunk, into);
        }
        let begin = start(into, KIND_FACT, *attempt);
        serde_json::to_writer(&mut *into, fact)
            .expect("facts have string keys only, and memory takes all bytes");
        finish(into, begin);
    }

    /// The first record and its length in bytes; `None` if it is not whole.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Record, usize)> {
        let payload = whole_payload(bytes)?;
        let (kind, rest) = payload.split_first()?;
        let (attempt, rest) = decode_attempt(rest)?;
        let fact = match *kind {
            KIND_OUTPUT => {
                let (at, chunk) = rest.split_first_chunk::<8>()?;
                Fact::Output {
                    at: Timestamp::from_millis(i64::from_le_bytes(*at)),
                    chunk: chunk.to_vec(),
                }
            }
            KIND_FACT => serde_json::from_slice(rest).ok()?,
            _ => return None,
        };
        Some((Record { attempt, fact }, HEAD_BYTES + payload.len()))
    }
}

/// Appends the record of output without making the chunk a vector first.
pub(in crate::process) fn encode_output(
    attempt: AttemptKey,
    at: Timestamp,
    chunk: &[u8],
    into: &mut Vec<u8>,
) {
    into.reserve(HEAD_BYTES + OUTPUT_HEAD_BYTES + chunk.len());
    let begin = start(into, KIND_OUTPUT, attempt);
    into.extend_from_slice(&at.as_millis().to_le_bytes());
    into.extend_from_slice(chunk);
    finish(into, begin);
}

fn start(into: &mut Vec<u8>, kind: u8, attempt: AttemptKey) -> usize {
    let begin = into.len();
    into.extend_from_slice(&[0; HEAD_BYTES]);
    into.push(kind);
    let AttemptKey {
        job: JobKey { id, child },
        attempt,
    } = attempt;
    into.extend_from_slice(&id.to_bytes());
    into.push(u8::from(child.is_some()));
    into.extend_from_slice(&child.unwrap_or(0).to_le_bytes());
    into.extend_from_slice(&attempt.to_le_bytes());
    begin
}

fn finish(into: &mut [u8], begin: usize) {
    let (head, payload) = into[begin..].split_at_mut(HEAD_BYTES);
    assert!(
        payload.len() <= limits::RECORD_BYTES_MAX,
        "chunks and facts are short"
    );
    let length = u32::try_from(payload.len()).expect("the longest record is below 4 GiB");
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..].copy_from_slice(&checksum(payload).to_le_bytes());
}

fn length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.first_chunk::<4>()?;
    Some(usize::try_from(u32::from_le_bytes(*head)).expect("32 bits fit"))
}

fn whole_payload(bytes: &[u8]) -> Option<&[u8]> {
    let length = length(bytes).filter(|length| *length <= limits::RECORD_BYTES_MAX)?;
    let (sum, rest) = bytes.get(4..)?.split_first_chunk::<4>()?;
    let payload = rest.get(..length)?;
    (!payload.is_empty() && checksum(payload) == u32::from_le_bytes(*sum)).then_some(payload)
}

fn decode_attempt(bytes: &[u8]) -> Option<(AttemptKey, &[u8])> {
    let (id, rest) = bytes.split_first_chunk::<16>()?;
    let (has_child, rest) = rest.split_first()?;
    let (child, rest) = rest.split_first_chunk::<4>()?;
    let (attempt, rest) = rest.split_first_chunk::<2>()?;
    let key = AttemptKey {
        job: JobKey {
            id: JobId::from_bytes(*id),
            child: (*has_child == 1).then_some(u32::from_le_bytes(*child)),
        },
        attempt: u16::from_le_bytes(*attempt),
    };
    Some((key, rest))
}

/// Tells whole records from cut ones; eight bytes at a time because all output passes here twice. Not against malice.
fn checksum(bytes: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut sum = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    for word in words {
        sum = (sum.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
    }
    for byte in rest {
        sum = (sum.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(FACTOR);
    }
    let [_, _, _, _, high @ ..] = sum.to_le_bytes();
    u32::from_le_bytes(high)
}
