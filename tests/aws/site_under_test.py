"""Clients and ready-made resources of one server."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from server import wait_for

TERMINAL = {"SUCCEEDED", "FAILED"}
LOG_GROUP = "/aws/batch/job"
AWS = Path(sys.executable).parent / "aws"

_names = itertools.count(1)


def unique(prefix):
    """A name that no other test uses."""
    return f"{prefix}-{os.getpid()}-{next(_names)}"


def process_properties(command, folder=None, vcpus=1, memory=32, **more):
    """containerProperties of a job that runs as a process of the host."""
    return {
        "image": f"host://{folder or ''}",
        "command": list(command),
        "resourceRequirements": [
            {"type": "VCPU", "value": str(vcpus)},
            {"type": "MEMORY", "value": str(memory)},
        ],
        **more,
    }


def environment_resources(**more):
    """computeResources that hold as many small jobs as the tests start at once."""
    return {
        "type": "EC2",
        "minvCpus": 0,
        "maxvCpus": 64,
        "instanceTypes": ["optimal"],
        "subnets": ["subnet-1"],
        "securityGroupIds": ["sg-1"],
        "instanceRole": "ecsInstanceRole",
        **more,
    }


def fargate_resources(**more):
    return {"type": "FARGATE", "maxvCpus": 8, "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"], **more}


class Site:
    """A server, boto3 clients for it, a queue, and short ways to submit and to wait."""

    def __init__(self, server):
        self.server = server
        self.connect()
        self._queue = None
        self._environment = None

    def connect(self):
        """Makes the clients, again after each start of the server (its port is another one then)."""
        self.batch = self.client("batch")
        self.logs = self.client("logs")
        self.sts = self.client("sts")

    def client(self, service, **config):
        variables = self.server.access.variables
        # Bad input must reach the server.
        settings = {
            "parameter_validation": False,
            "retries": {"max_attempts": 0},
            "connect_timeout": 10,
            "read_timeout": 60,
            "max_pool_connections": 32,
        }
        return boto3.Session().client(
            service,
            endpoint_url=self.server.access.endpoint,
            region_name=self.server.access.region,
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            config=Config(**{**settings, **config}),
        )

    def make_arn(self, kind, name):
        return f"arn:aws:batch:{self.server.access.region}:000000000000:{kind}/{name}"

    def aws(self, *arguments, expect=0, **environment):
        """Runs the real AWS CLI; returns its parsed JSON, or its text where it is none."""
        environment = self.server.access.environment(AWS_MAX_ATTEMPTS="1", **environment)
        ended = subprocess.run([AWS, *arguments], env=environment, capture_output=True, text=True, timeout=120)
        assert ended.returncode == expect, (
            f"aws {' '.join(arguments)}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        )
        if expect:
            return ended.stderr.strip()
        try:
            return json.loads(ended.stdout) if ended.stdout.strip() else None
        except json.JSONDecodeError:
            return ended.stdout

    @property
    def queue(self):
        """The queue that tests share, made on first use."""
        if self._queue is None:
            self._queue = self.make_queue()
        return self._queue

    @property
    def environment(self):
        """The environment that queues share unless a test wants its own: an account can have 50."""
        if self._environment is None:
            self._environment = self.make_environment()
        return self._environment

    def make_environment(self, **request):
        name = unique("ce")
        defaults = {"type": "MANAGED"}
        if request.get("type", "MANAGED") == "MANAGED":
            defaults["computeResources"] = environment_resources()
        self.batch.create_compute_environment(computeEnvironmentName=name, **{**defaults, **request})
        self.wait_environment(name)
        return name

    def wait_environment(self, name):
        def valid():
            found = self.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
            return found and found[0]["status"] == "VALID" and found[0]

        return wait_for(f"{name} to be VALID", valid)

    def make_queue(self, *environments, priority=1, **request):
        name = unique("queue")
        environments = environments or (self.environment,)
        order = [{"order": place, "computeEnvironment": each} for place, each in enumerate(environments, 1)]
        self.batch.create_job_queue(jobQueueName=name, priority=priority, computeEnvironmentOrder=order, **request)
        self.wait_queue(name)
        return name

    def wait_queue(self, name):
        def valid():
            found = self.batch.describe_job_queues(jobQueues=[name])["jobQueues"]
            return found and found[0]["status"] == "VALID" and found[0]

        return wait_for(f"{name} to be VALID", valid)

    def wait_gone(self, what, look):
        wait_for(f"{what} to be gone", lambda: all(each["status"] == "DELETED" for each in look()))

    def define(self, *command, name=None, properties=None, **request):
        """Registers a definition for a process job and returns `name:revision`."""
        made = self.batch.register_job_definition(
            jobDefinitionName=name or unique("definition"),
            type="container",
            containerProperties=process_properties(command, **(properties or {})),
            **request,
        )
        return f"{made['jobDefinitionName']}:{made['revision']}"

    def shell(self, script, **options):
        return self.define("/bin/sh", "-c", script, **options)

    def submit(self, definition, queue=None, name=None, **request):
        made = self.batch.submit_job(
            jobName=name or unique("job"), jobQueue=queue or self.queue, jobDefinition=definition, **request
        )
        return made["jobId"]

    def run(self, script, queue=None, seconds=60, definition=None, **request):
        """Submits a shell script, waits for its end, returns its description."""
        return self.ended(self.submit(self.shell(script, **(definition or {})), queue, **request), seconds)

    def job(self, job):
        (found,) = self.batch.describe_jobs(jobs=[job])["jobs"]
        return found

    def jobs(self, jobs):
        """Descriptions by id, of any number of jobs."""
        jobs = list(jobs)
        slices = [jobs[start : start + 100] for start in range(0, len(jobs), 100)]
        return {found["jobId"]: found for part in slices for found in self.batch.describe_jobs(jobs=part)["jobs"]}

    def ended(self, job, seconds=60):
        return self.reached(job, TERMINAL, seconds)

    def reached(self, job, statuses, seconds=60):
        statuses = {statuses} if isinstance(statuses, str) else set(statuses)
        last = {}

        def look():
            last.update(self.job(job))
            assert last["status"] in statuses or last["status"] not in TERMINAL, f"{job} ended early: {last}"
            return last["status"] in statuses and dict(last)

        try:
            return wait_for(f"{job} to be {'/'.join(sorted(statuses))}", look, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {last.get('status')}: {last.get('statusReason')}") from None

    def log(self, job, attempt=-1):
        """All lines of an ended attempt."""
        found = self.job(job) if isinstance(job, str) else job
        return self.stream(found["attempts"][attempt]["container"]["logStreamName"])

    def stream(self, stream):
        lines, token = [], None
        while True:
            more = {"nextToken": token} if token else {}
            page = self.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True, **more)
            lines += [event["message"] for event in page["events"]]
            if page["nextForwardToken"] == token:
                return lines
            token = page["nextForwardToken"]


def refused(call, **arguments):
    """The ClientError that `call` must raise."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        return error
    raise AssertionError(f"{call.__name__} was not refused: {answer}")


def refusal(call, **arguments):
    """(code, message) of the refusal of `call`."""
    error = refused(call, **arguments).response["Error"]
    return error["Code"], error["Message"]
