//! The engine's end of the spool: what was written there becomes log events and reports, in that order.
//!
//! Start with [`Tail::run`].

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use batchyard_core::id::AttemptKey;
use batchyard_core::report::Report;
use batchyard_runtime::cause::with_causes;
use batchyard_runtime::engine::Reports;
use batchyard_runtime::log::{Append, Cursor, LogError, LogEvent, LogStore, StreamName};
use tokio::sync::{Notify, mpsc};

use super::limits;
use super::protocol::Ending;
use super::spool::{Fact, Position, Reader, Record};
use crate::lines;

/// Name of the cursor in the log store.
const SOURCE: &str = "process-spool";

/// Why the tail looks again.
#[derive(Debug)]
pub(super) enum Wake {
    /// The spool is another one than before: somebody took the old one away.
    Replaced,
    /// Where the output of these attempts goes.
    Streams(Vec<(AttemptKey, Option<StreamName>)>),
}

/// All up to a position is in the log store and told.
#[derive(Debug)]
pub(super) struct Consumed {
    pub(super) position: Position,
    /// Attempts that the spool has for good.
    pub(super) accepted: Vec<AttemptKey>,
}

/// How far the spool was consumed before.
pub(super) fn cursor(logs: &dyn LogStore) -> Result<Position, LogError> {
    let bytes = logs.cursor(SOURCE)?;
    Ok(bytes
        .and_then(|bytes| Position::from_bytes(&bytes))
        .unwrap_or_default())
}

pub(super) struct Tail {
    directory: PathBuf,
    /// In its place only while it is not reading.
    reader: Option<Reader>,
    streams: HashMap<AttemptKey, StreamName>,
    reports: Reports,
    logs: Arc<dyn LogStore>,
    /// Rung when more is written.
    written: Arc<Notify>,
    consumed: mpsc::Sender<Consumed>,
}

/// What a stretch of the spool comes to.
#[derive(Default)]
struct Stretch {
    events: BTreeMap<StreamName, Vec<LogEvent>>,
    reports: Vec<(AttemptKey, Report)>,
    accepted: Vec<AttemptKey>,
}

impl Tail {
    pub(super) fn new(
        directory: PathBuf,
        cursor: Position,
        reports: Reports,
        logs: Arc<dyn LogStore>,
        written: Arc<Notify>,
        consumed: mpsc::Sender<Consumed>,
    ) -> Tail {
        Tail {
            reader: Some(Reader::open(&directory, cursor)),
            directory,
            streams: HashMap::new(),
            reports,
            logs,
            written,
            consumed,
        }
    }

    /// Works until the engine is dropped.
    pub(super) async fn run(mut self, mut wakes: mpsc::UnboundedReceiver<Wake>) {
        let mut knows_streams = false;
        // The first look is immediate; while there is much to do, each finds what came in a while.
        let mut pace = tokio::time::interval(limits::TAIL_PACE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                wake = wakes.recv() => match wake {
                    Some(Wake::Streams(streams)) => {
                        knows_streams = true;
                        for (attempt, stream) in streams {
                            self.streams.extend(stream.map(|stream| (attempt, stream)));
                        }
                    }
                    Some(Wake::Replaced) => self.reader = Some(Reader::open(&self.directory, Position::default())),
                    None => return,
                },
                () = self.written.notified() => {}
            }
            // Before that the output of attempts from before the cursor would go nowhere.
            pace.tick().await;
            if knows_streams && self.read_all().await.is_none() {
                return;
            }
        }
    }

    /// Reads to the end of what is written. `None` when the engine is gone.
    async fn read_all(&mut self) -> Option<()> {
        loop {
            let mut reader = self
                .reader
                .take()
                .expect("only this loop takes the reader, and puts it back");
            let read = tokio::task::spawn_blocking(move || {
                let result = reader.read();
                (reader, result)
            });
            let (reader, result) = read.await.ok()?;
            let position = reader.position();
            self.reader = Some(reader);
            let records = match result {
                Ok(records) => records,
                Err(error) => {
                    tracing::error!(
                        cause = with_causes(&error),
                        "the spool of process jobs cannot be read; trying again"
                    );
                    tokio::time::sleep(limits::LOG_RETRY).await;
                    continue;
                }
            };
            if records.is_empty() {
                return Some(());
            }
            let Stretch {
                events,
                reports,
                accepted,
            } = self.sort(records);
            self.append(events, position).await;
            for (attempt, report) in reports {
                self.reports.tell(attempt, report).await;
            }
            self.consumed.send(Consumed { position, accepted }).await.ok()?;
        }
    }

    fn sort(&mut self, records: Vec<Record>) -> Stretch {
        let mut stretch = Stretch::default();
        for Record { attempt, fact } in records {
            match fact {
                Fact::Accepted { stream } => {
                    stretch.accepted.push(attempt);
                    self.streams.extend(stream.map(|stream| (attempt, stream)));
                }
                Fact::Started { at, .. } => {
                    // The stream is there from the start on, also of a job that writes nothing (section F5.2).
                    if let Some(stream) = self.streams.get(&attempt) {
                        stretch.events.entry(stream.clone()).or_default();
                    }
                    stretch.reports.push((attempt, Report::Started { at }));
                }
                Fact::Output { at, chunk } => {
                    if let Some(stream) = self.streams.get(&attempt) {
                        let events = stretch.events.entry(stream.clone()).or_default();
                        lines::events(at, &chunk, |event| events.push(event));
                    }
                }
                Fact::Ended(ending) => stretch.reports.push((attempt, report(ending))),
                Fact::Forgotten => {
                    self.streams.remove(&attempt);
                }
            }
        }
        stretch
    }

    /// Appends lines together with the cursor, again and again until the log store takes them.
    async fn append(&self, events: BTreeMap<StreamName, Vec<LogEvent>>, position: Position) {
        let mut appends: Vec<Append> = events
            .into_iter()
            .map(|(stream, events)| Append {
                stream,
                events,
                cursor: None,
            })
            .collect();
        // Without lines the cursor may stay: reading facts twice does no harm.
        let Some(last) = appends.last_mut() else { return };
        last.cursor = Some(Cursor {
            source: SOURCE.to_owned(),
            position: Some(position.to_bytes()),
        });
        let mut was_told = false;
        while let Err(error) = self.logs.append(appends.clone()).await {
            if !was_told {
                tracing::error!(
                    cause = with_causes(&error),
                    "the output of process jobs cannot be kept; trying again"
                );
                was_told = true;
            }
            tokio::time::sleep(limits::LOG_RETRY).await;
        }
    }
}

/// The report of an end.
pub(super) fn report(ending: Ending) -> Report {
    match ending {
        Ending::Exited {
            at,
            exit_code,
            reason,
        } => Report::Exited {
            at,
            exit_code: Some(exit_code),
            reason,
            containers: Vec::new(),
        },
        Ending::NotStarted { at, reason } => Report::NotStarted {
            at,
            reason,
            containers: Vec::new(),
        },
        Ending::Lost { at } => Report::Lost { at },
    }
}
