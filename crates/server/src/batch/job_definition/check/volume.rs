//! Volumes.

use batchyard_wire::batch::{
    EFSAuthorizationConfig, EFSAuthorizationConfigIAM, EFSTransitEncryption, EFSVolumeConfiguration, Volume,
};

use super::{Check, Platform, refuse, require};

pub(super) fn check(volumes: &[Volume], platform: Platform, has_job_role: bool) -> Check {
    for Volume {
        efs_volume_configuration: efs,
        host,
        name: _,
        s3files_volume_configuration: s3files,
    } in volumes
    {
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
