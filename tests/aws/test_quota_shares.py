"""Quota shares of queues of service jobs."""

import pytest

from site_under_test import unique
from test_containers import image
from test_scheduling import explained
from test_service_environments import limits, refusal
from test_service_jobs import Training, document

__all__ = ["image"]

UNIT = "ml.m5.large"
CLIENT = "ClientException"
SHARING = {"strategy": "RESERVE"}
PREEMPTION = {"inSharePreemption": "DISABLED"}


@pytest.fixture(scope="module")
def training(site):
    return Training(site)


@pytest.fixture(scope="module")
def policy(site):
    made = site.batch.create_scheduling_policy(
        name=unique("quota"), quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"}
    )
    return made["arn"]


@pytest.fixture(scope="module")
def queue(training, policy):
    """A queue whose environment has no room, so that its jobs stay RUNNABLE."""
    return training.make_queue((UNIT, 1), schedulingPolicyArn=policy)


def request(queue, **more):
    return {
        "quotaShareName": unique("share"),
        "jobQueue": queue,
        "capacityLimits": limits((UNIT, 2)),
        "resourceSharingConfiguration": SHARING,
        "preemptionConfiguration": PREEMPTION,
        **more,
    }


def create(site, queue, **more):
    return site.batch.create_quota_share(**request(queue, **more))["quotaShareArn"]


def described(site, arn):
    shown = site.batch.describe_quota_share(quotaShareArn=arn)
    del shown["ResponseMetadata"]
    return shown


def remove(site, arn):
    site.batch.update_quota_share(quotaShareArn=arn, state="DISABLED")
    site.batch.delete_quota_share(quotaShareArn=arn)


def test_life(site, queue):
    name = unique("share")
    made = site.batch.create_quota_share(
        **request(
            queue,
            quotaShareName=name,
            resourceSharingConfiguration={"strategy": "LEND_AND_BORROW", "borrowLimit": 50},
            preemptionConfiguration={"inSharePreemption": "ENABLED"},
            tags={"a": "b"},
        )
    )
    arn = f"{site.make_arn('job-queue', queue)}/quota-share/{name}"
    assert (made["quotaShareName"], made["quotaShareArn"]) == (name, arn)
    expected = {
        "quotaShareName": name,
        "quotaShareArn": arn,
        "jobQueueArn": site.make_arn("job-queue", queue),
        "capacityLimits": limits((UNIT, 2)),
        "resourceSharingConfiguration": {"strategy": "LEND_AND_BORROW", "borrowLimit": 50},
        "preemptionConfiguration": {"inSharePreemption": "ENABLED"},
        "state": "ENABLED",
        "status": "VALID",
        "tags": {"a": "b"},
    }
    assert described(site, arn) == expected
    assert refusal(site.batch.create_quota_share, **request(queue, quotaShareName=name)) == (
        CLIENT,
        "Object already exists",
    )
    updated = site.batch.update_quota_share(
        quotaShareArn=arn,
        capacityLimits=limits(("ml.m5.xlarge", 0)),
        resourceSharingConfiguration={"strategy": "LEND"},
    )
    assert (updated["quotaShareName"], updated["quotaShareArn"]) == (name, arn)
    changed = {
        **expected,
        "capacityLimits": limits(("ml.m5.xlarge", 0)),
        "resourceSharingConfiguration": {"strategy": "LEND"},
    }
    assert described(site, arn) == changed
    code, text = refusal(site.batch.delete_quota_share, quotaShareArn=arn)
    assert (code, text) == (CLIENT, "Cannot delete, state must be DISABLED")
    remove(site, arn)
    assert refusal(site.batch.describe_quota_share, quotaShareArn=arn) == (CLIENT, f"QuotaShare {arn} not found.")
    # Gone is gone.
    site.batch.delete_quota_share(quotaShareArn=arn)


def test_borrowing_without_a_limit(site, queue):
    for given in ({}, {"borrowLimit": -1}):
        arn = create(site, queue, resourceSharingConfiguration={"strategy": "LEND_AND_BORROW", **given})
        shown = described(site, arn)["resourceSharingConfiguration"]
        assert shown == {"strategy": "LEND_AND_BORROW", "borrowLimit": -1}
        remove(site, arn)


