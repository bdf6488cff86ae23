//! The world round the core: clients with few names, engines that remember what they were asked, and a store that follows the changes.

mod client;
mod fixture;
mod ledger;

use std::collections::{BTreeMap, BTreeSet};

use batchyard_core::change::{Change, StopKind};
use batchyard_core::command::{Command, DependsOn, Ended, Input, Reply};
use batchyard_core::effect::Effect;
use batchyard_core::explain::explain;
use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::job::{Body, JobStatus, Placement};
use batchyard_core::limits::Limits;
use batchyard_core::report::{ContainerEnd, Report};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::state::{Host, State};
use batchyard_core::time::{Millis, Timestamp};
use batchyard_core::{Core, CoreConfig, Output};

use batchyard_seeds::Tally;

use crate::op::{Fact, Op};
use crate::{invariant, pass};

/// Passes after which the core must have come to rest.
const PASSES_MAX: usize = 1_000;

/// Most children of an array here.
const ARRAY_SIZE_MAX: u32 = 10;

pub(crate) struct World {
    core: Core,
    /// Follows the changes, as a store does.
    replica: State,
    now: Timestamp,
    outputs: Vec<Output>,
    /// All jobs ever accepted.
    jobs: Vec<JobId>,
    /// What accepted jobs depend on, and whether their children follow one another.
    needs: BTreeMap<JobId, (Vec<DependsOn>, bool)>,
    /// What a client could read of jobs that have ended.
    ended: BTreeMap<JobId, Ended>,
    /// What became of children, as the changes tell it.
    children: BTreeMap<JobKey, bool>,
    /// All attempts ever launched, in order.
    launched: Vec<AttemptKey>,
    live: BTreeSet<AttemptKey>,
    /// Nodes that have their places and wait for their main node.
    held: BTreeMap<AttemptKey, Placement>,
    forgotten: BTreeSet<AttemptKey>,
    /// Those that went away with their host, which nobody has told yet.
    gone: BTreeSet<AttemptKey>,
    /// Reports on their way.
    late: Vec<(AttemptKey, Fact, Timestamp)>,
    /// What clients have cancelled or terminated: no attempt may follow.
    stopped: BTreeSet<JobKey>,
    /// Whether the core is not given time between inputs.
    is_crowded: bool,
    tally: Tally,
}

impl World {
    pub(crate) fn new() -> Self {
        let config = CoreConfig {
            host: Resources {
                vcpus: MilliVcpus(5_500),
                memory: Mebibytes(20_000),
                gpus: 2,
            },
            limits: Limits {
                array_size: ARRAY_SIZE_MAX,
                ..Limits::default()
            },
        };
        let core =
            Core::restore(config, batchyard_core::state::Stored::default()).expect("nothing is stored");
        let mut world = World {
            core,
            replica: State::empty(Host {
                resources: config.host,
            }),
            now: Timestamp::from_millis(1_000_000),
            outputs: Vec::new(),
            jobs: Vec::new(),
            needs: BTreeMap::new(),
            ended: BTreeMap::new(),
            children: BTreeMap::new(),
            launched: Vec::new(),
            live: BTreeSet::new(),
            held: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            gone: BTreeSet::new(),
            late: Vec::new(),
            stopped: BTreeSet::new(),
            is_crowded: false,
            tally: Tally::default(),
        };
        world.register(false);
        world
    }

    /// All outputs, and what was counted.
    pub(crate) fn into_outcome(mut self) -> (Vec<Output>, Tally) {
        self.tally.add("jobs", self.jobs.len());
        self.tally.add("attempts", self.launched.len());
        (self.outputs, self.tally)
    }

