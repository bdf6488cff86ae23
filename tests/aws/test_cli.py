"""A session with the unmodified AWS CLI."""

import json
import os
import subprocess
import time

import pytest

from server import wait_for
from site_under_test import LOG_GROUP, environment_resources, process_properties, unique


def text(value):
    return json.dumps(value)


def test_identity(site):
    found = site.aws("sts", "get-caller-identity")
    assert found["Account"] == "000000000000"
    assert found["Arn"] == "arn:aws:iam::000000000000:root"
    assert found["UserId"]


def test_session(site):
    """From an empty site to a finished job, its log, and an empty site again."""
    environment, queue, definition = unique("cli"), unique("cli"), unique("cli")
    made = site.aws(
        "batch",
        "create-compute-environment",
        *("--compute-environment-name", environment),
        *("--type", "MANAGED"),
        *("--compute-resources", text(environment_resources())),
        *("--tags", "team=blue"),
    )
    environment_arn = site.make_arn("compute-environment", environment)
    assert made == {"computeEnvironmentName": environment, "computeEnvironmentArn": environment_arn}
    found = site.wait_environment(environment)
    assert (found["state"], found["statusReason"], found["type"]) == (
        "ENABLED",
        "ComputeEnvironment Healthy",
        "MANAGED",
    )

    made = site.aws(
        "batch",
        "create-job-queue",
        *("--job-queue-name", queue),
        *("--priority", "5"),
        *("--compute-environment-order", f"order=1,computeEnvironment={environment}"),
    )
    queue_arn = site.make_arn("job-queue", queue)
    assert made == {"jobQueueName": queue, "jobQueueArn": queue_arn}
    site.wait_queue(queue)
    (found,) = site.aws("batch", "describe-job-queues", "--job-queues", queue)["jobQueues"]
    assert found["computeEnvironmentOrder"] == [{"order": 1, "computeEnvironment": environment_arn}]
    assert (found["priority"], found["statusReason"], found["jobQueueType"]) == (5, "JobQueue Healthy", "ECS")

    made = site.aws(
        "batch",
        "register-job-definition",
        *("--job-definition-name", definition),
        *("--type", "container"),
        *("--container-properties", text(process_properties(["echo", "hello Ref::who"]))),
        *("--parameters", "who=nobody"),
    )
    definition_arn = site.make_arn("job-definition", f"{definition}:1")
    assert made == {"jobDefinitionName": definition, "jobDefinitionArn": definition_arn, "revision": 1}

    made = site.aws(
        "batch",
        "submit-job",
        *("--job-name", "first"),
        *("--job-queue", queue),
        *("--job-definition", definition),
        *("--parameters", "who=world"),
        *("--tags", "cost=none"),
    )
    job = made["jobId"]
    assert made == {"jobName": "first", "jobId": job, "jobArn": site.make_arn("job", job)}
    site.ended(job)
    (found,) = site.aws("batch", "describe-jobs", "--jobs", job)["jobs"]
    assert (found["status"], found["jobQueue"], found["jobDefinition"]) == ("SUCCEEDED", queue_arn, definition_arn)
    assert found["tags"] == {"cost": "none"}
    (listed,) = site.aws("batch", "list-jobs", "--job-queue", queue, "--job-status", "SUCCEEDED")["jobSummaryList"]
    assert (listed["jobId"], listed["jobName"], listed["container"]) == (job, "first", {"exitCode": 0})
    assert site.aws("batch", "list-jobs", "--job-queue", queue)["jobSummaryList"] == []

    stream = found["container"]["logStreamName"]
    events = site.aws("logs", "get-log-events", "--log-group-name", LOG_GROUP, "--log-stream-name", stream)["events"]
    assert [event["message"] for event in events] == ["hello world"]
    assert found["startedAt"] <= events[0]["timestamp"] <= found["stoppedAt"]

    site.aws("batch", "update-job-queue", "--job-queue", queue, "--state", "DISABLED", "--priority", "7")
    assert site.wait_queue(queue)["priority"] == 7
    assert site.aws("batch", "delete-job-queue", "--job-queue", queue) in (None, {})
    site.wait_gone(queue, lambda: site.batch.describe_job_queues(jobQueues=[queue])["jobQueues"])
    site.aws("batch", "update-compute-environment", "--compute-environment", environment, "--state", "DISABLED")
    assert site.wait_environment(environment)["state"] == "DISABLED"
    site.aws("batch", "delete-compute-environment", "--compute-environment", environment)
    site.wait_gone(
        environment,
        lambda: site.batch.describe_compute_environments(computeEnvironments=[environment])["computeEnvironments"],
    )
    site.aws("batch", "deregister-job-definition", "--job-definition", f"{definition}:1")
    (found,) = site.aws("batch", "describe-job-definitions", "--job-definition-name", definition)["jobDefinitions"]
    assert found["status"] == "INACTIVE"


