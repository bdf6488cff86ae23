//! A disk that is full.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use batchyard_runtime::store::{Batch, Store, StoreError};
use batchyard_store::SqliteStore;

use crate::batch::{batch, batches_in};

/// A file system of a few MiB, gone when dropped.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "batchyard-store-test"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(SmallDisk { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes the room that is left, but for so many bytes.
    fn fill(&self, left: u64) -> PathBuf {
        let ballast = self.path().join("ballast");
        let mut file = std::fs::File::create(&ballast).unwrap();
        let block = [0; 4096];
        let error = loop {
            if let Err(error) = file.write_all(&block) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        let size = file.metadata().unwrap().len();
        file.set_len(size - left).unwrap();
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever else goes wrong, nothing stays mounted.
        let unmounted = Command::new("umount").arg("-l").arg(self.folder.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// Several batches in one: more than fits beside a small rest.
fn large(numbers: std::ops::Range<u64>) -> Batch {
    let counters = batch(numbers.end - 1).counters;
    Batch {
        changes: numbers.flat_map(|number| batch(number).changes).collect(),
        counters,
        ..Batch::default()
    }
}

#[test]
fn on_a_full_disk_commits_fail_whole_and_work_again_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("SKIPPED: mounting a small file system needs root");
        return;
    };
    let path = disk.path().join("batchyard.sqlite");
    let store = SqliteStore::open(&path).unwrap();
    store.commit(&batch(0)).unwrap();
    let mut done = 1;
    for left in [0, 4096, 40_960, 150_000] {
        let ballast = disk.fill(left);
        let is_full = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Full { .. }));
        // Twice: the first failure must not change what the second says.
        for _ in 0..2 {
            assert!(
                is_full(store.commit(&large(done..done + 300))),
                "{left} bytes left"
            );
        }
        if left < 65_536 {
            assert!(is_full(store.probe()), "{left} bytes left");
        }
        assert_eq!(batches_in(&store), done, "reading needs no room");
        std::fs::remove_file(&ballast).unwrap();
        store.probe().unwrap();
        store.commit(&batch(done)).unwrap();
        done += 1;
        assert_eq!(batches_in(&store), done);
    }
    let ballast = disk.fill(0);
    // A full disk does not keep a server from starting.
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(batches_in(&store), done);
    std::fs::remove_file(&ballast).unwrap();
    store.commit(&batch(done)).unwrap();
    assert_eq!(batches_in(&store), done + 1);
}
