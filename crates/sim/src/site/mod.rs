//! What is simulated on: a host, compute environments, queues with their policies, prices.

mod edit;
mod file;

use std::collections::BTreeMap;
use std::sync::Arc;

use batchyard_core::change::Document;
use batchyard_core::command::{
    Command, Input, PutEnvironment, PutItem, PutQueue, RegisterDefinition, Rejection,
};
use batchyard_core::environment::{Capacity, EnvironmentSpec, Platform, Switch};
use batchyard_core::item::{FairShare, Item, ItemKey, SchedulingPolicy};
use batchyard_core::limits::Limits;
use batchyard_core::name::{DefinitionName, EnvironmentName, QueueName, SchedulingPolicyName};
use batchyard_core::options::{BACKFILL, DEPTH, MAX_CONCURRENCY, QueueOptions};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::state::Stored;
use batchyard_core::time::Timestamp;
use batchyard_core::{Core, CoreConfig, Output};

use crate::submission::DEFINITION;

pub use edit::{Edit, EditError, ParseEditError};
pub use file::FileError;

/// A site as it is before the first job.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// What jobs and instances can have in all.
    pub host: Resources,
    /// In the order of creation; at least one.
    pub environments: Vec<Environment>,
    /// In the order of creation; at least one. The first takes the jobs that name none.
    pub queues: Vec<Queue>,
    /// What it costs.
    pub prices: Prices,
}

/// A compute environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// Where its capacity comes from.
    pub capacity: Capacity,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: QueueName,
    /// Higher goes first.
    pub priority: i32,
    /// Where its jobs may run, in the order to try.
    pub environments: Vec<EnvironmentName>,
    /// The policy of a fair-share queue.
    pub fair_share: Option<FairShare>,
    /// Backfill and most attempts at once.
    pub options: QueueOptions,
}

/// What capacity costs, in any currency.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Prices {
    /// A vCPU that a job holds for an hour, outside of instances.
    pub vcpu_hour: Option<f64>,
    /// An instance of a type for an hour, from its making to its end, used or not.
    pub instance_hour: BTreeMap<String, f64>,
    /// What the prices are in, as it is to be shown.
    pub currency: String,
}

/// The site cannot be: the core refuses it.
#[derive(Debug, thiserror::Error)]
#[error("failed to set up the site: {0}")]
pub struct SetUpError(#[from] Rejection);

impl Site {
    /// One environment straight on a host, and one queue in order of submission, both called `default`. Without an amount of memory there
    /// is enough.
    #[must_use]
    pub fn simple(vcpus: u32, memory_mib: Option<u64>, gpus: u16, backfill: bool) -> Site {
        let environment = EnvironmentName::parse("default").expect("it is a name");
        Site {
            host: Resources {
                vcpus: MilliVcpus::whole(vcpus),
                memory: memory_mib.map_or(Mebibytes::UNLIMITED, Mebibytes),
                gpus,
            },
            queues: vec![Queue {
                name: QueueName::parse("default").expect("it is a name"),
                priority: 1,
                environments: vec![environment.clone()],
                fair_share: None,
                options: QueueOptions {
                    max_concurrency: None,
                    backfill,
                    backfill_depth: None,
                },
            }],
            environments: vec![Environment {
                name: environment,
                capacity: Capacity::Shared { vcpus_max: None },
            }],
            prices: Prices::default(),
        }
    }

    /// A core with all of it, made at `now`, that takes arrays of any size.
    ///
    /// # Errors
    /// When the core refuses some of it: names that stand twice, queues with environments that there are not.
    pub fn core(&self, now: Timestamp) -> Result<Core, SetUpError> {
        let limits = Limits {
            array_size: u32::MAX,
            compute_environments: usize::MAX,
            job_queues: usize::MAX,
            scheduling_policies: usize::MAX,
            ..Limits::default()
        };
        let config = CoreConfig {
            limits,
            ..CoreConfig::new(self.host)
        };
        let mut core = Core::restore(config, Stored::default()).expect("nothing contradicts nothing");
        // What becomes of a core's setting up nobody wants to know.
        let mut out = Output::default();
        let definition = register(DefinitionName::parse(DEFINITION).expect("it is a name"));
        let environments = self.environments.iter().map(put_environment);
        let queues = self.queues.iter().flat_map(put_queue);
        for command in std::iter::once(definition).chain(environments).chain(queues) {
            core.handle(now, Input::Command(command), &mut out)?;
        }
        Ok(core)
    }
}

/// Registers a definition that simulated jobs come from.
pub(crate) fn register(name: DefinitionName) -> Command {
    Command::RegisterDefinition(Box::new(RegisterDefinition {
        name,
        document: document(),
        tags: Vec::new(),
    }))
}

fn put_environment(environment: &Environment) -> Command {
    let Environment { name, capacity } = environment;
    Command::CreateEnvironment(Box::new(PutEnvironment {
        name: name.clone(),
        switch: Switch::Enabled,
        spec: EnvironmentSpec {
            platform: Platform::Ec2,
            capacity: capacity.clone(),
            refuses_multi_node: false,
            reservable_vcpus: None,
        },
        document: document(),
        tags: Vec::new(),
        is_valid: true,
    }))
}

/// The queue, and before it its policy, which has the queue's name.
fn put_queue(queue: &Queue) -> Vec<Command> {
    let Queue {
        name,
        priority,
        environments,
        fair_share,
        options,
    } = queue;
    let policy = fair_share.as_ref().map(|policy| {
        let key = SchedulingPolicyName::parse(name.as_str()).expect("names of both have the same form");
        let put = PutItem {
            key: ItemKey::SchedulingPolicy(key.clone()),
            item: Item::SchedulingPolicy(SchedulingPolicy::FairShare(policy.clone())),
            document: document(),
            tags: Vec::new(),
        };
        (key, Command::CreateItem(Box::new(put)))
    });
    let (policy, put_policy) = policy.unzip();
    let most = options
        .max_concurrency
        .map(|max| (MAX_CONCURRENCY.to_owned(), max.to_string()));
    let backfill = options.backfill.then(|| (BACKFILL.to_owned(), "on".to_owned()));
    let depth = options
        .backfill_depth
        .map(|depth| (DEPTH.to_owned(), depth.to_string()));
    let put_queue = Command::CreateQueue(Box::new(PutQueue {
        name: name.clone(),
        switch: Switch::Enabled,
        priority: *priority,
        environments: environments.clone(),
        policy,
        actions: Vec::new(),
        document: document(),
        tags: most.into_iter().chain(backfill).chain(depth).collect(),
    }));
    put_policy.into_iter().chain([put_queue]).collect()
}

fn document() -> Document {
    Document(Arc::from("{}"))
}
