//! Events (section G): Batchyard's own operation `GET /batchyard/v1/events`, in the form in which EventBridge has them.
//!
//! What is stored of an event is as small as can be; `detail` makes the rest from the job's row when the event is read. A reader keeps a
//! [`Cursor`], and gets what came after it: after a crash of either side some events again, none missing.

mod cursor;
mod detail;
mod query;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use batchyard_core::id::JobKey;
use batchyard_runtime::event::{Events, JobEvent};
use batchyard_runtime::store::JobRow;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use super::{Batch, too_many_requests};
use crate::limits::{EVENT_BATCHES_PER_READ, EVENT_READERS_MAX, EVENTS_SKIPPED_MAX};

pub(crate) use cursor::Cursor;
pub(crate) use query::EventsQuery;

/// Where the ends of commits with events are told, and who waits for them.
pub(crate) struct EventFeed {
    committed: watch::Receiver<()>,
    waiting: Arc<Semaphore>,
    /// Ends all waiting.
    closing: watch::Receiver<bool>,
}

impl EventFeed {
    /// A feed that is told of each commit with events; `closing` ends its readers' waiting.
    pub(crate) fn new(committed: watch::Receiver<()>, closing: watch::Receiver<bool>) -> EventFeed {
        EventFeed {
            committed,
            waiting: Arc::new(Semaphore::new(EVENT_READERS_MAX)),
            closing,
        }
    }
}

/// Some events, and where the next ones begin.
pub(crate) struct EventsPage {
    pub(crate) events: Vec<Value>,
    pub(crate) next: Cursor,
}

/// One event as it is stored, taken apart: of a job, a child or a node.
struct Single {
    key: JobKey,
    kind: Kind,
    cursor: Cursor,
    at: batchyard_core::time::Timestamp,
}

/// What it is of. Numbers are of the attempts that had ended by then.
#[derive(Clone)]
enum Kind {
    Moved(batchyard_core::job::JobStatus, u16),
    Blocked(String, u16),
    PreemptionStarted(String),
    PreemptionCompleted(u16),
}

impl Batch {
    /// The events that a query is for; waits for the first of them as long as it says.
    ///
    /// # Errors
    /// Where events are not kept, and when too many readers wait.
    pub(crate) async fn events(&self, query: &EventsQuery) -> Result<EventsPage, Fault> {
        let Some(feed) = &self.events else {
            return Err(client_exception(
                "Events are not kept by this server: events.retention_hours is 0.",
            ));
        };
        let mut committed = feed.committed.clone();
        let mut closing = feed.closing.clone();
        let mut from = match query.after {
            Some(cursor) => cursor,
            None => self.latest_cursor().await?,
        };
        let deadline = Instant::now() + Duration::from_secs(query.wait_seconds);
        let mut permit = None;
        loop {
            // Marked as seen before looking: what is committed during the look wakes the wait after it.
            committed.borrow_and_update();
            let page = self.page(from, query).await?;
            if !page.events.is_empty() || query.wait_seconds == 0 || Instant::now() >= deadline {
                return Ok(page);
            }
            let has_more = page.next != from;
            from = page.next;
            if has_more {
                continue;
            }
            if permit.is_none() {
                permit = Some(feed.waiting.try_acquire().map_err(|_| too_many_requests())?);
            }
            let stop = tokio::select! {
                // The sender is gone when the driver has ended: nothing more will come.
                told = timeout_at(deadline, committed.changed()) => !matches!(told, Ok(Ok(()))),
                _ = closing.wait_for(|is_closing| *is_closing) => true,
            };
            if stop {
                return Ok(page);
            }
        }
    }

    /// Behind the last event that there is.
    pub(crate) async fn latest_cursor(&self) -> Result<Cursor, Fault> {
        let next = self.read(|store| store.next_events()).await?;
        Ok(Cursor {
            batch: next,
            ..Cursor::default()
        })
    }

    /// The events after a cursor, as many as a page has. Looks at a bounded number even where the filter leaves none.
    async fn page(&self, from: Cursor, query: &EventsQuery) -> Result<EventsPage, Fault> {
        let mut page = EventsPage {
            events: Vec::new(),
            next: from,
        };
        let mut looked_at = 0;
        while page.events.len() < query.limit && looked_at < EVENTS_SKIPPED_MAX {
            let start = page.next;
            let batches = self
                .read(move |store| store.events(start.batch, EVENT_BATCHES_PER_READ))
                .await?;
            let wanted = query.limit - page.events.len();
            let singles = singles(&batches, start, wanted);
            let Some(last) = singles.last() else {
                // All that there was is read: what comes is in later batches.
                if let Some((number, _)) = batches.last() {
                    page.next = Cursor::after_batch(*number);
                    continue;
                }
                break;
            };
            page.next = last.cursor.following();
            looked_at += singles.len();
            let keys: BTreeSet<JobKey> = singles.iter().map(|single| single.key).collect();
            let keys: Vec<JobKey> = keys.into_iter().collect();
            let rows = self.read(move |store| store.jobs(&keys)).await?;
            let rows: BTreeMap<JobKey, JobRow> = rows.into_iter().map(|row| (row.key, row)).collect();
            // Of a job that was removed meanwhile nothing is left to tell.
            let known = singles
                .iter()
                .filter_map(|single| Some((single, rows.get(&single.key)?)));
            let shown = known.filter_map(|(single, row)| self.event(single, row, query));
            page.events.extend(shown);
        }
        Ok(page)
    }
}

/// Up to `limit` events from `start` on.
fn singles(batches: &[(u64, Events)], start: Cursor, limit: usize) -> Vec<Single> {
    let mut singles = Vec::new();
    for (number, Events { at, list }) in batches {
        let (first, mut child) = match *number == start.batch {
            true => (start.event, start.child),
            false => (0, 0),
        };
        for (index, event) in (0..).zip(list).skip(usize::try_from(first).unwrap_or(usize::MAX)) {
            let left = limit - singles.len();
            let skipped = std::mem::take(&mut child);
            singles.extend(parts(event, skipped, left).map(|(part, key, kind)| Single {
                key,
                kind,
                cursor: Cursor {
                    batch: *number,
                    event: index,
                    child: part,
                },
                at: *at,
            }));
            if singles.len() == limit {
                return singles;
            }
        }
    }
    singles
}

/// The events of each child that one stands for, from the child number `from` on, with that number.
fn parts(event: &JobEvent, from: u32, limit: usize) -> impl Iterator<Item = (u32, JobKey, Kind)> {
    let (single, children) = match event {
        JobEvent::Moved(key, status, ended) => (Some((*key, Kind::Moved(*status, *ended))), None),
        JobEvent::Blocked(key, reason, ended) => (Some((*key, Kind::Blocked(reason.clone(), *ended))), None),
        JobEvent::PreemptionStarted(key, reason) => {
            (Some((*key, Kind::PreemptionStarted(reason.clone()))), None)
        }
        JobEvent::PreemptionCompleted(key, ended) => (Some((*key, Kind::PreemptionCompleted(*ended))), None),
        JobEvent::ChildrenMoved(job, children, status) => (None, Some((*job, children, *status))),
    };
    let children = children.into_iter().flat_map(|(job, children, status)| {
        let indexes = children
            .intervals()
            .iter()
            .flat_map(|interval| interval.indexes());
        indexes.map(move |index| (JobKey::child(job, index), Kind::Moved(status, 0)))
    });
    let all = (0..).zip(single.into_iter().chain(children));
    all.map(|(part, (key, kind))| (part, key, kind))
        .skip(usize::try_from(from).unwrap_or(usize::MAX))
        .take(limit)
}
