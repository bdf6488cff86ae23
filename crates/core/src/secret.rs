//! Secrets by name: what a job is given at its start (section E.8). The values are read then, by the engine, and are never here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::SECRET_NAME_BYTES_MAX;

/// Where a secret is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// Secrets Manager.
    SecretsManager,
    /// The Parameter Store of Systems Manager.
    Parameter,
    /// A Kubernetes cluster: `NAMESPACE/NAME`, and behind it the key.
    Kubernetes,
}

/// The name of a secret: words with slashes between them, which never lead out of where it is looked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SecretName(String);

/// A name that no secret can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a secret: letters, digits and _+=.@- with single slashes between them")]
pub struct ParseSecretNameError(String);

impl SecretName {
    /// Reads a name, without a slash at its beginning.
    ///
    /// # Errors
    /// When it is empty or longer than 1,024 bytes, has other characters than letters, digits and `/_+=.@-`, or has an empty word, `.`
    /// or `..` between its slashes.
    pub fn parse(text: &str) -> Result<Self, ParseSecretNameError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
        let is_name = text.len() <= SECRET_NAME_BYTES_MAX
            && text.bytes().all(is_allowed)
            && text.split('/').all(|word| !matches!(word, "" | "." | ".."));
        if is_name {
            Ok(SecretName(text.to_owned()))
        } else {
            Err(ParseSecretNameError(text.chars().take(80).collect()))
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the hyphen and six letters or digits that Secrets Manager puts behind names in ARNs; `None` where there are none.
    #[must_use]
    pub fn without_suffix(&self) -> Option<&str> {
        let (name, suffix) = self.0.rsplit_once('-')?;
        let is_suffix = suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_suffix && !name.is_empty() && !name.ends_with('/')).then_some(name)
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for SecretName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Which value is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretReference {
    /// Where it is kept.
    pub kind: SecretKind,
    /// Its name there.
    pub name: SecretName,
    /// The member of the JSON object that its value is; `None` is all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_key: Option<String>,
}

/// A variable, or an option, that has a secret for its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretVariable {
    /// Not empty, without `=` and NUL.
    pub name: String,
    /// What it has for its value.
    pub from: SecretReference,
}

/// Who pulls an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageCredentials {
    /// Whose name and password are a JSON object in a secret: `{"username": …, "password": …}`.
    Login(SecretReference),
    /// Whom the first of these configurations of Docker (`config.json`) names for the image's registry, if one does.
    DockerConfigs(Vec<SecretReference>),
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer as _;
    use serde::de::value::StrDeserializer;

    use super::*;

    #[test]
    fn names_do_not_lead_out_of_their_folder() {
        for name in ["a", "prod/db/password", "a.b@c+d=e_f-g", "..data", "a..b/c."] {
            assert_eq!(
                SecretName::parse(name).map(|name| name.to_string()),
                Ok(name.to_owned())
            );
        }
        for name in [
            "", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/.", "a b", "a\0", "ä", "a:b", "a\\b",
        ] {
            assert!(SecretName::parse(name).is_err(), "{name}");
        }
        assert!(SecretName::parse(&"a".repeat(1025)).is_err());
        let stored: StrDeserializer<'_, serde::de::value::Error> = "../a".into_deserializer();
        assert!(SecretName::deserialize(stored).is_err());
    }

    #[test]
    fn the_suffix_of_an_arn_is_known() {
        for (name, plain) in [
            ("db-AbC123", Some("db")),
            ("prod/my-db-a1b2c3", Some("prod/my-db")),
            ("db", None),
            ("my-database", None),
            ("a-12345", None),
            ("-a1b2c3", None),
            ("a/-a1b2c3", None),
        ] {
            assert_eq!(SecretName::parse(name).unwrap().without_suffix(), plain, "{name}");
        }
    }
}
