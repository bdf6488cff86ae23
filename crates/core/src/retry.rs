//! Whether a failed attempt is followed by another: the retry strategy and its conditions (section B.6).

use serde::{Deserialize, Serialize};

/// How often a job may be tried, and which ends decide otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RetryStrategy {
    /// 1..=10 attempts in all.
    pub attempts: u8,
    /// The first rule whose conditions all hold decides; at most 5.
    pub rules: Vec<EvaluateOnExit>,
}

/// A rule: conditions, at least one of them present, and what to do when all hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EvaluateOnExit {
    /// Holds for the attempt's status reason.
    pub on_status_reason: Option<Pattern>,
    /// Holds for the container's reason.
    pub on_reason: Option<Pattern>,
    /// Holds for the exit code in decimal.
    pub on_exit_code: Option<Pattern>,
    /// What follows.
    pub action: RetryAction,
}

/// What a rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAction {
    /// Try again if attempts are left.
    Retry,
    /// Do not.
    Exit,
}

/// A text to compare literally, case-sensitively; a `*` at its end stands for any rest (sections B6.5, B6.7), and one at its beginning,
/// which only service jobs may have, for anything before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(pub String);

/// How an attempt ended, as far as rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct AttemptEnd<'a> {
    /// The status reason of the attempt.
    pub status_reason: &'a str,
    /// The container's reason.
    pub reason: Option<&'a str>,
    /// The exit code.
    pub exit_code: Option<i32>,
}

impl Default for RetryStrategy {
    fn default() -> Self {
        RetryStrategy {
            attempts: 1,
            rules: Vec::new(),
        }
    }
}

impl RetryStrategy {
    /// Whether another attempt follows a failed one. `attempts_ended` counts that one too.
    ///
    /// An end that no rule matches is retried (section B6.3).
    #[must_use]
    pub fn allows_another(&self, attempts_ended: u16, end: AttemptEnd<'_>) -> bool {
        if attempts_ended >= u16::from(self.attempts) {
            return false;
        }
        let decision = self
            .rules
            .iter()
            .find(|rule| rule.matches(end))
            .map(|rule| rule.action);
        decision != Some(RetryAction::Exit)
    }
}

impl EvaluateOnExit {
    fn matches(&self, end: AttemptEnd<'_>) -> bool {
        let EvaluateOnExit {
            on_status_reason,
            on_reason,
            on_exit_code,
            action: _,
        } = self;
        let holds = |condition: &Option<Pattern>, text: Option<&str>| {
            condition.as_ref().is_none_or(|pattern| pattern.matches(text))
        };
        let exit_code = end.exit_code.map(|code| code.to_string());
        holds(on_status_reason, Some(end.status_reason))
            && holds(on_reason, end.reason)
            && holds(on_exit_code, exit_code.as_deref())
    }
}

impl Pattern {
    /// Whether `text` matches. An absent text matches only what also matches the empty one, so that the catch-all `*` catches ends
    /// without a reason (section B6.6).
    fn matches(&self, text: Option<&str>) -> bool {
        let text = text.unwrap_or("");
        let (inner, is_prefix) = match self.0.strip_suffix('*') {
            Some(inner) => (inner, true),
            None => (self.0.as_str(), false),
        };
        match (inner.strip_prefix('*'), is_prefix) {
            (None, true) => text.starts_with(inner),
            (None, false) => text == inner,
            (Some(inner), true) => text.contains(inner),
            (Some(inner), false) => text.ends_with(inner),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &[(&str, &str, RetryAction)], end: AttemptEnd<'_>, is_retried: bool) {
        let rules = rules.iter().map(|(field, pattern, action)| {
            let pattern_if = |name| (*field == name).then(|| Pattern((*pattern).to_owned()));
            EvaluateOnExit {
                on_status_reason: pattern_if("status"),
                on_reason: pattern_if("reason"),
                on_exit_code: pattern_if("code"),
                action: *action,
            }
        });
        let strategy = RetryStrategy {
            attempts: 3,
            rules: rules.collect(),
        };
        assert_eq!(
            strategy.allows_another(1, end),
            is_retried,
            "{strategy:?} {end:?}"
        );
        assert!(!strategy.allows_another(3, end), "no attempts are left");
    }

    #[test]
    fn the_first_matching_rule_decides_and_no_match_retries() {
        use RetryAction::{Exit, Retry};
        let exited = "Essential container in task exited";
        let ordinary = AttemptEnd {
            status_reason: exited,
            reason: None,
            exit_code: Some(1),
        };
        let host = AttemptEnd {
            status_reason: "Host EC2 (instance i-1) terminated.",
            reason: None,
            exit_code: None,
        };
        let pull = AttemptEnd {
            status_reason: "Task failed to start",
            reason: Some("CannotPullContainerError: x"),
            exit_code: None,
        };

        let spot_only = [("status", "Host EC2*", Retry), ("reason", "*", Exit)];
        check(&spot_only, host, true);
        check(&spot_only, ordinary, false);
        check(&spot_only, pull, false);
        check(&[], ordinary, true);
        check(&[("code", "1", Exit)], ordinary, false);
        check(&[("code", "13", Exit)], ordinary, true);
        check(&[("status", "*EC2*", Exit)], host, false);
        check(&[("status", "*terminated.", Exit)], host, false);
        check(&[("status", "*terminated", Exit)], host, true);
        check(
            &[("code", "1*", Exit)],
            AttemptEnd {
                exit_code: Some(13),
                ..ordinary
            },
            false,
        );
        check(&[("code", "*", Exit)], host, false);
        check(&[("reason", "", Exit)], ordinary, false);
        check(&[("reason", "cannotpull*", Exit)], pull, true);
        check(
            &[("reason", "CannotPull*", Exit), ("reason", "*", Retry)],
            pull,
            false,
        );
        check(&[("code", "1", Retry), ("code", "1", Exit)], ordinary, true);
    }

    #[test]
    fn all_conditions_of_a_rule_must_hold() {
        let rule = EvaluateOnExit {
            on_status_reason: Some(Pattern("Essential*".to_owned())),
            on_reason: None,
            on_exit_code: Some(Pattern("2".to_owned())),
            action: RetryAction::Exit,
        };
        let end = |code| AttemptEnd {
            status_reason: "Essential container in task exited",
            reason: None,
            exit_code: Some(code),
        };
        assert!(rule.matches(end(2)));
        assert!(!rule.matches(end(3)));
    }
}
