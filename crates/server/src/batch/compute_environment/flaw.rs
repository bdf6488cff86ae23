//! What makes an environment INVALID (section D2.2): roles that can be none. The service accepts them, and then says so in the
//! environment's status.
//!
//! There are no roles here, so none that there could be is doubted. The texts begin as the service's.

use batchyard_wire::batch::ComputeResource;

use super::EnvironmentDocument;

/// The status reason of an environment that cannot work; `None` of one that can.
pub(super) fn flaw(document: &EnvironmentDocument) -> Option<String> {
    let none = ComputeResource::default();
    let resources = document.compute_resources.as_ref().unwrap_or(&none);
    let provider = resources.managed_instances_provider.as_ref();
    let mut service_roles = document
        .service_role
        .iter()
        .chain(provider.map(|provider| &provider.infrastructure_role_arn));
    let mut profiles = resources
        .instance_role
        .iter()
        .chain(provider.map(|provider| &provider.instance_launch_template.ec2_instance_profile_arn));
    if let Some(role) = service_roles.find(|role| !could_be("role", role)) {
        return Some(format!(
            "CLIENT_ERROR - Not authorized to perform sts:AssumeRole ({role} is not the name or ARN of a role)"
        ));
    }
    if let Some(profile) = profiles.find(|profile| !could_be("instance-profile", profile)) {
        return Some(format!(
            "CLIENT_ERROR - Instance profile {profile} does not exist"
        ));
    }
    let fleet_role = resources.spot_iam_fleet_role.as_ref();
    let role = fleet_role.filter(|role| !could_be("role", role))?;
    Some(format!(
        "CLIENT_ERROR - Parameter: SpotFleetRequestConfig.IamFleetRole is invalid ({role} is not the name or ARN of a role)"
    ))
}

/// Whether IAM could have something of this kind with this name or ARN, in whatever partition and account.
fn could_be(kind: &str, reference: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte);
    let is_name = |name: &str| (1..=128).contains(&name.len()) && name.bytes().all(allowed);
    let Some(arn) = reference.strip_prefix("arn:") else {
        return is_name(reference);
    };
    let [_, service, region, account, resource] = *arn.splitn(5, ':').collect::<Vec<_>>() else {
        return false;
    };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let name = resource
        .strip_prefix(kind)
        .and_then(|rest| rest.strip_prefix('/'));
    service == "iam"
        && region.is_empty()
        && is_account
        && name.is_some_and(|path| path.split('/').all(is_name))
}

#[cfg(test)]
mod tests {
    use super::could_be;

    #[test]
    fn what_iam_could_have_is_not_doubted() {
        for role in [
            "ecsInstanceRole",
            "a+b=c,d.e@f-g_h",
            "arn:aws:iam::123456789012:role/x",
            "arn:aws-cn:iam::000000000000:role/service-role/AWSBatchServiceRole",
        ] {
            assert!(could_be("role", role), "{role}");
        }
        for role in [
            "",
            "no role",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role",
            "arn:aws:iam::12:role/x",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:iam::123456789012:instance-profile/x",
            "arn:aws:s3:::bucket",
            "arn:",
        ] {
            assert!(!could_be("role", role), "{role}");
        }
    }
}
