//! Where a filter's chunks come from: indexes read side by side, always the chunk with the least first event next.
//!
//! A group's chunks are read from one index per class of span: none of a class can cover an instant if it begins more than that span
//! before. A stream's are read from its own. This module must not read chunks, only their places. Start reading at [`Sources::next`].

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rusqlite::{Connection, OptionalExtension, Row};

use crate::chunk::Key;
use crate::error::Error;
use crate::limits::{CHUNK_SPANS, FILTER_READ_AHEAD};
use crate::position::Position;
use crate::schema::integer;

/// Where a chunk is, ordered by its first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChunkPlace {
    /// Of its first event.
    pub(super) first: Position,
    /// Of its row.
    pub(super) id: i64,
}

/// All sources of one search.
pub(super) struct Sources {
    sources: Vec<Source>,
    /// The next place of each source that has one, with the source's index.
    heads: BinaryHeap<Reverse<(ChunkPlace, usize)>>,
    before: Position,
    is_started: bool,
}

struct Source {
    kind: Kind,
    /// Read ahead, in order.
    places: VecDeque<ChunkPlace>,
    /// Where the rest begins; `None` when all is read.
    next: Option<From>,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Chunks of a group whose span is of this class.
    Class { group_id: i64, class: usize },
    /// Chunks of one stream.
    Stream { stream_id: i64 },
}

/// A bound on places, with itself or without.
#[derive(Clone, Copy)]
enum From {
    At(Position),
    Behind(Position),
}

impl Sources {
    pub(super) fn of_group(group_id: i64, after: Position, before: Position) -> Sources {
        let sources = CHUNK_SPANS.iter().enumerate().map(|(class, span)| {
            let span = i64::try_from(span.as_millis()).expect("spans are hours");
            let timestamp = after.timestamp - span;
            Source::new(
                Kind::Class { group_id, class },
                Position {
                    timestamp,
                    stream_id: 0,
                    sequence: 0,
                },
            )
        });
        Sources::new(sources.collect(), before)
    }

    pub(super) fn of_streams(ids: &[i64], after: Position, before: Position) -> Sources {
        let sources = ids.iter().map(|&stream_id| {
            // From before all events of the time: those of this stream may come behind those of another at the same time.
            Source::new(
                Kind::Stream { stream_id },
                Position {
                    timestamp: after.timestamp,
                    stream_id,
                    sequence: 0,
                },
            )
        });
        Sources::new(sources.collect(), before)
    }

    fn new(sources: Vec<Source>, before: Position) -> Sources {
        Sources {
            sources,
            heads: BinaryHeap::new(),
            before,
            is_started: false,
        }
    }

    /// The next chunk, in order of first events, that may have events in the range.
    pub(super) fn next(&mut self, connection: &Connection) -> Result<Option<ChunkPlace>, Error> {
        if !self.is_started {
            self.is_started = true;
            for index in 0..self.sources.len() {
                self.advance(connection, index)?;
            }
        }
        let Some(Reverse((place, index))) = self.heads.pop() else {
            return Ok(None);
        };
        self.advance(connection, index)?;
        Ok(Some(place))
    }

    fn advance(&mut self, connection: &Connection, index: usize) -> Result<(), Error> {
        let source = &mut self.sources[index];
        if source.places.is_empty() {
            source.read(connection, self.before)?;
        }
        if let Some(place) = source.places.pop_front() {
            self.heads.push(Reverse((place, index)));
        }
        Ok(())
    }
}

impl Source {
    fn new(kind: Kind, at: Position) -> Source {
        Source {
            kind,
            places: VecDeque::new(),
            next: Some(From::At(at)),
        }
    }

    fn read(&mut self, connection: &Connection, before: Position) -> Result<(), Error> {
        let Some(next) = self.next else { return Ok(()) };
        self.places = match self.kind {
            Kind::Class { group_id, class } => {
                let (From::At(from) | From::Behind(from)) = next;
                class_places(connection, group_id, class, from, before)?
            }
            Kind::Stream { stream_id } => {
                let from = match next {
                    From::At(at) => covering(connection, stream_id, at.key())?,
                    From::Behind(place) => Key {
                        sequence: place.sequence + 1,
                        ..place.key()
                    },
                };
                stream_places(connection, stream_id, from, before)?
            }
        };
        self.next = match self.places.back() {
            Some(last) if self.places.len() == FILTER_READ_AHEAD => Some(From::Behind(last.first)),
            Some(_) | None => None,
        };
        Ok(())
    }
}

/// The beginning of the chunk in which a key would be.
fn covering(connection: &Connection, stream_id: i64, key: Key) -> Result<Key, Error> {
    let first = connection
        .prepare_cached(
            "SELECT first_timestamp, first_sequence FROM chunks
            WHERE stream_id = ?1 AND (first_timestamp, first_sequence) <= (?2, ?3)
            ORDER BY first_timestamp DESC, first_sequence DESC LIMIT 1",
        )?
        .query_row((stream_id, key.timestamp, key.sequence), |row| {
            Ok(Key {
                timestamp: row.get(0)?,
                sequence: row.get(1)?,
            })
        })
        .optional()?;
    Ok(first.unwrap_or(key))
}

fn class_places(
    connection: &Connection,
    group_id: i64,
    class: usize,
    behind: Position,
    before: Position,
) -> Result<VecDeque<ChunkPlace>, Error> {
    let places = connection
        .prepare_cached(
            "SELECT first_timestamp, stream_id, first_sequence, id FROM chunks INDEXED BY chunks_by_time
            WHERE group_id = ?1 AND span_class = ?2 AND (first_timestamp, stream_id, first_sequence) > (?3, ?4, ?5)
                AND first_timestamp < ?6
            ORDER BY first_timestamp, stream_id, first_sequence LIMIT ?7",
        )?
        .query_map(
            (
                group_id,
                integer(class),
                behind.timestamp,
                behind.stream_id,
                behind.sequence,
                before.timestamp,
                integer(FILTER_READ_AHEAD),
            ),
            place_row,
        )?
        .collect::<Result<_, _>>()?;
    Ok(places)
}

fn stream_places(
    connection: &Connection,
    stream_id: i64,
    from: Key,
    before: Position,
) -> Result<VecDeque<ChunkPlace>, Error> {
    let places = connection
        .prepare_cached(
            "SELECT first_timestamp, stream_id, first_sequence, id FROM chunks
            WHERE stream_id = ?1 AND (first_timestamp, first_sequence) >= (?2, ?3) AND first_timestamp < ?4
            ORDER BY first_timestamp, first_sequence LIMIT ?5",
        )?
        .query_map(
            (
                stream_id,
                from.timestamp,
                from.sequence,
                before.timestamp,
                integer(FILTER_READ_AHEAD),
            ),
            place_row,
        )?
        .collect::<Result<_, _>>()?;
    Ok(places)
}

fn place_row(row: &Row<'_>) -> rusqlite::Result<ChunkPlace> {
    let first = Position {
        timestamp: row.get(0)?,
        stream_id: row.get(1)?,
        sequence: row.get(2)?,
    };
    Ok(ChunkPlace {
        first,
        id: row.get(3)?,
    })
}
