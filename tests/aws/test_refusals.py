"""Every documented refusal of the operations that are served, by the text that clients look for."""

import copy

import pytest

from site_under_test import environment_resources, fargate_resources, process_properties, refusal, unique

CLIENT = "ClientException"
ROLE = "arn:aws:iam::000000000000:role/task"
EKS_CLUSTER = "arn:aws:eks:us-east-1:000000000000:cluster/one"


def without(values, *names):
    return {name: value for name, value in values.items() if name not in names}


def managed(**resources):
    return {"type": "MANAGED", "computeResources": environment_resources(**resources)}


def managed_without(*names):
    return {"type": "MANAGED", "computeResources": without(environment_resources(), *names)}


def fargate(**resources):
    return {"type": "MANAGED", "computeResources": fargate_resources(**resources)}


def template(**members):
    return managed(launchTemplate=members)


def eks(namespace="jobs", cluster=EKS_CLUSTER, **resources):
    resources = {"allocationStrategy": "BEST_FIT_PROGRESSIVE", **resources}
    return {
        "type": "MANAGED",
        "eksConfiguration": {"eksClusterArn": cluster, "kubernetesNamespace": namespace},
        "computeResources": environment_resources(**resources),
    }


def override(*types):
    return {"launchTemplateId": "lt-1", "targetInstanceTypes": list(types)}


ENVIRONMENTS = [
    ("disabled", {**managed(), "state": "DISABLED"}, "Compute Environment must be created in ENABLED state."),
    ("no-resources", {"type": "MANAGED"}, "computeResources must be provided for a MANAGED compute environment"),
    (
        "unmanaged-vcpus-of-managed",
        {**managed(), "unmanagedvCpus": 4},
        "unmanagedvCpus is not applicable for managed Compute Environments",
    ),
    ("no-instance-role", managed_without("instanceRole"), "Instance role is required."),
    ("no-instance-types", managed(instanceTypes=[]), "Resource instanceTypes are required."),
    ("absent-instance-types", managed_without("instanceTypes"), "Resource instanceTypes are required."),
    ("no-security-group", managed_without("securityGroupIds"), "Security group ids are required."),
    ("spot-without-fleet-role", managed(type="SPOT"), "compute resource spotIamFleetRole is required."),
    (
        "spot-best-fit-without-fleet-role",
        managed(type="SPOT", allocationStrategy="BEST_FIT"),
        "compute resource spotIamFleetRole is required.",
    ),
    (
        "architectures",
        managed(instanceTypes=["m6g.large", "m5.large"]),
        "arm-based instance type cannot be used with other instance types",
    ),
    (
        "image-type",
        managed(ec2Configuration=[{"imageType": "ECS_AL1999"}]),
        "Invalid imageType in ComputeResources.ec2Configuration",
    ),
    (
        "eks-image-type-on-ecs",
        managed(ec2Configuration=[{"imageType": "EKS_AL2023"}]),
        "Invalid imageType in ComputeResources.ec2Configuration",
    ),
    (
        "template-id-and-name",
        template(launchTemplateId="lt-1", launchTemplateName="one"),
        "One of LaunchTemplateId and LaunchTemplateName or LaunchTemplate.overrides should be provided",
    ),
    (
        "template-of-nothing",
        template(version="1"),
        "One of LaunchTemplateId and LaunchTemplateName or LaunchTemplate.overrides should be provided",
    ),
    (
        "template-version",
        template(launchTemplateId="lt-1", version="newest"),
        "LaunchTemplateVersion must be either empty or a number or $Default or $Latest",
    ),
    (
        "template-overrides",
        managed(
            instanceTypes=[f"m5.{size}large" for size in ("", "x", "2x", "4x", "8x", "12x", "16x", "24x")]
            + ["c5.large", "c5.xlarge", "r5.large"],
            launchTemplate={
                "launchTemplateId": "lt-1",
                "overrides": [override(f"m5.{size}large") for size in ("", "x", "2x", "4x", "8x", "12x", "16x", "24x")]
                + [override("c5.large"), override("c5.xlarge"), override("r5.large")],
            },
        ),
        "LaunchTemplate.overrides size cannot be greater than 10",
    ),
    (
        "template-overrides-overlap",
        managed(
            instanceTypes=["m5.large", "m5.xlarge"],
            launchTemplate={
                "launchTemplateId": "lt-1",
                "overrides": [override("m5.large"), override("m5.large", "m5.xlarge")],
            },
        ),
        "LaunchTemplate.overrides have duplicate targetInstanceTypes",
    ),
    (
        "fargate-subnets",
        fargate(subnets=[f"subnet-{number}" for number in range(17)]),
        "Fargate supports a maximum of 16 subnets.",
    ),
    (
        "fargate-security-groups",
        fargate(securityGroupIds=[f"sg-{number}" for number in range(6)]),
        "Fargate supports a maximum of 5 security groups.",
    ),
    ("eks-strategy", eks(allocationStrategy=None), "allocationStrategy is required for EKS Compute Environments."),
    ("eks-min-vcpus", eks(minvCpus=None), "Resource minvCpus is required."),
    ("eks-cluster", eks(cluster="arn:aws:ecs:us-east-1:0:cluster/one"), "eksClusterArn must be an EKS cluster ARN."),
    (
        "eks-region",
        eks(cluster="arn:aws:eks:eu-west-1:000000000000:cluster/one"),
        "eksClusterArn must be in the same AWS region as the compute environment",
    ),
    ("eks-default", eks("default"), "kubernetesNamespace cannot be the default Kubernetes namespace"),
    ("eks-system", eks("kube-system"), "kubernetesNamespace cannot be a reserved Kubernetes system namespace"),
    ("eks-long", eks("n" * 64), "kubernetesNamespace must less than or equal to 63 characters"),
    ("eks-pattern", eks("Jobs"), "kubernetesNamespace must be a valid Kubernetes namespace."),
    (
        "eks-fargate",
        {**fargate(), "eksConfiguration": {"eksClusterArn": EKS_CLUSTER, "kubernetesNamespace": "jobs"}},
        "Supported compute types for EKS compute environments are [EC2, SPOT]",
    ),
]

