//! The wire shapes of the AWS services that Batchyard serves: generated from the services' models, with the few
//! protocols they speak.
//!
//! Must not know anything of Batchyard's own types, and decides nothing: what a request means is the server's affair.
//!
//! Where to start reading:
//! - [`batch`], [`logs`], [`sts`]: shapes, the `Operation` table, the `Api` trait with its `dispatch`, the errors;
//! - [`identify`] and [`ServiceFacts::input`]: from the bytes of a request to a checked, typed input;
//! - [`check`]: what is checked, and the words for what is wrong;
//! - [`client`]: the same operations from the caller's side.

pub mod check;
pub mod client;
mod fault;
mod generated;
mod open_enum;
mod operation;
pub mod protocol;
mod sensitive;
mod service;
pub mod shape;
mod timestamp;
mod xml;

pub use fault::{EncodedFault, Fault};
pub use generated::{batch, logs, sts};
pub use operation::{Call, OperationFacts};
pub use protocol::{Answer, Protocol, RawRequest};
pub use sensitive::Sensitive;
pub use service::{Service, ServiceFacts, identify};
pub use timestamp::Timestamp;
