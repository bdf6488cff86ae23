//! What backfill gains on a workload like those of real machines, and how fast it is simulated. Prints, and asserts nothing.
//!
//! The jobs are made from a seed by a model after those of the Parallel Workloads Archive (own choice of numbers): a quarter is serial, the
//! others mostly ask for powers of two; run times are spread over five powers of ten; users ask for round times that are longer than what
//! they need, one in ten so short that the job is stopped; they come by day more than by night. `--write FILE` keeps them as a trace, for
//! `batchyard simulate --swf FILE`.
//!
//! `cargo run --release -p batchyard-sim --example backfill -- [--jobs N] [--vcpus N] [--load PERCENT] [--seed N] [--write FILE]`

use std::fmt::Write as _;
use std::io::BufReader;
use std::time::Instant;

use batchyard_sim::report::Report;
use batchyard_sim::simulation::{Options, of_workload};
use batchyard_sim::site::Site;
use batchyard_sim::workload::{SwfOptions, Workload, read_swf};

struct Model {
    jobs: u32,
    vcpus: u32,
    /// What the jobs need of the machine while they come, in percent.
    load: u32,
    seed: u64,
    write: Option<String>,
}

fn main() {
    let mut model = Model {
        jobs: 20_000,
        vcpus: 256,
        load: 90,
        seed: 1,
        write: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().unwrap_or_else(|| panic!("{word} needs a value"));
        let number = || value.parse().unwrap_or_else(|_| panic!("{word} needs a number"));
        match word.as_str() {
            "--jobs" => model.jobs = number(),
            "--vcpus" => model.vcpus = number(),
            "--load" => model.load = number(),
            "--seed" => model.seed = u64::from(number()),
            "--write" => model.write = Some(value),
            _ => panic!("{word} means nothing here"),
        }
    }
    let trace = model.trace();
    if let Some(path) = &model.write {
        std::fs::write(path, &trace).expect("the file can be written");
    }
    let workload = read_swf(
        BufReader::new(trace.as_bytes()),
        "the model",
        SwfOptions::default(),
    );
    let workload = workload.expect("the model writes traces");
    println!(
        "{} jobs on {} vCPUs at a load of {} %, seed {}",
        model.jobs, model.vcpus, model.load, model.seed
    );
    println!("| | makespan | use | wait p50 | p95 | longest | jobs/s |");
    println!("|---|---|---|---|---|---|---|");
    play("in order", &workload, &Site::simple(model.vcpus, None, 0, false));
    for depth in DEPTHS {
        let mut site = Site::simple(model.vcpus, None, 0, true);
        for queue in &mut site.queues {
            queue.options.backfill_depth = Some(depth);
        }
        play(&format!("backfill, depth {depth}"), &workload, &site);
    }
}

/// How many jobs behind the front are looked at, by turns.
const DEPTHS: [u32; 3] = [10, 100, 1_000];

fn play(name: &str, workload: &Workload, site: &Site) {
    let begin = Instant::now();
    let report: Report = of_workload(workload, site, &Options::default()).expect("the site is sound");
    let rate = f64::from(u32::try_from(report.attempts).unwrap_or(0)) / begin.elapsed().as_secs_f64();
    let hours = |seconds: f64| seconds / 3_600.0;
    let queue = &report.queues[0];
    println!(
        "| {name} | {:.1} d | {:.1} % | {:.2} h | {:.2} h | {:.2} h | {rate:.0} |",
        hours(report.makespan_seconds) / 24.0,
        report.utilisation * 100.0,
        hours(queue.wait_p50_seconds),
        hours(queue.wait_p95_seconds),
        hours(queue.wait_max_seconds),
    );
}

/// Times that users ask for, in minutes.
const ASKED: [f64; 9] = [5.0, 15.0, 30.0, 60.0, 120.0, 240.0, 720.0, 1_440.0, 2_880.0];

impl Model {
    /// The trace in the Standard Workload Format.
    fn trace(&self) -> String {
        let mut dice = Dice(self.seed);
        let sizes = f64::from(self.vcpus).log2().floor();
        let jobs: Vec<(u32, f64, f64)> = (0..self.jobs)
            .map(|_| {
                let size = match (dice.chance(0.25), dice.chance(0.8)) {
                    (true, _) => 1.0,
                    (false, true) => (dice.one() * sizes).round().exp2(),
                    (false, false) => (dice.one() * sizes).exp2().round(),
                };
                // From seconds to a day and more, most of them short.
                let run = 10_f64.powf(0.7 + 4.2 * dice.one().powf(0.8));
                let wanted = run / 60.0 * (1.0 + 2.0 * dice.one());
                let asked = ASKED.iter().find(|asked| **asked >= wanted).unwrap_or(&ASKED[8]);
                let asked = if dice.chance(0.1) { run * 0.9 } else { asked * 60.0 };
                (whole(size), run.round(), asked.round().max(1.0))
            })
            .collect();
        let work: f64 = jobs
            .iter()
            .map(|(size, run, asked)| f64::from(*size) * run.min(*asked))
            .sum();
        let span = work / f64::from(self.vcpus) * 100.0 / f64::from(self.load);
        let every = span / f64::from(self.jobs);
        let mut trace = format!("; MaxProcs: {}\n", self.vcpus);
        let mut at = 0.0;
        for (number, (size, run, asked)) in (1..).zip(jobs) {
            let hour = at / 3_600.0 % 24.0;
            // Between 8 and 18 o'clock they come at one and a half times the rate.
            let rate = if (8.0..18.0).contains(&hour) { 1.5 } else { 0.643 };
            at += -dice.one().max(1e-12).ln() * every / rate;
            let user = whole(50.0 * dice.one().powi(3)) + 1;
            writeln!(
                trace,
                "{number} {at:.0} -1 {run:.0} {size} -1 -1 {size} {asked:.0} -1 1 {user} 1 -1 1 1 -1 -1"
            )
            .expect("a string takes everything");
        }
        trace
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is small and not negative"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

/// Numbers that look random, from a seed: SplitMix64.
struct Dice(u64);

impl Dice {
    /// From 0 to below 1.
    fn one(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
        let one = (mixed >> 11) as f64 / 9_007_199_254_740_992.0;
        one
    }

    fn chance(&mut self, of: f64) -> bool {
        self.one() < of
    }
}
