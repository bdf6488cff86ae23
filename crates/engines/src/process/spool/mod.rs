//! The spool: what happened to jobs, in order, in files that the supervisor appends to and the server reads.
//!
//! It is a sequence of *segments*, files `NUMBER.spool` in the directory, each a head and then *records*. A record is a length, a
//! checksum and the [`Fact`]. A [`Position`] names a place behind a record. Segments that the server has consumed are deleted, oldest first;
//! what must outlive that (attempts that run, or ended and are not forgotten) is first written again at the end. A record that is
//! not whole ends its segment: it was being written when its writer died, and the next writer began a new one.
//!
//! It must not know what the facts mean. Start with [`Record`], then `writer.rs` and `reader.rs`.

mod reader;
mod record;
mod writer;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(super) use reader::Reader;
pub(super) use record::{Fact, Record, encode_output};
pub(super) use writer::Writer;

/// A place in the spool, behind a record or behind a segment's head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Position {
    /// The segment's number, from 1; 0 is before all.
    pub(super) segment: u64,
    /// Bytes from the segment's beginning.
    pub(super) offset: u64,
}

/// The spool cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("list the spool in {directory}")]
    List {
        directory: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("read the spool's {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("write the spool's {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl Position {
    /// The bytes kept as cursor.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let Position { segment, offset } = self;
        [segment.to_le_bytes(), offset.to_le_bytes()].concat()
    }

    /// The position with these bytes; `None` if they are none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Position> {
        let (segment, rest) = bytes.split_first_chunk::<8>()?;
        let (offset, rest) = rest.split_first_chunk::<8>()?;
        rest.is_empty().then(|| Position {
            segment: u64::from_le_bytes(*segment),
            offset: u64::from_le_bytes(*offset),
        })
    }
}

/// Where the segment is.
fn path_of(directory: &Path, segment: u64) -> PathBuf {
    directory.join(format!("{segment:012}.spool"))
}

/// The numbers of the segments there are, ascending.
fn segments(directory: &Path) -> Result<Vec<u64>, Error> {
    let failed = |source| Error::List {
        directory: directory.to_owned(),
        source,
    };
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".spool"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
