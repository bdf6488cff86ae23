"""The service's quotas (section I) where they are configured otherwise, and the rate of submissions."""

import pytest
from botocore.exceptions import ClientError

from server import Server, wait_for
from site_under_test import Site, environment_resources, process_properties, refusal, unique

CLIENT = "ClientException"


@pytest.fixture
def limited(tmp_path):
    servers = []

    def start(**limits):
        settings = {f"limits_{name}": value for name, value in limits.items()}
        servers.append(Server(tmp_path / "data", **settings).start())
        return Site(servers[0])

    yield start
    for server in servers:
        server.remove()


def test_small_limits_are_kept(limited):
    site = limited(
        compute_environments=2,
        job_queues=2,
        compute_environments_per_queue=1,
        job_dependencies=1,
        array_size=3,
        scheduling_policies=1,
        consumable_resources=1,
        register_job_definition_bytes=500,
        submit_job_bytes=400,
        describe_jobs=2,
    )
    batch = site.batch
    environments = [site.environment, site.make_environment()]
    assert refusal(
        batch.create_compute_environment,
        computeEnvironmentName="third",
        type="MANAGED",
        computeResources=environment_resources(),
    ) == (CLIENT, "An account can have at most 2 compute environments.")
    assert site.queue and site.make_queue(environments[0])
    order = [{"order": place, "computeEnvironment": each} for place, each in enumerate(environments)]
    assert refusal(batch.create_job_queue, jobQueueName="q", priority=1, computeEnvironmentOrder=order[:1]) == (
        CLIENT,
        "An account can have at most 2 job queues.",
    )
    assert refusal(batch.update_job_queue, jobQueue=site.queue, computeEnvironmentOrder=order) == (
        CLIENT,
        "Only 1 environments are allowed in job queue request.",
    )
    definition = site.define("true")
    jobs = [site.submit(definition) for _ in range(3)]
    submit = {"jobName": "limited", "jobQueue": site.queue, "jobDefinition": definition}
    code, text = refusal(batch.submit_job, **submit, dependsOn=[{"jobId": job} for job in jobs[:2]])
    assert code == CLIENT and "depend" in text
    assert refusal(batch.submit_job, **submit, arrayProperties={"size": 4}) == (
        CLIENT,
        "Array job size must be between 2 and 3, got 4.",
    )
    assert refusal(batch.submit_job, **submit, parameters={"a": "x" * 400}) == (
        CLIENT,
        "A job can have at most 400 bytes.",
    )
    code, text = refusal(batch.describe_jobs, jobs=jobs)
    assert code == CLIENT and "Maximum number of jobs supported is  2 ." in text
    code, text = refusal(
        batch.register_job_definition, jobDefinitionName="long", type="container", parameters={"a": "x" * 500}
    )
    assert (code, text) == (CLIENT, "A job definition can have at most 500 bytes.")
    batch.create_scheduling_policy(name=unique("policy"))
    assert refusal(batch.create_scheduling_policy, name=unique("policy"))[0] == CLIENT
    batch.create_consumable_resource(consumableResourceName=unique("resource"), totalQuantity=1)
    assert refusal(batch.create_consumable_resource, consumableResourceName=unique("resource"))[0] == CLIENT


def register(site, kind="container", **request):
    return refusal(site.batch.register_job_definition, jobDefinitionName=unique("limited"), type=kind, **request)


def pod(containers, init_containers=0):
    def container(name):
        return {"name": name, "image": "x", "resources": {"limits": {"cpu": "1", "memory": "64Mi"}}}

    names = {"containers": containers, "initContainers": init_containers}
    return {
        "podProperties": {
            kind: [container(f"{kind.lower()}{number}") for number in range(count)] for kind, count in names.items()
        }
    }


