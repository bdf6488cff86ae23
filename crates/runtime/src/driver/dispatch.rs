//! From effects to orders: finds out how a job is to be run, and tells the engine. A task of its own, so that an engine that is behind
//! does not stop the driver.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use batchyard_core::environment::Platform;
use batchyard_core::id::{AttemptKey, JobId};
use batchyard_core::job::Placement;
use batchyard_core::name::EnvironmentName;
use batchyard_core::report::Report;
use batchyard_core::time::Millis;
use lru::LruCache;
use tokio::sync::mpsc;

use crate::cause::with_causes;
use crate::clock::Clock;
use crate::engine::{CurrentAttempt, Engine, Launch, Order, RunnerKind};
use crate::launch::{LaunchSettings, compose};
use crate::store::{DriverStore, LaunchRow, StoreError};

/// Jobs whose way to run is remembered (own choice: a few megabytes).
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// Time between two tries to reach an engine or the store.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What the driver hands over, in order.
pub(super) enum Dispatch {
    /// A driver has (re)started from the store: the engine is to agree with it before anything else.
    Recover {
        /// The attempts that are alive.
        current: Vec<CurrentAttempt>,
        /// What should have been caused by now.
        effects: Vec<Prepared>,
    },
    /// A batch was committed.
    Effects {
        /// The jobs that it added and launches.
        added: Vec<Added>,
        /// What is to be caused.
        effects: Vec<Prepared>,
    },
}

/// A job that was just added, so that its launch need not be read back.
pub(super) struct Added {
    pub(super) id: JobId,
    pub(super) row: LaunchRow,
}

/// An effect with the names it needs.
pub(super) enum Prepared {
    Launch {
        attempt: AttemptKey,
        placement: Placement,
        environment: EnvironmentName,
        platform: Platform,
    },
    Stop {
        attempt: AttemptKey,
        grace: Millis,
    },
    Forget {
        attempt: AttemptKey,
    },
}

/// The way to the dispatcher. What waits in it is bounded by the capacity of the environments: each launch holds a place.
#[derive(Clone)]
pub(super) struct Dispatcher(mpsc::UnboundedSender<Dispatch>);

struct Worker {
    engine: Arc<dyn Engine>,
    store: Arc<dyn DriverStore>,
    clock: Arc<dyn Clock>,
    settings: LaunchSettings,
    remembered: LruCache<JobId, LaunchRow>,
    unlaunchable: mpsc::UnboundedSender<(AttemptKey, Report)>,
}

impl Dispatcher {
    /// Starts the dispatcher; it ends when its handles are gone. Attempts that cannot be launched for want of their row are told through
    /// `unlaunchable`.
    pub(super) fn start(
        engine: Arc<dyn Engine>,
        store: Arc<dyn DriverStore>,
        clock: Arc<dyn Clock>,
        settings: LaunchSettings,
        unlaunchable: mpsc::UnboundedSender<(AttemptKey, Report)>,
    ) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let worker = Worker {
            engine,
            store,
            clock,
            settings,
            remembered: LruCache::new(REMEMBERED_MAX),
            unlaunchable,
        };
        tokio::spawn(worker.run(receiver));
        Dispatcher(sender)
    }

    pub(super) fn hand_over(&self, dispatch: Dispatch) {
        // The worker ends only when all handles are gone, and this is one.
        let _worker_lives = self.0.send(dispatch);
    }
}

impl Worker {
    async fn run(mut self, mut receiver: mpsc::UnboundedReceiver<Dispatch>) {
        while let Some(dispatch) = receiver.recv().await {
            match dispatch {
                Dispatch::Recover { current, effects } => {
                    self.recover(current).await;
                    self.order_all(effects).await;
                }
                Dispatch::Effects { added, effects } => {
                    for Added { id, row } in added {
                        self.remembered.put(id, row);
                    }
                    self.order_all(effects).await;
                }
            }
        }
    }

    async fn recover(&mut self, mut current: Vec<CurrentAttempt>) {
        for attempt in &mut current {
            let row = self.row(attempt.attempt.job.id).await;
            let job = attempt.attempt.job;
            attempt.kind = row.map(|row| RunnerKind::of(&row.launch_of(job).runner));
        }
        while let Err(error) = self.engine.recover(current.clone()).await {
            tracing::warn!(
                error = with_causes(&error),
                "cannot look for running jobs yet; jobs wait until the engine answers"
            );
            self.clock.sleep(RETRY_DELAY).await;
        }
    }

    async fn order_all(&mut self, effects: Vec<Prepared>) {
        for effect in effects {
            let order = match effect {
                Prepared::Launch {
                    attempt,
                    placement,
                    environment,
                    platform,
                } => match self.launch(attempt, placement, (&environment, platform)).await {
                    Some(launch) => Order::Launch(Box::new(launch)),
                    None => continue,
                },
                Prepared::Stop { attempt, grace } => Order::Stop { attempt, grace },
                Prepared::Forget { attempt } => Order::Forget { attempt },
            };
            self.engine.order(order).await;
        }
    }

    async fn launch(
        &mut self,
        attempt: AttemptKey,
        placement: Placement,
        environment: (&EnvironmentName, Platform),
    ) -> Option<Launch> {
        let now = self.clock.now();
        let Some(row) = self.row(attempt.job.id).await else {
            let reason =
                "CannotCreateContainerError: the job's launch specification is missing from the store"
                    .to_owned();
            let report = Report::NotStarted {
                at: now,
                reason,
                containers: Vec::new(),
            };
            // The driver reads this end as long as it lives.
            let _driver_lives = self.unlaunchable.send((attempt, report));
            return None;
        };
        let row = row.clone();
        Some(compose(attempt, placement, environment, &row, &self.settings))
    }

    /// How to run a job, remembered or read; `None` if there is no such row.
    async fn row(&mut self, id: JobId) -> Option<&LaunchRow> {
        if !self.remembered.contains(&id) {
            let row = self.read(id).await?;
            self.remembered.put(id, row);
        }
        self.remembered.get(&id)
    }

    /// Reads a job's row, trying again while the store cannot be read; `None` if there is no such row.
    async fn read(&self, id: JobId) -> Option<LaunchRow> {
        loop {
            match self.store.launch(id).await {
                Ok(row) => return row,
                Err(StoreError::Damaged { path, what }) => {
                    tracing::error!(%path, %what, job = %id, "cannot read how to run a job");
                    return None;
                }
                Err(error @ (StoreError::Full { .. } | StoreError::Failed { .. })) => {
                    tracing::warn!(error = with_causes(&error), job = %id, "cannot read how to run a job yet");
                    self.clock.sleep(RETRY_DELAY).await;
                }
            }
        }
    }
}
