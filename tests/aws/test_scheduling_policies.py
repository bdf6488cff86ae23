"""Scheduling policies (section A.5), with boto3 and the AWS CLI."""

import pytest

from site_under_test import refusal, unique

FAIR = {
    "shareDecaySeconds": 3600,
    "computeReservation": 10,
    "shareDistribution": [
        {"shareIdentifier": "A*", "weightFactor": 0.1},
        {"shareIdentifier": "B", "weightFactor": 2.0},
        {"shareIdentifier": "C"},
    ],
}


@pytest.fixture
def policy(site):
    return site.batch.create_scheduling_policy(name=unique("policy"), fairsharePolicy=FAIR, tags={"of": "test"})


def described(site, arn):
    (found,) = site.batch.describe_scheduling_policies(arns=[arn])["schedulingPolicies"]
    return found


def test_life(site, policy):
    batch, arn = site.batch, policy["arn"]
    assert arn == site.make_arn("scheduling-policy", policy["name"])
    expected = {"name": policy["name"], "arn": arn, "fairsharePolicy": FAIR, "tags": {"of": "test"}}
    assert described(site, arn) == expected
    # What is given replaces the whole policy; tags are apart.
    new = {"shareDecaySeconds": 60, "shareDistribution": [{"shareIdentifier": "Z"}]}
    batch.update_scheduling_policy(arn=arn, fairsharePolicy=new)
    assert described(site, arn) == {**expected, "fairsharePolicy": new}
    batch.update_scheduling_policy(arn=arn)
    assert described(site, arn)["fairsharePolicy"] == new
    batch.delete_scheduling_policy(arn=arn)
    assert batch.describe_scheduling_policies(arns=[arn])["schedulingPolicies"] == []
    assert refusal(batch.update_scheduling_policy, arn=arn, fairsharePolicy=new) == (
        "ClientException",
        f"SchedulingPolicy {arn} not found.",
    )
    # Deleting what is not there succeeds.
    batch.delete_scheduling_policy(arn=arn)


def test_quota_share_policies_stay_such(site):
    batch = site.batch
    quota = {"idleResourceAssignmentStrategy": "FIFO"}
    arn = batch.create_scheduling_policy(name=unique("quota"), quotaSharePolicy=quota)["arn"]
    found = described(site, arn)
    assert found["quotaSharePolicy"] == quota and "fairsharePolicy" not in found
    code, text = refusal(batch.update_scheduling_policy, arn=arn, fairsharePolicy={})
    assert code == "ClientException" and "cannot be changed" in text
    order = [{"order": 1, "computeEnvironment": site.environment}]
    queue = {"jobQueueName": unique("queue"), "priority": 1, "computeEnvironmentOrder": order}
    assert refusal(batch.create_job_queue, schedulingPolicyArn=arn, **queue) == (
        "ClientException",
        "Quota Management feature is only supported for SageMaker Training job queues.",
    )


def test_lists_have_arns_only_and_pages(site):
    names = sorted(unique("listed") for _ in range(5))
    for name in names:
        site.batch.create_scheduling_policy(name=name, fairsharePolicy={})
    pages = site.batch.get_paginator("list_scheduling_policies").paginate(PaginationConfig={"PageSize": 2})
    items = [item for page in pages for item in page["schedulingPolicies"]]
    assert all(set(item) == {"arn"} for item in items)
    arns = [item["arn"] for item in items]
    assert len(arns) == len(set(arns))
    assert set(arns) >= {site.make_arn("scheduling-policy", name) for name in names}


def test_with_the_cli(site):
    name = unique("cli")
    made = site.aws(
        "batch", "create-scheduling-policy", "--name", name, "--fairshare-policy", "shareDecaySeconds=60"
    )
    shown = site.aws("batch", "describe-scheduling-policies", "--arns", made["arn"])
    assert shown["schedulingPolicies"][0]["fairsharePolicy"] == {"shareDecaySeconds": 60}
    site.aws("batch", "delete-scheduling-policy", "--arn", made["arn"])


