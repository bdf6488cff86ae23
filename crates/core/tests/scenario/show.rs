//! How scripts print: jobs by the names that the script gave them, one short line for each change and effect.

use std::collections::BTreeMap;

use batchyard_core::array::StatusCounts;
use batchyard_core::change::{AfterAttempt, AttemptEnded, Change, StopKind};
use batchyard_core::effect::Effect;
use batchyard_core::environment::{Environment, Life, Switch};
use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::interval_set::IntervalSet;
use batchyard_core::job::{Body, Job, Placement, Preemption, StopCause};
use batchyard_core::time::Timestamp;

/// The names of jobs.
#[derive(Default)]
pub(crate) struct Names(BTreeMap<JobId, String>);

impl Names {
    pub(crate) fn add(&mut self, name: &str, at: Timestamp) -> JobId {
        let id = crate::put::job_id(at, self.0.len());
        self.0.insert(id, name.to_owned());
        id
    }

    /// The key of `a` or `a:0`; of a job that never was, if nothing is called so.
    pub(crate) fn key(&self, text: &str) -> JobKey {
        let (name, child) = text.split_once(':').unwrap_or((text, ""));
        let known = self.0.iter().rfind(|(_, known)| *known == name);
        JobKey {
            id: known.map_or(crate::put::job_id(Timestamp::from_millis(0), 0), |(id, _)| *id),
            child: child.parse().ok(),
        }
    }

    /// Text with names instead of identifiers.
    pub(crate) fn shorten(&self, text: &str) -> String {
        if !text.contains('-') {
            return text.to_owned();
        }
        let named = self.0.iter().filter(|(id, _)| text.contains(&id.to_string()));
        named.fold(text.to_owned(), |text, (id, name)| {
            text.replace(&id.to_string(), name)
        })
    }

    fn of(&self, id: JobId) -> &str {
        self.0.get(&id).map_or("unknown", String::as_str)
    }

    fn one(&self, key: JobKey) -> String {
        match key.child {
            None => self.of(key.id).to_owned(),
            Some(child) => format!("{}:{child}", self.of(key.id)),
        }
    }

    fn children(&self, id: JobId, children: &IntervalSet) -> String {
        let children: Vec<String> = children
            .intervals()
            .iter()
            .map(|one| format!("{one:?}"))
            .collect();
        format!("{}:{}", self.of(id), children.join(","))
    }

    fn attempt(&self, key: AttemptKey) -> String {
        format!("{}#{}", self.one(key.job), key.attempt)
    }

    pub(crate) fn effect(&self, effect: &Effect) -> String {
        match effect {
            Effect::Launch {
                attempt,
                placement: _,
            } => format!("=> launch {}", self.attempt(*attempt)),
            Effect::Stop { attempt, grace } => format!("=> stop {} within {grace:?}", self.attempt(*attempt)),
            Effect::Forget { attempt } => format!("=> forget {}", self.attempt(*attempt)),
        }
    }

    pub(crate) fn change(&self, change: &Change) -> String {
        match change {
            Change::EnvironmentPut(put) => format!(
                "environment {:?} {} is version {}, {:?}{}",
                put.id.0,
                put.name,
                put.version,
                put.switch,
                if put.life == Life::Invalid {
                    ", invalid"
                } else {
                    ""
                }
            ),
            Change::EnvironmentRenewal { environment, renewal } => match renewal {
                None => format!("environment {} is renewed", environment.0),
                Some(renewal) => format!(
                    "environment {} replaces instances before {}{}",
                    environment.0,
                    renewal.outdated_before.0,
                    if renewal.due.is_none() { ", now" } else { "" }
                ),
            },
            Change::EnvironmentDeleting(id) => format!("environment {} is being deleted", id.0),
            Change::EnvironmentRemoved(id) => format!("environment {} is gone", id.0),
            Change::InstanceAdded(added) => {
                let name: &str = added.instance_type.into();
                format!(
                    "environment {} got instance {}, {name} with {}",
                    added.environment.0, added.id.0, added.capacity
                )
            }
            Change::InstanceRemoved {
                environment,
                instance,
            } => format!("environment {} gave instance {} back", environment.0, instance.0),
            Change::InstanceLeaving {
                environment,
                instance,
                leaving,
            } => format!(
                "environment {} loses instance {}{}",
                environment.0,
                instance.0,
                if leaving.due.is_none() { ", now" } else { "" }
            ),
            Change::QueuePut(put) => {
                format!(
                    "queue {} {} is version {}, {:?}",
                    put.id.0, put.name, put.version, put.switch
                )
            }
            Change::QueueBlocked { queue, line, blocked } => match blocked {
                None => format!("queue {}{} is held up no more", queue.0, of_line(line)),
                Some(blocked) => {
                    let reason = blocked.cause.status_reason();
                    format!(
                        "queue {}{} is held up by {}: {}",
                        queue.0,
                        of_line(line),
                        self.one(blocked.job),
                        reason.as_str()
                    )
                }
            },
            Change::QueueDeleting(id) => format!("queue {} is being deleted", id.0),
            Change::QueueRemoved(id) => format!("queue {} is gone", id.0),
            Change::ItemPut(put) => format!("{} is version {}", put.key, put.version),
            Change::ItemRemoved(key) => format!("{key} is gone"),
            Change::SupplyBurned { name, left } => format!("consumable-resource/{name} has {left} left"),
            Change::RunTimesNoted { .. } => String::new(),
            Change::ShareCharged { queue, share, ledger } => {
                let used: u64 = ledger.used.iter().sum();
                format!(
                    "share {share} of queue {} has used {} vCPU seconds",
                    queue.0,
                    used / 1_000_000
                )
            }
            Change::SharesForgotten { queue, shares } => {
                format!("queue {} forgets {}", queue.0, shares.join(", "))
            }
            Change::DefinitionRegistered(_)
            | Change::DefinitionDeregistered { .. }
            | Change::TagsChanged(_) => {
                format!("{change:?}")
            }
            Change::QueueOptionsChanged { queue, options } => {
                format!("queue {} is told {options:?}", queue.0)
            }
            _ => self.job_change(change),
        }
    }

