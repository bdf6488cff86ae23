//! What queues and array jobs can be told in tags, beyond what the service has: `batchyard:max-concurrency`, `batchyard:backfill` and
//! `batchyard:backfill-depth`.

use crate::limits::{BACKFILL_DEPTH, BACKFILL_DEPTH_MAX};

use serde::{Deserialize, Serialize};

/// The tag that limits how many attempts of a queue, or children of an array job, run at once: a whole number from 1.
pub const MAX_CONCURRENCY: &str = "batchyard:max-concurrency";

/// The tag that lets later jobs of a queue start before its front where that does not delay it: `on` or `off`.
pub const BACKFILL: &str = "batchyard:backfill";

/// The tag that says how many jobs behind a queue's front are looked at to start them early: a whole number from 1.
pub const DEPTH: &str = "batchyard:backfill-depth";

/// What all of these tags begin with.
pub const PREFIX: &str = "batchyard:";

/// What a queue was told in its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueueOptions {
    /// Most attempts that run at once; those that run already when it is lowered go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// Whether later jobs may start before the front where that does not delay it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backfill: bool,
    /// How many jobs behind the front are looked at for that, 1 to [`BACKFILL_DEPTH_MAX`]; `None` is [`BACKFILL_DEPTH`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill_depth: Option<u32>,
}

/// The tag has a value that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOption {
    /// A limit that is no number, or 0.
    #[error("tag {MAX_CONCURRENCY} must be a whole number from 1 to {max}, not {0:?}", max = u32::MAX)]
    MaxConcurrency(String),
    /// A tag that begins as ours do, and is none.
    #[error(
        "tag {0:?} means nothing; those that begin with {PREFIX} are {MAX_CONCURRENCY}, {BACKFILL} and {DEPTH}"
    )]
    Unknown(String),
    /// Neither `on` nor `off`.
    #[error("tag {BACKFILL} must be on or off, not {0:?}")]
    Backfill(String),
    /// A depth that is no number, 0, or too large.
    #[error("tag {DEPTH} must be a whole number from 1 to {BACKFILL_DEPTH_MAX}, not {0:?}")]
    Depth(String),
}

/// What a tag says about concurrency; `None` for another tag.
///
/// # Errors
/// When it is that tag, and its value is not a number from 1.
pub fn max_concurrency(key: &str, value: &str) -> Result<Option<u32>, BadOption> {
    if key != MAX_CONCURRENCY {
        return Ok(None);
    }
    let parsed = value.parse().ok().filter(|max| *max > 0);
    match parsed {
        Some(max) => Ok(Some(max)),
        None => Err(BadOption::MaxConcurrency(value.to_owned())),
    }
}

/// A number of jobs that a pass may look at.
fn depth(text: &str) -> Option<u32> {
    text.parse()
        .ok()
        .filter(|depth| (1..=BACKFILL_DEPTH_MAX).contains(depth))
}

/// The limit among an array job's tags; one without meaning, which the server refuses, is none.
pub(crate) fn max_concurrency_of(tags: &[(String, String)]) -> Option<u32> {
    let mut limits = tags
        .iter()
        .rev()
        .filter_map(|(key, value)| max_concurrency(key, value).ok().flatten());
    limits.next()
}

impl QueueOptions {
    /// The options with a tag set.
    ///
    /// # Errors
    /// When the tag is one of these, and its value means nothing.
    pub fn with_tag(self, key: &str, value: &str) -> Result<Self, BadOption> {
        if let Some(max) = max_concurrency(key, value)? {
            return Ok(QueueOptions {
                max_concurrency: Some(max),
                ..self
            });
        }
        if key == DEPTH {
            let depth = depth(value).ok_or_else(|| BadOption::Depth(value.to_owned()))?;
            return Ok(QueueOptions {
                backfill_depth: Some(depth),
                ..self
            });
        }
        match (key, value) {
            (BACKFILL, "on") => Ok(QueueOptions {
                backfill: true,
                ..self
            }),
            (BACKFILL, "off") => Ok(self.without_tag(key)),
            (BACKFILL, _) => Err(BadOption::Backfill(value.to_owned())),
            _ if key.starts_with(PREFIX) => Err(BadOption::Unknown(key.to_owned())),
            _ => Ok(self),
        }
    }

    /// The options with a tag removed.
    #[must_use]
    pub fn without_tag(self, key: &str) -> Self {
        match key {
            MAX_CONCURRENCY => QueueOptions {
                max_concurrency: None,
                ..self
            },
            BACKFILL => QueueOptions {
                backfill: false,
                ..self
            },
            DEPTH => QueueOptions {
                backfill_depth: None,
                ..self
            },
            _ => self,
        }
    }

    /// How many jobs behind the front a pass looks at to start them early.
    pub(crate) fn backfill_depth(&self) -> usize {
        let depth = self.backfill_depth.and_then(|depth| usize::try_from(depth).ok());
        depth.unwrap_or(BACKFILL_DEPTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_mean_what_they_say_or_are_refused() {
        let of = |key, value| QueueOptions::default().with_tag(key, value);
        let depth = |depth| QueueOptions {
            backfill_depth: depth,
            ..QueueOptions::default()
        };
        assert_eq!(of(DEPTH, "1"), Ok(depth(Some(1))));
        assert_eq!(of(DEPTH, "10000"), Ok(depth(Some(BACKFILL_DEPTH_MAX))));
        for wrong in ["0", "10001", "-1", "many", ""] {
            assert_eq!(of(DEPTH, wrong), Err(BadOption::Depth(wrong.to_owned())));
        }
        assert_eq!(depth(Some(7)).without_tag(DEPTH), depth(None));
        assert_eq!(depth(None).backfill_depth(), BACKFILL_DEPTH);
        assert_eq!(
            of("batchyard:depth", "1"),
            Err(BadOption::Unknown("batchyard:depth".to_owned()))
        );
        assert_eq!(of("team", "0"), Ok(QueueOptions::default()));
    }
}
