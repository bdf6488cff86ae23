//! The handle: what may be asked of the store.
//!
//! Writing is asynchronous and goes through the queue of the writing thread; reading blocks the calling thread and belongs off the
//! reactor. Values are checked here, before anything is queued. Start reading at [`Logs::open`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use batchyard_core::time::Timestamp;
use batchyard_runtime::engine::BoxFuture;
use batchyard_runtime::log::{Append, LogError, LogEvent, LogStore, MESSAGE_BYTES_MAX, StreamName};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::error::{BrokenCause, Error};
use crate::events::{self, EventsQuery, Page};
use crate::filter::{self, FilterPage, FilterQuery};
use crate::limits::{QUEUE_BYTES_MAX, QUEUE_REQUESTS_MAX, RETENTION_DAYS, TIMESTAMP_MS_MAX};
use crate::list::{self, Group, GroupsQuery, Listing, Stream, StreamsQuery};
use crate::reader::Readers;
use crate::schema::{OpenError, open_writer};
use crate::sync::Syncer;
use crate::writer::{Change, Done, Request, Work, Writer};

/// A log store. Clones share it; the last one dropped ends its threads, after all that was queued is written.
#[derive(Clone)]
pub struct Logs {
    shared: Arc<Shared>,
}

struct Shared {
    readers: Readers,
    /// `None` only while dropping.
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
    /// Bytes that may still be queued.
    room: Arc<Semaphore>,
}

impl Logs {
    /// Opens the store in the file at `path`, which is made where it is missing.
    ///
    /// # Errors
    /// When the file cannot be used as a log store; it is then as it was.
    pub fn open(path: &Path) -> Result<Logs, OpenError> {
        let connection = open_writer(path)?;
        let syncer = Syncer::start(path).map_err(OpenError::Thread)?;
        let (requests, queue) = mpsc::channel(QUEUE_REQUESTS_MAX);
        let writer = Writer::new(connection, path, queue, syncer);
        let writer = std::thread::Builder::new()
            .name("logs-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(OpenError::Thread)?;
        let shared = Shared {
            readers: Readers::new(path.to_owned()),
            requests: Some(requests),
            writer: Some(writer),
            room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX as usize)),
        };
        Ok(Logs {
            shared: Arc::new(shared),
        })
    }

    /// Keeps events and cursors, all or nothing, as [`LogStore::append`] does.
    ///
    /// # Errors
    /// `Invalid` for a message over [`MESSAGE_BYTES_MAX`] or a time before 1970 or after 5138, `Full`, `Broken`.
    pub async fn put(&self, appends: Vec<Append>) -> Result<(), Error> {
        let bytes = checked_bytes(&appends)?;
        let place = self.shared.place(bytes).await?;
        let work = Work::Append {
            appends,
            ingested_at: now(),
            bytes,
            place,
        };
        self.shared.write(work).await.map(|_| ())
    }

    /// Makes a group.
    ///
    /// # Errors
    /// `GroupExists`, `Full`, `Broken`.
    pub async fn create_group(&self, name: &str, now: Timestamp) -> Result<(), Error> {
        self.change(Change::CreateGroup {
            name: name.to_owned(),
            now,
        })
        .await
    }

    /// Deletes a group with its streams. The space is free some time later.
    ///
    /// # Errors
    /// `GroupNotFound`, `Full`, `Broken`.
    pub async fn delete_group(&self, name: &str) -> Result<(), Error> {
        self.change(Change::DeleteGroup {
            name: name.to_owned(),
        })
        .await
    }

    /// Sets how many days a group keeps its events, one of [`RETENTION_DAYS`], or for ever.
    ///
    /// # Errors
    /// `Invalid`, `GroupNotFound`, `Full`, `Broken`.
    pub async fn put_retention(&self, name: &str, days: Option<u32>) -> Result<(), Error> {
        if days.is_some_and(|days| !RETENTION_DAYS.contains(&days)) {
            return Err(Error::Invalid {
                field: "retentionInDays",
                reason: "one of the numbers of days offered",
            });
        }
        self.change(Change::PutRetention {
            name: name.to_owned(),
            days,
        })
        .await
    }

    /// Adds tags to a group; those of the same keys get the new values.
    ///
    /// # Errors
    /// `Invalid` when there would be more than [`TAGS_MAX`](crate::limits::TAGS_MAX), `GroupNotFound`, `Full`, `Broken`.
    pub async fn tag_group(&self, name: &str, tags: BTreeMap<String, String>) -> Result<(), Error> {
        self.change(Change::TagGroup {
            name: name.to_owned(),
            tags,
        })
        .await
    }

    /// Removes the tags of some keys, where they are there, from a group.
    ///
    /// # Errors
    /// `GroupNotFound`, `Full`, `Broken`.
    pub async fn untag_group(&self, name: &str, keys: Vec<String>) -> Result<(), Error> {
        self.change(Change::UntagGroup {
            name: name.to_owned(),
            keys,
        })
        .await
    }

    /// Makes a stream in a group that is there.
    ///
    /// # Errors
    /// `GroupNotFound`, `StreamExists`, `Full`, `Broken`.
    pub async fn create_stream(&self, stream: StreamName, now: Timestamp) -> Result<(), Error> {
        self.change(Change::CreateStream { stream, now }).await
    }

    /// Deletes a stream with its events. The space is free some time later.
    ///
    /// # Errors
    /// `GroupNotFound`, `StreamNotFound`, `Full`, `Broken`.
    pub async fn delete_stream(&self, stream: StreamName) -> Result<(), Error> {
        self.change(Change::DeleteStream { stream }).await
    }

    /// Removes what groups keep no longer at `now`, in steps between which others may write. An event goes within an hour of its time.
    ///
    /// # Errors
    /// `Full`, `Broken`; former steps then stay.
    pub async fn purge_expired(&self, now: Timestamp) -> Result<(), Error> {
        while self.shared.write(Work::Purge { now }).await? == Done::Partly {}
        Ok(())
    }

    /// Groups in order of name. Blocks.
    ///
    /// # Errors
    /// `Invalid`, `InvalidToken`, `Broken`.
    pub fn groups(&self, query: &GroupsQuery) -> Result<Listing<Group>, Error> {
        self.shared
            .readers
            .with(|connection| list::groups(connection, query))
    }

    /// One group. Blocks.
    ///
    /// # Errors
    /// `GroupNotFound`, `Broken`.
    pub fn group(&self, name: &str) -> Result<Group, Error> {
        self.shared
            .readers
            .with(|connection| list::group(connection, name))
    }

    /// Streams of a group. Blocks.
    ///
    /// # Errors
    /// `Invalid`, `InvalidToken`, `GroupNotFound`, `Broken`.
    pub fn streams(&self, query: &StreamsQuery) -> Result<Listing<Stream>, Error> {
        self.shared
            .readers
            .with(|connection| list::streams(connection, query))
    }

    /// One stream. Blocks.
    ///
    /// # Errors
    /// `GroupNotFound`, `StreamNotFound`, `Broken`.
    pub fn stream(&self, name: &StreamName) -> Result<Stream, Error> {
        self.shared
            .readers
            .with(|connection| list::stream(connection, name))
    }

    /// A page of one stream's events. Blocks.
    ///
    /// # Errors
    /// `Invalid`, `InvalidToken`, `GroupNotFound`, `StreamNotFound`, `Broken`.
    pub fn events(&self, query: &EventsQuery) -> Result<Page, Error> {
        self.shared
            .readers
            .with(|connection| events::events(connection, query))
    }

    /// A page of the events of many streams that match a pattern, by time. Blocks.
    ///
    /// # Errors
    /// `Invalid`, `InvalidToken`, `GroupNotFound`, `StreamNotFound`, `Broken`.
    pub fn filter(&self, query: &FilterQuery) -> Result<FilterPage, Error> {
        self.shared
            .readers
            .with(|connection| filter::filter(connection, query))
    }

    async fn change(&self, change: Change) -> Result<(), Error> {
        self.shared.write(Work::Change(change)).await.map(|_| ())
    }
}