    fn job_change(&self, change: &Change) -> String {
        match change {
            Change::TokenKept(kept) => format!("token {} stands for {}", kept.token.token, self.of(kept.job)),
            Change::TokensForgotten(tokens) => format!("forgotten tokens: {}", tokens.join(", ")),
            Change::JobAdded(added) => format!(
                "{} is number {} of queue {}",
                self.of(added.id),
                added.sequence.0,
                added.queue.0
            ),
            Change::DependencyMet { job, dependency } => {
                format!("{} waits no more for {}", self.of(*job), self.one(dependency.on))
            }
            Change::PairingMet { job, on, children } => {
                format!(
                    "{} waits no more for {}",
                    self.of(*job),
                    self.children(*on, children)
                )
            }
            Change::PairingClosed { job, on } => {
                format!("{} has seen all of {}", self.of(*job), self.of(*on))
            }
            Change::ProfileChanged { job, profile } => {
                let priority = profile.share.as_ref().map_or(0, |share| share.priority);
                format!("{} has priority {priority}", self.of(*job))
            }
            Change::JobReady(id) => format!("{} RUNNABLE", self.of(*id)),
            Change::ChildrenReady { job, children } => format!("{} RUNNABLE", self.children(*job, children)),
            Change::AttemptPlaced {
                job,
                attempt: _,
                placement,
                scheduled_at,
            } => {
                let status = match scheduled_at {
                    Some(_) => "SCHEDULED",
                    None => "STARTING",
                };
                format!("{} {status} in {}", self.one(*job), place(placement))
            }
            Change::AttemptPreparing { job, .. } => format!("{} STARTING", self.one(*job)),
            Change::AttemptStarted { job, .. } => format!("{} RUNNING", self.one(*job)),
            Change::GangPlaced(placed) => {
                let places: Vec<String> = placed.placements.iter().map(place).collect();
                format!("{} STARTING in {}", self.of(placed.job), places.join(" and "))
            }
            Change::GangStarted { job, main, .. } => {
                format!("{} RUNNING, with its main node {main}", self.of(*job))
            }
            Change::GangEnded(ended) => {
                let next = match ended.end.next {
                    AfterAttempt::Retried => "RUNNABLE again",
                    AfterAttempt::Succeeded => "SUCCEEDED",
                    AfterAttempt::Failed => "FAILED",
                };
                let reason = ended.end.status_reason.as_str();
                format!("{} {next}: {reason}", self.of(ended.job))
            }
            Change::StopRequested { job, cause } => {
                let cause = match cause {
                    StopCause::Terminated(reason) => reason.as_str(),
                    StopCause::TimedOut => "timeout",
                    StopCause::EnvironmentDeleted => "environment deleted",
                    StopCause::InstanceReplaced => "instance replaced",
                    StopCause::Interrupted => "its place is taken away",
                    StopCause::NodeNotStarted(_) => "another node did not start",
                    StopCause::MainEnded => "main node ended",
                    StopCause::Preempted(Preemption::CrossShare) => {
                        "other shares want back what was borrowed"
                    }
                    StopCause::Preempted(Preemption::InShare) => "a job of higher priority",
                };
                format!("{} is to stop: {cause}", self.one(*job))
            }
            Change::CancelNoted(job) => format!("{} is cancelled, and goes on", self.one(*job)),
            Change::ArrayStopNoted { job, kind } => {
                format!("{} is {} as a whole", self.of(*job), stopped(*kind))
            }
            Change::AttemptEnded(ended) => self.attempt_ended(ended),
            Change::JobFailed(failed) => {
                let by = failed
                    .stopped_by
                    .map_or(String::new(), |kind| format!(", {}", stopped(kind)));
                format!(
                    "{} FAILED: {}{by}",
                    self.one(failed.job),
                    failed.status_reason.as_str()
                )
            }
            Change::ChildrenFailed {
                job,
                children,
                status_reason,
                ..
            } => format!(
                "{} FAILED: {}",
                self.children(*job, children),
                status_reason.as_str()
            ),
            Change::ArrayEnded(ended) => {
                let status = if ended.has_succeeded {
                    "SUCCEEDED"
                } else {
                    "FAILED"
                };
                let reason = ended
                    .status_reason
                    .as_ref()
                    .map_or("no reason", |reason| reason.as_str());
                format!("{} {status} as a whole: {reason}", self.of(ended.job))
            }
            other => format!("{other:?}"),
        }
    }

