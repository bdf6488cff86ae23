"""Multi-node parallel jobs (section B.11): nodes that start together, follow their main node, and are described one by one."""

import ipaddress
import shutil
import subprocess
from pathlib import Path

import pytest

from server import BINARY, wait_for
from site_under_test import environment_resources, fargate_resources, refusal, unique

EXITED = "Essential container in task exited"


def node(script, vcpus=1, image="host:///"):
    """A container of a node range."""
    return {
        "image": image,
        "command": ["sh", "-c", script],
        "resourceRequirements": [{"type": "VCPU", "value": str(vcpus)}, {"type": "MEMORY", "value": "64"}],
    }


def define(site, ranges, count=2, main=0, **more):
    """Registers a definition; `ranges` are containers by target."""
    made = site.batch.register_job_definition(
        jobDefinitionName=unique("nodes"),
        type="multinode",
        nodeProperties={
            "numNodes": count,
            "mainNode": main,
            "nodeRangeProperties": [
                {"targetNodes": target, **(one if {"ecsProperties", "eksProperties"} & set(one) else {"container": one})}
                for target, one in ranges.items()
            ],
        },
        **more,
    )
    return made["jobDefinitionArn"]


def pod_container(**more):
    return {"image": "busybox", "resources": {"limits": {"cpu": "1", "memory": "64Mi"}}, **more}


def pod(container=None, **more):
    """A node range with a pod."""
    return {"eksProperties": {"podProperties": {"containers": [container or pod_container()], **more}}}


def until(*paths):
    """Shell words that wait for files."""
    return " ".join(f"until test -e {path}; do sleep 0.05; done;" for path in paths)


def summaries(site, job, **more):
    listed = site.batch.list_jobs(multiNodeJobId=job, **more)["jobSummaryList"]
    return {summary["jobId"]: summary for summary in listed}


def test_two_nodes_end_with_the_main_one(site, tmp_path):
    ranges = {"0": node(f"{until(tmp_path / 'go')} echo main"), "1:": node("echo other")}
    job = site.submit(define(site, ranges))
    site.ended(f"{job}#1")
    assert site.job(job)["status"] == site.job(f"{job}#0")["status"] == "RUNNING"
    (tmp_path / "go").touch()
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("SUCCEEDED", EXITED)
    assert "container" not in ended and "nodeDetails" not in ended
    assert (ended["nodeProperties"]["numNodes"], ended["nodeProperties"]["mainNode"]) == (2, 0)
    nodes = [site.job(f"{job}#{index}") for index in (0, 1)]
    for index, one in enumerate(nodes):
        assert one["jobId"] == f"{job}#{index}"
        assert one["jobArn"].endswith(f":job/{job}#{index}")
        assert one["nodeDetails"] == {"nodeIndex": index, "isMainNode": index == 0}
        assert "nodeProperties" not in one and "arrayProperties" not in one
        assert (one["status"], one["container"]["exitCode"]) == ("SUCCEEDED", 0)
        assert len(one["attempts"]) == 1
    assert [site.log(one) for one in nodes] == [["main"], ["other"]]
    # The job's times and attempts are its main node's; the other started when that ran.
    main = nodes[0]
    assert (ended["startedAt"], ended["stoppedAt"]) == (main["startedAt"], main["stoppedAt"])
    assert ended["attempts"] == main["attempts"]
    assert nodes[1]["startedAt"] >= main["startedAt"]


def test_nodes_know_their_place(site, tmp_path):
    script = "env | grep '^AWS_BATCH_' | sort"
    wait = until(tmp_path / "0", tmp_path / "2")
    other = node(f"{script}; touch {tmp_path}/$AWS_BATCH_JOB_NODE_INDEX")
    ranges = {":": other, "1": node(f"{script}; {wait}")}
    job = site.submit(define(site, ranges, count=3, main=1))
    site.ended(job)
    for index in range(3):
        seen = dict(line.split("=", 1) for line in site.log(f"{job}#{index}"))
        assert seen["AWS_BATCH_JOB_ID"] == f"{job}#{index}"
        assert seen["AWS_BATCH_JOB_ATTEMPT"] == "1"
        assert seen["AWS_BATCH_JQ_NAME"] == site.queue
        assert seen["AWS_BATCH_JOB_NODE_INDEX"] == str(index)
        assert seen["AWS_BATCH_JOB_NUM_NODES"] == "3"
        assert seen["AWS_BATCH_JOB_MAIN_NODE_INDEX"] == "1"
        assert seen.get("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS") == (None if index == 1 else "127.0.0.1")
        assert not any("ARRAY" in name for name in seen)


