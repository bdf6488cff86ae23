//! What a running task can read about itself (section F.3).

use batchyard_core::environment::Platform;
use batchyard_core::id::{AttemptKey, TaskId};
use batchyard_core::launch::{RoleReference, Runner};
use batchyard_wire::Fault;

use super::{Batch, unavailable};

/// A task that runs or is being started.
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) cluster: String,
    /// The definition's name.
    pub(crate) family: String,
    pub(crate) revision: u32,
    pub(crate) image: String,
    pub(crate) vcpus: f64,
    pub(crate) memory_mib: u64,
    /// `EC2`, `FARGATE` …
    pub(crate) launch_type: &'static str,
}

/// Whose credentials a running attempt gets.
pub(crate) struct TaskRole {
    pub(crate) role: RoleReference,
    /// The name of its session: the task's id, as on ECS, or that of SageMaker (section F.4).
    pub(crate) session: String,
}

impl Batch {
    /// The role of this attempt; `None` if it does not run or has none.
    pub(crate) async fn task_role(&self, attempt: AttemptKey) -> Result<Option<TaskRole>, Fault> {
        let is_live = self.driver.read(move |core| {
            let execution = core.state().execution(attempt.job);
            execution.is_some_and(|execution| {
                execution.attempt.is_some() && execution.attempt_number() == attempt.attempt
            })
        });
        if !is_live.await.map_err(|error| unavailable(&error))? {
            return Ok(None);
        }
        let row = self.read(move |store| store.launch(attempt.job.id)).await?;
        let launch = row.as_ref().map(|row| row.launch_of(attempt.job));
        Ok(launch.and_then(|launch| {
            let session = match &launch.training {
                Some(_) => "SageMaker".to_owned(),
                None => TaskId::of(attempt).to_string(),
            };
            Some(TaskRole {
                role: launch.role.clone()?,
                session,
            })
        }))
    }

    /// The task with this id; `None` if it does not run.
    pub(crate) async fn task(&self, id: &str) -> Result<Option<Task>, Fault> {
        let asked = id.to_owned();
        // The id follows from the attempt, so the attempts that live are looked through: thousands at most.
        let found = self.driver.read(move |core| {
            let state = core.state();
            let mut attempts = state.live_attempts();
            let (attempt, profile, execution) =
                attempts.find(|(attempt, ..)| TaskId::of(*attempt).to_string() == asked)?;
            let place = execution.attempt.as_ref()?.placement;
            let environment = state.environment(place.environment);
            Some((
                attempt,
                profile.need(attempt.job.child),
                place.environment,
                environment.name.clone(),
                environment.spec.platform,
            ))
        });
        let found = found.await.map_err(|error| unavailable(&error))?;
        let Some((attempt, resources, environment_id, environment, platform)) = found else {
            return Ok(None);
        };
        let rows = self.read(move |store| store.jobs(&[attempt.job])).await?;
        let Some(row) = rows.into_iter().next() else {
            return Ok(None);
        };
        Ok(Some(Task {
            id: id.to_owned(),
            arn: self.account.task(environment.as_str(), environment_id, attempt),
            cluster: self.account.cluster(environment.as_str(), environment_id),
            family: row.content.definition.to_string(),
            revision: row.content.revision,
            image: match &row.content.launch.runner {
                Runner::Process(_) => "host://".to_owned(),
                Runner::Container(container) => container.image.clone(),
                // Of several containers the first: the endpoint does not say whose it is.
                Runner::Task(task) => task
                    .containers
                    .first()
                    .map(|container| container.container.image.clone())
                    .unwrap_or_default(),
            },
            vcpus: f64::from(resources.vcpus.0) / 1000.0,
            memory_mib: resources.memory.0,
            launch_type: match platform {
                Platform::Fargate => "FARGATE",
                Platform::ManagedInstances => "MANAGED_INSTANCES",
                Platform::Ec2 | Platform::Eks | Platform::Service => "EC2",
            },
        }))
    }
}
