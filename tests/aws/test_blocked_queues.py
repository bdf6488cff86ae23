"""Queues that are held up: status reasons of their front (section C.7), and actions on it (section A2.9)."""

import pytest

from server import Server, wait_for
from site_under_test import Site, environment_resources, refusal, unique

CAPACITY = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
MAXIMUM = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
REQUIREMENT = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
MAXIMUM_TEXT = f"{MAXIMUM} - CE(s) associated with the job queue cannot meet the CPU requirement of the job."
REQUIREMENT_TEXT = (
    f"{REQUIREMENT} - The job resource requirement (vCPU/memory/GPU) is higher than that can be met by the CE(s) "
    "attached to the job queue."
)


def action(reason, seconds=600):
    return {"reason": reason, "state": "RUNNABLE", "maxTimeSeconds": seconds, "action": "CANCEL"}


@pytest.fixture
def small_queue(site):
    return site.make_queue(site.make_environment(computeResources=environment_resources(maxvCpus=2)))


@pytest.fixture
def hasty_site(tmp_path):
    """A server whose queues may act after a second."""
    server = Server(tmp_path / "data", limits_time_limit_seconds_min=1).start()
    yield Site(server)
    server.remove()


def reason_of(site, job, text):
    return wait_for(text, lambda: site.job(job).get("statusReason") == text)


def test_a_job_that_no_environment_can_hold_says_so_everywhere(site, small_queue):
    job = site.submit(site.define("true", properties={"vcpus": 3}), small_queue)
    behind = site.submit(site.define("true"), small_queue)
    reason_of(site, job, MAXIMUM_TEXT)
    assert site.job(job)["status"] == "RUNNABLE"
    listed = site.batch.list_jobs(jobQueue=small_queue, jobStatus="RUNNABLE")["jobSummaryList"]
    assert {each["jobId"]: each.get("statusReason") for each in listed} == {job: MAXIMUM_TEXT, behind: None}
    # A higher maximum lets it go, and takes the reason away.
    queue = site.batch.describe_job_queues(jobQueues=[small_queue])["jobQueues"][0]
    environment = queue["computeEnvironmentOrder"][0]["computeEnvironment"]
    site.batch.update_compute_environment(computeEnvironment=environment, computeResources={"maxvCpus": 4})
    assert site.ended(job)["statusReason"] == "Essential container in task exited"
    assert site.ended(behind)["status"] == "SUCCEEDED"


def test_children_say_so_one_after_the_other(site, small_queue):
    definition = site.define("true", properties={"memory": 1 << 30})
    array = site.submit(definition, small_queue, arrayProperties={"size": 3})
    reason_of(site, f"{array}:0", REQUIREMENT_TEXT)
    listed = site.batch.list_jobs(arrayJobId=array, jobStatus="RUNNABLE")["jobSummaryList"]
    assert [each.get("statusReason") for each in listed] == [REQUIREMENT_TEXT, None, None]
    site.batch.cancel_job(jobId=f"{array}:0", reason="too large")
    reason_of(site, f"{array}:1", REQUIREMENT_TEXT)
    site.batch.terminate_job(jobId=array, reason="too large")
    assert site.ended(array)["status"] == "FAILED"


def test_no_environment_takes_jobs(site):
    environment = site.make_environment()
    queue = site.make_queue(environment)
    site.batch.update_compute_environment(computeEnvironment=environment, state="DISABLED")
    job = site.submit(site.define("true"), queue)
    reason_of(site, job, "ACTION_REQUIRED - CE(s) associated with the job queue are invalid.")
    site.batch.update_compute_environment(computeEnvironment=environment, state="ENABLED")
    assert site.ended(job)["status"] == "SUCCEEDED"


def test_waiting_for_other_jobs_is_no_reason(site, small_queue, tmp_path):
    go = tmp_path / "go"
    first = site.submit(site.shell(f"until test -e {go}; do sleep 0.05; done", properties={"vcpus": 2}), small_queue)
    site.reached(first, "RUNNING")
    second = site.submit(site.define("true", properties={"vcpus": 2}), small_queue)
    assert site.job(second)["status"] == "RUNNABLE" and "statusReason" not in site.job(second)
    go.touch()
    assert site.ended(second)["status"] == "SUCCEEDED"


def test_the_action_cancels_the_front_and_the_next_job_goes_on(hasty_site):
    site = hasty_site
    environment = site.make_environment(computeResources=environment_resources(maxvCpus=2))
    actions = [action(MAXIMUM, 1), action(CAPACITY, 1)]
    queue = site.make_queue(environment, jobStateTimeLimitActions=actions)
    assert site.batch.describe_job_queues(jobQueues=[queue])["jobQueues"][0]["jobStateTimeLimitActions"] == actions
    stuck = site.submit(site.define("true", properties={"vcpus": 3}), queue)
    behind = site.submit(site.define("true"), queue)
    ended = site.ended(stuck)
    assert ended["status"] == "FAILED" and ended["isCancelled"] and "startedAt" not in ended
    assert ended["statusReason"] == f"Canceled by JobStateTimeLimit action due to reason: {MAXIMUM}"
    assert site.ended(behind)["status"] == "SUCCEEDED"


def test_the_time_counts_over_a_kill_of_the_server(hasty_site):
    site = hasty_site
    environment = site.make_environment(computeResources=environment_resources(maxvCpus=2))
    queue = site.make_queue(environment, jobStateTimeLimitActions=[action(MAXIMUM, 2)])
    stuck = site.submit(site.define("true", properties={"vcpus": 3}), queue)
    reason_of(site, stuck, MAXIMUM_TEXT)
    site.server.kill()
    site.server.start()
    site.connect()
    assert site.ended(stuck)["statusReason"].startswith("Canceled by JobStateTimeLimit action")


def test_actions_are_replaced_as_a_whole(site):
    queue = site.make_queue(jobStateTimeLimitActions=[action(MAXIMUM), action(REQUIREMENT, 86_400)])
    described = lambda: site.batch.describe_job_queues(jobQueues=[queue])["jobQueues"][0]["jobStateTimeLimitActions"]
    site.batch.update_job_queue(jobQueue=queue, priority=7)
    assert described() == [action(MAXIMUM), action(REQUIREMENT, 86_400)]
    site.batch.update_job_queue(jobQueue=queue, jobStateTimeLimitActions=[action(CAPACITY)])
    assert described() == [action(CAPACITY)]
    site.batch.update_job_queue(jobQueue=queue, jobStateTimeLimitActions=[])
    assert described() == []


@pytest.mark.parametrize("reason", ["ACTION_REQUIRED", "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS", "no capacity"])
def test_assumed_reasons_without_an_action_are_refused(site, reason):
    code, text = refusal(
        site.batch.create_job_queue,
        jobQueueName=unique("refused"),
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": site.environment}],
        jobStateTimeLimitActions=[action(reason)],
    )
    assert code == "ClientException"
    assert text == f"Invalid job state reason. Valid reasons: [{CAPACITY}, {MAXIMUM}, {REQUIREMENT}]"
