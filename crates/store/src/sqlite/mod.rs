//! `Store` on SQLite: one file, one connection that writes, a few that read.
//!
//! Where to start reading: `commit` for how a change becomes rows, `load` for the way back, `read` for what clients ask.

mod code;
mod commit;
mod failure;
mod load;
mod open;
mod profile;
mod purge;
mod read;
mod readers;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use batchyard_core::array::StatusCounts;
use batchyard_core::command::Ended;
use batchyard_core::id::{JobId, JobKey, QueueId};
use batchyard_core::item::ItemKey;
use batchyard_core::name::{DefinitionName, EnvironmentKind, EnvironmentName, QueueName};
use batchyard_core::state::Stored;
use batchyard_core::time::Timestamp;
use batchyard_core::token::KeptToken;
use batchyard_runtime::event::Events;
use batchyard_runtime::store::{
    Batch, DefinitionQuery, DefinitionRevision, DefinitionRow, EnvironmentRow, ItemRow, ItemSelect,
    JobCursor, JobQuery, JobRow, JobSummaryRow, LaunchRow, Page, QueueRow, Select, Store, StoreError,
};
use rusqlite::Connection;

use failure::Failure;
pub use open::OpenError;
use profile::{KnownProfiles, ProfileNumbers};
use readers::Readers;

/// Durable state in one SQLite file. See the port for the contract.
///
/// Only one value at a time, in this process or another, has a file open.
pub struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Writer>,
    readers: Readers,
    profiles: KnownProfiles,
    /// Held as long as the store is: what keeps others away.
    _lock: std::fs::File,
}

/// The connection that writes.
struct Writer {
    connection: Connection,
    profiles: ProfileNumbers,
}

impl SqliteStore {
    /// Opens the store in this file, and makes it when there is none; `-wal`, `-shm` and `-lock` files are beside it.
    ///
    /// # Errors
    /// When another process has it open, when it is not a store's or a newer one's, when it is damaged, or cannot be used. The file
    /// is left as it was.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        open::open(path)
    }

    /// Reads in one transaction, so that rows of several tables fit together.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, StoreError> {
        let result = self.readers.with(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let value = read(&transaction)?;
            transaction.finish()?;
            Ok(value)
        });
        result.map_err(|failure| failure.at(&self.path))
    }

    /// Writes in one transaction.
    fn write<T>(
        &self,
        write: impl FnOnce(&Connection, &mut ProfileNumbers) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Writer { connection, profiles } = &mut *writer;
        let result = (|| {
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let value = write(&transaction, profiles)?;
            transaction.commit()?;
            Ok::<T, Failure>(value)
        })();
        if result.is_err() {
            // Numbers given out in a transaction that is not there any more may mean something else next time.
            profiles.forget();
        }
        result.map_err(|failure| failure.at(&self.path))
    }
}

impl Store for SqliteStore {
    fn load(&self) -> Result<Stored, StoreError> {
        self.read(load::load)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.write(|connection, profiles| commit::commit(connection, profiles, batch))
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.write(|connection, _| Ok(commit::probe(connection)?))
    }

    fn launch(&self, id: JobId) -> Result<Option<LaunchRow>, StoreError> {
        self.read(|connection| read::job::launch(connection, id))
    }

    fn client_token(&self, token: &str) -> Result<Option<KeptToken>, StoreError> {
        self.read(|connection| read::job::client_token(connection, token))
    }

    fn ended(&self, key: JobKey) -> Result<Option<Ended>, StoreError> {
        self.read(|connection| read::ended::ended(connection, key))
    }

    fn environments(
        &self,
        kind: EnvironmentKind,
        select: &Select<EnvironmentName>,
    ) -> Result<Page<EnvironmentRow, EnvironmentName>, StoreError> {
        self.read(|connection| read::environment::environments(connection, kind, select))
    }

    fn queues(&self, select: &Select<QueueName>) -> Result<Page<QueueRow, QueueName>, StoreError> {
        self.read(|connection| read::queue::queues(connection, select))
    }

    fn definitions(
        &self,
        query: &DefinitionQuery,
    ) -> Result<Page<DefinitionRow, DefinitionRevision>, StoreError> {
        self.read(|connection| read::definition::definitions(connection, query))
    }

    fn latest_definition(&self, name: &DefinitionName) -> Result<Option<DefinitionRow>, StoreError> {
        self.read(|connection| read::definition::latest(connection, name))
    }

    fn items(&self, select: &ItemSelect) -> Result<Page<ItemRow, ItemKey>, StoreError> {
        self.read(|connection| read::item::items(connection, select))
    }

    fn jobs(&self, keys: &[JobKey]) -> Result<Vec<JobRow>, StoreError> {
        self.read(|connection| read::job::jobs(connection, &self.profiles, keys))
    }

    fn list_jobs(&self, query: &JobQuery) -> Result<Page<JobSummaryRow, JobCursor>, StoreError> {
        self.read(|connection| read::list::list_jobs(connection, &self.profiles, query))
    }

    fn tags(&self, resource: &str) -> Result<Vec<(String, String)>, StoreError> {
        self.read(|connection| read::tags(connection, resource))
    }

    fn counts(&self, queue: QueueId) -> Result<StatusCounts, StoreError> {
        self.read(|connection| read::counts(connection, queue))
    }

    fn events(&self, from: u64, limit: usize) -> Result<Vec<(u64, Events)>, StoreError> {
        self.read(|connection| read::event::events(connection, from, limit))
    }

    fn next_events(&self) -> Result<u64, StoreError> {
        self.read(read::event::next)
    }

    fn forget_events(&self, before: Timestamp, limit: usize) -> Result<bool, StoreError> {
        self.write(|connection, _| purge::forget_events(connection, before, limit))
    }

    fn forget_definitions(&self, deregistered_before: Timestamp, limit: usize) -> Result<bool, StoreError> {
        self.write(|connection, _| purge::forget_definitions(connection, deregistered_before, limit))
    }

    fn purge(
        &self,
        jobs_before: Timestamp,
        journal_before: Timestamp,
        limit: usize,
    ) -> Result<bool, StoreError> {
        self.write(|connection, _| purge::purge(connection, jobs_before, journal_before, limit))
    }
}
