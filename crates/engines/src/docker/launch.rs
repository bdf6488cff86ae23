//! The way from the order to a running container: image, create, start.
//!
//! Each step can be done again: after a failure in between, the next try meets the container by its name and goes on from there.
//! Waiting and pulling can be given up at any time by dropping the future; creating and starting are never dropped half way, as
//! the daemon would go on with them unseen. It must not follow what was started. Start with [`launch`].

use std::path::Path;
use std::sync::Arc;

use batchyard_core::id::AttemptKey;
use batchyard_core::launch::{ContainerSpec, LaunchSpec, Runner, TaskSpec};
use batchyard_runtime::engine::{Launch, Node};
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::CreateContainerOptions;
use tokio::sync::{Notify, SemaphorePermit};
use tokio::time::Instant;

use super::Context;
use super::container::{Namespaces, Wanted, creation, network_of, scratch_names, with_main_address};
use super::daemon::Failure;
use super::folder;
use super::holder::{hold, namespaces};
use super::image::PullPolicy;
use super::input;
use super::keeper::Wishes;
use super::labels::{Labels, Part};
use super::limits::TRY_AGAIN_AFTER;
use super::network::{self, Joining, Membership};
use super::place;
use super::pull::{policy, pull, pull_always};
use super::reason::Reason;
use super::removal::remove;
use super::results;
use super::secret::{self, Values};
use super::state::{Found, State, look};
use super::task::Group;
use super::user::check_user;
use super::volume;

/// Why a launch came to nothing.
pub(super) enum Setback {
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

/// How long the daemon has not answered: since which connection, and until when that is borne. A pull of minutes counts for nothing.
#[derive(Debug, Default)]
struct Silence(Option<(u64, Instant)>);

impl Silence {
    /// Waits a moment for the daemon.
    ///
    /// # Errors
    /// When it has been away for too long, or the attempt need not run any more.
    async fn bear(&mut self, context: &Context, wishes: &mut Wishes) -> Result<(), Reason> {
        let connection = *context.daemon.connections().borrow();
        let deadline = match self.0 {
            Some((since, deadline)) if since == connection => deadline,
            Some(_) | None => Instant::now() + context.unreachable_max.as_duration(),
        };
        self.0 = Some((connection, deadline));
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
        Ok(())
    }
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
        members: _,
    } = order;
    Labels {
        namespace: context.namespace.clone(),
        attempt: *attempt,
        stream: stream.clone(),
        scratch_volumes: match &spec.runner {
            Runner::Container(container) => scratch_names(std::iter::once(&**container)).len(),
            Runner::Process(_) | Runner::Task(_) => 0,
        },
        main_node: node.map(|node| node.main),
        failure_file: folder::failure_file(context.attempt_folders.as_deref(), order, None),
        results: results::of_order(order),
        part: Part::Whole,
    }
}

/// Starts the attempt's container, or finds it started. Gives what it does when it was looked at after the start. `begun` is notified
/// when the daemon answers, and so the work begins.
pub(super) async fn launch(
    context: &Context,
    order: &Launch,
    labels: &Labels,
    wishes: &mut Wishes,
    begun: &Notify,
) -> Result<(Launched, Found), Reason> {
    let container = container_of(&order.spec)?;
    let mut silence = Silence::default();
    loop {
        match try_once(context, order, container, labels, wishes, begun).await {
            Ok(launched) => return Ok(launched),
            Err(Setback::Never(reason)) => return Err(reason),
            Err(Setback::Unreachable) => silence.bear(context, wishes).await?,
        }
    }
}

/// Makes all containers of a task, and starts none but what holds their namespaces: from then on the daemon has all that is needed to go on
/// with the task, whatever becomes of this server. `begun` is as with [`launch`].
///
/// # Errors
/// The reason, and which container it is about.
pub(super) async fn make_task(
    context: &Context,
    order: &Launch,
    task: &TaskSpec,
    group: &Group,
    wishes: &mut Wishes,
    begun: &Notify,
) -> Result<(), (usize, Reason)> {
    let mut silence = Silence::default();
    loop {
        let mut made = 0;
        if context.daemon.client().is_ok() {
            begun.notify_one();
        }
        let reason = match try_to_make(context, order, task, group, wishes, &mut made).await {
            Ok(()) => return Ok(()),
            Err(Setback::Never(reason)) => Err(reason),
            Err(Setback::Unreachable) => silence.bear(context, wishes).await,
        };
        reason.map_err(|reason| (made, reason))?;
    }
}

