//! What CreateComputeEnvironment and UpdateComputeEnvironment refuse (section A.1). The texts are the live service's
//! unless a comment says otherwise.

use batchyard_core::name::EnvironmentName;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    CEState, CEType, CRAllocationStrategy, CRType, ComputeResource, CreateComputeEnvironmentRequest,
    Ec2Configuration, EksConfiguration, LaunchTemplateSpecification,
};

use super::capacity::has_mixed_architectures;
use super::managed_instances;
use crate::batch::tags;
use crate::config::LimitsConfig;

pub(super) type Check = Result<(), Fault>;

/// The role that AWS Batch makes for itself (section A1.7).
pub(super) const SERVICE_LINKED_ROLE: &str = "AWSServiceRoleForBatch";

pub(super) fn refuse(text: impl Into<String>) -> Check {
    Err(client_exception(text))
}

/// Refuses with `text` unless `is_good`.
pub(super) fn require(is_good: bool, text: &str) -> Check {
    if is_good { Ok(()) } else { refuse(text) }
}

/// Checks a new environment and gives its name.
pub(super) fn creation(
    input: &CreateComputeEnvironmentRequest,
    region: &str,
    limits: &LimitsConfig,
) -> Result<EnvironmentName, Fault> {
    let Ok(name) = EnvironmentName::parse(&input.compute_environment_name) else {
        // Own words after the pattern of the queue's (section 0.17).
        return Err(client_exception(
            "Compute Environment name should match a valid pattern.",
        ));
    };
    require(
        input.state != Some(CEState::Disabled),
        "Compute Environment must be created in ENABLED state.",
    )?;
    tags::check(input.tags.as_ref(), limits)?;
    match (&input.r#type, &input.compute_resources) {
        // Own words (section D1.3: unmanaged environments are ECS's).
        (CEType::Unmanaged, None) => require(
            input.eks_configuration.is_none(),
            "eksConfiguration is not applicable for unmanaged Compute Environments",
        )?,
        // Own words (section A1.5).
        (CEType::Unmanaged, Some(_)) => {
            refuse("computeResources is not applicable for unmanaged Compute Environments")?
        }
        (_, None) => refuse("computeResources must be provided for a MANAGED compute environment")?,
        (_, Some(found)) => {
            require(
                input.unmanaged_vcpus.is_none(),
                "unmanagedvCpus is not applicable for managed Compute Environments",
            )?;
            resources(found, input.eks_configuration.as_ref())?;
        }
    }
    if let Some(eks) = &input.eks_configuration {
        require(
            eks.eks_cluster_arn.split(':').nth(3) == Some(region),
            "eksClusterArn must be in the same AWS region as the compute environment",
        )?;
    }
    // Own words.
    require(
        input.unmanaged_vcpus.is_none_or(|count| count >= 0),
        "unmanagedvCpus must not be negative.",
    )?;
    Ok(name)
}

/// Checks that an update leaves the service role of its kind: service-linked, as where none was given, or regular (section A1.28).
pub(super) fn same_kind_of_role(present: Option<&str>, update: Option<&str>) -> Check {
    let is_linked = |role: &str| role.rsplit('/').next() == Some(SERVICE_LINKED_ROLE);
    // Own words.
    require(
        update.is_none_or(|update| is_linked(update) == present.is_none_or(is_linked)),
        "serviceRole cannot be changed from a service-linked role to a regular IAM role, nor the other way round.",
    )
}

/// Checks compute resources as they are to be.
pub(super) fn resources(resources: &ComputeResource, eks: Option<&EksConfiguration>) -> Check {
    vcpus(resources)?;
    if resources.r#type != CRType::EcsManagedInstances {
        managed_instances::refuse_elsewhere(resources)?;
    }
    match &resources.r#type {
        CRType::Fargate | CRType::FargateSpot => {
            require(
                eks.is_none(),
                "Supported compute types for EKS compute environments are [EC2, SPOT]",
            )?;
            fargate(resources)
        }
        CRType::Ec2 | CRType::Spot => ec2(resources, eks),
        CRType::EcsManagedInstances => {
            require(
                eks.is_none(),
                "Supported compute types for EKS compute environments are [EC2, SPOT]",
            )?;
            managed_instances::check(resources)
        }
        // Own words; the model's check knows all types.
        CRType::Unknown(other) => refuse(format!("type {other} of computeResources is not known.")),
    }
}

