//! Simulation and prediction round the same [`Core`](batchyard_core::Core) that serves: what happens to jobs in virtual time.
//!
//! Nothing here schedules. [`playback`] gives the core its inputs (submissions, starts and ends of attempts) at virtual times and does
//! what it asks for, as the driver and the engines do in real time; all else rests on that.
//!
//! Not here: clocks, files, network. Times, texts and readers come in, values and texts go out.
//!
//! | to understand | read |
//! |---|---|
//! | how virtual time passes | [`playback`] |
//! | when queued jobs are expected to start | [`forecast`] |
//! | what is simulated on | [`site`], [`present`] |
//! | what is submitted, and what becomes of it | [`workload`], [`submission`], [`replay`], [`onward`] |
//! | what goes wrong by chance | [`mishap`] |
//! | what came of it | [`report`] |
//! | all of that together | [`simulation`] |

pub mod forecast;
pub mod limits;
pub mod mishap;
pub mod onward;
pub mod playback;
pub mod present;
pub mod replay;
pub mod report;
pub mod simulation;
pub mod site;
pub mod submission;
mod words;
pub mod workload;
