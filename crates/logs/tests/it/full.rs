//! A disk that is full.

use std::path::Path;
use std::process::Command;

use batchyard_logs::{Error, EventsQuery, Logs, Start};
use batchyard_runtime::log::{LogError, LogStore};

use crate::setup::{append, name, runtime};

/// A file system of a few MiB, gone when dropped.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "batchyard-logs-test"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(SmallDisk { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever else goes wrong, nothing stays mounted.
        let unmounted = Command::new("umount").arg("-l").arg(self.folder.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn on_a_full_disk_an_append_fails_whole_and_later_ones_work() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("SKIPPED: mounting a small file system needs root");
        return;
    };
    let runtime = runtime();
    let logs = Logs::open(&disk.path().join("logs.sqlite")).unwrap();
    let put = |stream: &str, text: &str| runtime.block_on(logs.put(vec![append("g", stream, &[(1, text)])]));
    put("s", "before").unwrap();
    let ballast = disk.path().join("ballast");
    // Fills the disk to its last byte, whatever page it takes to fail.
    let filled = std::fs::write(&ballast, vec![0; 16 << 20]).unwrap_err();
    assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);
    let large = "x".repeat(100_000);
    assert!(matches!(put("s", &large), Err(Error::Full(_))));
    let port = runtime.block_on(logs.append(vec![append("g", "t", &[(1, &large)])]));
    assert!(matches!(port, Err(LogError::Full(_))));
    let read = |stream| {
        let query = EventsQuery {
            stream: name("g", stream),
            start: None,
            end: None,
            from: Start::Head,
            limit: 10,
        };
        logs.events(&query).map(|page| {
            page.events
                .into_iter()
                .map(|event| event.message)
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(read("s").unwrap(), ["before"], "reading needs no space");
    std::fs::remove_file(&ballast).unwrap();
    put("s", "after").unwrap();
    assert_eq!(read("s").unwrap(), ["before", "after"]);
    assert!(matches!(read("t"), Err(Error::StreamNotFound(_))));
    drop(logs);
}
