//! Chunks: the events of a stream packed into one row's blob, in order of timestamp, then ingestion.
//!
//! A chunk is one format byte and then, for each event, four varints and the message: the milliseconds since the event before, how
//! far its sequence number is from the next expected, how far its ingestion time is from the last one's, and the message's length.
//! In a usual chunk that is four or five bytes an event besides its message.
//!
//! This module must not know about SQL. Start reading at [`pack`].

use batchyard_core::time::Timestamp;

use crate::limits::{CHUNK_BYTES_MAX, CHUNK_SPANS, EVENT_OVERHEAD_BYTES};

/// The only format so far: not compressed.
const FORMAT_PLAIN: u8 = 1;

/// Where an event stands in its stream. No two events of a stream have the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Milliseconds since the epoch, not negative.
    pub(crate) timestamp: i64,
    /// Counts the events of the stream in the order of ingestion, from 1; so zero stands before all events of a timestamp.
    pub(crate) sequence: i64,
}

/// One event, borrowed from its chunk or from the append that brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) key: Key,
    pub(crate) ingested_at: Timestamp,
    pub(crate) message: &'a str,
}

/// Events packed, and what their row says about them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) first: Key,
    pub(crate) last: Key,
    /// As [`stored_bytes`] counts.
    pub(crate) stored_bytes: i64,
    pub(crate) data: Vec<u8>,
}

/// A chunk's bytes make no sense.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("decode a chunk of log events at byte {at}")]
pub struct CorruptChunk {
    at: usize,
}

/// What an event counts for in sizes that clients see.
pub(crate) fn stored_bytes(message: &str) -> usize {
    message.len() + EVENT_OVERHEAD_BYTES
}

/// Packs events, which must be in order of their keys, into as few chunks as the limits allow.
pub(crate) fn pack<'a>(entries: impl IntoIterator<Item = Entry<'a>>) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut packer: Option<Packer> = None;
    for entry in entries {
        if packer.as_ref().is_some_and(|packer| !packer.has_room(&entry)) {
            chunks.extend(packer.take().map(|packer| packer.chunk));
        }
        match &mut packer {
            Some(packer) => packer.push(&entry),
            None => packer = Some(Packer::new(&entry)),
        }
    }
    chunks.extend(packer.map(|packer| packer.chunk));
    chunks
}

/// The class of [`CHUNK_SPANS`] of a chunk: which of them its span does not exceed.
pub(crate) fn span_class(first: Key, last: Key) -> usize {
    let span = Timestamp::from_millis(last.timestamp).since(Timestamp::from_millis(first.timestamp));
    CHUNK_SPANS
        .iter()
        .position(|bound| span <= *bound)
        .unwrap_or(CHUNK_SPANS.len() - 1)
}

struct Packer {
    chunk: Chunk,
    ingested_at: Timestamp,
}

impl Packer {
    fn new(entry: &Entry<'_>) -> Packer {
        let before = Key {
            timestamp: 0,
            sequence: 0,
        };
        let chunk = Chunk {
            first: entry.key,
            last: before,
            stored_bytes: 0,
            data: vec![FORMAT_PLAIN],
        };
        let mut packer = Packer {
            chunk,
            ingested_at: Timestamp::from_millis(0),
        };
        packer.push(entry);
        packer
    }

    fn has_room(&self, entry: &Entry<'_>) -> bool {
        let span = entry.key.timestamp - self.chunk.first.timestamp;
        let span_max = CHUNK_SPANS[CHUNK_SPANS.len() - 1].as_millis();
        self.chunk.data.len() + entry.message.len() <= CHUNK_BYTES_MAX
            && u64::try_from(span).is_ok_and(|span| span <= span_max)
    }

    fn push(&mut self, entry: &Entry<'_>) {
        let Entry {
            key,
            ingested_at,
            message,
        } = *entry;
        assert!(
            self.chunk.stored_bytes == 0 || self.chunk.last < key,
            "events are packed in order"
        );
        let Chunk {
            first: _,
            last,
            stored_bytes: stored,
            data,
        } = &mut self.chunk;
        put_varint(data, (key.timestamp - last.timestamp).cast_unsigned());
        put_signed(data, key.sequence - last.sequence - 1);
        put_signed(data, ingested_at.as_millis() - self.ingested_at.as_millis());
        put_varint(data, message.len() as u64);
        data.extend_from_slice(message.as_bytes());
        *last = key;
        *stored +=
            i64::try_from(stored_bytes(message)).expect("a message in memory is shorter than 2^63 bytes");
        self.ingested_at = ingested_at;
    }
}

