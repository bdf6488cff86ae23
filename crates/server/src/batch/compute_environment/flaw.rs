//! What makes an environment INVALID (section D2.2): roles that can be none. The service accepts them, and then says so in the
//! environment's status.
//!
//! There are no roles here, so none that there could be is doubted. The texts begin as the service's.

use batchyard_iam::role::could_be;
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
