//! Events of many streams by time, as `FilterLogEvents` finds them.
//!
//! Chunks are looked at in order of their first events. The least matching events so far are kept, as many as the page takes; once all
//! other chunks begin behind the greatest of them, the page is full. So only one chunk and one page are in memory, however many streams
//! write at the same time. A page that has looked at enough ends before the next chunk's first event: everything before that has been
//! seen. Start reading at [`filter`].

mod source;

use std::collections::BTreeMap;
use std::rc::Rc;

use batchyard_core::time::Timestamp;
use batchyard_runtime::log::StreamName;
use rusqlite::{Connection, OptionalExtension};

use crate::chunk::{entries, stored_bytes};
use crate::error::Error;
use crate::events::{boundary, boundary_end};
use crate::limits::{
    FILTER_SCAN_BYTES_MAX, FILTER_SCAN_CHUNKS_MAX, FILTER_STREAMS_MAX, PAGE_BYTES_MAX, PAGE_EVENTS_MAX,
};
use crate::name::{group_id, stream_id};
use crate::pattern::FilterPattern;
use crate::position::Position;
use crate::schema::integer;
use source::{ChunkPlace, Sources};

/// Which events of a group.
#[derive(Clone, Debug)]
pub struct FilterQuery {
    /// The group.
    pub group: String,
    /// Which of its streams.
    pub streams: FilterStreams,
    /// Only events at or after it.
    pub start: Option<Timestamp>,
    /// Only events before it.
    pub end: Option<Timestamp>,
    /// Only events whose messages match.
    pub pattern: Option<FilterPattern>,
    /// Most events of the page, 1..=[`PAGE_EVENTS_MAX`].
    pub limit: usize,
    /// From a former page of the same query.
    pub token: Option<String>,
}

/// Which streams of a group.
#[derive(Clone, Debug)]
pub enum FilterStreams {
    /// All.
    All,
    /// At most [`FILTER_STREAMS_MAX`], all of which must be there.
    Named(Vec<String>),
    /// Those whose names begin with it.
    Prefix(String),
}

/// Some events, by time, then by the age of their streams, then as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterPage {
    /// At most as many as were asked for, and at most [`PAGE_BYTES_MAX`] unless one alone is larger; none if the page looked at enough
    /// without finding any.
    pub events: Vec<FilteredEvent>,
    /// For the next page; `None` when all has been looked at.
    pub next_token: Option<String>,
}

/// An event that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilteredEvent {
    /// The name of its stream.
    pub stream: String,
    /// As its sender said.
    pub timestamp: Timestamp,
    /// When the store took it.
    pub ingested_at: Timestamp,
    /// The line.
    pub message: String,
    /// 56 digits, the same for ever, and no other event's.
    pub event_id: String,
}

/// One page.
pub(crate) fn filter(connection: &Connection, query: &FilterQuery) -> Result<FilterPage, Error> {
    filter_within(
        connection,
        query,
        Budget {
            bytes: FILTER_SCAN_BYTES_MAX,
            chunks: FILTER_SCAN_CHUNKS_MAX,
        },
    )
}

/// How much one page may look at.
#[derive(Clone, Copy)]
struct Budget {
    bytes: usize,
    chunks: usize,
}

fn filter_within(connection: &Connection, query: &FilterQuery, budget: Budget) -> Result<FilterPage, Error> {
    let FilterQuery {
        group,
        streams,
        start,
        end,
        pattern,
        limit,
        token,
    } = query;
    if !(1..=PAGE_EVENTS_MAX).contains(limit) {
        return Err(Error::Invalid {
            field: "limit",
            reason: "from 1 to 10000",
        });
    }
    let group_id = group_id(connection, group)?;
    let after = Position::new(0, boundary(start.unwrap_or(Timestamp::from_millis(0))));
    let after = match token {
        Some(token) => Position::parse(token)?.max(after),
        None => after,
    };
    let before = Position::new(0, boundary_end(*end));
    let prefix = match streams {
        FilterStreams::Prefix(prefix) => prefix.as_str(),
        FilterStreams::All | FilterStreams::Named(_) => "",
    };
    let mut sources = match few_streams(connection, group, group_id, streams)? {
        Some(ids) => Sources::of_streams(&ids, after, before),
        None => Sources::of_group(group_id, after, before),
    };
    let mut scan = Scan {
        after,
        before,
        prefix,
        pattern: pattern.as_ref(),
        page: Found::new(*limit),
        budget,
    };
    while let Some(place) = sources.next(connection)? {
        if scan
            .page
            .cut
            .is_some_and(|cut| place.first.timestamp > cut.timestamp)
        {
            break;
        }
        // Chunks that begin at one instant are looked at together, or a page could end where it began.
        if scan.is_exhausted() && place.first.timestamp > after.timestamp {
            let frontier = Position {
                timestamp: place.first.timestamp,
                stream_id: 0,
                sequence: 0,
            };
            return Ok(scan.page.finish(Some(frontier)));
        }
        scan.look(connection, place)?;
    }
    Ok(scan.page.finish(None))
}

