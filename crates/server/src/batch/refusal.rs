//! The words for what the core refuses. Where the live service's words are known they stand here to the letter; the
//! others are our own (section L.1) and follow the pattern of AWS's.

use batchyard_core::command::{BadDependency, Rejection};
use batchyard_core::item::ItemKey;
use batchyard_core::name::EnvironmentKind;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;

/// For a share in a queue that orders by submission.
const SHARE_NOT_ALLOWED: &str = "Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue with fair share scheduling policy.";

/// The fault for a refused command.
pub(super) fn text(rejection: &Rejection) -> Fault {
    client_exception(match rejection {
        // The live service's words (section A1.6).
        Rejection::EnvironmentExists(_) | Rejection::QueueExists(_) | Rejection::ItemExists(_) => {
            "Object already exists".to_owned()
        }
        Rejection::EnvironmentNotFound(name) => {
            let noun = match name.kind() {
                EnvironmentKind::Compute => "ComputeEnvironment",
                EnvironmentKind::Service => "ServiceEnvironment",
            };
            format!("{noun} {} not found.", name.given())
        }
        Rejection::InstanceNotFound(instance) => format!("Instance {} not found.", instance.ec2_id()),
        Rejection::JobHasNoPlace(job) => format!("Job {job} is neither STARTING nor RUNNING."),
        Rejection::QueueNotFound(name) => format!("JobQueue {name} not found."),
        // The live service's words (section A1.27).
        Rejection::EnvironmentBusy(_) | Rejection::QueueBusy(_) | Rejection::VersionConflict => {
            "Cannot update, resource is being modified".to_owned()
        }
        Rejection::EnvironmentEnabled(_) | Rejection::QueueEnabled(_) | Rejection::ItemEnabled(_) => {
            "Cannot delete, state must be DISABLED".to_owned()
        }
        // The live service's words for compute environments (section A1.31).
        Rejection::EnvironmentInUse(..) | Rejection::ItemInUse(..) => "Cannot delete, found existing JobQueue relationship".to_owned(),
        Rejection::TooManyEnvironments(kind, most) => {
            format!("An account can have at most {most} {}s.", kind.noun())
        }
        Rejection::EnvironmentTaken(name, queue) => format!(
            "ServiceEnvironment {} cannot be shared with JobQueue {queue}: a service environment with quota shares belongs to one job queue.",
            name.given()
        ),
        Rejection::TooManyQueues(most) => format!("An account can have at most {most} job queues."),
        Rejection::QueueDisabled(name) => format!("JobQueue {name} is DISABLED and accepts no jobs."),
        Rejection::ItemNotFound(key) => format!("{} not found.", named(key)),
        Rejection::ItemNeeded(_) => "Cannot delete, found existing Job relationship".to_owned(),
        Rejection::ItemKind(_) => {
            "The type of a scheduling policy cannot be changed: it has either fairsharePolicy or quotaSharePolicy."
                .to_owned()
        }
        Rejection::TooManyItems(most) => format!("Limit of {most} reached."),
        // The live service's words (section A2.4).
        Rejection::MixedPlatforms => "Fargate and EC2 compute environments can not be mixed.".to_owned(),
        Rejection::DefinitionNotActive(name, revision) => {
            format!("JobDefinition {name}:{revision} not found.")
        }
        Rejection::PlatformMismatch(name) => format!("JobQueue {name} cannot run jobs of this platform."),
        Rejection::NoMultiNodeEnvironment(name) => {
            format!("JobQueue {name} has no compute environment that can run multi-node parallel jobs: they need EC2 On-Demand capacity.")
        }
        Rejection::ArrayOfNodes => "A multi-node parallel job cannot be an array job.".to_owned(),
        Rejection::ServiceQueue(name) => {
            format!("JobQueue {name} is of type SAGEMAKER_TRAINING and accepts only service jobs.")
        }
        Rejection::QuotaShareMissing(name) => {
            format!("quotaShareName is required for service jobs in JobQueue {name}, which has a quota share policy.")
        }
        Rejection::QuotaShareNotAllowed(name) => {
            format!("Service jobs with quotaShareName can only be submitted to a job queue with a quota share policy, not to JobQueue {name}.")
        }
        Rejection::ItemDisabled(key) => format!("{} is DISABLED and accepts no jobs.", named(key)),
        Rejection::JobNotLive(id) => format!("ServiceJob {id} not found."),
        // The live service's words (section A4.4), with their spelling.
        Rejection::ShareNotAllowed(_) => SHARE_NOT_ALLOWED.to_owned(),
        Rejection::ShareMissing(name) => {
            format!("shareIdentifier is required for jobs in JobQueue {name}, which has a fair share scheduling policy.")
        }
        // Own words (section L.1).
        Rejection::TooManyShares(name, max) => {
            format!("JobQueue {name} has {max} active share identifiers, the most allowed; a share stops being active when its last job has ended and its policy's share decay time is over.")
        }
        Rejection::JobExists(id) => format!("Job {id} exists."),
        Rejection::TokenUsed(job) => {
            format!("The client token was used for another request, which made the job {job}.")
        }
        Rejection::TooManyTokens(most) => {
            format!("{most} client tokens were used within a day, the most that is kept.")
        }
        Rejection::DependencyNotFound(key) => format!("Job {key} in dependsOn not found."),
        Rejection::BadDependency(bad) => match bad {
            BadDependency::TooMany => "dependsOn can have at most 20 entries.".to_owned(),
            BadDependency::NotAnArray => {
                "Dependencies of type SEQUENTIAL and N_TO_N are only for array jobs.".to_owned()
            }
            BadDependency::SizesDiffer => {
                "A dependency of type N_TO_N must name an array job of the same size.".to_owned()
            }
        },
        Rejection::ArraySize { size, max } => {
            format!("Array job size must be between 2 and {max}, got {size}.")
        }
    })
}

/// An item as texts name it. That of policies is the live service's, with an ARN (section A2.6); here the end of it stands for all.
fn named(key: &ItemKey) -> String {
    match key {
        ItemKey::SchedulingPolicy(name) => format!("SchedulingPolicy {name}"),
        ItemKey::ConsumableResource(name) => format!("ConsumableResource {name}"),
        ItemKey::QuotaShare(_, name) => format!("QuotaShare {name}"),
    }
}
