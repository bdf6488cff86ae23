//! A core with one environment and one queue, and the engine beside it.

use std::collections::VecDeque;
use std::sync::Arc;

use batchyard_core::change::{Document, JobContent};
use batchyard_core::command::{
    Command, Input, PutEnvironment, PutItem, PutQueue, RegisterDefinition, SubmitJob,
};
use batchyard_core::effect::Effect;
use batchyard_core::environment::{Capacity, EnvironmentSpec, Platform, Switch};
use batchyard_core::id::{AttemptKey, JobId};
use batchyard_core::item::{FairShare, Item, ItemKey, SchedulingPolicy};
use batchyard_core::job::{Profile, ShareClaim};
use batchyard_core::launch::{LaunchSpec, ProcessSpec, Runner};
use batchyard_core::limits::Limits;
use batchyard_core::name::{DefinitionName, EnvironmentName, QueueName, SchedulingPolicyName};
use batchyard_core::report::Report;
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::retry::RetryStrategy;
use batchyard_core::state::Stored;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_core::{Core, CoreConfig, Output};

/// vCPUs of the host that is imagined here: jobs of one vCPU that run at a time.
pub(crate) const VCPUS: u32 = 64;

/// Children of the largest array here.
pub(crate) const ARRAY_MAX: u32 = 1_000_000;

/// How a queue orders its jobs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// By submission.
    Fifo,
    /// By what so many shares have used.
    FairShare(u64),
}

/// See the module.
pub(crate) struct Yard {
    core: Core,
    out: Output,
    now: Timestamp,
    submitted: u64,
    content: JobContent,
    running: VecDeque<AttemptKey>,
    /// What the jobs of each share need; one entry where there are none.
    profiles: Vec<Profile>,
}

impl Yard {
    /// One without jobs.
    pub(crate) fn new(order: Order) -> Self {
        let config = CoreConfig {
            limits: Limits {
                array_size: ARRAY_MAX,
                ..Limits::default()
            },
            ..CoreConfig::new(Resources {
                vcpus: MilliVcpus::whole(VCPUS),
                memory: Mebibytes(1 << 20),
                gpus: 0,
            })
        };
        let core = Core::restore(config, Stored::default()).expect("nothing is stored");
        let mut yard = Yard {
            core,
            out: Output::default(),
            now: Timestamp::from_millis(1_700_000_000_000),
            submitted: 0,
            content: content(),
            running: VecDeque::new(),
            profiles: profiles(order),
        };
        yard.register(order);
        yard
    }

    fn register(&mut self, order: Order) {
        let environment = EnvironmentName::parse("environment").expect("it is a name");
        let policy = SchedulingPolicyName::parse("fair").expect("it is a name");
        self.command(Command::RegisterDefinition(Box::new(RegisterDefinition {
            name: definition(),
            document: document(),
            tags: Vec::new(),
        })));
        self.command(Command::CreateItem(Box::new(PutItem {
            key: ItemKey::SchedulingPolicy(policy.clone()),
            item: Item::SchedulingPolicy(SchedulingPolicy::FairShare(FairShare::default())),
            document: document(),
            tags: Vec::new(),
        })));
        self.command(Command::CreateEnvironment(Box::new(PutEnvironment {
            name: environment.clone(),
            switch: Switch::Enabled,
            spec: EnvironmentSpec {
                platform: Platform::Ec2,
                capacity: Capacity::Shared { vcpus_max: None },
                refuses_multi_node: false,
                reservable_vcpus: None,
            },
            is_valid: true,
            document: document(),
            tags: Vec::new(),
        })));
        self.command(Command::CreateQueue(Box::new(PutQueue {
            name: queue(),
            switch: Switch::Enabled,
            priority: 1,
            environments: vec![environment],
            policy: (order != Order::Fifo).then_some(policy),
            actions: Vec::new(),
            document: document(),
            tags: Vec::new(),
        })));
    }

