//! An error and its causes on one line, for logs and for people at a terminal.

use std::error::Error;
use std::fmt::Write;

/// The error's message and those of its causes, joined by `: `.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        // Writing to a string does not fail.
        let _written = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}
