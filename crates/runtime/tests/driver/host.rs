//! The processes of jobs, which outlive servers, and the engine through which a server reaches them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use batchyard_core::id::AttemptKey;
use batchyard_core::report::Report;
use batchyard_core::time::Timestamp;
use batchyard_runtime::clock::Clock;
use batchyard_runtime::engine::{BoxFuture, CurrentAttempt, Engine, Order, RecoverError, Reports};

use crate::clock::ManualClock;
use crate::disk::Disk;
use crate::fixture::SLOTS;
use crate::moved::Moved;

/// What became of an attempt. The engine keeps it until it may forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Process {
    Running,
    Exited(i32),
    /// It was stopped before it was launched.
    NeverStarted,
}

#[derive(Default)]
pub(crate) struct Processes {
    pub(crate) known: BTreeMap<AttemptKey, Process>,
    /// Every attempt whose program was ever started.
    pub(crate) started: BTreeSet<AttemptKey>,
    pub(crate) forgotten: BTreeSet<AttemptKey>,
    /// Those that ended while the engine did not notice.
    pub(crate) unnoticed: BTreeSet<AttemptKey>,
    /// Those that went away with their host and were not told to be lost.
    pub(crate) gone: BTreeSet<AttemptKey>,
    pub(crate) violations: Vec<String>,
    /// Recoveries that still fail before one works.
    pub(crate) recoveries_refused: u32,
    pub(crate) recoveries: u32,
    server: u64,
}

#[derive(Clone)]
pub(crate) struct Host {
    processes: Arc<Mutex<Processes>>,
    disk: Disk,
    clock: Arc<ManualClock>,
    moved: Moved,
}

/// The engine of one server. When that is killed, its orders come to nothing.
pub(crate) struct FakeEngine {
    host: Host,
    server: u64,
    reports: Reports,
}

impl Host {
    pub(crate) fn new(disk: Disk, clock: Arc<ManualClock>, moved: Moved) -> Self {
        Host {
            processes: Arc::default(),
            disk,
            clock,
            moved,
        }
    }

    pub(crate) fn processes(&self) -> MutexGuard<'_, Processes> {
        self.processes.lock().unwrap()
    }

    pub(crate) fn engine(&self, reports: Reports) -> FakeEngine {
        self.cut_off();
        FakeEngine {
            host: self.clone(),
            server: self.processes().server,
            reports,
        }
    }

    /// The server is killed: nothing of what it still wanted happens.
    pub(crate) fn cut_off(&self) {
        self.processes().server += 1;
    }

    pub(crate) fn running(&self) -> Vec<AttemptKey> {
        let processes = self.processes();
        let known = processes.known.iter();
        known
            .filter_map(|(key, process)| (*process == Process::Running).then_some(*key))
            .collect()
    }

    /// A program ends. Nobody is told by that alone.
    pub(crate) fn exit(&self, attempt: AttemptKey, exit_code: i32) {
        let mut processes = self.processes();
        let process = processes.known.get_mut(&attempt).unwrap();
        assert_eq!(*process, Process::Running);
        *process = Process::Exited(exit_code);
        self.moved.tell();
    }

    /// All programs are gone, and what was known of them, as when the host is replaced: one whose start nobody noted may be started anew.
    /// Those that are gone.
    pub(crate) fn lose(&self) -> Vec<AttemptKey> {
        let mut processes = self.processes();
        let Processes {
            known,
            started,
            unnoticed,
            gone,
            ..
        } = &mut *processes;
        started.retain(|attempt| !known.contains_key(attempt));
        unnoticed.clear();
        let lost: Vec<AttemptKey> = std::mem::take(known).into_keys().collect();
        gone.extend(&lost);
        self.moved.tell();
        lost
    }

    /// What the engine has to say of an attempt, in order.
    pub(crate) fn facts(&self, attempt: AttemptKey) -> Vec<Report> {
        let at = self.clock.now();
        match self.processes().known.get(&attempt) {
            None => Vec::new(),
            Some(Process::Running) => vec![Report::Started { at }],
            Some(Process::Exited(exit_code)) => vec![Report::Started { at }, exited(at, *exit_code)],
            Some(Process::NeverStarted) => vec![Report::NotStarted {
                at,
                reason: "stopped before it started".to_owned(),
                containers: Vec::new(),
            }],
        }
    }
}