async fn try_to_make(
    context: &Context,
    order: &Launch,
    task: &TaskSpec,
    group: &Group,
    wishes: &mut Wishes,
    made: &mut usize,
) -> Result<(), Setback> {
    context.daemon.client().map_err(|_| Setback::Unreachable)?;
    let membership = match order.node {
        Some(node) => Some(join_network(context, order.attempt, node, wishes).await?),
        None => None,
    };
    let own_network = match task.are_hosts {
        true => Some(make_network(context, order.attempt).await?),
        false => None,
    };
    let folder = make_folder(context, order, wishes).await?;
    let contents = match volume::contents(context, task).await {
        Ok(contents) => contents,
        Err(reason) => {
            let last = group.members.last().ok_or(Setback::Unreachable)?;
            was_made(context, last, reason).await?;
            return Ok(());
        }
    };
    let network = task.containers.first().map_or(context.network.as_str(), |one| {
        network_of(&context.network, &one.container)
    });
    if let Some(holder) = &group.holder {
        let _permit = permit(context, wishes).await?;
        hold(context, network, holder, task, membership.as_ref()).await?;
        volume::fill(context, holder, &contents).await?;
    }
    let scratch = scratch_names(task.containers.iter().map(|one| &one.container));
    for ((one, member), labels) in task.containers.iter().zip(&order.members).zip(&group.members) {
        let (secrets, places) = match prepare(context, &one.container).await {
            Ok(prepared) => prepared,
            Err(reason) => {
                was_made(context, labels, reason).await?;
                *made += 1;
                continue;
            }
        };
        // The network and the name on it are the holder's; the variable is each container's own.
        let environment = with_main_address(&member.environment, membership.as_ref());
        let as_host = own_network.as_ref().map(|network| Membership {
            network: network.clone(),
            host: one.name.clone(),
            main_address: None,
        });
        let body = creation(Wanted {
            container: &one.container,
            command: &one.command,
            environment: &environment,
            resources: one.resources,
            gpus: member.gpus,
            labels,
            scratch: &scratch,
            namespaces: namespaces(network, task, labels.attempt, order.node.is_some()),
            membership: as_host.as_ref(),
            folder: folder.as_deref(),
            secrets: &secrets,
            places: &places,
        });
        pull_always(context, &one.container, &secrets, wishes).await;
        let _permit = permit(context, wishes).await?;
        create(context, body, &one.container, &secrets, labels, wishes).await?;
        check_user(context, &one.container, labels).await?;
        *made += 1;
    }
    Ok(())
}

/// Makes the attempt's own folder, where it has one, with all that its program is to find there.
async fn make_folder(
    context: &Context,
    order: &Launch,
    wishes: &mut Wishes,
) -> Result<Option<String>, Setback> {
    let never = |text| Setback::Never(Reason::CannotMakeFolder(text));
    let folder = folder::make(context, order).await.map_err(never)?;
    if let (Some(folder), Some(training)) = (&folder, &order.spec.training) {
        tokio::select! {
            fetched = input::fetch(context.storage.as_ref(), Path::new(folder), &training.inputs) => fetched.map_err(|text| Setback::Never(Reason::CannotFetch(text)))?,
            () = wishes.not_to_run() => return Err(Setback::Never(Reason::StoppedBeforeStart)),
        }
    }
    Ok(folder)
}

async fn permit<'a>(context: &'a Context, wishes: &mut Wishes) -> Result<SemaphorePermit<'a>, Setback> {
    tokio::select! {
        permit = context.launches.acquire() => Ok(permit.expect("never closed")),
        () = wishes.not_to_run() => Err(Setback::Never(Reason::StoppedBeforeStart)),
    }
}

/// Starts a container that was made.
pub(super) async fn start_member(context: &Context, labels: &Labels) -> Result<(), Failure> {
    let _permit = context.launches.acquire().await.expect("never closed");
    let client = context.daemon.client()?;
    client.start_container(&labels.container_name(), None).await?;
    Ok(())
}

