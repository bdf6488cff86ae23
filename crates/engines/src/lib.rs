//! Engines: what runs jobs on this host, as processes or as containers, behind the port `Engine`.
//!
//! [`local::LocalEngine`] is the engine of one machine and sends each order to the part that carries it out: [`process`] or [`docker`].
//!
//! Engines must not decide anything: they carry out orders and tell facts. Where to start reading: `local.rs`, then the documentation
//! of the two parts.

pub mod docker;
pub mod lines;
pub mod local;
pub mod process;
pub mod secrets;
pub mod storage;
