//! Filter patterns: which messages a client wants to see, in the language of CloudWatch Logs.
//!
//! A pattern in braces looks at messages that are JSON, one in brackets at messages that are words between spaces, any other at the text.
//! This module must not know about the store. Start reading at [`FilterPattern::parse`].

mod compare;
mod delimited;
mod json;
mod scan;
mod terms;

use crate::limits::PATTERN_CHARS_MAX;
use delimited::Delimited;
use json::Condition;
use terms::Terms;

/// A pattern that can be matched.
#[derive(Clone, Debug)]
pub struct FilterPattern(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Terms(Terms),
    Json(Condition),
    Delimited(Delimited),
}

/// The text is no filter pattern.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PatternError {
    /// It is longer than [`PATTERN_CHARS_MAX`].
    #[error("parse the filter pattern: it is too long")]
    TooLong,
    /// Something else was expected at this byte.
    #[error("parse the filter pattern at byte {at}: expected {expected}")]
    Unexpected {
        /// From its beginning.
        at: usize,
        /// What would do.
        expected: &'static str,
    },
    /// It has more of something than is allowed.
    #[error("parse the filter pattern: too many {0}")]
    TooMany(&'static str),
    /// A regular expression in it is none, or uses what is not supported.
    #[error("parse the filter pattern: {0:?} is no supported regular expression")]
    Regex(String),
}

impl FilterPattern {
    /// Parses a pattern; an empty one matches everything.
    ///
    /// # Errors
    /// When the text is no pattern, or more complex than the limits allow.
    pub fn parse(text: &str) -> Result<FilterPattern, PatternError> {
        if text.chars().count() > PATTERN_CHARS_MAX {
            return Err(PatternError::TooLong);
        }
        let kind = match text.trim_start().chars().next() {
            Some('{') => Kind::Json(json::parse(text)?),
            Some('[') => Kind::Delimited(delimited::parse(text)?),
            Some(_) | None => Kind::Terms(terms::parse(text)?),
        };
        Ok(FilterPattern(kind))
    }

    /// Whether a message is wanted.
    #[must_use]
    pub fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Kind::Terms(terms) => terms.matches(message),
            Kind::Json(condition) => json::matches(condition, message),
            Kind::Delimited(delimited) => delimited.matches(message),
        }
    }
}

#[cfg(test)]
mod tests;
