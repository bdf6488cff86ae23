//! What the daemon says of one container, read to what matters here.
//!
//! It must not remember anything. Start with [`look`].

use batchyard_core::report::Report;
use batchyard_core::time::Timestamp;
use bollard::models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum};

use super::daemon::{Daemon, Failure};
use super::labels::Labels;
use super::moment::Moment;
use super::reason::Reason;

/// A container as it was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// What it carries; `None` where it is none of ours.
    pub(super) labels: Option<Labels>,
    /// What it does.
    pub(super) state: State,
    /// The signal that asks it to stop.
    pub(super) stop_signal: String,
    /// When it was made.
    pub(super) created_at: Option<Timestamp>,
    /// Why it could not be started, in the daemon's words; `None` where that was not tried or it could.
    pub(super) start_error: Option<String>,
}

/// What a container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It was made and never started.
    Created,
    /// Its program runs.
    Running {
        /// Since when.
        started_at: Timestamp,
    },
    /// Its program has ended.
    Exited(Exit),
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    pub(super) started_at: Timestamp,
    pub(super) finished_at: Timestamp,
    pub(super) exit_code: Option<i32>,
    pub(super) is_out_of_memory: bool,
    /// What its program wrote about its failure, where training jobs do; the daemon does not know it.
    pub(super) failure: Option<String>,
}

impl Exit {
    /// As it is told.
    pub(super) fn report(&self) -> Report {
        Report::Exited {
            at: self.finished_at,
            exit_code: self.exit_code,
            reason: self.reason(),
            containers: Vec::new(),
        }
    }

    /// The container's reason, or what a training job wrote about its failure; `None` for an ordinary end.
    pub(super) fn reason(&self) -> Option<String> {
        match self.is_out_of_memory {
            true => Some(Reason::OutOfMemory.text()),
            false => self.failure.clone().filter(|_| self.exit_code != Some(0)),
        }
    }
}

/// Inspects a container by name or id; `None` where there is none.
pub(super) async fn look(daemon: &Daemon, name: &str) -> Result<Option<Found>, Failure> {
    let answer = daemon.client()?.inspect_container(name, None).await;
    let found = match answer.map_err(Failure::from) {
        Ok(found) => found,
        Err(failure) if failure.is_not_found() => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let ContainerInspectResponse {
        state,
        config,
        created,
        ..
    } = found;
    let config = config.unwrap_or_default();
    let state = state.unwrap_or_default();

    Ok(Some(Found {
        labels: config.labels.as_ref().and_then(Labels::from_map),
        created_at: created
            .and_then(|created| Moment::parse(created.as_bytes()))
            .map(Moment::timestamp),
        start_error: state.error.clone().filter(|error| !error.is_empty()),
        state: read(state),
        stop_signal: config
            .stop_signal
            .filter(|signal| !signal.is_empty())
            .unwrap_or_else(|| "SIGTERM".to_owned()),
    }))
}

fn read(state: ContainerState) -> State {
    let moment = |text: Option<String>| {
        text.and_then(|text| Moment::parse(text.as_bytes()))
            .filter(|moment| !moment.is_never())
            .map(Moment::timestamp)
    };
    let Some(started_at) = moment(state.started_at) else {
        return State::Created;
    };
    match state.status {
        Some(
            ContainerStateStatusEnum::EXITED
            | ContainerStateStatusEnum::DEAD
            | ContainerStateStatusEnum::REMOVING,
        ) => State::Exited(Exit {
            started_at,
            // The daemon's clock may have stepped back in between.
            finished_at: moment(state.finished_at).map_or(started_at, |at| at.max(started_at)),
            exit_code: state.exit_code.and_then(|code| i32::try_from(code).ok()),
            is_out_of_memory: state.oom_killed.unwrap_or(false),
            failure: None,
        }),
        Some(ContainerStateStatusEnum::CREATED) => State::Created,
        Some(
            ContainerStateStatusEnum::RUNNING
            | ContainerStateStatusEnum::PAUSED
            | ContainerStateStatusEnum::RESTARTING
            | ContainerStateStatusEnum::STOPPING
            | ContainerStateStatusEnum::EMPTY,
        )
        | None => State::Running { started_at },
    }
}
