//! The driver among faults, of `tests/driver`, as a program for `cargo xtask soak --suite driver`.

#![expect(clippy::unwrap_used, reason = "a simulation fails by panicking")]
#![expect(
    dead_code,
    reason = "the stories of the tests use more of the world than the simulation does"
)]

#[path = "../tests/driver/clock.rs"]
mod clock;
#[path = "../tests/driver/disk.rs"]
mod disk;
#[path = "../tests/driver/fixture.rs"]
mod fixture;
#[path = "../tests/driver/host.rs"]
mod host;
#[path = "../tests/driver/moved.rs"]
mod moved;
#[path = "../tests/driver/simulation.rs"]
mod simulation;
#[path = "../tests/driver/world.rs"]
mod world;

fn main() -> std::process::ExitCode {
    batchyard_seeds::main::<simulation::Faults>()
}