fn vcpus(resources: &ComputeResource) -> Check {
    let (min, max) = (resources.min_vcpus.unwrap_or(0), resources.max_vcpus);
    // Own words (section A1.9).
    require(min >= 0, "minvCpus must not be negative.")?;
    require(max >= 0, "maxvCpus must not be negative.")?;
    require(min <= max, "maxvCpus must be greater than or equal to minvCpus.")?;
    let is_between = resources
        .desired_vcpus
        .is_none_or(|desired| (min..=max).contains(&desired));
    require(is_between, "desiredvCpus must be between minvCpus and maxvCpus.")
}

fn fargate(resources: &ComputeResource) -> Check {
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
        managed_instances_provider: _,
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
        ("spotIamFleetRole", spot_iam_fleet_role.is_some()),
        ("tags", tags.is_some()),
    ];
    if let Some((member, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
        return refuse(format!("{member} is not applicable for Fargate."));
    }
    let subnets = subnets.as_ref().map_or(0, Vec::len);
    let groups = security_group_ids.as_ref().map_or(0, Vec::len);
    // Own words for what is missing.
    require(subnets > 0, "Subnets are required.")?;
    require(subnets <= 16, "Fargate supports a maximum of 16 subnets.")?;
    require(groups > 0, "Security group ids are required.")?;
    require(groups <= 5, "Fargate supports a maximum of 5 security groups.")
}

fn ec2(resources: &ComputeResource, eks: Option<&EksConfiguration>) -> Check {
    let types = resources.instance_types.as_deref().unwrap_or_default();
    require(
        resources
            .instance_role
            .as_deref()
            .is_some_and(|role| !role.is_empty()),
        "Instance role is required.",
    )?;
    require(!types.is_empty(), "Resource instanceTypes are required.")?;
    require(
        !has_mixed_architectures(types),
        "arm-based instance type cannot be used with other instance types",
    )?;
    // Own words.
    require(
        resources
            .subnets
            .as_ref()
            .is_some_and(|subnets| !subnets.is_empty()),
        "Subnets are required.",
    )?;
    let has_groups = resources
        .security_group_ids
        .as_ref()
        .is_some_and(|groups| !groups.is_empty());
    require(
        has_groups || resources.launch_template.is_some(),
        "Security group ids are required.",
    )?;
    if let Some(eks) = eks {
        require(resources.min_vcpus.is_some(), "Resource minvCpus is required.")?;
        require(
            resources.allocation_strategy.is_some(),
            "allocationStrategy is required for EKS Compute Environments.",
        )?;
        cluster(eks)?;
    }
    strategy(resources, eks.is_some())?;
    // Own words (section A1.12).
    require(
        resources
            .bid_percentage
            .is_none_or(|percentage| (1..=100).contains(&percentage)),
        "bidPercentage must be between 1 and 100.",
    )?;
    if let Some(configurations) = &resources.ec2_configuration {
        images(configurations, eks.is_some())?;
    }
    if let Some(template) = &resources.launch_template {
        launch_template(template, types)?;
    }
    let delay = resources
        .scaling_policy
        .as_ref()
        .and_then(|policy| policy.min_scale_down_delay_minutes);
    // Own words (section A1.17).
    require(
        delay.is_none_or(|minutes| minutes == 0 || (20..=10_080).contains(&minutes)),
        "minScaleDownDelayMinutes must be 0 or between 20 and 10080.",
    )
}

