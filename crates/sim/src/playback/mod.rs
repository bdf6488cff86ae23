//! A core in virtual time: what it wants launched starts, what runs ends, what is due comes, each at its time and in a fixed order.
//!
//! The core decides everything. What happens in the world, which in a server engines tell, a [`Script`] tells here. At one instant
//! first come the reports of attempts, in the order in which they were to be expected, then the script's commands, then the core's own
//! deadlines and its passes: an attempt that ends just when its timeout is reached has ended in time.

mod event;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use batchyard_core::change::Change;
use batchyard_core::command::{Command, Ended, Input, Rejection, Reply};
use batchyard_core::effect::Effect;
use batchyard_core::id::{AttemptKey, JobKey};
use batchyard_core::report::Report;
use batchyard_core::state::State;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_core::{Core, Output};

use event::{Event, What};

/// Exit code of a program that was asked to stop and did: 128 and SIGTERM.
const EXIT_STOPPED: i32 = 143;

/// Exit code of a program that was killed: 128 and SIGKILL.
const EXIT_KILLED: i32 = 137;

/// What happens in the world that a core works in.
pub trait Script {
    /// What becomes of an attempt whose program has run for `elapsed` by now: zero when it starts, more for one that runs already when the
    /// playback begins. Asked once for each attempt.
    fn run(&mut self, state: &State, attempt: AttemptKey, elapsed: Millis) -> Run;

    /// Something has changed; `state` is as it was left by the step that changed it, perhaps with further changes.
    fn saw(&mut self, state: &State, change: &Change, now: Timestamp);

    /// When the next command comes, if one does; a time that is past means now.
    fn next_arrival(&self) -> Option<Timestamp> {
        None
    }

    /// The next command that comes at `now` or came before; `None` when there is none (any more).
    fn arrive(&mut self, _now: Timestamp) -> Option<Command> {
        None
    }

    /// The command that came last was refused, and has changed nothing.
    fn refused(&mut self, _rejection: Rejection) {}

    /// How a job ended that is not live any more, for those that depend on it and come later.
    fn ended(&self, _job: JobKey) -> Option<Ended> {
        None
    }

    /// What tells the job from the others of this script, whatever it is played on; without its child.
    fn key(&self, job: JobKey) -> u128 {
        u128::from_be_bytes(job.id.to_bytes())
    }
}

/// What becomes of an attempt if nobody stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// It ends.
    Ends {
        /// How long it runs as a whole; one that should have ended already ends at once.
        after: Millis,
        /// 0 for success.
        exit_code: i32,
    },
    /// It runs until it is stopped.
    Endless,
}

/// How the world behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Manners {
    /// Time from a launch to the start of the program.
    pub start_latency: Millis,
    /// When programs end that are asked to stop.
    pub stops: Stops,
}

/// When programs end that are asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Stops {
    /// At once.
    #[default]
    AtOnce,
    /// They are killed when their grace is over.
    AfterGrace,
}

/// A core at a virtual time, and what is going to happen to it.
#[derive(Debug)]
pub struct Playback<S> {
    core: Core,
    script: S,
    manners: Manners,
    now: Timestamp,
    events: BinaryHeap<Reverse<Event>>,
    /// Tells events of one instant apart: first expected, first told.
    sequence: u64,
    out: Output,
    effects: Vec<Effect>,
}

impl<S: Script> Playback<S> {
    /// Goes on with a core from `now`. What runs in it already runs on, what is being launched starts, what was asked to stop ends.
    pub fn new(core: Core, now: Timestamp, manners: Manners, script: S) -> Self {
        let mut playback = Playback {
            core: core.without_rank_times(),
            script,
            manners,
            now,
            events: BinaryHeap::new(),
            sequence: 0,
            out: Output::default(),
            effects: Vec::new(),
        };
        playback.take_over();
        playback
    }

    /// The virtual time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The core as it is now.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The script as it is now.
    pub fn script(&self) -> &S {
        &self.script
    }

    /// The script, to tell it more.
    pub fn script_mut(&mut self) -> &mut S {
        &mut self.script
    }

    /// The core and the script, at the end.
    pub fn into_parts(self) -> (Core, S) {
        (self.core, self.script)
    }

    /// Carries out a command now, before time goes on.
    ///
    /// # Errors
    /// When the core refuses it; then nothing has changed.
    pub fn command(&mut self, mut command: Command) -> Result<Reply, Rejection> {
        if let Command::SubmitJob(submit) = &mut command {
            for dependency in &mut submit.dependencies {
                if self.core.state().status(dependency.on).is_none() {
                    dependency.ended = self.script.ended(dependency.on);
                }
            }
        }
        let input = Input::Command(command);
        let reply = self.core.handle(self.now, input, &mut self.out)?;
        self.take_output();
        Ok(reply)
    }

    /// When something happens next; `None` if nothing does any more.
    pub fn next(&self) -> Option<Timestamp> {
        let event = self.events.peek().map(|Reverse(event)| event.at);
        let others = [self.core.next_deadline(), self.script.next_arrival()];
        let others = others.into_iter().flatten().map(|at| at.max(self.now));
        others.chain(event).min()
    }

