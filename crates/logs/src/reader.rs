//! The connections that read: a few, lent to one caller each.
//!
//! Reading blocks the calling thread. This module must not know what is read. Start reading at [`Readers::with`].

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::error::Error;
use crate::limits::READERS_MAX;
use crate::schema::open_reader;

/// The pool.
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Idle>,
    returned: Condvar,
}

struct Idle {
    connections: Vec<Connection>,
    /// Idle and lent ones.
    opened: usize,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Readers {
        let idle = Idle {
            connections: Vec::new(),
            opened: 0,
        };
        Readers {
            path,
            idle: Mutex::new(idle),
            returned: Condvar::new(),
        }
    }

    /// Runs `read` on one state of the store; waits for a connection first if all are lent.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let mut lent = self.lend()?;
        let connection = lent
            .connection
            .as_mut()
            .expect("it is taken only when the loan ends");
        let transaction = connection.transaction()?;
        let outcome = read(&transaction)?;
        transaction.finish()?;
        Ok(outcome)
    }

    fn lend(&self) -> Result<Lent<'_>, Error> {
        let mut idle = self.lock();
        loop {
            if let Some(connection) = idle.connections.pop() {
                return Ok(Lent {
                    readers: self,
                    connection: Some(connection),
                });
            }
            if idle.opened < READERS_MAX {
                break;
            }
            idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
        idle.opened += 1;
        drop(idle);
        // If opening fails, dropping the loan makes its place free again.
        let mut lent = Lent {
            readers: self,
            connection: None,
        };
        lent.connection = Some(open_reader(&self.path)?);
        Ok(lent)
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        // The lists are whole between any two statements, whoever panicked.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lent<'r> {
    readers: &'r Readers,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut idle = self.readers.lock();
        match self.connection.take() {
            Some(connection) => idle.connections.push(connection),
            None => idle.opened -= 1,
        }
        drop(idle);
        self.readers.returned.notify_one();
    }
}
