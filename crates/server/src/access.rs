//! How a client on this machine finds a server, and signs for it.

use std::path::PathBuf;

use batchyard_iam::{AccessKeyId, Credentials, SecretAccessKey, SessionToken};

use crate::data_folder::{DataError, DataFolder};

/// Where to call, and as whom.
#[derive(Debug, Clone)]
pub struct Access {
    /// For example `http://127.0.0.1:4590`.
    pub endpoint: String,
    /// The region to sign for.
    pub region: String,
    /// Who signs.
    pub credentials: Credentials,
}

/// No server is to be found.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The environment has an endpoint but no usable key for it.
    #[error("AWS_ENDPOINT_URL is set, but {0} is missing or not valid")]
    Environment(&'static str),
    /// No server ever used the folder.
    #[error("no server has used {}; start one with `batchyard up`", .0.display())]
    NoServer(PathBuf),
    /// The folder cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl Access {
    /// What the environment says (`AWS_ENDPOINT_URL` with a key), unless `data` names a folder; else what the server that
    /// uses the data folder left there.
    ///
    /// # Errors
    /// When neither leads to a server.
    pub fn find(data: Option<PathBuf>) -> Result<Access, AccessError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if data.is_none()
            && let Some(endpoint) =
                variable("AWS_ENDPOINT_URL_BATCH").or_else(|| variable("AWS_ENDPOINT_URL"))
        {
            let id = variable("AWS_ACCESS_KEY_ID").and_then(|id| AccessKeyId::parse(&id));
            let secret = variable("AWS_SECRET_ACCESS_KEY");
            let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
            return Ok(Access {
                endpoint: endpoint.trim_end_matches('/').to_owned(),
                region: region.unwrap_or_else(|| "us-east-1".to_owned()),
                credentials: Credentials {
                    access_key_id: id.ok_or(AccessError::Environment("AWS_ACCESS_KEY_ID"))?,
                    secret_access_key: SecretAccessKey::new(
                        secret.ok_or(AccessError::Environment("AWS_SECRET_ACCESS_KEY"))?,
                    ),
                    session_token: variable("AWS_SESSION_TOKEN")
                        .and_then(|token| SessionToken::parse(&token)),
                },
            });
        }
        Access::of_folder(data)
    }

    /// What the server that uses the data folder left there, whatever the environment says.
    ///
    /// # Errors
    /// When there was none.
    pub fn of_folder(data: Option<PathBuf>) -> Result<Access, AccessError> {
        let path = match data {
            Some(path) => path,
            None => DataFolder::default_path()?,
        };
        // Looking must not make the folder.
        if !path.is_dir() {
            return Err(AccessError::NoServer(path));
        }
        let folder = DataFolder::open(&path)?;
        let listening = folder.listening()?.ok_or(AccessError::NoServer(path))?;
        Ok(Access {
            endpoint: listening.endpoint,
            region: listening.region,
            credentials: folder.keys()?.root,
        })
    }
}
