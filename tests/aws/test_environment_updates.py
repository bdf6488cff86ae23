"""Scaling and infrastructure updates of compute environments (section D.4)."""

import pytest

from server import wait_for
from site_under_test import environment_resources, refusal

HOST_TERMINATED = r"Host EC2 (instance i-"


@pytest.fixture
def gate(tmp_path):
    return tmp_path / "gate"


def waiting(site, gate, **options):
    """A job that runs until the gate opens."""
    return site.shell(f"until test -e {gate}; do sleep 0.05; done", **options)


def make_environment(site, *types, **more):
    resources = {"instanceTypes": list(types or ["c5.large"]), "allocationStrategy": "BEST_FIT_PROGRESSIVE", **more}
    return site.make_environment(computeResources=environment_resources(maxvCpus=4, **resources))


def described(site, name):
    (found,) = site.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
    return found


def update(site, name, **resources):
    site.batch.update_compute_environment(computeEnvironment=name, computeResources=resources)


def test_a_scaling_update_touches_no_job(site, gate):
    environment = make_environment(site)
    queue = site.make_queue(environment)
    job = site.submit(waiting(site, gate), queue)
    site.reached(job, "RUNNING")
    update(site, environment, maxvCpus=8, minvCpus=2)
    assert described(site, environment)["status"] == "VALID"
    assert described(site, environment)["computeResources"]["maxvCpus"] == 8
    gate.touch()
    assert site.ended(job)["status"] == "SUCCEEDED"


def test_jobs_on_old_instances_finish_and_new_ones_go_to_new_instances(site, gate):
    environment = make_environment(site)
    queue = site.make_queue(environment)
    job = site.submit(waiting(site, gate), queue)
    old = site.reached(job, "RUNNING")["container"]["containerInstanceArn"]
    update(site, environment, instanceTypes=["c5.xlarge", "c5.large"])
    assert described(site, environment)["status"] == "UPDATING"
    new = site.ended(site.submit(site.define("true"), queue))
    assert new["status"] == "SUCCEEDED" and new["container"]["containerInstanceArn"] != old
    busy = ("ClientException", "Cannot update, resource is being modified")
    batch = site.batch
    assert refusal(batch.update_compute_environment, computeEnvironment=environment, state="DISABLED") == busy
    gate.touch()
    assert site.ended(job)["status"] == "SUCCEEDED"
    site.wait_environment(environment)
    assert described(site, environment)["computeResources"]["instanceTypes"] == ["c5.xlarge", "c5.large"]


def test_jobs_are_terminated_where_the_policy_says_so(site, gate):
    environment = make_environment(site)
    queue = site.make_queue(environment)
    once = site.submit(waiting(site, gate), queue)
    again = site.submit(waiting(site, gate), queue, retryStrategy={"attempts": 2})
    for job in (once, again):
        site.reached(job, "RUNNING")
    policy = {"terminateJobsOnUpdate": True, "jobExecutionTimeoutMinutes": 360}
    site.batch.update_compute_environment(
        computeEnvironment=environment, updatePolicy=policy, computeResources={"imageId": "ami-1"}
    )
    assert described(site, environment)["updatePolicy"] == policy
    ended = site.ended(once)
    assert ended["status"] == "FAILED" and ended["statusReason"].startswith(HOST_TERMINATED)
    wait_for("the second attempt", lambda: site.job(again)["attempts"] and site.job(again)["status"] == "RUNNING")
    assert site.job(again)["attempts"][0]["statusReason"].startswith(HOST_TERMINATED)
    site.wait_environment(environment)
    gate.touch()
    assert site.ended(again)["status"] == "SUCCEEDED"


def test_an_idle_environment_is_valid_at_once(site):
    environment = make_environment(site, minvCpus=2)
    for change in ({"ec2KeyPair": "key"}, {"subnets": ["subnet-2"]}, {"tags": {"a": "b"}}, {"bidPercentage": 50}):
        update(site, environment, **change)
        found = described(site, environment)
        assert found["status"] == "VALID" and found["computeResources"]["desiredvCpus"] == 2
        assert change.items() <= found["computeResources"].items()


def test_an_update_outlives_a_kill(own_server, tmp_path):
    from site_under_test import Site

    site, gate = Site(own_server), tmp_path / "gate"
    environment = make_environment(site)
    queue = site.make_queue(environment)
    job = site.submit(waiting(site, gate), queue)
    site.reached(job, "RUNNING")
    update(site, environment, instanceTypes=["c5.xlarge"])
    own_server.kill()
    own_server.start()
    site.connect()
    assert described(site, environment)["status"] == "UPDATING"
    gate.touch()
    assert site.ended(job)["status"] == "SUCCEEDED"
    site.wait_environment(environment)


def test_an_environment_that_is_updated_cannot_be_deleted(site, gate):
    environment = make_environment(site)
    queue = site.make_queue(environment)
    job = site.submit(waiting(site, gate), queue)
    site.reached(job, "RUNNING")
    # Out of the queue and disabled, with an instance to replace.
    order = [{"order": 1, "computeEnvironment": site.environment}]
    site.batch.update_job_queue(jobQueue=queue, computeEnvironmentOrder=order)
    site.batch.update_compute_environment(
        computeEnvironment=environment, state="DISABLED", computeResources={"instanceTypes": ["c5.xlarge"]}
    )
    found = refusal(site.batch.delete_compute_environment, computeEnvironment=environment)
    assert found == ("ClientException", "Cannot delete, resource is being modified")
    gate.touch()
    assert site.ended(job)["status"] == "SUCCEEDED"
    site.wait_environment(environment)
    site.batch.delete_compute_environment(computeEnvironment=environment)
    describe = site.batch.describe_compute_environments
    assert describe(computeEnvironments=[environment])["computeEnvironments"] == []
