//! From what the daemon says a container wrote to log events. Pure.
//!
//! The daemon cuts lines into pieces of 16 KiB and puts the time before each. Here they are joined again, each of the two streams on its
//! own, and what was ingested before is left out. It must not read from the daemon or write to the log store.
//! Start with [`Joiner::take`].

use batchyard_core::time::Timestamp;
use batchyard_runtime::log::{LogEvent, MESSAGE_BYTES_MAX};

use super::limits::PIECE_BYTES;
use super::moment::Moment;
use super::position::{Piece, Position, Tally};

/// Which of the two streams a piece is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Standard output.
    Out,
    /// Standard error.
    Error,
}

/// Joins pieces to lines.
#[derive(Debug)]
pub(super) struct Joiner {
    tally: Tally,
    out: Line,
    error: Line,
    // Events of one stream must not go back in time, as the pieces may by a little.
    newest: Timestamp,
}

#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    began: Option<Timestamp>,
}

/// The daemon sent what is not a piece of output.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("read output: no time before {0:?}")]
pub(super) struct NoTime(String);

impl Joiner {
    /// For output that is read from this position on.
    pub(super) fn from(position: Position) -> Self {
        Joiner {
            tally: Tally::from(position),
            out: Line::default(),
            error: Line::default(),
            newest: Timestamp::from_millis(i64::MIN),
        }
    }

    /// Takes one piece and pushes the events it completes.
    ///
    /// # Errors
    /// When no time is before it; it is not counted then.
    pub(super) fn take(
        &mut self,
        source: Source,
        payload: &[u8],
        events: &mut Vec<LogEvent>,
    ) -> Result<(), NoTime> {
        let no_time = || NoTime(String::from_utf8_lossy(&payload[..payload.len().min(40)]).into_owned());
        let space = payload
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or_else(no_time)?;
        let (stamp, text) = (&payload[..space], &payload[space + 1..]);
        let moment = Moment::parse(stamp).ok_or_else(no_time)?;
        match self.tally.piece(moment.second()) {
            Piece::Old => return Ok(()),
            Piece::New => self.add(source, moment.timestamp(), text, events),
        }
        if self.out.bytes.is_empty() && self.error.bytes.is_empty() {
            self.tally.rest();
        }
        Ok(())
    }

    /// The output is at its end: lines without an end are lines too.
    pub(super) fn finish(&mut self, events: &mut Vec<LogEvent>) {
        for source in [Source::Out, Source::Error] {
            let line = std::mem::take(self.line(source));
            if !line.bytes.is_empty() {
                self.emit(line.began, &line.bytes, events);
            }
        }
        self.tally.rest();
    }

    /// The position behind all events so far.
    pub(super) fn position(&self) -> Position {
        self.tally.position()
    }

    fn line(&mut self, source: Source) -> &mut Line {
        match source {
            Source::Out => &mut self.out,
            Source::Error => &mut self.error,
        }
    }

    fn add(&mut self, source: Source, at: Timestamp, text: &[u8], events: &mut Vec<LogEvent>) {
        let (text, is_complete) = match text.strip_suffix(b"\n") {
            Some(text) => (text, true),
            // Only a full piece is followed by another; the last of several comes without an end from the driver `local` of
            // Docker 20.10.
            None => (text, text.len() < PIECE_BYTES),
        };
        let line = self.line(source);
        line.bytes.extend_from_slice(text);
        let began = *line.began.get_or_insert(at);
        if is_complete {
            let line = std::mem::take(self.line(source));
            let bytes = line.bytes.strip_suffix(b"\r").unwrap_or(&line.bytes);
            self.emit(Some(began), bytes, events);
            return;
        }
        // Longer than any event: what is full goes, so that a line without end needs bounded memory.
        while self.line(source).bytes.len() > MESSAGE_BYTES_MAX {
            let line = self.line(source);
            let cut = character_border(&line.bytes, MESSAGE_BYTES_MAX);
            let rest = line.bytes.split_off(cut);
            let full = std::mem::replace(&mut line.bytes, rest);
            self.emit(Some(began), &full, events);
        }
    }

    /// Pushes a line as one event, or several where it is too long. CloudWatch has no empty events, so an empty line is none.
    fn emit(&mut self, at: Option<Timestamp>, bytes: &[u8], events: &mut Vec<LogEvent>) {
        self.newest = self.newest.max(at.unwrap_or(self.newest));
        let text = String::from_utf8_lossy(bytes);
        let mut rest: &str = &text;
        while !rest.is_empty() {
            let (message, after) = rest.split_at(rest.floor_char_boundary(MESSAGE_BYTES_MAX));
            rest = after;
            if self.tally.event() {
                events.push(LogEvent {
                    timestamp: self.newest,
                    message: message.to_owned(),
                });
            }
        }
    }
}

/// The last border between characters at or before `at`, or `at` itself in what is no text.
fn character_border(bytes: &[u8], at: usize) -> usize {
    let is_border = |index: &usize| bytes[*index] & 0xc0 != 0x80;
    (at.saturating_sub(3)..=at).rev().find(is_border).unwrap_or(at)
}

#[cfg(test)]
mod tests;