    /// Lets happen what happens next; `false` if nothing does any more.
    pub fn step(&mut self) -> bool {
        let Some(at) = self.next() else {
            return false;
        };
        self.enter(at);
        self.arrive();
        self.advance();
        true
    }

    /// Lets time go on until `until` and all that happens up to then, with that instant.
    pub fn play_until(&mut self, until: Timestamp) {
        while self.next().is_some_and(|next| next <= until) {
            self.step();
        }
        self.now = self.now.max(until);
    }

    /// Lets everything happen that does.
    pub fn play(&mut self) {
        while self.step() {}
    }

    /// The time is `at`: takes the reports that are due.
    fn enter(&mut self, at: Timestamp) {
        self.now = at;
        while let Some(Reverse(event)) = self.events.peek().copied()
            && event.at <= at
        {
            self.events.pop();
            self.happen(event);
        }
    }

    fn arrive(&mut self) {
        while let Some(command) = self.script.arrive(self.now) {
            if let Err(rejection) = self.command(command) {
                self.script.refused(rejection);
            }
        }
    }

    fn advance(&mut self) {
        while self.core.next_deadline().is_some_and(|due| due <= self.now) {
            self.core.advance(self.now, &mut self.out);
            self.take_output();
        }
    }

    fn happen(&mut self, event: Event) {
        let Event { attempt, what, .. } = event;
        match what {
            What::Start => self.start_if_current(attempt),
            What::End { exit_code } => {
                let at = self.now;
                self.report(
                    attempt,
                    Report::Exited {
                        at,
                        exit_code: Some(exit_code),
                        reason: None,
                        containers: Vec::new(),
                    },
                );
            }
        }
        self.take_output();
    }

    /// A program starts that was to start now, unless its attempt has ended before it could.
    fn start_if_current(&mut self, attempt: AttemptKey) {
        let execution = self.core.state().execution(attempt.job);
        let is_current = execution.is_some_and(|execution| {
            execution.attempt_number() == attempt.attempt && execution.attempt.is_some()
        });
        if is_current {
            self.start(attempt);
        }
    }

    fn start(&mut self, attempt: AttemptKey) {
        self.report(attempt, Report::Started { at: self.now });
        let run = self.script.run(self.core.state(), attempt, Millis::default());
        self.expect_end(attempt, run, self.now);
    }

    fn report(&mut self, attempt: AttemptKey, report: Report) {
        let handled = self
            .core
            .handle(self.now, Input::Report { attempt, report }, &mut self.out);
        debug_assert!(handled.is_ok(), "reports are never refused");
    }

    /// Shows the script what has changed, and does what the core asks for.
    fn take_output(&mut self) {
        loop {
            for change in self.out.changes.drain(..) {
                self.script.saw(self.core.state(), &change, self.now);
            }
            if self.out.effects.is_empty() {
                return;
            }
            let mut effects = std::mem::take(&mut self.effects);
            std::mem::swap(&mut effects, &mut self.out.effects);
            for effect in effects.drain(..) {
                self.cause(effect);
            }
            self.effects = effects;
        }
    }

    fn cause(&mut self, effect: Effect) {
        match effect {
            Effect::Launch { attempt, .. } if self.manners.start_latency == Millis::default() => {
                self.start(attempt);
            }
            Effect::Launch { attempt, .. } => {
                self.expect(self.now + self.manners.start_latency, attempt, What::Start);
            }
            Effect::Stop { attempt, grace } => self.stop(attempt, grace),
            Effect::Forget { .. } => {}
        }
    }

    /// What ends an attempt earlier makes the report of its own end a late one, which the core drops.
    fn stop(&mut self, attempt: AttemptKey, grace: Millis) {
        let (at, exit_code) = match self.manners.stops {
            Stops::AtOnce => (self.now, EXIT_STOPPED),
            Stops::AfterGrace => (self.now + grace, EXIT_KILLED),
        };
        self.expect(at, attempt, What::End { exit_code });
    }

    fn expect_end(&mut self, attempt: AttemptKey, run: Run, started_at: Timestamp) {
        match run {
            Run::Ends { after, exit_code } => {
                let at = (started_at + after).max(self.now);
                self.expect(at, attempt, What::End { exit_code });
            }
            Run::Endless => {}
        }
    }

    fn expect(&mut self, at: Timestamp, attempt: AttemptKey, what: What) {
        self.sequence += 1;
        self.events.push(Reverse(Event {
            at,
            sequence: self.sequence,
            attempt,
            what,
        }));
    }

    /// Takes over what is under way.
    fn take_over(&mut self) {
        let state = self.core.state();
        let running = state.live_attempts().filter_map(|(key, _, execution)| {
            let started_at = execution.attempt.as_ref()?.started_at?;
            Some((key, started_at))
        });
        let running: Vec<(AttemptKey, Timestamp)> = running.collect();
        for (attempt, started_at) in running {
            let elapsed = self.now.since(started_at);
            let run = self.script.run(self.core.state(), attempt, elapsed);
            self.expect_end(attempt, run, started_at);
        }
        for effect in self.core.state().effects() {
            self.cause(effect);
        }
        self.take_output();
    }
}
