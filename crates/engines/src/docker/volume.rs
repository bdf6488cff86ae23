//! Volumes that are made for one attempt: empty ones, those in memory, and those with a secret in them.
//!
//! They are named volumes, because several mounts may share one. Those of a pod are held, and first written to, by what holds its
//! namespaces: a volume in memory lasts only as long as some container has it, and init containers end before the others begin. It must not decide
//! who mounts what. Start with [`mounts`] and [`fill`].

use std::collections::{BTreeMap, HashMap};

use batchyard_core::launch::{ContainerSpec, Mount, MountSource, TaskEnd, TaskSpec};
use batchyard_core::secret::SecretName;
use bollard::models::{Mount as DaemonMount, MountType, MountVolumeOptions, MountVolumeOptionsDriverConfig};
use bollard::query_parameters::UploadToContainerOptions;
use bytes::Bytes;

use super::Context;
use super::container::scratch_names;
use super::daemon::Failure;
use super::labels::{Labels, volume_name};
use super::launch::Setback;
use super::reason::Reason;
use crate::secrets::File;

/// Where what holds a pod's namespaces has its volumes.
const HELD: &str = "/volumes";

/// MiB of a volume with a secret: Kubernetes has no larger ones than 1 MiB, and each file takes whole pages.
const SECRET_MIB: u64 = 4;

/// Everybody may write to an empty volume, as in Kubernetes: which user a container runs as is its image's choice.
const EMPTY_MODE: u32 = 0o777;

/// The same where it belongs to a group, as does what is made in it.
const GROUP_MODE: u32 = 0o2777;

/// Everybody may read a secret that his container mounts.
const SECRET_FOLDER_MODE: u32 = 0o755;
const SECRET_FILE_MODE: u32 = 0o444;

/// The name of a volume that is the attempt's own.
pub(super) fn own_name(source: &MountSource) -> Option<&str> {
    match source {
        MountSource::Scratch(name) | MountSource::Memory { name, .. } | MountSource::Secret { name, .. } => {
            Some(name)
        }
        MountSource::Host(_) | MountSource::Attempt(_) | MountSource::Below { .. } => None,
    }
}

/// The mounts of a container that are volumes of its attempt; `names` are those of all of them.
pub(super) fn mounts(mounts: &[Mount], names: &[&str], labels: &Labels) -> Vec<DaemonMount> {
    let mount_of = |mount: &Mount| {
        let target = mount.container_path.clone();
        Some(DaemonMount {
            read_only: Some(mount.is_readonly),
            ..volume(&mount.source, target, names, labels)?
        })
    };
    mounts.iter().filter_map(mount_of).collect()
}

/// The same for what holds the volumes of a pod, and nothing for that of another task.
pub(super) fn held(task: &TaskSpec, labels: &Labels) -> Vec<DaemonMount> {
    let names = scratch_names(specs(task));
    let volumes = held_sources(task, &names);
    let mount_of = |(index, source)| volume(source, held_path(index), &names, labels);
    volumes.into_iter().filter_map(mount_of).collect()
}

fn specs(task: &TaskSpec) -> impl Iterator<Item = &ContainerSpec> {
    task.containers.iter().map(|one| &one.container)
}

fn held_path(index: usize) -> String {
    format!("{HELD}/{index}")
}

/// The volumes of a pod, each with its place among all names.
fn held_sources<'a>(task: &'a TaskSpec, names: &[&str]) -> BTreeMap<usize, &'a MountSource> {
    if task.end != TaskEnd::All {
        return BTreeMap::new();
    }
    let sources = specs(task)
        .flat_map(|container| &container.mounts)
        .map(|mount| &mount.source);
    let placed = sources.filter_map(|source| {
        let name = own_name(source)?;
        Some((names.iter().position(|known| *known == name)?, source))
    });
    placed.collect()
}

/// They carry the container's labels so that none is ever left behind.
fn volume(source: &MountSource, target: String, names: &[&str], labels: &Labels) -> Option<DaemonMount> {
    let name = own_name(source)?;
    let size_mib = match source {
        MountSource::Memory { size_mib, .. } => Some(*size_mib),
        MountSource::Secret { .. } => Some(SECRET_MIB),
        MountSource::Scratch(_)
        | MountSource::Host(_)
        | MountSource::Attempt(_)
        | MountSource::Below { .. } => None,
    };
    let in_memory = |size_mib: u64| MountVolumeOptionsDriverConfig {
        name: Some("local".to_owned()),
        options: Some(HashMap::from(
            [
                ("type", "tmpfs".to_owned()),
                ("device", "tmpfs".to_owned()),
                ("o", format!("size={size_mib}m")),
            ]
            .map(|(option, value)| (option.to_owned(), value)),
        )),
    };
    Some(DaemonMount {
        target: Some(target),
        source: Some(volume_name(
            labels.attempt,
            names.iter().position(|known| *known == name)?,
        )),
        typ: Some(MountType::VOLUME),
        read_only: Some(false),
        volume_options: Some(MountVolumeOptions {
            labels: Some(labels.to_map()),
            driver_config: size_mib.map(in_memory),
            ..MountVolumeOptions::default()
        }),
        ..DaemonMount::default()
    })
}