@pytest.mark.parametrize(
    "policy, text",
    [
        (
            {"fairsharePolicy": {}, "quotaSharePolicy": {"idleResourceAssignmentStrategy": "FIFO"}},
            "A scheduling policy can have either fairsharePolicy or quotaSharePolicy",
        ),
        (
            {"fairsharePolicy": {"shareDistribution": [{"shareIdentifier": f"s{i}"} for i in range(501)]}},
            "ShareDistribution size cannot be greater than 500.",
        ),
        (
            {"fairsharePolicy": {"shareDistribution": [{"shareIdentifier": "a"}, {"shareIdentifier": "a"}]}},
            "Cannot have two or more identical shareIdentifiers.",
        ),
        (
            {"fairsharePolicy": {"shareDistribution": [{"shareIdentifier": "Ab"}, {"shareIdentifier": "A*"}]}},
            "Share identifier A* matches another share identifier Ab",
        ),
        (
            {"fairsharePolicy": {"shareDistribution": [{"shareIdentifier": "A*"}, {"shareIdentifier": "Ab*"}]}},
            "Share identifier A* matches another share identifier Ab*",
        ),
        *[
            (
                {"fairsharePolicy": {"shareDistribution": [{"shareIdentifier": "a", "weightFactor": weight}]}},
                "Weight factor should be between 0.0001 and 999.9999.",
            )
            for weight in (0.0, 0.00001, 1000.0, -1.0)
        ],
        *[
            (
                {"fairsharePolicy": {"shareDistribution": [{"shareIdentifier": identifier}]}},
                "ShareIdentifier name should match a valid pattern.",
            )
            for identifier in ("", "a b", "*", "a*b", "a" * 256)
        ],
        (
            {"quotaSharePolicy": {"idleResourceAssignmentStrategy": "LIFO"}},
            "Idle resource assignment strategy must be one of [FIFO].",
        ),
        *[
            ({"fairsharePolicy": {"shareDecaySeconds": seconds}}, "shareDecaySeconds should be between 0 and 604800.")
            for seconds in (-1, 604801)
        ],
        *[
            ({"fairsharePolicy": {"computeReservation": percent}}, "computeReservation should be between 0 and 99.")
            for percent in (-1, 100)
        ],
    ],
)
def test_refusals(site, policy, text):
    code, told = refusal(site.batch.create_scheduling_policy, name=unique("bad"), **policy)
    assert (code, told) == ("ClientException", text)


def test_bounds_are_allowed(site):
    shares = [{"shareIdentifier": "a", "weightFactor": 0.0001}, {"shareIdentifier": "b", "weightFactor": 999.9999}]
    policy = {"shareDecaySeconds": 604800, "computeReservation": 99, "shareDistribution": shares}
    arn = site.batch.create_scheduling_policy(name=unique("bounds"), fairsharePolicy=policy)["arn"]
    assert described(site, arn)["fairsharePolicy"] == policy


def test_names(site, policy):
    create = site.batch.create_scheduling_policy
    assert refusal(create, name=policy["name"], fairsharePolicy={}) == ("ClientException", "Object already exists")
    for name in ("", "a b", "a" * 129):
        code, text = refusal(create, name=name, fairsharePolicy={})
        assert (code, text) == ("ClientException", "Scheduling policy name should match a valid pattern.")


