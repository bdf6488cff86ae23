//! What jobs cost: memory of queued ones, time of accepting and of dispatching. Prints, and asserts nothing.
//!
//! `cargo run --release -p batchyard-core --example cost`

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use batchyard_core::change::{Document, JobContent};
use batchyard_core::command::{Command, Input, PutEnvironment, PutQueue, RegisterDefinition, SubmitJob};
use batchyard_core::effect::Effect;
use batchyard_core::environment::{Capacity, EnvironmentSpec, Platform, Switch};
use batchyard_core::id::{AttemptKey, JobId};
use batchyard_core::job::Profile;
use batchyard_core::launch::{LaunchSpec, ProcessSpec, Runner};
use batchyard_core::limits::Limits;
use batchyard_core::name::{DefinitionName, EnvironmentName, QueueName};
use batchyard_core::report::Report;
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::retry::RetryStrategy;
use batchyard_core::state::Stored;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_core::{Core, CoreConfig, Output};

/// Jobs in a long queue, and children of a large array.
const MANY: u32 = 1_000_000;

/// Jobs dispatched to measure a rate.
const DISPATCHED: u32 = 300_000;

/// vCPUs of the host that is imagined here: jobs of one vCPU that run at a time.
const VCPUS: u32 = 64;

/// Counts what is allocated.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() {
    let empty_rate = {
        let mut yard = Yard::new();
        yard.dispatch(DISPATCHED)
    };
    println!("dispatch, empty queue:             {empty_rate:>10} jobs/s");

    let mut yard = Yard::new();
    let (before, submitted) = (allocated(), elapsed(|| yard.fill(MANY)));
    let bytes = (allocated() - before) / usize_of(MANY);
    println!("queued single job:                 {bytes:>10} bytes");
    println!(
        "submit, {MANY} queued:          {:>10} jobs/s",
        rate(MANY, submitted)
    );
    let full_rate = yard.dispatch(DISPATCHED);
    println!("dispatch, {MANY} queued:        {full_rate:>10} jobs/s");
    println!(
        "full to empty:                     {:>10} %",
        full_rate * 100 / empty_rate.max(1)
    );

    let mut yard = Yard::new();
    let before = allocated();
    let accepted = elapsed(|| {
        yard.submit(Some(MANY));
        yard.advance();
    });
    println!(
        "array of {MANY}:                {:>10} bytes",
        allocated() - before
    );
    println!("array of {MANY}, accepted in:   {:>10} us", accepted.as_micros());
    let array_rate = yard.run_placed(DISPATCHED);
    println!("dispatch, children of that array:  {array_rate:>10} jobs/s");
}

/// A core with one environment and one queue, and the engine beside it.
struct Yard {
    core: Core,
    out: Output,
    now: Timestamp,
    submitted: u64,
    profile: Profile,
    content: JobContent,
    running: std::collections::VecDeque<AttemptKey>,
}

impl Yard {
    fn new() -> Self {
        let config = CoreConfig {
            limits: Limits {
                array_size: MANY,
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
            profile: profile(),
            content: content(),
            running: std::collections::VecDeque::new(),
        };
        let environment = EnvironmentName::parse("environment").expect("it is a name");
        yard.command(Command::RegisterDefinition(Box::new(RegisterDefinition {
            name: definition(),
            document: document(),
            tags: Vec::new(),
        })));
        yard.command(Command::CreateEnvironment(Box::new(PutEnvironment {
            name: environment.clone(),
            switch: Switch::Enabled,
            spec: EnvironmentSpec {
                platform: Platform::Ec2,
                capacity: Capacity::Shared { vcpus_max: None },
                refuses_multi_node: false,
            },
            document: document(),
            tags: Vec::new(),
            is_valid: true,
        })));
        yard.command(Command::CreateQueue(Box::new(PutQueue {
            name: queue(),
            switch: Switch::Enabled,
            priority: 1,
            environments: vec![environment],
            policy: None,
            actions: Vec::new(),
            document: document(),
            tags: Vec::new(),
        })));
        yard
    }

    fn submit(&mut self, array_size: Option<u32>) {
        self.submitted += 1;
        // Identifiers ascend by time and are random within a millisecond.
        let at =
            Timestamp::from_millis(1_700_000_000_000 + i64::try_from(self.submitted / 64).expect("it fits"));
        let random = u128::from(self.submitted.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        self.command(Command::SubmitJob(Box::new(SubmitJob {
            id: JobId::new(at, random | random << 64),
            queue: queue(),
            profile: self.profile.clone(),
            array_size,
            is_sequential: false,
            dependencies: Vec::new(),
            content: self.content.clone(),
            token: None,
            failure: None,
        })));
    }

    /// Puts so many jobs into the queue beyond those that run.
    fn fill(&mut self, count: u32) {
        for _ in 0..count {
            self.submit(None);
        }
        self.advance();
    }

    /// Submits, places, starts and ends so many jobs, and as many as were there stay; jobs a second.
    fn dispatch(&mut self, count: u32) -> u64 {
        let mut ended = 0;
        let time = elapsed(|| {
            while ended < count {
                for _ in 0..VCPUS {
                    self.submit(None);
                }
                ended += self.turn();
            }
        });
        rate(ended, time)
    }

    /// Runs what is there already; jobs a second.
    fn run_placed(&mut self, count: u32) -> u64 {
        let mut ended = 0;
        let time = elapsed(|| {
            while ended < count {
                ended += self.turn();
            }
        });
        rate(ended, time)
    }

    /// Places as many jobs as there is room for, and has all that are placed start and end; how many.
    fn turn(&mut self) -> u32 {
        self.advance();
        let mut ended = 0;
        let at = self.now;
        while let Some(attempt) = self.running.pop_front() {
            for report in [
                Report::Started { at },
                Report::Exited {
                    at,
                    exit_code: Some(0),
                    reason: None,
                    containers: Vec::new(),
                },
            ] {
                self.input(Input::Report { attempt, report });
            }
            ended += 1;
        }
        ended
    }

    fn advance(&mut self) {
        while self.core.next_deadline().is_some_and(|due| due <= self.now) {
            self.core.advance(self.now, &mut self.out);
            self.take_effects();
        }
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

fn allocated() -> usize {
    ALLOCATED.load(Ordering::Relaxed)
}

#[expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "measuring needs a clock; the core is not given it"
)]
fn elapsed(work: impl FnOnce()) -> Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}

fn rate(count: u32, time: Duration) -> u64 {
    u64::from(count) * 1_000_000 / u64::try_from(time.as_micros().max(1)).expect("it fits")
}

fn usize_of(count: u32) -> usize {
    usize::try_from(count).expect("it fits")
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
