//! Volumes of containers: from where they are mounted (section E.3).

use batchyard_core::launch::{Mount, MountSource};
use batchyard_wire::batch::{
    ContainerProperties, EFSVolumeConfiguration, MountPoint, S3FilesVolumeConfiguration, Volume,
};

use crate::provisions::Provisions;

/// What is mounted where.
///
/// # Errors
/// For a file system that the operator has no folder for, also one that nothing mounts.
pub(super) fn mounts(container: &ContainerProperties, provisions: &Provisions) -> Result<Vec<Mount>, String> {
    let volumes = container.volumes.iter().flatten();
    let sources = volumes.map(|volume| Ok((volume.name.as_deref(), source(volume, provisions)?)));
    let sources: Vec<(Option<&str>, Option<MountSource>)> = sources.collect::<Result<_, String>>()?;
    let mount = |point: &MountPoint| {
        let name = point.source_volume.as_deref()?;
        let found = sources.iter().find(|(of, _)| *of == Some(name));
        Some(Mount {
            source: found
                .and_then(|(_, source)| source.clone())
                .unwrap_or_else(|| MountSource::Scratch(name.to_owned())),
            container_path: point.container_path.clone()?,
            is_readonly: point.read_only.unwrap_or(false),
        })
    };
    Ok(container
        .mount_points
        .iter()
        .flatten()
        .filter_map(mount)
        .collect())
}

/// Where a volume comes from; `None` for one that is the job's alone.
fn source(volume: &Volume, provisions: &Provisions) -> Result<Option<MountSource>, String> {
    let Volume {
        efs_volume_configuration: efs,
        host,
        name: _,
        s3files_volume_configuration: s3files,
    } = volume;
    if let Some(efs) = efs {
        // How the file system is reached is the operator's matter.
        let EFSVolumeConfiguration {
            authorization_config,
            file_system_id,
            root_directory,
            transit_encryption: _,
            transit_encryption_port: _,
        } = efs;
        let point = authorization_config
            .as_ref()
            .and_then(|authorization| authorization.access_point_id.as_deref());
        return below(
            "efsVolumeConfiguration",
            point.unwrap_or(file_system_id),
            root_directory,
            provisions,
        );
    }
    if let Some(s3files) = s3files {
        let S3FilesVolumeConfiguration {
            access_point_arn,
            file_system_arn,
            root_directory,
            transit_encryption_port: _,
        } = s3files;
        let arn = access_point_arn.as_deref().unwrap_or(file_system_arn);
        let id = arn.rsplit('/').next().unwrap_or(arn);
        return below("s3filesVolumeConfiguration", id, root_directory, provisions);
    }
    let path = host.as_ref().and_then(|host| host.source_path.clone());
    Ok(path.filter(|path| !path.is_empty()).map(MountSource::Host))
}

fn below(
    member: &str,
    id: &str,
    root_directory: &Option<String>,
    provisions: &Provisions,
) -> Result<Option<MountSource>, String> {
    let named = |reason: String| format!("volumes.{member}: {reason}");
    let folder = provisions.file_system(id).map_err(named)?;
    let path = root_directory.as_deref().unwrap_or_default();
    Ok(Some(MountSource::Below {
        folder,
        path: inner_path(path).map_err(named)?,
        is_made: false,
    }))
}

/// A path below a volume's root, without slashes at its ends.
///
/// # Errors
/// For one that would lead out of it.
pub(super) fn inner_path(path: &str) -> Result<String, String> {
    let words: Vec<&str> = path
        .split('/')
        .filter(|word| !matches!(*word, "" | "."))
        .collect();
    if words.contains(&"..") || path.contains('\0') {
        return Err(format!("the path {path} must not contain .."));
    }
    Ok(words.join("/"))
}

#[cfg(test)]
mod tests {
    use super::inner_path;

    #[test]
    fn paths_stay_in_their_volume() {
        for (path, inner) in [
            ("/", ""),
            ("", ""),
            ("/a//b/", "a/b"),
            ("a/./b", "a/b"),
            ("..a/b..", "..a/b.."),
        ] {
            assert_eq!(inner_path(path).as_deref(), Ok(inner), "{path}");
        }
        for path in ["..", "/..", "a/../..", "a/.."] {
            assert!(inner_path(path).is_err(), "{path}");
        }
    }
}
