//! The private network of the nodes of one attempt of a multi-node parallel job (section E7.4): made with the main node, removed with the last
//! node that is forgotten. The hosts of a training job have one too.
//!
//! Its name follows from the main node's attempt, so that nothing has to remember it. On it each node is called `node-INDEX`, each host as
//! its job calls it. It must not know which nodes there are. Start with [`join`].

use std::collections::{BTreeSet, HashMap};

use batchyard_core::id::{AttemptKey, TaskId};
use batchyard_runtime::engine::Node;
use bollard::models::{EndpointSettings, NetworkCreateRequest, NetworkingConfig};
use bollard::query_parameters::{InspectContainerOptions, InspectNetworkOptions, ListNetworksOptions};

use super::Context;
use super::daemon::Failure;
use super::labels::{attempt_of, holder_name, namespace_filter, network_labels, whole_name};

/// A node's place on the network of its attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    /// The network.
    pub(super) network: String,
    /// The node's name on it, and its own host name.
    pub(super) host: String,
    /// The main node's address; `None` for the main node itself.
    pub(super) main_address: Option<String>,
}

/// What came of the wish to join.
pub(super) enum Joining {
    /// The network is there, and the main node on it.
    Joined(Membership),
    /// The main node has ended: this one will be asked to stop.
    MainHasEnded,
}

impl Membership {
    /// As the daemon is asked for it.
    pub(super) fn to_config(&self) -> NetworkingConfig {
        let endpoint = EndpointSettings {
            aliases: Some(vec![self.host.clone()]),
            ..EndpointSettings::default()
        };
        NetworkingConfig {
            endpoints_config: Some(HashMap::from([(self.network.clone(), endpoint)])),
        }
    }
}

/// The network of the nodes that follow this main node.
pub(super) fn network_name(main: AttemptKey) -> String {
    format!("batchyard-{}", TaskId::of(main))
}

/// Makes the network for the main node, or finds the main node on it for another.
pub(super) async fn join(context: &Context, attempt: AttemptKey, node: Node) -> Result<Joining, Failure> {
    let Node { index, main } = node;
    let network = network_name(main);
    let main_address = if attempt == main {
        make(context, main).await?;
        None
    } else {
        match address_of(context, main, &network).await? {
            Some(address) => Some(address),
            None => return Ok(Joining::MainHasEnded),
        }
    };
    Ok(Joining::Joined(Membership {
        network,
        host: format!("node-{index}"),
        main_address,
    }))
}

/// Makes the network that is named after this attempt, or finds it; gives its name.
pub(super) async fn make(context: &Context, main: AttemptKey) -> Result<String, Failure> {
    let network = network_name(main);
    let client = context.daemon.client()?;
    // Not every version of the daemon refuses a second network of the same name.
    let found = client
        .inspect_network(&network, None::<InspectNetworkOptions>)
        .await;
    match found.map_err(Failure::from) {
        Ok(_) => return Ok(network),
        Err(failure) if failure.is_not_found() => {}
        Err(failure) => return Err(failure),
    }
    let request = NetworkCreateRequest {
        name: network.clone(),
        driver: Some("bridge".to_owned()),
        labels: Some(network_labels(&context.namespace, main)),
        ..NetworkCreateRequest::default()
    };
    client.create_network(request).await?;
    Ok(network)
}

/// The address of the main node's container; `None` where it does not run (any more).
async fn address_of(context: &Context, main: AttemptKey, network: &str) -> Result<Option<String>, Failure> {
    let client = context.daemon.client()?;
    let mut found = None;
    // Of a task what holds its network; that runs until the attempt is forgotten, so that this node finds it even where the task has
    // ended, and is stopped a moment later.
    for name in [whole_name(main), holder_name(main)] {
        let seen = client
            .inspect_container(&name, None::<InspectContainerOptions>)
            .await;
        match seen.map_err(Failure::from) {
            Ok(seen) => {
                found = Some(seen);
                break;
            }
            Err(failure) if failure.is_not_found() => {}
            Err(failure) => return Err(failure),
        }
    }
    let Some(found) = found else { return Ok(None) };
    let networks = found.network_settings.and_then(|settings| settings.networks);
    let endpoint = networks.and_then(|mut networks| networks.remove(network));
    let address = endpoint.and_then(|endpoint| endpoint.ip_address);
    // Empty once the container has ended.
    Ok(address.filter(|address| !address.is_empty()))
}

/// Removes the network unless other nodes are on it still: the last of them does it.
pub(super) async fn leave(context: &Context, main: AttemptKey) -> Result<(), Failure> {
    let removed = context.daemon.client()?.remove_network(&network_name(main)).await;
    match removed.map_err(Failure::from) {
        // 404: somebody did; 403: it has members.
        Err(Failure::Refused {
            status: 403 | 404, ..
        }) => Ok(()),
        other => other,
    }
}

/// Networks stay behind where a server was killed between removing the last node's container and the network. `current` are the
/// attempts that are alive.
pub(super) async fn remove_left_behind(
    context: &Context,
    current: &BTreeSet<AttemptKey>,
) -> Result<(), Failure> {
    let client = context.daemon.client()?;
    let options = ListNetworksOptions {
        filters: Some(namespace_filter(&context.namespace)),
    };
    let has_live_node = |main: AttemptKey| {
        let mut current = current.iter();
        current.any(|one| one.job.id == main.job.id && one.attempt == main.attempt)
    };
    for network in client.list_networks(Some(options)).await? {
        let main = network.labels.as_ref().and_then(attempt_of);
        let Some(main) = main.filter(|main| !has_live_node(*main)) else {
            continue;
        };
        if let Err(failure) = leave(context, main).await {
            tracing::warn!(
                network = network.name.unwrap_or_default(),
                error = &failure as &dyn std::error::Error,
                "failed to remove a network"
            );
        }
    }
    Ok(())
}
