//! The server: HTTP, the operations of the served AWS APIs, and the wiring of everything below.
//!
//! Only this crate knows both the wire shapes and the domain's types; each operation is one file that turns the one
//! into the other and has the texts that AWS clients see.

pub mod batch;