FARGATE_FORBIDDEN = {
    "allocationStrategy": "BEST_FIT",
    "bidPercentage": 50,
    "desiredvCpus": 1,
    "imageId": "ami-1",
    "instanceTypes": ["optimal"],
    "ec2Configuration": [{"imageType": "ECS_AL2023"}],
    "ec2KeyPair": "key",
    "instanceRole": "ecsInstanceRole",
    "launchTemplate": {"launchTemplateId": "lt-1"},
    "minvCpus": 0,
    "placementGroup": "group",
    "spotIamFleetRole": "role",
    "tags": {"a": "b"},
    "scalingPolicy": {"minScaleDownDelayMinutes": 20},
}
ENVIRONMENTS += [
    (f"fargate-{member}", fargate(**{member: value}), f"{member} is not applicable for Fargate.")
    for member, value in FARGATE_FORBIDDEN.items()
]


def pruned(values):
    """Without the members that a case removes by giving None."""
    if isinstance(values, dict):
        return {name: pruned(value) for name, value in values.items() if value is not None}
    return values


def table(cases):
    return pytest.mark.parametrize(
        "request_, text", [pytest.param(request, text, id=name) for name, request, text in cases]
    )


@table(ENVIRONMENTS)
def test_create_compute_environment(site, request_, text):
    name = unique("refused")
    found = refusal(site.batch.create_compute_environment, computeEnvironmentName=name, **pruned(request_))
    assert found == (CLIENT, text)
    assert site.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"] == []


def test_assumed_create_compute_environment_twice(site):
    name = site.make_environment()
    found = refusal(site.batch.create_compute_environment, computeEnvironmentName=name, **managed())
    assert found == (CLIENT, "Object already exists")


def test_scaling_down_by_hand(site):
    name = site.make_environment(computeResources=environment_resources(desiredvCpus=4))
    found = refusal(
        site.batch.update_compute_environment, computeEnvironment=name, computeResources={"desiredvCpus": 1}
    )
    assert found == (
        CLIENT,
        "Manually scaling down compute environment is not supported. Disconnecting job queues from compute environment "
        "will cause it to scale-down to minvCpus",
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"computeResources": {}}, id="nothing-of-compute-resources"),
        pytest.param({"computeResources": {"allocationStrategy": "BEST_FIT"}}, id="best-fit"),
        pytest.param({"computeResources": {"minvCpus": 65}}, id="min-above-max"),
        pytest.param({"computeResources": {"desiredvCpus": 65}}, id="desired-above-max"),
        pytest.param({"unmanagedvCpus": 3}, id="unmanaged-vcpus"),
        pytest.param({"updatePolicy": {"jobExecutionTimeoutMinutes": 361}}, id="timeout-too-long"),
        pytest.param({"updatePolicy": {"jobExecutionTimeoutMinutes": 0}}, id="timeout-zero"),
    ],
)
def test_update_compute_environment(site, environments, change):
    name = environments["E4"]
    (before,) = site.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
    code, _ = refusal(site.batch.update_compute_environment, computeEnvironment=name, **change)
    assert code == CLIENT
    (after,) = site.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
    assert after == before


LINKED_ROLE = "arn:aws:iam::000000000000:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch"


@pytest.mark.parametrize(
    "present, update",
    [
        pytest.param({}, ROLE, id="from-the-service-linked-role"),
        pytest.param({"serviceRole": ROLE}, LINKED_ROLE, id="to-the-service-linked-role"),
    ],
)
def test_assumed_the_kind_of_the_service_role_stays(site, present, update):
    name = site.make_environment(**present)
    (before,) = site.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
    code, message = refusal(site.batch.update_compute_environment, computeEnvironment=name, serviceRole=update)
    assert (code, message) == (
        CLIENT,
        "serviceRole cannot be changed from a service-linked role to a regular IAM role, nor the other way round.",
    )
    site.batch.update_compute_environment(computeEnvironment=name, serviceRole=before["serviceRole"])
    site.wait_environment(name)
    (after,) = site.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
    assert after == before


def test_assumed_unmanaged_environments_are_not_of_kubernetes(site):
    request = {"type": "UNMANAGED", "eksConfiguration": eks()["eksConfiguration"]}
    found = refusal(site.batch.create_compute_environment, computeEnvironmentName=unique("refused"), **request)
    assert found == (CLIENT, "eksConfiguration is not applicable for unmanaged Compute Environments")


def test_delete_compute_environment_in_use(site):
    environment = site.make_environment()
    site.make_queue(environment)
    site.batch.update_compute_environment(computeEnvironment=environment, state="DISABLED")
    site.wait_environment(environment)
    found = refusal(site.batch.delete_compute_environment, computeEnvironment=environment)
    assert found == (CLIENT, "Cannot delete, found existing JobQueue relationship")


def test_assumed_delete_while_enabled(site):
    assert refusal(site.batch.delete_job_queue, jobQueue=site.make_queue())[0] == CLIENT
    lone = site.make_environment()
    assert refusal(site.batch.delete_compute_environment, computeEnvironment=lone)[0] == CLIENT


# Queues. `E1`… stand for environments, `F1` for a Fargate one; the fixture puts their names in.


@pytest.fixture(scope="module")
def environments(site):
    names = {f"E{number}": site.make_environment() for number in range(1, 5)}
    names["F1"] = site.make_environment(computeResources=fargate_resources())
    return names


@pytest.fixture(scope="module")
def updated_queue(site, environments):
    return site.make_queue(environments["E1"])


def order(*places):
    return [{"order": place, "computeEnvironment": name} for place, name in places]


