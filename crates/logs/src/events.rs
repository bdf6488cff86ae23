//! Reading one stream page by page, in either direction, as `GetLogEvents` does.
//!
//! A token is a direction and a boundary between two events: `f/…` goes on after an event, `b/…` goes back from before one. Both of a
//! page's tokens always exist, and a page without events has the boundary that it was asked for: at the end of a stream the same forward
//! token comes back, and later yields what has come since. Start reading at [`events`].

use batchyard_core::time::Timestamp;
use batchyard_runtime::log::StreamName;
use rusqlite::{Connection, OptionalExtension};

use crate::chunk::{Entry, Key, entries, stored_bytes};
use crate::error::Error;
use crate::limits::{PAGE_BYTES_MAX, PAGE_EVENTS_MAX, TIMESTAMP_MS_MAX};
use crate::name::stream_id;
use crate::position::Position;

/// Which events of one stream.
#[derive(Clone, Debug)]
pub struct EventsQuery {
    /// The stream.
    pub stream: StreamName,
    /// Only events at or after it.
    pub start: Option<Timestamp>,
    /// Only events before it.
    pub end: Option<Timestamp>,
    /// Where the page begins.
    pub from: Start,
    /// Most events of the page, 1..=[`PAGE_EVENTS_MAX`].
    pub limit: usize,
}

/// Where a page begins.
#[derive(Clone, Debug)]
pub enum Start {
    /// With the oldest event.
    Head,
    /// The page ends with the newest event.
    Tail,
    /// At a token of another page of the stream.
    Token(String),
}

/// Some events of a stream, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most as many as were asked for, and at most [`PAGE_BYTES_MAX`] unless one alone is larger.
    pub events: Vec<StoredEvent>,
    /// For the page after this one.
    pub forward_token: String,
    /// For the page before this one.
    pub backward_token: String,
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// As its sender said.
    pub timestamp: Timestamp,
    /// When the store took it.
    pub ingested_at: Timestamp,
    /// The line.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// Keys between `after` and `before`, both exclusive.
#[derive(Clone, Copy)]
struct Range {
    after: Key,
    before: Key,
}

/// One page.
pub(crate) fn events(connection: &Connection, query: &EventsQuery) -> Result<Page, Error> {
    let EventsQuery {
        stream,
        start,
        end,
        from,
        limit,
    } = query;
    if !(1..=PAGE_EVENTS_MAX).contains(limit) {
        return Err(Error::Invalid {
            field: "limit",
            reason: "from 1 to 10000",
        });
    }
    let (_, stream_id) = stream_id(connection, stream)?;
    let whole = Range {
        after: boundary(start.unwrap_or(Timestamp::from_millis(0))),
        before: boundary_end(*end),
    };
    let (direction, at) = match from {
        Start::Head => (Direction::Forward, whole.after),
        Start::Tail => (Direction::Backward, whole.before),
        Start::Token(token) => parse_token(token, stream_id)?,
    };
    let range = match direction {
        Direction::Forward => Range {
            after: whole.after.max(at),
            ..whole
        },
        Direction::Backward => Range {
            before: whole.before.min(at),
            ..whole
        },
    };
    let mut page = Gathered {
        events: Vec::new(),
        bytes: 0,
        limit: *limit,
    };
    match direction {
        Direction::Forward => forward(connection, stream_id, range, &mut page)?,
        Direction::Backward => backward(connection, stream_id, range, &mut page)?,
    }
    let (before, after) = match (page.events.first(), page.events.last(), from) {
        (Some((first, _)), Some((last, _)), _) => (*first, *last),
        // Nothing is in the range at all, so what comes into it will be after its beginning.
        (_, _, Start::Head | Start::Tail) => (next(whole.after), whole.after),
        (_, _, Start::Token(_)) => match direction {
            Direction::Forward => (next(at), at),
            Direction::Backward => (at, previous(at)),
        },
    };
    Ok(Page {
        events: page.events.into_iter().map(|(_, event)| event).collect(),
        forward_token: format!("f/{}", Position::new(stream_id, after)),
        backward_token: format!("b/{}", Position::new(stream_id, before)),
    })
}

