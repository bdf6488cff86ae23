//! Servers one after another on the same disk and host, and their clients.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use batchyard_core::change::StopKind;
use batchyard_core::command::{Command, Reply, SubmitJob};
use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::report::Report;
use batchyard_core::time::Millis;
use batchyard_runtime::clock::Clock as _;
use batchyard_runtime::driver::{self, CommandError, Handle, Ports, REPORTS_WAITING_MAX};
use batchyard_runtime::engine::Reports;
use batchyard_runtime::launch::LaunchSettings;
use tokio::task::JoinHandle;

use crate::clock::ManualClock;
use crate::disk::{Disk, Hold};
use crate::fixture::{config, registry};
use crate::host::Host;
use crate::moved::{Changes, Moved};

/// More than anybody here ever waits for, clocks that were set back included.
const SECONDS_MAX: u32 = 500;

/// How often something may move until what is waited for is there: more than any story here takes.
const ROUNDS_MAX: u32 = 2_000;

/// Turns of all tasks in which something moves if a second that passed lets it.
const TURNS_PER_SECOND: u32 = 200;

/// What a client was told of its submission; nothing yet while the entry is missing.
type Answers = Arc<Mutex<BTreeMap<JobId, Result<Reply, CommandError>>>>;

pub(crate) struct World {
    pub(crate) disk: Disk,
    pub(crate) host: Host,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) moved: Moved,
    server: Option<Server>,
    /// Servers that another one has taken over from, and that still run.
    deposed: Vec<Server>,
    answers: Answers,
    asked: usize,
}

struct Server {
    handle: Handle,
    task: JoinHandle<()>,
    reports: Reports,
}

impl World {
    /// A world with a server, and a queue to submit to.
    pub(crate) async fn new() -> Self {
        let moved = Moved::new();
        let clock = Arc::new(ManualClock::new(moved.clone()));
        let disk = Disk::new(moved.clone());
        let mut world = World {
            host: Host::new(disk.clone(), Arc::clone(&clock), moved.clone()),
            disk,
            clock,
            moved,
            server: None,
            deposed: Vec::new(),
            answers: Answers::default(),
            asked: 0,
        };
        world.start().await;
        for command in registry() {
            world.command(command).await.unwrap();
        }
        world
    }

    /// Starts a server, unless one runs.
    pub(crate) async fn start(&mut self) {
        if self.server.is_some() {
            return;
        }
        let (reports, receiver) = Reports::channel(REPORTS_WAITING_MAX);
        let ports = Ports {
            store: Arc::new(self.disk.open()),
            engine: Arc::new(self.host.engine(reports.clone())),
            reports: receiver,
            clock: Arc::clone(&self.clock) as _,
            events: None,
        };
        let started = driver::start(config(), LaunchSettings::default(), ports).await;
        let (handle, task) = started.unwrap();
        self.server = Some(Server {
            handle,
            task,
            reports,
        });
    }

    /// Kills the server, if one runs, and all that it has taken over from: nothing of them goes on.
    pub(crate) async fn crash(&mut self) {
        if self.server.is_some() {
            self.disk.cut_off();
            self.host.cut_off();
        }
        for server in self.server.take().into_iter().chain(self.deposed.drain(..)) {
            server.task.abort();
            let ended = server.task.await;
            assert!(
                !ended.is_err_and(|error| error.is_panic()),
                "a driver has panicked"
            );
        }
    }

    /// Another server takes over from the one that runs, which finds out when it commits next.
    pub(crate) async fn take_over(&mut self) {
        self.deposed.extend(self.server.take());
        self.start().await;
    }

    /// All clients go away for good; resolves when the driver has ended by itself.
    pub(crate) async fn let_go(&mut self) {
        let Server { handle, task, .. } = self.server.take().unwrap();
        drop(handle);
        for _ in 0..TURNS_PER_SECOND {
            tokio::task::yield_now().await;
        }
        self.clock.elapse(Millis::from_seconds(1));
        task.await.unwrap();
    }

    pub(crate) fn has_deposed(&self) -> bool {
        !self.deposed.is_empty()
    }

    /// A client submits to a server that was taken over from.
    pub(crate) fn submit_to_deposed(&mut self, submit: SubmitJob) {
        if let Some(server) = self.deposed.last() {
            let handle = server.handle.clone();
            self.submit_to(handle, submit);
        }
    }

