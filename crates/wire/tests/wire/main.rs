//! What the crate promises to the server and to clients: routing, parsing, checks and the texts of faults, for each
//! protocol. Golden texts first (`routing`, `bodies`, `numbers`, `patterns`, `faults`, `answers`), then laws over all operations in
//! `properties` and `calls`.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod answers;
mod bodies;
mod calls;
mod faults;
mod numbers;
mod patterns;
mod properties;
mod routing;
mod values;
mod written;