def limit_action(**members):
    return {
        "reason": "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
        "state": "RUNNABLE",
        "maxTimeSeconds": 600,
        **members,
    }


QUEUES = [
    (
        "name",
        {"jobQueueName": "a b", "computeEnvironmentOrder": order((1, "E1"))},
        "Job Queue name should match a valid pattern.",
    ),
    ("no-environments", {"computeEnvironmentOrder": []}, "computeEnvironmentOrder is required."),
    ("absent-environments", {}, "computeEnvironmentOrder is required."),
    (
        "four-environments",
        {"computeEnvironmentOrder": order((1, "E1"), (2, "E2"), (3, "E3"), (4, "E4"))},
        "Only 3 environments are allowed in job queue request.",
    ),
    (
        "same-order",
        {"computeEnvironmentOrder": order((1, "E1"), (1, "E2"))},
        "Duplicate ComputeEnvironment order values.",
    ),
    (
        "same-environment",
        {"computeEnvironmentOrder": order((1, "E1"), (2, "E1"))},
        "Duplicate ComputeEnvironments within order list.",
    ),
    (
        "unknown-environment",
        {"computeEnvironmentOrder": order((1, "no-such-environment"))},
        "Compute Environments must be created and valid before attaching them to a job queue",
    ),
    (
        "mixed-platforms",
        {"computeEnvironmentOrder": order((1, "E1"), (2, "F1"))},
        "Fargate and EC2 compute environments can not be mixed.",
    ),
    (
        "eks-type",
        {"computeEnvironmentOrder": order((1, "E1")), "jobQueueType": "EKS"},
        "EKS job queue type must have EKS compute environment.",
    ),
    (
        "training-without-service-environment",
        {"computeEnvironmentOrder": order((1, "E1")), "jobQueueType": "SAGEMAKER_TRAINING"},
        "Job queues of type SAGEMAKER_TRAINING must have serviceEnvironmentOrder.",
    ),
    (
        "policy-arn",
        {"computeEnvironmentOrder": order((1, "E1")), "schedulingPolicyArn": "fair"},
        "Only scheduling policy Arn can be allowed.",
    ),
    (
        "unknown-policy",
        {
            "computeEnvironmentOrder": order((1, "E1")),
            "schedulingPolicyArn": "arn:aws:batch:us-east-1:000000000000:scheduling-policy/fair",
        },
        "SchedulingPolicy arn:aws:batch:us-east-1:000000000000:scheduling-policy/fair not found.",
    ),
    (
        "limit-action",
        {"computeEnvironmentOrder": order((1, "E1")), "jobStateTimeLimitActions": [limit_action(action="TERMINATE")]},
        "Invalid job action. Valid job actions: [CANCEL]",
    ),
    (
        "limit-action-twice",
        {
            "computeEnvironmentOrder": order((1, "E1")),
            "jobStateTimeLimitActions": [
                limit_action(action="CANCEL"),
                limit_action(action="CANCEL", maxTimeSeconds=700),
            ],
        },
        "Duplicate job state limit actions are not allowed.",
    ),
]


def with_names(request, names):
    request = copy.deepcopy(request)
    for entry in request.get("computeEnvironmentOrder", []):
        entry["computeEnvironment"] = names.get(entry["computeEnvironment"], entry["computeEnvironment"])
    return request


@table(QUEUES)
def test_create_job_queue(site, environments, request_, text):
    request = {"jobQueueName": unique("refused"), "priority": 1, **with_names(request_, environments)}
    assert refusal(site.batch.create_job_queue, **request) == (CLIENT, text)
    if " " not in request["jobQueueName"]:
        assert site.batch.describe_job_queues(jobQueues=[request["jobQueueName"]])["jobQueues"] == []


UPDATABLE = {
    "four-environments",
    "same-order",
    "same-environment",
    "unknown-environment",
    "mixed-platforms",
    "limit-action",
    "limit-action-twice",
}


@table([case for case in QUEUES if case[0] in UPDATABLE])
def test_update_job_queue(site, environments, updated_queue, request_, text):
    queue = updated_queue
    (before,) = site.batch.describe_job_queues(jobQueues=[queue])["jobQueues"]
    assert refusal(site.batch.update_job_queue, jobQueue=queue, **with_names(request_, environments)) == (CLIENT, text)
    (after,) = site.batch.describe_job_queues(jobQueues=[queue])["jobQueues"]
    assert after == before


@pytest.mark.parametrize("seconds", [599, 86_401])
def test_time_limits_out_of_range(site, environments, seconds):
    actions = [limit_action(action="CANCEL", maxTimeSeconds=seconds)]
    request = with_names({"computeEnvironmentOrder": order((1, "E1"))}, environments)
    code, _ = refusal(
        site.batch.create_job_queue,
        jobQueueName=unique("refused"),
        priority=1,
        jobStateTimeLimitActions=actions,
        **request,
    )
    assert code == CLIENT


# Definitions.


def container(**members):
    return {"type": "container", "containerProperties": pruned({**process_properties(["true"]), **members})}


def sized(vcpus="1", memory="64", **members):
    requirements = [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]
    return container(**{"resourceRequirements": requirements, **members})


def on_fargate(vcpus="0.25", memory="512", **members):
    members = {"image": "busybox", "executionRoleArn": ROLE, **members}
    return {**sized(vcpus, memory, **members), "platformCapabilities": ["FARGATE"]}


def linux(**members):
    return container(linuxParameters=members)


