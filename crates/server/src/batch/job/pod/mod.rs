//! `eksProperties`: a pod, run as containers of the engine (section E.5).
//!
//! A pod of one container without volumes of its own is a container as any other; every other pod is a task that ends with all of its
//! containers. Init containers are containers of it that the others wait for, one after the other. Where to start reading: [`launch`].

mod check;
mod container;
mod overrides;
mod shown;
mod volume;

use batchyard_core::launch::{
    ContainerCondition, ContainerDependency, LaunchSpec, Runner, Sharing, TaskContainer, TaskEnd, TaskSpec,
};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_wire::Fault;
use batchyard_wire::batch::{EksContainer, EksPodProperties};

use super::work::{STOP_TIMEOUT, Setting};

pub(super) use check::check;
pub(super) use overrides::overridden;
pub(super) use shown::{attempt, detail, fill};

/// The name of a container that has none (section E5.2).
const NAME: &str = "Default";

/// The namespace of a pod that names none, for its secrets and claims: which environment it comes to, and so that one's namespace, is not known
/// when it is submitted.
const NAMESPACE: &str = "default";

/// Where the variable of section F.1 comes from: there is one node, this host.
const NODE_UID: &str = "00000000-0000-4000-8000-000000000001";

/// A container of a pod.
#[derive(Clone, Copy)]
struct Member<'a> {
    container: &'a EksContainer,
    /// Whether the containers of the pod wait until it has succeeded.
    is_init: bool,
}

impl<'a> Member<'a> {
    fn name(self) -> &'a str {
        self.container.name.as_deref().unwrap_or(NAME)
    }
}

/// All containers of a pod: first the init containers, each list in its order.
fn members(pod: &EksPodProperties) -> Vec<Member<'_>> {
    let init = pod.init_containers.iter().flatten().map(|container| Member {
        container,
        is_init: true,
    });
    let others = pod.containers.iter().flatten().map(|container| Member {
        container,
        is_init: false,
    });
    init.chain(others).collect()
}

/// Its namespace, as far as it is known when it is submitted.
fn namespace(pod: &EksPodProperties) -> &str {
    let given = pod
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.namespace.as_deref());
    given
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or(NAMESPACE)
}

/// How to run it.
pub(super) fn launch(pod: &EksPodProperties, setting: Setting<'_>) -> Result<LaunchSpec, Fault> {
    let members = members(pod);
    let made = members
        .iter()
        .map(|member| container::task_container(pod, *member, setting))
        .collect::<Result<Vec<TaskContainer>, Fault>>()?;
    let resources = resources(&members, &made);
    if let [only] = made.as_slice()
        && !volume::has_own(&only.container)
    {
        return Ok(alone(only.clone()));
    }
    let shares_processes = pod.share_process_namespace.unwrap_or(false);
    Ok(LaunchSpec {
        runner: Runner::Task(Box::new(TaskSpec {
            containers: in_order(&members, made),
            processes: if shares_processes {
                Sharing::Task
            } else {
                Sharing::Usual
            },
            // As with Kubernetes.
            ipc: Sharing::Task,
            end: TaskEnd::All,
            are_hosts: false,
        })),
        command: Vec::new(),
        environment: Vec::new(),
        resources,
        log: None,
        stop_timeout: STOP_TIMEOUT,
        role: None,
        training: None,
    })
}

/// The launch of a pod that is one container.
fn alone(container: TaskContainer) -> LaunchSpec {
    let TaskContainer {
        name: _,
        container,
        command,
        environment,
        resources,
        log,
        depends_on: _,
        is_essential: _,
        start_timeout: _,
        stop_timeout,
    } = container;
    LaunchSpec {
        runner: Runner::Container(Box::new(container)),
        command,
        environment,
        resources,
        log,
        stop_timeout,
        role: None,
        training: None,
    }
}

/// The containers, each waiting for the init container before it, the others for the last of these.
fn in_order(members: &[Member<'_>], mut containers: Vec<TaskContainer>) -> Vec<TaskContainer> {
    let mut before: Option<String> = None;
    for (member, container) in members.iter().zip(&mut containers) {
        container.depends_on = before
            .iter()
            .map(|on| ContainerDependency {
                on: on.clone(),
                condition: ContainerCondition::Success,
            })
            .collect();
        if member.is_init {
            before = Some(container.name.clone());
        }
    }
    containers
}

/// What a pod needs: its containers together, or the init container that needs most, which runs without them. GPUs are each container's alone
/// for as long as the pod runs.
fn resources(members: &[Member<'_>], containers: &[TaskContainer]) -> Resources {
    let mut sum = Resources::default();
    let (mut most_vcpus, mut most_memory, mut init_gpus) = (MilliVcpus(0), Mebibytes(0), 0);
    for (member, container) in members.iter().zip(containers) {
        let own = container.resources;
        if member.is_init {
            most_vcpus = most_vcpus.max(own.vcpus);
            most_memory = most_memory.max(own.memory);
            init_gpus += own.gpus;
        } else {
            sum = sum.plus(own);
        }
    }
    Resources {
        vcpus: sum.vcpus.max(most_vcpus),
        memory: sum.memory.max(most_memory),
        gpus: sum.gpus.saturating_add(init_gpus),
    }
}
