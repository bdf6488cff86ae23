//! Where an event stands in the whole store, as the 56 digits that CloudWatch Logs shows: ids of events and the tokens of pages.
//!
//! The digits are the timestamp (14), the stream's id (19), the sequence number (19) and a check (4) that tells a token from digits that
//! somebody made up or shortened. Start reading at [`Position`].

use std::fmt;

use crate::chunk::Key;
use crate::error::Error;

const DIGITS: usize = 56;

/// A place in the store, ordered as `filter` returns events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) timestamp: i64,
    pub(crate) stream_id: i64,
    pub(crate) sequence: i64,
}

impl Position {
    pub(crate) fn new(stream_id: i64, key: Key) -> Position {
        Position {
            timestamp: key.timestamp,
            stream_id,
            sequence: key.sequence,
        }
    }

    pub(crate) fn key(self) -> Key {
        Key {
            timestamp: self.timestamp,
            sequence: self.sequence,
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Position, Error> {
        if text.len() != DIGITS || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::InvalidToken);
        }
        let number = |from: usize, to: usize| text[from..to].parse::<i64>().map_err(|_| Error::InvalidToken);
        let position = Position {
            timestamp: number(0, 14)?,
            stream_id: number(14, 33)?,
            sequence: number(33, 52)?,
        };
        if number(52, DIGITS)? == position.check() {
            Ok(position)
        } else {
            Err(Error::InvalidToken)
        }
    }

    /// Not against forgery: a forged token reads nothing that its bearer could not ask for.
    fn check(self) -> i64 {
        let Position {
            timestamp,
            stream_id,
            sequence,
        } = self;
        let sum = timestamp
            .wrapping_mul(31)
            .wrapping_add(stream_id)
            .wrapping_mul(1009)
            .wrapping_add(sequence);
        sum.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed())
            .rem_euclid(9973)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position {
            timestamp,
            stream_id,
            sequence,
        } = self;
        write!(
            f,
            "{timestamp:014}{stream_id:019}{sequence:019}{:04}",
            self.check()
        )
    }
}
