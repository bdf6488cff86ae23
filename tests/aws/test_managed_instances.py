"""Compute environments, queues and jobs of managed instances (sections K.1 and K2)."""

import copy

import pytest

from site_under_test import environment_resources, fargate_resources, refusal, unique

CLIENT = "ClientException"
PROVIDER = {
    "infrastructureRoleArn": "arn:aws:iam::000000000000:role/infrastructure",
    "propagateTags": "CAPACITY_PROVIDER",
    "instanceLaunchTemplate": {
        "ec2InstanceProfileArn": "arn:aws:iam::000000000000:instance-profile/batch",
        "networkConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]},
        "instanceRequirements": {"allowedInstanceTypes": ["c5.*"]},
        "capacityOptionType": "SPOT",
        "storageConfiguration": {"storageSizeGiB": 100},
        "monitoring": "BASIC",
        "fipsEnabled": False,
    },
    "infrastructureOptimization": {"scaleInAfter": 300},
}


def resources(**more):
    return {"type": "ECS_MANAGED_INSTANCES", "maxvCpus": 16, "managedInstancesProvider": PROVIDER, **more}


def container(**more):
    return {
        "name": "main",
        "image": "host://",
        "command": ["true"],
        "resourceRequirements": [{"type": "VCPU", "value": "0.5"}, {"type": "MEMORY", "value": "64"}],
        **more,
    }


def definition(containers=None, task=None, **more):
    return {
        "jobDefinitionName": unique("managed"),
        "type": "container",
        "platformCapabilities": ["MANAGED_INSTANCES"],
        "ecsProperties": {"taskProperties": [{"containers": containers or [container()], **(task or {})}]},
        **more,
    }


@pytest.fixture(scope="module")
def environment(site):
    return site.make_environment(computeResources=resources(capacityTags={"team": "a"}))


def described(site, name):
    (found,) = site.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
    return found


def test_an_environment_comes_back_as_it_was_sent(site, environment):
    found = described(site, environment)
    assert found["status"] == "VALID" and found["containerOrchestrationType"] == "ECS"
    assert found["computeResources"] == resources(capacityTags={"team": "a"})


def test_updates_merge(site):
    name = site.make_environment(computeResources=resources())
    template = {"monitoring": "DETAILED", "networkConfiguration": {"subnets": ["subnet-2"], "securityGroups": ["sg-2"]}}
    update = {"instanceLaunchTemplate": template, "infrastructureOptimization": {"scaleInAfter": -1}}
    site.batch.update_compute_environment(
        computeEnvironment=name, computeResources={"maxvCpus": 32, "managedInstancesProvider": update}
    )
    expected = copy.deepcopy(PROVIDER)
    expected["instanceLaunchTemplate"].update(template)
    expected["infrastructureOptimization"] = {"scaleInAfter": -1}
    assert described(site, name)["computeResources"] == resources(maxvCpus=32, managedInstancesProvider=expected)
    code, text = refusal(
        site.batch.update_compute_environment, computeEnvironment=name, computeResources={"type": "EC2"}
    )
    assert (code, text) == (CLIENT, "The type of an ECS_MANAGED_INSTANCES compute environment cannot be changed.")


def with_template(**members):
    provider = copy.deepcopy(PROVIDER)
    provider["instanceLaunchTemplate"].update(members)
    return resources(managedInstancesProvider=provider)


FORBIDDEN = {
    "allocationStrategy": "BEST_FIT",
    "bidPercentage": 50,
    "desiredvCpus": 1,
    "minvCpus": 0,
    "imageId": "ami-1",
    "instanceTypes": ["c5.large"],
    "instanceRole": "role",
    "ec2Configuration": [{"imageType": "ECS_AL2023"}],
    "ec2KeyPair": "key",
    "launchTemplate": {"launchTemplateId": "lt-1"},
    "placementGroup": "group",
    "spotIamFleetRole": "role",
    "subnets": ["subnet-1"],
    "securityGroupIds": ["sg-1"],
}


@pytest.mark.parametrize("member", FORBIDDEN)
def test_assumed_members_that_do_not_apply(site, member):
    code, text = refusal(
        site.batch.create_compute_environment,
        computeEnvironmentName=unique("refused"),
        type="MANAGED",
        computeResources=resources(**{member: FORBIDDEN[member]}),
    )
    assert (code, text) == (CLIENT, f"{member} is not applicable for ECS_MANAGED_INSTANCES.")


