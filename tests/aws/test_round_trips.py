"""What is registered or created comes back from the describes as it was sent, but for the service's normalisation (A1.20, A2.12, A3.23).

And what the describes give, sent again, changes nothing: the plan of a tool that keeps resources as written, made after it has made them, is
empty. Requests are random, and the same in each run.
"""

import copy
import itertools
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from site_under_test import environment_resources, fargate_resources, unique

SETTINGS = settings(
    max_examples=120,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)

ROLE = "arn:aws:iam::000000000000:role/x"
WORDS = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=12)
TEXTS = st.text(string.printable.strip() + " äß→", min_size=1, max_size=30)
PATHS = WORDS.map(lambda word: f"/{word}")
COUNTS = st.integers(1, 50)


def maybe(**members):
    """A structure with any of these members."""
    return st.fixed_dictionaries({}, optional=members)


def named(strategy, key="name", max_size=3):
    """A list of structures that differ in one member."""
    return st.lists(strategy, max_size=max_size, unique_by=lambda each: each[key])


ENVIRONMENT = named(st.fixed_dictionaries({"name": WORDS, "value": TEXTS | st.just("")}))
SECRETS = named(st.fixed_dictionaries({"name": WORDS, "valueFrom": st.just("arn:aws:ssm:us-east-1:0:parameter/x")}))
ULIMITS = named(
    st.builds(
        lambda name, limits: {"name": name, "softLimit": min(limits), "hardLimit": max(limits)},
        st.sampled_from(["nofile", "nproc", "core"]),
        st.tuples(COUNTS, COUNTS),
    )
)
DEVICES = named(
    st.fixed_dictionaries(
        {"hostPath": PATHS},
        optional={"containerPath": PATHS, "permissions": st.lists(st.sampled_from(["READ", "WRITE"]), unique=True)},
    ),
    "hostPath",
    2,
)
TMPFS = named(
    st.fixed_dictionaries(
        {"containerPath": PATHS, "size": COUNTS}, optional={"mountOptions": st.lists(st.just("noexec"), max_size=1)}
    ),
    "containerPath",
    2,
)
LINUX = maybe(devices=DEVICES, initProcessEnabled=st.booleans(), sharedMemorySize=COUNTS, tmpfs=TMPFS)
LINUX_ON_FARGATE = maybe(initProcessEnabled=st.booleans())
LOG = st.fixed_dictionaries(
    {"logDriver": st.just("awslogs")},
    optional={"options": st.dictionaries(st.sampled_from(["awslogs-group", "awslogs-region"]), WORDS)},
)
VOLUMES = named(
    st.fixed_dictionaries({"name": WORDS}, optional={"host": st.fixed_dictionaries({"sourcePath": PATHS})})
)
EFS_VOLUMES = named(
    st.fixed_dictionaries(
        {
            "name": WORDS,
            "efsVolumeConfiguration": st.fixed_dictionaries(
                {"fileSystemId": st.just("fs-12345678"), "transitEncryption": st.just("ENABLED")},
                optional={"rootDirectory": st.just("/"), "transitEncryptionPort": COUNTS},
            ),
        }
    )
)
MOUNTS = st.lists(
    st.fixed_dictionaries({"sourceVolume": WORDS, "containerPath": PATHS}, optional={"readOnly": st.booleans()}), max_size=2
)


def mounted(whole):
    """A container or task whose mount points are of its volumes, as they must be; without volumes it has none."""
    names = [volume["name"] for volume in whole.get("volumes", [])]
    for container in whole.get("containers", [whole]):
        points = container.pop("mountPoints", None)
        if points is not None:
            uses = zip(points, itertools.cycle(names))
            container["mountPoints"] = [{**point, "sourceVolume": name} for point, name in uses]
    return whole


FARGATE_SIZES = [("0.25", "512"), ("0.5", "1024"), ("1", "3072"), ("4", "30720")]


def needs(vcpus, memory, gpus=None):
    pairs = [("VCPU", vcpus), ("MEMORY", memory), ("GPU", gpus)]
    return [{"type": kind, "value": str(value)} for kind, value in pairs if value is not None]


NEEDS = st.builds(needs, COUNTS, st.integers(4, 9999), st.none() | st.integers(1, 4))
NEEDS_ON_FARGATE = st.sampled_from(FARGATE_SIZES).map(lambda size: needs(*size))