    /// Lets one thing happen, and the core come to rest.
    pub(crate) fn play(&mut self, op: &Op) {
        match op {
            Op::Environment(op) => self.environment(op),
            Op::Queue(op) => self.queue(op),
            Op::Submit(op) => self.submit(op),
            Op::Stop {
                pick,
                child,
                terminate,
            } => {
                let Some(id) = pick_of(&self.jobs, *pick) else {
                    return;
                };
                let job = JobKey {
                    id,
                    child: child.map(u32::from),
                };
                self.stop(
                    job,
                    if *terminate {
                        StopKind::Terminate
                    } else {
                        StopKind::Cancel
                    },
                );
            }
            Op::Report { pick, fact, skew_ms } => {
                let Some(attempt) = pick_of(&self.launched, *pick) else {
                    return;
                };
                let at = Timestamp::from_millis(self.now.as_millis() + i64::from(*skew_ms));
                self.tally.count("fault.skewed_clock");
                if !self.live.contains(&attempt) {
                    self.tally.count("fault.report_after_the_end");
                }
                self.tell(attempt, *fact, at);
            }
            Op::Progress { pick, fact, is_late } => {
                let live: Vec<AttemptKey> = self.live.iter().copied().collect();
                let Some(attempt) = pick_of(&live, *pick) else {
                    return;
                };
                if *is_late {
                    self.tally.count("fault.late_report");
                    self.late.push((attempt, *fact, self.now));
                } else {
                    self.tell(attempt, *fact, self.now);
                }
            }
            Op::Interrupt {
                pick,
                notice_ms,
                is_instance,
            } => {
                let live: Vec<AttemptKey> = self.live.iter().copied().collect();
                let Some(attempt) = pick_of(&live, *pick) else {
                    return;
                };
                let notice = Millis::new(u64::from(*notice_ms));
                self.interrupt(attempt, notice, *is_instance);
            }
            Op::LoseHost { pick, is_noticed } => self.lose_host(*pick, *is_noticed),
            Op::Garbage {
                pick,
                child,
                attempt,
                fact,
            } => {
                self.tally.count("fault.report_of_nothing");
                let id = pick_of(&self.jobs, *pick).unwrap_or(JobId::new(self.now, 99));
                self.stop(JobKey::child(id, u32::MAX), StopKind::Cancel);
                let job = JobKey { id, child: *child };
                let attempt = AttemptKey {
                    job,
                    attempt: *attempt,
                };
                self.report(attempt, *fact);
            }
            Op::Item(op) => self.item(op),
            Op::Limit(op) => self.limit(op),
            Op::Register { deregister } => self.register(*deregister),
            Op::Elapse { ms } => {
                self.now = self.now + Millis::new(u64::from(*ms));
                self.rest();
                self.deliver();
            }
            Op::Restart => self.restart(),
            Op::Crowd { is_crowded } => {
                self.is_crowded = *is_crowded;
                self.rest();
            }
            Op::DropQueue { name } => self.drop_queue(*name),
            Op::DropEnvironment { name } => self.drop_environment(*name),
        }
    }

    /// Lets all that runs end, time pass, and clients end what cannot run: nothing may remain.
    pub(crate) fn let_everything_end(&mut self) {
        self.is_crowded = false;
        self.rest();
        self.deliver();
        self.notice_the_gone();
        for _ in 0..PASSES_MAX {
            self.end_all_that_runs();
            let Some(due) = self.core.next_deadline() else {
                break;
            };
            self.now = self.now.max(due);
            self.rest();
        }
        assert!(
            self.live.is_empty() && self.core.next_deadline().is_none(),
            "it does not come to rest"
        );
        invariant::check_waits_are_for_good(self.core.state(), self.now);
        // What is left finds no place, or waits for what does; when it goes, what was behind it runs.
        while let Some(id) = { self.core.state().jobs().map(|(id, _)| id).next() } {
            self.stop(JobKey::whole(id), StopKind::Terminate);
            self.end_all_that_runs();
        }
        assert_eq!(self.ended.len(), self.jobs.len());
        assert_eq!(
            self.launched.iter().copied().collect::<BTreeSet<_>>(),
            self.forgotten
        );
    }

    fn end_all_that_runs(&mut self) {
        loop {
            let running = self.live.iter().find(|attempt| !self.held.contains_key(attempt));
            let Some(attempt) = running.copied() else { break };
            self.report(attempt, Fact::Exited(Some(0)));
        }
        assert!(self.held.is_empty(), "nodes are left without their main node");
    }

    /// A host goes away with all that runs on it: those on the instance of an attempt, or straight on the host; or everything.
    fn lose_host(&mut self, pick: Option<u8>, is_noticed: bool) {
        let running: Vec<AttemptKey> = self.live.iter().copied().collect();
        let place = |world: &Self, attempt: AttemptKey| {
            let execution = world.core.state().execution(attempt.job)?;
            Some(execution.attempt.as_ref()?.placement.instance)
        };
        let host = match pick {
            None => None,
            Some(pick) => match pick_of(&running, pick) {
                None => return,
                Some(attempt) => Some(place(self, attempt)),
            },
        };
        let on_it = running
            .into_iter()
            .filter(|attempt| host.is_none_or(|host| place(self, *attempt) == host));
        let lost: Vec<AttemptKey> = on_it.filter(|attempt| !self.held.contains_key(attempt)).collect();
        self.tally.count("fault.host_lost");
        self.tally.add("fault.attempt_lost_with_its_host", lost.len());
        self.gone.extend(lost);
        if is_noticed {
            self.notice_the_gone();
        }
    }

    fn notice_the_gone(&mut self) {
        for attempt in std::mem::take(&mut self.gone) {
            self.report(attempt, Fact::Lost);
        }
    }

    /// What was on its way arrives, the newest first.
    fn deliver(&mut self) {
        while let Some((attempt, fact, at)) = self.late.pop() {
            self.tell(attempt, fact, at);
        }
    }

    /// An engine tells what it knows; of those that went away with their host that is nothing.
    fn tell(&mut self, attempt: AttemptKey, fact: Fact, at: Timestamp) {
        if self.gone.contains(&attempt) {
            self.tally.count("fault.report_lost");
        } else {
            self.report_at(attempt, fact, at);
        }
    }

