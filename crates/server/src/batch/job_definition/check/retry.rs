//! Retry strategy and timeout, of definitions and of submissions.

use batchyard_wire::batch::{EvaluateOnExit, JobTimeout, RetryAction, RetryStrategy};

use super::{Check, refuse, require};

/// Conditions of a strategy (section A3.10).
const CONDITIONS_MAX: usize = 5;

/// Characters of a condition (section A3.10).
const CONDITION_CHARACTERS_MAX: usize = 512;

/// Shortest timeout in seconds (section A3.11).
const TIMEOUT_SECONDS_MIN: i32 = 60;

pub(crate) fn check_retry_strategy(strategy: &RetryStrategy) -> Check {
    let RetryStrategy {
        attempts,
        evaluate_on_exit,
    } = strategy;
    let Some(attempts) = attempts else {
        return refuse("RetryAttempts must be provided with retry strategy.");
    };
    require(
        (1..=10).contains(attempts),
        "RetryAttempts must be between 1 and 10.",
    )?;
    let conditions = evaluate_on_exit.as_deref().unwrap_or_default();
    // Own words.
    require(
        conditions.len() <= CONDITIONS_MAX,
        format!("evaluateOnExit can have at most {CONDITIONS_MAX} entries."),
    )?;
    conditions.iter().try_for_each(condition)
}

fn condition(condition: &EvaluateOnExit) -> Check {
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
    require(
        given
            .iter()
            .all(|text| text.chars().count() <= CONDITION_CHARACTERS_MAX),
        "Evaluate on exit condition cannot exceed 512 characters.",
    )?;
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
