//! The engine of one machine: sends each order to the part that carries it out.
//!
//! Each part may be absent, and the container daemon away: what concerns the other part does not wait for it. It must not know how
//! either works. Start with [`LocalEngine`].

mod standing;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use batchyard_core::id::AttemptKey;
use batchyard_core::launch::Runner;
use batchyard_core::report::Report;
use batchyard_core::time::Millis;
use batchyard_runtime::cause::with_causes;
use batchyard_runtime::engine::{
    BoxFuture, CurrentAttempt, Engine, Launch, Order, RecoverError, Reports, RunnerKind,
};

use crate::docker::{DockerEngine, Recovery};
use crate::process::{ProcessEngine, now};
use standing::{Attempts, Stopped};

/// Between two tries to reach the container daemon for a recovery that it missed (own choice).
const RECOVER_AGAIN: Duration = Duration::from_secs(5);

/// How long everything waits at the start for the container daemon to look at its own (own choice).
const RECOVER_AT_START: Duration = Duration::from_secs(5);

/// For an attempt that was to be stopped before it was launched.
const STOPPED_BEFORE: &str = "CannotStartContainerError: stopped before it was started";

/// Processes and containers of this host.
#[derive(Debug)]
pub struct LocalEngine {
    shared: Arc<Shared>,
    processes: Option<ProcessEngine>,
    /// The task that still tries to recover containers, if there is one.
    late_recovery: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

/// What a recovery that comes late needs too.
#[derive(Debug)]
struct Shared {
    containers: Option<DockerEngine>,
    reports: Reports,
    attempts: Attempts,
    /// Held while something is noted and handed to the containers' part, so that a comparison there never misses a launch in front of
    /// it. Never while the daemon is waited for.
    handing_over: tokio::sync::Mutex<()>,
}

impl LocalEngine {
    /// Puts the parts together that there are.
    #[must_use]
    pub fn new(processes: Option<ProcessEngine>, containers: Option<DockerEngine>, reports: Reports) -> Self {
        let shared = Shared {
            containers,
            reports,
            attempts: Attempts::default(),
            handing_over: tokio::sync::Mutex::default(),
        };
        LocalEngine {
            shared: Arc::new(shared),
            processes,
            late_recovery: Mutex::new(None),
        }
    }

    async fn launch(&self, launch: Box<Launch>) {
        let attempt = launch.attempt;
        let kind = RunnerKind::of(&launch.spec.runner);
        let reason = match (&launch.spec.runner, &self.processes, &self.shared.containers) {
            (Runner::Process(process), Some(processes), _) => {
                // Starting it again is nothing, but its secrets may be gone by now, which would be told as a failure to start.
                if !process.secrets.is_empty() && self.shared.attempts.is_known(attempt) {
                    return;
                }
                self.shared.attempts.launched(attempt, kind);
                return processes.order(Order::Launch(launch)).await;
            }
            (Runner::Container(_) | Runner::Task(_), _, Some(containers)) => {
                let _turn = self.shared.handing_over.lock().await;
                self.shared.attempts.launched(attempt, kind);
                return containers.order(Order::Launch(launch)).await;
            }
            (Runner::Process(_), None, _) => {
                "CannotStartContainerError: this server does not run jobs as processes (allow_processes is off)"
            }
            (Runner::Container(_) | Runner::Task(_), _, None) => {
                "CannotStartContainerError: this server does not run containers (docker.enabled is off)"
            }
        };
        self.shared.tell_not_started(attempt, reason).await;
    }

    async fn stop(&self, attempt: AttemptKey, grace: Millis) {
        match self.shared.attempts.stop(attempt, grace) {
            Stopped::IsThere => self.order_both(Order::Stop { attempt, grace }).await,
            Stopped::NeverWas => self.shared.tell_not_started(attempt, STOPPED_BEFORE).await,
            Stopped::Later => {}
        }
    }

    /// Only one part knows the attempt; to the other the order is nothing.
    async fn order_both(&self, order: Order) {
        if let Some(processes) = &self.processes {
            processes.order(order.clone()).await;
        }
        if let Some(containers) = &self.shared.containers {
            containers.order(order).await;
        }
    }

