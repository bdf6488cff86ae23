//! Simulations by seed: one number, one history, on any machine.
//!
//! A [`Simulation`] says what can happen ([`histories`](Simulation::histories)) and plays it. A seed decides all that is random in it, so a
//! seed that fails is all that has to be told of a failure: [`check`] and [`main`] print the one command that repeats it. Histories are
//! made by proptest's strategies from a generator that the seed fills, for the sake of one thing: a history that fails can be made
//! shorter. Nothing else of proptest is used, neither its cases nor its files of failures. The same seed gives the same history as long
//! as the strategies and the version of proptest stay the same; a failure that is to be kept becomes a scenario.
//!
//! For tests alone: no crate of the product depends on it.

mod command_line;
mod shrink;
mod tally;

use std::fmt::Debug;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::strategy::{BoxedStrategy, Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

pub use command_line::main;
pub use tally::Tally;

/// Something that a history is played against.
pub trait Simulation {
    /// What it is called on the command line.
    const NAME: &'static str;

    /// What happens.
    type History: Clone + Debug + 'static;

    /// All that can happen.
    fn histories() -> BoxedStrategy<Self::History>;

    /// Lets it happen, checks what must hold, and counts what was done. The same history has the same course, always.
    ///
    /// # Panics
    /// If something does not hold: that is a failure.
    fn play(history: &Self::History, tally: &mut Tally);
}

/// A seed whose history shows a failure.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What did not hold, and where that was found.
    pub message: String,
}

/// Plays the histories of these seeds.
///
/// # Panics
/// If some fail: with the command that repeats each of them.
pub fn check<S: Simulation>(seeds: Range<u64>) {
    let failures: Vec<Failure> = seeds.filter_map(|seed| play::<S>(seed).err()).collect();
    let told = failures.iter().map(|failure| {
        let Failure { seed, message } = failure;
        format!(
            "seed {seed}: {message}\nrepeat it with: {}\n",
            repetition::<S>(*seed)
        )
    });
    let told: String = told.collect();
    assert!(failures.is_empty(), "{} seeds fail\n{told}", failures.len());
}

/// The command that repeats a seed.
#[must_use]
pub fn repetition<S: Simulation>(seed: u64) -> String {
    format!("cargo xtask soak --suite {} --seed {seed}", S::NAME)
}

/// Plays the history of a seed; what was counted.
///
/// # Errors
/// If something did not hold.
pub fn play<S: Simulation>(seed: u64) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    match attempt::<S>(&tree::<S>(seed).current(), &mut tally) {
        Ok(()) => Ok(tally),
        Err(message) => Err(Failure { seed, message }),
    }
}

/// The history of a seed, and the way to shorter ones.
fn tree<S: Simulation>(seed: u64) -> Box<dyn ValueTree<Value = S::History>> {
    let mut bytes = [0; 32];
    for (byte, of_seed) in bytes.iter_mut().zip(seed.to_le_bytes()) {
        *byte = of_seed;
    }
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let tree = S::histories().new_tree(&mut runner);
    tree.expect("histories are made, never filtered")
}

fn attempt<S: Simulation>(history: &S::History, tally: &mut Tally) -> Result<(), String> {
    shrink::note_panics(true);
    let played = catch_unwind(AssertUnwindSafe(|| S::play(history, tally)));
    shrink::note_panics(false);
    played.map_err(|_| shrink::first_panic())
}
