//! Names that users give: parsed once, then known to be well formed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name of a resource, in characters (section 0.17).
pub const NAME_LENGTH_MAX: usize = 128;

/// The text is not a name: it must have 1 to 128 characters out of letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name of 1 to 128 letters, digits, hyphens and underscores")]
pub struct ParseNameError(String);

macro_rules! name {
    ($(#[$doc:meta] $name:ident;)*) => {$(
        #[$doc]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// Reads a name.
            ///
            /// # Errors
            /// When it is empty, too long, or has a character that is not allowed (section 0.17).
            pub fn parse(text: &str) -> Result<Self, ParseNameError> {
                if is_name(text) { Ok($name(text.into())) } else { Err(ParseNameError(text.chars().take(NAME_LENGTH_MAX).collect())) }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

name! {
    /// The name of a compute environment.
    EnvironmentName;
    /// The name of a job queue.
    QueueName;
    /// The name of a job definition, without a revision.
    DefinitionName;
    /// The name of a scheduling policy.
    SchedulingPolicyName;
    /// The name of a consumable resource.
    ConsumableResourceName;
    /// The name of a quota share, among those of its queue.
    QuotaShareName;
}

fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=NAME_LENGTH_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_names_are_read() {
        let longest = "x".repeat(128);
        for good in ["a", "_", "-x", "A-b_9", longest.as_str()] {
            assert_eq!(
                QueueName::parse(good).map(|name| name.to_string()),
                Ok(good.to_owned())
            );
        }
        let too_long = "x".repeat(129);
        for bad in ["", "a b", "a/b", "a:1", "ä", too_long.as_str()] {
            assert!(QueueName::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
