//! What CreateJobQueue and UpdateJobQueue refuse (section A.2). The texts are the live service's unless a comment says
//! otherwise.

use std::collections::BTreeSet;

use batchyard_core::blocked::{LimitedReason, TimeLimitAction};
use batchyard_core::environment::{Capacity, Life, NUM_INSTANCES, Platform};
use batchyard_core::item::SchedulingPolicy;
use batchyard_core::name::{EnvironmentName, SchedulingPolicyName};
use batchyard_core::time::Millis;
use batchyard_runtime::store::EnvironmentRow;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    ComputeEnvironmentOrder, JobQueueType, JobStateTimeLimitAction, JobStateTimeLimitActionsAction,
    ServiceEnvironmentOrder,
};

use crate::batch::Batch;
use crate::limits::TIME_LIMIT_SECONDS_MAX;

impl Batch {
    /// The environments of a queue in the order to try them, each with its `order`. Those that are `present` in it may have become
    /// invalid since.
    pub(super) async fn ordered_environments(
        &self,
        order: &[ComputeEnvironmentOrder],
        present: &[EnvironmentName],
    ) -> Result<Vec<(i32, EnvironmentRow)>, Fault> {
        if order.is_empty() {
            return Err(client_exception("computeEnvironmentOrder is required."));
        }
        let most = self.limits.compute_environments_per_queue;
        if order.len() > most {
            return Err(client_exception(format!(
                "Only {most} environments are allowed in job queue request."
            )));
        }
        let distinct: BTreeSet<i32> = order.iter().map(|entry| entry.order).collect();
        if distinct.len() < order.len() {
            return Err(client_exception("Duplicate ComputeEnvironment order values."));
        }
        let mut environments: Vec<(i32, EnvironmentRow)> = Vec::new();
        for entry in order {
            let row = self.environment(&entry.compute_environment).await?;
            let is_usable = |row: &EnvironmentRow| match row.life {
                Life::Valid => true,
                Life::Invalid => present.contains(&row.name),
                Life::Deleting => false,
            };
            let row = row.filter(is_usable).ok_or_else(|| {
                client_exception(
                    "Compute Environments must be created and valid before attaching them to a job queue",
                )
            })?;
            if environments.iter().any(|(_, present)| present.id == row.id) {
                return Err(client_exception(
                    "Duplicate ComputeEnvironments within order list.",
                ));
            }
            environments.push((entry.order, row));
        }
        environments.sort_by_key(|(order, _)| *order);
        Ok(environments)
    }
}

impl Batch {
    /// The one service environment of a queue, with its `order`, and the type that the queue has then (section A2.5).
    pub(super) async fn ordered_service_environment(
        &self,
        order: &[ServiceEnvironmentOrder],
        compute: Option<&[ComputeEnvironmentOrder]>,
        asked: Option<&JobQueueType>,
    ) -> Result<(Vec<(i32, EnvironmentRow)>, JobQueueType), Fault> {
        if compute.is_some_and(|order| !order.is_empty()) {
            // Own words (section A2.1).
            return Err(client_exception(
                "Only one of computeEnvironmentOrder and serviceEnvironmentOrder can be given.",
            ));
        }
        if let Some(asked) = asked.filter(|asked| **asked != JobQueueType::SagemakerTraining) {
            return Err(client_exception(format!(
                "The jobQueueType provided is {asked}, which is incompatible with the provided serviceEnvironmentOrder."
            )));
        }
        let [entry] = order else {
            return Err(client_exception("Job queue can only have 1 service environment."));
        };
        let row = self.service_environment(&entry.service_environment).await?;
        let row = row.filter(|row| row.life == Life::Valid).ok_or_else(|| {
            client_exception(
                "Service environments must be created and valid before attaching them to a job queue.",
            )
        })?;
        Ok((vec![(entry.order, row)], JobQueueType::SagemakerTraining))
    }

    /// The scheduling policy that a queue with these environments is to have (sections A2.6 and C4.5).
    pub(super) async fn queue_policy(
        &self,
        arn: &str,
        environments: &[(i32, EnvironmentRow)],
    ) -> Result<SchedulingPolicyName, Fault> {
        let (name, policy) = self.policy_for_queue(arn).await?;
        if policy == SchedulingPolicy::QuotaShare {
            check_quota_environments(environments)?;
        }
        Ok(name)
    }
}

/// Whether a queue with these environments may have quota shares.
pub(super) fn check_quota_environments(environments: &[(i32, EnvironmentRow)]) -> Result<(), Fault> {
    for (_, row) in environments {
        match &row.spec.capacity {
            Capacity::Units { limits } if limits.iter().any(|limit| &*limit.unit == NUM_INSTANCES) => {
                // Own words.
                return Err(client_exception(
                    "A job queue with a quotaSharePolicy needs a service environment with capacity limits by instance type.",
                ));
            }
            Capacity::Units { .. } => {}
            Capacity::Shared { .. } | Capacity::Instances(_) => {
                return Err(client_exception(
                    "Quota Management feature is only supported for SageMaker Training job queues.",
                ));
            }
        }
    }
    Ok(())
}

