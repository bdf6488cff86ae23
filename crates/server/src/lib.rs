//! The server: HTTP, the operations of the served AWS APIs, and the wiring of everything below.
//!
//! Only this crate knows both the wire shapes and the domain's types; each operation is one file that turns the one
//! into the other and has the texts that AWS clients see.
//!
//! Where to start reading:
//! - [`Server::start`] wires everything;
//! - `http::gateway` is the way of a request;
//! - `batch/`, `logs/` and `sts` are the operations.

pub mod access;
pub mod arn;
mod batch;
mod caller;
pub mod config;
pub mod data_folder;
pub mod host;
mod http;
mod limits;
mod logs;
mod prices;
mod provisions;
mod purge;
mod server;
mod storage;
mod sts;
mod task_endpoint;

pub use server::{Server, StartError, SupervisorCommand};
