"""Nodes of multi-node parallel jobs that are tasks of several containers, or pods (sections B11.6, B11.9).

What is described, refused and overridden needs no engine: those jobs find no room. The rest runs on the Docker engine that DOCKER_HOST, or the
default socket, leads to.
"""

import ipaddress
import uuid

import pytest

from server import wait_for
from site_under_test import environment_resources, refusal
from test_multi_node import EXITED, HEAR, contained, define, image, networks, pod, pod_container, tell

__all__ = ["image"]

UNTIL_STOPPED = "trap 'exit 0' TERM; while true; do sleep 0.1; done"


def containers(**scripts):
    """A node range with a task; the first container is essential, the others are not."""
    made = [{**contained(script), "name": name, "essential": False} for name, script in scripts.items()]
    made[0]["essential"] = True
    return {"ecsProperties": {"taskProperties": [{"containers": made}]}}


def tasks(job):
    (task,) = job["ecsProperties"]["taskProperties"]
    return {container["name"]: container for container in task["containers"]}


@pytest.fixture(scope="module")
def pods(site):
    """The queue of an environment on Kubernetes."""
    cluster = f"arn:aws:eks:{site.server.access.region}:000000000000:cluster/nodes"
    environment = site.make_environment(
        eksConfiguration={"eksClusterArn": cluster, "kubernetesNamespace": "jobs"},
        computeResources=environment_resources(allocationStrategy="BEST_FIT_PROGRESSIVE"),
    )
    return site.make_queue(environment)


def test_tasks_of_nodes_are_described_node_by_node(site):
    big = contained("true")
    big["resourceRequirements"][0]["value"] = "40"
    ranges = {"0": containers(app="echo Ref::word", side="true"), "1:": big}
    definition = define(site, ranges, count=3, parameters={"word": "one"})
    override = {
        "targetNodes": "0",
        "ecsPropertiesOverride": {
            "taskProperties": [{"containers": [{"name": "side", "command": ["echo", "Ref::word"]}]}]
        },
    }
    job = site.submit(
        definition, parameters={"word": "two"}, nodeOverrides={"nodePropertyOverrides": [override]}
    )
    assert site.reached(job, "RUNNABLE")["status"] == "RUNNABLE"
    main, other = (site.job(f"{job}#{index}") for index in (0, 2))
    assert "container" not in main and main["nodeDetails"] == {"nodeIndex": 0, "isMainNode": True}
    assert {name: each["command"] for name, each in tasks(main).items()} == {
        "app": ["sh", "-c", "echo two"],
        "side": ["echo", "two"],
    }
    assert "ecsProperties" not in other and other["container"]["command"] == ["sh", "-c", "true"]
    shown = site.job(job)["nodeProperties"]["nodeRangeProperties"][0]["ecsProperties"]["taskProperties"][0]
    assert [each["command"] for each in shown["containers"]] == [["sh", "-c", "echo two"], ["echo", "two"]]
    site.batch.terminate_job(jobId=job, reason="enough")
    assert refusal(
        site.batch.submit_job,
        jobName="refused",
        jobQueue=site.queue,
        jobDefinition=definition,
        nodeOverrides={
            "nodePropertyOverrides": [
                {
                    "targetNodes": "0",
                    "ecsPropertiesOverride": {"taskProperties": [{"containers": [{"name": "absent"}]}]},
                }
            ]
        },
    ) == (
        "ClientException",
        "ecsPropertiesOverride names the container absent, which the definition does not have.",
    )