def test_updates(site):
    name = site.make_environment()
    change = {"maxvCpus": 32, "minvCpus": 2}
    site.aws("batch", "update-compute-environment", "--compute-environment", name, "--compute-resources", text(change))
    found = site.wait_environment(name)["computeResources"]
    assert (found["maxvCpus"], found["minvCpus"], found["instanceTypes"]) == (32, 2, ["optimal"])


def test_cancel_and_terminate(site, tmp_path):
    job = site.submit(site.shell("sleep 1000"))
    site.reached(job, "RUNNING")
    waiting = site.submit(site.define("true"), dependsOn=[{"jobId": job}])
    site.aws("batch", "cancel-job", "--job-id", waiting, "--reason", "not needed")
    site.aws("batch", "terminate-job", "--job-id", job, "--reason", "long enough")
    assert site.ended(job)["statusReason"] == "long enough"
    found = site.ended(waiting)
    assert (found["statusReason"], found["isCancelled"]) == ("not needed", True)


def test_tags(site):
    queue = site.make_queue(tags={"a": "1", "b": "2"})
    arn = site.make_arn("job-queue", queue)
    definition = site.define("true", tags={"x": "y"})
    site.aws("batch", "tag-resource", "--resource-arn", arn, "--tags", "b=3,c=ü")
    assert site.aws("batch", "list-tags-for-resource", "--resource-arn", arn) == {
        "tags": {"a": "1", "b": "3", "c": "ü"}
    }
    site.aws("batch", "untag-resource", "--resource-arn", arn, "--tag-keys", "a", "c", "absent")
    assert site.aws("batch", "list-tags-for-resource", "--resource-arn", arn) == {"tags": {"b": "3"}}
    (found,) = site.aws("batch", "describe-job-queues", "--job-queues", arn)["jobQueues"]
    assert found["tags"] == {"b": "3"}
    # Revisions and jobs have colons in their ARNs, which go into the path.
    arn = site.make_arn("job-definition", definition)
    assert site.aws("batch", "list-tags-for-resource", "--resource-arn", arn) == {"tags": {"x": "y"}}
    job = site.make_arn("job", site.submit(definition, tags={"of": "job"}))
    assert site.aws("batch", "list-tags-for-resource", "--resource-arn", job) == {"tags": {"of": "job"}}


def test_a_refusal_reads_as_aws_writes_it(site):
    said = site.aws("batch", "describe-jobs", "--jobs", *["x"] * 101, expect=255)
    assert "An error occurred (ClientException) when calling the DescribeJobs operation: " in said
    assert "Maximum number of jobs supported is  100 ." in said