fn strategy(resources: &ComputeResource, is_eks: bool) -> Check {
    use CRAllocationStrategy::{
        BestFit, SpotCapacityOptimized, SpotCapacityOptimizedPrioritized, SpotPriceCapacityOptimized,
    };
    let strategy = resources.allocation_strategy.as_ref();
    let is_spot = resources.r#type == CRType::Spot;
    let is_for_spot = matches!(
        strategy,
        Some(SpotCapacityOptimized | SpotCapacityOptimizedPrioritized | SpotPriceCapacityOptimized)
    );
    // Own words (section A1.10).
    require(
        is_spot || !is_for_spot,
        "allocationStrategy SPOT_* is only applicable for type SPOT.",
    )?;
    let is_best_fit = !is_eks && matches!(strategy, None | Some(BestFit));
    let has_fleet_role = resources
        .spot_iam_fleet_role
        .as_deref()
        .is_some_and(|role| !role.is_empty());
    require(
        !is_spot || !is_best_fit || has_fleet_role,
        "compute resource spotIamFleetRole is required.",
    )
}

fn images(configurations: &[Ec2Configuration], is_eks: bool) -> Check {
    const ECS: [&str; 4] = ["ECS_AL2", "ECS_AL2_NVIDIA", "ECS_AL2023", "ECS_AL2023_NVIDIA"];
    const EKS: [&str; 4] = ["EKS_AL2", "EKS_AL2_NVIDIA", "EKS_AL2023", "EKS_AL2023_NVIDIA"];
    // Own words (section A1.14: one or two entries).
    require(
        configurations.len() <= 2,
        "ec2Configuration can have at most 2 entries.",
    )?;
    let known = if is_eks { EKS } else { ECS };
    let is_known = |configuration: &Ec2Configuration| known.contains(&configuration.image_type.as_str());
    require(
        configurations.iter().all(is_known),
        "Invalid imageType in ComputeResources.ec2Configuration",
    )
}

fn launch_template(template: &LaunchTemplateSpecification, types: &[String]) -> Check {
    let LaunchTemplateSpecification {
        launch_template_id: id,
        launch_template_name: name,
        overrides,
        userdata_type: _,
        version,
    } = template;
    let overrides = overrides.as_deref().unwrap_or_default();
    let has = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let names = usize::from(has(id)) + usize::from(has(name));
    require(
        names == 1 || (names == 0 && !overrides.is_empty()),
        "One of LaunchTemplateId and LaunchTemplateName or LaunchTemplate.overrides should be provided",
    )?;
    version_of(version.as_deref())?;
    require(
        overrides.len() <= 10,
        "LaunchTemplate.overrides size cannot be greater than 10",
    )?;
    let mut targets: Vec<&String> = Vec::new();
    for one in overrides {
        version_of(one.version.as_deref())?;
        for target in one.target_instance_types.iter().flatten() {
            require(
                !targets.contains(&target),
                "LaunchTemplate.overrides have duplicate targetInstanceTypes",
            )?;
            // Own words (section A1.15).
            require(
                types.contains(target),
                "LaunchTemplate.overrides targetInstanceTypes must be a subset of instanceTypes",
            )?;
            targets.push(target);
        }
    }
    Ok(())
}

fn version_of(version: Option<&str>) -> Check {
    let version = version.unwrap_or_default();
    let is_number = version.bytes().all(|byte| byte.is_ascii_digit());
    require(
        is_number || ["$Default", "$Latest"].contains(&version),
        "LaunchTemplateVersion must be either empty or a number or $Default or $Latest",
    )
}

fn cluster(eks: &EksConfiguration) -> Check {
    let namespace = eks.kubernetes_namespace.as_str();
    let parts: Vec<&str> = eks.eks_cluster_arn.split(':').collect();
    let is_cluster =
        parts.len() == 6 && parts[0] == "arn" && parts[2] == "eks" && parts[5].starts_with("cluster/");
    require(is_cluster, "eksClusterArn must be an EKS cluster ARN.")?;
    require(
        namespace.len() <= 63,
        "kubernetesNamespace must less than or equal to 63 characters",
    )?;
    require(
        namespace != "default",
        "kubernetesNamespace cannot be the default Kubernetes namespace",
    )?;
    require(
        !namespace.starts_with("kube-"),
        "kubernetesNamespace cannot be a reserved Kubernetes system namespace",
    )?;
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = !namespace.is_empty()
        && namespace.bytes().all(is_inner)
        && !namespace.starts_with('-')
        && !namespace.ends_with('-');
    require(
        is_name,
        "kubernetesNamespace must be a valid Kubernetes namespace.",
    )
}
