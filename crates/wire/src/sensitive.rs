//! Strings that must not reach a log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A string that the model calls sensitive: its `Debug` form is masked, and it has no `Display`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sensitive(String);

impl Sensitive {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: String) -> Sensitive {
        Sensitive(value)
    }

    /// The value itself, for those who need it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}
