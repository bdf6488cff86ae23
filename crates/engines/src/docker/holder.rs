//! The container that holds the namespaces which the containers of a task share, as ECS's pause container does.
//!
//! It is needed only where there is something to share: on the host's network, with process and ipc namespaces as usual, tasks do without.
//! Its image is made here, of one program of a few instructions that waits for ever, so that nothing is pulled for it. It must
//! not be looked at after it was started: if it is killed, what it held lasts as long as the containers in it. Start with [`hold`].

use batchyard_core::id::AttemptKey;
use batchyard_core::launch::{Sharing, TaskSpec};
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{CreateContainerOptions, CreateImageOptions};
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::Context;
use super::container::{HOST, Namespaces};
use super::daemon::Failure;
use super::labels::{Labels, holder_name};
use super::launch::Setback;
use super::network::Membership;
use super::reason::Reason;
use super::volume;

/// The image's name in the daemon. The number changes with the program.
const IMAGE: &str = "batchyard-pause:1";

/// The program's path in the image.
const PROGRAM: &str = "pause";

/// `pause()` again and again.
const CODE_X86_64: [u8; 9] = [
    0xb8, 34, 0, 0, 0, // mov eax, 34: the number of pause
    0x0f, 0x05, // syscall
    0xeb, 0xf7, // jmp to the beginning
];

/// `ppoll(NULL, 0, NULL, NULL)` again and again: there is no pause here.
const CODE_AARCH64: [u8; 28] = [
    0x00, 0x00, 0x80, 0xd2, // mov x0, 0
    0x01, 0x00, 0x80, 0xd2, // mov x1, 0
    0x02, 0x00, 0x80, 0xd2, // mov x2, 0
    0x03, 0x00, 0x80, 0xd2, // mov x3, 0
    0x28, 0x09, 0x80, 0xd2, // mov x8, 73: the number of ppoll
    0x01, 0x00, 0x00, 0xd4, // svc 0
    0xfa, 0xff, 0xff, 0x17, // b to the beginning
];

/// Whether a task's containers share what somebody must hold. A node's are on the network of its attempt, as one host.
pub(super) fn is_needed(network: &str, task: &TaskSpec, is_node: bool) -> bool {
    // Hosts share nothing but a network that needs no holding.
    !task.are_hosts
        && (is_node || network != HOST || task.processes == Sharing::Task || task.ipc == Sharing::Task)
}

/// The namespaces of a task's containers.
pub(super) fn namespaces(network: &str, task: &TaskSpec, attempt: AttemptKey, is_node: bool) -> Namespaces {
    let held = || format!("container:{}", holder_name(attempt));
    let mode = |sharing: Sharing| match sharing {
        Sharing::Usual => None,
        Sharing::Own => Some("private".to_owned()),
        Sharing::Host => Some(HOST.to_owned()),
        Sharing::Task => Some(held()),
    };
    Namespaces {
        network: if network == HOST && !is_node {
            HOST.to_owned()
        } else {
            held()
        },
        processes: mode(task.processes),
        ipc: mode(task.ipc),
    }
}

