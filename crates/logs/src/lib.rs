//! The log store: events by group and stream, as CloudWatch Logs has them, in one SQLite file.
//!
//! Events of a stream are packed into chunks, one row each, so that a stream of gigabytes is thousands of rows and a tiny one costs one
//! besides its own; there are never more files than SQLite's three. One thread writes and commits many requests together; a few
//! connections read at the same time.
//!
//! This crate must not know about jobs, about HTTP, or about what the messages that clients see say. Start reading at [`Logs`], then
//! `writer` for the way in and `events` for the way out.

mod chunk;
mod cursor;
mod error;
mod events;
mod filter;
pub mod limits;
mod list;
mod logs;
mod name;
mod pattern;
mod position;
mod reader;
mod schema;
mod sync;
mod writer;

pub use error::{BrokenCause, Error};
pub use events::{EventsQuery, Page, Start, StoredEvent};
pub use filter::{FilterPage, FilterQuery, FilterStreams, FilteredEvent};
pub use list::{Group, GroupsQuery, Listing, NameMatch, Stream, StreamOrder, StreamsQuery};
pub use logs::Logs;
pub use pattern::{FilterPattern, PatternError};
pub use schema::OpenError;
