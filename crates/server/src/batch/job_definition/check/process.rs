//! Jobs that run as processes of the host: image `host://`.
//!
//! What only a container could honour is refused, or a job would run without a protection that its definition promises. The words are
//! our own.

use batchyard_wire::batch::ContainerProperties;

use super::{Check, require};

/// Whether an image means the host.
pub(super) fn path(image: &str) -> Option<&str> {
    image.strip_prefix("host://")
}

pub(super) fn check(container: &ContainerProperties, path: &str) -> Check {
    require(
        path.is_empty() || path.starts_with('/'),
        format!("The path of the image host://{path} must be absolute, as in host:///data."),
    )?;
    let is_filled = |length: usize| length > 0;
    let members = [
        (
            "volumes",
            container
                .volumes
                .as_ref()
                .is_some_and(|volumes| is_filled(volumes.len())),
        ),
        (
            "mountPoints",
            container
                .mount_points
                .as_ref()
                .is_some_and(|mounts| is_filled(mounts.len())),
        ),
        ("user", container.user.is_some()),
        ("privileged", container.privileged == Some(true)),
        (
            "readonlyRootFilesystem",
            container.readonly_root_filesystem == Some(true),
        ),
        ("linuxParameters", container.linux_parameters.is_some()),
    ];
    for (member, is_given) in members {
        require(
            !is_given,
            format!(
                "{member} is not applicable for jobs with the image host://, which run without a container."
            ),
        )?;
    }
    Ok(())
}