/// What is in the volumes of a pod before it starts, by their places among all names.
pub(super) type Contents = BTreeMap<usize, Content>;

/// What is in a volume.
pub(super) struct Content {
    files: Vec<File>,
    folder_mode: u32,
    group: Option<u32>,
}

/// Reads what the volumes of a pod are to have.
///
/// # Errors
/// For a secret that cannot be had.
pub(super) async fn contents(context: &Context, task: &TaskSpec) -> Result<Contents, Reason> {
    let names = scratch_names(specs(task));
    let group = specs(task).find_map(|container| container.pod.as_ref()?.volume_group);
    let mut contents = Contents::new();
    for (index, source) in held_sources(task, &names) {
        let content = match source {
            MountSource::Secret {
                name,
                secret,
                is_optional,
            } => Content {
                files: files(context, name, secret, *is_optional).await?,
                folder_mode: SECRET_FOLDER_MODE,
                group,
            },
            MountSource::Scratch(_)
            | MountSource::Memory { .. }
            | MountSource::Host(_)
            | MountSource::Attempt(_)
            | MountSource::Below { .. } => Content {
                files: Vec::new(),
                folder_mode: if group.is_some() { GROUP_MODE } else { EMPTY_MODE },
                group,
            },
        };
        contents.insert(index, content);
    }
    Ok(contents)
}

async fn files(
    context: &Context,
    volume: &str,
    secret: &SecretName,
    is_optional: bool,
) -> Result<Vec<File>, Reason> {
    // In the words of Kubernetes.
    let failed = |text: String| {
        Reason::NoSecret(format!(
            "MountVolume.SetUp failed for volume \"{volume}\" : {text}"
        ))
    };
    context.secrets.files(secret, is_optional).await.map_err(failed)
}

/// Writes the contents of a pod's volumes, through what holds them. Writing them again changes nothing.
pub(super) async fn fill(context: &Context, holder: &Labels, contents: &Contents) -> Result<(), Setback> {
    for (index, content) in contents {
        let archive = content.archive(*index).map_err(|error| {
            Setback::Never(Reason::CannotCreate(format!("fill a volume of the pod: {error}")))
        })?;
        let options = UploadToContainerOptions {
            path: HELD.to_owned(),
            ..UploadToContainerOptions::default()
        };
        let client = context.daemon.client().map_err(|_| Setback::Unreachable)?;
        let uploaded = client
            .upload_to_container(
                &holder.container_name(),
                Some(options),
                bollard::body_full(Bytes::from(archive)),
            )
            .await;
        match uploaded.map_err(Failure::from) {
            Ok(()) => {}
            Err(Failure::Refused { text, .. }) => return Err(Setback::Never(Reason::CannotCreate(text))),
            Err(Failure::Unreachable(_) | Failure::NotConnected) => return Err(Setback::Unreachable),
        }
    }
    Ok(())
}

impl Content {
    /// The volume's own folder, and its files. The daemon leaves a folder that is called `.` as it is, so it is called by its place.
    fn archive(&self, index: usize) -> std::io::Result<Vec<u8>> {
        let mut archive = tar::Builder::new(Vec::new());
        let header = |kind, mode, size| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_uid(0);
            header.set_gid(u64::from(self.group.unwrap_or(0)));
            header.set_size(size);
            header
        };
        let mut folder = header(tar::EntryType::Directory, self.folder_mode, 0);
        archive.append_data(&mut folder, format!("{index}/"), std::io::empty())?;
        for File { name, bytes } in &self.files {
            let size = u64::try_from(bytes.expose().len()).unwrap_or(u64::MAX);
            let mut file = header(tar::EntryType::Regular, SECRET_FILE_MODE, size);
            archive.append_data(&mut file, format!("{index}/{name}"), bytes.expose())?;
        }
        archive.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::secrets::FileBytes;

    #[test]
    fn contents_are_readable_for_all_and_belong_to_the_group() {
        let long = "k".repeat(253);
        let file = |name: &str| File {
            name: name.to_owned(),
            bytes: FileBytes::new(b"value".to_vec()),
        };
        let content = Content {
            files: vec![file("key"), file(&long)],
            folder_mode: GROUP_MODE,
            group: Some(2000),
        };
        let archive = content.archive(3).unwrap();
        let mut archive = tar::Archive::new(archive.as_slice());
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let header = entry.header();
            let (mode, group) = (header.mode().unwrap(), header.gid().unwrap());
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            seen.push((path, mode, group, text));
        }
        let line = |path: &str, mode, text: &str| (path.to_owned(), mode, 2000, text.to_owned());
        assert_eq!(
            seen,
            [
                line("3/", 0o2777, ""),
                line("3/key", 0o444, "value"),
                line(&format!("3/{long}"), 0o444, "value"),
            ]
        );
    }
}
