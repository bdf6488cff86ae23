//! What a killed process leaves behind: all that it acknowledged, and of the rest whole batches only.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use batchyard_runtime::store::Store;
use batchyard_store::SqliteStore;

use crate::batch::{batch, batches_in};

/// Names the file for the process that is to be killed.
const CHILD: &str = "BATCHYARD_STORE_KILL_CHILD";

/// The process that is killed while it writes: the test below starts it. Alone it does nothing.
#[test]
fn child() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let store = SqliteStore::open(Path::new(&path)).unwrap();
    for number in batches_in(&store).. {
        store.commit(&batch(number)).unwrap();
        println!("\nacknowledged {number}");
    }
}

#[test]
fn every_acknowledged_batch_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("batchyard.sqlite");
    let mut acknowledged = 0;
    // Different ages at death: from right after the first commit to beyond a checkpoint of the log.
    for lines in [1, 2, 3, 5, 8, 20, 80, 1_500, 13] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut numbers = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| {
                line.strip_prefix("acknowledged ")
                    .map(|number| number.parse::<u64>().unwrap())
            });
        let begun = acknowledged;
        for number in numbers.by_ref().take(lines) {
            acknowledged = number + 1;
        }
        child.kill().unwrap();
        // What it said before it was killed counts too.
        for number in numbers {
            acknowledged = number + 1;
        }
        child.wait().unwrap();
        assert!(acknowledged >= begun + lines as u64, "it died on its own");
        let store = SqliteStore::open(&path).unwrap();
        let found = batches_in(&store);
        assert!(
            found == acknowledged || found == acknowledged + 1,
            "{found} batches are there, {acknowledged} were acknowledged"
        );
        acknowledged = found;
    }
}