@pytest.mark.parametrize(
    "member, given, text",
    [
        ("capacityLimits", [], "Capacitylimits are required."),
        (
            "capacityLimits",
            limits(*[(f"ml.m5.{size}", 1) for size in range(6)]),
            "Number of capacity limits exceeds 5.",
        ),
        ("capacityLimits", limits((UNIT, -1)), "Max capacity must not be negative."),
        ("capacityLimits", limits(("NUM_INSTANCES", 1)), "NUM_INSTANCES is unknown capacity unit"),
        ("capacityLimits", limits((UNIT, 1), (UNIT, 1)), f"Capacity unit {UNIT} is given more than once."),
        (
            "resourceSharingConfiguration",
            {"strategy": "LEND", "borrowLimit": 1},
            "borrowLimit is only applicable for strategy LEND_AND_BORROW.",
        ),
        (
            "resourceSharingConfiguration",
            {"strategy": "LEND_AND_BORROW", "borrowLimit": -2},
            "borrowLimit must be at least -1.",
        ),
    ],
)
def test_refusals(site, queue, member, given, text):
    assert refusal(site.batch.create_quota_share, **request(queue, **{member: given})) == (CLIENT, text)
    arn = create(site, queue)
    assert refusal(site.batch.update_quota_share, quotaShareArn=arn, **{member: given}) == (CLIENT, text)
    remove(site, arn)


def test_names_and_queues(site, training, queue):
    for name in ("", "a b", "a" * 129):
        code, text = refusal(site.batch.create_quota_share, **request(queue, quotaShareName=name))
        assert (code, text) == (CLIENT, "Quota share name should match a valid pattern.")
    assert refusal(site.batch.create_quota_share, **request("none")) == (CLIENT, "JobQueue none not found.")
    for other in (site.queue, training.queue):
        assert refusal(site.batch.create_quota_share, **request(other)) == (
            CLIENT,
            f"JobQueue {other} has no scheduling policy with a quotaSharePolicy.",
        )
    for bad in ("none", site.make_arn("job-queue", queue), f"{site.make_arn('job-queue', queue)}/quota-share/none"):
        assert refusal(site.batch.update_quota_share, quotaShareArn=bad) == (CLIENT, f"QuotaShare {bad} not found.")


def test_lists_have_no_tags_and_page(site, training, policy):
    queue = training.make_queue(schedulingPolicyArn=policy)
    arns = sorted(create(site, queue, tags={"a": "b"}) for _ in range(5))
    pages = site.batch.get_paginator("list_quota_shares").paginate(
        jobQueue=queue, PaginationConfig={"PageSize": 2}
    )
    items = [item for page in pages for item in page["quotaShares"]]
    assert [item["quotaShareArn"] for item in items] == arns
    assert not any("tags" in item for item in items)
    assert all({**described(site, item["quotaShareArn"]), "tags": None} == {**item, "tags": None} for item in items)
    assert refusal(site.batch.list_quota_shares, jobQueue="none") == (CLIENT, "JobQueue none not found.")


def test_twenty_shares_per_queue(site, training, policy):
    queue = training.make_queue(schedulingPolicyArn=policy)
    for _ in range(20):
        create(site, queue)
    assert refusal(site.batch.create_quota_share, **request(queue)) == (CLIENT, "Limit of 20 reached.")


def test_tags(site, queue):
    arn = create(site, queue, tags={"of": "test"})
    site.batch.tag_resource(resourceArn=arn, tags={"more": "1"})
    assert site.batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"of": "test", "more": "1"}
    site.batch.untag_resource(resourceArn=arn, tagKeys=["of"])
    assert described(site, arn)["tags"] == {"more": "1"}
    remove(site, arn)
    assert refusal(site.batch.list_tags_for_resource, resourceArn=arn)[0] == CLIENT