COMMON = {"command": st.lists(TEXTS, max_size=3), "environment": ENVIRONMENT, "mountPoints": MOUNTS, "secrets": SECRETS}
CONTAINER = st.fixed_dictionaries(
    {"image": WORDS, "resourceRequirements": NEEDS, "executionRoleArn": st.just(ROLE)},
    optional={
        **COMMON,
        "jobRoleArn": st.just(ROLE),
        "linuxParameters": LINUX,
        "logConfiguration": LOG,
        "privileged": st.booleans(),
        "readonlyRootFilesystem": st.booleans(),
        "ulimits": ULIMITS,
        "user": st.just("1000"),
        "volumes": VOLUMES | EFS_VOLUMES,
        "enableExecuteCommand": st.booleans(),
    },
).map(mounted)
OLD_CONTAINER = st.fixed_dictionaries({"image": WORDS, "vcpus": COUNTS, "memory": st.integers(4, 999)})
CONTAINER_ON_FARGATE = st.fixed_dictionaries(
    {"image": WORDS, "resourceRequirements": NEEDS_ON_FARGATE, "executionRoleArn": st.just(ROLE)},
    optional={
        **COMMON,
        "linuxParameters": LINUX_ON_FARGATE,
        "logConfiguration": LOG,
        "fargatePlatformConfiguration": maybe(platformVersion=st.just("1.4.0")),
        "networkConfiguration": maybe(assignPublicIp=st.sampled_from(["ENABLED", "DISABLED"])),
        "ephemeralStorage": st.fixed_dictionaries({"sizeInGiB": st.integers(21, 200)}),
        "runtimePlatform": maybe(cpuArchitecture=st.sampled_from(["X86_64", "ARM64"])),
        "volumes": EFS_VOLUMES,
    },
).map(mounted)


def task_containers(requirements):
    one = st.fixed_dictionaries(
        {"name": WORDS, "image": WORDS, "resourceRequirements": requirements},
        optional={**COMMON, "logConfiguration": LOG, "stopTimeout": st.integers(2, 120), "user": st.just("1000")},
    )

    def finish(containers, flags):
        for container, is_essential in zip(containers[1:], flags):
            container["essential"] = is_essential
            if is_essential:
                container["dependsOn"] = [{"containerName": containers[0]["name"], "condition": "START"}]
        return containers

    containers = st.lists(one, min_size=1, max_size=3, unique_by=lambda each: each["name"])
    return st.builds(finish, containers, st.lists(st.booleans(), min_size=2, max_size=2))


def tasks(requirements, **more):
    task = st.fixed_dictionaries(
        {"containers": task_containers(requirements), "executionRoleArn": st.just(ROLE)},
        optional={"taskRoleArn": st.just(ROLE), "enableExecuteCommand": st.booleans(), **more},
    )
    return task.map(lambda task: {"taskProperties": [mounted(task)]})