    async fn recover_all(&self, current: Vec<CurrentAttempt>) -> Result<(), RecoverError> {
        if let Some(late) = self.take_late_recovery() {
            late.abort();
        }
        self.shared.attempts.begin(&current);
        if let Some(processes) = &self.processes {
            let known = processes.recover(&current).await?;
            self.shared.found(&known).await;
        }
        self.shared.settle(|kind| kind == Some(RunnerKind::Process)).await;
        let Some(mut recovery) = self.shared.compare_containers().await else {
            self.shared.settle(|_| true).await;
            return Ok(());
        };
        match tokio::time::timeout(RECOVER_AT_START, recovery.known()).await {
            Ok(Ok(known)) => {
                self.shared.found(&known).await;
                self.shared.settle(|_| true).await;
            }
            // Processes must not wait for a daemon that may not even be installed. What was running in it stays RUNNING until it can say.
            Ok(Err(error)) => {
                let waiting = self.shared.attempts.unclear();
                // Without such jobs it is no news that a machine has no daemon.
                if waiting > 0 {
                    tracing::warn!(
                        cause = with_causes(&error),
                        waiting,
                        "the container daemon does not answer; its jobs stay as they are until it does"
                    );
                }
                self.recover_later(None);
            }
            Err(_) => self.recover_later(Some(recovery)),
        }
        Ok(())
    }

    /// Goes on with a comparison that takes long, and makes new ones until one succeeds.
    fn recover_later(&self, begun: Option<Recovery>) {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            let mut recovery = begun;
            loop {
                if let Some(recovery) = &mut recovery
                    && let Ok(known) = recovery.known().await
                {
                    shared.found(&known).await;
                    shared.settle(|_| true).await;
                    return;
                }
                tokio::time::sleep(RECOVER_AGAIN).await;
                recovery = shared.compare_containers().await;
            }
        });
        *self.late_recovery.lock().expect("nobody panics with the task") = Some(task);
    }

    fn take_late_recovery(&self) -> Option<tokio::task::JoinHandle<()>> {
        self.late_recovery
            .lock()
            .expect("nobody panics with the task")
            .take()
    }
}

impl Shared {
    /// Begins to compare the daemon's containers with the attempts; `None` without that part.
    async fn compare_containers(&self) -> Option<Recovery> {
        let containers = self.containers.as_ref()?;
        let _turn = self.handing_over.lock().await;
        Some(containers.recover(self.attempts.of_containers()).await)
    }

    /// A part has these. Those that were to be stopped meanwhile are stopped now.
    async fn found(&self, known: &BTreeSet<AttemptKey>) {
        for (attempt, grace) in self.attempts.found(known) {
            if let Some(containers) = &self.containers {
                containers.order(Order::Stop { attempt, grace }).await;
            }
        }
    }

    /// All parts that could have an attempt of these kinds have answered: tells what follows for those that none has.
    async fn settle(&self, is_settled: impl Fn(Option<RunnerKind>) -> bool) {
        let missing = self.attempts.settle(is_settled);
        for attempt in missing.lost {
            self.reports.tell(attempt, Report::Lost { at: now() }).await;
        }
        for attempt in missing.stopped_before {
            self.tell_not_started(attempt, STOPPED_BEFORE).await;
        }
    }

    async fn tell_not_started(&self, attempt: AttemptKey, reason: &str) {
        let report = Report::NotStarted {
            at: now(),
            reason: reason.to_owned(),
            containers: Vec::new(),
        };
        self.reports.tell(attempt, report).await;
    }
}

impl Engine for LocalEngine {
    fn order(&self, order: Order) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match order {
                Order::Launch(launch) => self.launch(launch).await,
                Order::Stop { attempt, grace } => self.stop(attempt, grace).await,
                Order::Forget { attempt } => {
                    self.shared.attempts.forget(attempt);
                    self.order_both(order).await;
                }
            }
        })
    }

    fn recover(&self, current: Vec<CurrentAttempt>) -> BoxFuture<'_, Result<(), RecoverError>> {
        Box::pin(self.recover_all(current))
    }
}