/// Refuses the type of queues that have a service environment, for one that is to have none (section A2.5).
pub(super) fn not_for_service(asked: Option<&JobQueueType>) -> Result<(), Fault> {
    if asked == Some(&JobQueueType::SagemakerTraining) {
        return Err(client_exception(
            "Job queues of type SAGEMAKER_TRAINING must have serviceEnvironmentOrder.",
        ));
    }
    Ok(())
}

/// The type of a queue with these compute environments.
///
/// # Errors
/// When they cannot be in one queue, or the type asked for does not fit them.
pub(super) fn queue_type(
    environments: &[(i32, EnvironmentRow)],
    asked: Option<&JobQueueType>,
) -> Result<JobQueueType, Fault> {
    let count = |platform| {
        let of_platform = environments
            .iter()
            .filter(|(_, row)| row.spec.platform == platform);
        of_platform.count()
    };
    let fargate = count(Platform::Fargate);
    let eks = count(Platform::Eks);
    let managed = count(Platform::ManagedInstances);
    if fargate > 0 && fargate < environments.len() {
        return Err(client_exception(
            "Fargate and EC2 compute environments can not be mixed.",
        ));
    }
    if eks > 0 && eks < environments.len() || asked == Some(&JobQueueType::Eks) && eks == 0 {
        return Err(client_exception(
            "EKS job queue type must have EKS compute environment.",
        ));
    }
    // Own words.
    if managed > 0 && managed < environments.len() {
        return Err(client_exception(
            "Managed instances and other compute environments can not be mixed.",
        ));
    }
    let natural = match (fargate, eks, managed) {
        (1.., _, _) => JobQueueType::EcsFargate,
        (_, 1.., _) => JobQueueType::Eks,
        (_, _, 1..) => JobQueueType::EcsManagedInstances,
        (0, 0, 0) => JobQueueType::Ecs,
    };
    match asked {
        // Own words.
        Some(asked) if *asked != natural => Err(client_exception(format!(
            "The jobQueueType provided is {asked}, which is incompatible with the provided computeEnvironmentOrder."
        ))),
        _ => Ok(natural),
    }
}

/// What is done with jobs that block a queue of this type for too long (section A2.9). `seconds_min`: the least that an action may wait.
pub(super) fn time_limit_actions(
    actions: &[JobStateTimeLimitAction],
    queue_type: &JobQueueType,
    seconds_min: u32,
) -> Result<Vec<TimeLimitAction>, Fault> {
    use LimitedReason::{
        EnvironmentMaximum, InsufficientCapacity, QuotaLimit, Requirement, ServiceEnvironmentMaximum,
    };
    let (valid, reasons): (_, &[LimitedReason]) = match queue_type {
        JobQueueType::SagemakerTraining => (
            JobStateTimeLimitActionsAction::Terminate,
            &[InsufficientCapacity, ServiceEnvironmentMaximum, QuotaLimit],
        ),
        _ => (
            JobStateTimeLimitActionsAction::Cancel,
            &[InsufficientCapacity, EnvironmentMaximum, Requirement],
        ),
    };
    let mut seen = BTreeSet::new();
    let mut checked = Vec::with_capacity(actions.len());
    for action in actions {
        if action.action != valid {
            return Err(client_exception(format!(
                "Invalid job action. Valid job actions: [{valid}]"
            )));
        }
        let seconds = u32::try_from(action.max_time_seconds).unwrap_or(0);
        if !(seconds_min..=TIME_LIMIT_SECONDS_MAX).contains(&seconds) {
            // Own words.
            return Err(client_exception(format!(
                "maxTimeSeconds must be between {seconds_min} and {TIME_LIMIT_SECONDS_MAX}."
            )));
        }
        let reason = LimitedReason::parse(&action.reason).filter(|reason| reasons.contains(reason));
        let Some(reason) = reason else {
            // Own words.
            let known: Vec<&str> = reasons.iter().map(|reason| reason.code()).collect();
            let known = known.join(", ");
            return Err(client_exception(format!(
                "Invalid job state reason. Valid reasons: [{known}]"
            )));
        };
        if !seen.insert((action.state.as_str(), action.reason.as_str())) {
            return Err(client_exception(
                "Duplicate job state limit actions are not allowed.",
            ));
        }
        checked.push(TimeLimitAction {
            reason,
            after: Millis::from_seconds(u64::from(seconds)),
        });
    }
    Ok(checked)
}

/// Checks the priority (section A2.8); own words.
pub(super) fn priority(priority: i32) -> Result<(), Fault> {
    if priority < 0 {
        Err(client_exception("priority must not be negative."))
    } else {
        Ok(())
    }
}