TASK = tasks(NEEDS, volumes=VOLUMES, ipcMode=st.just("task"), pidMode=st.just("host"))
TASK_ON_FARGATE = tasks(NEEDS_ON_FARGATE, volumes=EFS_VOLUMES, platformVersion=st.just("1.4.0"))
POD_CONTAINER = st.fixed_dictionaries(
    {"image": WORDS, "resources": st.just({"limits": {"cpu": "1", "memory": "64Mi"}, "requests": {"memory": "64Mi"}})},
    optional={
        "args": st.lists(TEXTS, max_size=2),
        "command": st.lists(TEXTS, max_size=2),
        "env": named(st.fixed_dictionaries({"name": WORDS, "value": TEXTS})),
        "imagePullPolicy": st.sampled_from(["Always", "IfNotPresent", "Never"]),
        "securityContext": maybe(runAsUser=COUNTS, privileged=st.booleans(), readOnlyRootFilesystem=st.booleans()),
        "volumeMounts": st.lists(st.fixed_dictionaries({"name": WORDS, "mountPath": PATHS}), max_size=2),
    },
)
POD = st.fixed_dictionaries(
    {"containers": POD_CONTAINER.map(lambda one: [one])},
    optional={
        "dnsPolicy": st.just("ClusterFirst"),
        "hostNetwork": st.booleans(),
        "serviceAccountName": WORDS.map(str.lower),
        "shareProcessNamespace": st.booleans(),
        "metadata": st.fixed_dictionaries({"labels": st.dictionaries(WORDS, WORDS, max_size=2)}),
        "volumes": named(st.fixed_dictionaries({"name": WORDS, "hostPath": st.fixed_dictionaries({"path": PATHS})})),
    },
)
NODES = st.builds(
    lambda count, main, container, task: {
        "numNodes": count,
        "mainNode": main % count,
        "nodeRangeProperties": [{"targetNodes": f"0:{count - 1}", **(container or task)}],
    },
    st.integers(1, 9),
    st.integers(0, 8),
    st.none() | CONTAINER.map(lambda container: {"container": container}),
    TASK.map(lambda task: {"ecsProperties": task}),
)
RULES = st.lists(
    st.fixed_dictionaries(
        {"action": st.sampled_from(["RETRY", "exit", "Retry"]), "onStatusReason": st.just("Host EC2*")},
        optional={"onExitCode": st.just("1"), "onReason": st.just("*")},
    ),
    max_size=3,
)
EXTRAS = {
    "parameters": st.dictionaries(WORDS, TEXTS, max_size=3),
    "propagateTags": st.booleans(),
    "retryStrategy": st.fixed_dictionaries({"attempts": st.integers(1, 10)}, optional={"evaluateOnExit": RULES}),
    "schedulingPriority": st.integers(0, 9999),
    "tags": st.dictionaries(WORDS, TEXTS, min_size=1, max_size=3),
    "timeout": st.fixed_dictionaries({"attemptDurationSeconds": st.integers(60, 9999)}),
    "consumableResourceProperties": named(
        st.fixed_dictionaries({"consumableResource": WORDS, "quantity": COUNTS}), "consumableResource", 5
    ).map(lambda found: {"consumableResourceList": found}),
}


def definitions(member, properties, kind="container", **members):
    required = {"type": st.just(kind), member: properties, **{key: st.just(value) for key, value in members.items()}}
    # Pods propagate none.
    extras = {**EXTRAS, "propagateTags": st.just(False)} if "eksProperties" in required else EXTRAS
    return st.fixed_dictionaries(required, optional=extras)


FARGATE = {"platformCapabilities": ["FARGATE"]}
DEFINITIONS = {
    "container": definitions("containerProperties", CONTAINER),
    "old container": definitions("containerProperties", OLD_CONTAINER, platformCapabilities=["EC2"]),
    "container on Fargate": definitions("containerProperties", CONTAINER_ON_FARGATE, **FARGATE),
    "task": definitions("ecsProperties", TASK),
    "task on Fargate": definitions("ecsProperties", TASK_ON_FARGATE, **FARGATE),
    "pod": definitions("eksProperties", POD.map(lambda pod: {"podProperties": pod})),
    "nodes": definitions("nodeProperties", NODES, "multinode"),
}


# The normalisation of A3.23.


def described_container(container, is_fargate=False):
    lists = ["command", "mountPoints", "resourceRequirements", "secrets", "ulimits", "volumes"]
    container = {**{member: [] for member in lists}, **container}
    container["environment"] = [each for each in container.get("environment", []) if each["value"]]
    with_parts(container)
    if is_fargate:
        container["fargatePlatformConfiguration"] = {
            "platformVersion": "LATEST",
            **container.get("fargatePlatformConfiguration", {}),
        }
    return container


def with_parts(container):
    if "linuxParameters" in container:
        linux = {"devices": [], "tmpfs": [], **container["linuxParameters"]}
        linux["devices"] = [{"permissions": [], **each} for each in linux["devices"]]
        linux["tmpfs"] = [{"mountOptions": [], **each} for each in linux["tmpfs"]]
        container["linuxParameters"] = linux
    if "logConfiguration" in container:
        container["logConfiguration"] = {"options": {}, "secretOptions": [], **container["logConfiguration"]}


def described_task(ecs, is_fargate=False):
    (task,) = ecs["taskProperties"]
    task = {"volumes": [], **({"platformVersion": "LATEST"} if is_fargate else {}), **task}
    containers = []
    for container in task["containers"]:
        lists = ["command", "dependsOn", "mountPoints", "resourceRequirements", "secrets", "ulimits"]
        container = {**{member: [] for member in lists}, "essential": True, **container}
        container["environment"] = [each for each in container.get("environment", []) if each["value"]]
        with_parts(container)
        containers.append(container)
    return {"taskProperties": [{**task, "containers": containers}]}


