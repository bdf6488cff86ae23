//! Appending: events into the chunks of their streams, and cursors.
//!
//! The chunks of a stream are in order and never overlap. Events that come in order go behind the last chunk, or into it while it is
//! small. Others go where they belong: into a gap, or into the one chunk that spans their time, which is written again. Start reading
//! at [`Appender::append`].

use std::collections::HashMap;

use batchyard_core::time::Timestamp;
use batchyard_runtime::log::{Append, Cursor, LogEvent};
use rusqlite::{Connection, OptionalExtension};

use crate::chunk::{Chunk, Entry, Key, entries, pack, span_class, stored_bytes};
use crate::error::Error;
use crate::limits::CHUNK_SMALL_BYTES;
use crate::schema::{NO_TIME, integer};

/// Appends within one transaction.
pub(super) struct Appender<'c> {
    connection: &'c Connection,
    /// The groups touched since the last [`Appender::finish`], with the bytes to be added to their rows.
    groups: HashMap<String, GroupTally>,
}

#[derive(Clone, Copy)]
struct GroupTally {
    id: i64,
    stored_bytes: i64,
}

/// What is known of a stream that is appended to.
struct Target {
    group_id: i64,
    stream_id: i64,
}

impl<'c> Appender<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Appender {
            connection,
            groups: HashMap::new(),
        }
    }

    pub(super) fn append(&mut self, appends: &[Append], ingested_at: Timestamp) -> Result<(), Error> {
        for Append {
            stream,
            events,
            cursor,
        } in appends
        {
            let group_id = self.group(&stream.group, ingested_at)?;
            self.stream(group_id, &stream.stream, events, ingested_at)?;
            let stored = events
                .iter()
                .map(|event| integer(stored_bytes(&event.message)))
                .sum::<i64>();
            if let Some(tally) = self.groups.get_mut(&stream.group) {
                tally.stored_bytes += stored;
            }
            if let Some(cursor) = cursor {
                self.cursor(cursor)?;
            }
        }
        Ok(())
    }

    /// Writes what was gathered. Must be called before anything else looks at groups, and at the end.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        let mut update = self
            .connection
            .prepare_cached("UPDATE groups SET stored_bytes = stored_bytes + ?2 WHERE id = ?1")?;
        for (_, GroupTally { id, stored_bytes }) in self.groups.drain() {
            update.execute((id, stored_bytes))?;
        }
        Ok(())
    }

    fn group(&mut self, name: &str, now: Timestamp) -> Result<i64, Error> {
        if let Some(tally) = self.groups.get(name) {
            return Ok(tally.id);
        }
        let found = self
            .connection
            .prepare_cached("SELECT id FROM groups WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => {
                self.connection
                    .prepare_cached(
                        "INSERT INTO groups (name, created_at, tags, stored_bytes) VALUES (?1, ?2, '{}', 0)",
                    )?
                    .execute((name, now.as_millis()))?;
                self.connection.last_insert_rowid()
            }
        };
        self.groups
            .insert(name.to_owned(), GroupTally { id, stored_bytes: 0 });
        Ok(id)
    }

    fn stream(&self, group_id: i64, name: &str, events: &[LogEvent], now: Timestamp) -> Result<(), Error> {
        let found = self
            .connection
            .prepare_cached("SELECT id, last_sequence FROM streams WHERE group_id = ?1 AND name = ?2")?
            .query_row((group_id, name), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let first = events.iter().map(|event| event.timestamp.as_millis()).min();
        let last = events.iter().map(|event| event.timestamp.as_millis()).max();
        let stored = events
            .iter()
            .map(|event| integer(stored_bytes(&event.message)))
            .sum::<i64>();
        let (stream_id, last_sequence) = match found {
            Some((id, last_sequence)) => {
                if let (Some(first), Some(last)) = (first, last) {
                    self.connection
                        .prepare_cached(
                            "UPDATE streams SET last_sequence = last_sequence + ?2,
                                first_event = iif(first_event = ?3, ?4, min(first_event, ?4)),
                                last_event = max(last_event, ?5), last_ingestion = ?6, stored_bytes = stored_bytes + ?7
                            WHERE id = ?1",
                        )?
                        .execute((id, integer(events.len()), NO_TIME, first, last, now.as_millis(), stored))?;
                }
                (id, last_sequence)
            }
            None => {
                let ingestion = if events.is_empty() {
                    NO_TIME
                } else {
                    now.as_millis()
                };
                self.connection
                    .prepare_cached(
                        "INSERT INTO streams (group_id, name, created_at, last_sequence, first_event, last_event,
                            last_ingestion, stored_bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    )?
                    .execute((
                        group_id,
                        name,
                        now.as_millis(),
                        integer(events.len()),
                        first.unwrap_or(NO_TIME),
                        last.unwrap_or(NO_TIME),
                        ingestion,
                        stored,
                    ))?;
                (self.connection.last_insert_rowid(), 0)
            }
        };
        Target { group_id, stream_id }.place(self.connection, &keyed(events, last_sequence, now))
    }

    fn cursor(&self, cursor: &Cursor) -> Result<(), Error> {
        let Cursor { source, position } = cursor;
        match position {
            Some(position) => self
                .connection
                .prepare_cached("INSERT OR REPLACE INTO cursors (source, position) VALUES (?1, ?2)")?
                .execute((source, position))?,
            None => self
                .connection
                .prepare_cached("DELETE FROM cursors WHERE source = ?1")?
                .execute([source])?,
        };
        Ok(())
    }
}

