//! Retry strategy and timeout, of definitions and of submissions.

use batchyard_wire::batch::{EvaluateOnExit, JobTimeout, RetryAction, RetryStrategy};

use super::{Check, refuse, require};
use crate::config::LimitsConfig;

/// Shortest timeout in seconds (section A3.11).
const TIMEOUT_SECONDS_MIN: i32 = 60;

pub(crate) fn check_retry_strategy(strategy: &RetryStrategy, limits: &LimitsConfig) -> Check {
    let RetryStrategy {
        attempts,
        evaluate_on_exit,
    } = strategy;
    let Some(attempts) = attempts else {
        return refuse("RetryAttempts must be provided with retry strategy.");
    };
    check_attempts(*attempts, limits)?;
    let conditions = evaluate_on_exit.as_deref().unwrap_or_default();
    check_conditions(conditions.len(), limits)?;
    conditions
        .iter()
        .try_for_each(|one| condition(one, limits.evaluate_on_exit_characters))
}

/// Whether a job may be tried so often.
pub(crate) fn check_attempts(attempts: i32, limits: &LimitsConfig) -> Check {
    let most = limits.attempts;
    require(
        (1..=i32::from(most)).contains(&attempts),
        format!("RetryAttempts must be between 1 and {most}."),
    )
}

/// Whether a strategy may have so many conditions. Own words.
pub(crate) fn check_conditions(count: usize, limits: &LimitsConfig) -> Check {
    let most = limits.evaluate_on_exit;
    require(
        count <= most,
        format!("evaluateOnExit can have at most {most} entries."),
    )
}

/// Whether a condition may be so long.
pub(crate) fn check_condition_length(text: &str, most: usize) -> Check {
    require(
        text.chars().count() <= most,
        format!("Evaluate on exit condition cannot exceed {most} characters."),
    )
}

fn condition(condition: &EvaluateOnExit, characters_max: usize) -> Check {
    let EvaluateOnExit {
        action,
        on_exit_code,
        on_reason,
        on_status_reason,
    } = condition;
    let given: Vec<&String> = [on_exit_code, on_reason, on_status_reason]
        .into_iter()
        .flatten()
        .collect();
    require(
        !given.is_empty(),
        "EvaluateOnExit should contain at least one of onExitCode, onReason or onStatusReason",
    )?;
    given
        .iter()
        .try_for_each(|text| check_condition_length(text, characters_max))?;
    let is_text = |text: &String| {
        let inner = text.strip_suffix('*').unwrap_or(text);
        inner
            .chars()
            .all(|c| c.is_alphanumeric() || c.is_whitespace() || c == '.' || c == ':')
    };
    let is_number = |text: &String| {
        let inner = text.strip_suffix('*').unwrap_or(text);
        inner.bytes().all(|byte| byte.is_ascii_digit())
    };
    let texts = [on_reason, on_status_reason].into_iter().flatten();
    require(
        on_exit_code.iter().all(is_number) && texts.into_iter().all(is_text),
        "Evaluate on exit condition contains restricted characters.",
    )?;
    let is_action = match action {
        RetryAction::Retry | RetryAction::Exit => true,
        RetryAction::Unknown(text) => ["retry", "exit"]
            .iter()
            .any(|known| text.eq_ignore_ascii_case(known)),
    };
    // Own words.
    require(is_action, "action of evaluateOnExit must be RETRY or EXIT.")
}

pub(crate) fn check_timeout(timeout: &JobTimeout) -> Check {
    let seconds = timeout.attempt_duration_seconds;
    // Own words.
    require(
        seconds.is_none_or(|seconds| seconds >= TIMEOUT_SECONDS_MIN),
        format!("attemptDurationSeconds must be at least {TIMEOUT_SECONDS_MIN}."),
    )
}