    pub(crate) fn handle(&self) -> Handle {
        self.server.as_ref().unwrap().handle.clone()
    }

    pub(crate) fn has_server(&self) -> bool {
        self.server.is_some()
    }

    pub(crate) async fn command(&self, command: Command) -> Result<Reply, CommandError> {
        self.handle().command(principal(), command).await
    }

    /// A client submits, and notes what it is told. What it is promised must be on the disk by then.
    pub(crate) fn submit(&mut self, submit: SubmitJob) -> JobId {
        self.submit_to(self.handle(), submit)
    }

    fn submit_to(&mut self, handle: Handle, submit: SubmitJob) -> JobId {
        let id = submit.id;
        let (disk, moved) = (self.disk.clone(), self.moved.clone());
        let answers = Arc::clone(&self.answers);
        self.asked += 1;
        tokio::spawn(async move {
            let command = Command::SubmitJob(Box::new(submit));
            let answer = handle.command(principal(), command).await;
            if answer.is_ok() && !is_on(&disk, id) {
                let mut contents = disk.contents();
                contents
                    .violations
                    .push(format!("{id} was promised before it was durable"));
            }
            answers.lock().unwrap().insert(id, answer);
            moved.tell();
        });
        id
    }

    pub(crate) fn answer(&self, id: JobId) -> Option<Result<Reply, CommandError>> {
        self.answers.lock().unwrap().get(&id).cloned()
    }

    pub(crate) async fn answered(&self, id: JobId) -> Result<Reply, CommandError> {
        self.moved
            .until("a submission is answered", || self.answer(id).is_some())
            .await;
        self.answer(id).unwrap()
    }

    pub(crate) fn is_all_answered(&self) -> bool {
        self.answers.lock().unwrap().len() == self.asked
    }

    /// A client terminates a job, and does not care for the answer.
    pub(crate) fn terminate(&self, job: JobKey) {
        let handle = self.handle();
        tokio::spawn(async move {
            let (kind, reason) = (StopKind::Terminate, "enough".to_owned());
            let command = Command::StopJob { job, kind, reason };
            let _it_may_be_refused = handle.command(principal(), command).await;
        });
    }

    /// The engine tells what it knows of an attempt (again).
    pub(crate) async fn tell_facts(&self, attempt: AttemptKey) {
        for report in self.host.facts(attempt) {
            self.tell(attempt, report).await;
        }
    }

    pub(crate) async fn tell(&self, attempt: AttemptKey, report: Report) {
        for server in self.server.iter().chain(&self.deposed) {
            server.reports.tell(attempt, report.clone()).await;
        }
    }

    /// The engine tells that these are lost.
    pub(crate) async fn tell_lost(&self, attempts: &[AttemptKey]) {
        for attempt in attempts {
            let at = self.clock.now();
            self.tell(*attempt, Report::Lost { at }).await;
        }
    }

    /// A program ends, and the engine tells so.
    pub(crate) async fn exit(&self, attempt: AttemptKey, exit_code: i32) {
        self.host.exit(attempt, exit_code);
        self.tell_facts(attempt).await;
    }

    /// Resolves when a commit waits where the disk holds it.
    pub(crate) async fn commit_held(&self) {
        self.moved
            .until("a commit waits", || self.disk.contents().held == 1)
            .await;
    }

    /// Resolves when a commit that places an attempt is written, and held there.
    pub(crate) async fn placement_held(&self) {
        self.moved
            .until("an attempt is placed", || {
                let contents = self.disk.contents();
                contents.held == 1 && !contents.placed.is_empty()
            })
            .await;
    }

    /// Resolves when so many programs run; gives them.
    pub(crate) async fn running(&self, count: usize) -> Vec<AttemptKey> {
        let what = format!("{count} programs run");
        self.moved
            .until(&what, || self.host.running().len() == count)
            .await;
        self.host.running()
    }

    /// Resolves when it is durable that the job's program has started.
    pub(crate) async fn start_noted(&self, id: JobId) {
        self.moved
            .until("its start is noted", || {
                let contents = self.disk.contents();
                let execution = contents.state.execution(JobKey::whole(id));
                let attempt = execution.and_then(|execution| execution.attempt.as_ref());
                attempt.is_some_and(|attempt| attempt.started_at.is_some())
            })
            .await;
    }

