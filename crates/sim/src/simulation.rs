//! Simulations from beginning to end: of a workload on a site, and of a server's present state.
//!
//! In plain numbers, so that whoever asks for one need not know the scheduler's types.

use batchyard_core::command::Input;
use batchyard_core::explain::explain;
use batchyard_core::id::JobKey;
use batchyard_core::job::JobStatus;
use batchyard_core::name::QueueName;
use batchyard_core::resources::{Mebibytes, MilliVcpus};
use batchyard_core::time::{Millis, Timestamp};
use batchyard_core::{Core, Output};

use crate::forecast::Quantile;
use crate::mishap::{Mishaps, Troubled};
use crate::onward::Onward;
use crate::playback::{Manners, Playback, Stops};
use crate::present::{Present, PresentError};
use crate::replay::Replay;
use crate::report::Report;
use crate::site::{Edit, EditError, Prices, SetUpError, Site, register};
use crate::words::jobs;
use crate::workload::{Place, Workload};

/// What all simulations can be told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// What is changed first.
    pub edits: Vec<Edit>,
    /// Seconds from the placing of an attempt to the start of its program.
    pub start_latency_seconds: u64,
    /// Attempts of the jobs of a workload that do not say how many they may have, 1 to 10; 0 is 1.
    pub attempts: u8,
    /// What goes wrong by chance.
    pub mishaps: Mishaps,
}

/// What the simulation of a server's state can be told besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresentOptions {
    /// Another number of vCPUs of the host.
    pub host_vcpus: Option<u32>,
    /// Another amount of memory of the host, in MiB.
    pub host_memory_mib: Option<u64>,
    /// Whether to count with run times that nine of ten runs did not exceed, instead of half.
    pub is_pessimistic: bool,
    /// Seconds that attempts run of which nothing says how long they do; `None` is for ever.
    pub assumed_run_seconds: Option<u64>,
}

/// A simulation could not begin.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The site cannot be.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
    /// The server's state makes no sense.
    #[error("failed to use the server's state")]
    Present(#[from] PresentError),
    /// A job names a queue that the site does not have.
    #[error("{place}: queue is {queue}, which the site does not have")]
    NoQueue {
        /// The line of its first job.
        place: Place,
        /// Which.
        queue: QueueName,
    },
    /// A change cannot be made.
    #[error("failed to make a change: {0}")]
    Edit(#[from] EditError),
}

/// Plays a workload on a site to its end.
///
/// # Errors
/// When the site cannot be, lacks a queue that a job names, or a change cannot be made. Jobs that are refused otherwise are noted in the report.
pub fn of_workload(workload: &Workload, site: &Site, options: &Options) -> Result<Report, SimulationError> {
    let has = |name: &QueueName| site.queues.iter().any(|queue| queue.name == *name);
    for job in &workload.jobs {
        if let Some(queue) = job.queue.as_ref().filter(|name| !has(name)) {
            let place = Place {
                file: workload.file.clone(),
                line: job.line,
            };
            let queue = queue.clone();
            return Err(SimulationError::NoQueue { place, queue });
        }
    }
    let begin = workload
        .jobs
        .first()
        .map_or(Timestamp::default(), |job| job.submit);
    let mut core = site.core(begin)?;
    for name in workload.definitions() {
        let register = Input::Command(register(name.clone()));
        core.handle(begin, register, &mut Output::default())
            .map_err(SetUpError::from)?;
    }
    for edit in &options.edits {
        edit.apply(&mut core, begin)?;
    }
    let queues = site.queues.iter();
    let queues = queues.map(|queue| (queue.name.clone(), queue.fair_share.is_some()));
    let replay = Replay::new(workload, queues, options.attempts);
    let troubled = Troubled::new(replay, options.mishaps, core.state(), begin);
    let mut playback = Playback::new(core, begin, options.manners(), troubled);
    playback.play();
    let (core, troubled) = playback.into_parts();
    let Replay { record, refused, .. } = troubled.into_script();
    let mut notes = workload.notes.clone();
    if let Some((count, rejection)) = refused {
        notes.push(format!("{} refused, the first because {rejection}", jobs(count)));
    }
    notes.extend(why_left(&core));
    Ok(Report::new(&record, core.state(), begin, &site.prices, notes))
}

/// Plays a server's state on until nothing happens any more.
///
/// # Errors
/// When the state makes no sense, or a change cannot be made.
pub fn of_present(
    mut present: Present,
    present_options: &PresentOptions,
    options: &Options,
) -> Result<Report, SimulationError> {
    let PresentOptions {
        host_vcpus,
        host_memory_mib,
        is_pessimistic,
        assumed_run_seconds,
    } = present_options;
    present.host.vcpus = host_vcpus.map_or(present.host.vcpus, MilliVcpus::whole);
    present.host.memory = host_memory_mib.map_or(present.host.memory, Mebibytes);
    let (now, host) = (present.at, present.host);
    let mut core = present.into_core()?;
    let mut notes = Vec::new();
    for edit in &options.edits {
        edit.apply(&mut core, now)?;
        if let Edit::EnvironmentVcpus(name, vcpus) = edit
            && MilliVcpus::whole(*vcpus) > host.vcpus
        {
            let host = host.vcpus;
            notes.push(format!(
                "{name} may have {vcpus} vCPUs, but the host has {host}; --host-vcpus changes that"
            ));
        }
    }
    let quantile = if *is_pessimistic {
        Quantile::NineTenths
    } else {
        Quantile::Half
    };
    let otherwise = assumed_run_seconds.map(Millis::from_seconds);
    let onward = Onward::new(core.state(), now, quantile, otherwise);
    let troubled = Troubled::new(onward, options.mishaps, core.state(), now);
    let mut playback = Playback::new(core, now, options.manners(), troubled);
    playback.play();
    let (core, troubled) = playback.into_parts();
    let Onward { record, unknown, .. } = troubled.into_script();
    if let Some(first) = unknown.first() {
        let run = match otherwise {
            None => "for ever; --assume-run gives them a time".to_owned(),
            Some(run) => format!("for {run}"),
        };
        notes.push(format!(
            "{} without history and timeout, such as {first}, taken to run {run}",
            jobs(unknown.len())
        ));
    }
    notes.extend(why_left(&core));
    Ok(Report::new(&record, core.state(), now, &Prices::default(), notes))
}

impl Options {
    fn manners(&self) -> Manners {
        Manners {
            start_latency: Millis::from_seconds(self.start_latency_seconds),
            stops: Stops::AtOnce,
        }
    }
}

/// Why jobs are left that never started: what is in the way of the first of them.
fn why_left(core: &Core) -> Option<String> {
    let mut jobs = core.state().jobs();
    let (id, _) = jobs.find(|(_, job)| job.status() == JobStatus::Runnable)?;
    let explanation = explain(core.state(), JobKey::whole(id), Timestamp::default())?.to_string();
    let lines: Vec<&str> = explanation.lines().map(str::trim).collect();
    Some(format!("the first job that never started: {}", lines.join(" ")))
}
