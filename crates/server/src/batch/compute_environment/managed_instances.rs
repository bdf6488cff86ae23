//! What environments of type ECS_MANAGED_INSTANCES need and refuse (sections K.1 and K2). All words are our own.

use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    ComputeResource, InfrastructureOptimization, InstanceLaunchTemplate, InstanceLaunchTemplateUpdate,
    ManagedInstancesNetworkConfiguration, ManagedInstancesProvider,
    UpdateManagedInstancesProviderConfiguration,
};

use super::check::{Check, refuse, require};

/// Seconds that `scaleInAfter` may have; -1 is never.
const SCALE_IN_AFTER_MAX: i32 = 3_600;

/// Checks the resources of such an environment.
pub(super) fn check(resources: &ComputeResource) -> Check {
    let ComputeResource {
        allocation_strategy,
        bid_percentage,
        capacity_tags: _,
        desired_vcpus,
        ec2_configuration,
        ec2_key_pair,
        image_id,
        instance_role,
        instance_types,
        launch_template,
        managed_instances_provider,
        max_vcpus: _,
        min_vcpus,
        placement_group,
        scaling_policy,
        security_group_ids,
        spot_iam_fleet_role,
        subnets,
        tags,
        r#type: _,
    } = resources;
    let given = [
        ("allocationStrategy", allocation_strategy.is_some()),
        ("bidPercentage", bid_percentage.is_some()),
        ("desiredvCpus", desired_vcpus.is_some()),
        ("ec2Configuration", ec2_configuration.is_some()),
        ("ec2KeyPair", ec2_key_pair.is_some()),
        ("imageId", image_id.is_some()),
        ("instanceRole", instance_role.is_some()),
        ("instanceTypes", instance_types.is_some()),
        ("launchTemplate", launch_template.is_some()),
        ("minvCpus", min_vcpus.is_some()),
        ("placementGroup", placement_group.is_some()),
        ("scalingPolicy", scaling_policy.is_some()),
        ("securityGroupIds", security_group_ids.is_some()),
        ("spotIamFleetRole", spot_iam_fleet_role.is_some()),
        ("subnets", subnets.is_some()),
        ("tags", tags.is_some()),
    ];
    if let Some((member, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
        return refuse(format!("{member} is not applicable for ECS_MANAGED_INSTANCES."));
    }
    match managed_instances_provider {
        Some(found) => provider(found),
        None => refuse("managedInstancesProvider is required for ECS_MANAGED_INSTANCES."),
    }
}

/// Refuses in other environments what only these have.
pub(super) fn refuse_elsewhere(resources: &ComputeResource) -> Check {
    let given = [
        (
            "managedInstancesProvider",
            resources.managed_instances_provider.is_some(),
        ),
        ("capacityTags", resources.capacity_tags.is_some()),
    ];
    for (member, is_given) in given {
        require(
            !is_given,
            &format!("{member} is only applicable for ECS_MANAGED_INSTANCES."),
        )?;
    }
    Ok(())
}

fn provider(provider: &ManagedInstancesProvider) -> Check {
    let ManagedInstancesProvider {
        infrastructure_optimization,
        infrastructure_role_arn,
        instance_launch_template,
        propagate_tags,
    } = provider;
    required("infrastructureRoleArn", infrastructure_role_arn)?;
    one_of(
        "propagateTags",
        propagate_tags.as_deref(),
        &["CAPACITY_PROVIDER", "NONE"],
    )?;
    if let Some(InfrastructureOptimization {
        scale_in_after: Some(seconds),
    }) = infrastructure_optimization
    {
        require(
            (-1..=SCALE_IN_AFTER_MAX).contains(seconds),
            &format!("scaleInAfter must be -1 or between 0 and {SCALE_IN_AFTER_MAX}."),
        )?;
    }
    template(instance_launch_template)
}

fn template(template: &InstanceLaunchTemplate) -> Check {
    let InstanceLaunchTemplate {
        capacity_option_type,
        capacity_reservations,
        ec2_instance_profile_arn,
        fips_enabled: _,
        instance_metadata_tags_propagation: _,
        instance_requirements: _,
        local_storage_configuration: _,
        monitoring,
        network_configuration:
            ManagedInstancesNetworkConfiguration {
                security_groups,
                subnets,
            },
        storage_configuration,
    } = template;
    required("ec2InstanceProfileArn", ec2_instance_profile_arn)?;
    require(!subnets.is_empty(), "Subnets are required.")?;
    require(!security_groups.is_empty(), "Security group ids are required.")?;
    let option = capacity_option_type.as_deref();
    one_of("capacityOptionType", option, &["ON_DEMAND", "SPOT"])?;
    one_of("monitoring", monitoring.as_deref(), &["BASIC", "DETAILED"])?;
    let preference = capacity_reservations
        .as_ref()
        .and_then(|reservations| reservations.reservation_preference.as_deref());
    one_of(
        "reservationPreference",
        preference,
        &["RESERVATIONS_ONLY", "RESERVATIONS_FIRST", "RESERVATIONS_EXCLUDED"],
    )?;
    let size = storage_configuration
        .as_ref()
        .and_then(|storage| storage.storage_size_gib);
    require(size.is_none_or(|gib| gib > 0), "storageSizeGiB must be positive.")
}

fn required(member: &str, value: &str) -> Check {
    require(!value.is_empty(), &format!("{member} is required."))
}

fn one_of(member: &str, value: Option<&str>, known: &[&str]) -> Check {
    require(
        value.is_none_or(|value| known.contains(&value)),
        &format!("{member} must be one of [{}].", known.join(", ")),
    )
}

/// Changes what an update gives. What it has no member for stays as it was created: the capacity option and FIPS.
pub(super) fn merge(
    present: &mut Option<ManagedInstancesProvider>,
    update: &UpdateManagedInstancesProviderConfiguration,
) -> Check {
    let Some(present) = present else {
        return Err(client_exception(
            "managedInstancesProvider is only applicable for ECS_MANAGED_INSTANCES.",
        ));
    };
    let UpdateManagedInstancesProviderConfiguration {
        infrastructure_optimization,
        infrastructure_role_arn,
        instance_launch_template,
        propagate_tags,
    } = update;
    replace(
        &mut present.infrastructure_optimization,
        infrastructure_optimization,
    );
    replace(&mut present.propagate_tags, propagate_tags);
    if let Some(role) = infrastructure_role_arn {
        present.infrastructure_role_arn.clone_from(role);
    }
    let Some(update) = instance_launch_template else {
        return Ok(());
    };
    let InstanceLaunchTemplateUpdate {
        capacity_reservations,
        ec2_instance_profile_arn,
        instance_metadata_tags_propagation,
        instance_requirements,
        local_storage_configuration,
        monitoring,
        network_configuration,
        storage_configuration,
    } = update;
    let present = &mut present.instance_launch_template;
    replace(&mut present.capacity_reservations, capacity_reservations);
    replace(
        &mut present.instance_metadata_tags_propagation,
        instance_metadata_tags_propagation,
    );
    replace(&mut present.instance_requirements, instance_requirements);
    replace(
        &mut present.local_storage_configuration,
        local_storage_configuration,
    );
    replace(&mut present.monitoring, monitoring);
    replace(&mut present.storage_configuration, storage_configuration);
    if let Some(profile) = ec2_instance_profile_arn {
        present.ec2_instance_profile_arn.clone_from(profile);
    }
    if let Some(network) = network_configuration {
        present.network_configuration.clone_from(network);
    }
    Ok(())
}

fn replace<T: Clone>(present: &mut Option<T>, new: &Option<T>) {
    if new.is_some() {
        present.clone_from(new);
    }
}