def windows(**members):
    members = {"vcpus": "1", "memory": "2048", **members}
    platform = {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE", "cpuArchitecture": "X86_64"}
    return on_fargate(**{"runtimePlatform": platform, **members})


def retry(**strategy):
    return {**container(), "retryStrategy": strategy}


def on_exit(**condition):
    return retry(attempts=2, evaluateOnExit=[{"action": "EXIT", **condition}])


def volume(**members):
    return container(volumes=[{"name": "data", **members}])


def efs(**members):
    return volume(efsVolumeConfiguration={"fileSystemId": "fs-12345678", **members})


def task_container(**members):
    requirements = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
    return {"image": "busybox", "name": "one", "essential": True, "resourceRequirements": requirements, **members}


def task(*containers, **members):
    return {"type": "container", "ecsProperties": {"taskProperties": [{"containers": list(containers), **members}]}}


def pod(**container_members):
    resources = {"limits": {"cpu": "1", "memory": "64Mi"}}
    one = {"image": "busybox", "resources": resources, **container_members}
    return {"type": "container", "eksProperties": {"podProperties": {"containers": [one]}}}


def pod_with(requests, limits):
    return pod(resources={"requests": requests, "limits": limits})


def nodes(*ranges, number=2, main=0):
    return {
        "type": "multinode",
        "nodeProperties": {"numNodes": number, "mainNode": main, "nodeRangeProperties": list(ranges)},
    }


def node_range(targets="0:", **members):
    if not members:
        members = {"container": process_properties(["true"])}
    return {"targetNodes": targets, **members}


CONTAINER = container()["containerProperties"]
ECS = task(task_container())["ecsProperties"]
EKS = pod()["eksProperties"]
NODES = nodes(node_range())["nodeProperties"]
ECS_RANGE = {"ecsProperties": {"taskProperties": [{"containers": [task_container()]}]}}
LONG = "a" * 513

DEFINITIONS = [
    ("no-container", {"type": "container"}, "ECS Container Image must be provided."),
    (
        "container-and-task",
        {"type": "container", "containerProperties": CONTAINER, "ecsProperties": ECS},
        "Cannot use both ECS containerProperties and ecsProperties",
    ),
    (
        "container-and-pod",
        {"type": "container", "containerProperties": CONTAINER, "eksProperties": EKS},
        "Cannot use both ECS containerProperties and eksProperties",
    ),
    (
        "task-and-pod",
        {"type": "container", "ecsProperties": ECS, "eksProperties": EKS},
        "Cannot use both ecsProperties and eksProperties",
    ),
    (
        "nodes-and-pod",
        {"type": "multinode", "nodeProperties": NODES, "eksProperties": EKS},
        "Cannot use both nodeProperties and eksProperties",
    ),
    ("no-nodes", {"type": "multinode"}, "Node properties of multinode job is required."),
    (
        "two-capabilities",
        {**container(), "platformCapabilities": ["EC2", "FARGATE"]},
        "Exactly 1 capability must be provided.",
    ),
    (
        "unknown-capability",
        {**container(), "platformCapabilities": ["MOON"]},
        "Capability MOON is not valid. Valid capabilities: [FARGATE, EC2, MANAGED_INSTANCES]",
    ),
    ("fargate-role", on_fargate(executionRoleArn=None), "executionRoleArn is required for Fargate jobs."),
    (
        "fargate-nodes",
        {**nodes(node_range()), "platformCapabilities": ["FARGATE"]},
        "Fargate does not support MNP jobs",
    ),
    ("fargate-sizes", on_fargate("0.5", "1"), "Fargate resource requirements (0.50 vCPU, 1 MiB) not valid."),
    ("fargate-memory", on_fargate("0.25", "4096"), "Fargate resource requirements (0.25 vCPU, 4096 MiB) not valid."),
    ("fargate-vcpus", on_fargate("3", "8192"), "Fargate resource requirements (3.00 vCPU, 8192 MiB) not valid."),
    ("no-vcpus", container(resourceRequirements=[{"type": "MEMORY", "value": "64"}]), "vCPU is required."),
    ("zero-vcpus", sized("0"), "vCPU must be at least 1, got 0."),
    ("little-memory", sized("1", "3"), "Memory must be at least 4 Mib, got 3 Mib."),
    (
        "vcpus-twice",
        container(vcpus=1),
        "Cannot use both ECS containerProperties vcpus and resourceRequirement VCPU.",
    ),
    (
        "memory-twice",
        container(memory=64),
        "Cannot use both ECS containerProperties memory and resourceRequirement MEMORY.",
    ),
    (
        "requirement-twice",
        container(
            resourceRequirements=[
                {"type": "VCPU", "value": "1"},
                {"type": "VCPU", "value": "2"},
                {"type": "MEMORY", "value": "64"},
            ]
        ),
        "Cannot provide duplicates in resourceRequirements.",
    ),
    (
        "fargate-gpu",
        on_fargate(
            resourceRequirements=[
                {"type": "VCPU", "value": "0.25"},
                {"type": "MEMORY", "value": "512"},
                {"type": "GPU", "value": "1"},
            ]
        ),
        "GPU is not applicable for Fargate.",
    ),
    (
        "fargate-ulimits",
        on_fargate(ulimits=[{"name": "nofile", "softLimit": 1, "hardLimit": 2}]),
        "ulimits is not applicable for Fargate.",
    ),
    *[
        (
            f"fargate-{member}",
            on_fargate(linuxParameters={member: value}),
            f"linuxParameter.{member} is not allowed for Fargate.",
        )
        for member, value in {
            "devices": [{"hostPath": "/dev/null"}],
            "tmpfs": [{"containerPath": "/t", "size": 1}],
            "sharedMemorySize": 64,
            "maxSwap": 64,
            "swappiness": 60,
        }.items()
    ],
    (
        "fargate-source-path",
        on_fargate(volumes=[{"name": "data", "host": {"sourcePath": "/data"}}]),
        "host.sourcePath should not be set for volumes in Fargate.",
    ),
    (
        "fargate-log-driver",
        on_fargate(logConfiguration={"logDriver": "syslog"}),
        "Log driver for Fargate is not valid: syslog",
    ),
    (
        "fargate-small-disk",
        on_fargate(ephemeralStorage={"sizeInGiB": 20}),
        "Ephemeral storage for Fargate tasks can be only between range 21 GiB to 200 GiB",
    ),
    (
        "fargate-large-disk",
        on_fargate(ephemeralStorage={"sizeInGiB": 201}),
        "Ephemeral storage for Fargate tasks can be only between range 21 GiB to 200 GiB",
    ),
    (
        "fargate-old-platform",
        on_fargate(
            fargatePlatformConfiguration={"platformVersion": "1.3.0"},
            volumes=[{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678"}}],
        ),
        "EFS is supported for Fargate platform versions 1.4.0 or later, provided 1.3.0",
    ),
    (
        "ec2-network",
        container(networkConfiguration={"assignPublicIp": "ENABLED"}),
        "networkConfiguration not applicable for EC2.",
    ),
    (
        "ec2-platform",
        container(fargatePlatformConfiguration={"platformVersion": "LATEST"}),
        "fargatePlatformConfiguration not applicable for EC2.",
    ),
    (
        "ec2-runtime",
        container(runtimePlatform={"cpuArchitecture": "X86_64"}),
        "runtimePlatform is not applicable for EC2.",
    ),
    (
        "unknown-system",
        windows(runtimePlatform={"operatingSystemFamily": "MULTICS"}),
        "RuntimePlatform supports only one from [LINUX, WINDOWS_SERVER_2019_CORE, WINDOWS_SERVER_2019_FULL, "
        "WINDOWS_SERVER_2022_CORE, WINDOWS_SERVER_2022_FULL]",
    ),
    (
        "windows-arm",
        windows(runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE", "cpuArchitecture": "ARM64"}),
        "Windows supported only by X86_64 cpuArchitecture",
    ),
    (
        "windows-vcpus",
        windows(vcpus="0.5", memory="1024"),
        "vCPU must be at least 1 for Windows Job definition, got 0.5.",
    ),
    ("attempts-zero", retry(attempts=0), "RetryAttempts must be between 1 and 10."),
    ("attempts-eleven", retry(attempts=11), "RetryAttempts must be between 1 and 10."),
    ("retry-empty", retry(), "RetryAttempts must be provided with retry strategy."),
    (
        "retry-without-attempts",
        retry(evaluateOnExit=[{"action": "EXIT", "onExitCode": "1"}]),
        "RetryAttempts must be provided with retry strategy.",
    ),
    (
        "exit-without-condition",
        on_exit(),
        "EvaluateOnExit should contain at least one of onExitCode, onReason or onStatusReason",
    ),
    ("exit-long", on_exit(onReason=LONG), "Evaluate on exit condition cannot exceed 512 characters."),
    ("exit-characters", on_exit(onReason="a/b"), "Evaluate on exit condition contains restricted characters."),
    ("exit-code-letters", on_exit(onExitCode="abc"), "Evaluate on exit condition contains restricted characters."),
    ("priority", {**container(), "schedulingPriority": 10_000}, "Scheduling priority must be between 0 and 9999."),
    ("priority-negative", {**container(), "schedulingPriority": -1}, "Scheduling priority must be between 0 and 9999."),
    ("swap-negative", linux(maxSwap=-1, swappiness=1), "Invalid swap memory size: -1, must be non-negative."),
    ("swap-alone", linux(maxSwap=64), "When container specified swap memory, swappiness value is required."),
    ("swappiness", linux(maxSwap=64, swappiness=101), "Invalid swappiness: 101, must be between 0 and 100."),
    (
        "tmpfs",
        linux(tmpfs=[{"containerPath": "/t", "size": 0}]),
        "Size of a tmpfs is invalid. The size is required and must be a positive integer.",
    ),
    (
        "secrets",
        container(secrets=[{"name": "A", "valueFrom": "arn:aws:ssm:us-east-1:000000000000:parameter/a"}]),
        "executionRoleArn cannot be empty when using secrets or secretOptions",
    ),
    ("environment-name", container(environment=[{"value": "x"}]), "Environment variable name is required."),
    (
        "two-volume-kinds",
        volume(host={"sourcePath": "/a"}, efsVolumeConfiguration={"fileSystemId": "fs-12345678"}),
        "When the volume parameter is specified, only one volume configuration type should be used.",
    ),
    ("efs-id", efs(fileSystemId="disk"), "EFS configuration fileSystemId is not valid: disk."),
    (
        "efs-root",
        efs(rootDirectory="/a", transitEncryption="ENABLED", authorizationConfig={"accessPointId": "fsap-12345678"}),
        'When using an EFS access point, the root directory must either be set to "/" or omitted',
    ),
    (
        "efs-access-point",
        efs(authorizationConfig={"accessPointId": "fsap-12345678"}),
        "EFS IAM access point requires TransitEncryption to be enabled.",
    ),
    (
        "efs-iam",
        efs(authorizationConfig={"iam": "ENABLED"}),
        "EFS IAM authorization requires TransitEncryption to be enabled.",
    ),
    ("efs-port", efs(transitEncryptionPort=65_536), "TransitEncryptionPort must be a valid port number."),
    (
        "log-option",
        container(logConfiguration={"logDriver": "awslogs", "options": {"colour": "red"}}),
        "Log driver awslogs disallows options: colour",
    ),
    ("user", container(user="no such user!"), "User 'no such user!' does not match regex"),
    ("task-empty", task(), "Number of containers must be between 1 and 10"),
    (
        "task-eleven",
        task(*[task_container(name=f"c{number}") for number in range(11)]),
        "Number of containers must be between 1 and 10",
    ),
    ("task-names", task(task_container(), task_container()), "Container names must be unique"),
    ("task-essential", task(task_container(essential=False)), "At least one container must be set as essential"),
    (
        "task-lone-dependency",
        task(task_container(dependsOn=[{"containerName": "one", "condition": "START"}])),
        "Container dependency can not be used in a single-container job.",
    ),
    (
        "task-condition",
        task(
            task_container(), task_container(name="two", dependsOn=[{"containerName": "one", "condition": "HEALTHY"}])
        ),
        "TaskContainer dependency HEALTHY is not valid. Valid values are: [START, COMPLETE, SUCCESS]",
    ),
    (
        "task-essential-target",
        task(
            task_container(), task_container(name="two", dependsOn=[{"containerName": "one", "condition": "SUCCESS"}])
        ),
        "The container target of a dependency can not have condition SUCCESS if the target is essential",
    ),
    ("nodes-zero", nodes(node_range(), number=0), "Number of nodes must be between 1 and 1000."),
    ("nodes-many", nodes(node_range(), number=1001), "Number of nodes must be between 1 and 1000."),
    ("nodes-main", nodes(node_range(), main=2), "Main node index is out of range, must be less than numNodes."),
    (
        "nodes-ranges",
        nodes(*[node_range(f"{number}:{number}") for number in range(6)], number=6),
        "Maximum allowed size of node range properties is 5",
    ),
    ("nodes-target", nodes(node_range("a:b")), "targetNodes should contain only digits."),
    ("nodes-payload", nodes({"targetNodes": "0:"}), "Must specify container for node range 0:"),
    (
        "nodes-two-kinds",
        nodes(node_range(container=CONTAINER, **ECS_RANGE)),
        "NodeRangeProperties can not use both ecsProperties and container fields",
    ),
    (
        "nodes-instance-types",
        nodes(node_range(container=CONTAINER, instanceTypes=["m5.large"])),
        "Using instanceTypes with nodeRangeProperty is only allowed for ecsProperties jobs.",
    ),
    (
        "consumables-many",
        {
            **container(),
            "consumableResourceProperties": {
                "consumableResourceList": [{"consumableResource": f"r{number}", "quantity": 1} for number in range(6)]
            },
        },
        "Each ConsumableResourceProperty can have at most 5 consumableResources",
    ),
    (
        "consumables-twice",
        {
            **container(),
            "consumableResourceProperties": {
                "consumableResourceList": [
                    {"consumableResource": "r", "quantity": 1},
                    {"consumableResource": "r", "quantity": 2},
                ]
            },
        },
        "Cannot have duplicate consumableResource in consumableResourceProperties",
    ),
    (
        "pod-cpu",
        pod_with({"cpu": "2", "memory": "64Mi"}, {"cpu": "1", "memory": "64Mi"}),
        "cpu request must be <= to cpu limit if both are provided.",
    ),
    (
        "pod-memory",
        pod_with({"memory": "32Mi"}, {"cpu": "1", "memory": "64Mi"}),
        "memory request must be equal to memory limit if both are provided.",
    ),
    (
        "pod-gpu",
        pod_with({"nvidia.com/gpu": "1"}, {"cpu": "1", "memory": "64Mi", "nvidia.com/gpu": "2"}),
        "gpu request must be equal to gpu limit if both are provided.",
    ),
    (
        "managed-instances-container",
        {**container(), "platformCapabilities": ["MANAGED_INSTANCES"]},
        "Cannot use ECS containerProperties for MANAGED_INSTANCES",
    ),
    (
        "managed-instances-nodes",
        {**nodes(node_range()), "platformCapabilities": ["MANAGED_INSTANCES"]},
        "MANAGED_INSTANCES does not support MNP jobs",
    ),
]


@table(DEFINITIONS)
def test_register_job_definition(site, request_, text):
    name = unique("refused")
    code, message = refusal(site.batch.register_job_definition, jobDefinitionName=name, **request_)
    # The service wraps texts of this operation; clients look for the inner one.
    assert (code, text in message) == (CLIENT, True), f"{message!r} instead of {text!r}"
    assert site.batch.describe_job_definitions(jobDefinitionName=name)["jobDefinitions"] == []


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({**container(), "timeout": {"attemptDurationSeconds": 59}}, id="timeout"),
        pytest.param(container(environment=[{"name": "AWS_BATCH_JOB_ID", "value": "x"}]), id="reserved-variable"),
        pytest.param(container(image="x" * 30_000), id="too-long"),
        pytest.param(
            {
                **container(),
                "retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", "onExitCode": "1"}] * 6},
            },
            id="six-conditions",
        ),
        pytest.param(on_fargate(privileged=True), id="fargate-privileged"),
        pytest.param(
            container(
                resourceRequirements=[
                    {"type": "VCPU", "value": "1"},
                    {"type": "MEMORY", "value": "64"},
                    {"type": "GPU", "value": "0.5"},
                ]
            ),
            id="half-a-gpu",
        ),
        pytest.param({**container(), "tags": {"aws:mine": "x"}}, id="reserved-tag"),
        pytest.param({**container(), "tags": {f"k{number}": "" for number in range(51)}}, id="51-tags"),
        pytest.param(nodes(node_range("0:0"), number=3), id="uncovered-nodes"),
        pytest.param(
            container(image="busybox", mountPoints=[{"sourceVolume": "data", "containerPath": "/d"}]), id="unknown-volume"
        ),
        pytest.param(
            container(image="busybox", volumes=[{"name": "v"}], mountPoints=[{"sourceVolume": "v"}]), id="mount-nowhere"
        ),
        pytest.param(container(image="busybox", volumes=[{"name": "v"}, {"name": "v"}]), id="volumes-of-one-name"),
        pytest.param(
            task(task_container(mountPoints=[{"sourceVolume": "data", "containerPath": "/d"}])), id="unknown-volume-of-task"
        ),
        pytest.param(
            container(image="busybox", ulimits=[{"name": "files", "softLimit": 1, "hardLimit": 1}]), id="unknown-ulimit"
        ),
        pytest.param(
            container(image="busybox", ulimits=[{"name": "nofile", "softLimit": 2, "hardLimit": 1}]), id="soft-above-hard"
        ),
        pytest.param(
            container(
                image="busybox",
                linuxParameters={"tmpfs": [{"containerPath": "/t", "size": 1, "mountOptions": ["rw", "fast"]}]},
            ),
            id="unknown-tmpfs-option",
        ),
    ],
)
def test_assumed_register_job_definition_without_a_known_text(site, request_):
    code, message = refusal(site.batch.register_job_definition, jobDefinitionName=unique("refused"), **request_)
    assert code == CLIENT and message


