//! A store in a folder of its own, and short ways to say what goes in and comes out.

use batchyard_core::time::Timestamp;
use batchyard_logs::{EventsQuery, FilterQuery, FilterStreams, Logs, Page, Start};
use batchyard_runtime::log::{Append, LogEvent, StreamName};

pub(crate) struct Setup {
    pub(crate) logs: Logs,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Setup {
    pub(crate) fn new() -> Setup {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::open(&folder.path().join("logs.sqlite")).unwrap();
        Setup {
            logs,
            folder,
            runtime: runtime(),
        }
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(self) -> Setup {
        let Setup {
            logs,
            folder,
            runtime,
        } = self;
        drop(logs);
        let logs = Logs::open(&folder.path().join("logs.sqlite")).unwrap();
        Setup {
            logs,
            folder,
            runtime,
        }
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn put(&self, group: &str, stream: &str, events: &[(i64, &str)]) {
        self.wait(self.logs.put(vec![append(group, stream, events)]))
            .unwrap();
    }

    pub(crate) fn page(&self, stream: &str, from: Start, limit: usize) -> Page {
        let query = EventsQuery {
            stream: name("g", stream),
            start: None,
            end: None,
            from,
            limit,
        };
        self.logs.events(&query).unwrap()
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

pub(crate) fn name(group: &str, stream: &str) -> StreamName {
    StreamName {
        group: group.to_owned(),
        stream: stream.to_owned(),
    }
}

pub(crate) fn append(group: &str, stream: &str, events: &[(i64, &str)]) -> Append {
    let events = events
        .iter()
        .map(|(ms, text)| LogEvent {
            timestamp: at(*ms),
            message: (*text).to_owned(),
        })
        .collect();
    Append {
        stream: name(group, stream),
        events,
        cursor: None,
    }
}

pub(crate) fn all(streams: FilterStreams) -> FilterQuery {
    FilterQuery {
        group: "g".to_owned(),
        streams,
        start: None,
        end: None,
        pattern: None,
        limit: 10_000,
        token: None,
    }
}

/// The events of a page as `time:message`.
pub(crate) fn shown(page: &Page) -> String {
    let events = page
        .events
        .iter()
        .map(|event| format!("{}:{}", event.timestamp.as_millis(), event.message));
    events.collect::<Vec<_>>().join(" ")
}