def test_the_main_node_decides(site, tmp_path):
    # The other's death changes nothing; the main node waits until it has happened.
    job = site.submit(define(site, {"0": node(until(tmp_path / "go")), "1": node("exit 9")}))
    other = site.ended(f"{job}#1")
    (tmp_path / "go").touch()
    assert site.ended(job)["status"] == "SUCCEEDED"
    assert (other["status"], other["statusReason"], other["container"]["exitCode"]) == ("FAILED", EXITED, 9)
    # And the main node's failure is the job's, whatever the others come to.
    job = site.submit(define(site, {"0": node(f"{until(tmp_path / 'fail')} exit 4"), "1": node("exit 0")}))
    site.ended(f"{job}#1")
    (tmp_path / "fail").touch()
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", EXITED)
    assert ended["attempts"][0]["container"]["exitCode"] == 4
    assert site.job(f"{job}#1")["status"] == "SUCCEEDED"
    (summary,) = [
        each
        for each in site.batch.list_jobs(jobQueue=site.queue, jobStatus="FAILED")["jobSummaryList"]
        if each["jobId"] == job
    ]
    assert (summary["container"]["exitCode"], summary["nodeProperties"]) == (4, {"numNodes": 2})


def test_assumed_nodes_that_are_stopped_with_the_main_node_stand_as_it_does(site, tmp_path):
    for code, status in [(0, "SUCCEEDED"), (3, "FAILED")]:
        wait = until(tmp_path / str(code))
        job = site.submit(define(site, {"0": node(f"{wait} exit {code}"), "1": node("exec sleep 600")}))
        site.reached(f"{job}#1", "RUNNING")
        (tmp_path / str(code)).touch()
        ended, other = site.ended(job), site.job(f"{job}#1")
        assert (ended["status"], other["status"]) == (status, status)
        assert (other["statusReason"], other["container"]["exitCode"]) == ("Main node of the job ended", 143)


def test_a_retry_runs_all_nodes_again(site, tmp_path):
    # Fails the first time, when the other node has run.
    main = f"""
        echo main $AWS_BATCH_JOB_ATTEMPT
        {until(tmp_path / "other-$AWS_BATCH_JOB_ATTEMPT")}
        test $AWS_BATCH_JOB_ATTEMPT = 2"""
    other = f"echo other $AWS_BATCH_JOB_ATTEMPT; touch {tmp_path}/other-$AWS_BATCH_JOB_ATTEMPT; exit 5"
    job = site.submit(define(site, {"0": node(main), "1": node(other)}, retryStrategy={"attempts": 3}))
    ended = site.ended(job)
    assert (ended["status"], len(ended["attempts"])) == ("SUCCEEDED", 2)
    assert [attempt["container"]["exitCode"] for attempt in ended["attempts"]] == [1, 0]
    for index, word in enumerate(("main", "other")):
        found = site.job(f"{job}#{index}")
        assert [site.log(found, attempt) for attempt in (0, 1)] == [[f"{word} 1"], [f"{word} 2"]]
        streams = {attempt["container"]["logStreamName"] for attempt in found["attempts"]}
        assert len(streams) == 2


