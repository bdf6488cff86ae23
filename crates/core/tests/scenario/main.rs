//! Scripted scenarios: commands and reports as text, what follows from them as golden output.
//!
//! [`script`] says what scripts can say. To accept a changed output, run with `UPDATE_EXPECT=1` and read the difference.

mod array;
mod backfill;
mod blocked;
mod capacity;
mod deletion;
mod dependency;
mod interrupt;
mod item;
mod life;
mod limit;
mod multi_node;
mod order;
mod put;
mod quota;
mod registry;
mod renewal;
mod report;
mod retry;
mod scheduled;
mod script;
mod service;
mod service_gpu;
mod share;
mod show;
mod snapshot;
mod stop;
mod token;
mod words;
