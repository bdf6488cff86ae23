//! The store: the port `Store` on a database.
//!
//! [`SqliteStore`] keeps everything in one SQLite file. It must not decide anything: it writes rows from the core's changes and reads
//! them back. Where to start reading: `migrations/0001_initial.sql` for what the rows mean, then `sqlite/commit`.

mod limits;
mod sqlite;

pub use sqlite::{OpenError, SqliteStore};
