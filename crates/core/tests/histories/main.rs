//! Random histories: whatever clients ask and engines tell, in whatever order, what must always hold does.
//!
//! [`op`] makes histories, [`world`] plays one against the core with engines that answer late, twice, or not at all, and [`invariant`]
//! says what must hold after every step. A seed decides a history: `cargo xtask soak --suite core` plays fresh ones, and the tests here
//! the same ones each time, in parts that run beside each other.

mod invariant;
mod op;
mod pass;
mod simulation;
mod world;

use batchyard_seeds::check;

use crate::simulation::Histories;

#[test]
fn seeds_0_to_49_keep_what_must_hold() {
    check::<Histories>(0..50);
}

#[test]
fn seeds_50_to_99_keep_what_must_hold() {
    check::<Histories>(50..100);
}

#[test]
fn seeds_100_to_149_keep_what_must_hold() {
    check::<Histories>(100..150);
}

#[test]
fn seeds_150_to_199_keep_what_must_hold() {
    check::<Histories>(150..200);
}
