"""Service jobs: SageMaker training jobs as containers of this machine."""

import json
import socket
import subprocess
import time

import pytest
from botocore.exceptions import ClientError

from raw import Raw
from server import BINARY, Server, wait_for
from site_under_test import TERMINAL, Site, refusal, unique
from test_containers import IMAGE, docker, image, relay
from test_scheduling import explained

__all__ = ["image", "relay"]

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
UNIT = "ml.m5.large"
DONE = "Received status from SageMaker: Training job completed"
# The first process of a container ends on a signal only where it says so.
RUNS_LONG = "trap 'exit 143' TERM; for i in $(seq 400); do sleep 0.05; done"
NOBODY = "00000000-0000-4000-8000-000000000000"


class Training:
    """Short ways to a queue of service jobs and to its jobs."""

    def __init__(self, site):
        self.site = site
        self.batch = site.batch
        self._queue = None

    @property
    def queue(self):
        """The queue that tests share: an account has 50 queues."""
        if self._queue is None:
            self._queue = self.make_queue()
        return self._queue

    def make_environment(self, *limits, **request):
        name = unique("se")
        limits = limits or ((UNIT, 20),)
        self.batch.create_service_environment(
            serviceEnvironmentName=name,
            serviceEnvironmentType="SAGEMAKER_TRAINING",
            capacityLimits=[{"capacityUnit": unit, "maxCapacity": count} for unit, count in limits],
            **request,
        )
        return name

    def make_queue(self, *limits, **request):
        name = unique("training")
        self.batch.create_job_queue(
            jobQueueName=name,
            priority=1,
            jobQueueType="SAGEMAKER_TRAINING",
            serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": self.make_environment(*limits)}],
            **request,
        )
        self.site.wait_queue(name)
        return name

    def submit(self, script="true", queue=None, payload=None, **request):
        request = {"jobName": unique("train"), "serviceJobType": "SAGEMAKER_TRAINING", **request}
        made = self.batch.submit_service_job(
            jobQueue=queue or self.queue,
            serviceRequestPayload=json.dumps(document(script) if payload is None else payload),
            **request,
        )
        return made["jobId"]

    def job(self, job):
        return self.batch.describe_service_job(jobId=job)

    def reached(self, job, statuses, seconds=60):
        statuses = {statuses} if isinstance(statuses, str) else set(statuses)

        def look():
            found = self.job(job)
            assert found["status"] in statuses or found["status"] not in TERMINAL, f"{job} ended early: {found}"
            return found["status"] in statuses and found

        return wait_for(f"{job} to be {statuses}", look, seconds)

    def ended(self, job, seconds=60):
        return self.reached(job, TERMINAL, seconds)

    def stream(self, job):
        """The messages of the latest attempt."""
        name = self.job(job)["latestAttempt"]["serviceResourceId"]["value"].rsplit("/", 1)[1]
        streams = self.site.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/algo-1-")
        (stream,) = streams["logStreams"]
        events = self.site.logs.get_log_events(
            logGroupName=LOG_GROUP, logStreamName=stream["logStreamName"], startFromHead=True
        )
        return [event["message"] for event in events["events"]]

    def refusal(self, *arguments, **request):
        with pytest.raises(ClientError) as refused:
            self.submit(*arguments, **request)
        error = refused.value.response["Error"]
        assert error["Code"] == "ClientException"
        return error["Message"]


@pytest.fixture(scope="module")
def training(site):
    return Training(site)


def document(script="true", instance=UNIT, algorithm=None, **members):
    """A CreateTrainingJob request that runs a shell script."""
    return {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["sh", "-c", script],
            **(algorithm or {}),
        },
        "ResourceConfig": {"InstanceType": instance, "InstanceCount": 1, "VolumeSizeInGB": 1},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/prefix"},
        "RoleArn": "arn:aws:iam::000000000000:role/training",
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        **members,
    }


def hosts(count, **resources):
    """ResourceConfig of several instances."""
    return {"ResourceConfig": {"InstanceType": UNIT, "InstanceCount": count, "VolumeSizeInGB": 1, **resources}}


def folder_of(site, job, attempt=1):
    return site.server.data / "service-jobs" / job / str(attempt)


