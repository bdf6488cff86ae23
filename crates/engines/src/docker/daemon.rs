//! The way to the daemon: where it is, which version of its API is spoken, and whether it answers now.
//!
//! It must know nothing of attempts. Start with [`Daemon::client`], and [`Failure`] for how its errors are told apart.

use std::sync::{Mutex, PoisonError};

use bollard::Docker;
use bollard::errors::Error as ClientError;
use tokio::sync::watch;

use super::limits::REQUEST_SECONDS_MAX;

const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The daemon answered, and said no. The text is its own.
    #[error("daemon answered {status}: {text}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// What it said.
        text: String,
    },
    /// There was no answer, or none that can be understood: it may or may not have done what was asked.
    #[error("daemon does not answer")]
    Unreachable(#[source] Box<ClientError>),
    /// It has never answered yet.
    #[error("daemon has not answered yet")]
    NotConnected,
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::DockerResponseServerError { status_code, message } => Failure::Refused {
                status: status_code,
                text: message,
            },
            // An error in the middle of a stream is the daemon's word too.
            ClientError::DockerStreamError { error } => Failure::Refused {
                status: 500,
                text: error,
            },
            other => Failure::Unreachable(Box::new(other)),
        }
    }
}

impl Failure {
    /// Whether the daemon said that there is no such thing.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Failure::Refused { status: 404, .. })
    }
}

/// The address cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("use {host:?} as the address of Docker: only unix:// and tcp:// are known")]
pub struct ConnectError {
    host: String,
}

/// One daemon.
#[derive(Debug)]
pub(super) struct Daemon {
    host: String,
    // None until the daemon first answered: only then is it known which version to speak.
    client: Mutex<Option<Docker>>,
    connected: watch::Sender<u64>,
}

impl Daemon {
    /// `host` as `DOCKER_HOST` has it; `None` takes that variable, or else the usual socket.
    pub(super) fn new(host: Option<String>) -> Result<Self, ConnectError> {
        let host = host
            .or_else(|| std::env::var("DOCKER_HOST").ok())
            .filter(|host| !host.is_empty())
            .unwrap_or_else(|| DEFAULT_HOST.to_owned());
        if !["unix://", "tcp://", "http://"]
            .iter()
            .any(|scheme| host.starts_with(scheme))
        {
            return Err(ConnectError { host });
        }
        Ok(Daemon {
            host,
            client: Mutex::new(None),
            connected: watch::Sender::new(0),
        })
    }

    /// The address, as users know it.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// A client that speaks the version last agreed on.
    pub(super) fn client(&self) -> Result<Docker, Failure> {
        // Nothing under the lock can leave the value half made, so a poisoned lock is as good as a whole one.
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.clone().ok_or(Failure::NotConnected)
    }

    /// Agrees on a version: the newest that both sides know. Done for each new connection, as another daemon may answer now.
    pub(super) async fn negotiate(&self) -> Result<Docker, Failure> {
        let made = if self.host.starts_with("unix://") {
            Docker::connect_with_unix(&self.host, REQUEST_SECONDS_MAX, bollard::API_DEFAULT_VERSION)?
        } else {
            Docker::connect_with_http(&self.host, REQUEST_SECONDS_MAX, bollard::API_DEFAULT_VERSION)?
        };
        let client = made.negotiate_version().await?;
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok(client)
    }

    /// Says that the daemon answers (again) and a version is agreed on.
    pub(super) fn set_connected(&self) {
        self.connected.send_modify(|times| *times += 1);
    }

    /// How many times the daemon was reached anew; changes wake who waits for it.
    pub(super) fn connections(&self) -> watch::Receiver<u64> {
        self.connected.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_can_be_used_are_taken() {
        for (host, is_good) in [
            ("unix:///x/docker.sock", true),
            ("tcp://127.0.0.1:2375", true),
            ("ssh://host", false),
            ("/x/docker.sock", false),
        ] {
            assert_eq!(Daemon::new(Some(host.to_owned())).is_ok(), is_good, "{host}");
        }
    }
}
