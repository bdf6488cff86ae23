"""Service environments, and the queues that have one."""

import pytest
from botocore.exceptions import ClientError

from site_under_test import unique

UNIT = "ml.m5.large"
VALID_ONLY = "Service environments must be created and valid before attaching them to a job queue."


def refusal(call, **request):
    with pytest.raises(ClientError) as refused:
        call(**request)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def limits(*pairs):
    return [{"capacityUnit": unit, "maxCapacity": count} for unit, count in pairs or [(UNIT, 2)]]


def create(site, name=None, **request):
    name = name or unique("se")
    request = {"capacityLimits": limits(), "serviceEnvironmentType": "SAGEMAKER_TRAINING", **request}
    site.batch.create_service_environment(serviceEnvironmentName=name, **request)
    return name


def remove(site, name):
    site.batch.update_service_environment(serviceEnvironment=name, state="DISABLED")
    site.batch.delete_service_environment(serviceEnvironment=name)


@pytest.fixture
def environment(site):
    """An environment that goes with the test: an account has 50."""
    name = create(site, tags={"of": "test"})
    yield name
    remove(site, name)


def described(site, *names):
    return site.batch.describe_service_environments(serviceEnvironments=list(names))["serviceEnvironments"]


def queue_request(environment, **more):
    order = [{"order": 1, "serviceEnvironment": environment}]
    return {"jobQueueName": unique("training"), "priority": 1, "serviceEnvironmentOrder": order, **more}


def make_queue(site, environment, **more):
    request = queue_request(environment, **more)
    site.batch.create_job_queue(**request)
    return request["jobQueueName"]


def remove_queue(site, queue):
    site.batch.update_job_queue(jobQueue=queue, state="DISABLED")
    site.batch.delete_job_queue(jobQueue=queue)


def test_life(site):
    name = unique("se")
    made = site.batch.create_service_environment(
        serviceEnvironmentName=name,
        serviceEnvironmentType="SAGEMAKER_TRAINING",
        capacityLimits=limits(("ml.m5.large", 2), ("ml.g4dn.xlarge", 1)),
        tags={"a": "b"},
    )
    arn = site.make_arn("service-environment", name)
    assert (made["serviceEnvironmentName"], made["serviceEnvironmentArn"]) == (name, arn)
    expected = {
        "serviceEnvironmentName": name,
        "serviceEnvironmentArn": arn,
        "serviceEnvironmentType": "SAGEMAKER_TRAINING",
        "capacityLimits": limits(("ml.m5.large", 2), ("ml.g4dn.xlarge", 1)),
        "state": "ENABLED",
        "status": "VALID",
        "tags": {"a": "b"},
    }
    assert described(site, name) == described(site, arn) == [expected]
    updated = site.batch.update_service_environment(
        serviceEnvironment=arn, capacityLimits=limits(("NUM_INSTANCES", 3)), state="DISABLED"
    )
    assert (updated["serviceEnvironmentName"], updated["serviceEnvironmentArn"]) == (name, arn)
    changed = {**expected, "capacityLimits": limits(("NUM_INSTANCES", 3)), "state": "DISABLED"}
    assert described(site, name) == [changed]
    site.batch.update_service_environment(serviceEnvironment=name, state="ENABLED")
    code, text = refusal(site.batch.delete_service_environment, serviceEnvironment=name)
    assert (code, text) == ("ClientException", "Cannot delete, state must be DISABLED")
    remove(site, name)
    assert described(site, name) == []
    # Gone is gone.
    site.batch.delete_service_environment(serviceEnvironment=name)


