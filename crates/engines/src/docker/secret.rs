//! The values of a container's secrets, read when it is made, and given to nobody but the daemon.
//!
//! Start with [`resolve`]. It must not keep a value, nor let one into a text that users see: [`Values::hide`].

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use batchyard_core::launch::ContainerSpec;
use batchyard_core::secret::{ImageCredentials, SecretReference};
use bollard::auth::DockerCredentials;
use serde::Deserialize;

use super::Context;
use super::reason::Reason;
use crate::secrets::{Resolved, Value};

/// What stands in a text where a value was.
const HIDDEN: &str = "***";

/// The registry of images that name none, and how configurations of Docker call it.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_INDEX: &str = "index.docker.io";

/// What a container's secrets come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    /// Variables, which win over others of the same names.
    pub(super) variables: Vec<Resolved>,
    /// Options of the log driver.
    pub(super) log_options: Vec<Resolved>,
    /// Who pulls the image.
    pub(super) login: Option<Login>,
}

/// Who pulls an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Login {
    username: String,
    password: Value,
}

/// Reads the values of all secrets of a container.
///
/// # Errors
/// For the first that cannot be had.
pub(super) async fn resolve(context: &Context, container: &ContainerSpec) -> Result<Values, Reason> {
    let secrets = &context.secrets;
    let options = match &container.log_driver {
        Some(driver) => driver.secret_options.as_slice(),
        None => &[],
    };
    let login = match &container.credentials {
        None => None,
        Some(ImageCredentials::Login(reference)) => Some(login(context, reference).await?),
        Some(ImageCredentials::DockerConfigs(references)) => {
            of_configs(context, references, registry(&container.image)).await
        }
    };
    Ok(Values {
        variables: secrets
            .variables(&container.secrets)
            .await
            .map_err(Reason::NoSecret)?,
        log_options: secrets.variables(options).await.map_err(Reason::NoSecret)?,
        login,
    })
}

/// Name and password as they are in a secret (section E.3).
async fn login(context: &Context, reference: &SecretReference) -> Result<Login, Reason> {
    #[derive(Deserialize)]
    struct Document {
        username: String,
        password: String,
    }
    let value = context.secrets.text(reference).await.map_err(Reason::NoSecret)?;
    match serde_json::from_str(value.expose()) {
        Ok(Document { username, password }) => Ok(Login {
            username,
            password: Value::new(password),
        }),
        // What the parser says might quote the value.
        Err(_) => Err(Reason::NoSecret(format!(
            "ResourceInitializationError: unable to pull secrets or registry auth: {} is not JSON with the texts username and password",
            reference.name
        ))),
    }
}

/// Whom the first of some configurations of Docker names for a registry. As in Kubernetes, one that cannot be had is left out: the image may
/// be there, or be everybody's.
async fn of_configs(context: &Context, references: &[SecretReference], registry: &str) -> Option<Login> {
    for reference in references {
        match context.secrets.text(reference).await {
            Ok(value) => match of_config(value.expose(), registry) {
                Some(login) => return Some(login),
                None => continue,
            },
            Err(reason) => tracing::warn!(reason, "went on without a secret for pulling images"),
        }
    }
    None
}

/// Whom a configuration of Docker names for a registry, if it does.
fn of_config(config: &str, registry: &str) -> Option<Login> {
    #[derive(Deserialize)]
    struct Config {
        auths: BTreeMap<String, Auth>,
    }
    #[derive(Deserialize)]
    struct Auth {
        username: Option<String>,
        password: Option<String>,
        auth: Option<String>,
    }
    let Config { auths } = serde_json::from_str(config).ok()?;
    let is_meant = |address: &str| {
        let host = address
            .trim_start_matches("https://")
            .trim_start_matches("http://");
        let host = host.split('/').next().unwrap_or_default();
        host == registry || registry == DOCKER_HUB && host == DOCKER_HUB_INDEX
    };
    let (_, auth) = auths.into_iter().find(|(address, _)| is_meant(address))?;
    let (username, password) = match auth {
        Auth {
            username: Some(username),
            password: Some(password),
            auth: _,
        } => (username, password),
        Auth { auth, .. } => {
            let both = String::from_utf8(BASE64.decode(auth?).ok()?).ok()?;
            let (username, password) = both.split_once(':')?;
            (username.to_owned(), password.to_owned())
        }
    };
    Some(Login {
        username,
        password: Value::new(password),
    })
}

/// The registry that an image's reference names (the rule of Docker's references).
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => DOCKER_HUB,
    }
}

impl Login {
    /// As the daemon is told.
    pub(super) fn to_credentials(&self) -> DockerCredentials {
        DockerCredentials {
            username: Some(self.username.clone()),
            password: Some(self.password.expose().to_owned()),
            ..DockerCredentials::default()
        }
    }
}

impl Values {
    /// A text of the daemon's without the values: it may quote an option that it does not like.
    pub(super) fn hide(&self, text: &str) -> String {
        let passwords = self.login.iter().map(|login| &login.password);
        let resolved = self.variables.iter().chain(&self.log_options);
        let mut values: Vec<&str> = resolved
            .map(|resolved| &resolved.value)
            .chain(passwords)
            .map(Value::expose)
            .filter(|value| !value.is_empty())
            .collect();
        // One value may be part of another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let hidden = |text: String, value: &str| text.replace(value, HIDDEN);
        values.into_iter().fold(text.to_owned(), hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_name_users_by_registry() {
        let config = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "aHViOmE6Yg=="},
            "example.com": {"username": "me", "password": "secret"},
            "localhost:5000": {"auth": "not base64"}
        }}"#;
        for (image, expected) in [
            ("busybox", Some(("hub", "a:b"))),
            ("library/busybox:1", Some(("hub", "a:b"))),
            ("example.com/a/b:1", Some(("me", "secret"))),
            ("localhost:5000/a", None),
            ("other.example.com/a", None),
        ] {
            let login = of_config(config, registry(image));
            let found = login
                .as_ref()
                .map(|login| (login.username.as_str(), login.password.expose()));
            assert_eq!(found, expected, "{image}");
        }
        assert_eq!(of_config("[]", DOCKER_HUB), None);
    }

    #[test]
    fn values_are_hidden_in_texts() {
        let resolved = |value: &str| Resolved {
            name: "A".to_owned(),
            value: Value::new(value.to_owned()),
        };
        let values = Values {
            variables: vec![resolved("pass"), resolved("")],
            log_options: vec![resolved("password")],
            login: Some(Login {
                username: "me".to_owned(),
                password: Value::new("other".to_owned()),
            }),
        };
        let text = "bad option password of me, or pass, or other";
        assert_eq!(values.hide(text), "bad option *** of me, or ***, or ***");
        assert!(!format!("{values:?}").contains("other"));
    }
}