/// The streams that a query is about, if it names them or they are few; else the group is searched by time.
fn few_streams(
    connection: &Connection,
    group: &str,
    group_id: i64,
    streams: &FilterStreams,
) -> Result<Option<Vec<i64>>, Error> {
    match streams {
        FilterStreams::All => Ok(None),
        FilterStreams::Named(names) => {
            if !(1..=FILTER_STREAMS_MAX).contains(&names.len()) {
                return Err(Error::Invalid {
                    field: "logStreamNames",
                    reason: "from 1 to 100 names",
                });
            }
            let mut ids = Vec::with_capacity(names.len());
            for name in names {
                let name = StreamName {
                    group: group.to_owned(),
                    stream: name.clone(),
                };
                ids.push(stream_id(connection, &name)?.1);
            }
            // A name given twice must not double its events.
            ids.sort_unstable();
            ids.dedup();
            Ok(Some(ids))
        }
        FilterStreams::Prefix(prefix) => {
            let mut statement = connection.prepare_cached(
                "SELECT id, name FROM streams WHERE group_id = ?1 AND name >= ?2 ORDER BY name LIMIT ?3",
            )?;
            let mut rows = statement.query((group_id, prefix, integer(FILTER_STREAMS_MAX + 1)))?;
            let mut ids = Vec::new();
            while let Some(row) = rows.next()? {
                if !row
                    .get_ref(1)?
                    .as_str()
                    .map_err(rusqlite::Error::from)?
                    .starts_with(prefix.as_str())
                {
                    break;
                }
                ids.push(row.get(0)?);
            }
            Ok((ids.len() <= FILTER_STREAMS_MAX).then_some(ids))
        }
    }
}

/// Looking through chunks.
struct Scan<'q> {
    after: Position,
    before: Position,
    prefix: &'q str,
    pattern: Option<&'q FilterPattern>,
    page: Found,
    /// What is left of it.
    budget: Budget,
}

impl Scan<'_> {
    fn is_exhausted(&self) -> bool {
        self.budget.bytes == 0 || self.budget.chunks == 0
    }

    fn look(&mut self, connection: &Connection, place: ChunkPlace) -> Result<(), Error> {
        let ChunkPlace { first, id } = place;
        let stream_id = first.stream_id;
        self.budget.chunks = self.budget.chunks.saturating_sub(1);
        let mut statement = connection.prepare_cached(
            "SELECT s.name, c.last_timestamp, c.data FROM chunks c JOIN streams s ON s.id = c.stream_id
            WHERE c.id = ?1 AND s.name IS NOT NULL",
        )?;
        let found = statement.query_row([id], |row| {
            let name: String = row.get(0)?;
            let last: i64 = row.get(1)?;
            let is_wanted = last >= self.after.timestamp && name.starts_with(self.prefix);
            Ok((name, if is_wanted { row.get(2)? } else { Vec::new() }))
        });
        let Some((name, data)) = found
            .optional()?
            .filter(|(_, data): &(_, Vec<u8>)| !data.is_empty())
        else {
            return Ok(());
        };
        self.budget.bytes = self.budget.bytes.saturating_sub(data.len());
        let name: Rc<str> = name.into();
        for entry in entries(&data) {
            let entry = entry?;
            let position = Position::new(stream_id, entry.key);
            if position <= self.after {
                continue;
            }
            if position >= self.before || self.page.cut.is_some_and(|cut| position >= cut) {
                break;
            }
            if self.pattern.is_none_or(|pattern| pattern.matches(entry.message)) {
                let message = entry.message.to_owned();
                self.page.take(
                    position,
                    FoundEvent {
                        stream: Rc::clone(&name),
                        ingested_at: entry.ingested_at,
                        message,
                    },
                );
            }
        }
        Ok(())
    }
}

struct FoundEvent {
    stream: Rc<str>,
    ingested_at: Timestamp,
    message: String,
}

/// The least events found so far, as many as the page takes.
struct Found {
    events: BTreeMap<Position, FoundEvent>,
    bytes: usize,
    limit: usize,
    /// The least event found that the page has no room for: none from there on belong to it.
    cut: Option<Position>,
}

impl Found {
    fn new(limit: usize) -> Found {
        Found {
            events: BTreeMap::new(),
            bytes: 0,
            limit,
            cut: None,
        }
    }

    /// Takes an event before the cut, and gives up the greatest ones while there are too many.
    fn take(&mut self, position: Position, event: FoundEvent) {
        self.bytes += stored_bytes(&event.message);
        self.events.insert(position, event);
        while self.events.len() > self.limit || (self.bytes > PAGE_BYTES_MAX && self.events.len() > 1) {
            if let Some((position, event)) = self.events.pop_last() {
                self.bytes -= stored_bytes(&event.message);
                self.cut = Some(position);
            }
        }
    }

    /// The page, up to the frontier if the search ended at one.
    fn finish(mut self, frontier: Option<Position>) -> FilterPage {
        if let Some(frontier) = frontier {
            drop(self.events.split_off(&frontier));
        }
        let last = self.events.last_key_value().map(|(position, _)| *position);
        let next = match (self.cut, frontier) {
            // Behind the last event there is one without room, unless the frontier comes first.
            (Some(cut), Some(frontier)) if frontier <= cut => Some(frontier),
            (Some(_), _) => last,
            (None, frontier) => frontier,
        };
        let events = self
            .events
            .into_iter()
            .map(
                |(
                    position,
                    FoundEvent {
                        stream,
                        ingested_at,
                        message,
                    },
                )| FilteredEvent {
                    stream: stream.to_string(),
                    timestamp: Timestamp::from_millis(position.timestamp),
                    ingested_at,
                    message,
                    event_id: position.to_string(),
                },
            )
            .collect();
        FilterPage {
            events,
            next_token: next.map(|next| next.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
