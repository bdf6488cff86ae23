//! What a killed process leaves behind: the cursor and the events agree.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use batchyard_logs::{EventsQuery, Logs, Start};
use batchyard_runtime::log::{Append, Cursor, LogStore};

use crate::setup::{append, name, runtime};

/// Names the file for the process that is to be killed.
const CHILD: &str = "BATCHYARD_LOGS_CRASH_CHILD";

/// The process that is killed while it writes: the test below starts it. Alone it does nothing.
#[test]
fn child() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let logs = Logs::open(Path::new(&path)).unwrap();
    let runtime = runtime();
    for count in next(&logs, 0).. {
        let text = format!("line {count}");
        let cursor = Cursor {
            source: "spool".to_owned(),
            position: Some(count.to_string().into_bytes()),
        };
        let first = append("g", "s", &[(count, &text)]);
        let second = Append {
            cursor: Some(cursor),
            ..append("g", &format!("s{}", count % 3), &[(count, &text)])
        };
        runtime.block_on(logs.append(vec![first, second])).unwrap();
        println!("kept {count}");
    }
}

/// The number of the next line to be written, from the cursor.
fn next(logs: &Logs, first: i64) -> i64 {
    let position = logs.cursor("spool").unwrap();
    position.map_or(first, |position| {
        String::from_utf8(position).unwrap().parse::<i64>().unwrap() + 1
    })
}

#[test]
fn after_a_kill_the_cursor_and_the_events_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.sqlite");
    let mut reported = -1;
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let kept = |line: String| {
            line.strip_prefix("kept ")
                .map(|count| count.parse::<i64>().unwrap())
        };
        for _ in 0..=20 * round {
            reported = lines.by_ref().find_map(kept).unwrap();
        }
        child.kill().unwrap();
        // What it still said before it was killed counts too.
        reported = lines.filter_map(kept).last().unwrap_or(reported);
        child.wait().unwrap();
        check(&path, reported);
    }
}

fn check(path: &Path, reported: i64) {
    let logs = Logs::open(path).unwrap();
    let next = next(&logs, 0);
    assert!(
        next > reported,
        "{reported} was reported as kept, and the cursor is before {next}"
    );
    let times = |stream: &str| {
        let query = EventsQuery {
            stream: name("g", stream),
            start: None,
            end: None,
            from: Start::Head,
            limit: 10_000,
        };
        let page = logs.events(&query).unwrap();
        page.events
            .iter()
            .map(|event| event.timestamp.as_millis())
            .collect::<Vec<_>>()
    };
    assert_eq!(times("s"), (0..next).collect::<Vec<_>>());
    let mut others = ["s0", "s1", "s2"]
        .iter()
        .filter(|_| next > 2)
        .flat_map(|s| times(s))
        .collect::<Vec<_>>();
    others.sort_unstable();
    assert!(next <= 2 || others == (0..next).collect::<Vec<_>>());
}
