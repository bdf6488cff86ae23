//! The file itself: whose it is, what is left of it after a kill, on a full disk, and from earlier versions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batch;
mod compat;
mod full;
mod kill;
mod open;
