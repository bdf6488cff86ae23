//! The engine of one machine: sends each order to the part that carries it out.
//!
//! Each part may be absent. It must not know how either works. Start with [`LocalEngine`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use batchyard_core::id::AttemptKey;
use batchyard_core::launch::Runner;
use batchyard_core::report::Report;
use batchyard_runtime::cause::with_causes;
use batchyard_runtime::engine::{BoxFuture, CurrentAttempt, Engine, Order, RecoverError, Reports};

use tokio::sync::RwLock;

use crate::docker::DockerEngine;
use crate::process::{ProcessEngine, now};

/// Between two tries to reach the container daemon for a recovery that it missed (own choice).
const RECOVER_AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Processes and containers of this host.
#[derive(Debug)]
pub struct LocalEngine {
    processes: Option<ProcessEngine>,
    containers: Option<Arc<DockerEngine>>,
    reports: Reports,
    /// The attempts that the core held for alive at the last recovery, and whether they were started; with the containers ordered since, without
    /// what is forgotten. For a recovery that comes late. Written to by it for as long as it takes, so that no order comes between.
    outstanding: Arc<RwLock<BTreeMap<AttemptKey, bool>>>,
    /// The task that still tries to recover containers, if there is one.
    late_recovery: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl LocalEngine {
    /// Puts the parts together that there are.
    #[must_use]
    pub fn new(processes: Option<ProcessEngine>, containers: Option<DockerEngine>, reports: Reports) -> Self {
        LocalEngine {
            processes,
            containers: containers.map(Arc::new),
            reports,
            outstanding: Arc::default(),
            late_recovery: Mutex::new(None),
        }
    }

    async fn launch(&self, launch: Box<batchyard_runtime::engine::Launch>) {
        let attempt = launch.attempt;
        let reason = match (&launch.spec.runner, &self.processes, &self.containers) {
            (Runner::Process(_), Some(processes), _) => return processes.order(Order::Launch(launch)).await,
            (Runner::Container(_), _, Some(containers)) => {
                let mut outstanding = self.outstanding.write().await;
                outstanding.entry(attempt).or_insert(false);
                return containers.order(Order::Launch(launch)).await;
            }
            (Runner::Process(_), None, _) => {
                "CannotStartContainerError: this server does not run jobs as processes (allow_processes is off)"
            }
            (Runner::Container(_), _, None) => {
                "CannotStartContainerError: this server does not run containers (docker.enabled is off)"
            }
        };
        let report = Report::NotStarted {
            at: now(),
            reason: reason.to_owned(),
        };
        self.reports.tell(attempt, report).await;
    }

    async fn recover_all(&self, current: Vec<CurrentAttempt>) -> Result<(), RecoverError> {
        if let Some(late) = self.take_late_recovery() {
            late.abort();
        }
        *self.outstanding.write().await = current
            .iter()
            .map(|current| (current.attempt, current.was_started))
            .collect();
        let mut known = BTreeSet::new();
        if let Some(processes) = &self.processes {
            known.extend(processes.recover(&current).await?);
        }
        let Some(containers) = &self.containers else {
            tell_lost(&self.reports, &current, &known).await;
            return Ok(());
        };
        match containers.recover(&current).await {
            Ok(found) => {
                known.extend(found);
                tell_lost(&self.reports, &current, &known).await;
            }
            // Processes must not wait for a daemon that may not even be installed. What was running in it stays RUNNING until it can say.
            Err(error) => {
                let unknown = |current: &&CurrentAttempt| !known.contains(&current.attempt);
                let waiting = current.iter().filter(unknown).count();
                // Without such jobs it is no news that a machine has no daemon.
                if waiting > 0 {
                    tracing::warn!(
                        cause = with_causes(&error),
                        waiting,
                        "the container daemon does not answer; its jobs stay as they are until it does"
                    );
                }
                self.recover_later(Arc::clone(containers), known);
            }
        }
        Ok(())
    }

    fn recover_later(&self, containers: Arc<DockerEngine>, mut known: BTreeSet<AttemptKey>) {
        let (reports, outstanding) = (self.reports.clone(), Arc::clone(&self.outstanding));
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RECOVER_AGAIN).await;
                let outstanding = outstanding.write().await;
                let current: Vec<CurrentAttempt> = outstanding
                    .iter()
                    .map(|(attempt, was_started)| CurrentAttempt {
                        attempt: *attempt,
                        was_started: *was_started,
                    })
                    .collect();
                if let Ok(found) = containers.recover(&current).await {
                    drop(outstanding);
                    known.extend(found);
                    tell_lost(&reports, &current, &known).await;
                    return;
                }
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

impl Engine for LocalEngine {
    fn order(&self, order: Order) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match order {
                Order::Launch(launch) => self.launch(launch).await,
                // Only one part knows the attempt; to the other it is nothing.
                Order::Stop { .. } | Order::Forget { .. } => {
                    if let Order::Forget { attempt } = &order {
                        self.outstanding.write().await.remove(attempt);
                    }
                    if let Some(processes) = &self.processes {
                        processes.order(order.clone()).await;
                    }
                    if let Some(containers) = &self.containers {
                        containers.order(order).await;
                    }
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

/// Those that were started and that nobody knows are gone.
async fn tell_lost(reports: &Reports, current: &[CurrentAttempt], known: &BTreeSet<AttemptKey>) {
    let lost = current
        .iter()
        .filter(|current| current.was_started && !known.contains(&current.attempt));
    for CurrentAttempt { attempt, .. } in lost {
        reports.tell(*attempt, Report::Lost { at: now() }).await;
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
        };
        Order::Launch(Box::new(Launch {
            attempt,
            spec: Arc::new(spec),
            environment: Vec::new(),
            stream: None,
            gpus: GpuSet::default(),
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
}