def test_queues_with_a_policy(site, policy):
    batch, arn = site.batch, policy["arn"]
    queue = site.make_queue(schedulingPolicyArn=arn)
    assert site.wait_queue(queue)["schedulingPolicyArn"] == arn
    code, text = refusal(batch.delete_scheduling_policy, arn=arn)
    assert (code, text) == ("ClientException", "Cannot delete, found existing JobQueue relationship")
    other = batch.create_scheduling_policy(name=unique("other"), fairsharePolicy={})["arn"]
    batch.update_job_queue(jobQueue=queue, schedulingPolicyArn=other)
    # An update without a policy leaves it.
    batch.update_job_queue(jobQueue=queue, priority=3)
    assert site.wait_queue(queue)["schedulingPolicyArn"] == other
    batch.delete_scheduling_policy(arn=arn)
    assert refusal(batch.update_job_queue, jobQueue=queue, schedulingPolicyArn=arn) == (
        "ClientException",
        f"SchedulingPolicy {arn} not found.",
    )
    for bad in (policy["name"], arn.replace("scheduling-policy", "job-queue")):
        assert refusal(batch.update_job_queue, jobQueue=queue, schedulingPolicyArn=bad) == (
            "ClientException",
            "Only scheduling policy Arn can be allowed.",
        )


def test_a_queue_without_a_policy_never_gets_one(site, policy):
    code, text = refusal(site.batch.update_job_queue, jobQueue=site.make_queue(), schedulingPolicyArn=policy["arn"])
    assert code == "ClientException"
    assert text == "A scheduling policy cannot be added to a job queue that was created without one."


def test_shares_of_jobs(site, policy):
    queue, definition = site.make_queue(schedulingPolicyArn=policy["arn"]), site.define("true", schedulingPriority=5)
    submit = {"jobName": "share", "jobDefinition": definition}
    onlybe = (
        "ClientException",
        "Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue with fair share scheduling policy.",
    )
    for members in ({"shareIdentifier": "red"}, {"schedulingPriorityOverride": 1}):
        assert refusal(site.batch.submit_job, jobQueue=site.queue, **submit, **members) == onlybe
    for members in ({}, {"schedulingPriorityOverride": 1}):
        code, text = refusal(site.batch.submit_job, jobQueue=queue, **submit, **members)
        assert code == "ClientException" and text.startswith("shareIdentifier is required for jobs in JobQueue")
    code, text = refusal(site.batch.submit_job, jobQueue=queue, shareIdentifier="a b", **submit)
    assert (code, text) == ("ClientException", "ShareIdentifier name should match a valid pattern.")
    code, text = refusal(
        site.batch.submit_job, jobQueue=queue, shareIdentifier="a", schedulingPriorityOverride=10_000, **submit
    )
    assert (code, text) == ("ClientException", "Scheduling priority must be between 0 and 9999.")
    red = site.submit(definition, queue, shareIdentifier="red")
    blue = site.submit(definition, queue, shareIdentifier="blue", schedulingPriorityOverride=9999)
    assert (site.job(red)["shareIdentifier"], site.job(red)["schedulingPriority"]) == ("red", 5)
    assert (site.job(blue)["shareIdentifier"], site.job(blue)["schedulingPriority"]) == ("blue", 9999)
    for job in (red, blue):
        assert site.ended(job)["status"] == "SUCCEEDED"
    filters = [{"name": "SHARE_IDENTIFIER", "values": ["red"]}]
    (found,) = site.batch.list_jobs(jobQueue=queue, filters=filters)["jobSummaryList"]
    assert (found["jobId"], found["shareIdentifier"]) == (red, "red")
    # This filter alone combines with a state.
    assert site.batch.list_jobs(jobQueue=queue, filters=filters, jobStatus="FAILED")["jobSummaryList"] == []
    assert site.batch.list_jobs(jobQueue=queue, filters=filters, jobStatus="SUCCEEDED")["jobSummaryList"] == [found]


def test_tags(site, policy):
    arn = policy["arn"]
    site.batch.tag_resource(resourceArn=arn, tags={"more": "1"})
    assert site.batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"of": "test", "more": "1"}
    site.batch.untag_resource(resourceArn=arn, tagKeys=["of"])
    assert described(site, arn)["tags"] == {"more": "1"}
    missing = site.make_arn("scheduling-policy", "none")
    assert refusal(site.batch.list_tags_for_resource, resourceArn=missing)[0] == "ClientException"