@pytest.mark.parametrize(
    "given, text",
    [
        ([], "Capacitylimits are required."),
        (limits(*[(f"ml.m5.{size}", 1) for size in range(6)]), "Number of capacity limits exceeds 5."),
        (limits((UNIT, 0)), "Max capacity must be more than 0."),
        (limits((UNIT, -1)), "Max capacity must be more than 0."),
        ([{"capacityUnit": UNIT}], "Max capacity must be more than 0."),
        (limits(("m5.large", 1)), "m5.large is unknown capacity unit"),
        (limits(("ml.none.large", 1)), "ml.none.large is unknown capacity unit"),
        (
            limits(("NUM_INSTANCES", 1), (UNIT, 1)),
            "Capacity units must specify either number of instances OR instance type",
        ),
        (limits((UNIT, 1), (UNIT, 2)), f"Capacity unit {UNIT} is given more than once."),
    ],
)
def test_limits_are_checked(site, environment, given, text):
    request = {"serviceEnvironmentType": "SAGEMAKER_TRAINING", "capacityLimits": given}
    create_ = site.batch.create_service_environment
    assert refusal(create_, serviceEnvironmentName=unique("se"), **request) == ("ClientException", text)
    update = site.batch.update_service_environment
    assert refusal(update, serviceEnvironment=environment, capacityLimits=given) == ("ClientException", text)


def test_names(site, environment):
    request = {"serviceEnvironmentType": "SAGEMAKER_TRAINING", "capacityLimits": limits()}
    for name in ("", "a b", "a/b", "service-environment/a", "a" * 129):
        code, text = refusal(site.batch.create_service_environment, serviceEnvironmentName=name, **request)
        assert (code, text) == ("ClientException", "Service environment name should match a valid pattern.")
    code, text = refusal(site.batch.create_service_environment, serviceEnvironmentName=environment, **request)
    assert (code, text) == ("ClientException", "Object already exists")
    code, text = refusal(site.batch.update_service_environment, serviceEnvironment="none")
    assert (code, text) == ("ClientException", "ServiceEnvironment none not found.")


def test_compute_environments_are_named_apart(site, environment):
    request = {"type": "UNMANAGED", "computeEnvironmentName": environment}
    site.batch.create_compute_environment(**request)
    try:
        describe = site.batch.describe_compute_environments
        (compute,) = describe(computeEnvironments=[environment])["computeEnvironments"]
        assert compute["computeEnvironmentArn"] == site.make_arn("compute-environment", environment)
        arn = site.make_arn("service-environment", environment)
        for reference in (arn, f"service-environment/{environment}"):
            assert describe(computeEnvironments=[reference])["computeEnvironments"] == []
        assert described(site, site.make_arn("compute-environment", environment)) == []
        names = [each["computeEnvironmentName"] for each in describe()["computeEnvironments"]]
        assert names.count(environment) == 1 and not any("/" in name for name in names)
    finally:
        site.batch.update_compute_environment(computeEnvironment=environment, state="DISABLED")
        site.batch.delete_compute_environment(computeEnvironment=environment)
    assert described(site, environment)


def test_pages(site):
    names = sorted(create(site, state="DISABLED") for _ in range(5))
    pages = site.batch.get_paginator("describe_service_environments").paginate(PaginationConfig={"PageSize": 2})
    found = [each["serviceEnvironmentName"] for page in pages for each in page["serviceEnvironments"]]
    assert found == sorted(found) and set(found) >= set(names) and len(found) == len(set(found))
    assert [each["serviceEnvironmentName"] for each in described(site, *reversed(names), "none")] == names[::-1]
    for name in names:
        site.batch.delete_service_environment(serviceEnvironment=name)


def test_tags(site, environment):
    arn = site.make_arn("service-environment", environment)
    site.batch.tag_resource(resourceArn=arn, tags={"more": "1"})
    assert site.batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"of": "test", "more": "1"}
    site.batch.untag_resource(resourceArn=arn, tagKeys=["of"])
    assert described(site, environment)[0]["tags"] == {"more": "1"}
    assert refusal(site.batch.list_tags_for_resource, resourceArn=arn + "x")[0] == "ClientException"


def test_with_the_cli(site):
    name = unique("cli")
    site.aws(
        "batch", "create-service-environment", "--service-environment-name", name,
        "--service-environment-type", "SAGEMAKER_TRAINING",
        "--capacity-limits", "capacityUnit=NUM_INSTANCES,maxCapacity=4",
    )  # fmt: skip
    shown = site.aws("batch", "describe-service-environments", "--service-environments", name)
    (found,) = shown["serviceEnvironments"]
    assert found["capacityLimits"] == limits(("NUM_INSTANCES", 4))
    remove(site, name)


