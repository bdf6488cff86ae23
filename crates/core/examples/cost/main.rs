//! What jobs cost: the time of a scheduling decision, by how many jobs are queued and how they are ordered, and the memory of a queued
//! job. Prints, and asserts nothing.
//!
//! `cargo run --release -p batchyard-core --example cost [LENGTH …]`
//!
//! A decision is all of it for one job: submitted, placed where another has just ended, started, ended. Queues of all lengths are there at
//! once, and a few decisions of each are measured in turn, many times over: what the machine does besides falls on all of them.

mod allocated;
mod yard;

use std::time::Duration;

use allocated::allocated;
use yard::{ARRAY_MAX, Order, Yard};

/// Queued jobs, unless asked for others.
const LENGTHS: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// Shares of the fair-share queues: as many as a queue may have.
const SHARES: u64 = 500;

/// How often each queue has its turn.
const ROUNDS: usize = 61;

/// Decisions in a turn.
const DECISIONS: u32 = 500;

/// A queue, and what was measured of it.
struct Measured {
    order: Order,
    length: u32,
    yard: Yard,
    bytes: usize,
    decisions: Vec<u128>,
    passes: Vec<u128>,
}

fn main() {
    let asked = std::env::args().skip(1).filter_map(|word| word.parse().ok());
    let mut lengths: Vec<u32> = asked.collect();
    if lengths.is_empty() {
        lengths.extend(LENGTHS);
    }
    let orders = [Order::Fifo, Order::FairShare(SHARES)];
    let queues = orders
        .into_iter()
        .flat_map(|order| lengths.iter().map(move |length| (order, *length)));
    let mut measured: Vec<Measured> = queues.map(|(order, length)| filled(order, length)).collect();
    for _ in 0..ROUNDS {
        for Measured {
            yard,
            decisions,
            passes,
            ..
        } in &mut measured
        {
            let time = elapsed(|| (0..DECISIONS).for_each(|_| yard.decide()));
            decisions.push(each(time));
            let passing = (0..DECISIONS).map(|_| {
                yard.before_the_pass();
                let pass = elapsed(|| yard.advance());
                yard.after_the_pass();
                pass
            });
            passes.push(each(passing.sum()));
        }
    }
    println!("| order | queued | ns a decision | to the first | ns of it the pass | bytes a queued job |");
    println!("|---|---|---|---|---|---|");
    let mut base = 0;
    for one in &mut measured {
        let (decision, pass) = (median(&mut one.decisions), median(&mut one.passes));
        if one.length == lengths[0] {
            base = decision;
        }
        let order = match one.order {
            Order::Fifo => "by submission".to_owned(),
            Order::FairShare(shares) => format!("fair share, {shares} shares"),
        };
        let ratio = decision * 100 / base.max(1);
        println!(
            "| {order} | {} | {decision} | {ratio} % | {pass} | {} |",
            one.length, one.bytes
        );
    }
    array();
}

fn filled(order: Order, length: u32) -> Measured {
    let mut yard = Yard::new(order);
    // What does not depend on the length is not counted.
    yard.fill(0);
    let before = allocated();
    yard.fill(length);
    let bytes = (allocated() - before) / usize::try_from(length).expect("it fits");
    Measured {
        order,
        length,
        yard,
        bytes,
        decisions: Vec::new(),
        passes: Vec::new(),
    }
}

fn array() {
    let mut yard = Yard::new(Order::Fifo);
    let before = allocated();
    let accepted = elapsed(|| {
        yard.submit(Some(ARRAY_MAX));
        yard.advance();
    });
    let bytes = allocated() - before;
    println!(
        "\nan array of {ARRAY_MAX} children: accepted in {} µs, {bytes} bytes",
        accepted.as_micros()
    );
}

/// Nanoseconds of one of [`DECISIONS`].
fn each(time: Duration) -> u128 {
    time.as_nanos() / u128::from(DECISIONS)
}

fn median(values: &mut [u128]) -> u128 {
    values.sort_unstable();
    values[values.len() / 2]
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
