//! The driver among faults: a store that is slow, full, or dies with the server, and engines that tell late, twice, or not at all.
//!
//! [`disk`] and [`host`] are what outlives a server: the committed state and the processes. [`world`] starts servers on them, kills them
//! and talks to them. `commit`, `crash`, `report` and `overload` are one story each; `history` plays random ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod commit;
mod crash;
mod disk;
mod fixture;
mod history;
mod host;
mod moved;
mod overload;
mod report;
mod world;