def test_terminate_stops_all_nodes(site):
    script = "trap 'echo stopping; exit 3' TERM; echo ready; while true; do sleep 0.05; done"
    job = site.submit(define(site, {"0:": node(script)}, count=3, retryStrategy={"attempts": 5}))
    for index in range(3):
        stream = site.reached(f"{job}#{index}", "RUNNING")["container"]["logStreamName"]
        wait_for("the trap to be set", lambda stream=stream: "ready" in site.stream(stream))
    assert {each["status"] for each in summaries(site, job).values()} == {"RUNNING"}
    site.batch.terminate_job(jobId=job, reason="enough")
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"], ended["isTerminated"]) == ("FAILED", "enough", True)
    for index in range(3):
        found = site.job(f"{job}#{index}")
        assert (found["status"], found["statusReason"], found["container"]["exitCode"]) == ("FAILED", "enough", 3)
        # The shell tells of the sleep that was killed with it.
        lines = site.log(found)
        assert (lines[0], lines[-1]) == ("ready", "stopping")


def test_assumed_terminate_of_one_node_is_its_death(site, tmp_path):
    ranges = {"0": node(until(tmp_path / "go")), "1": node("exec sleep 600")}
    job = site.submit(define(site, ranges))
    site.reached(f"{job}#1", "RUNNING")
    site.batch.terminate_job(jobId=f"{job}#1", reason="only this one")
    other = site.ended(f"{job}#1")
    assert (other["status"], other["statusReason"], other["isTerminated"]) == ("FAILED", "only this one", True)
    assert site.job(job)["status"] == "RUNNING"
    (tmp_path / "go").touch()
    assert site.ended(job)["status"] == "SUCCEEDED"


def explanation(site, job):
    access = site.server.access
    ended = subprocess.run(
        [BINARY, "explain", job], env=access.environment(), capture_output=True, text=True, check=True, timeout=60
    )
    return ended.stdout


def test_the_command_line_knows_nodes(site):
    job = site.submit(define(site, {"0": node("exec sleep 600"), "1": node("echo main; exit 3")}, main=1))
    assert site.ended(job)["status"] == "FAILED"
    for each, text in [(job, "main\n"), (f"{job}#1", "main\n"), (f"{job}#0", "")]:
        command = [BINARY, "logs", each]
        ended = subprocess.run(
            command, env=site.server.access.environment(), capture_output=True, text=True, check=True, timeout=60
        )
        assert ended.stdout == text
    assert f"{job}#1 has ended: FAILED (Essential container in task exited), exit code 3" in explanation(site, f"{job}#1")
    assert f"{job} has ended: FAILED" in explanation(site, job)


def test_a_gang_waits_for_all_its_places(site, tmp_path):
    environment = site.make_environment(computeResources=environment_resources(maxvCpus=2))
    queue = site.make_queue(environment)
    first = site.submit(site.shell(until(tmp_path / "go")), queue)
    site.reached(first, "RUNNING")
    definition = define(site, {"0:": node("echo done")})
    job = site.submit(definition, queue)
    cancelled = site.submit(definition, queue)
    behind = site.submit(site.shell("true"), queue)
    for waiting in (job, f"{job}#0", f"{job}#1", behind):
        assert site.job(waiting)["status"] == "RUNNABLE"
    text = explanation(site, job)
    assert "its 2 nodes need 2 vCPU" in text and f"{environment} holds 1 of the 2 vCPU" in text
    assert f"{job}#1 is RUNNABLE" in explanation(site, f"{job}#1")
    listed = summaries(site, job, jobStatus="RUNNABLE")
    assert listed[f"{job}#0"]["nodeProperties"] == {"isMainNode": True, "nodeIndex": 0, "numNodes": 2}
    assert listed[f"{job}#1"]["nodeProperties"] == {"isMainNode": False, "nodeIndex": 1, "numNodes": 2}
    assert listed[f"{job}#1"]["jobArn"].endswith(f":job/{job}#1")
    assert summaries(site, job) == summaries(site, job, jobStatus="SUCCEEDED") == {}
    site.batch.cancel_job(jobId=cancelled, reason="not needed")
    for each in (cancelled, f"{cancelled}#1"):
        found = site.job(each)
        assert (found["status"], found["statusReason"], found["isCancelled"]) == ("FAILED", "not needed", True)
        assert found["attempts"] == [] and "startedAt" not in found
    (tmp_path / "go").touch()
    assert site.ended(job)["status"] == "SUCCEEDED"
    assert site.ended(behind)["status"] == "SUCCEEDED"
    # Stopped with the main node or ended before: with it the other has succeeded too.
    assert set(summaries(site, job, jobStatus="SUCCEEDED")) == {f"{job}#0", f"{job}#1"}
    page = site.batch.list_jobs(multiNodeJobId=job, jobStatus="SUCCEEDED", maxResults=1)
    assert [each["jobId"] for each in page["jobSummaryList"]] == [f"{job}#0"]
    rest = summaries(site, job, jobStatus="SUCCEEDED", nextToken=page["nextToken"])
    assert list(rest) == [f"{job}#1"]


