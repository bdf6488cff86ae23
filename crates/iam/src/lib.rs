//! Who is calling: AWS Signature Version 4 and the credentials behind it.
//!
//! A request becomes a [`Verified`] caller, or an [`Error`] that carries AWS's own code, status and text. The same canonical form
//! serves both directions: [`sign`] and [`presign`] make what [`Verifier::verify`] accepts.
//!
//! What this crate must not do: read a clock, draw random numbers, do I/O or wait. Time and randomness are arguments and long-term
//! keys come through [`KeyLookup`]. Nothing here prints a secret: secrets have no `Display` and their `Debug` is a mask.
//!
//! Who may do what has its place here too: policies and their evaluation belong beside [`Principal`], and users become one more way to
//! make one. Neither exists yet; every verified caller may do everything.
//!
//! Where to start reading: [`verify`], then `claim` (what the request says about itself) and `canonical` (the text that
//! is signed). Sessions are in [`session`]; how a running task asks for one is in `task_token`.

pub mod error;
pub mod limits;
pub mod role;
pub mod session;
pub mod verify;

mod access_key;
mod canonical;
mod claim;
mod principal;
mod public_text;
mod scope;
mod sign;
mod signing_key;
mod task_token;
mod time;

pub use access_key::{AccessKeyId, Credentials, SecretAccessKey, SessionToken};
pub use canonical::SigningInput;
pub use error::{Dialect, Error};
pub use principal::{AccountId, Partition, Principal, RoleSession};
pub use role::Role;
pub use scope::{Region, ServiceName, Target};
pub use session::{Session, SessionIssuer};
pub use sign::{ExpiresIn, SignError, presign, sign};
pub use task_token::{TaskToken, TaskTokens};
pub use time::UnixSeconds;
pub use verify::{AccessKey, KeyLookup, Rules, Verified, Verifier};