    /// Adds a job of the next share.
    pub(crate) fn submit(&mut self, array_size: Option<u32>) {
        self.submitted += 1;
        // Identifiers ascend by time and are random within a millisecond.
        let at =
            Timestamp::from_millis(1_700_000_000_000 + i64::try_from(self.submitted / 64).expect("it fits"));
        let random = u128::from(self.submitted.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let of_share = usize::try_from(self.submitted).expect("it fits") % self.profiles.len();
        self.command(Command::SubmitJob(Box::new(SubmitJob {
            id: JobId::new(at, random | random << 64),
            queue: queue(),
            // Each submission has its own, as the server makes them.
            profile: Arc::new(self.profiles[of_share].clone()),
            array_size,
            is_sequential: false,
            dependencies: Vec::new(),
            content: self.content.clone(),
            token: None,
            failure: None,
        })));
    }

    /// Puts so many jobs into the queue beyond those that run, and lets as many run as there is room for.
    pub(crate) fn fill(&mut self, count: u32) {
        for _ in 0..count + VCPUS {
            self.submit(None);
        }
        self.advance();
        for attempt in self.running.clone() {
            self.report(attempt, Report::Started { at: self.now });
        }
    }

    /// One decision: a job is submitted, another ends, a third is placed where that was, and starts. As many are queued as before.
    pub(crate) fn decide(&mut self) {
        self.before_the_pass();
        self.advance();
        self.after_the_pass();
    }

    /// What comes before the pass of a decision. A millisecond goes by.
    pub(crate) fn before_the_pass(&mut self) {
        self.now = self.now + Millis::new(1);
        self.submit(None);
        let ends = self.running.pop_front().expect("the host is full");
        let end = Report::Exited {
            at: self.now,
            exit_code: Some(0),
            reason: None,
            containers: Vec::new(),
        };
        self.report(ends, end);
    }

    /// What comes after it.
    pub(crate) fn after_the_pass(&mut self) {
        let placed = *self.running.back().expect("something was placed");
        self.report(placed, Report::Started { at: self.now });
    }

    /// The pass.
    pub(crate) fn advance(&mut self) {
        while self.core.next_deadline().is_some_and(|due| due <= self.now) {
            self.core.advance(self.now, &mut self.out);
            self.take_effects();
        }
    }

    fn report(&mut self, attempt: AttemptKey, report: Report) {
        self.input(Input::Report { attempt, report });
    }

    fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    fn input(&mut self, input: Input) {
        self.core
            .handle(self.now, input, &mut self.out)
            .expect("the yard asks for nothing odd");
        self.take_effects();
    }

    fn take_effects(&mut self) {
        self.out.changes.clear();
        for effect in self.out.effects.drain(..) {
            if let Effect::Launch { attempt, .. } = effect {
                self.running.push_back(attempt);
            }
        }
    }
}

fn profiles(order: Order) -> Vec<Profile> {
    match order {
        Order::Fifo => vec![profile()],
        Order::FairShare(shares) => {
            let of_share = |number| Profile {
                share: Some(ShareClaim {
                    identifier: format!("share{number}").into(),
                    priority: 0,
                }),
                ..profile()
            };
            (0..shares).map(of_share).collect()
        }
    }
}

fn profile() -> Profile {
    Profile {
        platform: Platform::Ec2,
        resources: Resources {
            vcpus: MilliVcpus::whole(1),
            memory: Mebibytes(512),
            gpus: 0,
        },
        retry: RetryStrategy::default(),
        timeout: Some(Millis::from_seconds(3_600)),
        stop_timeout: Millis::from_seconds(30),
        share: None,
        consumables: Vec::new(),
        definition: None,
        nodes: None,
        service: None,
    }
}

fn queue() -> QueueName {
    QueueName::parse("queue").expect("it is a name")
}

fn definition() -> DefinitionName {
    DefinitionName::parse("definition").expect("it is a name")
}

fn document() -> Document {
    Document(Arc::from("{}"))
}

fn content() -> JobContent {
    let launch = LaunchSpec {
        runner: Runner::Process(ProcessSpec::default()),
        command: Vec::new(),
        environment: Vec::new(),
        resources: Resources::default(),
        log: None,
        stop_timeout: Millis::from_seconds(30),
        role: None,
        training: None,
    };
    JobContent {
        name: "job".to_owned(),
        definition: definition(),
        revision: 1,
        launch: Arc::new(launch),
        nodes: None,
        document: document(),
        tags: Vec::new(),
    }
}
