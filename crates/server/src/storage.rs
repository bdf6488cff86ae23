//! The store of objects of a configuration, with its key.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use batchyard_engines::storage::{ObjectStorage, StorageConfig};
use serde::Deserialize;

use crate::config::Config;

/// Rights that the key's file must give to nobody, as those of secrets.
const EXPOSED: u32 = 0o027;

/// The key of the store cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The file cannot be read.
    #[error("read the key of the store of objects from {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others can read the file, or write it.
    #[error("use {path} as the key of the store of objects: its mode is {mode:03o}, which is open to others")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// The file says something else. What is in it is not told.
    #[error(
        "use {path} as the key of the store of objects: it must be TOML with the texts access_key_id and secret_access_key, and perhaps session_token"
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// There is neither a file nor a variable.
    #[error(
        "use s3.endpoint: there is neither s3.credentials nor the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NoCredentials,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// The store that a configuration names, if it names one.
pub(crate) fn of(config: &Config) -> Result<Option<ObjectStorage>, StorageError> {
    let Some(endpoint) = config.s3.endpoint.clone() else {
        return Ok(None);
    };
    let key = match &config.s3.credentials {
        Some(path) => of_file(path)?,
        None => of_variables().ok_or(StorageError::NoCredentials)?,
    };
    let Key {
        access_key_id,
        secret_access_key,
        session_token,
    } = key;
    Ok(Some(ObjectStorage::new(StorageConfig {
        endpoint,
        region: config.s3.region.clone().unwrap_or_else(|| config.region.clone()),
        access_key_id,
        secret_access_key,
        session_token,
    })))
}

fn of_file(path: &Path) -> Result<Key, StorageError> {
    let unreadable = |source| StorageError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & EXPOSED != 0 {
        return Err(StorageError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    // The parser's words would quote the file.
    toml::from_str(&text).map_err(|_| StorageError::NoKey {
        path: path.to_owned(),
    })
}

fn of_variables() -> Option<Key> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    Some(Key {
        access_key_id: variable("AWS_ACCESS_KEY_ID")?,
        secret_access_key: variable("AWS_SECRET_ACCESS_KEY")?,
        session_token: variable("AWS_SESSION_TOKEN"),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, mode: u32, expected: Expect) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.toml");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let found = match of_file(&file) {
            Ok(key) => key.access_key_id,
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&found.replace(folder.path().to_str().unwrap(), "FOLDER"));
    }

    #[test]
    fn a_key_is_read_and_nothing_of_it_is_told() {
        let good = "access_key_id = 'a'\nsecret_access_key = 'b'";
        check(good, 0o600, expect!["a"]);
        check(
            good,
            0o644,
            expect![
                "use FOLDER/key.toml as the key of the store of objects: its mode is 644, which is open to others"
            ],
        );
        check(
            "access_key_id = 'a'\nsecret_access_ky = 'b'",
            0o600,
            expect![
                "use FOLDER/key.toml as the key of the store of objects: it must be TOML with the texts access_key_id and secret_access_key, and perhaps session_token"
            ],
        );
        check(
            "secret",
            0o600,
            expect![
                "use FOLDER/key.toml as the key of the store of objects: it must be TOML with the texts access_key_id and secret_access_key, and perhaps session_token"
            ],
        );
    }
}
