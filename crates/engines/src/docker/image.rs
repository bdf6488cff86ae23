//! Images: pulled when they are needed, each once at a time however many jobs wait for it.
//!
//! Start with [`Images::pull`]. It must not decide whether a pull is needed: that is the launch's, by its [`PullPolicy`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt as _;
use tokio::sync::{OnceCell, Semaphore};

use super::daemon::{Daemon, Failure};
use super::limits::PULLS_MAX;
use super::secret::Login;

/// When an image is pulled before its container is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// When the daemon does not have it.
    #[default]
    Missing,
    /// Each time; where that fails and the daemon has the image, that one is taken.
    Always,
    /// Not at all: what the daemon does not have cannot run.
    Never,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    image: String,
    platform: Option<String>,
    // What one may pull another may not.
    login: Option<Login>,
}

type Pull = OnceCell<Result<(), String>>;

/// The pulls under way.
#[derive(Debug)]
pub(super) struct Images {
    // Whoever waits for a pull holds it; the last one to leave ends it, and a later launch begins a new one.
    under_way: Mutex<BTreeMap<Wanted, Weak<Pull>>>,
    permits: Semaphore,
}

impl Images {
    pub(super) fn new() -> Self {
        Images {
            under_way: Mutex::new(BTreeMap::new()),
            permits: Semaphore::new(PULLS_MAX),
        }
    }

    /// Pulls an image, or waits for the pull of it that is under way. Dropping the future gives up waiting; the pull goes on
    /// while anyone waits for it.
    ///
    /// # Errors
    /// The daemon's text.
    pub(super) async fn pull(
        &self,
        daemon: &Daemon,
        image: &str,
        platform: Option<&str>,
        login: Option<&Login>,
    ) -> Result<(), String> {
        let pull = self.join(Wanted {
            image: image.to_owned(),
            platform: platform.map(str::to_owned),
            login: login.cloned(),
        });
        pull.get_or_init(|| async {
            let _permit = self.permits.acquire().await.expect("never closed");
            fetch(daemon, image, platform, login)
                .await
                .map_err(|failure| match failure {
                    Failure::Refused { text, .. } => text,
                    Failure::Unreachable(error) => error.to_string(),
                    Failure::NotConnected => failure.to_string(),
                })
        })
        .await
        .clone()
    }

    fn join(&self, wanted: Wanted) -> Arc<Pull> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pull) = under_way.get(&wanted).and_then(Weak::upgrade) {
            return pull;
        }
        under_way.retain(|_, pull| pull.strong_count() > 0);
        let pull = Arc::new(Pull::new());
        under_way.insert(wanted, Arc::downgrade(&pull));
        pull
    }
}

async fn fetch(
    daemon: &Daemon,
    image: &str,
    platform: Option<&str>,
    login: Option<&Login>,
) -> Result<(), Failure> {
    let options = CreateImageOptions {
        from_image: Some(image.to_owned()),
        tag: default_tag(image).map(str::to_owned),
        platform: platform.unwrap_or_default().to_owned(),
        ..CreateImageOptions::default()
    };
    let client = daemon.client()?;
    let mut progress = client.create_image(Some(options), None, login.map(Login::to_credentials));
    while let Some(step) = progress.next().await {
        step?;
    }
    Ok(())
}

/// The tag to ask for where the reference has neither tag nor digest: without one the daemon pulls every tag there is.
fn default_tag(image: &str) -> Option<&'static str> {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) {
        None
    } else {
        Some("latest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_name_gets_a_tag() {
        for (image, tag) in [
            ("busybox", Some("latest")),
            ("busybox:1.36", None),
            ("localhost:5000/busybox", Some("latest")),
            ("localhost:5000/busybox:1", None),
            ("busybox@sha256:00", None),
        ] {
            assert_eq!(default_tag(image), tag, "{image}");
        }
    }
}