def test_pods_of_nodes_are_described_node_by_node(site, pods):
    big = pod_container(resources={"limits": {"cpu": "40", "memory": "64Mi"}}, command=["sh", "Ref::word"])
    definition = define(site, {"0": pod(), "1:": pod(big)}, count=2, parameters={"word": "one"})
    override = {
        "targetNodes": "0",
        "eksPropertiesOverride": {"podProperties": {"containers": [{"image": "other", "args": ["Ref::word"]}]}},
    }
    job = site.submit(definition, pods, nodeOverrides={"nodePropertyOverrides": [override]})
    site.reached(job, "RUNNABLE")
    main, other = (site.job(f"{job}#{index}") for index in (0, 1))
    for each in (main, other):
        assert not {"container", "ecsProperties"} & set(each), each
        assert each["eksAttempts"] == [] and each["platformCapabilities"] == []
    (container,) = main["eksProperties"]["podProperties"]["containers"]
    assert (container["image"], container["args"]) == ("other", ["one"])
    (container,) = other["eksProperties"]["podProperties"]["containers"]
    assert (container["image"], container["command"]) == ("busybox", ["sh", "one"])
    site.batch.terminate_job(jobId=job, reason="enough")
    override["targetNodes"] = "1:"
    del override["eksPropertiesOverride"]
    override["containerOverrides"] = {"command": ["true"]}
    code, text = refusal(
        site.batch.submit_job,
        jobName="refused",
        jobQueue=pods,
        jobDefinition=definition,
        nodeOverrides={"nodePropertyOverrides": [override]},
    )
    assert (code, text) == (
        "ClientException",
        "containerOverrides is not applicable for definitions with eksProperties.",
    )


def test_tasks_of_nodes_reach_one_another(site, image):  # noqa: F811
    address = "$AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"
    ranges = {
        "0": containers(app=f"echo ready; {HEAR}; hostname", side=UNTIL_STOPPED),
        "1": containers(app=UNTIL_STOPPED, side=f"echo {address}; {tell('from $AWS_BATCH_JOB_ID', address)}"),
        "2": contained(UNTIL_STOPPED),
    }
    job = site.submit(define(site, ranges, count=3))
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("SUCCEEDED", EXITED), ended
    main, other = (site.ended(f"{job}#{index}") for index in (0, 1))
    assert (tasks(main)["app"]["exitCode"], tasks(main)["side"]["exitCode"]) == (0, 0)
    assert site.stream(tasks(main)["app"]["logStreamName"]) == ["ready", f"from {job}#1", "node-0"]
    (seen,) = site.stream(tasks(other)["side"]["logStreamName"])
    assert ipaddress.ip_address(seen).is_private
    (attempt,) = main["attempts"]
    assert [each["name"] for each in attempt["taskProperties"][0]["containers"]] == ["app", "side"]
    # What held the nodes' place on their network goes with them.
    task = main["ecsProperties"]["taskProperties"][0]["taskArn"].rsplit("/", 1)[1]
    wait_for("the network to be removed", lambda: f"batchyard-{task}" not in networks())


def test_a_killed_server_finds_tasks_of_nodes_again(own_site, image):  # noqa: F811
    site = own_site
    ranges = {"0": containers(app=f"{HEAR}; exit 3", side=UNTIL_STOPPED), "1": containers(app=tell("go", "node-0"))}
    job = site.submit(define(site, ranges))
    site.reached(f"{job}#0", "RUNNING")
    site.server.kill()
    site.server.start()
    site.connect()
    ended = site.ended(job)
    assert (ended["status"], tasks(site.job(f"{job}#0"))["app"]["exitCode"]) == ("FAILED", 3)
    assert site.ended(f"{job}#1")["status"] in ("SUCCEEDED", "FAILED")


def test_pods_of_nodes_run(site, pods, image):  # noqa: F811
    resources = {"limits": {"cpu": "1", "memory": "32Mi"}}
    main = {"image": image, "command": ["sh", "-c", f"{HEAR}; hostname"], "resources": resources}
    other = {"image": image, "command": ["sh", "-c", tell("from a pod", "node-0")], "resources": resources}
    job = site.submit(define(site, {"0": pod(main), "1": pod(other)}), pods)
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("SUCCEEDED", EXITED), ended
    found = site.ended(f"{job}#0")
    assert len(found["eksAttempts"]) == 1
    properties = found["eksProperties"]["podProperties"]
    assert properties["containers"][0]["exitCode"] == 0
    name = found["jobDefinition"].rpartition("/")[2].rpartition(":")[0]
    pod_id = uuid.UUID(properties["podName"].removeprefix("aws-batch.")).hex
    assert site.stream(f"{name}/Default/{pod_id}") == ["from a pod", "node-0"]
