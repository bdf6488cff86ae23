"""What is accepted, and fails before it starts: overrides that ECS would not take, and too many propagated tags (sections A4.12, A4.13)."""

import pytest

from server import Server
from site_under_test import Site, refusal, unique

TOO_LONG = "Container Overrides length must be at most 8192"
TOO_MANY = "Tags of the job and its job definition together must be at most 50"


def long_command(characters):
    return {"command": ["/bin/true", "x" * characters]}


def never_ran(job, reason):
    assert (job["status"], job.get("statusReason")) == ("FAILED", reason), job
    assert "startedAt" not in job and job["attempts"] == []
    return True


def tags(prefix, count):
    return {f"{prefix}{number}": "" for number in range(count)}


def test_long_overrides_fail_the_job(site):
    definition = site.define("true")
    # What counts is the JSON of the overrides: this is the longest that runs.
    rest = len('{"command":["/bin/true",""]}')
    fits = site.submit(definition, containerOverrides=long_command(8192 - rest))
    over = site.submit(definition, containerOverrides=long_command(8193 - rest), retryStrategy={"attempts": 3})
    assert site.ended(fits)["status"] == "SUCCEEDED"
    assert never_ran(site.ended(over), TOO_LONG)
    # Its dependents go the way of all such.
    after = site.submit(definition, dependsOn=[{"jobId": over}])
    assert never_ran(site.ended(after), "Dependent Job failed")
    # Long parameters are no overrides.
    echo = site.define("/bin/true", "Ref::text")
    assert site.ended(site.submit(echo, parameters={"text": "x" * 9000}))["status"] == "SUCCEEDED"


def test_assumed_long_overrides_of_arrays_and_nodes(site):
    definition = site.define("true")
    array = site.submit(definition, containerOverrides=long_command(9000), arrayProperties={"size": 2})
    assert site.ended(array)["statusReason"] == "Array Child Job failed"
    assert never_ran(site.job(f"{array}:1"), TOO_LONG)
    properties = site.batch.describe_job_definitions(jobDefinitions=[definition])["jobDefinitions"][0]
    nodes = {
        "numNodes": 2,
        "mainNode": 0,
        "nodeRangeProperties": [{"targetNodes": "0:", "container": properties["containerProperties"]}],
    }
    made = site.batch.register_job_definition(
        jobDefinitionName=unique("nodes"), type="multinode", nodeProperties=nodes
    )
    override = {"targetNodes": "0:", "containerOverrides": long_command(9000)}
    job = site.submit(made["jobDefinitionArn"], nodeOverrides={"nodePropertyOverrides": [override]})
    assert never_ran(site.ended(job), TOO_LONG)


@pytest.fixture
def lenient(tmp_path):
    own = Server(tmp_path / "data", limits_container_overrides_characters=0).start()
    yield Site(own)
    own.remove()


def test_the_limit_of_overrides_can_be_turned_off(lenient):
    job = lenient.submit(lenient.define("true"), containerOverrides=long_command(20_000))
    assert lenient.ended(job)["status"] == "SUCCEEDED"


def test_assumed_too_many_propagated_tags_fail_the_job(site):
    definition = site.define("true", tags=tags("definition", 30), propagateTags=True)
    over = site.submit(definition, tags=tags("job", 21))
    assert never_ran(site.ended(over), TOO_MANY)
    assert site.job(over)["propagateTags"] is True
    # Those with the same key count once, and a job may say that it propagates nothing.
    for request in [
        {"tags": tags("job", 20)},
        {"tags": {**tags("job", 20), **tags("definition", 20)}},
        {"tags": tags("job", 21), "propagateTags": False},
    ]:
        job = site.ended(site.submit(definition, **request))
        assert job["status"] == "SUCCEEDED", (request, job)
        assert job["propagateTags"] is request.get("propagateTags", True)


def test_tags_that_a_definition_gets_later_count_too(site):
    definition = site.define("true", tags=tags("definition", 30))
    arn = site.make_arn("job-definition", definition)
    request = {"tags": tags("job", 20), "propagateTags": True}
    assert site.ended(site.submit(definition, **request))["status"] == "SUCCEEDED"
    site.batch.tag_resource(resourceArn=arn, tags={"later": ""})
    assert never_ran(site.ended(site.submit(definition, **request)), TOO_MANY)


def test_pods_propagate_no_tags(site):
    container = {"image": "x", "resources": {"limits": {"cpu": "1", "memory": "64Mi"}}}
    pod = {"podProperties": {"containers": [container]}}
    request = {"jobDefinitionName": unique("pod"), "type": "container", "eksProperties": pod}
    text = "propagateTags is not applicable for EKS."
    assert refusal(site.batch.register_job_definition, **request, propagateTags=True) == ("ClientException", text)
    made = site.batch.register_job_definition(**request, propagateTags=False)
    submit = {"jobName": "pod", "jobQueue": site.queue, "jobDefinition": made["jobDefinitionArn"]}
    assert refusal(site.batch.submit_job, **submit, propagateTags=True) == ("ClientException", text)