fn container_of(spec: &Arc<LaunchSpec>) -> Result<&ContainerSpec, Reason> {
    match &spec.runner {
        Runner::Container(container) => Ok(container),
        Runner::Process(_) | Runner::Task(_) => Err(Reason::NotAContainer),
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
    begun: &Notify,
) -> Result<(Launched, Found), Setback> {
    // Before a pull, whose failures are for good, it must be clear that the daemon can be asked at all.
    context.daemon.client().map_err(|_| Setback::Unreachable)?;
    let (secrets, places) = match prepare(context, container).await {
        Ok(prepared) => prepared,
        Err(reason) => {
            let made = was_made(context, labels, reason).await?;
            return Ok((made, start(context, labels, made, &Values::default()).await?));
        }
    };
    begun.notify_one();
    pull_always(context, container, &secrets, wishes).await;
    let membership = match order.node {
        Some(node) => Some(join_network(context, order.attempt, node, wishes).await?),
        None => None,
    };
    let folder = make_folder(context, order, wishes).await?;
    let _permit = permit(context, wishes).await?;
    let scratch = scratch_names(std::iter::once(container));
    let body = creation(Wanted {
        container,
        command: &order.spec.command,
        environment: &order.environment,
        resources: order.spec.resources,
        gpus: order.gpus,
        labels,
        scratch: &scratch,
        namespaces: Namespaces {
            network: network_of(&context.network, container).to_owned(),
            ..Namespaces::default()
        },
        membership: membership.as_ref(),
        folder: folder.as_deref(),
        secrets: &secrets,
        places: &places,
    });
    let made = create(context, body, container, &secrets, labels, wishes).await?;
    check_user(context, container, labels).await?;
    if wishes.is_not_to_run() {
        remove(context, std::slice::from_ref(labels))
            .await
            .map_err(|_| Setback::Unreachable)?;
        return Err(Setback::Never(Reason::StoppedBeforeStart));
    }
    let found = start(context, labels, made, &secrets).await?;
    Ok((made, found))
}

/// Looks for what a container needs that is the operator's.
async fn prepare(
    context: &Context,
    container: &ContainerSpec,
) -> Result<(Values, Vec<Option<String>>), Reason> {
    let secrets = secret::resolve(context, container).await?;
    Ok((secrets, place::find(container).await?))
}

/// What it needs cannot be had (any more). Where an earlier server made the container with it, that does not matter.
async fn was_made(context: &Context, labels: &Labels, reason: Reason) -> Result<Launched, Setback> {
    match look(&context.daemon, &labels.container_name()).await {
        Ok(Some(found)) if found.labels.as_ref() == Some(labels) => Ok(Launched::Before),
        Ok(_) => Err(Setback::Never(reason)),
        Err(_) => Err(Setback::Unreachable),
    }
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

/// Makes the network of the hosts of a training job.
async fn make_network(context: &Context, attempt: AttemptKey) -> Result<String, Setback> {
    let _permit = context.requests.acquire().await.expect("never closed");
    match network::make(context, attempt).await {
        Ok(network) => Ok(network),
        Err(Failure::Unreachable(_) | Failure::NotConnected) => Err(Setback::Unreachable),
        Err(Failure::Refused { text, .. }) => Err(Setback::Never(Reason::CannotCreate(text))),
    }
}

/// Creates the container unless it is there. Most images are, so it is tried before anything is pulled.
async fn create(
    context: &Context,
    mut body: ContainerCreateBody,
    container: &ContainerSpec,
    secrets: &Values,
    labels: &Labels,
    wishes: &mut Wishes,
) -> Result<Launched, Setback> {
    let mut has_pulled = false;
    loop {
        let platform = container.platform.clone().unwrap_or_default();
        let (status, text) = match ask_to_create(context, labels, platform, body.clone()).await {
            Ok(()) => return Ok(Launched::Now),
            Err(Failure::Unreachable(_) | Failure::NotConnected) => return Err(Setback::Unreachable),
            Err(Failure::Refused { status, text }) => (status, text),
        };
        match status {
            404 if !has_pulled && policy(context, container) != PullPolicy::Never => {
                has_pulled = true;
                pull(context, container, secrets, wishes).await?;
            }
            404 => return Err(Setback::Never(Reason::CannotPull(text))),
            409 => return adopt(context, labels, text).await,
            _ if limits_storage(&body) && text.contains("storage-opt") => drop_storage_limit(&mut body),
            _ => return Err(Setback::Never(Reason::CannotCreate(secrets.hide(&text)))),
        }
    }
}

async fn ask_to_create(
    context: &Context,
    labels: &Labels,
    platform: String,
    body: ContainerCreateBody,
) -> Result<(), Failure> {
    let options = CreateContainerOptions {
        name: Some(labels.container_name()),
        platform,
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
    let found = look(&context.daemon, &labels.container_name()).await;
    match found {
        Ok(Some(found)) if found.labels.as_ref() == Some(labels) => Ok(Launched::Before),
        Ok(_) => Err(Setback::Never(Reason::CannotCreate(text))),
        Err(_) => Err(Setback::Unreachable),
    }
}

async fn start(
    context: &Context,
    labels: &Labels,
    made: Launched,
    secrets: &Values,
) -> Result<Found, Setback> {
    let name = labels.container_name();
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
            remove(context, std::slice::from_ref(labels))
                .await
                .map_err(unreachable)?;
            return Err(Setback::Never(Reason::CannotStart(secrets.hide(&text))));
        }
    }
    let found = look(&context.daemon, &name).await.map_err(unreachable)?;
    found.ok_or(Setback::Unreachable)
}
