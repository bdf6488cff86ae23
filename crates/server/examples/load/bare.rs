//! What the machine does without us.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long each is measured.
const TIME: Duration = Duration::from_secs(2);

/// Writes of 4 KiB, each synced to the disk.
pub(crate) fn syncs_per_second(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("sync")).expect("a file can be made");
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < TIME {
        file.rewind().expect("a file can be sought");
        file.write_all(&[7; 4096]).expect("a file can be written");
        file.sync_data().expect("a file can be synced");
        count += 1;
    }
    crate::rate(count, start.elapsed().as_secs_f64())
}

/// Programs started (by `posix_spawn`) and reaped.
pub(crate) fn spawns_per_second(threads: usize) -> f64 {
    let start = Instant::now();
    let spawn_all = || {
        let mut count = 0;
        while start.elapsed() < TIME {
            let child = Command::new("/bin/true")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn();
            child.expect("true can be started").wait().expect("true ends");
            count += 1;
        }
        count
    };
    let count: usize = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(spawn_all)).collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .sum()
    });
    crate::rate(count, start.elapsed().as_secs_f64())
}
