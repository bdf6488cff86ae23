//! Which files are opened, and that those which are not stay as they were.

use std::path::{Path, PathBuf};

use batchyard_runtime::store::{Store, StoreError};
use batchyard_store::{OpenError, SqliteStore};
use expect_test::{Expect, expect};
use rusqlite::Connection;

use crate::batch::{batch, batches_in};

/// A file's place in a folder of its own.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        Site(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("batchyard.sqlite")
    }

    /// All files but the lock, with their contents.
    fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.to_str().unwrap().ends_with("-lock"))
            // SQLite's index of the log: made by whoever reads, with nothing in it that is not in the log.
            .filter(|path| !path.to_str().unwrap().ends_with("-shm"))
            .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
            // Nor is there anything in a log that is empty.
            .filter(|(_, contents)| !contents.is_empty())
            .collect();
        files.sort();
        files
    }

    /// Checks that the file is refused with these words, and left as it is.
    fn check_refused(&self, expected: Expect) -> OpenError {
        let before = self.contents();
        let error = SqliteStore::open(&self.file()).map(|_| ()).unwrap_err();
        let folder = self.0.path().to_str().unwrap();
        let text = error.to_string().replace(folder, "FOLDER");
        expected.assert_eq(&text.replace(&std::process::id().to_string(), "PID"));
        assert!(before == self.contents(), "the files were changed");
        error
    }
}

fn write_store(path: &Path, batches: u64) {
    let store = SqliteStore::open(path).unwrap();
    for number in 0..batches {
        store.commit(&batch(number)).unwrap();
    }
}

#[test]
fn a_new_file_is_made_and_found_again() {
    let site = Site::new();
    write_store(&site.file(), 2);
    let store = SqliteStore::open(&site.file()).unwrap();
    assert_eq!(batches_in(&store), 2);
    drop(store);
    // An empty file is a new one: so a crash between making and filling it leaves it.
    let site = Site::new();
    std::fs::write(site.file(), "").unwrap();
    write_store(&site.file(), 1);
    assert_eq!(batches_in(&SqliteStore::open(&site.file()).unwrap()), 1);
}

#[test]
fn a_file_in_use_is_refused() {
    let site = Site::new();
    let store = SqliteStore::open(&site.file()).unwrap();
    store.commit(&batch(0)).unwrap();
    let error = site.check_refused(expect!["open FOLDER/batchyard.sqlite: process PID has it open"]);
    assert!(matches!(error, OpenError::InUse { .. }));
    // Whoever has it does not notice.
    store.commit(&batch(1)).unwrap();
    drop(store);
    assert_eq!(batches_in(&SqliteStore::open(&site.file()).unwrap()), 2);
}

#[test]
fn what_no_database_wrote_is_refused() {
    for contents in [
        "x",
        "SQLite format 3",
        "just some notes, longer than a header is\n",
    ] {
        let site = Site::new();
        std::fs::write(site.file(), contents).unwrap();
        site.check_refused(expect![
            "open FOLDER/batchyard.sqlite: this is not a batchyard store; it was left as it is"
        ]);
    }
}

#[test]
fn another_programs_database_is_refused() {
    let schemas = [
        "CREATE TABLE t (x); INSERT INTO t VALUES (1)",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 1",
        // One that is written to has a log beside it, which is not to be moved into it by us.
        "PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)",
    ];
    for schema in schemas {
        let site = Site::new();
        let connection = Connection::open(site.file()).unwrap();
        connection
            .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .unwrap();
        connection.execute_batch(schema).unwrap();
        drop(connection);
        let error = site.check_refused(expect![
            "open FOLDER/batchyard.sqlite: this is not a batchyard store; it was left as it is"
        ]);
        assert!(matches!(error, OpenError::Foreign { .. }));
    }
}

#[test]
fn a_newer_versions_store_is_refused() {
    let site = Site::new();
    write_store(&site.file(), 1);
    for version in ["99", "-1"] {
        let connection = Connection::open(site.file()).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
        drop(connection);
        let error = SqliteStore::open(&site.file()).map(|_| ()).unwrap_err();
        assert!(matches!(error, OpenError::Newer { .. }));
    }
    Connection::open(site.file())
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    site.check_refused(expect![
        "open FOLDER/batchyard.sqlite: a newer batchyard wrote it (version 99, this one knows 13); it was left as it is"
    ]);
}

#[test]
fn a_damaged_store_is_refused() {
    let site = Site::new();
    write_store(&site.file(), 200);
    let whole = std::fs::read(site.file()).unwrap();
    assert!(whole.len() > 20 * 4096);
    let site = Site::new();
    // Pages in the middle are lost, as after a disk error.
    let mut holed = whole.clone();
    holed[8 * 4096..12 * 4096].fill(0xff);
    std::fs::write(site.file(), &holed).unwrap();
    let error = SqliteStore::open(&site.file()).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("batchyard.sqlite: the contents are damaged: "),
        "{error}"
    );
    assert!(std::fs::read(site.file()).unwrap() == holed);
    // The end is missing, as after an interrupted copy.
    let site = Site::new();
    std::fs::write(site.file(), &whole[..whole.len() / 2]).unwrap();
    let error = SqliteStore::open(&site.file()).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

/// Rows that fit a database but not this store are found when they are read.
#[test]
fn rows_that_make_no_sense_are_damage() {
    let damages = [
        "UPDATE jobs SET profile = 99",
        "UPDATE profiles SET content = '{}'",
        "UPDATE environments SET spec = 'x'",
        "UPDATE queues SET life = 1, switch = 5",
        "UPDATE settings SET value = '[]'",
        "UPDATE jobs SET array_size = 3",
        "UPDATE jobs SET id = x'00'",
    ];
    for damage in damages {
        let site = Site::new();
        write_store(&site.file(), 1);
        let connection = Connection::open(site.file()).unwrap();
        // Several rows may not have the same identifier.
        let rest = "PRAGMA foreign_keys = OFF; DELETE FROM jobs WHERE sequence > 1";
        connection.execute_batch(rest).unwrap();
        connection.execute_batch(damage).unwrap();
        drop(connection);
        let store = SqliteStore::open(&site.file()).unwrap();
        let error = store.load().unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{damage}: {error:?}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_said_so() {
    let site = Site::new();
    let path = site.0.path().join("none/batchyard.sqlite");
    let error = SqliteStore::open(&path).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Lock { .. }), "{error}");
    // A folder where the file should be.
    let path = site.0.path().join("folder");
    std::fs::create_dir(&path).unwrap();
    let error = SqliteStore::open(&path).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Database { .. }), "{error}");
}