    fn attempt_ended(&self, ended: &AttemptEnded) -> String {
        let status = match ended.next {
            AfterAttempt::Retried => "RUNNABLE again",
            AfterAttempt::Succeeded => "SUCCEEDED",
            AfterAttempt::Failed => "FAILED",
        };
        let code = ended
            .exit_code
            .map_or(String::new(), |code| format!(", exit code {code}"));
        let reason = ended
            .reason
            .as_ref()
            .map_or(String::new(), |reason| format!(", {reason}"));
        let never = if ended.started_at.is_none() {
            ", never RUNNING"
        } else {
            ""
        };
        let containers: String = ended
            .containers
            .iter()
            .map(|end| match end.exit_code {
                Some(code) => format!(", {} {code}", end.name),
                None => format!(", {} without exit code", end.name),
            })
            .collect();
        format!(
            "{} {status}: {}{code}{reason}{never}{containers}",
            self.one(ended.job),
            ended.status_reason.as_str()
        )
    }

    /// A live job as `show` prints it.
    pub(crate) fn job(&self, id: JobId, job: &Job) -> String {
        let name = self.of(id);
        match &job.body {
            Body::Waiting(_) | Body::Ready(_) | Body::MultiNode(_) => {
                format!("{name} {}", job.status().as_str())
            }
            Body::Array(array) => {
                let StatusCounts {
                    pending,
                    runnable,
                    starting,
                    running,
                    succeeded,
                    failed,
                } = array.counts();
                format!(
                    "{name} {}: {pending} pending, {runnable} runnable, {starting} starting, {running} running, {succeeded} succeeded, {failed} failed",
                    job.status().as_str()
                )
            }
        }
    }
}

/// An environment as `show` prints it.
pub(crate) fn environment(environment: &Environment) -> String {
    let off = match environment.switch {
        Switch::Enabled => "",
        Switch::Disabled => ", disabled",
    };
    let instances: Vec<String> = environment
        .instances
        .iter()
        .map(|(id, instance)| format!(", instance {} has {} free", id.0, instance.free()))
        .collect();
    let units: Vec<String> = environment
        .units
        .iter()
        .map(|(unit, count)| format!(", {count} {unit}"))
        .collect();
    format!(
        "{}: {} in use by {}{off}{}{}",
        environment.name,
        environment.in_use,
        environment.attempts,
        units.concat(),
        instances.concat()
    )
}

fn of_line(line: &str) -> String {
    match line {
        "" => String::new(),
        _ => format!(", share {line},"),
    }
}

fn place(placement: &Placement) -> String {
    let Placement {
        environment,
        instance,
        gpus,
    } = placement;
    let instance = instance.map_or(String::new(), |id| format!(" on instance {}", id.0));
    let gpus = if gpus.is_empty() {
        String::new()
    } else {
        format!(" with GPUs {gpus:?}")
    };
    format!("environment {}{instance}{gpus}", environment.0)
}

fn stopped(kind: StopKind) -> &'static str {
    match kind {
        StopKind::Cancel => "cancelled",
        StopKind::Terminate => "terminated",
    }
}
