//! The loop of the driver.

use std::sync::Arc;
use std::time::Duration;

use batchyard_core::command::{Command, DependsOn, Input};
use batchyard_core::id::AttemptKey;
use batchyard_core::report::Report;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_core::{Core, CoreConfig};
use tokio::sync::{mpsc, oneshot, watch};

use super::batch::{Open, Sealed};
use super::dispatch::{Dispatch, Dispatcher};
use super::{CommandError, Ports, Request, load};
use crate::cause::with_causes;
use crate::clock::Clock;
use crate::engine::BoxFuture;
use crate::engine::CurrentAttempt;
use crate::launch::LaunchSettings;
use crate::store::{DriverStore, JournalEntry, StoreError};

/// Inputs taken in one go before the core advances (own choice: keeps a step short).
const INPUTS_MAX: usize = 512;

/// Time between two tries to get the store back.
const STORE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// A timer that is due never, in practice.
const NEVER: Duration = Duration::from_secs(24 * 3600);

pub(super) struct Driver {
    config: CoreConfig,
    core: Core,
    store: Arc<dyn DriverStore>,
    clock: Arc<dyn Clock>,
    requests: mpsc::Receiver<Request>,
    reports: mpsc::Receiver<(AttemptKey, Report)>,
    are_engines_gone: bool,
    unlaunchable: mpsc::UnboundedReceiver<(AttemptKey, Report)>,
    dispatcher: Dispatcher,
    events: Option<watch::Sender<()>>,
    open: Open,
    in_flight: Option<InFlight>,
    now: Timestamp,
    stopping: Option<oneshot::Sender<()>>,
}

/// A batch that is being committed.
struct InFlight {
    sealed: Sealed,
    result: BoxFuture<'static, Result<(), StoreError>>,
}

/// What woke the loop.
enum Event {
    Committed(Result<(), StoreError>),
    Requests,
    Reports,
    Timer,
    EnginesGone,
    HandlesGone,
}

impl Driver {
    pub(super) fn new(
        core: Core,
        settings: LaunchSettings,
        ports: Ports,
        requests: mpsc::Receiver<Request>,
    ) -> Self {
        let Ports {
            store,
            engine,
            reports,
            clock,
            events,
        } = ports;
        let (told, unlaunchable) = mpsc::unbounded_channel();
        let dispatcher = Dispatcher::start(engine, Arc::clone(&store), Arc::clone(&clock), settings, told);
        Driver {
            config: core.config(),
            core,
            store,
            now: clock.now(),
            clock,
            requests,
            reports,
            are_engines_gone: false,
            unlaunchable,
            dispatcher,
            events,
            open: Open::default(),
            in_flight: None,
            stopping: None,
        }
    }

    pub(super) async fn run(mut self) {
        self.recover();
        let mut requests = Vec::with_capacity(INPUTS_MAX);
        let mut reports = Vec::with_capacity(INPUTS_MAX);
        loop {
            self.advance();
            self.seal_if_idle();
            if self.stopping.is_some() && self.in_flight.is_none() {
                break;
            }
            match self.next_event(&mut requests, &mut reports).await {
                Event::Committed(Ok(())) => self.committed(),
                Event::Committed(Err(error)) => self.lose_leadership(&error).await,
                Event::Requests => requests.drain(..).for_each(|request| self.request(request)),
                Event::Reports => reports
                    .drain(..)
                    .for_each(|(attempt, report)| self.report(attempt, report)),
                Event::Timer => {}
                // Nobody will report any more; commands still come.
                Event::EnginesGone => self.are_engines_gone = true,
                Event::HandlesGone => break,
            }
        }
        if let Some(done) = self.stopping {
            // Whoever asked may have gone.
            let _nobody_waits = done.send(());
        }
    }

    /// Waits for something to do. While a batch is being committed and the next is full, only for the commit.
    async fn next_event(
        &mut self,
        requests: &mut Vec<Request>,
        reports: &mut Vec<(AttemptKey, Report)>,
    ) -> Event {
        let takes_inputs = !self.open.is_full() && self.stopping.is_none();
        let timer = self.time_to_next();
        tokio::select! {
            biased;
            result = result_of(&mut self.in_flight) => Event::Committed(result),
            count = self.reports.recv_many(reports, INPUTS_MAX), if takes_inputs && !self.are_engines_gone => {
                if count == 0 { Event::EnginesGone } else { Event::Reports }
            }
            Some(report) = self.unlaunchable.recv(), if takes_inputs => {
                reports.push(report);
                Event::Reports
            }
            count = self.requests.recv_many(requests, INPUTS_MAX), if takes_inputs => {
                if count == 0 { Event::HandlesGone } else { Event::Requests }
            }
            () = self.clock.sleep(timer), if takes_inputs => Event::Timer,
        }
    }

