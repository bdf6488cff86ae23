"""GetJobQueueSnapshot (section A.4)."""

import pytest

from site_under_test import environment_resources, refusal, unique


@pytest.fixture
def gate(tmp_path):
    return tmp_path / "gate"


def make_queue(site, **request):
    environment = site.make_environment(computeResources=environment_resources(maxvCpus=2))
    return site.make_queue(environment, **request)


def waiting(site, gate, **options):
    """A job that runs until the gate opens."""
    return site.shell(f"until test -e {gate}; do sleep 0.05; done", **options)


def front(site, queue):
    detail = site.batch.get_job_queue_snapshot(jobQueue=queue)["frontOfQueue"]
    return [(each["jobArn"].rsplit("/", 1)[1], each["earliestTimeAtPosition"]) for each in detail["jobs"]]


def test_the_front_is_told_in_the_order_of_dispatch(site, gate):
    queue = make_queue(site)
    running = site.submit(waiting(site, gate, properties={"vcpus": 2}), queue)
    site.reached(running, "RUNNING")
    # One at a time: two that start at once may tell their starts in either order.
    plain = site.define("true", properties={"vcpus": 2})
    single = site.submit(plain, queue)
    array = site.submit(plain, queue, arrayProperties={"size": 3})
    last = site.submit(plain, queue)
    before = front(site, queue)
    assert [job for job, _ in before] == [single, f"{array}:0", f"{array}:1", f"{array}:2", last]
    # Nothing moved, nothing changes.
    assert front(site, queue) == before
    site.batch.cancel_job(jobId=f"{array}:0", reason="not needed")
    after = front(site, queue)
    assert [job for job, _ in after] == [single, f"{array}:1", f"{array}:2", last]
    assert after[0] == before[0]
    assert all(time >= dict(before)[job] for job, time in after[1:])
    assert len({time for _, time in after[1:]}) == 1
    utilization = site.batch.get_job_queue_snapshot(jobQueue=site.make_arn("job-queue", queue))["queueUtilization"]
    assert utilization["totalCapacityUsage"] == [{"capacityUnit": "VCPU", "quantity": 2.0}]
    assert "fairshareUtilization" not in utilization
    gate.touch()
    assert site.ended(last)["status"] == "SUCCEEDED"
    assert front(site, queue) == []
    detail = site.batch.get_job_queue_snapshot(jobQueue=queue)
    assert detail["queueUtilization"]["totalCapacityUsage"] == [{"capacityUnit": "VCPU", "quantity": 0.0}]
    # Jobs started in the order that the snapshot told.
    jobs = [single, f"{array}:1", f"{array}:2", last]
    starts = [site.job(job)["startedAt"] for job in jobs]
    assert starts == sorted(starts)


def test_a_hundred_at_most(site, gate):
    queue = make_queue(site)
    running = site.submit(waiting(site, gate, properties={"vcpus": 2}), queue)
    site.reached(running, "RUNNING")
    array = site.submit(site.define("true"), queue, arrayProperties={"size": 150})
    assert [job for job, _ in front(site, queue)] == [f"{array}:{child}" for child in range(100)]
    site.batch.terminate_job(jobId=array, reason="done")
    gate.touch()


def test_shares_are_told_by_what_they_use(site, gate):
    policy = site.batch.create_scheduling_policy(name=unique("policy"), fairsharePolicy={})["arn"]
    environment = site.make_environment(computeResources=environment_resources(maxvCpus=4))
    queue = site.make_queue(environment, schedulingPolicyArn=policy)
    definition = waiting(site, gate)
    jobs = [site.submit(definition, queue, shareIdentifier=share) for share in ("red", "red", "blue")]
    for job in jobs:
        site.reached(job, "RUNNING")
    utilization = site.batch.get_job_queue_snapshot(jobQueue=queue)["queueUtilization"]
    usage = lambda count: [{"capacityUnit": "VCPU", "quantity": count}]
    assert utilization["fairshareUtilization"] == {
        "activeShareCount": 2,
        "topCapacityUtilization": [
            {"shareIdentifier": "red", "capacityUsage": usage(2.0)},
            {"shareIdentifier": "blue", "capacityUsage": usage(1.0)},
        ],
    }
    assert utilization["totalCapacityUsage"] == usage(3.0)
    gate.touch()
    for job in jobs:
        site.ended(job)


def test_an_unknown_queue(site):
    assert refusal(site.batch.get_job_queue_snapshot, jobQueue="nowhere") == (
        "ClientException",
        "JobQueue nowhere not found.",
    )


def test_the_cli_shows_it(site):
    shown = site.aws("batch", "get-job-queue-snapshot", "--job-queue", site.queue)
    assert shown["frontOfQueue"]["jobs"] == []
