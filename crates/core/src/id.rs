//! Identifiers: what each names, how it is written and read.
//!
//! Identifiers of jobs come from outside (they are random); the numbers of queues, environments and instances are
//! counted by the core itself and never leave the process but for the store.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The identifier of a submitted job: 128 bits, written as a UUID.
///
/// Made by the server with the submission time in its first 48 bits, so that rows written one after another lie one
/// after another in the store; the version nibble is 4, as AWS's identifiers look.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobId {
    high: u64,
    low: u64,
}

/// The index of a child within its array job, from 0 (section B.10).
pub type ArrayIndex = u32;

/// What runs, waits and ends on its own: a single job, or one child of an array job. Written `<uuid>` or `<uuid>:<index>`.
///
/// A node of a multi-node parallel job has such a key too; what clients read and write of it is a [`NodeKey`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    /// The submitted job.
    pub id: JobId,
    /// The child, where the submitted job is an array; the node, where it has nodes.
    pub child: Option<ArrayIndex>,
}

/// A node of a multi-node parallel job, as clients know it: `<uuid>#<index>` (section B11.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeKey {
    /// The submitted job.
    pub id: JobId,
    /// The node, from 0.
    pub node: ArrayIndex,
}

/// The number of an attempt of a job, from 1, as `AWS_BATCH_JOB_ATTEMPT` shows it.
pub type AttemptNumber = u16;

/// One attempt to run a job: the key of every effect and every report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptKey {
    /// Which job, or which child.
    pub job: JobKey,
    /// Which attempt of it, from 1.
    pub attempt: AttemptNumber,
}

/// The identifier of the task that runs an attempt: 32 hexadecimal digits, the end of its task ARN and of its log stream.
///
/// It follows from the attempt, so nothing has to remember it: launching the same attempt twice meets the same task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(u128);

/// The text is not an identifier of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind}")]
pub struct ParseIdError {
    kind: &'static str,
    text: String,
}

/// As one number: they are compared many times in a step, and this takes fewer instructions than comparing the halves in turn.
impl Ord for JobId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.to_u128().cmp(&other.to_u128())
    }
}

impl PartialOrd for JobId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl JobId {
    /// Makes an identifier from the submission time and 74 random bits (the upper 54 bits of `random` are not used).
    #[must_use]
    pub fn new(submitted_at: crate::time::Timestamp, random: u128) -> Self {
        let millis = u128::from(submitted_at.as_millis().unsigned_abs()) & ((1 << 48) - 1);
        let high = (random >> 62) & 0xfff;
        let low = random & ((1 << 62) - 1);
        JobId::from_u128((millis << 80) | (0x4 << 76) | (high << 64) | (0b10 << 62) | low)
    }

    /// The time of submission.
    #[must_use]
    pub fn submitted_at(self) -> crate::time::Timestamp {
        let ms = i64::try_from(self.high >> 16).expect("48 bits fit");
        crate::time::Timestamp::from_millis(ms)
    }

    /// The least identifier that a job submitted at the same time could have.
    pub(crate) fn least_of_its_time(self) -> Self {
        JobId {
            high: self.high >> 16 << 16,
            low: 0,
        }
    }

    /// The 16 bytes, big-endian, as the store keeps them.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.to_u128().to_be_bytes()
    }

    fn to_u128(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }

    fn from_u128(bits: u128) -> Self {
        let [high, low] = [bits >> 64, bits & u128::from(u64::MAX)];
        let word = |half| u64::try_from(half).expect("it is half of the bits");
        JobId {
            high: word(high),
            low: word(low),
        }
    }

    /// The identifier with these 16 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        JobId::from_u128(u128::from_be_bytes(bytes))
    }
}

impl JobKey {
    /// The key of the job as a whole: a single job, or the parent of an array.
    #[must_use]
    pub fn whole(id: JobId) -> Self {
        JobKey { id, child: None }
    }

