//! Volumes, and where containers mount them.

use std::collections::BTreeSet;

use batchyard_wire::batch::{
    EFSAuthorizationConfig, EFSAuthorizationConfigIAM, EFSTransitEncryption, EFSVolumeConfiguration,
    MountPoint, Volume,
};

use super::{Check, Platform, refuse, require};

pub(super) fn check(volumes: &[Volume], platform: Platform, has_job_role: bool) -> Check {
    let mut names = BTreeSet::new();
    for Volume {
        efs_volume_configuration: efs,
        host,
        name,
        s3files_volume_configuration: s3files,
    } in volumes
    {
        // Own words.
        require(
            name.as_ref().is_none_or(|name| names.insert(name)),
            format!(
                "Volume names must be unique, got {} twice.",
                name.as_deref().unwrap_or_default()
            ),
        )?;
        let kinds = [efs.is_some(), host.is_some(), s3files.is_some()];
        require(
            kinds.into_iter().filter(|is_given| *is_given).count() <= 1,
            "When the volume parameter is specified, only one volume configuration type should be used.",
        )?;
        let has_path = host.as_ref().is_some_and(|host| host.source_path.is_some());
        require(
            platform != Platform::Fargate || !has_path,
            "host.sourcePath should not be set for volumes in Fargate.",
        )?;
        require(
            s3files.is_none() || has_job_role,
            "A jobRoleArn/taskRoleArn is required when using s3filesVolumeConfiguration.",
        )?;
        efs.as_ref().map_or(Ok(()), file_system)?;
    }
    Ok(())
}

/// Checks that each mount point says where, and names one of the volumes (section E.3). `prefix` leads to the mount points.
pub(super) fn mounts(mounts: Option<&Vec<MountPoint>>, volumes: &[Volume], prefix: &str) -> Check {
    let names: BTreeSet<&str> = volumes
        .iter()
        .filter_map(|volume| volume.name.as_deref())
        .collect();
    for (index, point) in mounts.into_iter().flatten().enumerate() {
        let MountPoint {
            container_path,
            read_only: _,
            source_volume,
        } = point;
        // Own words.
        let member = format!("{prefix}mountPoints[{index}]");
        require(
            container_path.as_deref().is_some_and(|path| !path.is_empty()),
            format!("{member}.containerPath is required."),
        )?;
        let source = source_volume.as_deref().unwrap_or_default();
        require(
            names.contains(source),
            format!("{member}.sourceVolume: there is no volume {source:?}."),
        )?;
    }
    Ok(())
}

fn file_system(efs: &EFSVolumeConfiguration) -> Check {
    let EFSVolumeConfiguration {
        authorization_config,
        file_system_id,
        root_directory,
        transit_encryption,
        transit_encryption_port,
    } = efs;
    let is_hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_id = file_system_id
        .strip_prefix("fs-")
        .is_some_and(|rest| (8..=40).contains(&rest.len()) && is_hexadecimal(rest));
    require(
        is_id,
        format!("EFS configuration fileSystemId is not valid: {file_system_id}."),
    )?;
    let is_encrypted = *transit_encryption == Some(EFSTransitEncryption::Enabled);
    if let Some(EFSAuthorizationConfig { access_point_id, iam }) = authorization_config {
        if access_point_id.is_some() {
            require(
                root_directory.as_deref().is_none_or(|root| root == "/"),
                "When using an EFS access point, the root directory must either be set to \"/\" or omitted",
            )?;
            require(
                is_encrypted,
                "EFS IAM access point requires TransitEncryption to be enabled.",
            )?;
        }
        if *iam == Some(EFSAuthorizationConfigIAM::Enabled) && !is_encrypted {
            refuse("EFS IAM authorization requires TransitEncryption to be enabled.")?;
        }
    }
    require(
        transit_encryption_port.is_none_or(|port| (0..=65_535).contains(&port)),
        "TransitEncryptionPort must be a valid port number.",
    )
}
