//! Copies what a container writes to the log store, each line once.
//!
//! While the container runs its output is followed; when it has ended, what is left is read to its end, since following is known to
//! miss the last lines of some daemons. Both begin at the same [`Position`], which is stored in the same transaction as the events
//! it stands behind, so a follower can be given up and a server killed at any time. It must not decide when a container has ended.
//! Start with [`Drain::follow`] and [`Drain::finish`].

use std::time::Duration;

use batchyard_runtime::log::{Append, Cursor, LogError, LogEvent, StreamName};
use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::Notify;

use super::Context;
use super::daemon::Failure;
use super::labels::Labels;
use super::limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, FOLLOW_AFTER, READS_MAX, RETRY_MAX, RETRY_MIN};
use super::pieces::{Joiner, Source};
use super::position::Position;

/// The way of one container's output.
pub(super) struct Drain<'a> {
    context: &'a Context,
    labels: &'a Labels,
    stream: StreamName,
    position: Position,
}

/// How the output of a container is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Follow,
    Rest,
}

/// A log driver that is not one of the two streams' pieces.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("read a container's output")]
    Daemon(#[from] Failure),
    #[error(transparent)]
    NoTime(#[from] super::pieces::NoTime),
}

impl<'a> Drain<'a> {
    /// For a container that was just made.
    pub(super) fn new(context: &'a Context, labels: &'a Labels) -> Option<Self> {
        Some(Drain {
            context,
            labels,
            stream: labels.stream.clone()?,
            position: Position::default(),
        })
    }

    /// For one that may have been read by an earlier server.
    pub(super) async fn resume(context: &'a Context, labels: &'a Labels) -> Option<Self> {
        let mut drain = Drain::new(context, labels)?;
        let mut pause = RETRY_MIN;
        loop {
            match stored_position(context, labels).await {
                Ok(position) => {
                    drain.position = position;
                    return Some(drain);
                }
                Err(error) => {
                    tracing::warn!(attempt = %labels.attempt, error = &error as &dyn std::error::Error, "failed to read a cursor");
                    wait(&mut pause).await;
                }
            }
        }
    }

    /// Copies while the container runs, until `halt`. Says by `ended` each time the daemon has no more: then the container has ended, or
    /// the daemon has.
    pub(super) async fn follow(&mut self, halt: &Notify, ended: &Notify) {
        let halted = halt.notified();
        tokio::pin!(halted);
        tokio::select! {
            () = tokio::time::sleep(FOLLOW_AFTER) => {}
            () = &mut halted => return,
        }
        let mut pause = RETRY_MIN;
        loop {
            let before = self.position;
            match self.read(Mode::Follow, halted.as_mut()).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(attempt = %self.labels.attempt, error = &error as &dyn std::error::Error, "lost a followed output");
                }
            }
            if self.position != before {
                pause = RETRY_MIN;
            }
            ended.notify_one();
            tokio::select! {
                () = wait(&mut pause) => {}
                () = &mut halted => return,
            }
        }
    }

    /// Copies what is left of a container that has ended. Returns when it is all in the log store, or cannot be had any more.
    pub(super) async fn finish(&mut self) {
        let never = Notify::new();
        let mut refusals = 0;
        let mut pause = RETRY_MIN;
        loop {
            let halted = never.notified();
            tokio::pin!(halted);
            let error = match self.read(Mode::Rest, halted).await {
                Ok(_) => return,
                Err(error) => error,
            };
            let attempt = self.labels.attempt;
            tracing::warn!(%attempt, error = &error as &dyn std::error::Error, "failed to read the rest of an output");
            if matches!(
                error,
                ReadError::NoTime(_) | ReadError::Daemon(Failure::Refused { .. })
            ) {
                refusals += 1;
                if refusals == READS_MAX {
                    return;
                }
            }
            wait(&mut pause).await;
        }
    }

    /// Reads from the position on, to the end of the output or until `halt`; whether it was halted.
    async fn read(
        &mut self,
        mode: Mode,
        mut halt: std::pin::Pin<&mut impl Future<Output = ()>>,
    ) -> Result<bool, ReadError> {
        let client = self.context.daemon.client()?;
        let options = LogsOptions {
            follow: mode == Mode::Follow,
            stdout: true,
            stderr: true,
            // 0 is everything; the daemon's clock is past 2038 when this parameter's type is no longer wide enough.
            since: i32::try_from(self.position.since.max(0)).unwrap_or(i32::MAX),
            until: 0,
            timestamps: true,
            tail: "all".to_owned(),
        };
        let mut output = client.logs(&self.labels.container_name(), Some(options));
        let mut joiner = Joiner::from(self.position);
        let mut batch = Batch::default();
        loop {
            let next = tokio::select! {
                next = output.next() => next,
                () = &mut halt => return Ok(true),
            };
            let Some(frame) = next else { break };
            take(&mut joiner, frame, &mut batch)?;
            // What is there already goes into the same append.
            while !batch.is_full()
                && let Some(Some(frame)) = output.next().now_or_never()
            {
                take(&mut joiner, frame, &mut batch)?;
            }
            self.keep(&mut batch, joiner.position()).await;
        }
        if mode == Mode::Rest {
            joiner.finish(&mut batch.events);
            // Also without events: who sees the job ended finds its stream.
            self.append(batch.take(), joiner.position()).await;
        }
        Ok(false)
    }

    async fn keep(&mut self, batch: &mut Batch, position: Position) {
        if !batch.events.is_empty() {
            self.append(batch.take(), position).await;
        }
    }

    /// Makes the stream, so that it is there from the start on, also of a job that writes nothing (section F5.2).
    pub(super) async fn make_stream(&mut self) {
        self.append(Vec::new(), self.position).await;
    }

    /// Appends, for as long as it takes: without it the attempt's end cannot be told.
    async fn append(&mut self, events: Vec<LogEvent>, position: Position) {
        let cursor = (position != Position::default()).then(|| Cursor {
            source: self.labels.cursor_source(),
            position: Some(position.encode()),
        });
        let append = Append {
            stream: self.stream.clone(),
            events,
            cursor,
        };
        store(self.context, append).await;
        self.position = position;
    }
}

