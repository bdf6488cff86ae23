//! The program that a simulation is for `cargo xtask soak`.
//!
//! `--seed S` plays one seed, and shortens its history if it fails. `--first S --step N --seconds T` plays S, S+N, S+2N … and prints a line for
//! each: `passed SEED name=number …` or `failed SEED what`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::{Failure, Simulation, play, repetition, shrink};

/// Does what the command line asks for.
#[must_use]
pub fn main<S: Simulation>() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let position = arguments.iter().position(|argument| argument == name)?;
        arguments.get(position + 1)?.parse::<u64>().ok()
    };
    match (
        number("--seed"),
        number("--first"),
        number("--step"),
        number("--seconds"),
    ) {
        (Some(seed), None, None, None) => one::<S>(seed),
        (None, Some(first), Some(step), Some(seconds)) => {
            many::<S>(first, step, Duration::from_secs(seconds))
        }
        _ => {
            eprintln!("use: --seed S, or --first S --step N --seconds T");
            ExitCode::FAILURE
        }
    }
}

fn one<S: Simulation>(seed: u64) -> ExitCode {
    let Failure { seed, message } = match play::<S>(seed) {
        Ok(tally) => {
            println!("passed {seed} {tally}");
            return ExitCode::SUCCESS;
        }
        Err(failure) => failure,
    };
    println!("seed {seed} fails: {message}");
    if let Some((history, message)) = shrink::shortest::<S>(seed) {
        println!("the shortest history found that fails: {history:#?}\nit fails: {message}");
    }
    println!("repeat it with: {}", repetition::<S>(seed));
    ExitCode::FAILURE
}

fn many<S: Simulation>(first: u64, step: u64, time: Duration) -> ExitCode {
    let start = Instant::now();
    let mut seed = first;
    while start.elapsed() < time {
        match play::<S>(seed) {
            Ok(tally) => println!("passed {seed} {tally}"),
            Err(Failure { seed, message }) => {
                println!("failed {seed} {}", message.replace('\n', "\\n"));
            }
        }
        seed = seed.wrapping_add(step);
    }
    ExitCode::SUCCESS
}
