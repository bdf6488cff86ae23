//! The way from the order to a running container: image, create, start.
//!
//! Each step can be done again: after a failure in between, the next try meets the container by its name and goes on from there.
//! Waiting and pulling can be given up at any time by dropping the future; creating and starting are never dropped half way, as
//! the daemon would go on with them unseen. It must not follow what was started. Start with [`launch`].

use std::sync::Arc;

use batchyard_core::id::AttemptKey;
use batchyard_core::launch::{ContainerSpec, LaunchSpec, Runner};
use batchyard_runtime::engine::{Launch, Node};
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptions, RemoveContainerOptions, RemoveVolumeOptions};
use tokio::time::Instant;

use super::Context;
use super::container::{Wanted, creation, scratch_volumes};
use super::daemon::Failure;
use super::folder;
use super::image::PullPolicy;
use super::keeper::Wishes;
use super::labels::{Labels, container_name, volume_name};
use super::limits::TRY_AGAIN_AFTER;
use super::network::{self, Joining, Membership};
use super::reason::Reason;
use super::state::{Found, State, look};

/// Why a launch came to nothing.
enum Setback {
    /// For good.
    Never(Reason),
    /// The daemon did not answer.
    Unreachable,
}

/// When the container was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Launched {
    /// By this launch.
    Now,
    /// By one before it.
    Before,
}

/// What the order's container carries.
pub(super) fn labels_of(context: &Context, order: &Launch) -> Labels {
    let Launch {
        attempt,
        spec,
        environment: _,
        stream,
        gpus: _,
        node,
    } = order;
    Labels {
        namespace: context.namespace.clone(),
        attempt: *attempt,
        stream: stream.clone(),
        scratch_volumes: match &spec.runner {
            Runner::Container(container) => scratch_volumes(container),
            Runner::Process(_) => 0,
        },
        main_node: node.map(|node| node.main),
        failure_file: folder::failure_file(context, order),
    }
}

/// Starts the attempt's container, or finds it started. Gives what it does when it was looked at after the start.
pub(super) async fn launch(
    context: &Context,
    order: &Launch,
    labels: &Labels,
    wishes: &mut Wishes,
) -> Result<(Launched, Found), Reason> {
    let container = container_of(&order.spec)?;
    // Since which connection, and until when, the daemon has not answered: a pull of minutes counts for nothing.
    let mut silence: Option<(u64, Instant)> = None;
    loop {
        match try_once(context, order, container, labels, wishes).await {
            Ok(launched) => return Ok(launched),
            Err(Setback::Never(reason)) => return Err(reason),
            Err(Setback::Unreachable) => {}
        }
        let connection = *context.daemon.connections().borrow();
        let deadline = match silence {
            Some((since, deadline)) if since == connection => deadline,
            Some(_) | None => Instant::now() + context.unreachable_max.as_duration(),
        };
        silence = Some((connection, deadline));
        tokio::select! {
            () = wait_for_daemon(context, deadline) => {}
            () = wishes.not_to_run() => return Err(Reason::StoppedBeforeStart),
        }
        if Instant::now() >= deadline {
            return Err(Reason::Unreachable {
                host: context.daemon.host().to_owned(),
                waited: context.unreachable_max,
            });
        }
    }
}

fn container_of(spec: &Arc<LaunchSpec>) -> Result<&ContainerSpec, Reason> {
    match &spec.runner {
        Runner::Container(container) => Ok(container),
        Runner::Process(_) => Err(Reason::NotAContainer),
    }
}

/// Waits until the daemon answers again, a moment has passed, or the time is up.
async fn wait_for_daemon(context: &Context, deadline: Instant) {
    let mut connections = context.daemon.connections();
    let wake = (Instant::now() + TRY_AGAIN_AFTER).min(deadline);
    tokio::select! {
        _changed = connections.changed() => {}
        () = tokio::time::sleep_until(wake) => {}
    }
}

