//! The connections that read.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use super::failure::Failure;
use super::open;
use crate::limits::READERS_MAX;

/// At most [`READERS_MAX`] connections, made when they are needed and kept.
pub(super) struct Readers {
    path: PathBuf,
    pool: Mutex<Pool>,
    returned: Condvar,
}

struct Pool {
    idle: Vec<Connection>,
    open: usize,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Readers {
            path,
            pool: Mutex::new(Pool {
                idle: Vec::new(),
                open: 0,
            }),
            returned: Condvar::new(),
        }
    }

    /// Reads with a connection of its own, once one is free.
    pub(super) fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let connection = self.take()?;
        let result = read(&connection);
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        // A connection that has failed may be in any state: the next reader gets a new one.
        match result.is_ok() {
            true => pool.idle.push(connection),
            false => pool.open -= 1,
        }
        self.returned.notify_one();
        result
    }

    fn take(&self) -> Result<Connection, Failure> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = pool.idle.pop() {
                return Ok(connection);
            }
            if pool.open < READERS_MAX {
                break;
            }
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
        pool.open += 1;
        drop(pool);
        open::reader(&self.path).map_err(|error| {
            self.pool.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
            self.returned.notify_one();
            error.into()
        })
    }
}
