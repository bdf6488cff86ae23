//! The texts that tell why a container did not start or ended badly (section B.4, second table), all in one place because
//! clients match their beginnings.
//!
//! It must not decide which one applies. Start with [`Reason`].

use std::fmt;

use batchyard_core::time::Millis;

use super::limits::REASON_CHARACTERS_MAX;

/// A reason of a container, written by its `Display` in at most 255 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The image could not be had.
    CannotPull(String),
    /// The daemon refused to make the container.
    CannotCreate(String),
    /// The attempt's own folder could not be made.
    CannotMakeFolder(String),
    /// What it mounts is not there.
    CannotMount { path: String, text: String },
    /// It would run as a user that it must not run as.
    NotThisUser(String),
    /// A secret could not be had, in the words that are shown.
    NoSecret(String),
    /// Its input data could not be brought to the attempt's folder.
    CannotFetch(String),
    /// What it made could not be brought to where it belongs.
    CannotKeep(String),
    /// The container was made, but its program could not be started.
    CannotStart(String),
    /// The daemon could not be reached.
    Unreachable {
        /// Its address.
        host: String,
        /// How long it was tried.
        waited: Millis,
    },
    /// It was stopped before it had started.
    StoppedBeforeStart,
    /// It is not a container job.
    NotAContainer,
    /// The daemon killed it for its use of memory.
    OutOfMemory,
    /// What a container of a task waited for was not there in time.
    StartTimedOut { container: String, on: String },
    /// What a container of a task waited for will never be.
    DependencyFailed { container: String, on: String },
    /// An essential container had not started when its task ended.
    EndedBeforeStart { container: String },
}

impl Reason {
    /// The text, cut to what the API shows.
    pub(super) fn text(&self) -> String {
        self.to_string().chars().take(REASON_CHARACTERS_MAX).collect()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NotThisUser(text) => write!(f, "CreateContainerConfigError: {text}"),
            Reason::NoSecret(text) => f.write_str(text),
            Reason::CannotMount { path, text } => {
                write!(f, "CannotCreateContainerError: mounting {path} failed: {text}")
            }
            Reason::CannotPull(text) => write!(f, "CannotPullContainerError: {text}"),
            Reason::CannotCreate(text) => {
                write!(
                    f,
                    "CannotCreateContainerError: Error response from daemon: {text}"
                )
            }
            Reason::CannotMakeFolder(text) => {
                write!(f, "CannotCreateContainerError: the attempt's folder: {text}")
            }
            // As SageMaker begins it; the rest is our own words.
            Reason::CannotFetch(text) => write!(f, "Data download failed: {text}"),
            Reason::CannotKeep(text) => write!(f, "Artifact upload failed: {text}"),
            Reason::CannotStart(text) => {
                write!(f, "CannotStartContainerError: Error response from daemon: {text}")
            }
            Reason::Unreachable { host, waited } => write!(
                f,
                "DockerTimeoutError: Could not transition to created; timed out after waiting {}s (Docker is not reachable at {host})",
                waited.as_duration().as_secs()
            ),
            Reason::StoppedBeforeStart => f.write_str("Stopped before the container was started"),
            Reason::NotAContainer => {
                f.write_str("CannotCreateContainerError: the Docker engine runs containers only")
            }
            Reason::OutOfMemory => f.write_str("OutOfMemoryError: Container killed due to memory usage"),
            // Own words from here on: none are known of the live service.
            Reason::StartTimedOut { container, on } => write!(
                f,
                "ContainerDependencyError: container {container} waited for {on} longer than its startTimeout"
            ),
            Reason::DependencyFailed { container, on } => write!(
                f,
                "ContainerDependencyError: container {container} depends on {on}, which did not succeed"
            ),
            Reason::EndedBeforeStart { container } => {
                write!(
                    f,
                    "essential container {container} had not started when its task ended"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn reasons_begin_as_clients_expect() {
        let text = [
            Reason::CannotPull("manifest unknown".to_owned()),
            Reason::CannotCreate("no such user".to_owned()),
            Reason::CannotMakeFolder("no space left on device".to_owned()),
            Reason::CannotStart("exec failed".to_owned()),
            Reason::Unreachable {
                host: "unix:///var/run/docker.sock".to_owned(),
                waited: Millis::from_seconds(30),
            },
            Reason::StoppedBeforeStart,
            Reason::NotAContainer,
            Reason::OutOfMemory,
            Reason::StartTimedOut {
                container: "app".to_owned(),
                on: "db".to_owned(),
            },
            Reason::DependencyFailed {
                container: "app".to_owned(),
                on: "db".to_owned(),
            },
            Reason::EndedBeforeStart {
                container: "app".to_owned(),
            },
        ]
        .map(|reason| reason.text())
        .join("\n");
        expect![[r#"
            CannotPullContainerError: manifest unknown
            CannotCreateContainerError: Error response from daemon: no such user
            CannotCreateContainerError: the attempt's folder: no space left on device
            CannotStartContainerError: Error response from daemon: exec failed
            DockerTimeoutError: Could not transition to created; timed out after waiting 30s (Docker is not reachable at unix:///var/run/docker.sock)
            Stopped before the container was started
            CannotCreateContainerError: the Docker engine runs containers only
            OutOfMemoryError: Container killed due to memory usage
            ContainerDependencyError: container app waited for db longer than its startTimeout
            ContainerDependencyError: container app depends on db, which did not succeed
            essential container app had not started when its task ended"#]]
        .assert_eq(&text);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = Reason::CannotPull("ß".repeat(400)).text();
        assert_eq!(text.chars().count(), 255);
    }
}