/// The body of the request that creates the holder. That of a node is what the other nodes see of it.
fn creation(
    network: &str,
    labels: &Labels,
    task: &TaskSpec,
    membership: Option<&Membership>,
) -> ContainerCreateBody {
    let network = membership.map_or(network, |membership| membership.network.as_str());
    ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        cmd: Some(vec![format!("/{PROGRAM}")]),
        labels: Some(labels.to_map()),
        hostname: membership.map(|membership| membership.host.clone()),
        networking_config: membership.map(Membership::to_config),
        host_config: Some(HostConfig {
            network_mode: Some(network.to_owned()),
            ipc_mode: (task.ipc == Sharing::Task).then(|| "shareable".to_owned()),
            // The first process of shared ones inherits orphans, and must reap them.
            init: (task.processes == Sharing::Task).then_some(true),
            log_config: Some(HostConfigLogConfig {
                typ: Some("none".to_owned()),
                config: None,
            }),
            mounts: Some(volume::held(task, labels)),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// Makes the holder unless it is there, and starts it.
pub(super) async fn hold(
    context: &Context,
    network: &str,
    labels: &Labels,
    task: &TaskSpec,
    membership: Option<&Membership>,
) -> Result<(), Setback> {
    let body = creation(network, labels, task, membership);
    let mut has_image = false;
    loop {
        match create(context, labels, body.clone()).await {
            Ok(()) => break,
            // It is there from a try before this one.
            Err(Failure::Refused { status: 409, .. }) => break,
            Err(Failure::Refused { status: 404, .. }) if !has_image => {
                has_image = true;
                make_image(context).await.map_err(setback)?;
            }
            Err(failure) => return Err(setback(failure)),
        }
    }
    let client = context.daemon.client().map_err(setback)?;
    let started = client.start_container(&labels.container_name(), None).await;
    match started.map_err(Failure::from) {
        Err(Failure::Refused { text, .. }) => Err(Setback::Never(Reason::CannotStart(text))),
        other => other.map_err(setback),
    }
}

fn setback(failure: Failure) -> Setback {
    match failure {
        Failure::Refused { status: _, text } => Setback::Never(Reason::CannotCreate(text)),
        Failure::Unreachable(_) | Failure::NotConnected => Setback::Unreachable,
    }
}

async fn create(context: &Context, labels: &Labels, body: ContainerCreateBody) -> Result<(), Failure> {
    let options = CreateContainerOptions {
        name: Some(labels.container_name()),
        platform: String::new(),
    };
    context
        .daemon
        .client()?
        .create_container(Some(options), body)
        .await?;
    Ok(())
}

async fn make_image(context: &Context) -> Result<(), Failure> {
    let client = context.daemon.client()?;
    let version = client.version().await?;
    let program = match version.arch.as_deref() {
        Some("arm64") => elf(183, &CODE_AARCH64),
        _ => elf(62, &CODE_X86_64),
    };
    let (repo, tag) = IMAGE.split_once(':').expect("the name above has a tag");
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some(repo.to_owned()),
        tag: Some(tag.to_owned()),
        ..CreateImageOptions::default()
    };
    let archive = archive(PROGRAM, &program).expect("an archive in memory can be written");
    let archive = bollard::body_full(Bytes::from(archive));
    let mut progress = client.create_image(Some(options), Some(archive), None);
    while let Some(step) = progress.next().await {
        step?;
    }
    Ok(())
}

/// A program of this code alone, for this machine: a header, one segment that is all of the file, and the code behind both.
fn elf(machine: u16, code: &[u8]) -> Vec<u8> {
    const ADDRESS: u64 = 0x40_0000;
    const HEADER: u16 = 64;
    const SEGMENT: u16 = 56;
    let code_at = u64::from(HEADER + SEGMENT);
    let size = code_at + u64::try_from(code.len()).expect("a few bytes");
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut put = |bytes: &[u8]| file.extend_from_slice(bytes);
    put(&2_u16.to_le_bytes()); // an executable
    put(&machine.to_le_bytes());
    put(&1_u32.to_le_bytes());
    put(&(ADDRESS + code_at).to_le_bytes()); // where it begins
    put(&u64::from(HEADER).to_le_bytes()); // where the segments are listed
    put(&0_u64.to_le_bytes());
    put(&0_u32.to_le_bytes());
    put(&HEADER.to_le_bytes());
    put(&SEGMENT.to_le_bytes());
    put(&1_u16.to_le_bytes());
    put(&[0; 6]); // no sections
    put(&1_u32.to_le_bytes()); // to be loaded
    put(&5_u32.to_le_bytes()); // read and run
    put(&0_u64.to_le_bytes());
    put(&ADDRESS.to_le_bytes());
    put(&ADDRESS.to_le_bytes());
    put(&size.to_le_bytes());
    put(&size.to_le_bytes());
    put(&0x1000_u64.to_le_bytes());
    put(code);
    file
}

/// An archive of one file that may be run.
fn archive(name: &str, content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o755);
    header.set_size(u64::try_from(content.len()).expect("a few bytes"));
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, content)?;
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::labels::Part;

    #[test]
    fn the_holder_of_a_node_is_the_node_on_its_network() {
        let attempt = "018bcfe5-6800-4000-8000-000000000007:1/1".parse().unwrap();
        let labels = Labels {
            namespace: "n".to_owned(),
            attempt,
            stream: None,
            scratch_volumes: 0,
            main_node: Some("018bcfe5-6800-4000-8000-000000000007:0/1".parse().unwrap()),
            failure_file: None,
            results: None,
            part: Part::Holder,
        };
        let membership = Membership {
            network: "batchyard-main".to_owned(),
            host: "node-1".to_owned(),
            main_address: Some("10.0.0.2".to_owned()),
        };
        let task = TaskSpec::default();
        // On the host's network a task needs no holder, as a node it does.
        assert!(!is_needed(HOST, &task, false) && is_needed(HOST, &task, true));
        let body = creation(HOST, &labels, &task, Some(&membership));
        assert_eq!(body.hostname.as_deref(), Some("node-1"));
        let mode = body.host_config.and_then(|config| config.network_mode);
        assert_eq!(mode.as_deref(), Some("batchyard-main"));
        let endpoints = body.networking_config.and_then(|config| config.endpoints_config);
        assert!(endpoints.is_some_and(|endpoints| endpoints.contains_key("batchyard-main")));
        // Its containers are where it is.
        let shared = namespaces(HOST, &task, attempt, true);
        assert_eq!(shared.network, format!("container:{}", holder_name(attempt)));
        assert_eq!(namespaces(HOST, &task, attempt, false).network, HOST);
    }
}
