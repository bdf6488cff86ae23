//! Log configuration.

use batchyard_wire::batch::{LogConfiguration, LogDriver};

use super::{Check, refuse, require};

/// What `awslogs` may be told (section A3.15, and the driver's documentation).
const AWSLOGS_OPTIONS: [&str; 9] = [
    "awslogs-group",
    "awslogs-region",
    "awslogs-stream-prefix",
    "awslogs-create-group",
    "awslogs-datetime-format",
    "awslogs-multiline-pattern",
    "awslogs-endpoint",
    "mode",
    "max-buffer-size",
];

pub(super) fn check(log: &LogConfiguration) -> Check {
    let LogConfiguration {
        log_driver,
        options,
        secret_options: _,
    } = log;
    if let LogDriver::Unknown(driver) = log_driver {
        // Own words.
        return refuse(format!("Log driver is not valid: {driver}"));
    }
    if *log_driver != LogDriver::Awslogs {
        return Ok(());
    }
    let unknown = options.iter().flatten().map(|(key, _)| key.as_str());
    match unknown.into_iter().find(|key| !AWSLOGS_OPTIONS.contains(key)) {
        Some(key) => refuse(format!("Log driver awslogs disallows options: {key}")),
        None => require(true, ""),
    }
}
