"""Lives of environments, queues and definitions with boto3, and its paginators: lines N4 to N10 of the checklist."""

import pytest

from site_under_test import environment_resources, refusal, unique

CLIENT = "ClientException"

# The ten operations that boto3 pages, with the key of their items.
PAGED = {
    "describe_compute_environments": "computeEnvironments",
    "describe_job_definitions": "jobDefinitions",
    "describe_job_queues": "jobQueues",
    "describe_service_environments": "serviceEnvironments",
    "list_jobs": "jobSummaryList",
    "list_scheduling_policies": "schedulingPolicies",
    "list_consumable_resources": "consumableResources",
    "list_jobs_by_consumable_resource": "jobs",
    "list_service_jobs": "jobSummaryList",
    "list_quota_shares": "quotaShares",
}


def environments(site, *names):
    return site.batch.describe_compute_environments(computeEnvironments=list(names))["computeEnvironments"]


def queues(site, *names):
    return site.batch.describe_job_queues(jobQueues=list(names))["jobQueues"]


@pytest.fixture(scope="module")
def service_queue(site):
    """A queue of service jobs by quota share, with two shares and two jobs that wait."""
    batch = site.batch
    limit = [{"maxCapacity": 1, "capacityUnit": "ml.m5.large"}]
    environment, queue = unique("service"), unique("training")
    batch.create_service_environment(
        serviceEnvironmentName=environment, serviceEnvironmentType="SAGEMAKER_TRAINING", capacityLimits=limit
    )
    policy = batch.create_scheduling_policy(
        name=unique("quota"), quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"}
    )
    batch.create_job_queue(
        jobQueueName=queue,
        priority=1,
        jobQueueType="SAGEMAKER_TRAINING",
        schedulingPolicyArn=policy["arn"],
        serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": environment}],
    )
    for name in ("one", "two"):
        batch.create_quota_share(
            quotaShareName=name,
            jobQueue=queue,
            capacityLimits=limit,
            resourceSharingConfiguration={"strategy": "RESERVE"},
            preemptionConfiguration={"inSharePreemption": "DISABLED"},
        )
    return queue


@pytest.mark.parametrize("operation", PAGED)
def test_what_boto3_pages_has_pages(site, service_queue, operation):
    """Two things of each kind come in two pages; of jobs there may be none."""
    batch = site.batch
    site.make_queue(), site.make_environment(), site.define("true"), site.define("true")
    for _ in range(2):
        batch.create_consumable_resource(consumableResourceName=unique("paged"), totalQuantity=1)
        batch.create_scheduling_policy(name=unique("paged"))
        batch.create_service_environment(
            serviceEnvironmentName=unique("paged"),
            serviceEnvironmentType="SAGEMAKER_TRAINING",
            capacityLimits=[{"maxCapacity": 1, "capacityUnit": "NUM_INSTANCES"}],
        )
    request = {
        "list_jobs": {"jobQueue": site.queue},
        "list_jobs_by_consumable_resource": {
            "consumableResource": batch.list_consumable_resources()["consumableResources"][0]["consumableResourceName"]
        },
        "list_service_jobs": {"jobQueue": service_queue},
        "list_quota_shares": {"jobQueue": service_queue},
    }.get(operation, {})
    assert batch.can_paginate(operation)
    pages = list(batch.get_paginator(operation).paginate(**request, PaginationConfig={"PageSize": 1, "MaxItems": 5}))
    items = [item for page in pages for item in page[PAGED[operation]]]
    assert all(len(page[PAGED[operation]]) <= 1 for page in pages)
    if not operation.endswith("jobs") and "jobs_by" not in operation:
        assert len(items) == len(pages) >= 2


def test_an_environment_is_found_by_name_and_by_arn(site):
    name = unique("ce")
    made = site.batch.create_compute_environment(
        computeEnvironmentName=name, type="MANAGED", computeResources=environment_resources()
    )
    arn = made["computeEnvironmentArn"]
    assert (made["computeEnvironmentName"], arn) == (name, site.make_arn("compute-environment", name))
    site.wait_environment(name)
    (by_name,) = environments(site, name)
    assert by_name["status"] == "VALID" and by_name["statusReason"] == "ComputeEnvironment Healthy"
    assert environments(site, "nowhere", arn, "arn:aws:batch:us-east-1:000000000000:compute-environment/none") == [by_name]
    assert environments(site, "nowhere") == []
    assert refusal(
        site.batch.create_compute_environment,
        computeEnvironmentName=unique("ce"),
        type="MANAGED",
        state="DISABLED",
        computeResources=environment_resources(),
    ) == (CLIENT, "Compute Environment must be created in ENABLED state.")


def test_an_environment_goes_once_it_is_disabled_and_in_no_queue(site):
    environment = site.make_environment()
    queue = site.make_queue(environment)
    delete = site.batch.delete_compute_environment
    assert refusal(delete, computeEnvironment=environment)[0] == CLIENT
    site.batch.update_compute_environment(computeEnvironment=environment, state="DISABLED")
    site.wait_environment(environment)
    assert refusal(delete, computeEnvironment=environment) == (
        CLIENT,
        "Cannot delete, found existing JobQueue relationship",
    )
    order = [{"order": 1, "computeEnvironment": site.environment}]
    site.batch.update_job_queue(jobQueue=queue, computeEnvironmentOrder=order)
    delete(computeEnvironment=environment)
    site.wait_gone(environment, lambda: environments(site, environment))


def test_a_queue_tells_arns_whatever_it_was_given(site):
    one, other = site.make_environment(), site.make_environment()
    order = [
        {"order": 7, "computeEnvironment": site.make_arn("compute-environment", one)},
        {"order": 3, "computeEnvironment": other},
    ]
    name = unique("queue")
    made = site.batch.create_job_queue(jobQueueName=name, priority=1, computeEnvironmentOrder=order)
    assert (made["jobQueueName"], made["jobQueueArn"]) == (name, site.make_arn("job-queue", name))
    (found,) = queues(site, made["jobQueueArn"])
    assert found["computeEnvironmentOrder"] == [
        {"order": 3, "computeEnvironment": site.make_arn("compute-environment", other)},
        {"order": 7, "computeEnvironment": site.make_arn("compute-environment", one)},
    ]


def test_revisions_are_never_used_twice(site):
    name = unique("definition")
    assert [site.define("true", name=name) for _ in range(2)] == [f"{name}:1", f"{name}:2"]
    site.batch.deregister_job_definition(jobDefinition=f"{name}:2")
    # The highest active one runs.
    job = site.submit(name)
    assert site.job(job)["jobDefinition"].endswith(f"{name}:1")
    assert site.define("true", name=name) == f"{name}:3"
    found = site.batch.describe_job_definitions(jobDefinitionName=name)["jobDefinitions"]
    assert {each["revision"]: each["status"] for each in found} == {1: "ACTIVE", 2: "INACTIVE", 3: "ACTIVE"}
    assert site.job(site.submit(name))["jobDefinition"].endswith(f"{name}:3")