async fn try_once(
    context: &Context,
    order: &Launch,
    container: &ContainerSpec,
    labels: &Labels,
    wishes: &mut Wishes,
) -> Result<(Launched, Found), Setback> {
    // Before a pull, whose failures are for good, it must be clear that the daemon can be asked at all.
    context.daemon.client().map_err(|_| Setback::Unreachable)?;
    if context.pull == PullPolicy::Always && pull(context, container, wishes).await.is_err() {
        // What the daemon has is taken instead; if it has none, creating says so and the pull is tried once more for its text.
        tracing::debug!(
            image = container.image,
            "took the cached image, as it could not be pulled"
        );
    }
    let membership = match order.node {
        Some(node) => Some(join_network(context, order.attempt, node, wishes).await?),
        None => None,
    };
    let _permit = tokio::select! {
        permit = context.launches.acquire() => permit.expect("never closed"),
        () = wishes.not_to_run() => return Err(Setback::Never(Reason::StoppedBeforeStart)),
    };
    let made = create(context, order, container, labels, membership.as_ref(), wishes).await?;
    if wishes.is_not_to_run() {
        remove(context, labels).await.map_err(|_| Setback::Unreachable)?;
        return Err(Setback::Never(Reason::StoppedBeforeStart));
    }
    let found = start(context, labels, made).await?;
    Ok((made, found))
}

/// Makes the network of the attempt's nodes, or finds the main node on it. Where the main node has ended meanwhile this one is about to be
/// asked to stop, and waits for it: its own failure to start would look as if it had come first.
async fn join_network(
    context: &Context,
    attempt: AttemptKey,
    node: Node,
    wishes: &mut Wishes,
) -> Result<Membership, Setback> {
    let permit = context.requests.acquire().await.expect("never closed");
    let joined = network::join(context, attempt, node).await;
    drop(permit);
    match joined {
        Ok(Joining::Joined(membership)) => Ok(membership),
        Ok(Joining::MainHasEnded) => {
            wishes.not_to_run().await;
            Err(Setback::Never(Reason::StoppedBeforeStart))
        }
        Err(Failure::Unreachable(_) | Failure::NotConnected) => Err(Setback::Unreachable),
        Err(Failure::Refused { text, .. }) => Err(Setback::Never(Reason::CannotCreate(text))),
    }
}

async fn pull(context: &Context, container: &ContainerSpec, wishes: &mut Wishes) -> Result<(), Setback> {
    tokio::select! {
        pulled = context.images.pull(&context.daemon, &container.image, container.platform.as_deref()) => {
            pulled.map_err(|text| Setback::Never(Reason::CannotPull(text)))
        }
        () = wishes.not_to_run() => Err(Setback::Never(Reason::StoppedBeforeStart)),
    }
}

/// Creates the container unless it is there. Most images are, so it is tried before anything is pulled.
async fn create(
    context: &Context,
    order: &Launch,
    container: &ContainerSpec,
    labels: &Labels,
    membership: Option<&Membership>,
    wishes: &mut Wishes,
) -> Result<Launched, Setback> {
    let folder = folder::make(context, order, container)
        .await
        .map_err(|text| Setback::Never(Reason::CannotMakeFolder(text)))?;
    let mut body = creation(Wanted {
        container,
        command: &order.spec.command,
        environment: &order.environment,
        resources: order.spec.resources,
        gpus: order.gpus,
        labels,
        network: &context.network,
        membership,
        folder: folder.as_deref(),
    });
    let mut has_pulled = false;
    loop {
        let (status, text) = match ask_to_create(context, labels, container, body.clone()).await {
            Ok(()) => return Ok(Launched::Now),
            Err(Failure::Unreachable(_) | Failure::NotConnected) => return Err(Setback::Unreachable),
            Err(Failure::Refused { status, text }) => (status, text),
        };
        match status {
            404 if !has_pulled && context.pull != PullPolicy::Never => {
                has_pulled = true;
                pull(context, container, wishes).await?;
            }
            404 => return Err(Setback::Never(Reason::CannotPull(text))),
            409 => return adopt(context, labels, text).await,
            _ if limits_storage(&body) && text.contains("storage-opt") => drop_storage_limit(&mut body),
            _ => return Err(Setback::Never(Reason::CannotCreate(text))),
        }
    }
}