@pytest.mark.parametrize("name", ["", "a b", "a" * 129, "ü", "a/b"])
def test_names_of_definitions(site, name):
    assert refusal(site.batch.register_job_definition, jobDefinitionName=name, **container())[0] == CLIENT


# Jobs.


@pytest.fixture(scope="module")
def definition(site):
    return site.define("true")


@pytest.fixture(scope="module")
def fargate_queue(site, environments):
    return site.make_queue(environments["F1"])


# The service's own spelling.
ONLY_FAIR_SHARE = (
    "Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue with fair share "
    "scheduling policy."
)

SUBMISSIONS = [
    ("name-first", {"jobName": "-a"}, "Job name should match valid pattern"),
    ("name-space", {"jobName": "a b"}, "Job name should match valid pattern"),
    ("name-long", {"jobName": "a" * 129}, "Job name should match valid pattern"),
    ("definition", {"jobDefinition": "a b"}, "Provided name a b is not supported pattern[a-zA-Z_0-9-]{1,128}"),
    (
        "share",
        {"shareIdentifier": "red"},
        ONLY_FAIR_SHARE,
    ),
    (
        "priority",
        {"schedulingPriorityOverride": 3},
        ONLY_FAIR_SHARE,
    ),
    (
        "parameter",
        {"containerOverrides": {"command": ["echo", "Ref::absent"]}},
        "Unable to substitute value. No parameter found for reference absent",
    ),
    ("attempts", {"retryStrategy": {"attempts": 11}}, "RetryAttempts must be between 1 and 10."),
    ("retry-empty", {"retryStrategy": {}}, "RetryAttempts must be provided with retry strategy."),
    (
        "exit-condition",
        {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT"}]}},
        "EvaluateOnExit should contain at least one of onExitCode, onReason or onStatusReason",
    ),
    (
        "requirement-twice",
        {
            "containerOverrides": {
                "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "VCPU", "value": "2"}]
            }
        },
        "Cannot provide duplicates in resourceRequirements.",
    ),
]


@table(SUBMISSIONS)
def test_submit_job(site, definition, request_, text):
    request = {"jobName": unique("refused"), "jobQueue": site.queue, "jobDefinition": definition, **request_}
    code, message = refusal(site.batch.submit_job, **request)
    assert (code, text in message) == (CLIENT, True), f"{message!r} instead of {text!r}"


def test_submit_job_to_a_queue_of_another_platform(site, definition, fargate_queue):
    found = refusal(site.batch.submit_job, jobName="a", jobQueue=fargate_queue, jobDefinition=definition)
    assert found == (CLIENT, "Job Queue is attached to Compute Environment that can not run Jobs with capability EC2")
    made = site.batch.register_job_definition(jobDefinitionName=unique("fargate"), **on_fargate())
    found = refusal(site.batch.submit_job, jobName="a", jobQueue=site.queue, jobDefinition=made["jobDefinitionArn"])
    assert found == (
        CLIENT,
        "Job Queue is attached to Compute Environment that can not run Jobs with capability FARGATE",
    )


NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"jobQueue": "no-such-queue"}, id="queue"),
        pytest.param({"jobDefinition": "no-such-definition"}, id="definition"),
        pytest.param({"jobDefinition": "no-such-definition:1"}, id="revision"),
        pytest.param({"arrayProperties": {"size": 1}}, id="array-of-one"),
        pytest.param({"arrayProperties": {"size": 10_001}}, id="array-too-large"),
        pytest.param({"arrayProperties": {"size": -3}}, id="array-negative"),
        pytest.param({"timeout": {"attemptDurationSeconds": 59}}, id="timeout"),
        pytest.param({"dependsOn": [{"jobId": NOBODY}]}, id="unknown-dependency"),
        pytest.param({"dependsOn": [{"jobId": NOBODY}] * 21}, id="21-dependencies"),
        pytest.param({"dependsOn": [{"type": "SEQUENTIAL"}]}, id="sequential-single"),
        pytest.param({"dependsOn": [{}]}, id="empty-dependency"),
        pytest.param({"containerOverrides": {"command": ["sh", ""]}}, id="empty-word"),
        pytest.param(
            {"containerOverrides": {"environment": [{"name": "AWS_BATCH_JOB_ID", "value": "1"}]}},
            id="reserved-variable",
        ),
        pytest.param({"nodeOverrides": {"numNodes": 2}}, id="nodes-of-a-container-job"),
        pytest.param({"parameters": {"a": "x" * 31_000}}, id="31-kib"),
        pytest.param({"tags": {f"k{number}": "v" for number in range(51)}}, id="51-tags"),
    ],
)
def test_assumed_submit_job_without_a_known_text(site, definition, request_):
    request = {"jobName": unique("refused"), "jobQueue": site.queue, "jobDefinition": definition, **request_}
    code, message = refusal(site.batch.submit_job, **request)
    assert code == CLIENT and message


