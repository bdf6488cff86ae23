//! The engine's end of the socket: orders out, positions and lists in; and a new supervisor where the old one died.
//!
//! Launches are kept until the spool has them: after a supervisor's death they are asked for again, which starts nothing twice. Start with
//! [`Link::run`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use batchyard_core::id::AttemptKey;
use batchyard_core::report::Report;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_runtime::engine::{Order, Reports};
use batchyard_runtime::log::LogStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::AbortHandle;

use super::account::Account;
use super::program::program;
use super::protocol::{self, Answer, Ending, Known, Program, Request, VERSION, read_frame, write_frame};
use super::spool::Position;
use super::tail::{self, Consumed, Tail};
use super::{Capabilities, Config, limits, socket};

/// The supervisor's log, in its directory.
pub(super) const LOG: &str = "supervisor.log";

/// Bytes read from the socket at once.
const READ_BYTES: usize = 64 * 1024;

/// What the engine is asked.
#[derive(Debug)]
pub(super) enum Message {
    Order(Order),
    Recover {
        current: BTreeSet<AttemptKey>,
        reply: oneshot::Sender<BTreeSet<AttemptKey>>,
    },
    /// The last message.
    EndWhenIdle,
}

/// There is no supervisor to talk to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its program cannot be run.
    #[error("run {program}")]
    Run {
        /// Which.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It was started and does not answer.
    #[error("it does not answer")]
    Silent,
    /// It is of another release and still has jobs.
    #[error(
        "a supervisor of another release (protocol {found}, this one speaks {VERSION}) still has jobs; wait until they have ended, or kill it"
    )]
    Version {
        /// Its version.
        found: u32,
    },
    /// The connection broke.
    #[error("talk to it")]
    Broken(#[from] std::io::Error),
    /// It says something that is not of the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// What it says is not of the protocol.
#[derive(Debug, thiserror::Error)]
#[error("it says something unexpected: {0}")]
pub struct ProtocolError(String);

impl From<protocol::Error> for Error {
    fn from(error: protocol::Error) -> Self {
        Error::Protocol(ProtocolError(error.to_string()))
    }
}

/// The task that owns the connection.
pub(super) struct Link {
    config: Config,
    account: Option<Account>,
    own: Account,
    inbox: mpsc::Receiver<Message>,
    socket: Socket,
    reports: Reports,
    /// Wakes the tail when more is written.
    written: Arc<Notify>,
    /// Tells the tail what else it must know: once for each list and each connection, so without a bound. With one, the two tasks could wait
    /// for each other.
    wakes: mpsc::UnboundedSender<tail::Wake>,
    consumed: mpsc::Receiver<Consumed>,
    consumed_to: Position,
    /// Whether nothing was said yet of how far the spool is written.
    is_new_connection: bool,
    /// Whether the last message has come.
    is_ending: bool,
    /// Launches that the spool does not have yet, and what follows them if they are to be stopped.
    unaccepted: BTreeMap<AttemptKey, (Program, Option<Millis>)>,
    lists: BTreeMap<u64, List>,
    next_list: u64,
}

/// A question about all attempts that is not answered yet.
struct List {
    current: BTreeSet<AttemptKey>,
    reply: oneshot::Sender<BTreeSet<AttemptKey>>,
}

/// A connection to a supervisor that has said hello.
struct Socket {
    stream: UnixStream,
    incoming: Vec<u8>,
}

impl Link {
    pub(super) async fn start(
        config: Config,
        account: Option<Account>,
        inbox: mpsc::Receiver<Message>,
        cursor: Position,
        reports: Reports,
        logs: Arc<dyn LogStore>,
    ) -> Result<(Link, Capabilities, AbortHandle), Error> {
        let (socket, capabilities) = connect(&config).await?;
        let written = Arc::new(Notify::new());
        let (wakes, tail_wakes) = mpsc::unbounded_channel();
        let (told, consumed) = mpsc::channel(limits::CONSUMED_WAITING_MAX);
        let rung = Arc::clone(&written);
        let tail = Tail::new(
            config.directory.clone(),
            cursor,
            reports.clone(),
            logs,
            rung,
            told,
        );
        let tail = tokio::spawn(tail.run(tail_wakes)).abort_handle();
        let link = Link {
            config,
            account,
            own: Account::own(),
            inbox,
            socket,
            reports,
            written,
            wakes,
            consumed,
            consumed_to: cursor,
            is_new_connection: true,
            is_ending: false,
            unaccepted: BTreeMap::new(),
            lists: BTreeMap::new(),
            next_list: 0,
        };
        Ok((link, capabilities, tail))
    }

    /// Works until the engine is dropped.
    pub(super) async fn run(mut self) {
        // The streams of attempts that were accepted before the cursor.
        let mut failure = self.ask_for_streams().await.err();
        loop {
            if let Some(error) = failure.take() {
                tracing::warn!(
                    cause = batchyard_runtime::cause::with_causes(&error),
                    "lost the supervisor of process jobs"
                );
                self.find_again().await;
            }
            match self.turn().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => failure = Some(error),
            }
        }
    }

    /// Serves whatever comes first. Whether there is more to come.
    async fn turn(&mut self) -> Result<bool, Error> {
        let mut messages = Vec::with_capacity(limits::REQUESTS_PER_FRAME);
        tokio::select! {
            answers = self.socket.receive() => {
                for answer in answers? {
                    self.answer(answer).await?;
                }
            }
            count = self.inbox.recv_many(&mut messages, limits::REQUESTS_PER_FRAME) => {
                if count == 0 {
                    return Ok(false);
                }
                let requests: Vec<Request> = self.requests(messages).await;
                self.socket.send(&requests).await?;
                return Ok(!self.is_ending);
            }
            Some(consumed) = self.consumed.recv() => {
                let Consumed { position, accepted } = consumed;
                for attempt in accepted {
                    self.unaccepted.remove(&attempt);
                }
                self.consumed_to = position;
                self.socket.send(&[Request::Consumed { position }]).await?;
            }
        }
        Ok(true)
    }

    async fn requests(&mut self, messages: Vec<Message>) -> Vec<Request> {
        let mut requests = Vec::with_capacity(messages.len());
        for message in messages {
            match message {
                Message::Order(Order::Launch(launch)) => {
                    let attempt = launch.attempt;
                    match program(*launch, &self.config.secrets, self.account.as_ref(), &self.own).await {
                        Ok(Some(program)) => {
                            self.unaccepted.insert(attempt, (program.clone(), None));
                            requests.push(Request::Launch(Box::new(program)));
                        }
                        Ok(None) => {
                            tracing::error!(%attempt, "a container was ordered from the process engine")
                        }
                        Err(reason) => {
                            let ending = Ending::NotStarted { at: now(), reason };
                            self.reports.tell(attempt, tail::report(ending)).await;
                        }
                    }
                }
                Message::Order(Order::Stop { attempt, grace }) => {
                    if let Some((_, stop)) = self.unaccepted.get_mut(&attempt) {
                        *stop = Some(grace);
                    }
                    requests.push(Request::Stop { attempt, grace });
                }
                Message::Order(Order::Forget { attempt }) => {
                    self.unaccepted.remove(&attempt);
                    requests.push(Request::Forget { attempt });
                }
                Message::EndWhenIdle => {
                    requests.push(Request::EndWhenIdle);
                    self.is_ending = true;
                }
                Message::Recover { current, reply } => {
                    self.next_list += 1;
                    let number = self.next_list;
                    self.lists.insert(number, List { current, reply });
                    requests.push(Request::List { number });
                }
            }
        }
        requests
    }

    async fn answer(&mut self, answer: Answer) -> Result<(), Error> {
        match answer {
            Answer::Hello { .. } => {}
            Answer::Written { position } => {
                self.check_position(position);
                self.written.notify_one();
            }
            Answer::Known { number, attempts } => {
                let streams = attempts
                    .iter()
                    .map(|known| (known.attempt, known.stream.clone()))
                    .collect();
                self.wake(tail::Wake::Streams(streams));
                if let Some(list) = self.lists.remove(&number) {
                    self.recovered(list, attempts).await?;
                }
            }
        }
        Ok(())
    }

    /// A spool that at the beginning of a connection ends before what was consumed is not the one that was: somebody took that away.
    fn check_position(&mut self, written: Position) {
        if !std::mem::take(&mut self.is_new_connection) || self.consumed_to <= written {
            return;
        }
        tracing::warn!("the spool of process jobs was replaced; reading the new one from its beginning");
        self.consumed_to = Position::default();
        self.wake(tail::Wake::Replaced);
    }

    /// Tells again what is known of current attempts, and has the others dropped.
    async fn recovered(&mut self, list: List, attempts: Vec<Known>) -> Result<(), Error> {
        let List { current, reply } = list;
        let mut known_here = BTreeSet::new();
        let mut dropped = Vec::new();
        for Known {
            attempt,
            stream: _,
            started_at,
            ended,
        } in attempts
        {
            if !current.contains(&attempt) {
                dropped.push(Request::Forget { attempt });
                continue;
            }
            known_here.insert(attempt);
            if let Some(at) = started_at {
                self.reports.tell(attempt, Report::Started { at }).await;
            }
            // One that the tail has not come to yet is told by it, after the output before it.
            if let Some((ending, position)) = ended
                && position <= self.consumed_to
            {
                self.reports.tell(attempt, tail::report(ending)).await;
            }
        }
        if !dropped.is_empty() {
            self.socket.send(&dropped).await?;
        }
        // Whoever asked may have gone.
        let _nobody_waits = reply.send(known_here);
        Ok(())
    }

    async fn ask_for_streams(&mut self) -> Result<(), Error> {
        self.socket.send(&[Request::List { number: 0 }]).await
    }

    /// Connects again, to the same supervisor or a new one, and asks again for what may not have arrived.
    async fn find_again(&mut self) {
        // Whoever waits for a list asks again.
        self.lists.clear();
        loop {
            match self.try_find_again().await {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(
                        cause = batchyard_runtime::cause::with_causes(&error),
                        "the supervisor of process jobs cannot be reached; trying again"
                    );
                    tokio::time::sleep(limits::RESTART_PAUSE).await;
                }
            }
        }
    }

    async fn try_find_again(&mut self) -> Result<(), Error> {
        (self.socket, _) = connect(&self.config).await?;
        self.is_new_connection = true;
        self.ask_for_streams().await?;
        let launches: Vec<Request> = self
            .unaccepted
            .iter()
            .flat_map(|(attempt, (program, stop))| {
                let attempt = *attempt;
                let launch = Request::Launch(Box::new(program.clone()));
                std::iter::once(launch).chain(stop.map(|grace| Request::Stop { attempt, grace }))
            })
            .collect();
        for launches in launches.chunks(limits::REQUESTS_PER_FRAME) {
            self.socket.send(launches).await?;
        }
        Ok(())
    }

    fn wake(&self, wake: tail::Wake) {
        // The tail ends only with the engine.
        let _engine_ends = self.wakes.send(wake);
    }
}

