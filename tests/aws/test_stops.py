"""How jobs are stopped: in every state, by time, by force, and with their host (sections B.7, B.8, F.6)."""

import pytest

from site_under_test import environment_resources

TIMED_OUT = "Job attempt duration exceeded timeout"
TRAPPED = "trap 'exit 5' TERM; while :; do sleep 0.05; done"
STUBBORN = "trap '' TERM; while :; do sleep 0.05; done"


@pytest.fixture(scope="module")
def slow(site):
    """What takes a minute, or half of one, all at the same time."""
    timeout = {"timeout": {"attemptDurationSeconds": 60}, "retryStrategy": {"attempts": 3}}
    jobs = {
        "overlong": site.submit(site.shell(TRAPPED, **timeout)),
        "array": site.submit(site.shell("[ $AWS_BATCH_JOB_ARRAY_INDEX = 0 ] || exec sleep 600", **timeout),
                             arrayProperties={"size": 2}),
        "twice": site.submit(site.shell("sleep 31; [ $AWS_BATCH_JOB_ATTEMPT = 2 ]", **timeout)),
        "stubborn": site.submit(site.shell(STUBBORN)),
    }
    site.reached(jobs["stubborn"], "RUNNING")
    site.batch.terminate_job(jobId=jobs["stubborn"], reason="enough")
    return jobs


@pytest.fixture(scope="module")
def waiting_room(site):
    """An environment whose queues' jobs of 60 vCPUs wait for ever: the host plays 16."""
    return site.make_environment()


def test_a_job_without_dependencies_is_never_pending(site, waiting_room):
    queue = site.make_queue(waiting_room)
    big = site.define("true", properties={"vcpus": 60})
    job = site.submit(big, queue)
    # The very next look, and whatever is listed: it went past PENDING.
    assert site.job(job)["status"] == "RUNNABLE"
    after = site.submit(big, queue, dependsOn=[{"jobId": job}])
    assert site.job(after)["status"] == "PENDING"
    listed = lambda status: [
        each["jobId"] for each in site.batch.list_jobs(jobQueue=queue, jobStatus=status)["jobSummaryList"]
    ]
    assert (listed("PENDING"), listed("RUNNABLE"), listed("SUBMITTED")) == ([after], [job], [])
    site.batch.terminate_jobs(jobs=[job, after], reason="enough")


@pytest.mark.parametrize("operation, flag", [("cancel_job", "isCancelled"), ("terminate_job", "isTerminated")])
def test_an_array_that_waits_is_stopped_child_by_child(site, waiting_room, operation, flag):
    queue, call = site.make_queue(waiting_room), getattr(site.batch, operation)
    array = site.submit(site.define("true", properties={"vcpus": 60}), queue, arrayProperties={"size": 3})
    call(jobId=f"{array}:1", reason="one of them")
    child = site.ended(f"{array}:1")
    assert (child["status"], child["statusReason"], child[flag]) == ("FAILED", "one of them", True)
    assert site.job(array)["status"] == "PENDING" and site.job(f"{array}:0")["status"] == "RUNNABLE"
    call(jobId=array, reason="all of them")
    assert site.ended(array)["status"] == "FAILED"
    assert [site.job(f"{array}:{index}")["statusReason"] for index in range(3)] == [
        "all of them",
        "one of them",
        "all of them",
    ]


def test_cancelling_an_array_leaves_the_children_that_run(site, tmp_path):
    queue = site.make_queue(site.make_environment(computeResources=environment_resources(maxvCpus=1)))
    gate = tmp_path / "gate"
    array = site.submit(
        site.shell(f"until test -e {gate}; do sleep 0.05; done"), queue, arrayProperties={"size": 3}
    )
    site.reached(f"{array}:0", "RUNNING")
    site.batch.cancel_job(jobId=array, reason="not needed")
    assert site.ended(f"{array}:2")["statusReason"] == "not needed"
    assert (site.job(array)["status"], site.job(f"{array}:0")["status"]) == ("PENDING", "RUNNING")
    gate.touch()
    assert site.ended(array)["status"] == "FAILED"
    assert site.job(f"{array}:0")["status"] == "SUCCEEDED"


def test_a_job_whose_host_goes_is_tried_elsewhere(site):
    """What every workflow tool asks for: again if the host was lost, not if the job failed."""
    first, second = (site.make_environment() for _ in range(2))
    queue = site.make_queue(first)
    rules = [{"action": "RETRY", "onStatusReason": "Host EC2*"}, {"action": "EXIT", "onReason": "*"}]
    script = f"[ $AWS_BATCH_JOB_ATTEMPT = 1 ] || exit 3; {TRAPPED}"
    job = site.submit(site.shell(script), queue, retryStrategy={"attempts": 5, "evaluateOnExit": rules})
    site.reached(job, "RUNNING")
    order = [{"order": 1, "computeEnvironment": second}]
    site.batch.update_job_queue(jobQueue=queue, computeEnvironmentOrder=order)
    site.batch.update_compute_environment(computeEnvironment=first, state="DISABLED")
    site.batch.delete_compute_environment(computeEnvironment=first)
    ended = site.ended(job)
    lost, failed = ended["attempts"]
    assert lost["statusReason"].startswith("Host EC2 (instance i-") and lost["statusReason"].endswith(") terminated.")
    assert (failed["statusReason"], failed["container"]["exitCode"]) == ("Essential container in task exited", 3)
    assert ended["status"] == "FAILED"


def test_who_does_not_stop_is_killed_after_half_a_minute(site, slow):
    ended = site.ended(slow["stubborn"], seconds=90)
    assert (ended["status"], ended["statusReason"], ended["container"]["exitCode"]) == ("FAILED", "enough", 137)
    assert ended["isTerminated"] is True
    assert 30_000 <= ended["stoppedAt"] - ended["startedAt"] < 60_000


def test_a_timeout_ends_the_job_whatever_attempts_are_left(site, slow):
    ended = site.ended(slow["overlong"], seconds=120)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", TIMED_OUT)
    (attempt,) = ended["attempts"]
    assert (attempt["statusReason"], attempt["container"]["exitCode"]) == (TIMED_OUT, 5)
    assert 60_000 <= attempt["stoppedAt"] - attempt["startedAt"] < 90_000


def test_a_timeout_is_each_attempts_own(site, slow):
    """Two attempts of half a minute each, one after the other, are within a timeout of a minute."""
    ended = site.ended(slow["twice"], seconds=120)
    assert ended["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in ended["attempts"]] == [1, 0]
    assert ended["stoppedAt"] - ended["attempts"][0]["startedAt"] > 60_000


def test_a_timeout_is_each_childs_own(site, slow):
    parent = site.ended(slow["array"], seconds=120)
    assert (parent["status"], parent["statusReason"]) == ("FAILED", "Array Child Job failed")
    assert "timeout" not in parent
    first, second = (site.job(f"{slow['array']}:{index}") for index in range(2))
    assert first["status"] == "SUCCEEDED"
    assert (second["statusReason"], second["timeout"]) == (TIMED_OUT, {"attemptDurationSeconds": 60})