def test_a_training_job(training, image, site, tmp_path):
    (tmp_path / "data").write_text("1 2 3\n")
    script = "cat /opt/ml/input/data/train/data; echo $TRAINING_JOB_NAME $COLOUR; echo weights > /opt/ml/model/model.txt"
    payload = document(
        script,
        Environment={"COLOUR": "red"},
        InputDataConfig=[
            {
                "ChannelName": "train",
                "ContentType": "text/plain",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"file://{tmp_path}"}},
            }
        ],
    )
    job = training.submit(payload=payload, jobName="first_job", tags={"a": "b"})
    ended = training.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("SUCCEEDED", DONE)
    assert ended["createdAt"] <= ended["scheduledAt"] <= ended["startedAt"] <= ended["stoppedAt"]
    assert json.loads(ended["serviceRequestPayload"]) == payload
    assert ended["jobArn"] == site.make_arn("service-job", job)
    assert ended["jobQueue"] == site.make_arn("job-queue", training.queue)
    assert ended["capacityUsage"] == [{"capacityUnit": UNIT, "quantity": 1.0}]
    assert (ended["tags"], ended["isTerminated"]) == ({"a": "b"}, False)
    (attempt,) = ended["attempts"]
    resource = attempt["serviceResourceId"]
    assert (resource["name"], attempt["statusReason"]) == ("TrainingJobArn", DONE)
    assert ended["latestAttempt"] == {"serviceResourceId": resource}
    head, name = resource["value"].rsplit("/", 1)
    assert head == "arn:aws:sagemaker:us-east-1:000000000000:training-job"
    assert name.startswith("AWSBatchfirst-job") and len(name) <= 63
    assert training.stream(job) == ["1 2 3", f"{name} red"]
    assert (folder_of(site, job) / "model" / "model.txt").read_text() == "weights\n"


def test_what_a_training_job_finds(training, image, site, tmp_path):
    script = """
        cd /opt/ml/input/config
        for name in hyperparameters inputdataconfig resourceconfig; do cat $name.json; echo; done
        echo $TRAINING_JOB_ARN
        touch /opt/ml/input/data/train/x 2>/tmp/error || echo read-only
        echo kept > /opt/ml/checkpoints/last
    """
    channel = {
        "ChannelName": "train",
        "ContentType": "text/csv",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": str(tmp_path)}},
    }
    payload = document(
        script,
        HyperParameters={"epochs": "3"},
        InputDataConfig=[channel],
        CheckpointConfig={"S3Uri": "s3://bucket/checkpoints"},
    )
    job = training.submit(payload=payload)
    assert training.ended(job)["status"] == "SUCCEEDED"
    hyperparameters, inputs, resources, arn, readonly = training.stream(job)
    assert json.loads(hyperparameters) == {"epochs": "3"}
    assert json.loads(inputs) == {
        "train": {
            "ContentType": "text/csv",
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
    }
    group = {"instance_group_name": "homogeneousCluster", "instance_type": UNIT, "hosts": ["algo-1"]}
    assert json.loads(resources) == {
        "current_host": "algo-1",
        "current_instance_type": UNIT,
        "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"],
        "instance_groups": [group],
        "network_interface_name": "eth0",
    }
    assert arn == training.job(job)["latestAttempt"]["serviceResourceId"]["value"]
    assert readonly == "read-only"
    assert (folder_of(site, job) / "checkpoints" / "last").read_text() == "kept\n"


def test_an_image_is_told_to_train(training, image):
    """Without an entry point of its own a request runs the image's, or here: the program `train`, which there is none of."""
    payload = document()
    del payload["AlgorithmSpecification"]["ContainerEntrypoint"]
    job = training.ended(training.submit(payload=payload))
    assert job["status"] == "FAILED" and "train" in job["statusReason"]
    algorithm = {"ContainerEntrypoint": ["sh", "-c", "echo $0 $1"], "ContainerArguments": ["one", "two"]}
    job = training.submit(payload=document(algorithm=algorithm))
    assert training.ended(job)["status"] == "SUCCEEDED"
    assert training.stream(job) == ["one two"]


def test_assumed_reasons_of_failures(training, image):
    before = "Received status from SageMaker: "
    job = training.ended(training.submit("echo no data > /opt/ml/output/failure; exit 3"))
    assert (job["status"], job["statusReason"]) == ("FAILED", f"{before}AlgorithmError: no data, exit code: 3")
    job = training.ended(training.submit("exit 1"))
    assert job["statusReason"] == f"{before}AlgorithmError: , exit code: 1"
    # Only the first 1,024 characters.
    job = training.ended(training.submit("seq 9999 > /opt/ml/output/failure; exit 1"))
    assert len(job["statusReason"]) < 1_200
    payload = document(algorithm={"TrainingImage": "127.0.0.1:1/no/such:image"})
    job = training.ended(training.submit(payload=payload))
    assert job["statusReason"].startswith(f"{before}ClientError: CannotPullContainerError: ")
    (attempt,) = job["attempts"]
    assert attempt["statusReason"] == job["statusReason"] and "startedAt" not in attempt


