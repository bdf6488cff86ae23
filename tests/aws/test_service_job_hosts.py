"""Training jobs of several instances: each a container of its own, on a private network."""

import json

import pytest

from server import wait_for
from test_multi_node import HEAR, IMAGE, image, networks
from test_service_jobs import DONE, LOG_GROUP, RUNS_LONG, UNIT, Training, document, folder_of, hosts

__all__ = ["image"]


@pytest.fixture(scope="module")
def training(site):
    return Training(site)


def logs_of(site, training, job):
    """The messages of each host of the latest attempt."""
    name = training.job(job)["latestAttempt"]["serviceResourceId"]["value"].rsplit("/", 1)[1]
    streams = site.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
    found = {}
    for stream in streams:
        events = site.logs.get_log_events(
            logGroupName=LOG_GROUP, logStreamName=stream["logStreamName"], startFromHead=True
        )["events"]
        host = stream["logStreamName"].removeprefix(f"{name}/").rsplit("-", 1)[0]
        found[host] = [event["message"] for event in events]
    return found


# The first host waits for a word of the second, which finds it by its name.
MEET = f"""
    me=$(hostname)
    echo $me, $(cat /opt/ml/input/config/resourceconfig.json)
    echo $me > /opt/ml/model/$me; echo $me > /opt/ml/checkpoints/last
    if [ $me = algo-1 ]; then {HEAR}; exit; fi
    until echo from $me | nc -w 5 algo-1 7000 2> /dev/null; do sleep 0.1; done
"""


def script(text, **members):
    """A request whose image has more programs than the usual one."""
    return document(text, algorithm={"TrainingImage": IMAGE}, **members)


def test_several_instances(training, image, site):
    before = set(networks())
    queue = training.make_queue((UNIT, 3))
    payload = script(MEET, CheckpointConfig={"S3Uri": "s3://bucket/checkpoints"}, **hosts(2))
    job = training.submit(payload=payload, queue=queue)
    ended = training.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("SUCCEEDED", DONE)
    assert ended["capacityUsage"] == [{"capacityUnit": UNIT, "quantity": 2.0}]
    logs = logs_of(site, training, job)
    assert set(logs) == {"algo-1", "algo-2"}
    assert logs["algo-1"][-1] == "from algo-2"
    for host, lines in logs.items():
        me, resources = lines[0].split(", ", 1)
        group = {"instance_group_name": "homogeneousCluster", "instance_type": UNIT, "hosts": ["algo-1", "algo-2"]}
        assert me == host and json.loads(resources) == {
            "current_host": host,
            "current_instance_type": UNIT,
            "current_group_name": "homogeneousCluster",
            "hosts": ["algo-1", "algo-2"],
            "instance_groups": [group],
            "network_interface_name": "eth0",
        }
        own = folder_of(site, job) / host
        assert (own / "model" / host).read_text() == (own / "checkpoints" / "last").read_text() == f"{host}\n"
    wait_for("the network to be removed", lambda: not set(networks()) - before)


def test_a_host_that_fails_takes_the_others_with_it(training, image, site):
    text = """
        if [ $(hostname) = algo-2 ]; then echo no memory > /opt/ml/output/failure; exit 5; fi
        trap 'echo stopped; exit 143' TERM; echo waits; for i in $(seq 1200); do sleep 0.05; done
    """
    job = training.submit(payload=script(text, **hosts(3)))
    ended = training.ended(job)
    reason = "Received status from SageMaker: AlgorithmError: no memory, exit code: 5"
    assert (ended["status"], ended["statusReason"]) == ("FAILED", reason)
    logs = logs_of(site, training, job)
    assert logs.get("algo-2", []) == []
    # Terminated as a whole.
    text = "trap 'exit 143' TERM; for i in $(seq 1200); do sleep 0.05; done"
    job = training.submit(payload=script(text, **hosts(2)))
    training.reached(job, "RUNNING")
    site.batch.terminate_service_job(jobId=job, reason="enough")
    ended = training.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "enough")


def test_several_instances_wait_for_their_capacity(training, image):
    queue = training.make_queue(("NUM_INSTANCES", 3))
    first, second = (training.submit(payload=script(RUNS_LONG, **hosts(2)), queue=queue) for _ in range(2))
    training.reached(first, "RUNNING")
    assert training.job(second)["status"] == "RUNNABLE"
    snapshot = training.batch.get_job_queue_snapshot(jobQueue=queue)
    usage = snapshot["queueUtilization"]["totalCapacityUsage"]
    assert usage == [{"capacityUnit": UNIT, "quantity": 2.0}]
    training.batch.terminate_service_jobs(jobs=[first], reason="done")
    training.reached(second, "RUNNING")
    training.batch.terminate_service_jobs(jobs=[second], reason="done")
    training.ended(second)


def test_instance_groups_and_shards(training, image, site, tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)

    def channel_of(name, **source):
        source = {"S3DataType": "S3Prefix", "S3Uri": str(tmp_path), **source}
        return {"ChannelName": name, "DataSource": {"S3DataSource": source}}

    groups = [
        {"InstanceGroupName": name, "InstanceType": UNIT, "InstanceCount": count} for name, count in (("x", 2), ("y", 1))
    ]
    text = """
        cd /opt/ml/input; for channel in $(ls data); do echo $channel $(ls data/$channel); done
        cat config/resourceconfig.json; echo; cat config/inputdataconfig.json
    """
    payload = script(
        text,
        ResourceConfig={"InstanceGroups": groups, "VolumeSizeInGB": 1},
        InputDataConfig=[
            channel_of("all"),
            channel_of("parts", S3DataDistributionType="ShardedByS3Key"),
            channel_of("some", InstanceGroupNames=["y"]),
        ],
    )
    job = training.submit(payload=payload)
    ended = training.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("SUCCEEDED", DONE)
    logs = logs_of(site, training, job)
    assert logs["algo-1"][:-2] == ["all a b c", "parts a"]
    assert logs["algo-2"][:-2] == ["all a b c", "parts b"]
    assert logs["algo-3"][:-2] == ["all a b c", "parts c", "some a b c"]
    resources, inputs = (json.loads(line) for line in logs["algo-3"][-2:])
    assert (resources["current_host"], resources["current_group_name"]) == ("algo-3", "y")
    assert resources["instance_groups"] == [
        {"instance_group_name": "x", "instance_type": UNIT, "hosts": ["algo-1", "algo-2"]},
        {"instance_group_name": "y", "instance_type": UNIT, "hosts": ["algo-3"]},
    ]
    assert inputs["parts"]["S3DistributionType"] == "ShardedByS3Key" and set(inputs) == {"all", "parts", "some"}
    # What was dealt out are copies, which go; what they were made of stays.
    wait_for("the copies to be removed", lambda: not (folder_of(site, job) / "fetched").exists())
    assert (tmp_path / "a").read_text() == "a"


def test_killed_server_finds_several_instances_again(own_site, image):
    site = own_site
    training = Training(site)
    text = "for i in $(seq 60); do echo tick $i; sleep 0.05; done; [ $(hostname) = algo-1 ]"
    job = training.submit(payload=script(text, **hosts(2)))
    training.reached(job, "RUNNING")
    site.server.kill()
    site.server.start()
    site.connect()
    training.batch = site.batch
    ended = training.ended(job)
    assert ended["statusReason"] == "Received status from SageMaker: AlgorithmError: , exit code: 1"
    logs = logs_of(site, training, job)
    assert logs["algo-2"] == [f"tick {number}" for number in range(1, 61)]
