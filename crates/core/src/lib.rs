//! The domain of Batchyard and the deterministic state machine that schedules it.
//!
//! [`Core`] owns a [`State`](state::State). [`Core::handle`] takes an [`Input`](command::Input) (a client's command, an engine's report) and
//! [`Core::advance`] lets time pass; both say in [`Output`] what changed and what the world should do. The same inputs at the same
//! times give the same outputs, always: the server, the simulator and the tests run this very code.
//!
//! Not here, and kept out by the crate's lints: clocks, randomness, I/O, threads, async, hash maps, wire formats, SQL.
//!
//! | to understand | read |
//! |---|---|
//! | what can be asked, answered, refused | [`command`] |
//! | what an engine tells, and is asked for | [`report`], [`effect`], [`launch`], [`secret`] |
//! | what a step does | [`change`], then `step/` |
//! | what is remembered | [`state`], [`job`], [`mod@array`], [`multi_node`], [`queue`], [`environment`], [`item`] |
//! | who goes next, and where | [`share`], [`quota`], [`allocation`], `schedule/` |
//! | what stands at a queue's front | [`snapshot`] |
//! | why a job waits, and for how long | [`explain`], [`blocked`], [`outlook`], [`runs`] |

pub mod allocation;
pub mod array;
pub mod blocked;
pub mod change;
mod chunks;
pub mod command;
mod course;
pub mod effect;
pub mod environment;
pub mod explain;
pub mod fleet;
pub(crate) mod generated;
pub mod id;
pub mod instance_type;
pub mod interval_set;
pub mod item;
pub mod job;
pub mod launch;
mod ledger;
pub mod limits;
mod lookup;
mod machine;
pub mod multi_node;
pub mod name;
pub mod options;
pub mod outlook;
pub mod queue;
pub mod quota;
pub mod reason;
pub mod report;
pub mod resources;
pub mod retry;
pub mod runs;
pub mod schedule;
pub mod secret;
pub mod share;
pub mod snapshot;
pub mod state;
mod step;
pub mod time;
pub mod token;
pub mod training;

pub use machine::{Core, CoreConfig, Output};
