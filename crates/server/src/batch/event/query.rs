//! What a reader of events asks for.

use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;

use super::cursor::Cursor;
use crate::limits::{EVENT_WAIT_SECONDS_MAX, EVENTS_PAGE_MAX};

/// The names of the kinds of events (section G).
pub(super) const DETAIL_TYPES: [&str; 6] = [
    "Batch Job State Change",
    "Batch Job Queue Blocked",
    "Batch Service Job State Change",
    "Batch Service Job Queue Blocked",
    "Batch Service Job Preemption Started",
    "Batch Service Job Preemption Completed",
];

/// A query, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventsQuery {
    /// Where to begin; `None` is behind the last event that there is.
    pub(super) after: Option<Cursor>,
    /// 1..=[`EVENTS_PAGE_MAX`] events at most.
    pub(super) limit: usize,
    /// How long to wait for the first one, 0..=[`EVENT_WAIT_SECONDS_MAX`].
    pub(super) wait_seconds: u64,
    /// Only of jobs in this queue, by name.
    pub(super) queue: Option<String>,
    /// Only of this kind.
    pub(super) detail_type: Option<&'static str>,
}

impl EventsQuery {
    /// Everything after a cursor, in pages of the largest size.
    pub(crate) fn parse(query: &str) -> Result<EventsQuery, Fault> {
        let mut read = EventsQuery {
            after: Some(Cursor::default()),
            limit: EVENTS_PAGE_MAX,
            wait_seconds: 0,
            queue: None,
            detail_type: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // As a form writes it: a space may be a plus.
            let value = value.replace('+', " ");
            let value = percent_encoding::percent_decode_str(&value).decode_utf8_lossy();
            read.set(name, &value)?;
        }
        Ok(read)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        match name {
            "after" if value == "latest" => self.after = None,
            "after" => {
                let cursor = value.parse().map_err(|()| {
                    client_exception(
                        "after must be latest, or what the header X-Batchyard-Cursor of an answer said.",
                    )
                })?;
                self.after = Some(cursor);
            }
            "limit" => {
                let limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=EVENTS_PAGE_MAX).contains(limit));
                self.limit = limit.ok_or_else(|| {
                    client_exception(format!("limit must be between 1 and {EVENTS_PAGE_MAX}."))
                })?;
            }
            "wait" => {
                let seconds = value
                    .parse()
                    .ok()
                    .filter(|seconds| *seconds <= EVENT_WAIT_SECONDS_MAX);
                self.wait_seconds = seconds.ok_or_else(|| {
                    client_exception(format!(
                        "wait must be between 0 and {EVENT_WAIT_SECONDS_MAX} seconds."
                    ))
                })?;
            }
            "queue" => self.queue = Some(crate::arn::name("job-queue", value).to_owned()),
            "detail-type" => {
                let known = DETAIL_TYPES.into_iter().find(|known| *known == value);
                self.detail_type = Some(known.ok_or_else(|| {
                    client_exception(format!("detail-type must be one of {}.", DETAIL_TYPES.join(", ")))
                })?);
            }
            _ => return Err(client_exception(format!("{name} is not a parameter of events."))),
        }
        Ok(())
    }
}
