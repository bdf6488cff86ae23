//! What if: changes to a site or to a server's state before it is simulated, as a user writes them: `environment=NAME:maxvCpus=256`.

use std::str::FromStr;

use batchyard_core::Core;
use batchyard_core::change::Document;
use batchyard_core::command::{Command, Input, PutEnvironment, PutQueue, Rejection};
use batchyard_core::environment::{Capacity, EnvironmentSpec, Life};
use batchyard_core::limits::BACKFILL_DEPTH_MAX;
use batchyard_core::name::{EnvironmentName, QueueName};
use batchyard_core::options::{BACKFILL, DEPTH, MAX_CONCURRENCY};
use batchyard_core::time::Timestamp;
use batchyard_core::{Output, queue::Queue};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Another `maxvCpus`.
    EnvironmentVcpus(EnvironmentName, u32),
    /// Another priority.
    QueuePriority(QueueName, i32),
    /// Backfill, or none.
    QueueBackfill(QueueName, bool),
    /// How many jobs are looked at for backfill.
    QueueDepth(QueueName, u32),
    /// Most attempts at once.
    QueueConcurrency(QueueName, u32),
}

/// The text is no change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} must be environment=NAME:maxvCpus=N, queue=NAME:priority=N, queue=NAME:backfill=on or off, queue=NAME:backfillDepth=N, or queue=NAME:maxConcurrency=N"
)]
pub struct ParseEditError(String);

/// A change does not fit what it is to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// There is no such environment.
    #[error("there is no compute environment {0}")]
    NoEnvironment(EnvironmentName),
    /// It counts units.
    #[error("compute environment {0} has no maxvCpus")]
    NoMaximum(EnvironmentName),
    /// There is no such queue.
    #[error("there is no job queue {0}")]
    NoQueue(QueueName),
    /// The core refuses it.
    #[error("the change is refused: {0}")]
    Refused(#[from] Rejection),
}

impl FromStr for Edit {
    type Err = ParseEditError;

    fn from_str(text: &str) -> Result<Self, ParseEditError> {
        parse(text).ok_or_else(|| ParseEditError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Edit> {
    let (target, change) = text.split_once(':')?;
    let (kind, name) = target.split_once('=')?;
    let (field, value) = change.split_once('=')?;
    let queue = || QueueName::parse(name).ok();
    match (kind, field) {
        ("environment", "maxvCpus") => Some(Edit::EnvironmentVcpus(
            EnvironmentName::parse(name).ok()?,
            value.parse().ok()?,
        )),
        ("queue", "priority") => Some(Edit::QueuePriority(queue()?, value.parse().ok()?)),
        ("queue", "backfill") => {
            let is_on = match value {
                "on" => true,
                "off" => false,
                _ => return None,
            };
            Some(Edit::QueueBackfill(queue()?, is_on))
        }
        ("queue", "backfillDepth") => {
            let depth = value.parse().ok();
            let depth = depth.filter(|depth| (1..=BACKFILL_DEPTH_MAX).contains(depth))?;
            Some(Edit::QueueDepth(queue()?, depth))
        }
        ("queue", "maxConcurrency") => Some(Edit::QueueConcurrency(
            queue()?,
            value.parse().ok().filter(|max| *max > 0)?,
        )),
        _ => None,
    }
}

impl Edit {
    /// Makes the change, by the command that a client would send.
    ///
    /// # Errors
    /// When there is nothing of the name, or the core refuses.
    pub fn apply(&self, core: &mut Core, now: Timestamp) -> Result<(), EditError> {
        let command = match self {
            Edit::EnvironmentVcpus(name, vcpus) => resize(core, name, *vcpus)?,
            Edit::QueuePriority(name, priority) => prioritize(core, name, *priority)?,
            Edit::QueueBackfill(name, true) => tag(core, name, Some((BACKFILL, "on".to_owned())), None)?,
            Edit::QueueBackfill(name, false) => tag(core, name, None, Some(BACKFILL))?,
            Edit::QueueDepth(name, depth) => tag(core, name, Some((DEPTH, depth.to_string())), None)?,
            Edit::QueueConcurrency(name, max) => {
                tag(core, name, Some((MAX_CONCURRENCY, max.to_string())), None)?
            }
        };
        core.handle(now, Input::Command(command), &mut Output::default())?;
        Ok(())
    }
}

fn resize(core: &Core, name: &EnvironmentName, vcpus: u32) -> Result<Command, EditError> {
    let found = core.state().environment_named(name);
    let (_, environment) = found.ok_or_else(|| EditError::NoEnvironment(name.clone()))?;
    let capacity = match environment.spec.capacity.clone() {
        Capacity::Shared { .. } => Capacity::Shared {
            vcpus_max: Some(vcpus),
        },
        Capacity::Instances(mut plan) => {
            plan.vcpus_max = vcpus;
            Capacity::Instances(plan)
        }
        Capacity::Units { .. } => return Err(EditError::NoMaximum(name.clone())),
    };
    let put = PutEnvironment {
        name: name.clone(),
        switch: environment.switch,
        spec: EnvironmentSpec {
            capacity,
            ..environment.spec.clone()
        },
        document: document(),
        tags: Vec::new(),
        is_valid: environment.life != Life::Invalid,
    };
    Ok(Command::UpdateEnvironment {
        put: Box::new(put),
        version: environment.version,
        renewal: None,
    })
}

fn prioritize(core: &Core, name: &QueueName, priority: i32) -> Result<Command, EditError> {
    let queue = queue(core, name)?;
    let names = queue
        .environments
        .iter()
        .map(|id| core.state().environment(*id).name.clone());
    let put = PutQueue {
        name: name.clone(),
        switch: queue.switch,
        priority,
        environments: names.collect(),
        policy: queue.policy.clone(),
        actions: queue.actions.clone(),
        document: document(),
        tags: Vec::new(),
    };
    Ok(Command::UpdateQueue {
        put: Box::new(put),
        version: queue.version,
    })
}

fn tag(
    core: &Core,
    name: &QueueName,
    set: Option<(&str, String)>,
    removed: Option<&str>,
) -> Result<Command, EditError> {
    queue(core, name)?;
    Ok(Command::ChangeTags {
        resource: format!("job-queue/{name}"),
        set: set
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
        removed: removed.into_iter().map(str::to_owned).collect(),
    })
}

fn queue<'a>(core: &'a Core, name: &QueueName) -> Result<&'a Queue, EditError> {
    let found = core.state().queue_named(name);
    found
        .map(|(_, queue)| queue)
        .ok_or_else(|| EditError::NoQueue(name.clone()))
}

fn document() -> Document {
    Document("{}".into())
}
