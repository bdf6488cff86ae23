//! `cargo xtask soak`: the simulations of the tests with fresh seeds, for as long as is wanted, on all processors.
//!
//! Each simulation is an example of its crate, made by `batchyard-seeds`. One process for each processor plays every so-manieth seed and
//! prints a line for each; this adds the lines up.

mod table;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, ensure};
use clap::ValueEnum;

use crate::test::tools::{command, run, target};

/// A simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// The core among random histories.
    Core,
    /// The driver among faults of its store and its engine.
    Driver,
}

/// What to play.
#[derive(clap::Args)]
pub(crate) struct Soak {
    /// For how long, in minutes; each suite gets its part.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Only this suite.
    #[arg(long)]
    suite: Option<Suite>,
    /// Only this seed, whose history is shortened if it fails.
    #[arg(long, requires = "suite")]
    seed: Option<u64>,
    /// Go on when a seed fails.
    #[arg(long)]
    keep_going: bool,
}

/// What became of the seeds of a suite.
#[derive(Default)]
struct Played {
    seeds: u64,
    counts: BTreeMap<String, u64>,
    failures: Vec<(u64, String)>,
    time: Duration,
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Suite::Core => "core",
            Suite::Driver => "driver",
        }
    }

    /// Where its example is.
    fn package(self) -> &'static str {
        match self {
            Suite::Core => "batchyard-core",
            Suite::Driver => "batchyard-runtime",
        }
    }

    /// The program, built for release.
    fn program(self) -> anyhow::Result<String> {
        let example = format!("soak_{}", self.name());
        run(&mut command(
            "cargo",
            &[
                "build",
                "--quiet",
                "--release",
                "--locked",
                "--package",
                self.package(),
                "--example",
                &example,
            ],
        ))?;
        let program = target().join("release/examples").join(example);
        Ok(program.to_string_lossy().into_owned())
    }
}

/// Plays what is asked for, and prints what became of it.
///
/// # Errors
/// When a seed fails, or a simulation cannot be built.
pub(crate) fn soak(options: &Soak) -> anyhow::Result<()> {
    let Soak {
        minutes,
        suite,
        seed,
        keep_going,
    } = options;
    let suites = suite.map_or(vec![Suite::Core, Suite::Driver], |suite| vec![suite]);
    if let Some(seed) = seed {
        let program = suites[0].program()?;
        return run(&mut command(&program, &["--seed", &seed.to_string()]));
    }
    let time = Duration::try_from_secs_f64(minutes * 60.0).context("that is no time to play for")?;
    let time = time / u32::try_from(suites.len()).unwrap_or(1);
    // Fresh each second, and told when one fails.
    let first = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_secs()
        * 1_000_000;
    let mut all = Vec::new();
    for suite in suites {
        let program = suite.program()?;
        println!("{}: seeds from {first} for {} s", suite.name(), time.as_secs());
        let played = play(&program, first, time, *keep_going)?;
        for (seed, message) in &played.failures {
            println!("seed {seed} fails: {}", message.replace("\\n", "\n"));
            println!(
                "repeat it with: cargo xtask soak --suite {} --seed {seed}",
                suite.name()
            );
        }
        let has_failed = !played.failures.is_empty();
        all.push((suite.name(), played));
        if has_failed && !keep_going {
            break;
        }
    }
    print!("{}", table::table(&all));
    let failures: usize = all.iter().map(|(_, played)| played.failures.len()).sum();
    ensure!(failures == 0, "{failures} seeds fail");
    Ok(())
}

/// Plays seeds on all processors until the time is over, or until one fails.
fn play(program: &str, first: u64, time: Duration, keep_going: bool) -> anyhow::Result<Played> {
    let count = std::thread::available_parallelism()?.get();
    let start = Instant::now();
    let (lines, told) = mpsc::channel();
    let mut children = Vec::new();
    for number in 0..u64::try_from(count)? {
        let arguments = [
            ("--first", first + number),
            ("--step", u64::try_from(count)?),
            ("--seconds", time.as_secs().max(1)),
        ];
        let arguments = arguments.map(|(name, value)| [name.to_owned(), value.to_string()]);
        let mut child = Command::new(program)
            .args(arguments.as_flattened())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("failed to run {program}"))?;
        let output = child.stdout.take().context("its output was asked for")?;
        children.push(child);
        let lines = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody listens any more once a seed has failed.
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
    }
    drop(lines);
    let mut played = Played::default();
    for line in told {
        played.note(&line)?;
        if !keep_going && !played.failures.is_empty() {
            children.iter_mut().try_for_each(Child::kill)?;
            break;
        }
    }
    for mut child in children {
        let status = child.wait()?;
        ensure!(
            status.success() || !played.failures.is_empty(),
            "{program}: {status}"
        );
    }
    played.time = start.elapsed();
    Ok(played)
}

impl Played {
    /// Adds what a line tells: `passed SEED name=number …` or `failed SEED what`.
    fn note(&mut self, line: &str) -> anyhow::Result<()> {
        let (verdict, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (seed, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let seed: u64 = seed
            .parse()
            .with_context(|| format!("not a line of a simulation: {line}"))?;
        self.seeds += 1;
        if verdict != "passed" {
            self.failures.push((seed, rest.to_owned()));
            return Ok(());
        }
        for count in rest.split_whitespace() {
            let (name, number) = count
                .split_once('=')
                .with_context(|| format!("not a count: {count}"))?;
            *self.counts.entry(name.to_owned()).or_default() += number.parse::<u64>()?;
        }
        Ok(())
    }
}
