//! The folder with everything that a server keeps: its stores, its first access key, where it listens.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use batchyard_iam::{AccessKeyId, Credentials, SecretAccessKey};
use serde::{Deserialize, Serialize};

/// A folder that exists.
#[derive(Debug, Clone)]
pub struct DataFolder(PathBuf);

/// The folder, or something in it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder cannot be made, read or written.
    #[error("failed to use {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not what this server writes.
    #[error("failed to understand {path}: {reason}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no home folder to put the data in.
    #[error("neither XDG_DATA_HOME nor HOME says where the data folder is; name one with --data")]
    Homeless,
}

/// The server's secrets: the first access key, and what sessions are made from.
#[derive(Clone, Serialize, Deserialize)]
struct Secrets {
    access_key_id: String,
    secret_access_key: String,
    /// 64 hexadecimal digits.
    session_secret: String,
    /// What tells this folder's containers from those of others.
    namespace: String,
}

/// What of the secrets a server needs.
pub struct Keys {
    /// The first access key, the account's root.
    pub root: Credentials,
    /// What session credentials are made from.
    pub session_secret: [u8; 32],
    /// What tells this folder's containers from those of others on the same engine.
    pub namespace: String,
}

/// Where a running server is to be found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// For example `http://127.0.0.1:4590`.
    pub endpoint: String,
    /// The region that it plays.
    pub region: String,
    /// The server's process.
    pub pid: u32,
}

impl DataFolder {
    /// `$XDG_DATA_HOME/batchyard`, or `~/.local/share/batchyard`.
    ///
    /// # Errors
    /// When there is no home folder.
    pub fn default_path() -> Result<PathBuf, DataError> {
        let absolute = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let share = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
        Ok(share.ok_or(DataError::Homeless)?.join("batchyard"))
    }

    /// The folder at `path`, made where it is missing. Only its owner can look into it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(path: &Path) -> Result<DataFolder, DataError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| DataError::Io {
            path: path.to_owned(),
            source,
        })?;
        let absolute = fs::canonicalize(path).map_err(|source| DataError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(DataFolder(absolute))
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The store of the state.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.0.join("batchyard.sqlite")
    }

    /// The folders of service jobs, one for each attempt: what it is given, and what it leaves.
    #[must_use]
    pub fn service_jobs(&self) -> PathBuf {
        self.0.join("service-jobs")
    }

    /// The store of logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs.sqlite")
    }

    /// Where the supervisor of process jobs keeps its facts.
    #[must_use]
    pub fn supervisor(&self) -> PathBuf {
        self.0.join("supervisor")
    }

    /// The keys, made at the first start.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub fn keys(&self) -> Result<Keys, DataError> {
        let path = self.0.join("credentials.json");
        let secrets = match read_json::<Secrets>(&path)? {
            Some(secrets) => secrets,
            None => {
                let secrets = Secrets::new();
                write_json(&path, &secrets)?;
                secrets
            }
        };
        let damaged = |reason: &str| DataError::Damaged {
            path: path.clone(),
            reason: reason.to_owned(),
        };
        let access_key_id = AccessKeyId::parse(&secrets.access_key_id)
            .ok_or_else(|| damaged("access_key_id is not an access key id"))?;
        Ok(Keys {
            root: Credentials {
                access_key_id,
                secret_access_key: SecretAccessKey::new(secrets.secret_access_key),
                session_token: None,
            },
            session_secret: bytes(&secrets.session_secret)
                .ok_or_else(|| damaged("session_secret is not 64 hexadecimal digits"))?,
            namespace: secrets.namespace,
        })
    }

    /// Tells clients where the server listens.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_listening(&self, listening: &Listening) -> Result<(), DataError> {
        write_json(&self.listening_path(), listening)
    }

    /// Where the last server that used this folder listened; `None` if there was none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn listening(&self) -> Result<Option<Listening>, DataError> {
        read_json(&self.listening_path())
    }

    fn listening_path(&self) -> PathBuf {
        self.0.join("server.json")
    }
}

impl Secrets {
    fn new() -> Secrets {
        let root = Credentials::long_term(random());
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Secrets {
            access_key_id: root.access_key_id.as_str().to_owned(),
            secret_access_key: root.secret_access_key.expose().to_owned(),
            session_secret: hex(&random::<32>()),
            namespace: hex(&random::<8>()),
        }
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    bytes
}

fn bytes(digits: &str) -> Option<[u8; 32]> {
    let mut result = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (index, byte) in result.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(result)
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, DataError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(DataError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    let value = serde_json::from_slice(&text);
    value.map(Some).map_err(|error| DataError::Damaged {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Written beside and renamed, so that nobody ever reads half a file; readable for the owner only.
fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), DataError> {
    let io = |source: io::Error| DataError::Io {
        path: path.to_owned(),
        source,
    };
    let text = serde_json::to_vec_pretty(value).expect("these values have only text keys");
    let beside = path.with_extension("new");
    let mut file: File = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .map_err(io)?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&beside, path).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::{DataFolder, Listening};

    #[test]
    fn keys_are_made_once_and_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let folder = DataFolder::open(&temporary.path().join("a/b")).expect("the folder is made");
        let (first, second) = (
            folder.keys().expect("keys are made"),
            folder.keys().expect("keys are read"),
        );
        assert_eq!(first.root.access_key_id, second.root.access_key_id);
        assert_eq!(
            first.root.secret_access_key.expose(),
            second.root.secret_access_key.expose()
        );
        assert_eq!(first.session_secret, second.session_secret);
        let mode = std::fs::metadata(folder.path().join("credentials.json"))
            .expect("the file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let folder_mode = std::fs::metadata(folder.path())
            .expect("the folder")
            .permissions()
            .mode();
        assert_eq!(folder_mode & 0o777, 0o700);
    }

    #[test]
    fn a_damaged_file_is_named_and_kept() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let folder = DataFolder::open(temporary.path()).expect("the folder is there");
        std::fs::write(folder.path().join("credentials.json"), "{}").expect("written");
        let error = folder.keys().err().expect("it is refused").to_string();
        assert!(error.contains("credentials.json"), "{error}");
        assert_eq!(
            std::fs::read_to_string(folder.path().join("credentials.json")).expect("still there"),
            "{}"
        );
        assert_eq!(
            folder.listening().expect("nothing is no error"),
            None::<Listening>
        );
    }
}