fn parse_token(token: &str, stream_id: i64) -> Result<(Direction, Key), Error> {
    let (direction, digits) = if let Some(digits) = token.strip_prefix("f/") {
        (Direction::Forward, digits)
    } else if let Some(digits) = token.strip_prefix("b/") {
        (Direction::Backward, digits)
    } else {
        return Err(Error::InvalidToken);
    };
    let position = Position::parse(digits)?;
    if position.stream_id == stream_id {
        Ok((direction, position.key()))
    } else {
        Err(Error::InvalidToken)
    }
}

/// After all events.
const LAST: Key = Key {
    timestamp: TIMESTAMP_MS_MAX,
    sequence: i64::MAX,
};

/// Before all events of a time; sequence numbers begin with 1.
pub(crate) fn boundary(time: Timestamp) -> Key {
    match time.as_millis() {
        timestamp if timestamp > TIMESTAMP_MS_MAX => LAST,
        timestamp => Key {
            timestamp: timestamp.max(0),
            sequence: 0,
        },
    }
}

/// Before all events of a time, or after all events.
pub(crate) fn boundary_end(time: Option<Timestamp>) -> Key {
    time.map_or(LAST, boundary)
}

/// The least key after one: what is before it is at most `key`.
fn next(key: Key) -> Key {
    Key {
        sequence: key.sequence.saturating_add(1),
        ..key
    }
}

/// The greatest key before one: what is after it is at least `key`.
fn previous(key: Key) -> Key {
    Key {
        sequence: (key.sequence - 1).max(0),
        ..key
    }
}

/// Events of a page so far, in the order they were found.
struct Gathered {
    events: Vec<(Key, StoredEvent)>,
    bytes: usize,
    limit: usize,
}

impl Gathered {
    /// Takes an event if it fits; `false` when the page is full.
    fn take(&mut self, entry: &Entry<'_>) -> bool {
        let Entry {
            key,
            ingested_at,
            message,
        } = *entry;
        let bytes = self.bytes + stored_bytes(message);
        if self.events.len() == self.limit || (bytes > PAGE_BYTES_MAX && !self.events.is_empty()) {
            return false;
        }
        self.bytes = bytes;
        let timestamp = Timestamp::from_millis(key.timestamp);
        self.events.push((
            key,
            StoredEvent {
                timestamp,
                ingested_at,
                message: message.to_owned(),
            },
        ));
        true
    }
}

fn forward(connection: &Connection, stream_id: i64, range: Range, page: &mut Gathered) -> Result<(), Error> {
    let Range { after, before } = range;
    // The chunk that spans the boundary begins before it: read from the last that does.
    let from = connection
        .prepare_cached(
            "SELECT first_timestamp, first_sequence FROM chunks
            WHERE stream_id = ?1 AND (first_timestamp, first_sequence) <= (?2, ?3)
            ORDER BY first_timestamp DESC, first_sequence DESC LIMIT 1",
        )?
        .query_row((stream_id, after.timestamp, after.sequence), |row| {
            Ok(Key {
                timestamp: row.get(0)?,
                sequence: row.get(1)?,
            })
        })
        .optional()?
        .unwrap_or(after);
    let mut chunks = connection.prepare_cached(
        "SELECT data FROM chunks WHERE stream_id = ?1
            AND (first_timestamp, first_sequence) >= (?2, ?3) AND (first_timestamp, first_sequence) < (?4, ?5)
        ORDER BY first_timestamp, first_sequence",
    )?;
    let mut rows = chunks.query((
        stream_id,
        from.timestamp,
        from.sequence,
        before.timestamp,
        before.sequence,
    ))?;
    while let Some(row) = rows.next()? {
        for entry in entries(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?) {
            let entry = entry?;
            if entry.key <= after {
                continue;
            }
            if entry.key >= before || !page.take(&entry) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn backward(connection: &Connection, stream_id: i64, range: Range, page: &mut Gathered) -> Result<(), Error> {
    let Range { after, before } = range;
    let mut chunks = connection.prepare_cached(
        "SELECT data FROM chunks WHERE stream_id = ?1 AND (first_timestamp, first_sequence) < (?2, ?3)
        ORDER BY first_timestamp DESC, first_sequence DESC",
    )?;
    let mut rows = chunks.query((stream_id, before.timestamp, before.sequence))?;
    'chunks: while let Some(row) = rows.next()? {
        let data = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        for entry in entries(data).collect::<Result<Vec<_>, _>>()?.iter().rev() {
            if entry.key >= before {
                continue;
            }
            if entry.key <= after || !page.take(entry) {
                break 'chunks;
            }
        }
    }
    page.events.reverse();
    Ok(())
}