    fn time_to_next(&self) -> Duration {
        match self.core.next_deadline() {
            None => NEVER,
            Some(at) => at.since(self.clock.now()).as_duration().min(NEVER),
        }
    }

    /// The time, which for the core never runs backwards.
    fn tick(&mut self) -> Timestamp {
        self.now = self.now.max(self.clock.now());
        self.now
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Command {
                principal,
                command,
                reply,
            } => self.command(principal, *command, reply),
            Request::Read(read) => read(&self.core),
            Request::Stop { done } => self.stopping = Some(done),
        }
    }

    fn command(
        &mut self,
        principal: Arc<str>,
        mut command: Command,
        reply: oneshot::Sender<Result<batchyard_core::command::Reply, CommandError>>,
    ) {
        if let Command::SubmitJob(submit) = &mut command {
            self.resolve(&mut submit.dependencies);
        }
        let now = self.tick();
        let input = Input::Command(command);
        // Large parts of a command are shared, not copied.
        match self.core.handle(now, input.clone(), self.open.output()) {
            Ok(answer) => {
                self.open.prepare_effects(self.core.state());
                self.open.note(JournalEntry {
                    at: now,
                    principal: Some(principal),
                    input,
                });
                self.open.answer_after_commit(reply, answer);
            }
            Err(rejection) => {
                let _nobody_waits = reply.send(Err(CommandError::Rejected(rejection)));
            }
        }
    }

    /// Says how those dependencies ended that are not live any more and whose end is not committed yet. How earlier ones ended the caller
    /// has looked up; one that ended in between is refused as unknown, and is known at the next try.
    fn resolve(&self, dependencies: &mut [DependsOn]) {
        for dependency in dependencies {
            let key = dependency.on;
            let in_flight = || self.in_flight.as_ref().and_then(|batch| batch.sealed.ended(key));
            if let Some(ended) = self.open.ended(key).or_else(in_flight) {
                dependency.ended = Some(ended);
            }
        }
    }

    fn report(&mut self, attempt: AttemptKey, report: Report) {
        let now = self.tick();
        // Where the host's clock was set back, engines tell times that for the core are long past: a timeout would have come already.
        let report = later(report, now.since(self.clock.now()), now);
        let input = Input::Report { attempt, report };
        let changes_before = self.open.output().changes.len();
        let handled = self.core.handle(now, input.clone(), self.open.output());
        debug_assert!(handled.is_ok(), "reports are never refused");
        self.open.prepare_effects(self.core.state());
        if self.open.output().changes.len() > changes_before {
            self.open.note(JournalEntry {
                at: now,
                principal: None,
                input,
            });
        }
    }

    fn advance(&mut self) {
        let now = self.tick();
        if self.open.is_full() || self.core.next_deadline().is_none_or(|due| due > now) {
            return;
        }
        self.core.advance(now, self.open.output());
        self.open.prepare_effects(self.core.state());
    }

    fn seal_if_idle(&mut self) {
        if self.in_flight.is_some() || self.open.is_empty() {
            return;
        }
        let events_at = self.events.is_some().then_some(self.now);
        let sealed = self.open.seal(self.core.state(), events_at);
        if sealed.batch.changes.is_empty() {
            // Nothing to store: commands that changed nothing, effects that follow from no change.
            self.dispatcher.hand_over(sealed.committed());
            return;
        }
        let result = self.store.commit(Arc::clone(&sealed.batch));
        self.in_flight = Some(InFlight { sealed, result });
    }

    fn committed(&mut self) {
        if let Some(InFlight { sealed, result: _ }) = self.in_flight.take() {
            let has_events = sealed.batch.events.is_some();
            self.dispatcher.hand_over(sealed.committed());
            if let Some(events) = self.events.as_ref().filter(|_| has_events) {
                events.send_replace(());
            }
        }
    }

    /// Has the engine agree with the state, and asks again for everything that should be happening.
    fn recover(&mut self) {
        let current = self
            .core
            .state()
            .live_attempts()
            .map(|(attempt, _, execution)| CurrentAttempt {
                attempt,
                was_started: execution
                    .attempt
                    .as_ref()
                    .is_some_and(|attempt| attempt.started_at.is_some()),
                // Only the store knows; whoever tells the engine looks it up.
                kind: None,
            });
        let current = current.collect();
        let mut again = Open::default();
        again.output().effects = self.core.state().effects();
        again.prepare_effects(self.core.state());
        let effects = again.into_prepared();
        self.dispatcher.hand_over(Dispatch::Recover { current, effects });
    }

    /// A commit failed: nothing that was computed on top of it may be seen. Refuses what waits and what comes until the store writes
    /// again, then starts over from it.
    async fn lose_leadership(&mut self, error: &StoreError) {
        tracing::error!(
            error = with_causes(error),
            "a commit failed; refusing writes until the store works again"
        );
        let mut refusal = CommandError::Unavailable(describe(error));
        if let Some(InFlight { sealed, result: _ }) = self.in_flight.take() {
            sealed.fail(&refusal);
        }
        std::mem::take(&mut self.open).fail(&refusal);
        loop {
            match self.try_reload(&refusal).await {
                Ok(core) => {
                    self.core = core;
                    tracing::info!("the store works again");
                    self.recover();
                    return;
                }
                Err(text) => refusal = CommandError::Unavailable(text),
            }
            if self.stopping.is_some() || self.are_handles_gone() {
                return;
            }
            self.refuse_for(STORE_RETRY_DELAY, &refusal).await;
        }
    }

    /// Whether nobody can ask for anything any more: then there is nothing to refuse, and nothing to wait for.
    fn are_handles_gone(&self) -> bool {
        self.requests.is_closed() && self.requests.is_empty()
    }

    async fn try_reload(&mut self, refusal: &CommandError) -> Result<Core, Arc<str>> {
        let mut probe = self.store.probe();
        let probed = loop {
            tokio::select! {
                biased;
                probed = &mut probe => break probed,
                request = self.requests.recv(), if !self.are_handles_gone() => {
                    refuse(request, refusal, &mut self.stopping);
                }
            }
        };
        probed.map_err(|error| describe(&error))?;
        load(self.config, &self.store).await.map_err(|error| {
            tracing::error!(error = with_causes(&error), "cannot load the state again");
            Arc::from(error.to_string())
        })
    }

    async fn refuse_for(&mut self, delay: Duration, refusal: &CommandError) {
        let mut until = self.clock.sleep(delay);
        loop {
            tokio::select! {
                biased;
                () = &mut until => return,
                request = self.requests.recv() => refuse(request, refusal, &mut self.stopping),
            }
            if self.stopping.is_some() || self.are_handles_gone() {
                return;
            }
        }
    }
}