/// The events in order, with the keys that they get in a stream that has counted to `last_sequence`.
fn keyed(events: &[LogEvent], last_sequence: i64, ingested_at: Timestamp) -> Vec<Entry<'_>> {
    let mut sequence = last_sequence;
    let mut keyed: Vec<Entry<'_>> = events
        .iter()
        .map(|LogEvent { timestamp, message }| {
            sequence += 1;
            Entry {
                key: Key {
                    timestamp: timestamp.as_millis(),
                    sequence,
                },
                ingested_at,
                message,
            }
        })
        .collect();
    keyed.sort_by_key(|entry| entry.key);
    keyed
}

/// The chunk before an event's place.
struct Before {
    id: i64,
    last: Key,
    bytes: i64,
}

impl Target {
    /// Puts events, in order, where they belong.
    fn place(&self, connection: &Connection, mut events: &[Entry<'_>]) -> Result<(), Error> {
        while let Some(next) = events.first() {
            let before = self.chunk_before(connection, next.key)?;
            let after = self.chunk_after(connection, next.key)?;
            let run = after.map_or(events.len(), |after| {
                events.partition_point(|entry| entry.key < after)
            });
            let (run, rest) = events.split_at(run);
            match before {
                // Only a new event may sort behind an old one of the same chunk; keys are never equal.
                Some(before) if before.last > next.key || before.bytes < integer(CHUNK_SMALL_BYTES) => {
                    self.merge(connection, before.id, run)?;
                }
                Some(_) | None => self.insert(connection, &pack(run.iter().copied()))?,
            }
            events = rest;
        }
        Ok(())
    }

    fn chunk_before(&self, connection: &Connection, key: Key) -> Result<Option<Before>, Error> {
        let before = connection
            .prepare_cached(
                "SELECT id, last_timestamp, last_sequence, length(data) FROM chunks
                WHERE stream_id = ?1 AND (first_timestamp, first_sequence) < (?2, ?3)
                ORDER BY first_timestamp DESC, first_sequence DESC LIMIT 1",
            )?
            .query_row((self.stream_id, key.timestamp, key.sequence), |row| {
                Ok(Before {
                    id: row.get(0)?,
                    last: Key {
                        timestamp: row.get(1)?,
                        sequence: row.get(2)?,
                    },
                    bytes: row.get(3)?,
                })
            })
            .optional()?;
        Ok(before)
    }

    fn chunk_after(&self, connection: &Connection, key: Key) -> Result<Option<Key>, Error> {
        let after = connection
            .prepare_cached(
                "SELECT first_timestamp, first_sequence FROM chunks
                WHERE stream_id = ?1 AND (first_timestamp, first_sequence) > (?2, ?3)
                ORDER BY first_timestamp, first_sequence LIMIT 1",
            )?
            .query_row((self.stream_id, key.timestamp, key.sequence), |row| {
                Ok(Key {
                    timestamp: row.get(0)?,
                    sequence: row.get(1)?,
                })
            })
            .optional()?;
        Ok(after)
    }

    /// Writes a chunk again with `run`, which lies behind its first event, in it; what is too much for it goes into others.
    fn merge(&self, connection: &Connection, id: i64, run: &[Entry<'_>]) -> Result<(), Error> {
        let data: Vec<u8> = connection
            .prepare_cached("SELECT data FROM chunks WHERE id = ?1")?
            .query_row([id], |row| row.get(0))?;
        let mut merged = entries(&data).collect::<Result<Vec<_>, _>>()?;
        merged.extend_from_slice(run);
        // Two runs in order: the sort finds them and merges.
        merged.sort_by_key(|entry| entry.key);
        let chunks = pack(merged);
        let Some((
            Chunk {
                // It keeps its first event, and so its key.
                first,
                last,
                stored_bytes,
                data,
            },
            others,
        )) = chunks.split_first()
        else {
            return Ok(());
        };
        connection
            .prepare_cached(
                "UPDATE chunks SET last_timestamp = ?2, last_sequence = ?3, span_class = ?4, stored_bytes = ?5, data = ?6
                WHERE id = ?1",
            )?
            .execute((
                id,
                last.timestamp,
                last.sequence,
                integer(span_class(*first, *last)),
                stored_bytes,
                data,
            ))?;
        self.insert(connection, others)
    }

    fn insert(&self, connection: &Connection, chunks: &[Chunk]) -> Result<(), Error> {
        let mut insert = connection.prepare_cached(
            "INSERT INTO chunks (stream_id, first_timestamp, first_sequence, last_timestamp, last_sequence, group_id,
                span_class, stored_bytes, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        for Chunk {
            first,
            last,
            stored_bytes,
            data,
        } in chunks
        {
            insert.execute((
                self.stream_id,
                first.timestamp,
                first.sequence,
                last.timestamp,
                last.sequence,
                self.group_id,
                integer(span_class(*first, *last)),
                stored_bytes,
                data,
            ))?;
        }
        Ok(())
    }
}
