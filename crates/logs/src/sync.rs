//! Syncs the write-ahead log a moment after commits, so that a power cut costs less than a second.
//!
//! Commits themselves do not sync, which is what makes small ones cheap; without this, the operating system would keep them in memory
//! for half a minute. This module must not touch the database or its index file: closing one of those would drop SQLite's locks.
//! Start reading at [`Syncer::start`].

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::limits::SYNC_INTERVAL_MS;

/// The thread that syncs. Dropping it ends and joins the thread.
pub(crate) struct Syncer {
    /// `None` only while dropping.
    dirty: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// Starts the thread for the database at `path`.
    pub(crate) fn start(path: &Path) -> std::io::Result<Syncer> {
        // One place: a second mark before the thread looks would say the same.
        let (dirty, marks) = sync_channel(1);
        let path = write_ahead_log(path);
        let thread = std::thread::Builder::new()
            .name("logs-sync".to_owned())
            .spawn(move || run(&path, &marks))?;
        Ok(Syncer {
            dirty: Some(dirty),
            thread: Some(thread),
        })
    }

    /// Says that something was committed.
    pub(crate) fn mark(&self) {
        if let Some(dirty) = &self.dirty {
            match dirty.try_send(()) {
                // Full: it is marked already. Disconnected: the thread panicked, which dropping this will report.
                Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
            }
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.dirty = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that syncs log events panicked");
        }
    }
}

/// Where the write-ahead log of a database is.
pub(crate) fn write_ahead_log(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

fn run(path: &Path, marks: &Receiver<()>) {
    let mut is_named_on_disk = false;
    while marks.recv().is_ok() {
        wait_for_more(marks);
        let synced = File::open(path)
            .and_then(|file| file.sync_data())
            .and_then(|()| match path.parent() {
                // The file's name, too, must survive; it is made once while the database is open.
                Some(parent) if !is_named_on_disk && !parent.as_os_str().is_empty() => {
                    File::open(parent)?.sync_all()
                }
                _ => Ok(()),
            });
        is_named_on_disk = synced.is_ok();
        match synced {
            Ok(()) => {}
            // The last connection to be closed copies the log into the database, syncs that and removes the log.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(path = %path.display(), %error, "failed to sync log events"),
        }
    }
}

/// Commits of the next moment are synced together with the one that was marked; one that comes during the sync leaves a mark for the
/// next. Returns at once when there will be no more.
fn wait_for_more(marks: &Receiver<()>) {
    let until = Instant::now() + Duration::from_millis(SYNC_INTERVAL_MS);
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        if marks.recv_timeout(left).is_err() {
            return;
        }
    }
}