def test_retries(training, image, site):
    strategy = {"attempts": 3, "evaluateOnExit": [{"action": "EXIT", "onStatusReason": "*stop here*"}]}
    # Each attempt has a folder of its own; the second says that no other is to follow.
    script = "[ $AWS_BATCH_JOB_ATTEMPT = 1 ] || echo stop here > /opt/ml/output/failure; exit 1"
    job = training.submit(script, retryStrategy=strategy)
    ended = training.ended(job)
    assert (ended["status"], ended["retryStrategy"]) == ("FAILED", strategy)
    first, second = ended["attempts"]
    assert first["statusReason"].endswith("AlgorithmError: , exit code: 1")
    assert second["statusReason"].endswith("AlgorithmError: stop here, exit code: 1")
    assert first["serviceResourceId"] != second["serviceResourceId"]
    assert ended["latestAttempt"] == {"serviceResourceId": second["serviceResourceId"]}
    assert not (folder_of(site, job) / "output" / "failure").exists()
    assert (folder_of(site, job, 2) / "output" / "failure").exists()


def test_terminate(training, image, site):
    script = "trap 'echo stopping; exit 3' TERM; echo ready; for i in $(seq 400); do sleep 0.05; done"
    job = training.submit(script)
    training.reached(job, "RUNNING")
    wait_for("the trap to be set", lambda: "ready" in training.stream(job))
    (found,) = [each for each in listed(site, training.queue) if each["jobId"] == job]
    assert found["status"] == "RUNNING" and "isTerminated" not in found
    # Other calls do not know it.
    site.batch.terminate_job(jobId=job, reason="other")
    site.batch.cancel_job(jobId=job, reason="other")
    assert site.batch.terminate_jobs(jobs=[job], reason="other")["errors"] == []
    assert training.job(job)["status"] == "RUNNING"
    site.batch.terminate_service_job(jobId=site.make_arn("service-job", job), reason="enough")
    ended = training.ended(job)
    assert (ended["status"], ended["statusReason"], ended["isTerminated"]) == ("FAILED", "enough", True)
    assert training.stream(job) == ["ready", "stopping"]
    (found,) = [each for each in listed(site, training.queue, jobStatus="FAILED") if each["jobId"] == job]
    assert found["isTerminated"] is True
    # Ended and unknown ones are let be.
    for id_ in (job, NOBODY, "x"):
        site.batch.terminate_service_job(jobId=id_, reason="again")


def test_terminate_many(training, site):
    jobs = [training.submit(payload=waiting()) for _ in range(3)]
    answer = site.batch.terminate_service_jobs(jobs=[*jobs[:2], NOBODY, "bad id"], reason="all")
    assert answer["successful"] == [*jobs[:2], NOBODY]
    (error,) = answer["errors"]
    assert (error["job"], error["code"]) == ("bad id", "ValidationException")
    for job in jobs[:2]:
        assert training.ended(job)["statusReason"] == "all"
    assert training.job(jobs[2])["status"] == "RUNNABLE"
    site.batch.terminate_service_jobs(jobs=[jobs[2]], reason="all")
    with pytest.raises(ClientError) as refused:
        site.batch.terminate_service_jobs(jobs=[NOBODY] * 51, reason="all")
    assert "50" in refused.value.response["Error"]["Message"]


def waiting(**members):
    """A request for a type of which the environment has none: its job stays RUNNABLE."""
    return document(instance="ml.m5.24xlarge", **members)


def listed(site, queue, **request):
    pages = site.batch.get_paginator("list_service_jobs").paginate(
        jobQueue=queue, PaginationConfig={"PageSize": 2}, **request
    )
    return [job for page in pages for job in page["jobSummaryList"]]


def test_lists(training, site):
    queue = training.make_queue()
    before = int(time.time() * 1000) - 60_000
    names = ["alpha", "Alpha", "alphabet", "beta", "gamma"]
    jobs = [training.submit(payload=waiting(), queue=queue, jobName=name) for name in names]
    runnable = listed(site, queue, jobStatus="RUNNABLE")
    assert [each["jobId"] for each in runnable] == jobs[::-1]
    assert runnable[0] == {
        "jobId": jobs[-1],
        "jobArn": site.make_arn("service-job", jobs[-1]),
        "jobName": "gamma",
        "serviceJobType": "SAGEMAKER_TRAINING",
        "status": "RUNNABLE",
        "createdAt": training.job(jobs[-1])["createdAt"],
        "capacityUsage": [{"capacityUnit": "ml.m5.24xlarge", "quantity": 1.0}],
    }
    # RUNNING by default.
    assert listed(site, queue) == []
    assert listed(site, queue, jobStatus="SCHEDULED") == []

    def found(name, value):
        return [each["jobName"] for each in listed(site, queue, filters=[{"name": name, "values": [value]}])]

    assert found("JOB_NAME", "ALPHA") == ["Alpha", "alpha"]
    assert found("JOB_NAME", "alph*") == ["alphabet", "Alpha", "alpha"]
    assert found("AFTER_CREATED_AT", str(before)) == names[::-1]
    assert found("BEFORE_CREATED_AT", str(before)) == []
    assert found("SHARE_IDENTIFIER", "red") == found("QUOTA_SHARE_NAME", "red") == []
    for name in ("JOB_DEFINITION", "NONE"):
        with pytest.raises(ClientError) as refused:
            found(name, "x")
        assert refused.value.response["Error"]["Message"] == f"{name} is not the name of a filter."
    # The lists of the others do not have them, nor this one theirs.
    assert site.batch.list_jobs(jobQueue=queue, jobStatus="RUNNABLE")["jobSummaryList"] == []
    assert listed(site, site.queue, jobStatus="SUCCEEDED") == []
    assert site.batch.describe_jobs(jobs=jobs)["jobs"] == []
    with pytest.raises(ClientError) as refused:
        site.batch.list_service_jobs()
    assert refused.value.response["Error"]["Message"] == "jobQueue must be given."
    site.batch.terminate_service_jobs(jobs=jobs, reason="done")