def test_each_node_has_an_instance_of_its_own(site):
    resources = environment_resources(instanceTypes=["m5.large", "m5.xlarge"], maxvCpus=4)
    queue = site.make_queue(site.make_environment(computeResources=resources))
    job = site.submit(define(site, {"0": node("true"), "1": node("true")}), queue)
    assert site.ended(job)["status"] == "SUCCEEDED"
    instances = {site.job(f"{job}#{index}")["container"]["containerInstanceArn"] for index in (0, 1)}
    assert len(instances) == 2


def test_nodes_may_ask_for_an_instance_type(site):
    resources = environment_resources(instanceTypes=["m5.large"], maxvCpus=4)
    queue = site.make_queue(site.make_environment(computeResources=resources))
    wanted = {**node("true"), "instanceType": "m5.xlarge"}
    definition = define(site, {":": wanted})
    job = site.submit(definition, queue)
    assert "has no instances of type m5.xlarge, which the job asks for" in explanation(site, job)
    site.batch.cancel_job(jobId=job, reason="not needed")
    overrides = [{"targetNodes": ":", "containerOverrides": {"instanceType": "m5.large"}}]
    job = site.submit(definition, queue, nodeOverrides={"nodePropertyOverrides": overrides})
    assert site.ended(job)["status"] == "SUCCEEDED"
    assert site.job(f"{job}#1")["container"]["instanceType"] == "m5.large"
    answer = refusal(
        site.batch.submit_job,
        jobName="refused",
        jobQueue=queue,
        jobDefinition=define(site, {":": {**wanted, "instanceType": "m99.large"}}),
    )
    assert answer == ("ClientException", "m99.large is not an instance type that is known here")


def test_dependencies(site):
    first = site.submit(define(site, {"0:": node("true")}))
    job = site.submit(define(site, {"0:": node("true")}), dependsOn=[{"jobId": first}])
    last = site.submit(site.shell("true"), dependsOn=[{"jobId": job}])
    assert site.job(f"{job}#1")["status"] in ("PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED")
    assert site.ended(last)["status"] == "SUCCEEDED"
    assert site.job(job)["startedAt"] >= site.job(first)["stoppedAt"]
    failed = site.submit(define(site, {"0:": node("exit 1")}))
    job = site.submit(define(site, {"0:": node("true")}), dependsOn=[{"jobId": failed}])
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "Dependent Job failed")
    node_of = site.job(f"{job}#1")
    assert (node_of["status"], node_of["statusReason"]) == ("FAILED", "Dependent Job failed")
    text = refusal(
        site.batch.submit_job,
        jobName="after-a-node",
        jobQueue=site.queue,
        jobDefinition=site.shell("true"),
        dependsOn=[{"jobId": f"{last}#0"}],
    )
    assert text == ("ClientException", f"Job {last}#0 in dependsOn not found.")


def test_ids_of_nodes_and_children_are_told_apart(site):
    nodes = site.submit(define(site, {"0:": node("true")}))
    array = site.submit(site.shell("true"), arrayProperties={"size": 2})
    for job in (nodes, array):
        site.ended(job)
    asked = [f"{nodes}:0", f"{nodes}#2", f"{array}#0", f"{nodes}#1", f"{array}:1", nodes]
    found = site.batch.describe_jobs(jobs=asked)["jobs"]
    assert {each["jobId"] for each in found} == {f"{nodes}#1", f"{array}:1", nodes}
    # An ARN names a node as well.
    assert site.job(site.make_arn("job", f"{nodes}#1"))["nodeDetails"]["nodeIndex"] == 1
    assert site.batch.list_jobs(arrayJobId=nodes, jobStatus="SUCCEEDED")["jobSummaryList"] == []
    assert site.batch.list_jobs(multiNodeJobId=array, jobStatus="SUCCEEDED")["jobSummaryList"] == []