def described_nodes(nodes):
    ranges = []
    for each in nodes["nodeRangeProperties"]:
        each = dict(each)
        if "container" in each:
            each["container"] = described_container(each["container"])
        if "ecsProperties" in each:
            each["ecsProperties"] = described_task(each["ecsProperties"])
        ranges.append(each)
    return {**nodes, "nodeRangeProperties": ranges}


def described_definition(request):
    request = copy.deepcopy(request)
    is_fargate = request.get("platformCapabilities") == ["FARGATE"]
    if "eksProperties" in request:
        request["containerOrchestrationType"] = "EKS"
    else:
        request.setdefault("platformCapabilities", ["EC2"])
        request["containerOrchestrationType"] = "ECS"
    request = {"parameters": {}, "propagateTags": False, "tags": {}, "status": "ACTIVE", **request}
    if "containerProperties" in request:
        request["containerProperties"] = described_container(request["containerProperties"], is_fargate)
    if "ecsProperties" in request:
        request["ecsProperties"] = described_task(request["ecsProperties"], is_fargate)
    if "nodeProperties" in request:
        request["nodeProperties"] = described_nodes(request["nodeProperties"])
    if "retryStrategy" in request:
        rules = request["retryStrategy"].get("evaluateOnExit", [])
        rules = [{**rule, "action": rule["action"].lower()} for rule in rules]
        request["retryStrategy"] = {**request["retryStrategy"], "evaluateOnExit": rules}
    return request


GIVEN_BY_THE_SERVICE = ["jobDefinitionArn", "revision", "status", "containerOrchestrationType"]


def describe(site, arn):
    (found,) = site.batch.describe_job_definitions(jobDefinitions=[arn])["jobDefinitions"]
    return found


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_definitions(site, kind):
    name = unique("round-trip")

    @SETTINGS
    @given(DEFINITIONS[kind])
    def check(request):
        made = site.batch.register_job_definition(jobDefinitionName=name, **request)
        found = describe(site, made["jobDefinitionArn"])
        assert (found["jobDefinitionName"], found["revision"]) == (name, made["revision"])
        plain = {key: value for key, value in found.items() if key not in ("jobDefinitionArn", "revision")}
        assert plain == {"jobDefinitionName": name, **described_definition(request)}
        # What was described, registered again, is described alike.
        again = {key: value for key, value in found.items() if key not in GIVEN_BY_THE_SERVICE}
        if not again["tags"]:
            del again["tags"]
        again = describe(site, site.batch.register_job_definition(**again)["jobDefinitionArn"])
        assert again["revision"] == found["revision"] + 1
        for description in (found, again):
            del description["revision"], description["jobDefinitionArn"]
        assert again == found

    check()


TAGS = st.dictionaries(WORDS, TEXTS, min_size=1, max_size=3)
EC2_RESOURCES = st.fixed_dictionaries(
    {},
    optional={
        "allocationStrategy": st.sampled_from(["BEST_FIT", "BEST_FIT_PROGRESSIVE", "BEST_FIT_PROGRESSIVE_ORDERED"]),
        "bidPercentage": st.integers(1, 100),
        "ec2Configuration": st.just([{"imageType": "ECS_AL2023", "imageIdOverride": "ami-1"}]),
        "ec2KeyPair": WORDS,
        "imageId": WORDS,
        "instanceTypes": st.lists(st.sampled_from(["c5.large", "m5", "r5.xlarge"]), min_size=1, unique=True),
        "launchTemplate": st.just({"launchTemplateName": "x", "version": "$Latest"}),
        "maxvCpus": st.integers(8, 64),
        "placementGroup": WORDS,
        "scalingPolicy": st.just({"minScaleDownDelayMinutes": 20}),
        "tags": TAGS,
    },
)
ENVIRONMENTS = {
    "EC2": EC2_RESOURCES.map(lambda more: environment_resources(**more)),
    "SPOT": EC2_RESOURCES.map(lambda more: environment_resources(**{**more, "type": "SPOT", "spotIamFleetRole": ROLE})),
    "FARGATE": st.integers(1, 99).map(lambda most: fargate_resources(maxvCpus=most)),
    "UNMANAGED": st.none(),
}
AROUND = maybe(
    tags=TAGS,
    serviceRole=st.just(ROLE),
    context=st.just("context"),
    ecsSettings=st.just({"containerInsights": "ENABLED"}),
)