def test_small_limits_of_definitions_are_kept(limited):
    site = limited(
        attempts=2,
        evaluate_on_exit=1,
        evaluate_on_exit_characters=8,
        containers_per_task=2,
        init_containers_per_pod=1,
        nodes=3,
        node_ranges=1,
        consumable_resources_per_job=1,
    )
    plain = {"containerProperties": process_properties(["true"])}
    container = plain["containerProperties"]
    assert register(site, **plain, retryStrategy={"attempts": 3}) == (
        CLIENT,
        "RetryAttempts must be between 1 and 2.",
    )
    rule = {"action": "RETRY", "onExitCode": "1"}
    assert register(site, **plain, retryStrategy={"attempts": 2, "evaluateOnExit": [rule] * 2}) == (
        CLIENT,
        "evaluateOnExit can have at most 1 entries.",
    )
    long = {"action": "RETRY", "onReason": "x" * 9}
    assert register(site, **plain, retryStrategy={"attempts": 2, "evaluateOnExit": [long]}) == (
        CLIENT,
        "Evaluate on exit condition cannot exceed 8 characters.",
    )
    task = {"containers": [{**container, "name": f"c{number}"} for number in range(3)]}
    assert register(site, ecsProperties={"taskProperties": [task]}) == (
        CLIENT,
        "Number of containers must be between 1 and 2",
    )
    assert register(site, eksProperties=pod(3)) == (CLIENT, "Number of containers must be between 1 and 2")
    assert register(site, eksProperties=pod(1, 2)) == (CLIENT, "Number of initContainers must be at most 1")
    nodes = {"numNodes": 4, "mainNode": 0, "nodeRangeProperties": [{"targetNodes": "0:", "container": container}]}
    assert register(site, "multinode", nodeProperties=nodes) == (CLIENT, "Number of nodes must be between 1 and 3.")
    ranges = [{"targetNodes": target, "container": container} for target in ("0", "1:")]
    assert register(site, "multinode", nodeProperties={**nodes, "numNodes": 2, "nodeRangeProperties": ranges}) == (
        CLIENT,
        "Maximum allowed size of node range properties is 1",
    )
    taken = {"consumableResourceList": [{"consumableResource": f"r{number}", "quantity": 1} for number in range(2)]}
    too_many = (CLIENT, "Each ConsumableResourceProperty can have at most 1 consumableResources")
    assert register(site, **plain, consumableResourceProperties=taken) == too_many
    # What jobs give themselves is no different.
    submit = {"jobName": "limited", "jobQueue": site.queue, "jobDefinition": site.define("true")}
    assert refusal(site.batch.submit_job, **submit, retryStrategy={"attempts": 3}) == (
        CLIENT,
        "RetryAttempts must be between 1 and 2.",
    )
    assert refusal(site.batch.submit_job, **submit, consumableResourcePropertiesOverride=taken) == too_many
    made = site.batch.register_job_definition(
        jobDefinitionName=unique("nodes"), type="multinode", nodeProperties={**nodes, "numNodes": 2}
    )
    submit["jobDefinition"] = made["jobDefinitionArn"]
    assert refusal(site.batch.submit_job, **submit, nodeOverrides={"numNodes": 4}) == (
        CLIENT,
        "Number of nodes must be between 1 and 3.",
    )


def test_small_limits_of_resources_and_answers_are_kept(limited):
    site = limited(
        share_distribution=1,
        share_identifiers_per_queue=1,
        capacity_limits=1,
        compute_environments_per_cluster=1,
        tags=2,
        page_items=1,
        list_jobs_page_items=2,
        stop_jobs=1,
        reason_characters=5,
        submit_service_job_bytes=600,
        service_job_payload_bytes=300,
    )
    batch = site.batch
    shares = [{"shareIdentifier": name} for name in "ab"]
    policy = {"name": unique("policy"), "fairsharePolicy": {"shareDistribution": shares}}
    assert refusal(batch.create_scheduling_policy, **policy) == (
        CLIENT,
        "ShareDistribution size cannot be greater than 1.",
    )
    arn = batch.create_scheduling_policy(name=policy["name"], fairsharePolicy={})["arn"]
    queue, definition = site.make_queue(schedulingPolicyArn=arn), site.define("true")
    site.submit(definition, queue, shareIdentifier="a")
    submit = {"jobName": "limited", "jobQueue": queue, "jobDefinition": definition}
    code, text = refusal(batch.submit_job, **submit, shareIdentifier="b")
    assert code == CLIENT and text.startswith(f"JobQueue {queue} has 1 active share identifiers, the most allowed;")
    capacity = [{"capacityUnit": f"ml.m5.{size}", "maxCapacity": 1} for size in ("large", "xlarge")]
    service = {"serviceEnvironmentName": unique("se"), "serviceEnvironmentType": "SAGEMAKER_TRAINING"}
    assert refusal(batch.create_service_environment, **service, capacityLimits=capacity) == (
        CLIENT,
        "Number of capacity limits exceeds 1.",
    )
    cluster = f"arn:aws:eks:{site.server.access.region}:000000000000:cluster/one"
    eks = {
        "eksConfiguration": {"eksClusterArn": cluster, "kubernetesNamespace": "jobs"},
        "computeResources": environment_resources(allocationStrategy="BEST_FIT_PROGRESSIVE"),
    }
    site.make_environment(**eks)
    made = {"computeEnvironmentName": unique("ce"), "type": "MANAGED"}
    assert refusal(batch.create_compute_environment, **made, **eks) == (
        CLIENT,
        "An EKS cluster can have at most 1 compute environments.",
    )
    eks["eksConfiguration"] = {**eks["eksConfiguration"], "eksClusterArn": cluster.replace("one", "two")}
    site.make_environment(**eks)
    two_most = (CLIENT, "A resource can have at most 2 tags.")
    tags = {name: "" for name in "abc"}
    assert refusal(batch.create_consumable_resource, consumableResourceName="r", totalQuantity=1, tags=tags) == two_most
    site.submit(definition, tags={name: "" for name in "ab"})
    job = site.submit(definition, tags={name: "" for name in "ab"})
    assert refusal(batch.tag_resource, resourceArn=site.make_arn("job", job), tags={"c": ""}) == two_most
    first = batch.describe_compute_environments()
    assert len(first["computeEnvironments"]) == 1 and first["nextToken"]
    assert refusal(batch.describe_compute_environments, computeEnvironments=["a", "b"]) == (
        CLIENT,
        "computeEnvironments can have at most 1 entries.",
    )
    site.submit(definition), site.ended(job)
    listed = lambda **more: batch.list_jobs(jobQueue=site.queue, **more)["jobSummaryList"]
    pages = batch.get_paginator("list_jobs").paginate(jobQueue=site.queue, jobStatus="SUCCEEDED")
    wait_for("three jobs to end", lambda: sum(len(page["jobSummaryList"]) for page in pages) == 3)
    assert len(listed(jobStatus="SUCCEEDED")) == 2
    assert len(listed(filters=[{"name": "JOB_NAME", "values": ["*"]}])) == 1
    assert refusal(batch.cancel_jobs, jobs=[job, job], reason="why") == (
        CLIENT,
        "jobs must have between 1 and 1 entries.",
    )
    assert refusal(batch.terminate_job, jobId=job, reason="a long one") == (
        CLIENT,
        "reason must have at most 5 characters.",
    )
    service = {"jobName": "limited", "jobQueue": "q", "serviceJobType": "SAGEMAKER_TRAINING"}
    assert refusal(batch.submit_service_job, **service, serviceRequestPayload="x" * 301) == (
        CLIENT,
        "serviceRequestPayload can have at most 300 bytes.",
    )
    tags = {"a": "x" * 200, "b": "x" * 200}
    assert refusal(batch.submit_service_job, **service, serviceRequestPayload="x" * 200, tags=tags) == (
        CLIENT,
        "A service job can have at most 600 bytes.",
    )