    /// The key of a child of an array job.
    #[must_use]
    pub fn child(id: JobId, index: ArrayIndex) -> Self {
        JobKey {
            id,
            child: Some(index),
        }
    }
}

impl NodeKey {
    /// The node that this key names; `None` for a job as a whole.
    #[must_use]
    pub fn of(key: JobKey) -> Option<Self> {
        let JobKey { id, child } = key;
        child.map(|node| NodeKey { id, node })
    }

    /// The key that the core knows the node by.
    #[must_use]
    pub fn key(self) -> JobKey {
        JobKey::child(self.id, self.node)
    }
}

impl TaskId {
    /// The task of this attempt.
    #[must_use]
    pub fn of(key: AttemptKey) -> Self {
        let AttemptKey {
            job: JobKey { id, child },
            attempt,
        } = key;
        // 0 stands for "no child", so indexes are shifted by one. Attempts of one job differ in `part`, which the mixing maps
        // one to one; different jobs differ in their random bits.
        let part = child.map_or(0, |index| u64::from(index) + 1) << 16 | u64::from(attempt);
        let low = mix(part);
        let high = mix(low ^ 0x9e37_79b9_7f4a_7c15);
        TaskId(id.to_u128() ^ (u128::from(high) << 64 | u128::from(low)))
    }
}

/// A one-to-one scrambling of 64 bits (the finaliser of SplitMix64).
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let x = self.to_u128();
        let (a, b, c) = (x >> 96, (x >> 80) & 0xffff, (x >> 64) & 0xffff);
        let (d, e) = ((x >> 48) & 0xffff, x & 0xffff_ffff_ffff);
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }
}

impl FromStr for JobId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let error = || ParseIdError {
            kind: "job id",
            text: text.chars().take(64).collect(),
        };
        let groups: Vec<&str> = text.split('-').collect();
        let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
        // Only lower case: two spellings of one identifier would be two keys to whoever compares text.
        let digits = |group: &&str| group.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if lengths != [8, 4, 4, 4, 12] || !groups.iter().all(digits) {
            return Err(error());
        }
        u128::from_str_radix(&groups.concat(), 16)
            .map(JobId::from_u128)
            .map_err(|_| error())
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.child {
            None => write!(f, "{}", self.id),
            Some(index) => write!(f, "{}:{index}", self.id),
        }
    }
}

impl FromStr for JobKey {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        match indexed(text, ':')? {
            Some((id, index)) => Ok(JobKey::child(id, index)),
            None => Ok(JobKey::whole(text.parse()?)),
        }
    }
}

/// The identifier and the index on both sides of a mark; `None` without the mark.
fn indexed(text: &str, mark: char) -> Result<Option<(JobId, ArrayIndex)>, ParseIdError> {
    let Some((id, index)) = text.split_once(mark) else {
        return Ok(None);
    };
    let error = || ParseIdError {
        kind: "job id",
        text: text.chars().take(64).collect(),
    };
    let canonical = index == "0" || !index.starts_with('0');
    if !canonical || !index.bytes().all(|b| b.is_ascii_digit()) {
        return Err(error());
    }
    Ok(Some((id.parse()?, index.parse().map_err(|_| error())?)))
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.id, self.node)
    }
}

impl FromStr for NodeKey {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let error = || ParseIdError {
            kind: "node id",
            text: text.chars().take(64).collect(),
        };
        let (id, node) = indexed(text, '#')?.ok_or_else(error)?;
        Ok(NodeKey { id, node })
    }
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.job, self.attempt)
    }
}