@pytest.mark.parametrize("kind", ENVIRONMENTS)
def test_environments(site, kind):
    @settings(SETTINGS, max_examples=40)
    @given(ENVIRONMENTS[kind], AROUND)
    def check(resources, around):
        name = unique("round-trip")
        request = {"computeEnvironmentName": name, "type": "MANAGED" if resources else "UNMANAGED", **around}
        if resources:
            request["computeResources"] = resources
        site.batch.create_compute_environment(**request)
        found = described_environment(site, name)
        assert expected_environment(request).items() <= found.items()
        if resources:
            # An update with what was described changes nothing.
            updatable = set(site.batch.meta.service_model.shape_for("ComputeResourceUpdate").members)
            again = {key: value for key, value in found["computeResources"].items() if key in updatable}
            if again.get("allocationStrategy") == "BEST_FIT":
                del again["allocationStrategy"]
            site.batch.update_compute_environment(
                computeEnvironment=name, computeResources=again, updatePolicy=found["updatePolicy"]
            )
            assert described_environment(site, name) == found
        site.batch.update_compute_environment(computeEnvironment=name, state="DISABLED")
        site.batch.delete_compute_environment(computeEnvironment=name)

    check()


def described_environment(site, name):
    (found,) = site.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
    return found


def expected_environment(request):
    expected = {"tags": {}, "state": "ENABLED", "status": "VALID", "containerOrchestrationType": "ECS", **request}
    resources = request.get("computeResources")
    if resources and "FARGATE" not in resources["type"]:
        expected["computeResources"] = {"desiredvCpus": 0, **resources}
    return expected


@settings(SETTINGS, max_examples=40)
@given(
    st.fixed_dictionaries(
        {"priority": st.integers(0, 1000)},
        optional={
            "state": st.sampled_from(["ENABLED", "DISABLED"]),
            "tags": TAGS,
            "jobStateTimeLimitActions": st.lists(
                st.fixed_dictionaries(
                    {
                        "reason": st.sampled_from(
                            ["CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"]
                        ),
                        "state": st.just("RUNNABLE"),
                        "maxTimeSeconds": st.integers(600, 86_400),
                        "action": st.just("CANCEL"),
                    }
                ),
                unique_by=lambda each: each["reason"],
            ),
        },
    )
)
def test_queues(site, request_):
    request = {"jobQueueName": unique("round-trip"), **request_}
    order = [{"order": 3, "computeEnvironment": site.environment}]
    site.batch.create_job_queue(**request, computeEnvironmentOrder=order)
    describe = lambda: site.batch.describe_job_queues(jobQueues=[request["jobQueueName"]])["jobQueues"][0]
    found = describe()
    environment = site.make_arn("compute-environment", site.environment)
    defaults = {"state": "ENABLED", "tags": {}, "jobStateTimeLimitActions": [], "jobQueueType": "ECS", "status": "VALID"}
    order = [{"order": 3, "computeEnvironment": environment}]
    assert {**defaults, **request, "computeEnvironmentOrder": order}.items() <= found.items()
    again = ["state", "priority", "computeEnvironmentOrder", "jobStateTimeLimitActions"]
    site.batch.update_job_queue(jobQueue=found["jobQueueArn"], **{key: found[key] for key in again})
    assert describe() == found
    site.batch.update_job_queue(jobQueue=request["jobQueueName"], state="DISABLED")
    site.batch.delete_job_queue(jobQueue=request["jobQueueName"])


@settings(SETTINGS, max_examples=40)
@given(
    maybe(
        shareDecaySeconds=st.integers(0, 604_800),
        computeReservation=st.integers(0, 99),
        shareDistribution=st.lists(
            st.fixed_dictionaries(
                {"shareIdentifier": st.text(string.ascii_letters, min_size=4, max_size=4)},
                optional={"weightFactor": st.integers(1, 9_999_999).map(lambda weight: weight / 10_000)},
            ),
            max_size=5,
            unique_by=lambda each: each["shareIdentifier"],
        ),
    )
)
def test_scheduling_policies(site, policy):
    arn = site.batch.create_scheduling_policy(name=unique("round-trip"), fairsharePolicy=policy)["arn"]
    describe = lambda: site.batch.describe_scheduling_policies(arns=[arn])["schedulingPolicies"][0]
    found = describe()
    assert policy.items() <= found["fairsharePolicy"].items()
    site.batch.update_scheduling_policy(arn=arn, fairsharePolicy=found["fairsharePolicy"])
    assert describe() == found
    site.batch.delete_scheduling_policy(arn=arn)
