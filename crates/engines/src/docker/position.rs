//! How far the output of a container has been ingested, exact enough that reading again neither loses nor doubles a line. Pure.
//!
//! The daemon can be asked for the output since a second, and answers it in the order it was written: a *piece* for each line, or several
//! for a line over 16 KiB. That order is not quite the order of time: the two streams are stamped before they are written one after
//! another, and clocks step back. So a time alone is no position; the number of pieces since a time is one. Since pieces of
//! both streams may be joined at the same time, it counts to the last point where no line was incomplete (a *rest*), and adds how
//! many events were made of complete lines after it: reading again from there makes the same events in the same order.
//!
//! Start with [`Tally::piece`]. It must not know what a piece contains.

/// Where to read on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The second since the epoch from which the daemon is asked.
    pub(super) since: i64,
    /// Pieces from then up to the last rest.
    pub(super) pieces: u64,
    /// All pieces up to the last rest.
    pub(super) pieces_ever: u64,
    /// Events made after the last rest that are ingested already.
    pub(super) events: u64,
}

/// A `since` that asks for everything, and stays.
const ALL: i64 = -1;

const FORMAT: u8 = 1;
const ENCODED_BYTES: usize = 1 + 4 * 8;

impl Position {
    /// As the log store keeps it.
    pub(super) fn encode(self) -> Vec<u8> {
        let Position {
            since,
            pieces,
            pieces_ever,
            events,
        } = self;
        let mut bytes = Vec::with_capacity(ENCODED_BYTES);
        bytes.push(FORMAT);
        bytes.extend(since.to_be_bytes());
        for number in [pieces, pieces_ever, events] {
            bytes.extend(number.to_be_bytes());
        }
        bytes
    }

    /// Reads it back; `None` where it was not written by this version's rules.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&FORMAT, rest) = bytes.split_first()? else {
            return None;
        };
        let (numbers, []) = rest.as_chunks::<8>() else {
            return None;
        };
        let [since, pieces, pieces_ever, events] = numbers else {
            return None;
        };
        Some(Position {
            since: i64::from_be_bytes(*since),
            pieces: u64::from_be_bytes(*pieces),
            pieces_ever: u64::from_be_bytes(*pieces_ever),
            events: u64::from_be_bytes(*events),
        })
    }
}

/// Counts what is read from a position on.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    at_rest: Position,
    since: i64,
    pieces: u64,
    pieces_ever: u64,
    // Pieces in the latest second seen, and in the one before it. From `latest - 1` on every piece is counted in one of them,
    // which is why `since` may move there.
    latest: i64,
    in_latest: u64,
    in_previous: u64,
    pieces_to_skip: u64,
    events_to_skip: u64,
    events_after_rest: u64,
}

/// What to do with a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// It was ingested before.
    Old,
    /// Its events count, as far as [`Tally::event`] says so.
    New,
}

impl Tally {
    /// For output that is read from this position on.
    pub(super) fn from(position: Position) -> Self {
        Tally {
            at_rest: position,
            since: position.since,
            pieces: 0,
            pieces_ever: position.pieces_ever.saturating_sub(position.pieces),
            latest: position.since,
            in_latest: 0,
            in_previous: 0,
            pieces_to_skip: position.pieces,
            events_to_skip: position.events,
            events_after_rest: 0,
        }
    }

    /// Counts a piece that was written in this second.
    pub(super) fn piece(&mut self, second: i64) -> Piece {
        self.pieces_ever += 1;
        if second < self.since {
            // The clock stepped back: only the whole output can be counted from now on. Rare enough to read it all again after a restart.
            // So can the last rest: the daemon would hide this piece from who reads on from there.
            self.since = ALL;
            self.pieces = self.pieces_ever;
            self.at_rest.since = ALL;
            self.at_rest.pieces = self.at_rest.pieces_ever;
        } else {
            self.pieces += 1;
        }
        if second > self.latest {
            self.in_previous = if second - 1 == self.latest {
                self.in_latest
            } else {
                0
            };
            self.latest = second;
            self.in_latest = 1;
        } else if second == self.latest {
            self.in_latest += 1;
        } else if second == self.latest - 1 {
            self.in_previous += 1;
        }
        if self.pieces_to_skip > 0 {
            self.pieces_to_skip -= 1;
            return Piece::Old;
        }
        Piece::New
    }

    /// Counts an event; whether it has not been ingested before.
    pub(super) fn event(&mut self) -> bool {
        self.events_after_rest += 1;
        if self.events_to_skip > 0 {
            self.events_to_skip -= 1;
            return false;
        }
        true
    }

    /// No line is incomplete behind a new piece: all up to here is events.
    pub(super) fn rest(&mut self) {
        self.events_to_skip = 0;
        if self.since != ALL && self.latest - 1 > self.since {
            self.since = self.latest - 1;
            self.pieces = self.in_latest + self.in_previous;
        }
        self.events_after_rest = 0;
        self.at_rest = Position {
            since: self.since,
            pieces: self.pieces,
            pieces_ever: self.pieces_ever,
            events: 0,
        };
    }

    /// The position behind all events so far.
    pub(super) fn position(&self) -> Position {
        Position {
            events: self.events_after_rest.max(self.at_rest.events),
            ..self.at_rest
        }
    }
}
