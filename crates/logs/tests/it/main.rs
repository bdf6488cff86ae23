//! The log store as its users see it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod concurrent;
mod crash;
mod full;
mod lists;
mod model;
mod open;
mod pages;
mod setup;