def test_jobs_and_service_jobs_do_not_mix(training, site):
    with pytest.raises(ClientError) as refused:
        site.submit(site.define("true"), queue=training.queue)
    assert refused.value.response["Error"]["Message"] == (
        f"JobQueue {training.queue} is of type SAGEMAKER_TRAINING and accepts only service jobs."
    )
    assert training.refusal(queue=site.queue) == (
        f"JobQueue {site.queue} is not of type SAGEMAKER_TRAINING and cannot run service jobs."
    )
    job = site.submit(site.define("true"))
    for id_ in (job, NOBODY, "x"):
        for call in (site.batch.describe_service_job, site.batch.update_service_job):
            with pytest.raises(ClientError) as refused:
                call(jobId=id_, **({"schedulingPriority": 1} if call == site.batch.update_service_job else {}))
            assert refused.value.response["Error"]["Message"] == f"ServiceJob {id_} not found."
    site.batch.terminate_service_job(jobId=job, reason="other")
    assert site.ended(job)["status"] == "SUCCEEDED"


def test_priorities_and_shares(training, site):
    policy = site.batch.create_scheduling_policy(name=unique("fair"), fairsharePolicy={})["arn"]
    queue = training.make_queue(schedulingPolicyArn=policy)
    assert training.refusal(queue=queue).startswith("shareIdentifier is required for jobs in JobQueue")
    onlybe = "can onlybe submitted to job queue with fair share scheduling policy."
    assert training.refusal(shareIdentifier="red").endswith(onlybe)
    job = training.submit(payload=waiting(), queue=queue, shareIdentifier="red", schedulingPriority=5)
    shown = training.job(job)
    assert (shown["shareIdentifier"], shown["schedulingPriority"]) == ("red", 5)
    filters = [{"name": "SHARE_IDENTIFIER", "values": ["red"]}]
    (found,) = listed(site, queue, filters=filters)
    assert (found["jobId"], found["shareIdentifier"]) == (job, "red")
    update = site.batch.update_service_job
    made = update(jobId=job, schedulingPriority=9999)
    assert (made["jobId"], made["jobArn"]) == (job, site.make_arn("service-job", job))
    assert made["jobName"] == shown["jobName"]
    shown = training.job(job)
    assert (shown["shareIdentifier"], shown["schedulingPriority"]) == ("red", 9999)
    # A queue without shares takes priorities too.
    plain = training.submit(payload=waiting(), schedulingPriority=7)
    assert training.job(plain)["schedulingPriority"] == 7 and "shareIdentifier" not in training.job(plain)
    for priority in (-1, 10_000):
        with pytest.raises(ClientError) as refused:
            update(jobId=job, schedulingPriority=priority)
        assert refused.value.response["Error"]["Message"] == "Scheduling priority must be between 0 and 9999."
    site.batch.terminate_service_jobs(jobs=[job, plain], reason="done")
    training.ended(job)
    with pytest.raises(ClientError) as refused:
        update(jobId=job, schedulingPriority=1)
    assert refused.value.response["Error"]["Message"] == f"ServiceJob {job} has ended and cannot be updated."


def test_assumed_client_tokens(training, site):
    request = {"payload": waiting(), "jobName": "once", "clientToken": unique("token")}
    first = training.submit(**request)
    assert training.submit(**request) == first
    other = training.submit(**{**request, "clientToken": unique("token")})
    assert other != first
    text = training.refusal(**{**request, "jobName": "twice"})
    assert text == f"The client token was used for another request, which made the job {first}."
    site.batch.terminate_service_jobs(jobs=[first, other], reason="done")
    training.ended(first)
    # Also when it has ended.
    assert training.submit(**request) == first


