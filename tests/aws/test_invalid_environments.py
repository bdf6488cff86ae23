"""Compute environments that cannot work (section D2.2): INVALID with a reason, and how they are repaired or go away."""

import pytest

from server import wait_for
from site_under_test import environment_resources, fargate_resources, refusal, unique

BAD_ROLE = "arn:aws:iam::000000000000:user/somebody"
NOT_ATTACHED = "Compute Environments must be created and valid before attaching them to a job queue"
HEALTHY = "ComputeEnvironment Healthy"


def create(site, **request):
    name = unique("ce")
    request = {"type": "MANAGED", "computeResources": environment_resources(), **request}
    site.batch.create_compute_environment(computeEnvironmentName=name, **request)
    return name


def described(site, name):
    (found,) = site.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
    return found


def status(site, name):
    found = described(site, name)
    return found["state"], found["status"], found["statusReason"]


def remove(site, name):
    site.batch.update_compute_environment(computeEnvironment=name, state="DISABLED")
    site.batch.delete_compute_environment(computeEnvironment=name)
    look = lambda: site.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
    site.wait_gone(name, look)


@pytest.mark.parametrize(
    "request_, reason",
    [
        ({"serviceRole": BAD_ROLE}, f"Not authorized to perform sts:AssumeRole ({BAD_ROLE} is not the name or ARN of a role)"),
        (
            {"computeResources": environment_resources(instanceRole="arn:aws:iam::000000000000:role/x")},
            "Instance profile arn:aws:iam::000000000000:role/x does not exist",
        ),
        (
            {"computeResources": environment_resources(type="SPOT", spotIamFleetRole="no role")},
            "Parameter: SpotFleetRequestConfig.IamFleetRole is invalid (no role is not the name or ARN of a role)",
        ),
        (
            {"computeResources": fargate_resources(), "serviceRole": "arn:"},
            "Not authorized to perform sts:AssumeRole (arn: is not the name or ARN of a role)",
        ),
    ],
    ids=["service role", "instance role", "fleet role", "service role on Fargate"],
)
def test_assumed_roles_that_can_be_none_make_an_environment_invalid(site, request_, reason):
    name = create(site, **request_)
    assert status(site, name) == ("ENABLED", "INVALID", f"CLIENT_ERROR - {reason}")
    order = [{"order": 1, "computeEnvironment": name}]
    refused = refusal(site.batch.create_job_queue, jobQueueName=unique("q"), priority=1, computeEnvironmentOrder=order)
    assert refused == ("ClientException", NOT_ATTACHED)
    remove(site, name)


def test_an_invalid_environment_is_repaired_by_an_update(site):
    name = create(site, serviceRole=BAD_ROLE)
    # An update of something else does not make it better.
    site.batch.update_compute_environment(computeEnvironment=name, computeResources={"maxvCpus": 8})
    assert status(site, name)[1] == "INVALID"
    site.batch.update_compute_environment(computeEnvironment=name, serviceRole="AWSBatchServiceRole")
    assert status(site, name) == ("ENABLED", "VALID", HEALTHY)
    queue = site.make_queue(name)
    assert site.ended(site.submit(site.define("true"), queue))["status"] == "SUCCEEDED"


def test_what_becomes_invalid_takes_no_more_jobs(site, tmp_path):
    gate = tmp_path / "gate"
    # A service-linked role could not become one of the account's own.
    name, definition = create(site, serviceRole="AWSBatchServiceRole"), site.shell(f"until test -e {gate}; do sleep 0.05; done")
    queue = site.make_queue(name)
    running = site.submit(definition, queue)
    site.reached(running, "RUNNING")
    site.batch.update_compute_environment(computeEnvironment=name, serviceRole=BAD_ROLE)
    assert status(site, name)[1] == "INVALID"
    waits = site.submit(site.define("true"), queue)
    # Not a word of a misconfiguration of the job, at which clients would give it up (section B4.2).
    reason = "ACTION_REQUIRED - CE(s) associated with the job queue are invalid."
    wait_for("the reason", lambda: site.job(waits).get("statusReason") == reason)
    assert site.job(waits)["status"] == "RUNNABLE"
    # What runs goes on, and the queue can be changed, and given another environment.
    site.batch.update_job_queue(jobQueue=queue, priority=7)
    gate.touch()
    assert site.ended(running)["status"] == "SUCCEEDED"
    assert site.job(waits)["status"] == "RUNNABLE"
    order = [{"order": place, "computeEnvironment": each} for place, each in enumerate([name, site.environment])]
    site.batch.update_job_queue(jobQueue=queue, computeEnvironmentOrder=order)
    done = site.ended(waits)
    assert done["status"] == "SUCCEEDED" and done.get("statusReason") != reason
    site.batch.update_job_queue(jobQueue=queue, computeEnvironmentOrder=order[1:])
    remove(site, name)


def test_an_environment_is_invalid_after_a_restart_too(own_site):
    site = own_site
    name = create(site, serviceRole=BAD_ROLE)
    before = status(site, name)
    site.server.kill()
    site.server.start()
    site.connect()
    assert status(site, name) == before and before[1] == "INVALID"