impl Socket {
    async fn send(&mut self, requests: &[Request]) -> Result<(), Error> {
        let mut frame = Vec::new();
        write_frame(requests, &mut frame);
        Ok(self.stream.write_all(&frame).await?)
    }

    /// The next answers. Cancel-safe: what was read stays.
    async fn receive(&mut self) -> Result<Vec<Answer>, Error> {
        loop {
            if let Some(answers) = read_frame(&mut self.incoming)? {
                return Ok(answers);
            }
            self.incoming.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.incoming).await? == 0 {
                return Err(Error::Silent);
            }
        }
    }
}

/// Connects to the supervisor of the directory; starts one where none answers.
async fn connect(config: &Config) -> Result<(Socket, Capabilities), Error> {
    let deadline = Instant::now() + limits::START_WITHIN;
    let mut started = None;
    loop {
        if let Ok(stream) = socket::connect(&config.directory) {
            stream.set_nonblocking(true)?;
            let mut socket = Socket {
                stream: UnixStream::from_std(stream)?,
                incoming: Vec::new(),
            };
            // An error means that it was just ending: there will be another.
            let greeted = tokio::time::timeout_at(deadline.into(), greet(&mut socket)).await;
            if let Ok(capabilities) = greeted.map_err(|_| Error::Silent)?? {
                return Ok((socket, capabilities));
            }
        }
        if Instant::now() >= deadline {
            return Err(Error::Silent);
        }
        let has_ended = match &mut started {
            None => true,
            Some(child) => {
                let child: &mut tokio::process::Child = child;
                child.try_wait()?.is_some()
            }
        };
        if has_ended {
            started = Some(start(config)?);
        }
        tokio::time::sleep(limits::START_POLL).await;
    }
}