    pub(crate) async fn ended(&self, id: JobId) {
        let key = JobKey::whole(id);
        self.moved
            .until("the job's end is durable", || {
                self.disk.contents().ended.contains_key(&key)
            })
            .await;
    }

    /// Lets time pass until this holds.
    pub(crate) async fn elapse_until(&self, mut holds: impl FnMut() -> bool) {
        let mut changes = self.moved.changes();
        for _ in 0..ROUNDS_MAX {
            if holds() {
                return;
            }
            self.elapse_some(&mut changes, "it happens with time").await;
        }
        panic!("however much moves, it does not happen with time");
    }

    /// Lets time pass until something moves.
    async fn elapse_some(&self, changes: &mut Changes, what: &str) {
        for _ in 0..SECONDS_MAX {
            self.clock.elapse(Millis::from_seconds(1));
            if changes.within(TURNS_PER_SECOND).await {
                return;
            }
        }
        panic!("it never happened that {what}");
    }

    /// Mends everything, lets every program end well and time pass, until nothing is left; then checks what must hold of all that was.
    pub(crate) async fn let_everything_end(&mut self) {
        self.disk.hold(Hold::None);
        self.disk.fill(false);
        self.disk.damage_launches(false);
        self.disk.slow_down(0);
        self.start().await;
        let mut changes = self.moved.changes();
        // The driver looks at its store from time to time.
        while self.handle().read(|_| ()).await.is_err() {
            self.elapse_some(&mut changes, "the store is used again").await;
        }
        let unnoticed = std::mem::take(&mut self.host.processes().unnoticed);
        for attempt in unnoticed {
            self.tell_facts(attempt).await;
        }
        let gone = std::mem::take(&mut self.host.processes().gone);
        self.tell_lost(&gone.into_iter().collect::<Vec<_>>()).await;
        let mut rounds = 0;
        loop {
            rounds += 1;
            assert!(rounds < ROUNDS_MAX, "however much moves, some jobs do not end");
            for attempt in self.host.running() {
                self.exit(attempt, 0).await;
            }
            let is_idle = self.disk.contents().state.jobs().next().is_none();
            if is_idle && self.is_all_answered() {
                break;
            }
            self.elapse_some(&mut changes, "all jobs end").await;
        }
        // All that ran is forgotten, by an engine that may not have looked yet.
        self.elapse_until(|| {
            let processes = self.host.processes();
            processes.started.is_subset(&processes.forgotten)
        })
        .await;
        self.check();
    }

    /// How many submissions were accepted.
    pub(crate) fn accepted(&self) -> usize {
        let answers = self.answers.lock().unwrap();
        answers.values().filter(|answer| answer.is_ok()).count()
    }

    /// How many things [`check`](World::check) looks at, whatever it finds.
    pub(crate) const CHECKS: usize = 4;

    /// What must hold at any time.
    pub(crate) fn check(&self) {
        for server in self.server.iter().chain(&self.deposed) {
            assert!(!server.task.is_finished(), "a driver has ended by itself");
        }
        let none: [String; 0] = [];
        let contents = self.disk.contents();
        assert_eq!(contents.violations, none);
        for (id, answer) in self.answers.lock().unwrap().iter() {
            let is_known =
                contents.state.job(*id).is_some() || contents.ended.contains_key(&JobKey::whole(*id));
            match answer {
                Ok(reply) => {
                    assert_eq!(*reply, Reply::Job(*id));
                    assert!(is_known, "{id} was promised and is lost");
                }
                // The server was killed: whether it had committed the job nobody knows.
                Err(CommandError::Stopping) => {}
                Err(_) => assert!(!is_known, "{id} was refused and is there"),
            }
        }
        drop(contents);
        assert_eq!(self.host.processes().violations, none);
    }
}

fn is_on(disk: &Disk, id: JobId) -> bool {
    let contents = disk.contents();
    contents.state.job(id).is_some() || contents.ended.contains_key(&JobKey::whole(id))
}

fn principal() -> Arc<str> {
    "arn:aws:iam::000000000000:root".into()
}