fn exited(at: Timestamp, exit_code: i32) -> Report {
    Report::Exited {
        at,
        exit_code: Some(exit_code),
        reason: None,
        containers: Vec::new(),
    }
}

impl FakeEngine {
    /// Carries an order out, and gives the attempt that there is news of.
    fn carry_out(&self, order: Order) -> Option<AttemptKey> {
        let mut processes = self.host.processes();
        if processes.server != self.server {
            return None;
        }
        // What is not durable must not have left the driver.
        let contents = self.host.disk.contents();
        match order {
            Order::Launch(launch) => {
                let attempt = launch.attempt;
                if !contents.placed.contains(&attempt) {
                    processes
                        .violations
                        .push(format!("{attempt} was launched before its place was durable"));
                }
                if processes.forgotten.contains(&attempt) {
                    processes.violations.push(format!(
                        "{attempt} was launched again after it was to be forgotten"
                    ));
                }
                if processes.known.contains_key(&attempt) {
                    return None;
                }
                processes.gone.remove(&attempt);
                let running = processes.known.iter();
                let running = running.filter(|(_, process)| **process == Process::Running);
                let running: Vec<AttemptKey> = running.map(|(key, _)| *key).collect();
                if running.len() >= SLOTS {
                    processes
                        .violations
                        .push(format!("{attempt} was launched on a host that is full"));
                }
                if running.iter().any(|other| other.job == attempt.job) {
                    processes
                        .violations
                        .push(format!("{attempt} was launched beside another of its job"));
                }
                processes.known.insert(attempt, Process::Running);
                if !processes.started.insert(attempt) {
                    processes.violations.push(format!("{attempt} ran twice"));
                }
                Some(attempt)
            }
            Order::Stop { attempt, grace: _ } => {
                if processes.forgotten.contains(&attempt) {
                    return None;
                }
                let process = processes.known.entry(attempt).or_insert(Process::NeverStarted);
                if *process == Process::Running {
                    *process = Process::Exited(143);
                }
                Some(attempt)
            }
            Order::Forget { attempt } => {
                // One that never was may be forgotten at any time.
                if contents.placed.contains(&attempt) && !contents.attempts_ended.contains(&attempt) {
                    processes.violations.push(format!(
                        "{attempt} was to be forgotten before its end was durable"
                    ));
                }
                processes.known.remove(&attempt);
                processes.forgotten.insert(attempt);
                None
            }
        }
    }

    async fn tell_facts(&self, attempt: AttemptKey) {
        for report in self.host.facts(attempt) {
            self.reports.tell(attempt, report).await;
        }
    }
}

impl Engine for FakeEngine {
    fn order(&self, order: Order) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(attempt) = self.carry_out(order) {
                self.tell_facts(attempt).await;
            }
            self.host.moved.tell();
        })
    }

    fn recover(&self, current: Vec<CurrentAttempt>) -> BoxFuture<'_, Result<(), RecoverError>> {
        Box::pin(async move {
            let mut lost = Vec::new();
            {
                let mut processes = self.host.processes();
                if processes.server != self.server {
                    return Ok(());
                }
                processes.recoveries += 1;
                self.host.moved.tell();
                if processes.recoveries_refused > 0 {
                    processes.recoveries_refused -= 1;
                    let source = "the daemon does not answer".into();
                    return Err(RecoverError {
                        engine: "fake",
                        source,
                    });
                }
                processes.unnoticed.clear();
                processes.gone.clear();
                let is_current = |key: &AttemptKey| current.iter().any(|one| one.attempt == *key);
                let Processes { known, forgotten, .. } = &mut *processes;
                forgotten.extend(known.keys().filter(|key| !is_current(key)));
                known.retain(|key, _| is_current(key));
                for CurrentAttempt {
                    attempt,
                    was_started,
                    kind: _,
                } in &current
                {
                    if *was_started && !processes.known.contains_key(attempt) {
                        lost.push(*attempt);
                    }
                }
            }
            for CurrentAttempt { attempt, .. } in &current {
                self.tell_facts(*attempt).await;
            }
            for attempt in lost {
                let at = self.host.clock.now();
                self.reports.tell(attempt, Report::Lost { at }).await;
            }
            self.host.moved.tell();
            Ok(())
        })
    }
}
