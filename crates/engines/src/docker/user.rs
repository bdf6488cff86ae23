//! As whom a container of a pod must not run (`runAsNonRoot`).
//!
//! It is looked at when the container was made: then the daemon says whom its image names. Start with [`check_user`].

use batchyard_core::launch::ContainerSpec;
use bollard::query_parameters::InspectContainerOptions;

use super::Context;
use super::labels::Labels;
use super::launch::Setback;
use super::reason::Reason;

/// Looks whether a container that was made would run as a user that it must not run as.
pub(super) async fn check_user(
    context: &Context,
    container: &ContainerSpec,
    labels: &Labels,
) -> Result<(), Setback> {
    if !container.pod.as_ref().is_some_and(|pod| pod.must_not_be_root) {
        return Ok(());
    }
    let client = context.daemon.client().map_err(|_| Setback::Unreachable)?;
    let seen = client
        .inspect_container(&labels.container_name(), None::<InspectContainerOptions>)
        .await;
    // What cannot be looked at now is looked at again.
    let seen = seen.map_err(|_| Setback::Unreachable)?;
    let user = seen.config.and_then(|config| config.user).unwrap_or_default();
    match refusal_of_user(&user) {
        None => Ok(()),
        Some(text) => Err(Setback::Never(Reason::NotThisUser(text))),
    }
}

/// Why a container must not run as this user of its image where it must not be root: in the words of Kubernetes.
fn refusal_of_user(user: &str) -> Option<String> {
    let name = user.split(':').next().unwrap_or_default();
    match (name, name.parse::<u32>()) {
        ("" | "root", _) | (_, Ok(0)) => {
            Some("container has runAsNonRoot and image will run as root".to_owned())
        }
        (_, Ok(_)) => None,
        (_, Err(_)) => Some(format!(
            "container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_by_number_and_by_name() {
        for (user, is_refused) in [
            ("", true),
            ("0", true),
            ("0:5", true),
            ("root:5", true),
            ("nobody", true),
            ("1000", false),
            ("1000:0", false),
        ] {
            assert_eq!(refusal_of_user(user).is_some(), is_refused, "{user:?}");
        }
    }
}