@pytest.mark.parametrize(
    "bad, words",
    [
        ({"type": "ECS_MANAGED_INSTANCES", "maxvCpus": 1}, "managedInstancesProvider is required"),
        (with_template(capacityOptionType="CHEAP"), "capacityOptionType must be one of [ON_DEMAND, SPOT]"),
        (with_template(monitoring="NONE"), "monitoring must be one of [BASIC, DETAILED]"),
        (with_template(networkConfiguration={"subnets": [], "securityGroups": ["sg-1"]}), "Subnets are required"),
        (with_template(networkConfiguration={"subnets": ["s"], "securityGroups": []}), "Security group ids are"),
        (resources(managedInstancesProvider={**PROVIDER, "propagateTags": "ALL"}), "propagateTags must be one of"),
        (
            resources(managedInstancesProvider={**PROVIDER, "infrastructureOptimization": {"scaleInAfter": 3601}}),
            "scaleInAfter must be -1 or between 0 and 3600",
        ),
        (
            environment_resources(managedInstancesProvider=PROVIDER),
            "managedInstancesProvider is only applicable for ECS_MANAGED_INSTANCES",
        ),
        (fargate_resources(capacityTags={"a": "b"}), "capacityTags is only applicable for ECS_MANAGED_INSTANCES"),
    ],
    ids=str,
)
def test_assumed_refusals_of_environments(site, bad, words):
    code, text = refusal(
        site.batch.create_compute_environment,
        computeEnvironmentName=unique("refused"),
        type="MANAGED",
        computeResources=bad,
    )
    assert code == CLIENT and words in text


def test_queues_have_their_own_type_and_do_not_mix(site, environment):
    queue = site.make_queue(environment)
    (found,) = site.batch.describe_job_queues(jobQueues=[queue])["jobQueues"]
    assert found["jobQueueType"] == "ECS_MANAGED_INSTANCES"
    order = [{"order": 1, "computeEnvironment": environment}, {"order": 2, "computeEnvironment": site.environment}]
    assert refusal(
        site.batch.create_job_queue, jobQueueName=unique("refused"), priority=1, computeEnvironmentOrder=order
    ) == (CLIENT, "Managed instances and other compute environments can not be mixed.")


def test_jobs_run(site, environment):
    queue = site.make_queue(environment)
    made = site.batch.register_job_definition(**definition(task={"networkMode": "host"}))
    name = f"{made['jobDefinitionName']}:{made['revision']}"
    assert site.ended(site.submit(name, queue))["status"] == "SUCCEEDED"
    # Fractions of a vCPU may be overridden as well.
    requirements = [{"type": "VCPU", "value": "0.25"}]
    override = {"taskProperties": [{"containers": [{"name": "main", "resourceRequirements": requirements}]}]}
    assert site.ended(site.submit(name, queue, ecsPropertiesOverride=override))["status"] == "SUCCEEDED"
    (found,) = site.batch.describe_job_definitions(jobDefinitions=[name])["jobDefinitions"]
    assert found["platformCapabilities"] == ["MANAGED_INSTANCES"]
    assert found["ecsProperties"]["taskProperties"][0]["networkMode"] == "host"
    code, text = refusal(
        site.batch.submit_job, jobName="elsewhere", jobQueue=site.queue, jobDefinition=name
    )
    assert code == CLIENT and text.endswith("can not run Jobs with capability MANAGED_INSTANCES")
    code, text = refusal(
        site.batch.submit_job, jobName="elsewhere", jobQueue=queue, jobDefinition=site.define("true")
    )
    assert code == CLIENT and text.endswith("can not run Jobs with capability EC2")


@pytest.mark.parametrize(
    "bad, words",
    [
        (
            definition(task={"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}),
            "runtimePlatform for MANAGED_INSTANCES only supports LINUX operating system family.",
        ),
        (
            definition([container(logConfiguration={"logDriver": "json-file"})]),
            "Log driver for MANAGED_INSTANCES is not valid: json-file",
        ),
        (
            definition(task={"networkMode": "bridge"}),
            "networkMode can only be host, and is only applicable for MANAGED_INSTANCES.",
        ),
        (
            {
                **definition(
                    [
                        container(
                            resourceRequirements=[
                                {"type": "VCPU", "value": "1"},
                                {"type": "MEMORY", "value": "64"},
                            ]
                        )
                    ],
                    task={"networkMode": "host"},
                ),
                "platformCapabilities": ["EC2"],
            },
            "networkMode can only be host, and is only applicable for MANAGED_INSTANCES.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals_of_definitions(site, bad, words):
    assert refusal(site.batch.register_job_definition, **bad) == (CLIENT, words)
