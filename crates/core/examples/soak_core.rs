//! The random histories of `tests/histories` as a program, for `cargo xtask soak --suite core`.

#[path = "../tests/histories/invariant.rs"]
mod invariant;
#[path = "../tests/histories/op.rs"]
mod op;
#[path = "../tests/histories/pass.rs"]
mod pass;
#[path = "../tests/histories/simulation.rs"]
mod simulation;
#[path = "../tests/histories/world/mod.rs"]
mod world;

fn main() -> std::process::ExitCode {
    batchyard_seeds::main::<simulation::Histories>()
}
