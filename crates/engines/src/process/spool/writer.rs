//! The supervisor's end of the spool. Start with [`Writer::write`].

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Error, Position, Record, path_of, segments};
use crate::process::limits;

/// Appends to the spool. What is pushed waits in memory until [`Writer::write`]; what the disk refuses stays there.
#[derive(Debug)]
pub(in crate::process) struct Writer {
    directory: PathBuf,
    /// The segments that are closed, oldest first.
    closed: VecDeque<u64>,
    number: u64,
    file: File,
    /// Bytes of the open segment that are in the file.
    length: u64,
    pending: Vec<u8>,
    /// Bytes of `pending` that are in the file already, after a write that the disk took in part.
    written: usize,
}

impl Writer {
    /// Opens a new segment behind those there are.
    ///
    /// # Errors
    /// When the directory cannot be listed or the file cannot be made.
    pub(in crate::process) fn open(directory: &Path) -> Result<Writer, Error> {
        let closed: VecDeque<u64> = segments(directory)?.into();
        let number = closed.back().map_or(1, |last| last + 1);
        Ok(Writer {
            directory: directory.to_owned(),
            closed,
            number,
            file: create(directory, number)?,
            length: 0,
            pending: Vec::new(),
            written: 0,
        })
    }

    /// Keeps a record for the next write, and gives the position that will be behind it.
    pub(in crate::process) fn push(&mut self, record: &Record) -> Position {
        record.encode(&mut self.pending);
        self.end()
    }

    /// The same for what `encode` appends.
    pub(in crate::process) fn push_with(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Position {
        encode(&mut self.pending);
        self.end()
    }

    /// Bytes that wait in memory.
    pub(in crate::process) fn unwritten(&self) -> usize {
        self.pending.len() - self.written
    }

    /// The position behind all that is in files.
    pub(in crate::process) fn position(&self) -> Position {
        Position {
            segment: self.number,
            offset: self.length,
        }
    }

    /// Writes all that waits. Begins a new segment when this one is long enough.
    ///
    /// # Errors
    /// When the disk refuses: what is not written stays, and can be tried again.
    pub(in crate::process) fn write(&mut self) -> Result<(), Error> {
        while self.written < self.pending.len() {
            match self.file.write(&self.pending[self.written..]) {
                Ok(count) => {
                    self.written += count;
                    self.length += u64::try_from(count).expect("a length fits in 64 bits");
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Write {
                        path: path_of(&self.directory, self.number),
                        source,
                    });
                }
            }
        }
        self.pending.clear();
        self.written = 0;
        if self.length >= limits::SEGMENT_BYTES {
            let next = self.number + 1;
            self.file = create(&self.directory, next)?;
            self.closed.push_back(self.number);
            self.number = next;
            self.length = 0;
        }
        Ok(())
    }

    /// The oldest closed segment, if it is before `position`: what it holds that is still needed must be pushed and written
    /// before [`Writer::delete_oldest`].
    pub(in crate::process) fn oldest_before(&self, position: Position) -> Option<u64> {
        self.closed
            .front()
            .copied()
            .filter(|number| *number < position.segment)
    }

    /// Deletes the oldest closed segment.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(in crate::process) fn delete_oldest(&mut self) -> Result<(), Error> {
        let Some(number) = self.closed.front() else {
            return Ok(());
        };
        let path = path_of(&self.directory, *number);
        std::fs::remove_file(&path).map_err(|source| Error::Write { path, source })?;
        self.closed.pop_front();
        Ok(())
    }

    fn end(&self) -> Position {
        let unwritten = u64::try_from(self.unwritten()).expect("a length fits in 64 bits");
        Position {
            segment: self.number,
            offset: self.length + unwritten,
        }
    }
}

fn create(directory: &Path, number: u64) -> Result<File, Error> {
    let path = path_of(directory, number);
    let create = || {
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        // A segment that the reader's position is in must not be gone after a power cut, while the one before it has come back.
        File::open(directory)?.sync_all()?;
        Ok(file)
    };
    create().map_err(|source| Error::Write {
        path: path.clone(),
        source,
    })
}