/// Drops what the log store holds of how far an attempt was read.
pub(super) async fn forget_position(context: &Context, labels: &Labels) {
    let Some(stream) = labels.stream.clone() else {
        return;
    };
    let append = Append {
        stream,
        events: Vec::new(),
        cursor: Some(Cursor {
            source: labels.cursor_source(),
            position: None,
        }),
    };
    store(context, append).await;
}

async fn store(context: &Context, append: Append) {
    let mut pause = RETRY_MIN;
    while let Err(error) = context.logs.append(vec![append.clone()]).await {
        tracing::warn!(
            stream = append.stream.stream,
            error = &error as &dyn std::error::Error,
            "failed to keep a job's output"
        );
        wait(&mut pause).await;
    }
}

async fn stored_position(context: &Context, labels: &Labels) -> Result<Position, LogError> {
    let logs = std::sync::Arc::clone(&context.logs);
    let source = labels.cursor_source();
    let stored = tokio::task::spawn_blocking(move || logs.cursor(&source)).await;
    let stored = stored.map_err(|error| LogError::Broken(Box::new(error)))??;
    Ok(stored
        .and_then(|bytes| Position::decode(&bytes))
        .unwrap_or_default())
}

async fn wait(pause: &mut Duration) {
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(RETRY_MAX);
}

#[derive(Default)]
struct Batch {
    events: Vec<LogEvent>,
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.events.len() >= BATCH_EVENTS_MAX || self.bytes >= BATCH_BYTES_MAX
    }

    fn take(&mut self) -> Vec<LogEvent> {
        self.bytes = 0;
        std::mem::take(&mut self.events)
    }
}

fn take(
    joiner: &mut Joiner,
    frame: Result<LogOutput, bollard::errors::Error>,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    let (source, payload) = match frame.map_err(Failure::from)? {
        LogOutput::StdErr { message } => (Source::Error, message),
        LogOutput::StdOut { message } | LogOutput::StdIn { message } | LogOutput::Console { message } => {
            (Source::Out, message)
        }
    };
    batch.bytes += payload.len();
    joiner.take(source, &payload, &mut batch.events)?;
    Ok(())
}