def test_overrides(site, tmp_path):
    wait = until(*(tmp_path / str(index) for index in (1, 2, 3)))
    ranges = {"0": node(f"echo $NAME $AWS_BATCH_JOB_NUM_NODES; {wait}"), "1:": node("echo $NAME")}
    overrides = {
        "numNodes": 4,
        "nodePropertyOverrides": [
            {"targetNodes": "0", "containerOverrides": {"environment": [{"name": "NAME", "value": "main"}]}},
            {
                "targetNodes": "1:",
                "containerOverrides": {
                    "command": ["sh", "-c", f"echo other $NAME Ref::what; touch {tmp_path}/$AWS_BATCH_JOB_NODE_INDEX"],
                    "environment": [{"name": "NAME", "value": "blue"}],
                    "resourceRequirements": [{"type": "VCPU", "value": "2"}],
                },
            },
        ],
    }
    job = site.submit(
        define(site, ranges, parameters={"what": "a"}),
        nodeOverrides=overrides,
        parameters={"what": "b"},
        retryStrategy={"attempts": 2},
        timeout={"attemptDurationSeconds": 99},
    )
    ended = site.ended(job)
    assert (ended["status"], ended["nodeProperties"]["numNodes"]) == ("SUCCEEDED", 4)
    assert (ended["retryStrategy"]["attempts"], ended["timeout"]["attemptDurationSeconds"]) == (2, 99)
    assert ended["parameters"] == {"what": "b"}
    shown = ended["nodeProperties"]["nodeRangeProperties"][1]
    assert (shown["targetNodes"], shown["container"]["command"][2]) == ("1:", f"echo other $NAME b; touch {tmp_path}/$AWS_BATCH_JOB_NODE_INDEX")
    assert site.log(f"{job}#0") == ["main 4"]
    for index in (1, 2, 3):
        found = site.job(f"{job}#{index}")
        assert found["container"]["environment"] == [{"name": "NAME", "value": "blue"}]
        assert {"type": "VCPU", "value": "2"} in found["container"]["resourceRequirements"]
        assert site.log(found) == ["other blue b"]
    listed = summaries(site, job, jobStatus="SUCCEEDED")
    assert {each: listed[each]["capacityUsage"][0]["quantity"] for each in listed} == {f"{job}#0": 1, f"{job}#1": 2, f"{job}#2": 2, f"{job}#3": 2}


def test_narrower_ranges_win(site, tmp_path):
    wait = until(*(tmp_path / str(index) for index in (0, 1, 2)))
    echo = f"touch {tmp_path}/$AWS_BATCH_JOB_NODE_INDEX; echo"
    ranges = {"0:3": node(f"{echo} wide"), "1:2": node(f"{echo} narrow"), "2": node(f"{echo} one"), "3": node(wait)}
    job = site.submit(define(site, ranges, count=4, main=3))
    site.ended(job)
    assert [site.log(f"{job}#{index}") for index in range(3)] == [["wide"], ["narrow"], ["one"]]


def task(script, *more):
    """A range whose container comes in ecsProperties."""
    container = {**node(script), "name": "step", "essential": True}
    return {"ecsProperties": {"taskProperties": [{"containers": [container, *more]}]}}


def test_a_range_with_a_task_of_one_container(site, tmp_path):
    job = site.submit(
        define(site, {"0": node(until(tmp_path / "go")), "1": task("echo plain")}),
        nodeOverrides={
            "nodePropertyOverrides": [
                {
                    "targetNodes": "1",
                    "ecsPropertiesOverride": {
                        "taskProperties": [{"containers": [{"name": "step", "command": ["echo", "changed"]}]}]
                    },
                }
            ]
        },
    )
    found = site.ended(f"{job}#1")
    (tmp_path / "go").touch()
    assert site.ended(job)["status"] == "SUCCEEDED"
    (shown,) = found["ecsProperties"]["taskProperties"][0]["containers"]
    assert "container" not in found and (shown["command"], shown["exitCode"]) == (["echo", "changed"], 0)
    assert site.stream(shown["logStreamName"]) == ["changed"]