def test_a_client_token_outlives_the_server(own_site):
    site = own_site
    request = {"payload": waiting(), "queue": Training(site).make_queue(), "jobName": "once", "clientToken": "once"}
    first = Training(site).submit(**request)
    site.server.kill()
    site.server.start()
    site.connect()
    assert Training(site).submit(**request) == first
    # A submission of another kind with the same words is another one.
    definition = site.define("true")
    raw = Raw(site.server)
    body = json.dumps({"jobName": "once", "jobQueue": site.queue, "jobDefinition": definition}).encode()
    signed = raw.signed("/v1/submitjob", body, "POST")
    headers = {**dict(signed.headers.items()), "X-Batchyard-Client-Token": "once"}
    status, _, answer = raw.send("/v1/submitjob", body, "POST", headers)
    assert status == 200 and answer["jobId"] != first


def test_no_job_depends_on_a_service_job(training, site):
    job = training.submit(payload=waiting())
    submit = {"jobName": "after", "jobQueue": site.queue, "jobDefinition": site.define("true")}

    def after():
        return refusal(site.batch.submit_job, **submit, dependsOn=[{"jobId": job}])

    unknown = ("ClientException", f"Job {job} in dependsOn not found.")
    assert after() == unknown
    site.batch.terminate_service_job(jobId=job, reason="done")
    training.ended(job)
    assert after() == unknown


def test_tags(training, site):
    job = training.submit(payload=waiting(), tags={"of": "test"})
    arn = site.make_arn("service-job", job)
    site.batch.tag_resource(resourceArn=arn, tags={"more": "1"})
    assert site.batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"of": "test", "more": "1"}
    site.batch.untag_resource(resourceArn=arn, tagKeys=["of"])
    assert training.job(job)["tags"] == {"more": "1"}
    for other in (site.make_arn("job", job), site.make_arn("service-job", NOBODY)):
        with pytest.raises(ClientError):
            site.batch.list_tags_for_resource(resourceArn=other)
    site.batch.terminate_service_job(jobId=job, reason="done")


def channel(**members):
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "/data"}}
    return {"ChannelName": "train", "DataSource": source, **members}


def uri(text):
    return channel(DataSource={"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": text}})


def group_of(name, instance):
    return {"InstanceGroupName": name, "InstanceType": instance, "InstanceCount": 1}


AT = "serviceRequestPayload"
FOLDER = f"{AT}.InputDataConfig[0].DataSource.S3DataSource.S3Uri: must be a folder of this host, as /PATH or file:///PATH"


@pytest.mark.parametrize(
    "change, text",
    [
        ({"AlgorithmSpecification": None}, f"{AT}.AlgorithmSpecification is required."),
        ({"AlgorithmSpecification": {}}, f"{AT}.AlgorithmSpecification.TrainingImage is required."),
        (
            {"AlgorithmSpecification": {"TrainingImage": 7}},
            f"{AT}.AlgorithmSpecification.TrainingImage: must be a text that is not empty.",
        ),
        (
            {"AlgorithmSpecification": {"TrainingImage": "host:///tmp"}},
            f"{AT}.AlgorithmSpecification.TrainingImage: training jobs run as containers, and host:// is no image.",
        ),
        ({"ResourceConfig": None}, f"{AT}.ResourceConfig is required."),
        ({"ResourceConfig": {"InstanceCount": 1}}, f"{AT}.ResourceConfig.InstanceType is required."),
        ({"ResourceConfig": {"InstanceType": UNIT}}, f"{AT}.ResourceConfig.InstanceCount is required."),
        (hosts(0), f"{AT}.ResourceConfig.InstanceCount: a training job has 1 to 20 instances."),
        (hosts(21), f"{AT}.ResourceConfig.InstanceCount: a training job has 1 to 20 instances."),
        (
            hosts(1, InstanceGroups=[]),
            f"{AT}.ResourceConfig.InstanceType: cannot be given together with InstanceGroups.",
        ),
        (
            {"ResourceConfig": {"InstanceGroups": []}},
            f"{AT}.ResourceConfig.InstanceGroups: must have at least one group.",
        ),
        (
            {"ResourceConfig": {"InstanceGroups": [group_of("x", UNIT), group_of("x", UNIT)]}},
            f"{AT}.ResourceConfig.InstanceGroups[1].InstanceGroupName: is given more than once.",
        ),
        (
            {"ResourceConfig": {"InstanceGroups": [group_of("x", UNIT), group_of("y", "ml.m5.xlarge")]}},
            f"{AT}.ResourceConfig.InstanceGroups[1].InstanceType: must be the type of the other groups: "
            "instances of several types are not served here.",
        ),
        (
            {"ResourceConfig": {"InstanceType": "m5.large", "InstanceCount": 1}},
            f'{AT}.ResourceConfig.InstanceType: "m5.large" is not a known instance type.',
        ),
        ({"HyperParameters": {"a": 1}}, f"{AT}.HyperParameters.a: must be a text."),
        ({"Environment": []}, f"{AT}.Environment: must be an object."),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 0}}, f"{AT}.StoppingCondition.MaxRuntimeInSeconds: must be at least 1."),
        ({"InputDataConfig": {}}, f"{AT}.InputDataConfig: must be a list."),
        ({"InputDataConfig": [{}]}, f"{AT}.InputDataConfig[0].ChannelName is required."),
        (
            {"InputDataConfig": [channel(ChannelName="../x")]},
            f"{AT}.InputDataConfig[0].ChannelName: must have 1 to 64 letters, digits, dots, hyphens and underscores.",
        ),
        (
            {"InputDataConfig": [channel(), channel()]},
            f"{AT}.InputDataConfig[1].ChannelName: is given more than once.",
        ),
        (
            {"InputDataConfig": [uri("s3://bucket/data")]},
            f"{AT}.InputDataConfig[0].DataSource.S3DataSource.S3Uri: is in S3, which is not served here; "
            "give a folder of this host, as /PATH or file:///PATH.",
        ),
        ({"InputDataConfig": [uri("data")]}, f"{FOLDER}, without colons."),
        (
            {"InputDataConfig": [channel(InputMode="Pipe")]},
            f"{AT}.InputDataConfig[0].InputMode: Pipe is not served here; use File or FastFile.",
        ),
        (
            {"InputDataConfig": [channel(CompressionType="Gzip")]},
            f"{AT}.InputDataConfig[0].CompressionType: Gzip is of the input mode Pipe alone, which is not served here.",
        ),
        (
            {"EnableNetworkIsolation": True},
            f"{AT}.EnableNetworkIsolation: is not served here: must be false.",
        ),
        ({"InputDataConfig": [uri("/data:/etc")]}, f"{FOLDER}, without colons."),
    ],
)
def test_requests_that_cannot_be_carried_out(training, change, text):
    assert training.refusal(payload={**document(), **change}) == text