/// The events of a chunk, in order; ends after the first error.
pub(crate) fn entries(data: &[u8]) -> Entries<'_> {
    // Whoever made the slice put its format first; a chunk without it fails at its first event.
    let at = usize::from(data.first() == Some(&FORMAT_PLAIN));
    Entries {
        data,
        at,
        key: Key {
            timestamp: 0,
            sequence: 0,
        },
        ingested_at: 0,
        is_over: false,
    }
}

pub(crate) struct Entries<'a> {
    data: &'a [u8],
    at: usize,
    key: Key,
    ingested_at: i64,
    is_over: bool,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, CorruptChunk>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over || (self.at > 0 && self.at == self.data.len()) {
            return None;
        }
        let start = self.at;
        let entry = if start == 0 { None } else { self.entry() };
        self.is_over = entry.is_none();
        Some(entry.ok_or(CorruptChunk { at: start }))
    }
}

impl<'a> Entries<'a> {
    fn entry(&mut self) -> Option<Entry<'a>> {
        let timestamp = self.key.timestamp.checked_add_unsigned(self.varint()?)?;
        let sequence = self.key.sequence.checked_add(1)?.checked_add(self.signed()?)?;
        let ingested_at = self.ingested_at.checked_add(self.signed()?)?;
        let length = usize::try_from(self.varint()?).ok()?;
        let message = self.data.get(self.at..)?.get(..length)?;
        let message = std::str::from_utf8(message).ok()?;
        self.at += length;
        self.key = Key { timestamp, sequence };
        self.ingested_at = ingested_at;
        Some(Entry {
            key: self.key,
            ingested_at: Timestamp::from_millis(ingested_at),
            message,
        })
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = *self.data.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }
}

fn put_varint(data: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        data.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    data.push((value & 0x7f) as u8);
}

fn put_signed(data: &mut Vec<u8>, value: i64) {
    // Zigzag: small numbers of either sign are small varints.
    put_varint(data, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_out(
            events in proptest::collection::vec((0..10_000_000_i64, -5000..5000_i64, 0..3000_usize), 1..200),
        ) {
            let mut sequence = 0;
            let texts: Vec<String> = events.iter().map(|(_, _, length)| "é".repeat(*length)).collect();
            let mut packed: Vec<Entry<'_>> = events
                .iter()
                .zip(&texts)
                .map(|((timestamp, late, _), message)| {
                    sequence += 1;
                    let ingested_at = Timestamp::from_millis(timestamp + late);
                    Entry { key: Key { timestamp: *timestamp, sequence }, ingested_at, message }
                })
                .collect();
            packed.sort_by_key(|entry| entry.key);
            let chunks = pack(packed.iter().copied());
            let mut unpacked = Vec::new();
            for chunk in &chunks {
                let inside = entries(&chunk.data).collect::<Result<Vec<_>, _>>().unwrap();
                prop_assert_eq!(inside.first().map(|entry| entry.key), Some(chunk.first));
                prop_assert_eq!(inside.last().map(|entry| entry.key), Some(chunk.last));
                let stored = inside.iter().map(|entry| stored_bytes(entry.message)).sum::<usize>();
                prop_assert_eq!(i64::try_from(stored).unwrap(), chunk.stored_bytes);
                prop_assert!(inside.len() == 1 || chunk.data.len() < CHUNK_BYTES_MAX + 100);
                let span = (chunk.last.timestamp - chunk.first.timestamp).unsigned_abs();
                prop_assert!(span <= CHUNK_SPANS[span_class(chunk.first, chunk.last)].as_millis());
                unpacked.extend(inside);
            }
            prop_assert_eq!(unpacked, packed);
        }

        #[test]
        fn damaged_bytes_are_an_error_or_events(data in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut data = data;
            if let Some(format) = data.first_mut() {
                *format = FORMAT_PLAIN;
            }
            prop_assert!(entries(&data).count() <= data.len() + 1);
        }
    }

    #[test]
    fn a_chunk_that_ends_early_is_told_from_a_whole_one() {
        let key = Key {
            timestamp: 5,
            sequence: 1,
        };
        let chunks = pack([Entry {
            key,
            ingested_at: Timestamp::from_millis(6),
            message: "hello",
        }]);
        let data = &chunks[0].data;
        for length in 2..data.len() {
            let all = entries(&data[..length]).collect::<Vec<_>>();
            assert_eq!(all, [Err(CorruptChunk { at: 1 })], "{length}");
        }
        assert_eq!(
            entries(&[9, 9]).collect::<Vec<_>>(),
            [Err(CorruptChunk { at: 0 })]
        );
        assert_eq!(entries(&[]).collect::<Vec<_>>(), [Err(CorruptChunk { at: 0 })]);
    }
}
