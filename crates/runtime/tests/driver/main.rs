//! The driver among faults: a store that is slow, full, or dies with the server, and engines that tell late, twice, or not at all.
//!
//! [`disk`] and [`host`] are what outlives a server: the committed state and the processes. [`world`] starts servers on them, kills them
//! and talks to them. `commit`, `crash`, `report` and `overload` are one story each; `simulation` plays random
//! ones, each decided by a seed: `cargo xtask soak --suite driver` plays fresh ones, and the tests here the same ones each time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod commit;
mod crash;
mod disk;
mod fixture;
mod host;
mod moved;
mod overload;
mod report;
mod simulation;
mod world;

use batchyard_seeds::check;

use crate::simulation::Faults;

#[test]
fn seeds_0_to_49_keep_what_was_promised() {
    check::<Faults>(0..50);
}

#[test]
fn seeds_50_to_99_keep_what_was_promised() {
    check::<Faults>(50..100);
}

#[test]
fn seeds_100_to_149_keep_what_was_promised() {
    check::<Faults>(100..150);
}

#[test]
fn seeds_150_to_199_keep_what_was_promised() {
    check::<Faults>(150..200);
}
