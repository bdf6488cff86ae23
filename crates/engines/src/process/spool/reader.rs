//! The server's end of the spool. Start with [`Reader::read`].

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Error, Position, Record, path_of, segments};
use crate::process::limits;

/// Reads the spool from a position on.
#[derive(Debug)]
pub(in crate::process) struct Reader {
    directory: PathBuf,
    position: Position,
    file: Option<File>,
    /// Kept, as making it anew would cost more than the reads.
    buffer: Vec<u8>,
}

impl Reader {
    /// Reads what is behind `position`; where its segment is gone, it was consumed, and reading goes on with the next.
    pub(in crate::process) fn open(directory: &Path, position: Position) -> Reader {
        Reader {
            directory: directory.to_owned(),
            position,
            file: None,
            buffer: vec![0; limits::SPOOL_READ_BYTES],
        }
    }

    /// The position behind all records read.
    pub(in crate::process) fn position(&self) -> Position {
        self.position
    }

    /// Reads whole records, at most about [`limits::SPOOL_READ_BYTES`] at once; none at the end of what is written. Blocks on the disk.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(in crate::process) fn read(&mut self) -> Result<Vec<Record>, Error> {
        let mut next = None;
        loop {
            if self.file.is_none() && !self.open_segment(self.position.segment)? {
                return Ok(Vec::new());
            }
            let records = self.read_here()?;
            if !records.is_empty() {
                return Ok(records);
            }
            if let Some(next) = next.take() {
                self.file = None;
                self.position = Position {
                    segment: next,
                    offset: 0,
                };
                continue;
            }
            next = self.following()?;
            if next.is_none() {
                return Ok(records);
            }
            // Once more: all that is in this segment was written before the next one was made, but maybe after it was read.
        }
    }

    fn read_here(&mut self) -> Result<Vec<Record>, Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let filled = self.fill(&mut buffer);
        let mut records = Vec::new();
        let mut used = 0;
        if let Ok(count) = &filled {
            while let Some((record, length)) = Record::decode(&buffer[used..*count]) {
                records.push(record);
                used += length;
            }
        }
        self.buffer = buffer;
        filled?;
        self.position.offset += u64::try_from(used).expect("a length fits in 64 bits");
        Ok(records)
    }

    fn fill(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let file = self
            .file
            .as_ref()
            .expect("read opens the segment before it fills");
        let mut count = 0;
        while count < buffer.len() {
            let offset = self.position.offset + u64::try_from(count).expect("a length fits in 64 bits");
            match file.read_at(&mut buffer[count..], offset) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Read {
                        path: path_of(&self.directory, self.position.segment),
                        source,
                    });
                }
            }
        }
        Ok(count)
    }

    /// Opens the segment, or the first after it where it is gone. Whether there is one.
    fn open_segment(&mut self, wanted: u64) -> Result<bool, Error> {
        let found = segments(&self.directory)?
            .into_iter()
            .find(|number| *number >= wanted);
        let Some(number) = found else {
            return Ok(false);
        };
        if number != wanted {
            self.position = Position {
                segment: number,
                offset: 0,
            };
        }
        let path = path_of(&self.directory, number);
        let file = File::open(&path).map_err(|source| Error::Read { path, source })?;
        self.file = Some(file);
        Ok(true)
    }

    fn following(&self) -> Result<Option<u64>, Error> {
        let here = self.position.segment;
        Ok(segments(&self.directory)?
            .into_iter()
            .find(|number| *number > here))
    }
}