def test_wrong_keys(site):
    said = site.aws("sts", "get-caller-identity", expect=255, AWS_SECRET_ACCESS_KEY="x" * 40)
    assert "(SignatureDoesNotMatch)" in said
    said = site.aws("batch", "describe-job-queues", expect=255, AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE")
    assert "(UnrecognizedClientException)" in said
    assert "The security token included in the request is invalid." in said


# Logs.


@pytest.fixture(scope="module")
def talker(site):
    """A finished job with a log of 30 lines."""
    definition = site.shell(
        'for i in $(seq 1 30); do echo line $i; done; echo ERROR broken; echo \'{"level": "warn", "n": 7}\''
    )
    return site.ended(site.submit(definition))


def test_log_pages(site, talker):
    stream = talker["container"]["logStreamName"]
    options = ("--log-group-name", LOG_GROUP, "--log-stream-name", stream, "--limit", "10")
    first = site.aws("logs", "get-log-events", *options, "--start-from-head")
    assert [event["message"] for event in first["events"]] == [f"line {number}" for number in range(1, 11)]
    second = site.aws("logs", "get-log-events", *options, "--next-token", first["nextForwardToken"])
    assert [event["message"] for event in second["events"]] == [f"line {number}" for number in range(11, 21)]
    back = site.aws("logs", "get-log-events", *options, "--next-token", second["nextBackwardToken"])
    assert back["events"] == first["events"]
    last = site.aws("logs", "get-log-events", *options)
    assert last["events"][-2]["message"] == "ERROR broken" and len(last["events"]) == 10
    end = site.aws("logs", "get-log-events", *options, "--next-token", last["nextForwardToken"])
    assert (end["events"], end["nextForwardToken"]) == ([], last["nextForwardToken"])


@pytest.mark.parametrize(
    "pattern, expected",
    [
        ("ERROR", ["ERROR broken"]),
        ('"line 3"', ["line 3", "line 30"]),
        ("line -1 -2 -3", [f"line {number}" for number in range(4, 10)]),
        ("?ERROR ?warn", ["ERROR broken", '{"level": "warn", "n": 7}']),
        ('{ $.level = "warn" && $.n > 6 }', ['{"level": "warn", "n": 7}']),
    ],
)
def test_filter_log_events(site, talker, pattern, expected):
    stream = talker["container"]["logStreamName"]
    found = site.aws(
        "logs",
        "filter-log-events",
        *("--log-group-name", LOG_GROUP),
        *("--log-stream-names", stream),
        *("--filter-pattern", pattern),
    )
    seen = [event["message"] for event in found["events"]]
    if pattern.startswith("line -"):
        # Terms are whole words or parts of them; what matters here is that excluded ones are gone.
        assert not [line for line in seen if line in ("line 1", "line 2", "line 3")] and "line 4" in seen
    else:
        assert seen == expected
    assert {event["logStreamName"] for event in found["events"]} == {stream}


def test_describe_log_streams(site, talker):
    stream = talker["container"]["logStreamName"]
    prefix = stream.rsplit("/", 1)[0]
    (found,) = site.aws(
        "logs", "describe-log-streams", "--log-group-name", LOG_GROUP, "--log-stream-name-prefix", prefix
    )["logStreams"]
    assert found["logStreamName"] == stream
    assert found["arn"] == f"arn:aws:logs:us-east-1:000000000000:log-group:{LOG_GROUP}:log-stream:{stream}"
    assert talker["startedAt"] <= found["firstEventTimestamp"] <= found["lastEventTimestamp"]
    newest = site.aws(
        "logs",
        "describe-log-streams",
        *("--log-group-name", LOG_GROUP),
        *("--order-by", "LastEventTime", "--descending", "--max-items", "1"),
    )["logStreams"]
    assert len(newest) == 1
    (group,) = site.aws("logs", "describe-log-groups", "--log-group-name-prefix", LOG_GROUP)["logGroups"]
    assert group["logGroupName"] == LOG_GROUP


def test_unknown_log_streams(site, talker):
    said = site.aws(
        "logs", "get-log-events", "--log-group-name", LOG_GROUP, "--log-stream-name", "no/such/stream", expect=255
    )
    assert "(ResourceNotFoundException)" in said and "The specified log stream does not exist." in said
    said = site.aws("logs", "get-log-events", "--log-group-name", "no-such-group", "--log-stream-name", "x", expect=255)
    assert "(ResourceNotFoundException)" in said and "The specified log group does not exist." in said


@pytest.fixture(scope="module")
def tail(site):
    """`aws logs tail`, which only version 2 of the CLI has; it is not on PyPI, but it is Debian's package awscli."""
    program = os.environ.get("BATCHYARD_AWS_CLI_2", "/usr/bin/aws")
    if not os.path.exists(program):
        pytest.skip(f"{program} is missing: apt-get install awscli, or set BATCHYARD_AWS_CLI_2")
    # Debian's is from before AWS_ENDPOINT_URL.
    return [program, "logs", "tail", LOG_GROUP, "--endpoint-url", site.server.access.endpoint, "--format", "short"]


def words(output):
    """The lines of `tail --format short` without their times."""
    return [line.split(" ", 1)[1] for line in output.splitlines()]


def test_tail(site, talker, tail):
    stream = talker["container"]["logStreamName"]
    command = [*tail, "--log-stream-names", stream, "--since", "1d"]
    ended = subprocess.run(command, env=site.server.access.environment(), capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert words(ended.stdout)[:30] == [f"line {number}" for number in range(1, 31)]
    assert len(words(ended.stdout)) == 32


def test_tail_follow_started_before_the_job(site, talker, tail, tmp_path):
    """`tail --follow` shows the lines of a job that is submitted later."""
    name, output = unique("tailed"), tmp_path / "output"
    with open(output, "wb") as file:
        following = subprocess.Popen(
            [*tail, "--follow", "--log-stream-name-prefix", name],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=site.server.access.environment(PYTHONUNBUFFERED="1"),
        )
    try:
        definition = site.shell("echo first; sleep 1; echo second", name=name)
        job = site.ended(site.submit(definition))
        assert site.log(job) == ["first", "second"]

        def both():
            assert following.poll() is None, output.read_text()
            return words(output.read_text()) == ["first", "second"]

        wait_for("both lines", both, seconds=60)
    finally:
        following.terminate()
        following.wait(10)


def test_log_events_written_by_clients(site):
    """Other programs may keep logs here too."""
    group, stream = unique("/mine/group"), "one"
    site.aws("logs", "create-log-group", "--log-group-name", group)
    site.aws("logs", "create-log-stream", "--log-group-name", group, "--log-stream-name", stream)
    now = time.time_ns() // 1_000_000
    events = [{"timestamp": now + offset, "message": f"message {offset}"} for offset in range(3)]
    site.aws(
        "logs",
        "put-log-events",
        *("--log-group-name", group, "--log-stream-name", stream),
        *("--log-events", text(events)),
    )
    found = site.aws("logs", "get-log-events", "--log-group-name", group, "--log-stream-name", stream)["events"]
    assert [(event["timestamp"], event["message"]) for event in found] == [
        (event["timestamp"], event["message"]) for event in events
    ]
    site.aws("logs", "delete-log-group", "--log-group-name", group)
    assert site.aws("logs", "describe-log-groups", "--log-group-name-prefix", group)["logGroups"] == []
