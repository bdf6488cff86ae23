"""Each optional member of each request alone: a minimal request that is accepted, and one member more, made from the model.

Each is accepted too, or refused for a reason that `optional_members.json` lists: what makes no sense without another member, or what this
server cannot do. A new refusal fails. To accept a changed list, run with UPDATE_CONFORMANCE=1 and read the difference.
"""

import json
import os
import re
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from site_under_test import environment_resources, fargate_resources, unique
from test_operations import MODEL, SERVED, value

LISTED = Path(__file__).with_name("optional_members.json")

# Deep enough for everything but shapes that contain themselves.
DEPTH_MAX = 8

# Values for members that the model calls text or a number, and that have a form. By name, whatever shape they are in.
GOOD = {
    "capacityUnit": "ml.m5.large",
    "arns": ["arn:aws:batch:us-east-1:000000000000:scheduling-policy/none"],
    "attemptDurationSeconds": 60,
    "attempts": 2,
    "bidPercentage": 50,
    "capacityOptionType": "SPOT",
    "conditions": "START",
    "condition": "START",
    "cpuArchitecture": "X86_64",
    "ec2InstanceProfileArn": "arn:aws:iam::000000000000:instance-profile/x",
    "eksClusterArn": "arn:aws:eks:us-east-1:000000000000:cluster/x",
    "fileSystemId": "fs-12345678",
    "imageType": "ECS_AL2023",
    "ipcMode": "host",
    "jobExecutionTimeoutMinutes": 30,
    "maxTimeSeconds": 600,
    "minScaleDownDelayMinutes": 20,
    "monitoring": "BASIC",
    "mountOptions": ["noexec"],
    "networkMode": "host",
    "operatingSystemFamily": "LINUX",
    "permissions": ["READ"],
    "pidMode": "host",
    "platformVersion": "1.4.0",
    "propagateTags": "NONE",
    "reservationPreference": "RESERVATIONS_FIRST",
    "sizeInGiB": 21,
    "startTimeout": 2,
    "stopTimeout": 2,
    "targetNodes": "0:",
    "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 1}],
    "user": "1000",
    "version": "$Latest",
}


def good(name, shape, depth=0):
    """A value of a shape that should be accepted."""
    if name in GOOD and shape.type_name != "boolean":
        return GOOD[name]
    if shape.type_name == "structure":
        return {each: good(each, shape.members[each], depth + 1) for each in shape.required_members}
    if shape.type_name == "list":
        return [good(name, shape.member, depth + 1)]
    if shape.type_name == "map":
        return {"key": good(name, shape.value, depth + 1)}
    return value(name, shape)


def members(shape, put, present, path=(), depth=0):
    """(path, request) for each optional member below `shape`; `put` makes the request with a value of `shape` in it."""
    if depth > DEPTH_MAX:
        return
    for name, member in shape.members.items():
        here = [*path, name]

        def with_it(given, name=name):
            return put({**present, name: given})

        base = present.get(name, good(name, member))
        if name not in present:
            yield ".".join(here), with_it(base)
        yield from below(member, with_it, base, here, depth)


def below(shape, put, present, path, depth):
    if shape.type_name == "structure":
        yield from members(shape, put, present if isinstance(present, dict) else {}, path, depth + 1)
    elif shape.type_name == "list":
        first = present[0] if present else good(path[-1], shape.member)
        yield from below(shape.member, lambda given: put([given]), first, [*path[:-1], path[-1] + "[]"], depth)


def container():
    requirements = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
    return {"image": "busybox", "resourceRequirements": requirements}


def definition(**properties):
    return lambda site: {"jobDefinitionName": "x", "type": "container", **properties}


def pod():
    limits = {"limits": {"cpu": "1", "memory": "64Mi"}}
    return {"podProperties": {"containers": [{"image": "busybox", "resources": limits}]}}


def nodes():
    ranges = [{"targetNodes": "0:1", "container": container()}]
    return {"numNodes": 2, "mainNode": 0, "nodeRangeProperties": ranges}


def new_environment(resources=None, **more):
    resources = resources or environment_resources()
    return lambda site: {"computeEnvironmentName": "x", "type": "MANAGED", "computeResources": resources, **more}


def provider():
    network = {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}
    template = {"ec2InstanceProfileArn": GOOD["ec2InstanceProfileArn"], "networkConfiguration": network}
    return {"infrastructureRoleArn": "arn:aws:iam::000000000000:role/x", "instanceLaunchTemplate": template}


def new_queue(site):
    order = [{"order": 1, "computeEnvironment": site.environment}]
    return {"jobQueueName": "x", "priority": 1, "computeEnvironmentOrder": order}


def policy(site):
    return site.batch.create_scheduling_policy(name=unique("optional"), fairsharePolicy={})["arn"]


def resource(site):
    made = site.batch.create_consumable_resource(consumableResourceName=unique("optional"), totalQuantity=5)
    return made["consumableResourceName"]