def test_limits_may_be_raised(limited):
    site = limited(job_dependencies=30, array_size=20_000, attempts=12, consumable_resources_per_job=6)
    definition = site.define("true")
    names = [unique("resource") for _ in range(6)]
    for name in names:
        site.batch.create_consumable_resource(consumableResourceName=name, totalQuantity=1)
    taken = {"consumableResourceList": [{"consumableResource": name, "quantity": 1} for name in names]}
    failing = site.submit(
        site.define("false"), retryStrategy={"attempts": 12}, consumableResourcePropertiesOverride=taken
    )
    jobs = [site.submit(definition) for _ in range(25)]
    assert site.ended(site.submit(definition, dependsOn=[{"jobId": job} for job in jobs]))["status"] == "SUCCEEDED"
    array = site.submit(definition, arrayProperties={"size": 15_000})
    assert site.job(array)["arrayProperties"]["size"] == 15_000
    site.batch.terminate_job(jobId=array, reason="enough")
    assert len(site.ended(failing)["attempts"]) == 12


def refused_calls(count, call, **request):
    """What so many calls were refused with."""
    refused = []
    for _ in range(count):
        try:
            call(**request)
        except ClientError as error:
            refused.append(error.response)
    return refused


@pytest.mark.parametrize("which", ["submit_job", "submit_service_job"])
def test_above_a_rate_submissions_are_put_off(limited, which):
    site = limited(**{f"{which}s_per_second": 5})
    submit = {
        "submit_job": {"jobName": "limited", "jobQueue": site.queue, "jobDefinition": site.define("true")},
        "submit_service_job": {
            "jobName": "limited",
            "jobQueue": "nowhere",
            "serviceJobType": "SAGEMAKER_TRAINING",
            "serviceRequestPayload": "{}",
        },
    }
    # More than a slow machine lets through in a second.
    refused = refused_calls(100, getattr(site.batch, which), **submit[which])
    refused = [each for each in refused if each["Error"]["Code"] != "ClientException"]
    assert refused
    assert {each["Error"]["Code"] for each in refused} == {"TooManyRequestsException"}
    assert {each["ResponseMetadata"]["HTTPStatusCode"] for each in refused} == {429}
    assert {each["Error"]["Message"] for each in refused} == {"Too Many Requests"}
    # Other calls go on.
    assert site.batch.describe_job_queues(jobQueues=[site.queue])["jobQueues"]
    if which == "submit_service_job":
        assert site.submit(site.define("true"))
