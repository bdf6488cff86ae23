//! The thread that writes: takes requests from a bounded queue and commits those that wait together in one transaction.
//!
//! It owns the only connection that changes the file. A request either is in the committed transaction whole, or its sender gets an
//! error and nothing of it is kept. Nothing here reads for clients. Start reading at [`Writer::run`].

mod append;
mod change;
mod removal;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use batchyard_core::time::Timestamp;
use batchyard_runtime::log::Append;

pub(crate) use change::Change;

use crate::error::Error;
use crate::limits::{COMMIT_BYTES_MAX, COMMIT_REQUESTS_MAX, WAL_BYTES_MAX};
use crate::sync::{Syncer, write_ahead_log};
use append::Appender;

/// Something to write, with the way back.
pub(crate) struct Request {
    pub(crate) work: Work,
    /// Answered after the commit.
    pub(crate) reply: oneshot::Sender<Result<Done, Error>>,
}

/// What to write.
pub(crate) enum Work {
    /// Events and cursors, checked already.
    Append {
        appends: Vec<Append>,
        ingested_at: Timestamp,
        /// Of all messages and names.
        bytes: usize,
        /// The place that the bytes take in the queue, given back when they are written.
        #[expect(dead_code, reason = "it is held until it is dropped")]
        place: OwnedSemaphorePermit,
    },
    /// One operation on a group or stream.
    Change(Change),
    /// One step of removing what groups keep no longer.
    Purge { now: Timestamp },
}

/// What a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// All of it is there.
    Whole,
    /// A step of a purge: there is more to remove.
    Partly,
}

/// The writing thread's state.
pub(crate) struct Writer {
    connection: Connection,
    requests: mpsc::Receiver<Request>,
    syncer: Syncer,
    /// Whether deleted groups or streams may still have rows.
    has_removals: bool,
    write_ahead_log: PathBuf,
}

impl Writer {
    /// For the database at `path`.
    pub(crate) fn new(
        connection: Connection,
        path: &Path,
        requests: mpsc::Receiver<Request>,
        syncer: Syncer,
    ) -> Writer {
        // Whatever a former process left of what was deleted is found by the first step.
        Writer {
            connection,
            requests,
            syncer,
            has_removals: true,
            write_ahead_log: write_ahead_log(path),
        }
    }

    /// Works until all senders are gone and the queue is empty.
    pub(crate) fn run(mut self) {
        while let Some(batch) = self.next_batch() {
            if !batch.is_empty() {
                self.write(batch);
            }
            if self.has_removals {
                self.remove_step();
            }
            self.checkpoint_when_due();
        }
    }

    /// The requests of the next transaction; none at once if there is something to remove meanwhile. `None` at the end.
    fn next_batch(&mut self) -> Option<Vec<Request>> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        if !self.has_removals {
            let first = self.requests.blocking_recv()?;
            bytes += first.bytes();
            batch.push(first);
        }
        while batch.len() < COMMIT_REQUESTS_MAX && bytes < COMMIT_BYTES_MAX {
            match self.requests.try_recv() {
                Ok(next) => {
                    bytes += next.bytes();
                    batch.push(next);
                }
                Err(mpsc::error::TryRecvError::Disconnected) if batch.is_empty() => return None,
                Err(mpsc::error::TryRecvError::Disconnected | mpsc::error::TryRecvError::Empty) => break,
            }
        }
        Some(batch)
    }

    fn write(&mut self, batch: Vec<Request>) {
        let mut works = Vec::with_capacity(batch.len());
        let mut replies = Vec::with_capacity(batch.len());
        for Request { work, reply } in batch {
            self.has_removals |= matches!(&work, Work::Change(change) if change.removes());
            works.push(work);
            replies.push(reply);
        }
        let outcomes = commit(&mut self.connection, &works);
        // The memory is free before the senders, who may bring more, hear of it.
        drop(works);
        match outcomes {
            Ok(outcomes) => {
                self.syncer.mark();
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    // A sender that no longer waits has no use for the outcome.
                    drop(reply.send(outcome));
                }
            }
            Err(error) => {
                for reply in replies {
                    drop(reply.send(Err(error.clone())));
                }
            }
        }
    }

    fn remove_step(&mut self) {
        match removal::step(&mut self.connection) {
            Ok(Done::Partly) => self.syncer.mark(),
            Ok(Done::Whole) => self.has_removals = false,
            Err(error) => {
                // The next deletion or the next start takes it up again.
                tracing::warn!(?error, "failed to remove what was deleted from the log store");
                self.has_removals = false;
            }
        }
    }

    /// SQLite's own checkpoints, which commits make, wait for nobody: while there is always some reader, the log is never begun again.
    /// This one waits for readers, which are short.
    fn checkpoint_when_due(&mut self) {
        // Whatever hinders looking will hinder writing too, and is told then.
        let bytes = self
            .write_ahead_log
            .metadata()
            .map_or(0, |metadata| metadata.len());
        if bytes < WAL_BYTES_MAX {
            return;
        }
        if let Err(error) = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
        {
            tracing::warn!(?error, "failed to copy the write-ahead log of the log store");
        }
    }
}

impl Request {
    fn bytes(&self) -> usize {
        match &self.work {
            Work::Append { bytes, .. } => *bytes,
            Work::Change(_) | Work::Purge { .. } => 0,
        }
    }
}

/// The outcomes of all works in their order, after the commit; an error if nothing was kept of any.
fn commit(connection: &mut Connection, works: &[Work]) -> Result<Vec<Result<Done, Error>>, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut appender = Appender::new(&transaction);
    let mut outcomes = Vec::with_capacity(works.len());
    for work in works {
        let outcome = match work {
            Work::Append {
                appends,
                ingested_at,
                bytes: _,
                place: _,
            } => appender.append(appends, *ingested_at).map(|()| Done::Whole),
            Work::Change(change) => {
                appender.finish()?;
                change.apply(&transaction).map(|()| Done::Whole)
            }
            Work::Purge { now } => {
                appender.finish()?;
                removal::purge_step(&transaction, *now)
            }
        };
        outcomes.push(match outcome {
            // Half of it may be written: what shares the transaction goes with it.
            Err(error @ (Error::Full(_) | Error::Broken(_))) => return Err(error),
            outcome => outcome,
        });
    }
    appender.finish()?;
    transaction.commit()?;
    Ok(outcomes)
}