impl Drop for LocalEngine {
    fn drop(&mut self) {
        if let Some(late) = self.take_late_recovery() {
            late.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use batchyard_core::id::{JobId, JobKey};
    use batchyard_core::launch::{ContainerSpec, LaunchSpec, ProcessSpec};
    use batchyard_core::resources::{GpuSet, Resources};
    use batchyard_core::time::{Millis, Timestamp};
    use batchyard_runtime::engine::Launch;
    use expect_test::expect;

    use super::*;

    fn attempt(number: u128) -> AttemptKey {
        AttemptKey {
            job: JobKey::whole(JobId::new(Timestamp::from_millis(0), number)),
            attempt: 1,
        }
    }

    fn launch(attempt: AttemptKey, runner: Runner) -> Order {
        let spec = LaunchSpec {
            runner,
            command: vec!["true".to_owned()],
            environment: Vec::new(),
            resources: Resources::default(),
            log: None,
            stop_timeout: Millis::from_seconds(30),
            role: None,
            training: None,
        };
        Order::Launch(Box::new(Launch {
            attempt,
            spec: Arc::new(spec),
            environment: Vec::new(),
            stream: None,
            gpus: GpuSet::default(),
            node: None,
            members: Vec::new(),
        }))
    }

    #[tokio::test]
    async fn what_no_part_can_do_is_told_with_what_to_change() {
        let (reports, mut told) = Reports::channel(8);
        let engine = LocalEngine::new(None, None, reports);
        let runners = [
            Runner::Process(ProcessSpec::default()),
            Runner::Container(Box::<ContainerSpec>::default()),
        ];
        for (number, runner) in (0..).zip(runners) {
            engine.order(launch(attempt(number), runner)).await;
        }
        let mut reasons = String::new();
        for _ in 0..2 {
            let Some((_, Report::NotStarted { reason, .. })) = told.recv().await else {
                panic!("nothing can be started");
            };
            reasons += &format!("{reason}\n");
        }
        expect![[r"
            CannotStartContainerError: this server does not run jobs as processes (allow_processes is off)
            CannotStartContainerError: this server does not run containers (docker.enabled is off)
        "]]
        .assert_eq(&reasons);
    }

    #[tokio::test]
    async fn a_started_attempt_that_nobody_knows_is_told_lost_once() {
        let (reports, mut told) = Reports::channel(8);
        let engine = LocalEngine::new(None, None, reports);
        let current = [(1, true), (2, false)].map(|(number, was_started)| CurrentAttempt {
            attempt: attempt(number),
            was_started,
            kind: None,
        });
        engine
            .recover(current.to_vec())
            .await
            .expect("there is nothing to ask");
        drop(engine);
        let mut lost = Vec::new();
        while let Some((attempt, report)) = told.recv().await {
            assert!(matches!(report, Report::Lost { .. }), "{report:?}");
            lost.push(attempt);
        }
        assert_eq!(lost, [attempt(1)]);
    }

    /// An engine whose container daemon is not there.
    fn without_daemon(reports: &Reports) -> LocalEngine {
        let config = crate::docker::Config {
            host: Some("unix:///nowhere/docker.sock".to_owned()),
            ..crate::docker::Config::new("test".to_owned())
        };
        let logs = Arc::new(Nowhere);
        let containers = DockerEngine::connect(config, reports.clone(), logs).expect("it is an address");
        LocalEngine::new(None, Some(containers), reports.clone())
    }

    /// A log store for tests in which nothing is written.
    #[derive(Debug)]
    struct Nowhere;

    impl batchyard_runtime::log::LogStore for Nowhere {
        fn append(
            &self,
            _: Vec<batchyard_runtime::log::Append>,
        ) -> BoxFuture<'_, Result<(), batchyard_runtime::log::LogError>> {
            Box::pin(async { Ok(()) })
        }

        fn cursor(&self, _: &str) -> Result<Option<Vec<u8>>, batchyard_runtime::log::LogError> {
            Ok(None)
        }

        fn cursors(&self, _: &str) -> Result<Vec<(String, Vec<u8>)>, batchyard_runtime::log::LogError> {
            Ok(Vec::new())
        }
    }

    #[tokio::test]
    async fn processes_do_not_wait_for_the_container_daemon_to_be_told_lost_or_stopped() {
        let (reports, mut told) = Reports::channel(8);
        let engine = without_daemon(&reports);
        let (process, container) = (Some(RunnerKind::Process), Some(RunnerKind::Container));
        let current = [
            (1, true, process),
            (2, false, process),
            (3, true, container),
            (4, false, container),
        ];
        let current = current.map(|(number, was_started, kind)| CurrentAttempt {
            attempt: attempt(number),
            was_started,
            kind,
        });
        engine
            .recover(current.to_vec())
            .await
            .expect("the daemon is not waited for");
        let grace = Millis::from_seconds(1);
        for number in 1..5 {
            let attempt = attempt(number);
            engine.order(Order::Stop { attempt, grace }).await;
        }
        drop((engine, reports));
        let mut facts = Vec::new();
        while let Some((attempt, report)) = told.recv().await {
            let fact = match report {
                Report::Lost { .. } => "lost",
                Report::NotStarted { .. } => "not started",
                Report::Preparing | Report::Started { .. } | Report::Exited { .. } => "something else",
            };
            facts.push((attempt, fact));
        }
        // What the daemon may have stays as it is; the stops are not lost, but wait for it.
        assert_eq!(facts, [(attempt(1), "lost"), (attempt(2), "not started")]);
    }
}