def test_submit_job_to_a_disabled_queue(site, definition):
    queue = site.make_queue()
    site.batch.update_job_queue(jobQueue=queue, state="DISABLED")
    assert refusal(site.batch.submit_job, jobName="a", jobQueue=queue, jobDefinition=definition)[0] == CLIENT


def test_submit_job_of_a_deregistered_definition(site):
    definition = site.define("true")
    site.batch.deregister_job_definition(jobDefinition=definition)
    for reference in (definition, definition.split(":")[0]):
        assert refusal(site.batch.submit_job, jobName="a", jobQueue=site.queue, jobDefinition=reference)[0] == CLIENT


def test_assumed_n_to_n_of_another_size(site, definition):
    first = site.submit(definition, arrayProperties={"size": 3})
    request = {"arrayProperties": {"size": 2}, "dependsOn": [{"jobId": first, "type": "N_TO_N"}]}
    found = refusal(site.batch.submit_job, jobName="a", jobQueue=site.queue, jobDefinition=definition, **request)
    assert found[0] == CLIENT


def test_describe_jobs(site):
    code, message = refusal(site.batch.describe_jobs, jobs=[NOBODY] * 101)
    assert code == CLIENT
    assert message.startswith(
        "Error executing request, Exception : Maximum number of jobs supported is  100 ., RequestId: "
    )
    assert site.batch.describe_jobs(jobs=[NOBODY, "nonsense"])["jobs"] == []


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({}, id="no-scope"),
        pytest.param({"jobQueue": "QUEUE", "arrayJobId": NOBODY}, id="two-scopes"),
        pytest.param({"jobQueue": "no-such-queue"}, id="unknown-queue"),
        pytest.param({"jobQueue": "QUEUE", "jobStatus": "DANCING"}, id="status"),
        pytest.param({"jobQueue": "QUEUE", "nextToken": "nonsense"}, id="token"),
        pytest.param({"jobQueue": "QUEUE", "filters": [{"name": "job_name", "values": ["a"]}]}, id="filter-name"),
        pytest.param(
            {"jobQueue": "QUEUE", "filters": [{"name": "BEFORE_CREATED_AT", "values": ["noon"]}]}, id="filter-time"
        ),
        pytest.param(
            {
                "jobQueue": "QUEUE",
                "filters": [{"name": "JOB_NAME", "values": ["a"]}, {"name": "JOB_DEFINITION", "values": ["a"]}],
            },
            id="two-filters",
        ),
    ],
)
def test_list_jobs(site, request_):
    request = {name: site.queue if value == "QUEUE" else value for name, value in request_.items()}
    assert refusal(site.batch.list_jobs, **request)[0] == CLIENT