impl LogStore for Logs {
    fn append(&self, appends: Vec<Append>) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(async move { Ok(self.put(appends).await?) })
    }

    fn cursor(&self, source: &str) -> Result<Option<Vec<u8>>, LogError> {
        Ok(self
            .shared
            .readers
            .with(|connection| crate::cursor::one(connection, source))?)
    }

    fn cursors(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, LogError> {
        Ok(self
            .shared
            .readers
            .with(|connection| crate::cursor::all(connection, prefix))?)
    }
}

impl Shared {
    /// Waits until the queue has room for so many bytes.
    async fn place(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
        // One that is larger than the whole queue waits until that is empty and is let in alone.
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX).min(QUEUE_BYTES_MAX);
        let place = Arc::clone(&self.room).acquire_many_owned(permits).await;
        place.map_err(|_| Error::Broken(BrokenCause::WriterGone))
    }

    async fn write(&self, work: Work) -> Result<Done, Error> {
        let gone = || Error::Broken(BrokenCause::WriterGone);
        let (reply, outcome) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        requests.send(Request { work, reply }).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.requests = None;
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the thread that writes log events panicked");
        }
    }
}

/// The bytes that appends take in the queue, if all their values are in range.
fn checked_bytes(appends: &[Append]) -> Result<usize, Error> {
    let mut bytes = 0;
    for Append {
        stream,
        events,
        cursor,
    } in appends
    {
        let StreamName { group, stream } = stream;
        if group.is_empty() || stream.is_empty() {
            return Err(Error::Invalid {
                field: "logStreamName",
                reason: "not empty",
            });
        }
        let position = cursor.as_ref().and_then(|cursor| cursor.position.as_ref());
        bytes += group.len() + stream.len() + position.map_or(0, Vec::len);
        for LogEvent { timestamp, message } in events {
            if message.len() > MESSAGE_BYTES_MAX {
                return Err(Error::Invalid {
                    field: "message",
                    reason: "at most 256 KiB less 26 bytes",
                });
            }
            if !(0..=TIMESTAMP_MS_MAX).contains(&timestamp.as_millis()) {
                return Err(Error::Invalid {
                    field: "timestamp",
                    reason: "from 1970 to 5138",
                });
            }
            bytes += size_of::<LogEvent>() + message.len();
        }
    }
    Ok(bytes)
}

/// The port gives no time with appends: what they are stamped with as taken is this host's.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