REFUSED = {
    "array": ({"arrayProperties": {"size": 2}}, "A multi-node parallel job cannot be an array job."),
    "targets": (
        {"nodeOverrides": {"nodePropertyOverrides": [{"targetNodes": "0:0"}]}},
        "NodeOverride targets should match job definition. Non matching targets - 0:0",
    ),
    "closed ranges": (
        {"nodeOverrides": {"numNodes": 3}},
        "numNodes can only be overridden where the job definition has an open-ended node range, such as 1: or 0:.",
    ),
    "container overrides": (
        {"containerOverrides": {"command": ["true"]}},
        "containerOverrides and ecsPropertiesOverride are not applicable for multi-node parallel jobs; use nodeOverrides.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(site, case):
    request, text = REFUSED[case]
    definition = define(site, {"0": node("true"), "1": node("true")})
    answer = refusal(
        site.batch.submit_job, jobName="refused", jobQueue=site.queue, jobDefinition=definition, **request
    )
    assert answer == ("ClientException", text)


def test_numbers_of_nodes_that_do_not_fit_the_ranges(site):
    definition = define(site, {"0:2": node("true"), "3:": node("true")}, count=5, main=2)
    submit = {"jobName": "refused", "jobQueue": site.queue, "jobDefinition": definition}
    for count, text in [
        (0, "Number of nodes must be between 1 and 1000."),
        (1001, "Number of nodes must be between 1 and 1000."),
        (3, "Node range 3: of the job definition is out of range for numNodes 3."),
    ]:
        answer = refusal(site.batch.submit_job, nodeOverrides={"numNodes": count}, **submit)
        assert answer == ("ClientException", text)
    main = define(site, {":": node("true")}, count=5, main=4)
    answer = refusal(site.batch.submit_job, nodeOverrides={"numNodes": 4}, **{**submit, "jobDefinition": main})
    assert answer == ("ClientException", "Main node index is out of range, must be less than numNodes.")


def test_node_overrides_of_other_jobs(site):
    answer = refusal(
        site.batch.submit_job,
        jobName="refused",
        jobQueue=site.queue,
        jobDefinition=site.shell("true"),
        nodeOverrides={"numNodes": 2},
    )
    assert answer == ("ClientException", "nodeOverrides is only applicable for multi-node parallel jobs.")


def test_queues_that_cannot_run_nodes(site):
    definition = define(site, {":": node("true")})
    resources = environment_resources(type="SPOT", spotIamFleetRole="arn:aws:iam::000000000000:role/fleet")
    spot = site.make_environment(computeResources=resources)
    fargate = site.make_environment(computeResources=fargate_resources())
    unmanaged = site.make_environment(type="UNMANAGED")
    submit = {"jobName": "refused", "jobDefinition": definition}
    for environment in (spot, unmanaged):
        queue = site.make_queue(environment)
        assert refusal(site.batch.submit_job, jobQueue=queue, **submit) == (
            "ClientException",
            f"JobQueue {queue} has no compute environment that can run multi-node parallel jobs:"
            " they need EC2 On-Demand capacity.",
        )
    answer = refusal(site.batch.submit_job, jobQueue=site.make_queue(fargate), **submit)
    assert answer[1].endswith("can not run Jobs with capability EC2")
    # One that can is enough, and is the one that is used.
    queue = site.make_queue(spot, site.environment)
    job = site.ended(site.submit(definition, queue))
    assert job["status"] == "SUCCEEDED"


def test_ranges_that_do_not_run_here(site):
    several = task("true", {**node("true"), "name": "side", "essential": False})
    begin = "Jobs of this definition are not served by this version of Batchyard: node range "
    for ranges, text in [
        (
            {"0": node("true"), "1": several},
            f"{begin}1: process containers (image host://) run alone, not in a task of several",
        ),
        (
            {"0": node("true"), "1": node("true", image="busybox")},
            "The nodes of a job must either all be processes (image host://) or all be containers.",
        ),
        (
            {"0": pod(), "1": node("true", image="busybox")},
            "The node ranges of a job must either all have eksProperties or none of them.",
        ),
        (
            {"0:": pod(initContainers=[pod_container()])},
            f"{begin}0:: containers and initContainers must have different names, and two have the name Default",
        ),
    ]:
        definition = define(site, ranges)
        answer = refusal(site.batch.submit_job, jobName="refused", jobQueue=site.queue, jobDefinition=definition)
        assert answer == ("ClientException", text)
    answer = refusal(
        site.batch.submit_job, jobName="refused", jobQueue=site.queue, jobDefinition=define(site, {"0:": pod()})
    )
    assert answer[1].endswith("can not run Jobs with capability EKS")


def test_killed_server_finds_the_nodes_again(own_site, tmp_path):
    site = own_site
    ticks = f"for i in $(seq 40); do echo tick $i; echo $i >> {tmp_path}/$AWS_BATCH_JOB_NODE_INDEX; sleep 0.05; done"
    ends = until(tmp_path / "go") + "exit $((AWS_BATCH_JOB_NODE_INDEX + 1))"
    running = site.submit(define(site, {"0:": node(f"{ticks}; {ends}")}, count=3, main=2))
    # The main node of this one has ended when the server goes, and what follows from that is to follow later.
    ending = site.submit(
        define(site, {"0": node(f"{until(tmp_path / 'end')} exit 6"), "1:": node("exec sleep 600")})
    )
    # And this one has not begun.
    waiting = site.submit(define(site, {"0:": node("true", vcpus=40)}))
    nodes = [f"{running}#{index}" for index in range(3)]
    for each in (*nodes, f"{ending}#1"):
        site.reached(each, "RUNNING")
    before = site.jobs([running, waiting, *nodes])
    site.server.kill()
    (tmp_path / "end").touch()
    numbers = [str(number) for number in range(1, 41)]
    wait_for("the ticks", lambda: all((tmp_path / str(index)).read_text().split() == numbers for index in range(3)))
    site.server.start()
    site.connect()
    found = site.ended(ending)
    assert (found["status"], found["attempts"][0]["container"]["exitCode"]) == ("FAILED", 6)
    found = site.ended(f"{ending}#1")
    assert (found["statusReason"], found["container"]["exitCode"]) == ("Main node of the job ended", 143)
    assert site.job(running)["status"] == "RUNNING"
    assert site.job(waiting)["status"] == before[waiting]["status"]
    (tmp_path / "go").touch()
    found = site.ended(running)
    assert (found["status"], found["startedAt"]) == ("FAILED", before[running]["startedAt"])
    assert found["attempts"][0]["container"]["exitCode"] == 3
    for each in nodes:
        found = site.job(each)
        assert found["startedAt"] == before[each]["startedAt"]
        assert found["container"]["taskArn"] == before[each]["container"]["taskArn"]
        assert site.log(found) == [f"tick {number}" for number in numbers]


# Nodes as containers of the Docker engine that DOCKER_HOST, or the default socket, leads to.

IMAGE = "batchyard/test-nodes"
PROGRAMS = ["sh", "cat", "echo", "env", "hostname", "nc", "seq", "sleep", "touch", "true"]


def docker(*arguments, **options):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, **options).stdout


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A small image of this machine's busybox; nothing is pulled."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode != 0:
        pytest.skip("no Docker engine answers")
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("no busybox is installed")
    root = tmp_path_factory.mktemp("image") / "root"
    libraries = subprocess.run(["ldd", busybox], capture_output=True, text=True).stdout.split()
    for path in [word for word in libraries if word.startswith("/")]:
        target = root / Path(path).relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for name in ("bin", "tmp", "proc", "dev", "etc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(busybox, root / "bin" / "busybox")
    for program in PROGRAMS:
        (root / "bin" / program).symlink_to("busybox")
    tar = subprocess.run(["tar", "--create", "--directory", root, "."], check=True, capture_output=True).stdout
    docker("import", "--change", "ENV PATH=/bin", "-", IMAGE, input=tar)
    return IMAGE


def contained(script):
    return node(script, image=IMAGE)


# The two ends of a connection can miss one another's words, as neither waits for more than the end of its own: both try again.
HEAR = "until test -s /tmp/heard; do nc -l -p 7000 > /tmp/heard; done; cat /tmp/heard"


def tell(words, host):
    once = f'echo "{words}" | nc -w 5 {host} 7000 2> /dev/null'
    return f"trap 'exit 0' TERM; while true; do {once} & wait $!; sleep 0.1; done"


def networks():
    return docker("network", "ls", "--format", "{{.Name}}", text=True).split()


def test_containers_reach_one_another(site, image):
    address = "$AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"
    other = f"echo {address}; {tell('from $AWS_BATCH_JOB_ID', address)}"
    ranges = {"0": contained(other), "1": contained(f"echo ready; {HEAR}; hostname")}
    job = site.submit(define(site, ranges, main=1))
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("SUCCEEDED", EXITED)
    assert site.log(f"{job}#1") == ["ready", f"from {job}#0", "node-1"]
    (address,) = site.log(f"{job}#0")
    assert ipaddress.ip_address(address).is_private
    # By name as well, and again in the next attempt, on another network.
    main = contained(f"{HEAR}; exit $((2 - AWS_BATCH_JOB_ATTEMPT))")
    ranges = {"0": main, "1:": contained(tell("$AWS_BATCH_JOB_ATTEMPT", "node-0"))}
    job = site.submit(define(site, ranges, retryStrategy={"attempts": 2}))
    ended = site.ended(job)
    assert ended["status"] == "SUCCEEDED"
    assert [site.log(f"{job}#0", attempt) for attempt in (0, 1)] == [["1"], ["2"]]


def test_networks_are_removed_at_the_end(site, image):
    job = site.submit(define(site, {"0:": contained("true")}, count=3))
    assert site.ended(job)["status"] == "SUCCEEDED"
    name = "batchyard-" + site.job(f"{job}#0")["container"]["taskArn"].rsplit("/", 1)[1]
    wait_for("the network to be removed", lambda: name not in networks())


def test_assumed_a_node_without_an_image_ends_the_attempt(site, image):
    absent = node("true", image="127.0.0.1:1/no/such:image")
    ranges = {"0:1": contained("trap 'exit 0' TERM; while true; do sleep 0.1; done"), "2": absent}
    job = site.submit(define(site, ranges, count=3))
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "Task failed to start")
    assert ended["attempts"][0]["container"]["reason"].startswith("CannotPullContainerError: ")
    assert site.job(f"{job}#1")["statusReason"] == "Another node of the job failed to start"
    found = site.job(f"{job}#2")
    assert found["statusReason"] == "Task failed to start"
    assert found["container"]["reason"].startswith("CannotPullContainerError: ")


def test_killed_server_finds_containers_and_their_network_again(own_site, image):
    site = own_site
    late = tell("late", "$AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS")
    other = contained(f"for i in $(seq 40); do echo tick $i; sleep 0.05; done; {late}")
    job = site.submit(define(site, {"0": contained(f"echo ready; {HEAR}; exit 7"), "1": other}))
    stream = site.reached(f"{job}#1", "RUNNING")["container"]["logStreamName"]
    wait_for("the first tick", lambda: "tick 1" in site.stream(stream))
    before = site.job(f"{job}#1")
    name = "batchyard-" + site.job(f"{job}#0")["container"]["taskArn"].rsplit("/", 1)[1]
    assert name in networks()
    site.server.kill()
    site.server.start()
    site.connect()
    ended = site.ended(job)
    assert (ended["status"], ended["attempts"][0]["container"]["exitCode"]) == ("FAILED", 7)
    assert site.log(f"{job}#0") == ["ready", "late"]
    found = site.job(f"{job}#1")
    assert found["startedAt"] == before["startedAt"]
    assert site.log(found) == [f"tick {number}" for number in range(1, 41)]
    wait_for("the network to be removed", lambda: name not in networks())