    fn report(&mut self, attempt: AttemptKey, fact: Fact) {
        self.report_at(attempt, fact, self.now);
    }

    fn report_at(&mut self, attempt: AttemptKey, fact: Fact, at: Timestamp) {
        let report = match fact {
            Fact::Preparing => Report::Preparing,
            Fact::Started => Report::Started { at },
            Fact::Exited(exit_code) => Report::Exited {
                at,
                exit_code,
                reason: None,
                containers: vec![ContainerEnd {
                    name: "app".to_owned(),
                    exit_code,
                    reason: None,
                    has_started: true,
                }],
            },
            Fact::NotStarted => Report::NotStarted {
                at,
                reason: "CannotStartContainerError: no".to_owned(),
                containers: Vec::new(),
            },
            Fact::Lost => Report::Lost { at },
        };
        let ends = !matches!(fact, Fact::Preparing | Fact::Started) && !self.held.contains_key(&attempt);
        self.input(Input::Report { attempt, report });
        assert!(
            !(ends && self.live.contains(&attempt)),
            "{attempt} has ended, and lives on"
        );
    }

    fn command(&mut self, command: Command) -> Option<Reply> {
        self.input(Input::Command(command))
    }

    /// The server ends, and another one goes on from what was stored. What it asks for again was asked for before.
    fn restart(&mut self) {
        let config = self.core.config();
        self.core = Core::restore(config, self.replica.to_stored()).expect("the store agrees with itself");
        for effect in self.core.state().effects() {
            let (Effect::Launch { attempt, .. } | Effect::Stop { attempt, .. } | Effect::Forget { attempt }) =
                effect;
            assert!(self.live.contains(&attempt) && !self.held.contains_key(&attempt));
        }
        self.tally.count("fault.restart");
        self.rest();
        self.notice_the_gone();
        self.deliver();
    }

    fn input(&mut self, input: Input) -> Option<Reply> {
        let mut out = Output::default();
        let result = self.core.handle(self.now, input, &mut out);
        assert!(
            result.is_ok() || out == Output::default(),
            "a refused command changes nothing"
        );
        self.take(out);
        if !self.is_crowded {
            self.rest();
        }
        result.ok()
    }

    /// Has the core do all that is due.
    fn rest(&mut self) {
        for _ in 0..PASSES_MAX {
            if self.core.next_deadline().is_none_or(|due| due > self.now) {
                invariant::check_nothing_is_left_undone(self.core.state(), self.now);
                return;
            }
            let (settled, settling) = self.settled();
            let forbidden = forbidden(&settled, self.now);
            let mut out = Output::default();
            self.core.advance(self.now, &mut out);
            let decisions = pass::check(&settled, &out.changes[settling..], self.now);
            self.tally.add("decisions", decisions);
            // Where an instance made way for a smaller one, others have found room since.
            let has_given_back = |change: &Change| matches!(change, Change::InstanceRemoved { .. });
            let may_start_after_all = out.changes[settling..].iter().any(has_given_back);
            for change in out.changes.iter().filter(|_| !may_start_after_all) {
                let started = match change {
                    Change::AttemptPlaced { job, .. } => *job,
                    Change::GangPlaced(placed) => JobKey::whole(placed.job),
                    _ => continue,
                };
                assert!(
                    !forbidden.contains(&started),
                    "{started} started although explained not to"
                );
            }
            self.take(out);
        }
        panic!("the core does not come to rest");
    }

    /// The state that the next pass begins with, and how many changes lead to it.
    fn settled(&self) -> (State, usize) {
        let mut settled = self.core.clone();
        let mut out = Output::default();
        settled.settle(self.now, &mut out);
        (settled.state().clone(), out.changes.len())
    }
}

/// The runnable jobs that have a reason not to start in the next pass.
fn forbidden(settled: &State, now: Timestamp) -> BTreeSet<JobKey> {
    let keys = settled.jobs().flat_map(|(id, job)| {
        let children = match &job.body {
            Body::Array(array) => array.size,
            Body::Waiting(_) | Body::Ready(_) | Body::MultiNode(_) => 0,
        };
        let children = (0..children).map(move |child| JobKey::child(id, child));
        children.chain([JobKey::whole(id)])
    });
    let runnable = keys.filter(|key| settled.status(*key) == Some(JobStatus::Runnable));
    let forbidden = runnable.filter(|key| {
        let explanation = explain(settled, *key, now).expect("it is live");
        explanation.forbids_start()
    });
    forbidden.collect()
}

fn pick_of<T: Copy>(from: &[T], pick: u8) -> Option<T> {
    let len = from.len();
    // The latest first: what happened lately is what matters most.
    (len > 0).then(|| from[len - 1 - usize::from(pick) % len])
}