@pytest.mark.parametrize(
    "request_, text",
    [
        ({"jobName": "-x"}, "Job name should match valid pattern"),
        ({"jobName": "a" * 129}, "Job name should match valid pattern"),
        ({"queue": "none"}, "JobQueue none not found."),
        ({"schedulingPriority": 10_000}, "Scheduling priority must be between 0 and 9999."),
        ({"shareIdentifier": "a b"}, "ShareIdentifier name should match a valid pattern."),
        ({"retryStrategy": {"attempts": 0}}, "RetryAttempts must be between 1 and 10."),
        ({"retryStrategy": {"attempts": 11}}, "RetryAttempts must be between 1 and 10."),
        (
            {"retryStrategy": {"attempts": 1, "evaluateOnExit": [{"action": "EXIT", "onStatusReason": "x"}] * 6}},
            "evaluateOnExit can have at most 5 entries.",
        ),
        (
            {"retryStrategy": {"attempts": 1, "evaluateOnExit": [{"action": "EXIT"}]}},
            "EvaluateOnExit should contain onStatusReason",
        ),
        (
            {"retryStrategy": {"attempts": 1, "evaluateOnExit": [{"action": "EXIT", "onStatusReason": "x" * 513}]}},
            "Evaluate on exit condition cannot exceed 512 characters.",
        ),
        (
            {"retryStrategy": {"attempts": 1, "evaluateOnExit": [{"action": "EXIT", "onStatusReason": "a\nb"}]}},
            "Evaluate on exit condition contains restricted characters.",
        ),
        ({"timeoutConfig": {"attemptDurationSeconds": 59}}, "attemptDurationSeconds must be at least 60."),
        (
            {"preemptionConfiguration": {"preemptionRetriesBeforeTermination": -1}},
            "preemptionRetriesBeforeTermination must not be negative.",
        ),
        ({"payload": document("#" * 10_240)}, "serviceRequestPayload can have at most 10240 bytes."),
    ],
)
def test_refusals(training, request_, text):
    assert training.refusal(**request_) == text


def test_a_payload_that_is_no_json(training, site):
    for payload, text in (("{", " is not valid JSON."), ("[]", ": must be an object.")):
        with pytest.raises(ClientError) as refused:
            site.batch.submit_service_job(
                jobName="x",
                jobQueue=training.queue,
                serviceRequestPayload=payload,
                serviceJobType="SAGEMAKER_TRAINING",
            )
        assert refused.value.response["Error"]["Message"] == f"serviceRequestPayload{text}"


