//! When the image of a container is pulled, and as whom.
//!
//! Start with [`pull`]. How often one image is pulled at a time is the matter of [`Images`](super::image::Images).

use batchyard_core::launch::{ContainerSpec, ImagePull};

use super::Context;
use super::image::PullPolicy;
use super::keeper::Wishes;
use super::launch::Setback;
use super::reason::Reason;
use super::secret::Values;

/// Pulls a container's image, unless it need not run any more.
pub(super) async fn pull(
    context: &Context,
    container: &ContainerSpec,
    secrets: &Values,
    wishes: &mut Wishes,
) -> Result<(), Setback> {
    let platform = container.platform.as_deref();
    let images = &context.images;
    tokio::select! {
        pulled = images.pull(&context.daemon, &container.image, platform, secrets.login.as_ref()) => {
            pulled.map_err(|text| Setback::Never(Reason::CannotPull(secrets.hide(&text))))
        }
        () = wishes.not_to_run() => Err(Setback::Never(Reason::StoppedBeforeStart)),
    }
}

/// Pulls where that is to be done each time.
pub(super) async fn pull_always(
    context: &Context,
    container: &ContainerSpec,
    secrets: &Values,
    wishes: &mut Wishes,
) {
    if policy(context, container) == PullPolicy::Always
        && pull(context, container, secrets, wishes).await.is_err()
    {
        // What the daemon has is taken instead; if it has none, creating says so and the pull is tried once more for its text.
        tracing::debug!(
            image = container.image,
            "took the cached image, as it could not be pulled"
        );
    }
}

/// When the container's image is pulled: pods may say so themselves.
pub(super) fn policy(context: &Context, container: &ContainerSpec) -> PullPolicy {
    match container.pod.as_ref().and_then(|pod| pod.pull) {
        Some(ImagePull::Missing) => PullPolicy::Missing,
        Some(ImagePull::Always) => PullPolicy::Always,
        Some(ImagePull::Never) => PullPolicy::Never,
        None => context.pull,
    }
}