def test_queues_with_quota_shares(site, training, policy, queue):
    batch = site.batch
    compute = [{"order": 1, "computeEnvironment": site.environment}]
    only = "Quota Management feature is only supported for SageMaker Training job queues."
    base = {"jobQueueName": unique("q"), "priority": 1, "schedulingPolicyArn": policy}
    assert refusal(batch.create_job_queue, computeEnvironmentOrder=compute, **base) == (CLIENT, only)
    counted = [{"order": 1, "serviceEnvironment": training.make_environment(("NUM_INSTANCES", 1))}]
    assert refusal(batch.create_job_queue, serviceEnvironmentOrder=counted, **base) == (
        CLIENT,
        "A job queue with a quotaSharePolicy needs a service environment with capacity limits by instance type.",
    )
    (taken,) = site.wait_queue(queue)["serviceEnvironmentOrder"]
    for more in ({}, {"schedulingPolicyArn": policy}):
        request_ = {"jobQueueName": unique("q"), "priority": 1, "serviceEnvironmentOrder": [taken], **more}
        code, text = refusal(batch.create_job_queue, **request_)
        name = taken["serviceEnvironment"].rsplit("/", 1)[1]
        assert code == CLIENT
        assert text.startswith(f"ServiceEnvironment {name} cannot be shared with JobQueue {queue}: ")


def test_jobs_of_shares(site, training, queue):
    assert training.refusal(queue=queue) == (
        f"quotaShareName is required for service jobs in JobQueue {queue}, which has a quota share policy."
    )
    assert training.refusal(queue=queue, quotaShareName="none") == "QuotaShare none not found."
    assert training.refusal(queue=queue, quotaShareName="a b") == "QuotaShare a b not found."
    off = create(site, queue, state="DISABLED").rsplit("/", 1)[1]
    text = training.refusal(queue=queue, quotaShareName=off)
    assert text == f"QuotaShare {off} is DISABLED and accepts no jobs."
    arn = create(site, queue)
    share = arn.rsplit("/", 1)[1]
    assert training.refusal(quotaShareName=share) == (
        "Service jobs with quotaShareName can only be submitted to a job queue with a quota share policy, "
        f"not to JobQueue {training.queue}."
    )
    # A type that the environment has not: they stay RUNNABLE.
    big = document(instance="ml.m5.24xlarge")
    jobs = [
        training.submit(
            payload=big,
            queue=queue,
            quotaShareName=share,
            preemptionConfiguration={"preemptionRetriesBeforeTermination": 3},
        )
        for _ in range(2)
    ]
    shown = training.job(jobs[0])
    assert (shown["quotaShareName"], shown["status"]) == (share, "RUNNABLE")
    assert shown["preemptionConfiguration"] == {"preemptionRetriesBeforeTermination": 3}
    filters = [{"name": "QUOTA_SHARE_NAME", "values": [share]}]
    found = site.batch.list_service_jobs(jobQueue=queue, filters=filters)["jobSummaryList"]
    assert [(each["jobId"], each["quotaShareName"]) for each in found] == [(job, share) for job in jobs[::-1]]
    # This filter combines with a state.
    for status, count in (("RUNNABLE", 2), ("RUNNING", 0)):
        found = site.batch.list_service_jobs(jobQueue=queue, filters=filters, jobStatus=status)
        assert len(found["jobSummaryList"]) == count
    site.batch.terminate_service_jobs(jobs=jobs, reason="done")
    for job in jobs:
        training.ended(job)
    remove(site, arn)


def test_assumed_a_deleted_share_ends_its_jobs(site, training, queue):
    arn = create(site, queue)
    share = arn.rsplit("/", 1)[1]
    big = document(instance="ml.m5.24xlarge")
    jobs = [training.submit(payload=big, queue=queue, quotaShareName=share) for _ in range(2)]
    remove(site, arn)
    for job in jobs:
        ended = training.ended(job)
        assert (ended["status"], ended["statusReason"]) == ("FAILED", "Quota share was deleted")


def test_shares_go_with_their_queue(site, training, policy):
    queue = training.make_queue(schedulingPolicyArn=policy)
    arn = create(site, queue)
    site.batch.update_job_queue(jobQueue=queue, state="DISABLED")
    site.batch.delete_job_queue(jobQueue=queue)
    assert refusal(site.batch.describe_quota_share, quotaShareArn=arn) == (CLIENT, f"QuotaShare {arn} not found.")


