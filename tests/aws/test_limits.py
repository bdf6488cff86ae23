"""The service's quotas (section I) where they are configured otherwise, and the rate of submissions."""

import pytest

from server import Server
from site_under_test import Site, environment_resources, refusal, unique

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


def test_limits_may_be_raised(limited):
    site = limited(job_dependencies=30, array_size=20_000)
    definition = site.define("true")
    jobs = [site.submit(definition) for _ in range(25)]
    assert site.ended(site.submit(definition, dependsOn=[{"jobId": job} for job in jobs]))["status"] == "SUCCEEDED"
    array = site.submit(definition, arrayProperties={"size": 15_000})
    assert site.job(array)["arrayProperties"]["size"] == 15_000
    site.batch.terminate_job(jobId=array, reason="enough")


def test_above_a_rate_submissions_are_put_off(limited):
    site = limited(submit_jobs_per_second=5)
    definition = site.define("true")
    submit = {"jobName": "limited", "jobQueue": site.queue, "jobDefinition": definition}
    refused = []
    # More than a slow machine lets through in a second.
    for _ in range(100):
        try:
            site.batch.submit_job(**submit)
        except site.batch.exceptions.ClientError as error:
            refused.append(error.response)
    assert refused
    assert {each["Error"]["Code"] for each in refused} == {"TooManyRequestsException"}
    assert {each["ResponseMetadata"]["HTTPStatusCode"] for each in refused} == {429}
    assert {each["Error"]["Message"] for each in refused} == {"Too Many Requests"}
    # Other calls go on.
    assert site.batch.describe_job_queues(jobQueues=[site.queue])["jobQueues"]