/// Takes the first answer; the inner error is a supervisor that went away before.
async fn greet(socket: &mut Socket) -> Result<Result<Capabilities, ()>, Error> {
    let Ok(answers) = socket.receive().await else {
        return Ok(Err(()));
    };
    let mut answers = answers.into_iter();
    match answers.next() {
        Some(Answer::Hello { version, .. }) if version != VERSION => Err(Error::Version { found: version }),
        Some(Answer::Hello {
            version: _,
            capabilities,
        }) => {
            // What came with it is for the caller's loop.
            let mut rest = Vec::new();
            let others: Vec<Answer> = answers.collect();
            write_frame(&others, &mut rest);
            rest.append(&mut socket.incoming);
            socket.incoming = rest;
            Ok(Ok(capabilities))
        }
        Some(Answer::Written { .. } | Answer::Known { .. }) | None => {
            Err(Error::Protocol(ProtocolError("no hello".to_owned())))
        }
    }
}

fn start(config: &Config) -> Result<tokio::process::Child, Error> {
    let failed = |source| Error::Run {
        program: config.supervisor_program.clone(),
        source,
    };
    let log = File::options()
        .create(true)
        .append(true)
        .open(config.directory.join(LOG))
        .map_err(failed)?;
    // It leaves our session by itself. Tokio reaps it should it end before us.
    tokio::process::Command::new(&config.supervisor_program)
        .args(&config.supervisor_arguments)
        .arg(&config.directory)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(failed)
}

/// The time of an attempt that nobody knows.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_millis(i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX))
}