async fn ask_to_create(
    context: &Context,
    labels: &Labels,
    container: &ContainerSpec,
    body: ContainerCreateBody,
) -> Result<(), Failure> {
    let options = CreateContainerOptions {
        name: Some(container_name(labels.attempt)),
        platform: container.platform.clone().unwrap_or_default(),
    };
    context
        .daemon
        .client()?
        .create_container(Some(options), body)
        .await?;
    Ok(())
}

fn limits_storage(body: &ContainerCreateBody) -> bool {
    body.host_config
        .as_ref()
        .is_some_and(|config| config.storage_opt.is_some())
}

/// Not every storage of a daemon can limit a container's layer; section E.3 asks for it where it can.
fn drop_storage_limit(body: &mut ContainerCreateBody) {
    if let Some(config) = &mut body.host_config {
        config.storage_opt = None;
    }
}

/// The name is taken: by this very attempt, or by what we must not touch.
async fn adopt(context: &Context, labels: &Labels, text: String) -> Result<Launched, Setback> {
    let found = look(&context.daemon, &container_name(labels.attempt)).await;
    match found {
        Ok(Some(found)) if found.labels.as_ref() == Some(labels) => Ok(Launched::Before),
        Ok(_) => Err(Setback::Never(Reason::CannotCreate(text))),
        Err(_) => Err(Setback::Unreachable),
    }
}

async fn start(context: &Context, labels: &Labels, made: Launched) -> Result<Found, Setback> {
    let name = container_name(labels.attempt);
    let unreachable = |_| Setback::Unreachable;
    if made == Launched::Before {
        // Starting one that runs is nothing to the daemon, but one that has ended would run again.
        let found = look(&context.daemon, &name).await.map_err(unreachable)?;
        let found = found.ok_or(Setback::Unreachable)?;
        if found.state != State::Created {
            return Ok(found);
        }
    }
    let client = context.daemon.client().map_err(unreachable)?;
    match client.start_container(&name, None).await.map_err(Failure::from) {
        Ok(()) => {}
        Err(Failure::Unreachable(_) | Failure::NotConnected) => return Err(Setback::Unreachable),
        Err(Failure::Refused { text, .. }) => {
            remove(context, labels).await.map_err(unreachable)?;
            return Err(Setback::Never(Reason::CannotStart(text)));
        }
    }
    let found = look(&context.daemon, &name).await.map_err(unreachable)?;
    found.ok_or(Setback::Unreachable)
}

/// Removes the container, running or not, and its volumes; nothing where there are none.
pub(super) async fn remove(context: &Context, labels: &Labels) -> Result<(), Failure> {
    let Labels {
        namespace: _,
        attempt,
        stream: _,
        scratch_volumes,
        main_node: _,
        failure_file: _,
    } = labels;
    let client = context.daemon.client()?;
    let options = RemoveContainerOptions {
        v: true,
        force: true,
        link: false,
    };
    let removed = client
        .remove_container(&container_name(*attempt), Some(options))
        .await;
    unless_gone(removed.map_err(Failure::from))?;
    for index in 0..*scratch_volumes {
        let removed = client
            .remove_volume(&volume_name(*attempt, index), None::<RemoveVolumeOptions>)
            .await;
        unless_gone(removed.map_err(Failure::from))?;
    }
    Ok(())
}

fn unless_gone(removed: Result<(), Failure>) -> Result<(), Failure> {
    match removed {
        Err(failure) if failure.is_not_found() => Ok(()),
        other => other,
    }
}
