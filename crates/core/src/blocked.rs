//! Queues that are held up: the reasons that clients know (section C.7), and what a queue does about them (section A2.9).

use serde::{Deserialize, Serialize};

use crate::environment::{Environment, InstanceTypeName};
use crate::id::JobKey;
use crate::job::Profile;
use crate::reason::StatusReason;
use crate::schedule::{Hindrance, wanted_type};
use crate::time::{Millis, Timestamp};

/// The front of a queue, which cannot start, and not because others will make room for it soon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// The job or child at the front.
    pub job: JobKey,
    /// What is in its way.
    pub cause: Cause,
    /// Since when both are so.
    pub since: Timestamp,
}

/// What is in the way of a queue's front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// An environment of the queue runs nothing, and gets no capacity: others hold the host.
    InsufficientCapacity {
        /// The type asked for; `None` where the environment leaves the choice to the service.
        instance_type: Option<InstanceTypeName>,
    },
    /// All environments may have fewer vCPUs than the job needs.
    EnvironmentMaximum,
    /// The service environment may have fewer instances than the job needs, or none of its type.
    ServiceEnvironmentMaximum,
    /// No environment can ever run the job: its types or the host are too small.
    Requirement,
    /// The job takes more than its quota share may ever have.
    QuotaLimit,
    /// No environment takes jobs.
    EnvironmentsInvalid,
}

/// What a queue does when its front has been blocked for too long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeLimitAction {
    /// By what.
    pub reason: LimitedReason,
    /// For how long: the job is cancelled then.
    pub after: Millis,
}

/// Causes that an action can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitedReason {
    /// `CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY`.
    InsufficientCapacity,
    /// `MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE`.
    EnvironmentMaximum,
    /// `MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT`.
    Requirement,
    /// `MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE`.
    ServiceEnvironmentMaximum,
    /// `MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED`.
    QuotaLimit,
}

impl LimitedReason {
    /// All of them.
    pub const ALL: [LimitedReason; 5] = [
        LimitedReason::InsufficientCapacity,
        LimitedReason::EnvironmentMaximum,
        LimitedReason::Requirement,
        LimitedReason::ServiceEnvironmentMaximum,
        LimitedReason::QuotaLimit,
    ];

    /// As requests name it (section C.7, second column).
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            LimitedReason::InsufficientCapacity => "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
            LimitedReason::EnvironmentMaximum => "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
            LimitedReason::Requirement => "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
            LimitedReason::ServiceEnvironmentMaximum => "MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE",
            LimitedReason::QuotaLimit => "MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED",
        }
    }

    /// The reason that requests name so.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        LimitedReason::ALL
            .into_iter()
            .find(|reason| reason.code() == code)
    }

    /// The status reason of a job that an action ends: of a service job it is called terminated (section B.4).
    #[must_use]
    pub fn acted_on(self, is_service: bool) -> StatusReason {
        let verb = if is_service { "Terminated" } else { "Canceled" };
        StatusReason::given(format!(
            "{verb} by JobStateTimeLimit action due to reason: {}",
            self.code()
        ))
    }
}

impl Cause {
    /// The reason that an action on it names, if there can be one.
    #[must_use]
    pub const fn limited(self) -> Option<LimitedReason> {
        match self {
            Cause::InsufficientCapacity { .. } => Some(LimitedReason::InsufficientCapacity),
            Cause::EnvironmentMaximum => Some(LimitedReason::EnvironmentMaximum),
            Cause::Requirement => Some(LimitedReason::Requirement),
            Cause::ServiceEnvironmentMaximum => Some(LimitedReason::ServiceEnvironmentMaximum),
            Cause::QuotaLimit => Some(LimitedReason::QuotaLimit),
            Cause::EnvironmentsInvalid => None,
        }
    }

    /// The status reason of the job meanwhile (section C.7, first column).
    #[must_use]
    pub fn status_reason(self) -> StatusReason {
        StatusReason::given(match self {
            Cause::InsufficientCapacity { instance_type } => format!(
                "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type [{}]",
                instance_type.map_or("optimal", |name| name.facts().name)
            ),
            Cause::EnvironmentMaximum => "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue \
                                          cannot meet the CPU requirement of the job."
                .to_owned(),
            Cause::Requirement => "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is \
                                   higher than that can be met by the CE(s) attached to the job queue."
                .to_owned(),
            Cause::ServiceEnvironmentMaximum => "MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE - Service environment(s) associated \
                                                 with the job queue cannot meet the capacity requirement of the job."
                .to_owned(),
            // The service's own words behind the code are not known.
            Cause::QuotaLimit => "MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED - The quota share of the job cannot meet the \
                                  capacity requirement of the job."
                .to_owned(),
            Cause::EnvironmentsInvalid => {
                "ACTION_REQUIRED - CE(s) associated with the job queue are invalid.".to_owned()
            }
        })
    }

    /// What these hindrances, one for each of a queue's environments, come to; `None` while room is on its way: a reason that names a
    /// misconfiguration makes clients give the job up (section B4.2).
    pub(crate) fn of<'a>(
        hindrances: impl Iterator<Item = (&'a Environment, &'a Hindrance)>,
        profile: &Profile,
    ) -> Option<Cause> {
        let mut cause = Cause::EnvironmentsInvalid;
        let main = profile.nodes.as_ref().map(|shape| shape.main);
        for (environment, hindrance) in hindrances {
            match hindrance {
                Hindrance::Disabled
                | Hindrance::Deleting
                | Hindrance::Invalid
                | Hindrance::SingleNodesOnly => {}
                // Its own jobs hold what this one needs, and will end.
                Hindrance::MaximumReached { .. } | Hindrance::UnitsReached { .. } => return None,
                Hindrance::HostBusy { .. } if environment.attempts > 0 => return None,
                Hindrance::HostBusy { .. } => {
                    cause = Cause::InsufficientCapacity {
                        instance_type: wanted_type(environment, profile.need(main)),
                    }
                }
                Hindrance::OverUnits { .. } => cause = Cause::ServiceEnvironmentMaximum,
                Hindrance::OverMaximum { .. } if cause == Cause::EnvironmentsInvalid => {
                    cause = Cause::EnvironmentMaximum
                }
                Hindrance::Platform(_)
                | Hindrance::OverTypes
                | Hindrance::NoSuchType(_)
                | Hindrance::OverHost { .. }
                    if matches!(cause, Cause::EnvironmentsInvalid | Cause::EnvironmentMaximum) =>
                {
                    cause = Cause::Requirement
                }
                Hindrance::OverMaximum { .. }
                | Hindrance::Platform(_)
                | Hindrance::OverTypes
                | Hindrance::NoSuchType(_)
                | Hindrance::OverHost { .. } => {}
            }
        }
        Some(cause)
    }
}
