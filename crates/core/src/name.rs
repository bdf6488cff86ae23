//! Names that users give: parsed once, then known to be well formed, and shared: each job has several.

use std::fmt;
use std::sync::Arc;

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
        pub struct $name(Arc<str>);

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

/// The name of an environment. Compute environments and service environments are named apart: a name of the latter is written
/// `service-environment/NAME`, which is also the end of its ARN and can never be the name of a compute environment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct EnvironmentName(Arc<str>);

/// Which name space an environment is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnvironmentKind {
    /// Compute environments.
    Compute,
    /// Service environments (section D.6).
    Service,
}

/// What names of service environments are written with.
const SERVICE: &str = "service-environment/";

impl EnvironmentName {
    /// Reads the name of a compute environment.
    ///
    /// # Errors
    /// When it is empty, too long, or has a character that is not allowed (section 0.17).
    pub fn parse(text: &str) -> Result<Self, ParseNameError> {
        if is_name(text) {
            Ok(EnvironmentName(text.into()))
        } else {
            Err(ParseNameError(text.chars().take(NAME_LENGTH_MAX).collect()))
        }
    }

    /// Reads the name of a service environment, as its user gave it.
    ///
    /// # Errors
    /// As [`parse`](EnvironmentName::parse).
    pub fn parse_service(text: &str) -> Result<Self, ParseNameError> {
        EnvironmentName::parse(text).map(|name| EnvironmentName(format!("{SERVICE}{name}").into()))
    }

    /// Reads what [`as_str`](EnvironmentName::as_str) has written.
    ///
    /// # Errors
    /// When it has not.
    pub fn read(text: &str) -> Result<Self, ParseNameError> {
        match text.strip_prefix(SERVICE) {
            Some(name) => EnvironmentName::parse_service(name),
            None => EnvironmentName::parse(text),
        }
    }

    /// The name as the state and the store write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as its user gave it.
    #[must_use]
    pub fn given(&self) -> &str {
        self.0.strip_prefix(SERVICE).unwrap_or(&self.0)
    }

    /// Whether it is a compute environment's or a service environment's.
    #[must_use]
    pub fn kind(&self) -> EnvironmentKind {
        if self.0.starts_with(SERVICE) {
            EnvironmentKind::Service
        } else {
            EnvironmentKind::Compute
        }
    }

    /// The end of its ARN, behind the account (section 0.16).
    #[must_use]
    pub fn resource(&self) -> String {
        match self.kind() {
            EnvironmentKind::Compute => format!("compute-environment/{self}"),
            EnvironmentKind::Service => self.to_string(),
        }
    }
}

impl EnvironmentKind {
    /// As people call it.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            EnvironmentKind::Compute => "compute environment",
            EnvironmentKind::Service => "service environment",
        }
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for EnvironmentName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::read(&text).map_err(serde::de::Error::custom)
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=NAME_LENGTH_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_environments_are_named_apart() {
        let (compute, service) = (
            EnvironmentName::parse("a").unwrap(),
            EnvironmentName::parse_service("a").unwrap(),
        );
        assert_ne!(compute, service);
        assert_eq!((service.given(), service.kind()), ("a", EnvironmentKind::Service));
        assert_eq!(
            (compute.resource().as_str(), service.resource().as_str()),
            ("compute-environment/a", "service-environment/a")
        );
        for name in [compute, service] {
            assert_eq!(EnvironmentName::read(name.as_str()), Ok(name));
        }
        assert!(EnvironmentName::parse("service-environment/a").is_err());
        assert!(EnvironmentName::read("service-environment/").is_err());
    }

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