@pytest.fixture
def shared(site, training, policy, image):
    """A queue on four instances with three shares: `own` has two and lends, `guest` has none and borrows, `kept` has two for itself."""
    queue = training.make_queue((UNIT, 4), schedulingPolicyArn=policy)
    sharing = {
        "own": (2, {"strategy": "LEND"}, "ENABLED"),
        "guest": (0, {"strategy": "LEND_AND_BORROW"}, "DISABLED"),
        "kept": (2, {"strategy": "RESERVE"}, "DISABLED"),
    }
    for name, (count, strategy, preemption) in sharing.items():
        create(
            site,
            queue,
            quotaShareName=name,
            capacityLimits=limits((UNIT, count)),
            resourceSharingConfiguration=strategy,
            preemptionConfiguration={"inSharePreemption": preemption},
        )
    yield queue
    site.batch.update_job_queue(jobQueue=queue, state="DISABLED")
    site.batch.delete_job_queue(jobQueue=queue)


# It ends when it is asked to, at once.
UNTIL_STOPPED = "trap 'exit 3' TERM; sleep 600 & wait"


def test_borrowed_capacity_is_given_back(site, training, shared):
    def submit(share, script=UNTIL_STOPPED, **more):
        return training.submit(script, queue=shared, quotaShareName=share, **more)

    guests = []
    for _ in range(2):
        guests.append(submit("guest"))
        training.reached(guests[-1], "RUNNING")
    # What `kept` has is not lent, and `own` has lent all.
    waiting = submit("guest")
    assert training.job(waiting)["status"] == "RUNNABLE"
    snapshot = site.batch.get_job_queue_snapshot(jobQueue=shared)
    assert list(snapshot["frontOfQuotaShares"]["quotaShares"]) == ["guest"]
    used = snapshot["queueUtilization"]["quotaShareUtilization"]["topCapacityUtilization"]
    assert used == [{"quotaShareName": "guest", "capacityUsage": [{"capacityUnit": UNIT, "quantity": 2.0}]}]
    assert explained(site, waiting)["reasons"] == [
        {
            "kind": "quotaShare",
            "quotaShare": "guest",
            "capacityUnit": UNIT,
            "quantity": 1,
            "limit": 0,
            "used": 2,
            "ownFree": 0,
            "idle": 0,
        }
    ]

    owner = submit("own", script="true")
    assert training.ended(owner)["status"] == "SUCCEEDED"
    reason = "Cross-share preemption triggered to reclaim borrowed capacity"
    # The one that had run for the shorter time gave way, and runs again.
    again = training.reached(guests[1], "RUNNING")
    assert again["attempts"] == []
    summary = again["preemptionSummary"]
    assert summary["preemptedAttemptCount"] == 1
    (attempt,) = summary["recentPreemptedAttempts"]
    assert attempt["statusReason"] == reason
    assert attempt["serviceResourceId"] != again["latestAttempt"]["serviceResourceId"]
    assert "preemptionSummary" not in training.job(guests[0])


def test_a_job_of_higher_priority_goes_first_in_its_share(site, training, shared):
    def submit(priority, script=UNTIL_STOPPED, **more):
        return training.submit(
            script, queue=shared, quotaShareName="own", schedulingPriority=priority, **more
        )

    never = {"preemptionConfiguration": {"preemptionRetriesBeforeTermination": 0}}
    low, high = submit(1, **never), submit(5)
    for job in (low, high):
        training.reached(job, "RUNNING")
    assert training.ended(submit(9, script="true"))["status"] == "SUCCEEDED"
    ended = training.ended(low)
    reason = "In-share preemption triggered by a job of higher priority"
    assert (ended["status"], ended["statusReason"]) == ("FAILED", reason)
    assert training.job(high)["status"] == "RUNNING"


def test_a_job_over_its_shares_limit_says_so(site, training, policy):
    queue = training.make_queue((UNIT, 4), schedulingPolicyArn=policy)
    create(site, queue, quotaShareName="small", capacityLimits=limits((UNIT, 0)))
    job = training.submit(queue=queue, quotaShareName="small")
    shown = training.job(job)
    assert shown["status"] == "RUNNABLE"
    assert shown["statusReason"].startswith("MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED - ")
    site.batch.terminate_service_job(jobId=job, reason="enough")
