//! Where a store is opened for a test.

use batchyard_runtime::store::Store;
use batchyard_store::SqliteStore;
use tempfile::TempDir;

/// Somewhere a store can be opened, empty the first time, and again with what was committed once the one before was dropped.
pub(crate) trait Place {
    fn open(&self) -> Box<dyn Store>;

    /// The inputs of the journal as stored, oldest first: the port has no way to read them.
    fn journal(&self) -> Vec<String>;
}

/// A file in a folder of its own, which goes with the value.
pub(crate) struct Sqlite(TempDir);

impl Sqlite {
    pub(crate) fn new() -> Self {
        Sqlite(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> std::path::PathBuf {
        self.0.path().join("batchyard.sqlite")
    }
}

impl Place for Sqlite {
    fn open(&self) -> Box<dyn Store> {
        Box::new(SqliteStore::open(&self.file()).unwrap())
    }

    fn journal(&self) -> Vec<String> {
        let connection = rusqlite::Connection::open(self.file()).unwrap();
        let mut statement = connection
            .prepare("SELECT input FROM journal ORDER BY sequence")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }
}