def test_timeouts(training, image):
    """The shorter of both counts; AWS's own is at least a minute, SageMaker's is not."""
    payload = document(RUNS_LONG, StoppingCondition={"MaxRuntimeInSeconds": 1})
    job = training.submit(payload=payload, timeoutConfig={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 3})
    ended = training.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "Job attempt duration exceeded timeout")
    assert ended["timeoutConfig"] == {"attemptDurationSeconds": 60} and len(ended["attempts"]) == 1


def test_a_timeout_counts_from_the_start_of_the_program(relay, tmp_path, monkeypatch):
    """The engine is away for twice the time that the job may run."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{relay.path}")
    server = Server(tmp_path / "data").start()
    try:
        training = Training(Site(server))
        ran = training.submit(payload=document())
        assert training.ended(ran)["status"] == "SUCCEEDED"
        relay.take_away()
        job = training.submit(payload=document(StoppingCondition={"MaxRuntimeInSeconds": 1}))
        placed = training.reached(job, {"SCHEDULED", "STARTING"})["scheduledAt"]
        wait_for("the time that it may run to be over twice", lambda: time.time() * 1000 > placed + 2000)
        assert training.job(job)["status"] in ("SCHEDULED", "STARTING")
        relay.put_back()
        assert training.ended(job)["status"] == "SUCCEEDED"
    finally:
        server.remove()


def test_capacity_is_counted(training, image):
    """Two instances of one type: the third job waits for its turn."""
    queue = training.make_queue(("NUM_INSTANCES", 2))
    jobs = [training.submit(RUNS_LONG, queue=queue) for _ in range(3)]
    for job in jobs[:2]:
        training.reached(job, "RUNNING")
    assert training.job(jobs[2])["status"] == "RUNNABLE"
    snapshot = training.batch.get_job_queue_snapshot(jobQueue=queue)
    (front,) = snapshot["frontOfQueue"]["jobs"]
    assert front["jobArn"] == training.site.make_arn("service-job", jobs[2])
    usage = snapshot["queueUtilization"]["totalCapacityUsage"]
    assert usage == [{"capacityUnit": UNIT, "quantity": 2.0}]
    training.batch.terminate_service_job(jobId=jobs[0], reason="room")
    training.ended(jobs[0])
    training.reached(jobs[2], "RUNNING")
    training.batch.terminate_service_jobs(jobs=jobs, reason="done")
    for job in jobs:
        training.ended(job)


@pytest.mark.parametrize(
    ("instance", "count", "needs"), [("ml.g5.12xlarge", 1, 3), ("ml.g4dn.xlarge", 1, 1), ("ml.g5.12xlarge", 2, 2)]
)
def test_gpus_are_the_jobs_alone(tmp_path, image, instance, count, needs):
    """As many as the type has, or an even part of what the host has; none that another job holds."""
    server = Server(tmp_path / "data", host_gpus=3).start()
    try:
        site = Site(server)
        training = Training(site)
        others = site.shell(
            "sleep 600 & wait",
            properties={
                "resourceRequirements": [
                    {"type": kind, "value": value} for kind, value in (("VCPU", "1"), ("MEMORY", "64"), ("GPU", "3"))
                ]
            },
        )
        other = site.submit(others)
        site.reached(other, "RUNNING")
        queue = training.make_queue((instance, 4))
        job = training.submit(
            queue=queue,
            payload=document(ResourceConfig={"InstanceType": instance, "InstanceCount": count, "VolumeSizeInGB": 1}),
        )
        (reason,) = explained(site, job)["reasons"]
        assert (reason["because"], reason["host"]["gpus"]) == ("hostBusy", 0)
        command = [BINARY, "explain", job]
        told = subprocess.run(command, capture_output=True, text=True, env=server.access.environment(), check=True)
        assert f"it needs {count} {instance}, {needs} GPU of the host." in told.stdout
        site.batch.terminate_job(jobId=other, reason="room")
        # No driver for GPUs is here: the daemon's refusal shows that it was asked for some.
        ended = training.ended(job)
        assert ended["status"] == "FAILED" and "device driver" in ended["statusReason"], ended
    finally:
        server.remove()


def test_a_deleted_queue_ends_its_jobs(training, image, site):
    queue = training.make_queue((UNIT, 1))
    running, runnable = (training.submit(RUNS_LONG, queue=queue) for _ in range(2))
    training.reached(running, "RUNNING")
    site.batch.update_job_queue(jobQueue=queue, state="DISABLED")
    assert training.refusal(queue=queue) == f"JobQueue {queue} is DISABLED and accepts no jobs."
    site.batch.delete_job_queue(jobQueue=queue)
    for job in (running, runnable):
        ended = training.ended(job)
        assert (ended["status"], ended["statusReason"]) == ("FAILED", "Job queue was deleted")


def test_killed_server_finds_its_training_jobs_again(own_site, image):
    site = own_site
    training = Training(site)
    script = "for i in $(seq 60); do echo tick $i; sleep 0.05; done; echo gone wrong > /opt/ml/output/failure; exit $CODE"
    jobs = {code: training.submit(payload=document(script, Environment={"CODE": str(code)})) for code in (0, 9)}
    for job in jobs.values():
        training.reached(job, "RUNNING")
    waits = training.submit(payload=waiting(), schedulingPriority=3, tags={"a": "b"})
    before = {code: training.job(job) for code, job in jobs.items()}
    site.server.kill()
    site.server.start()
    site.connect()
    training.batch = site.batch
    for code, job in jobs.items():
        ended = training.ended(job)
        assert ended["status"] == ("FAILED" if code else "SUCCEEDED")
        failed = "Received status from SageMaker: AlgorithmError: gone wrong, exit code: 9"
        assert ended["statusReason"] == (failed if code else DONE)
        assert ended["startedAt"] == before[code]["startedAt"]
        assert ended["latestAttempt"] == before[code]["latestAttempt"]
        assert training.stream(job) == [f"tick {number}" for number in range(1, 61)]
    found = training.job(waits)
    assert (found["status"], found["schedulingPriority"], found["tags"]) == ("RUNNABLE", 3, {"a": "b"})


def test_a_job_is_scheduled_until_its_engine_begins(relay, tmp_path, monkeypatch):
    """Also over a restart of the server; a job that is SCHEDULED has its capacity, can be updated and terminated."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{relay.path}")
    relay.take_away()
    own = Server(tmp_path / "data").start()
    try:
        site = Site(own)
        training = Training(site)
        queue = training.make_queue((UNIT, 2))
        runs, ends, waits = (training.submit(RUNS_LONG, queue=queue) for _ in range(3))
        for job in (runs, ends):
            found = training.reached(job, "SCHEDULED")
            assert found["createdAt"] <= found["scheduledAt"] and "startedAt" not in found and found["attempts"] == []
            assert found["latestAttempt"]["serviceResourceId"]["name"] == "TrainingJobArn"
        (other, one) = listed(site, queue, jobStatus="SCHEDULED")
        assert (one["jobId"], other["jobId"]) == (runs, ends)
        assert (one["status"], one["scheduledAt"]) == ("SCHEDULED", training.job(runs)["scheduledAt"])
        assert one["capacityUsage"] == [{"capacityUnit": UNIT, "quantity": 1.0}]
        assert listed(site, queue, jobStatus="STARTING") == []
        usage = site.batch.get_job_queue_snapshot(jobQueue=queue)["queueUtilization"]["totalCapacityUsage"]
        assert usage == [{"capacityUnit": UNIT, "quantity": 2.0}]
        site.batch.update_service_job(jobId=runs, schedulingPriority=5)
        scheduled = training.job(runs)["scheduledAt"]
        own.kill()
        own.start()
        site.connect()
        training.batch = site.batch
        assert (training.job(runs)["status"], training.job(runs)["scheduledAt"]) == ("SCHEDULED", scheduled)
        site.batch.terminate_service_job(jobId=ends, reason="enough")
        relay.put_back()
        found = training.reached(runs, "RUNNING")
        assert found["scheduledAt"] == scheduled <= found["startedAt"]
        ended = training.ended(ends)
        assert (ended["status"], ended["statusReason"]) == ("FAILED", "enough")
        assert "startedAt" not in ended and ended["scheduledAt"] >= ended["createdAt"]
        training.reached(waits, "RUNNING")
        site.batch.terminate_service_jobs(jobs=[runs, waits], reason="done")
        for job in (runs, waits):
            training.ended(job)
    finally:
        own.remove()


def test_a_job_is_starting_while_its_image_is_fetched(training, image, site):
    """Here from a registry that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as registry:
        image_there = f"127.0.0.1:{registry.getsockname()[1]}/some/image:1"
        job = training.submit(payload=document(algorithm={"TrainingImage": image_there}))
        found = training.reached(job, "STARTING")
        assert "startedAt" not in found and found["scheduledAt"] >= found["createdAt"]
        assert job in [each["jobId"] for each in listed(site, training.queue, jobStatus="STARTING")]
        site.batch.terminate_service_job(jobId=job, reason="enough")
        ended = training.ended(job)
        assert (ended["status"], ended["statusReason"], ended["isTerminated"]) == ("FAILED", "enough", True)


def test_containers_go_and_folders_stay(training, image, site):
    job = training.submit("echo 1 > /opt/ml/model/weights")
    training.ended(job)

    def is_gone():
        return job not in docker("ps", "--all", "--no-trunc", "--format", "{{.Labels}}", text=True)

    wait_for("the container to be removed", is_gone)
    assert (folder_of(site, job) / "model" / "weights").read_text() == "1\n"