def test_a_queue_of_service_jobs(site, environment):
    arn = site.make_arn("service-environment", environment)
    queue = make_queue(site, arn, jobQueueType="SAGEMAKER_TRAINING")
    found = site.wait_queue(queue)
    assert found["computeEnvironmentOrder"] == []
    assert found["serviceEnvironmentOrder"] == [{"order": 1, "serviceEnvironment": arn}]
    assert found["jobQueueType"] == "SAGEMAKER_TRAINING"
    site.batch.update_service_environment(serviceEnvironment=environment, state="DISABLED")
    code, text = refusal(site.batch.delete_service_environment, serviceEnvironment=environment)
    assert (code, text) == ("ClientException", "Cannot delete, found existing JobQueue relationship")
    other = create(site)
    order = [{"order": 5, "serviceEnvironment": other}]
    site.batch.update_job_queue(jobQueue=queue, serviceEnvironmentOrder=order)
    (changed,) = site.wait_queue(queue)["serviceEnvironmentOrder"]
    assert changed == {"order": 5, "serviceEnvironment": site.make_arn("service-environment", other)}
    # The type follows from the environment.
    natural = make_queue(site, other)
    assert site.wait_queue(natural)["jobQueueType"] == "SAGEMAKER_TRAINING"
    for each in (queue, natural):
        remove_queue(site, each)
    remove(site, other)


def test_queues_are_checked(site, environment):
    create_ = site.batch.create_job_queue
    queue = make_queue(site, environment)
    compute = [{"order": 1, "computeEnvironment": site.environment}]
    entry = {"order": 1, "serviceEnvironment": environment}
    request = queue_request(environment)
    only_one = "Job queue can only have 1 service environment."
    cases = [
        (
            {**request, "jobQueueType": "ECS"},
            "The jobQueueType provided is ECS, which is incompatible with the provided serviceEnvironmentOrder.",
        ),
        ({**request, "serviceEnvironmentOrder": [entry, {**entry, "order": 2}]}, only_one),
        (queue_request("none"), VALID_ONLY),
        (queue_request(site.environment), VALID_ONLY),
        (
            {**request, "computeEnvironmentOrder": compute},
            "Only one of computeEnvironmentOrder and serviceEnvironmentOrder can be given.",
        ),
        ({**request, "serviceEnvironmentOrder": []}, "computeEnvironmentOrder is required."),
        *[
            (
                {**request, "serviceEnvironmentOrder": [], "jobQueueType": "SAGEMAKER_TRAINING", **more},
                "Job queues of type SAGEMAKER_TRAINING must have serviceEnvironmentOrder.",
            )
            for more in ({}, {"computeEnvironmentOrder": compute})
        ],
        (
            {
                **request,
                "jobStateTimeLimitActions": [
                    {"reason": "x", "state": "RUNNABLE", "maxTimeSeconds": 600, "action": "CANCEL"}
                ],
            },
            "Invalid job action. Valid job actions: [TERMINATE]",
        ),
    ]
    for bad, text in cases:
        assert refusal(create_, **bad) == ("ClientException", text)
    update = site.batch.update_job_queue
    other_kind = "A job queue cannot change between computeEnvironmentOrder and serviceEnvironmentOrder."
    assert refusal(update, jobQueue=queue, computeEnvironmentOrder=compute) == ("ClientException", other_kind)
    assert refusal(update, jobQueue=site.queue, serviceEnvironmentOrder=[entry]) == ("ClientException", other_kind)
    for order, text in (([], only_one), ([{"order": 1, "serviceEnvironment": "none"}], VALID_ONLY)):
        assert refusal(update, jobQueue=queue, serviceEnvironmentOrder=order) == ("ClientException", text)
    remove_queue(site, queue)