impl FromStr for AttemptKey {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let error = || ParseIdError {
            kind: "attempt",
            text: text.chars().take(64).collect(),
        };
        let (job, attempt) = text.split_once('/').ok_or_else(error)?;
        Ok(AttemptKey {
            job: job.parse()?,
            attempt: attempt.parse().map_err(|_| error())?,
        })
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Debug output is the written form, and serde's form is the written form.
macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

as_text!(JobId, JobKey, NodeKey, AttemptKey, TaskId);

macro_rules! from_text {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

from_text!(JobId, JobKey, AttemptKey);

macro_rules! number {
    ($(#[$doc:meta] $name:ident;)*) => {$(
        #[$doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);
    )*};
}

number! {
    /// The number of a job queue, counted from 1 and never used again.
    QueueId;
    /// The number of a compute environment, counted from 1 and never used again.
    EnvironmentId;
    /// The number of an instance of a compute environment, counted from 1 and never used again.
    InstanceId;
}

impl InstanceId {
    /// The name of the instance as clients know it, in the form of EC2's: `i-` and seventeen hexadecimal digits.
    #[must_use]
    pub fn ec2_id(self) -> String {
        format!("i-{:017x}", self.0)
    }

    /// The instance of this name; `None` for names that no instance here has.
    #[must_use]
    pub fn parse_ec2_id(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("i-").filter(|digits| digits.len() == 17)?;
        u32::from_str_radix(digits, 16).ok().map(InstanceId)
    }
}

/// The order of submission, counted from 1: the key of first-in-first-out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn a_job_id_looks_like_a_version_4_uuid_and_orders_by_time() {
        let early = JobId::new(Timestamp::from_millis(1_700_000_000_000), u128::MAX);
        let late = JobId::new(Timestamp::from_millis(1_700_000_000_001), 0);
        expect_test::expect![[r"018bcfe5-6800-4fff-bfff-ffffffffffff"]].assert_eq(&early.to_string());
        expect_test::expect![[r"018bcfe5-6801-4000-8000-000000000000"]].assert_eq(&late.to_string());
        assert!(early < late);
    }

    #[test]
    fn keys_are_read_back_as_written_and_only_in_that_form() {
        let id = JobId::new(Timestamp::from_millis(1_700_000_000_000), 7);
        for key in [JobKey::whole(id), JobKey::child(id, 0), JobKey::child(id, 9_999)] {
            assert_eq!(key.to_string().parse::<JobKey>(), Ok(key));
            let attempt = AttemptKey { job: key, attempt: 3 };
            assert_eq!(attempt.to_string().parse::<AttemptKey>(), Ok(attempt));
        }
        for bad in [
            "",
            "x",
            ":1",
            "{id}:",
            "{id}:01",
            "{id}:-1",
            "{id}:+1",
            "{id}:4294967296",
            "{id}:1:2",
            "{id} ",
        ] {
            let text = bad.replace("{id}", &id.to_string());
            assert!(text.parse::<JobKey>().is_err(), "{text} was accepted");
        }
        assert!(id.to_string().to_uppercase().parse::<JobId>().is_err());
    }

    #[test]
    fn nodes_have_a_mark_of_their_own() {
        let id = JobId::new(Timestamp::from_millis(1_700_000_000_000), 7);
        let node = NodeKey { id, node: 12 };
        assert_eq!(node.to_string(), format!("{id}#12"));
        assert_eq!(node.to_string().parse(), Ok(node));
        for bad in ["{id}", "{id}:1", "{id}#", "{id}#01", "{id}#1:2", "#1"] {
            let text = bad.replace("{id}", &id.to_string());
            assert!(text.parse::<NodeKey>().is_err(), "{text} was accepted");
        }
        assert!(node.to_string().parse::<JobKey>().is_err());
    }

    #[test]
    fn every_attempt_has_a_task_of_its_own() {
        let id = JobId::new(Timestamp::from_millis(1_700_000_000_000), 7);
        let mut seen = std::collections::BTreeSet::new();
        for child in [None, Some(0), Some(1), Some(u32::MAX)] {
            for attempt in 1..=10 {
                assert!(seen.insert(TaskId::of(AttemptKey {
                    job: JobKey { id, child },
                    attempt
                })));
            }
        }
    }
}