/// How the batch in flight went; never, where none is. Cancel-safe.
async fn result_of(in_flight: &mut Option<InFlight>) -> Result<(), StoreError> {
    match in_flight {
        Some(InFlight { result, .. }) => result.await,
        None => std::future::pending().await,
    }
}

/// The same fact so much later, but not after `latest`.
fn later(report: Report, by: Millis, latest: Timestamp) -> Report {
    if by == Millis::new(0) {
        return report;
    }
    let shift = |at: Timestamp| (at + by).min(latest);
    match report {
        Report::Preparing => Report::Preparing,
        Report::Started { at } => Report::Started { at: shift(at) },
        Report::Exited {
            at,
            exit_code,
            reason,
            containers,
        } => Report::Exited {
            at: shift(at),
            exit_code,
            reason,
            containers,
        },
        Report::NotStarted {
            at,
            reason,
            containers,
        } => Report::NotStarted {
            at: shift(at),
            reason,
            containers,
        },
        Report::Lost { at } => Report::Lost { at: shift(at) },
    }
}

fn refuse(request: Option<Request>, refusal: &CommandError, stopping: &mut Option<oneshot::Sender<()>>) {
    match request {
        Some(Request::Command { reply, .. }) => {
            let _nobody_waits = reply.send(Err(refusal.clone()));
        }
        // Dropping it tells the asker.
        Some(Request::Read(_)) => {}
        Some(Request::Stop { done }) => *stopping = Some(done),
        None => {}
    }
}

/// What clients may know of a failure of the store: what it means for them, not where our files are.
fn describe(error: &StoreError) -> Arc<str> {
    Arc::from(match error {
        StoreError::Full { .. } => "no space left on the disk of the server's data folder",
        StoreError::Damaged { .. } => "the server's data file is damaged",
        StoreError::Failed { .. } => "the server's data file cannot be written",
    })
}