@pytest.mark.parametrize("operation", ["cancel_job", "terminate_job"])
def test_cancel_and_terminate(site, operation):
    call = getattr(site.batch, operation)
    assert refusal(call, jobId="", reason="x")[0] == CLIENT
    assert refusal(call, jobId=NOBODY, reason="")[0] == CLIENT
    assert refusal(call, jobId=NOBODY, reason="x" * 1025)[0] == CLIENT
    assert call(jobId=NOBODY, reason="x")["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize("operation", ["cancel_jobs", "terminate_jobs"])
def test_bulk_cancel_and_terminate(site, operation):
    call = getattr(site.batch, operation)
    assert refusal(call, jobs=[NOBODY] * 51, reason="x")[0] == CLIENT
    assert refusal(call, jobs=[NOBODY], reason="x" * 1025)[0] == CLIENT
    answer = call(jobs=[NOBODY, "no/such id"], reason="x")
    assert answer["successful"] == [NOBODY]
    ((job, code),) = [(error["job"], error["code"]) for error in answer["errors"]]
    assert (job, code) == ("no/such id", "ValidationException")


def test_tags(site, definition):
    arn = site.make_arn("job-queue", site.queue)
    call = site.batch.tag_resource
    assert refusal(call, resourceArn=arn, tags={f"k{number}": "v" for number in range(51)})[0] == CLIENT
    assert refusal(call, resourceArn=arn, tags={"aws:mine": "v"})[0] == CLIENT
    assert refusal(call, resourceArn=arn, tags={"k" * 129: "v"})[0] == CLIENT
    assert refusal(call, resourceArn=arn, tags={"k": "v" * 257})[0] == CLIENT
    assert refusal(call, resourceArn=site.make_arn("job-queue", "no-such-queue"), tags={"k": "v"})[0] == CLIENT
    array = site.submit(definition, arrayProperties={"size": 2})
    for operation, more in ((call, {"tags": {"k": "v"}}), (site.batch.list_tags_for_resource, {})):
        assert refusal(operation, resourceArn=site.make_arn("job", f"{array}:0"), **more)[0] == CLIENT
    assert site.batch.list_tags_for_resource(resourceArn=arn)["tags"] == {}
    # Fifty there may be, but not one more, whatever asks for it.
    call(resourceArn=arn, tags={f"k{number}": "v" for number in range(50)})
    call(resourceArn=arn, tags={"k7": "other"})
    assert refusal(call, resourceArn=arn, tags={"k50": "v"}) == (CLIENT, "A resource can have at most 50 tags.")
    site.batch.untag_resource(resourceArn=arn, tagKeys=[f"k{number}" for number in range(50)])
    assert site.batch.list_tags_for_resource(resourceArn=arn)["tags"] == {}


@pytest.mark.parametrize(
    "operation", ["describe_compute_environments", "describe_job_queues", "describe_job_definitions"]
)
def test_page_sizes(site, operation):
    call = getattr(site.batch, operation)
    assert refusal(call, maxResults=0)[0] == CLIENT
    assert refusal(call, nextToken="nonsense")[0] == CLIENT


@pytest.mark.parametrize("more", [{"jobDefinitionName": "d"}, {"status": "ACTIVE"}])
def test_assumed_a_list_of_definitions_is_not_filtered(site, more):
    (member,) = more
    found = refusal(site.batch.describe_job_definitions, jobDefinitions=["d:1"], **more)
    assert found == (CLIENT, f"jobDefinitions cannot be used together with {member}.")
    assert site.batch.describe_job_definitions(jobDefinitions=["d:1"], maxResults=5)["jobDefinitions"] == []


def test_assumed_unknown_names_of_updates_are_refused(site):
    assert refusal(site.batch.update_compute_environment, computeEnvironment="no-such", state="DISABLED")[0] == CLIENT
    assert refusal(site.batch.update_job_queue, jobQueue="no-such", priority=2)[0] == CLIENT