# Minimal requests that are accepted. Operations that are not here have nothing but required members.
def service_environment(site):
    name = unique("optional")
    limits = [{"capacityUnit": "ml.m5.large", "maxCapacity": 1}]
    site.batch.create_service_environment(
        serviceEnvironmentName=name, serviceEnvironmentType="SAGEMAKER_TRAINING", capacityLimits=limits
    )
    return name


def service_queue(site, **request):
    """A queue of service jobs, which never start: no request here names a type that its environment has."""
    order = [{"order": 1, "serviceEnvironment": service_environment(site)}]
    name = unique("optional")
    site.batch.create_job_queue(jobQueueName=name, priority=1, serviceEnvironmentOrder=order, **request)
    return name


def new_share(site):
    return {
        "quotaShareName": unique("optional"),
        "jobQueue": site.quota_queue,
        "capacityLimits": [{"capacityUnit": "ml.m5.large", "maxCapacity": 1}],
        "resourceSharingConfiguration": {"strategy": "LEND_AND_BORROW"},
        "preemptionConfiguration": {"inSharePreemption": "DISABLED"},
    }


def training():
    algorithm = {"TrainingImage": "x", "TrainingInputMode": "File"}
    resources = {"InstanceType": "ml.m5.24xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}
    return json.dumps({"AlgorithmSpecification": algorithm, "ResourceConfig": resources})


MINIMAL = {
    "CreateComputeEnvironment": new_environment(),
    "CreateComputeEnvironment for EKS": new_environment(
        environment_resources(allocationStrategy="BEST_FIT_PROGRESSIVE"),
        eksConfiguration={"eksClusterArn": GOOD["eksClusterArn"], "kubernetesNamespace": "x"},
    ),
    "CreateComputeEnvironment of Fargate": new_environment(fargate_resources()),
    "CreateComputeEnvironment of managed instances": new_environment(
        {"type": "ECS_MANAGED_INSTANCES", "maxvCpus": 1, "managedInstancesProvider": provider()}
    ),
    "CreateConsumableResource": lambda site: {"consumableResourceName": "x", "totalQuantity": 1},
    "CreateJobQueue": new_queue,
    "CreateQuotaShare": new_share,
    "CreateSchedulingPolicy": lambda site: {"name": "x"},
    "CreateServiceEnvironment": lambda site: {
        "serviceEnvironmentName": "x",
        "serviceEnvironmentType": "SAGEMAKER_TRAINING",
        "capacityLimits": [{"capacityUnit": "ml.m5.large", "maxCapacity": 1}],
    },
    "DescribeComputeEnvironments": lambda site: {},
    "DescribeJobDefinitions": lambda site: {},
    "DescribeJobQueues": lambda site: {},
    "DescribeServiceEnvironments": lambda site: {},
    "ListConsumableResources": lambda site: {},
    "ListJobs": lambda site: {"jobQueue": site.queue},
    "ListJobsByConsumableResource": lambda site: {"consumableResource": resource(site)},
    "ListQuotaShares": lambda site: {"jobQueue": site.quota_queue},
    "ListSchedulingPolicies": lambda site: {},
    "ListServiceJobs": lambda site: {"jobQueue": site.training_queue},
    "RegisterJobDefinition": definition(containerProperties=container()),
    "RegisterJobDefinition of a task": definition(
        ecsProperties={"taskProperties": [{"containers": [{"name": "main", **container()}]}]}
    ),
    "RegisterJobDefinition of a pod": definition(eksProperties=pod()),
    "RegisterJobDefinition of nodes": definition(type="multinode", nodeProperties=nodes()),
    "SubmitJob": lambda site: {"jobName": "optional", "jobQueue": site.queue, "jobDefinition": site.define("true")},
    "SubmitServiceJob": lambda site: {
        "jobName": "optional",
        "jobQueue": site.training_queue,
        "serviceRequestPayload": training(),
        "serviceJobType": "SAGEMAKER_TRAINING",
    },
    "UpdateComputeEnvironment": lambda site: {"computeEnvironment": site.environment_to_update},
    "UpdateConsumableResource": lambda site: {"consumableResource": resource(site), "operation": "ADD", "quantity": 1},
    "UpdateJobQueue": lambda site: {"jobQueue": site.queue_to_update},
    "UpdateQuotaShare": lambda site: {"quotaShareArn": site.share_to_update},
    "UpdateSchedulingPolicy": lambda site: {"arn": policy(site)},
    "UpdateServiceEnvironment": lambda site: {"serviceEnvironment": site.service_environment_to_update},
}

# What new things are called, in a request that makes them.
NAMES = {
    "CreateComputeEnvironment": "computeEnvironmentName",
    "CreateConsumableResource": "consumableResourceName",
    "CreateJobQueue": "jobQueueName",
    "CreateQuotaShare": "quotaShareName",
    "CreateSchedulingPolicy": "name",
    "CreateServiceEnvironment": "serviceEnvironmentName",
    "RegisterJobDefinition": "jobDefinitionName",
}

# Members whose value must name something that there is, or has a form that depends on what it is for.
NAMED = {
    "jobDefinition": lambda site: site.define("true"),
    "schedulingPolicyArn": policy,
    "computeEnvironment": lambda site: site.environment,
    "consumableResource": resource,
    "serviceEnvironment": lambda site: site.service_environment_to_update,
}


@pytest.fixture(scope="module")
def prepared(site):
    """The site, with an environment and a queue that may be changed."""
    site.environment_to_update = site.make_environment(serviceRole="arn:aws:iam::000000000000:role/x")
    site.queue_to_update = site.make_queue()
    site.service_environment_to_update = service_environment(site)
    site.training_queue = service_queue(site)
    quota = site.batch.create_scheduling_policy(
        name=unique("optional"), quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"}
    )
    site.quota_queue = service_queue(site, schedulingPolicyArn=quota["arn"])
    site.share_to_update = site.batch.create_quota_share(**new_share(site))["quotaShareArn"]
    return site


@pytest.fixture(scope="module")
def listed():
    known = json.loads(LISTED.read_text()) if LISTED.exists() else {}
    yield known
    if os.environ.get("UPDATE_CONFORMANCE"):
        LISTED.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


def fill(site, given, name=None):
    """The request with the names of things that there are."""
    if isinstance(given, dict):
        return {key: fill(site, each, key) for key, each in given.items()}
    if isinstance(given, list):
        return [fill(site, each, name) for each in given]
    return NAMED[name](site) if given == "x" and name in NAMED else given


def without_names(text):
    """A refusal without what differs from run to run."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
    return re.sub(r"optional-\d+-\d+|definition-\d+-\d+|queue-\d+-\d+|ce-\d+-\d+", "NAME", text)


def topmost(refusals):
    """Without members that are refused for the same reason as what they are in."""

    def is_implied(path):
        whole = path.replace("[]", "")
        above = ((other.replace("[]", ""), text) for other, text in refusals.items() if other != path)
        return any(whole.startswith(f"{other}.") and text == refusals[path] for other, text in above)

    return {path: text for path, text in refusals.items() if not is_implied(path)}


def take_back(site, operation, made):
    """Makes room again: an account has 50 environments and queues."""
    if operation == "CreateComputeEnvironment":
        name = made["computeEnvironmentName"]
        site.batch.update_compute_environment(computeEnvironment=name, state="DISABLED")
        site.batch.delete_compute_environment(computeEnvironment=name)
    if operation == "CreateServiceEnvironment":
        name = made["serviceEnvironmentName"]
        site.batch.update_service_environment(serviceEnvironment=name, state="DISABLED")
        site.batch.delete_service_environment(serviceEnvironment=name)
    if operation == "CreateQuotaShare":
        site.batch.update_quota_share(quotaShareArn=made["quotaShareArn"], state="DISABLED")
        site.batch.delete_quota_share(quotaShareArn=made["quotaShareArn"])
    if operation == "CreateJobQueue":
        site.batch.update_job_queue(jobQueue=made["jobQueueName"], state="DISABLED")
        site.batch.delete_job_queue(jobQueue=made["jobQueueName"])


def test_every_operation_with_optional_members_is_here():
    shapes = {name: MODEL.operation_model(name).input_shape for name in SERVED}
    optional = {name for name, shape in shapes.items() if set(shape.members) - set(shape.required_members)}
    assert optional - {name.split()[0] for name in MINIMAL} == set()


@pytest.mark.parametrize("what", sorted(MINIMAL))
def test_each_optional_member_alone(prepared, listed, what):
    site, operation = prepared, what.split()[0]
    call = getattr(site.batch, xform_name(operation))
    shape = MODEL.operation_model(operation).input_shape
    cases = list(members(shape, lambda given: given, MINIMAL[what](site)))
    refusals = {}
    for path, given in cases:
        given = fill(site, given)
        if operation in NAMES:
            given[NAMES[operation]] = unique("optional")
        try:
            made = call(**given)
        except ClientError as error:
            refusals[path] = without_names(error.response["Error"]["Message"])
            assert error.response["Error"]["Code"] == "ClientException", (path, refusals[path])
        else:
            take_back(site, operation, made)
    found = {"accepted": len(cases) - len(refusals), "refused": topmost(refusals)}
    if os.environ.get("UPDATE_CONFORMANCE"):
        listed[what] = found
        return
    known = listed[what]
    news = {path: text for path, text in found["refused"].items() if known["refused"].get(path) != text}
    assert news == {}
    assert found == known, "fewer are refused than before, or the model has changed: run with UPDATE_CONFORMANCE=1"
