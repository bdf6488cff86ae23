//! Taking away what there is of an attempt in the daemon. It must not decide when. Start with [`remove`].

use bollard::query_parameters::{RemoveContainerOptions, RemoveVolumeOptions};

use super::Context;
use super::daemon::Failure;
use super::labels::{Labels, volume_name};

/// Removes all containers of an attempt, running or not, and its volumes; nothing where there are none.
pub(super) async fn remove(context: &Context, parts: &[Labels]) -> Result<(), Failure> {
    let client = context.daemon.client()?;
    for labels in parts {
        let options = RemoveContainerOptions {
            v: true,
            force: true,
            link: false,
        };
        let removed = client
            .remove_container(&labels.container_name(), Some(options))
            .await;
        unless_gone(removed.map_err(Failure::from))?;
    }
    // A volume cannot be removed while a container of the task has it.
    let volumes = parts
        .iter()
        .map(|labels| (labels.attempt, labels.scratch_volumes));
    if let Some((attempt, count)) = volumes.max_by_key(|(_, count)| *count) {
        for index in 0..count {
            let removed = client
                .remove_volume(&volume_name(attempt, index), None::<RemoveVolumeOptions>)
                .await;
            unless_gone(removed.map_err(Failure::from))?;
        }
    }
    Ok(())
}

fn unless_gone(removed: Result<(), Failure>) -> Result<(), Failure> {
    match removed {
        Err(failure) if failure.is_not_found() => Ok(()),
        other => other,
    }
}
