//! How many jobs are simulated in a second, and how that grows with the length of the queue. Prints, and asserts nothing.
//!
//! Counts seconds of processor time where the system tells them (Linux): what else the machine does then makes little difference.
//!
//! `cargo run --release -p batchyard-sim --example speed [coming|queued|reported|forecast …] [JOBS …]`
//!
//! Instructions are counted, which nothing else on the machine disturbs, by
//! `valgrind --tool=callgrind target/release/examples/speed queued 20000`.

use std::time::Instant;

use batchyard_core::Output;
use batchyard_core::change::Change;
use batchyard_core::command::{Command, Input};
use batchyard_core::id::AttemptKey;
use batchyard_core::name::QueueName;
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::state::State;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_sim::forecast::{Bounds, Forecast};
use batchyard_sim::playback::{Manners, Playback, Run, Script};
use batchyard_sim::simulation::{Options, of_workload};
use batchyard_sim::site::Site;
use batchyard_sim::submission::{Request, Submissions, job_id};
use batchyard_sim::workload::{Job, Workload};

/// vCPUs of the host: jobs of one vCPU that run at a time.
const VCPUS: u32 = 64;

/// Run times in milliseconds, by turns.
const RUNS: [u64; 7] = [10_000, 25_000, 40_000, 65_000, 90_000, 120_000, 300_000];

/// As many jobs as it takes, and nothing noted of what becomes of them.
struct Bare {
    count: u32,
    next: u32,
    /// Time from one submission to the next; nothing puts all of them into the queue at once.
    every: Millis,
    submissions: Submissions,
    request: Request,
    ended: u32,
}

impl Script for Bare {
    fn run(&mut self, _: &State, attempt: AttemptKey, _: Millis) -> Run {
        let number = batchyard_sim::submission::number_of(attempt.job.id);
        let turn = usize::try_from(number).unwrap_or(0) % RUNS.len();
        Run::Ends {
            after: Millis::new(RUNS[turn]),
            exit_code: 0,
        }
    }

    fn saw(&mut self, _: &State, change: &Change, _: Timestamp) {
        self.ended += u32::from(matches!(change, Change::AttemptEnded(_)));
    }

    fn next_arrival(&self) -> Option<Timestamp> {
        let at = self.every.as_millis() * u64::from(self.next);
        (self.next < self.count).then(|| Timestamp::default() + Millis::new(at))
    }

    fn arrive(&mut self, now: Timestamp) -> Option<Command> {
        self.next_arrival().filter(|at| *at <= now)?;
        let id = job_id(now, self.next);
        self.next += 1;
        Some(self.submissions.submit(id, &self.request, &[]))
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (counts, wanted): (Vec<&String>, Vec<&String>) = words
        .iter()
        .partition(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    let mut counts: Vec<u32> = counts.iter().filter_map(|count| count.parse().ok()).collect();
    if counts.is_empty() {
        counts = vec![10_000, 100_000, 1_000_000];
    }
    let is_wanted = |what: &str| wanted.is_empty() || wanted.iter().any(|wanted| *wanted == what);
    if is_wanted("coming") {
        println!("jobs that come as fast as they end, on {VCPUS} vCPUs, in order of submission:");
        // A job ends every 1.5 s in the mean.
        counts.iter().for_each(|count| bare(*count, Millis::new(1_500)));
    }
    if is_wanted("queued") {
        println!("jobs that are all queued at the beginning:");
        counts.iter().for_each(|count| bare(*count, Millis::default()));
    }
    if is_wanted("reported") {
        println!("the same with all that a report needs, and the report:");
        counts.iter().for_each(|count| reported(*count));
    }
    if is_wanted("forecast") {
        println!("a copy of a core in which so many jobs wait, and a forecast from it:");
        counts.iter().for_each(|count| forecast(*count));
    }
}

fn forecast(count: u32) {
    let site = Site::simple(VCPUS, None, 0, false);
    let mut core = site.core(Timestamp::default()).expect("the site is sound");
    let (mut submissions, request) = (Submissions::default(), request());
    let mut out = Output::default();
    for number in 0..count {
        let submit = submissions.submit(job_id(Timestamp::default(), number), &request, &[]);
        core.handle(Timestamp::default(), Input::Command(submit), &mut out)
            .expect("the job is sound");
    }
    let copying = Clock::start();
    let copy = core.clone();
    print(count, copying);
    let looking = Clock::start();
    let forecast = Forecast::new(copy, Timestamp::default(), Bounds::default(), &|| true);
    let starts = forecast
        .queued
        .values()
        .sum::<usize>()
        .min(Bounds::default().starts_max);
    print(u32::try_from(starts).unwrap_or(u32::MAX), looking);
}

fn request() -> Request {
    Request {
        queue: QueueName::parse("default").expect("it is a name"),
        need: need(),
        share: None,
        timeout: Some(Millis::from_seconds(100)),
        array_size: None,
        array_concurrency: None,
        attempts: 1,
    }
}

fn bare(count: u32, every: Millis) {
    let site = Site::simple(VCPUS, None, 0, false);
    let core = site.core(Timestamp::default()).expect("the site is sound");
    let script = Bare {
        count,
        next: 0,
        every,
        submissions: Submissions::default(),
        request: Request {
            timeout: None,
            ..request()
        },
        ended: 0,
    };
    let begin = Clock::start();
    let mut playback = Playback::new(core, Timestamp::default(), Manners::default(), script);
    playback.play();
    print(playback.script().ended, begin);
}

fn reported(count: u32) {
    let site = Site::simple(VCPUS, None, 0, false);
    let job = |number: u32| Job {
        run: Millis::new(RUNS[usize::try_from(number).unwrap_or(0) % RUNS.len()]),
        need: need(),
        ..Job::default()
    };
    let workload = Workload {
        jobs: (0..count).map(job).collect(),
        ..Workload::default()
    };
    let begin = Clock::start();
    let report = of_workload(&workload, &site, &Options::default()).expect("the site is sound");
    let attempts = u32::try_from(report.attempts).unwrap_or(u32::MAX);
    print(attempts, begin);
}

fn need() -> Resources {
    Resources {
        vcpus: MilliVcpus::whole(1),
        memory: Mebibytes(512),
        gpus: 0,
    }
}

fn print(count: u32, clock: Clock) {
    let (cpu, wall) = (clock.cpu_seconds(), clock.wall.elapsed().as_secs_f64());
    // The system counts processor time in steps: what is shorter than one has none.
    let cpu = cpu.filter(|seconds| *seconds > 0.0);
    let rate = f64::from(count) / cpu.unwrap_or(wall);
    println!(
        "{count:>12} jobs in {wall:>8.3} s, {:>8.3} s of processor time: {rate:>10.0} jobs/s",
        cpu.unwrap_or(wall)
    );
}

/// Measures from its start.
#[derive(Clone, Copy)]
struct Clock {
    wall: Instant,
    cpu_ns: Option<f64>,
}

impl Clock {
    fn start() -> Self {
        Clock {
            wall: Instant::now(),
            cpu_ns: cpu_ns(),
        }
    }

    fn cpu_seconds(self) -> Option<f64> {
        Some((cpu_ns()? - self.cpu_ns?) / 1e9)
    }
}

/// Nanoseconds that this program has run on a processor, as Linux counts them.
fn cpu_ns() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}
