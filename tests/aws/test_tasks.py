"""Jobs of several containers (`ecsProperties`) on the Docker engine that DOCKER_HOST, or the default socket, leads to."""

import contextlib
import os
import re
import subprocess

import pytest

from server import BINARY, Server, bare_environment, wait_for
from site_under_test import TERMINAL, Site, refused, unique
from test_containers import EXITED, IMAGE, docker, image, relay  # noqa: F401 (image and relay are fixtures)

NOT_STARTED = "Task failed to start"
# Runs until it is asked to stop: a shell that is the first process of its container ignores the signal otherwise.
UNTIL_STOPPED = "trap 'exit 143' TERM; sleep 100 & wait"


def member(name, script, vcpus=1, memory=16, **more):
    """A container of a task that runs a script."""
    return {
        "name": name,
        "image": IMAGE,
        "command": ["sh", "-c", script],
        "resourceRequirements": [
            {"type": "VCPU", "value": str(vcpus)},
            {"type": "MEMORY", "value": str(memory)},
        ],
        **more,
    }


def after(condition, name):
    return {"dependsOn": [{"containerName": name, "condition": condition}]}


def define(site, *containers, **task):
    made = site.batch.register_job_definition(
        jobDefinitionName=unique("task"),
        type="container",
        ecsProperties={"taskProperties": [{"containers": list(containers), **task}]},
    )
    return made["jobDefinitionArn"]


def submit(site, *containers, request=None, **task):
    return site.submit(define(site, *containers, **task), **(request or {}))


@pytest.fixture
def run(site, image):  # noqa: F811
    """Submits a task and waits for its end."""
    return lambda *containers, **more: site.ended(submit(site, *containers, **more))


def task_of(job):
    (task,) = job["ecsProperties"]["taskProperties"]
    return task


def ends(job):
    return {one["name"]: (one.get("exitCode"), one.get("reason")) for one in task_of(job)["containers"]}


def logs(site, job):
    return {
        one["name"]: site.stream(one["logStreamName"]) for one in task_of(job)["containers"] if "logStreamName" in one
    }


def test_two_containers_succeed(site, run):
    job = run(member("one", "echo from one"), member("two", "echo from two; sleep 0.2"))
    assert (job["status"], job["statusReason"]) == ("SUCCEEDED", EXITED), job
    assert "container" not in job
    # Either may end first; then the other one is asked to stop.
    assert logs(site, job)["one"] == ["from one"]


def test_described_as_a_task(site, run):
    job = run(
        member("side", f"echo side; {UNTIL_STOPPED}", essential=False, user="0"),
        member("app", "echo app", **after("START", "side")),
    )
    task = task_of(job)
    assert job["status"] == "SUCCEEDED"
    assert "container" not in job and job["eksAttempts"] == []
    assert task["taskArn"].startswith("arn:aws:ecs:") and ":container-instance/" in task["containerInstanceArn"]
    side, app = task["containers"]
    assert (app["exitCode"], side["exitCode"]) == (0, 143)
    assert "reason" not in app and app["networkInterfaces"] == [] == side["networkInterfaces"]
    assert app["dependsOn"] == [{"containerName": "side", "condition": "START"}]
    assert (side["essential"], app["essential"], side["user"]) == (False, True, "0")
    name = job["jobDefinition"].rpartition("/")[2].rpartition(":")[0]
    task_id = task["taskArn"].rpartition("/")[2]
    assert side["logStreamName"] == f"{name}/side/{task_id}"
    assert app["logStreamName"] == f"{name}/app/{task_id}"
    (attempt,) = job["attempts"]
    assert "container" not in attempt and attempt["statusReason"] == EXITED
    assert attempt["startedAt"] <= attempt["stoppedAt"]
    (described,) = attempt["taskProperties"]
    assert described["taskArn"] == task["taskArn"]
    assert described["containerInstanceArn"] == task["containerInstanceArn"]
    assert described["containers"] == [
        {"name": "side", "exitCode": 143, "logStreamName": side["logStreamName"], "networkInterfaces": []},
        {"name": "app", "exitCode": 0, "logStreamName": app["logStreamName"], "networkInterfaces": []},
    ]


def test_a_single_container_has_the_same_shape(site, run):
    job = run(member("only", "echo here; exit 3"))
    task = task_of(job)
    (only,) = task["containers"]
    assert (job["status"], only["exitCode"], only["networkInterfaces"]) == ("FAILED", 3, [])
    (attempt,) = job["attempts"]
    (described,) = attempt["taskProperties"]
    assert described["containers"] == [
        {"name": "only", "exitCode": 3, "logStreamName": only["logStreamName"], "networkInterfaces": []}
    ]
    assert site.stream(only["logStreamName"]) == ["here"]


def test_a_sidecar_outlives_nothing(site, run):
    """A container that is not essential is asked to stop when the essential one has ended, and its end counts for nothing."""
    side = f"echo ready; {UNTIL_STOPPED.replace('exit 143', 'echo stopping; exit 9')}"
    job = run(
        member("side", side, essential=False),
        member("app", "sleep 1; echo done"),
    )
    assert (job["status"], ends(job)) == ("SUCCEEDED", {"side": (9, None), "app": (0, None)})
    assert logs(site, job) == {"side": ["ready", "stopping"], "app": ["done"]}


def test_who_does_not_stop_is_killed_after_its_own_time(run):
    job = run(
        member("stubborn", "trap '' TERM; while :; do sleep 0.1; done", essential=False, stopTimeout=2),
        member("app", "sleep 0.5"),
    )
    assert (job["status"], ends(job)) == ("SUCCEEDED", {"stubborn": (137, None), "app": (0, None)})
    assert 2000 <= job["stoppedAt"] - job["startedAt"] < 20_000


def test_an_essential_container_that_fails_takes_all_with_it(run):
    job = run(
        member("app", UNTIL_STOPPED),
        member("bad", "sleep 0.5; exit 7"),
        member("side", UNTIL_STOPPED, essential=False),
    )
    assert (job["status"], job["statusReason"]) == ("FAILED", EXITED)
    assert ends(job) == {"app": (143, None), "bad": (7, None), "side": (143, None)}


def test_every_essential_container_must_succeed(run):
    """One that was stopped because the other had ended did not."""
    job = run(member("first", "true"), member("second", UNTIL_STOPPED.replace("143", "5")))
    assert job["status"] == "FAILED"
    assert ends(job) == {"first": (0, None), "second": (5, None)}


def test_a_failure_of_what_is_not_essential_is_ignored(run):
    job = run(member("side", "exit 3", essential=False), member("app", "sleep 0.5"))
    assert (job["status"], ends(job)) == ("SUCCEEDED", {"side": (3, None), "app": (0, None)})


def test_conditions_order_the_starts(site, run):
    """Each adds a line to a file of the volume they share; the last shows it."""
    shared = {"mountPoints": [{"sourceVolume": "shared", "containerPath": "/work"}]}
    add = "echo $NAME >> /work/lines"

    def one(name, script, **more):
        return member(name, script, environment=[{"name": "NAME", "value": name}], **shared, **more)

    job = run(
        one("last", f"{add}; cat /work/lines", **after("COMPLETE", "third")),
        one("third", f"{add}; exit 4", essential=False, **after("SUCCESS", "second")),
        one("second", f"sleep 0.3; {add}", essential=False, **after("START", "first")),
        one("first", f"{add}; {UNTIL_STOPPED}", essential=False),
        volumes=[{"name": "shared"}],
    )
    assert (job["status"], job["statusReason"]) == ("SUCCEEDED", EXITED), job
    assert logs(site, job)["last"] == ["first", "second", "third", "last"]
    assert ends(job) == {"last": (0, None), "third": (4, None), "second": (0, None), "first": (143, None)}
    task = task_of(job)["taskArn"].rpartition("/")[2]

    def is_all_gone():
        left = docker("ps", "--all", "--format", "{{.Names}}", text=True) + docker("volume", "ls", text=True)
        return task not in left

    wait_for("containers and volumes to be removed", is_all_gone)


def test_a_dependency_that_fails(run):
    job = run(
        member("init", "exit 3", essential=False),
        member("app", "echo never", **after("SUCCESS", "init")),
    )
    assert (job["status"], job["statusReason"]) == ("FAILED", NOT_STARTED)
    assert ends(job)["init"] == (3, None)
    code, reason = ends(job)["app"]
    assert code is None and "app depends on init" in reason
    (attempt,) = job["attempts"]
    described = {one["name"]: one for one in attempt["taskProperties"][0]["containers"]}
    assert "logStreamName" in described["init"] and "logStreamName" not in described["app"]
    assert "startedAt" not in attempt


def test_assumed_a_start_timeout_fails_the_task(run):
    """The words are ours; that the task fails to start is not."""
    job = run(
        member("init", UNTIL_STOPPED, essential=False),
        member("app", "echo never", startTimeout=2, **after("COMPLETE", "init")),
    )
    assert (job["status"], job["statusReason"]) == ("FAILED", NOT_STARTED)
    assert ends(job)["init"] == (143, None)
    assert "app waited for init longer than its startTimeout" in ends(job)["app"][1]


def test_waiting_for_others_is_starting(site, image, tmp_path):  # noqa: F811
    volume = {"volumes": [{"name": "door", "host": {"sourcePath": str(tmp_path)}}]}
    mounted = {"mountPoints": [{"sourceVolume": "door", "containerPath": "/work"}]}
    job = submit(
        site,
        member("init", "touch /work/waits; until [ -e /work/open ]; do sleep 0.05; done", essential=False, **mounted),
        member("app", UNTIL_STOPPED, **after("COMPLETE", "init")),
        **volume,
    )
    wait_for("the first container", (tmp_path / "waits").exists)
    starting = site.job(job)
    assert starting["status"] == "STARTING"
    assert all("logStreamName" not in one for one in task_of(starting)["containers"])
    (tmp_path / "open").touch()
    running = site.reached(job, "RUNNING")
    assert all("exitCode" not in one for one in task_of(running)["containers"])
    assert all("logStreamName" in one for one in task_of(running)["containers"])
    assert running["attempts"] == []
    site.batch.terminate_job(jobId=job, reason="seen")
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "seen")
    assert ends(ended) == {"init": (0, None), "app": (143, None)}


def test_terminated_before_all_have_started(site, image, tmp_path):  # noqa: F811
    volume = {"volumes": [{"name": "door", "host": {"sourcePath": str(tmp_path)}}]}
    mounted = {"mountPoints": [{"sourceVolume": "door", "containerPath": "/work"}]}
    job = submit(
        site,
        member("init", f"touch /work/waits; {UNTIL_STOPPED}", essential=False, **mounted),
        member("app", "true", **after("SUCCESS", "init")),
        **volume,
    )
    wait_for("the first container", (tmp_path / "waits").exists)
    site.batch.terminate_job(jobId=job, reason="never mind")
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "never mind")
    assert ends(ended)["init"] == (143, None)


def test_timeout(site, image):  # noqa: F811
    """A minute is the least that there is."""
    job = submit(site, member("app", UNTIL_STOPPED), member("side", UNTIL_STOPPED, essential=False),
                 request={"timeout": {"attemptDurationSeconds": 60}})
    ended = site.ended(job, seconds=120)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "Job attempt duration exceeded timeout")
    assert ends(ended) == {"app": (143, None), "side": (143, None)}


def test_retried_as_a_whole(site, run):
    job = run(
        member("side", "echo attempt $AWS_BATCH_JOB_ATTEMPT", essential=False),
        member("app", "exit $((2 - AWS_BATCH_JOB_ATTEMPT))", **after("COMPLETE", "side")),
        request={"retryStrategy": {"attempts": 3}},
    )
    assert job["status"] == "SUCCEEDED"
    tasks = [attempt["taskProperties"][0] for attempt in job["attempts"]]
    assert [[one["exitCode"] for one in task["containers"]] for task in tasks] == [[0, 1], [0, 0]]
    streams = [task["containers"][0]["logStreamName"] for task in tasks]
    assert [site.stream(stream) for stream in streams] == [["attempt 1"], ["attempt 2"]]


def test_variables_are_in_every_container(site, run):
    show = "echo $AWS_BATCH_JOB_ID $AWS_BATCH_JOB_ATTEMPT $AWS_BATCH_JQ_NAME $OWN"
    own = [{"name": "OWN", "value": "mine"}]
    job = run(
        member("one", show, essential=False, environment=own),
        member("two", show, **after("COMPLETE", "one")),
    )
    common = f"{job['jobId']} 1 {site.queue}"
    assert logs(site, job) == {"one": [f"{common} mine"], "two": [common]}


def test_overrides_by_container(site, run):
    job = run(
        member("one", "echo one $WORD", essential=False, environment=[{"name": "WORD", "value": "old"}]),
        member("two", "echo two $WORD", **after("COMPLETE", "one")),
        request={
            "ecsPropertiesOverride": {
                "taskProperties": [
                    {
                        "containers": [
                            {"name": "one", "environment": [{"name": "WORD", "value": "new"}]},
                            {
                                "name": "two",
                                "command": ["sh", "-c", "echo instead"],
                                "resourceRequirements": [{"type": "MEMORY", "value": "24"}],
                            },
                        ]
                    }
                ]
            }
        },
    )
    assert logs(site, job) == {"one": ["one new"], "two": ["instead"]}
    one, two = task_of(job)["containers"]
    assert one["environment"] == [{"name": "WORD", "value": "new"}]
    assert two["command"] == ["sh", "-c", "echo instead"]
    assert {"type": "MEMORY", "value": "24"} in two["resourceRequirements"]


def test_overrides_that_fit_no_container(site, image):  # noqa: F811
    definition = define(site, member("one", "true"), member("two", "true"))

    def override(*containers):
        override = {"taskProperties": [{"containers": list(containers)}]}
        return refused(
            site.batch.submit_job,
            jobName="x",
            jobQueue=site.queue,
            jobDefinition=definition,
            ecsPropertiesOverride=override,
        )

    assert "three" in str(override({"name": "three"}))
    assert "must name" in str(override({"command": ["true"]}))


def test_parameters_reach_every_command(site, run):
    job = run(
        member("one", "echo Ref::word", essential=False),
        member("two", "echo Ref::word", **after("COMPLETE", "one")),
        request={"parameters": {"word": "hello"}},
    )
    assert logs(site, job) == {"one": ["hello"], "two": ["hello"]}


def test_a_job_needs_what_its_containers_need_together(site, image):  # noqa: F811
    """Two of three vCPUs never fit into an environment of five."""
    resources = {
        "type": "EC2", "minvCpus": 0, "maxvCpus": 5, "instanceTypes": ["optimal"], "subnets": ["subnet-1"],
        "securityGroupIds": ["sg-1"], "instanceRole": "ecsInstanceRole",
    }
    queue = site.make_queue(site.make_environment(computeResources=resources))
    fits = submit(site, member("a", "true", vcpus=2), member("b", "sleep 0.2", vcpus=3), request={"queue": queue})
    assert site.ended(fits)["status"] in TERMINAL
    beyond = submit(site, member("a", "true", vcpus=3), member("b", "true", vcpus=3), request={"queue": queue})
    after_it = submit(site, member("a", "true", vcpus=1), member("b", "true", vcpus=1))
    site.ended(after_it)
    assert site.job(beyond)["status"] == "RUNNABLE"
    site.batch.terminate_job(jobId=beyond, reason="seen")
    site.ended(beyond)


def test_memory_is_each_containers_own(run):
    job = run(
        member("greedy", "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}", memory=16, essential=False),
        member("app", "sleep 0.5", **after("COMPLETE", "greedy")),
    )
    assert job["status"] == "SUCCEEDED"
    assert ends(job)["greedy"][0] != 0


def test_a_program_that_is_not_there(run):
    bad = {**member("bad", ""), "command": ["/nothing"]}
    job = run(member("side", UNTIL_STOPPED, essential=False), bad)
    assert (job["status"], job["statusReason"]) == ("FAILED", NOT_STARTED)
    code, reason = ends(job)["bad"]
    assert code is None and reason.startswith("CannotStartContainerError: ")


def test_an_image_that_is_not_there(run):
    job = run(member("app", "true"), {**member("bad", "true"), "image": "localhost:1/nothing:1"})
    assert (job["status"], job["statusReason"]) == ("FAILED", NOT_STARTED)
    assert ends(job)["bad"][1].startswith("CannotPullContainerError: ")


def test_process_containers_run_alone(site, image):  # noqa: F811
    definition = define(site, member("app", "true"), {**member("process", "true"), "image": "host://"})
    text = str(refused(site.batch.submit_job, jobName="x", jobQueue=site.queue, jobDefinition=definition))
    assert "host://" in text


def test_circles_are_refused(site):
    containers = [
        member("a", "true", **after("START", "b")),
        member("b", "true", **after("START", "a")),
    ]
    text = refused(
        site.batch.register_job_definition,
        jobDefinitionName=unique("circle"),
        type="container",
        ecsProperties={"taskProperties": [{"containers": containers}]},
    )
    assert "circle" in str(text)


def test_modes_of_namespaces(run, site):
    """With pidMode and ipcMode `task` the containers see each other's processes and shared memory."""
    wait = "i=0; until [ -e /dev/shm/from-one ] || [ $i = 100 ]; do sleep 0.05; i=$((i+1)); done"
    one = member("one", f"touch /dev/shm/from-one; {UNTIL_STOPPED}", essential=False)
    two = member("two", f"{wait}; cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo; cat /dev/shm/from-one && echo seen")
    job = run(one, two, pidMode="task", ipcMode="task")
    processes, seen = logs(site, job)["two"]
    assert "pause" in processes and "touch /dev/shm/from-one" in processes and seen == "seen"
    job = run(one, member("two", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo"))
    assert "from-one" not in logs(site, job)["two"][0]
    job = run(member("only", "cat /proc/1/cmdline | tr '\\0' ' '; echo"), pidMode="host", ipcMode="none")
    assert job["status"] == "SUCCEEDED" and "cmdline" not in logs(site, job)["only"][0]


def test_containers_share_a_network_that_is_not_the_hosts(tmp_path, image):  # noqa: F811
    config = tmp_path / "config.toml"
    config.write_text('[docker]\nnetwork = "none"\n')
    own = Server(tmp_path / "data", "--config", str(config)).start()
    try:
        site = Site(own)
        show = "readlink /proc/self/ns/net"
        job = submit(site, member("one", show, essential=False), member("two", show, **after("SUCCESS", "one")))
        ended = site.ended(job)
        assert ended["status"] == "SUCCEEDED", (ended["statusReason"], ends(ended))
        one, two = logs(site, ended).values()
        assert one == two != [os.readlink("/proc/self/ns/net")]
        assert re.fullmatch(r"net:\[\d+\]", one[0])
    finally:
        own.remove()


@contextlib.contextmanager
def killed(site):
    """The server is killed, and after the block there is a new one."""
    site.server.kill()
    yield
    site.server.start()
    site.connect()


def test_a_killed_server_goes_on_with_the_task(own_site, image, tmp_path):  # noqa: F811
    """One container ended before the kill, one ends while there is no server, two are started by the next one."""
    site = own_site
    volume = {"volumes": [{"name": "door", "host": {"sourcePath": str(tmp_path)}}]}
    mounted = {"mountPoints": [{"sourceVolume": "door", "containerPath": "/work"}]}
    door = "until [ -e /work/open ]; do echo tick; sleep 0.1; done; touch /work/passed; echo through"
    job = submit(
        site,
        member("early", "echo early", essential=False, **mounted),
        member("side", f"echo side; {UNTIL_STOPPED}", essential=False, **mounted),
        member("gate", f"touch /work/waits; {door}", essential=False, **after("COMPLETE", "early"), **mounted),
        member("app", "touch /work/app; sleep 1; echo app; exit 6", **after("SUCCESS", "gate"), **mounted),
        member("later", f"echo later; {UNTIL_STOPPED}", essential=False, **after("START", "app")),
        **volume,
    )
    wait_for("the gate", (tmp_path / "waits").exists)
    with killed(site):
        (tmp_path / "open").touch()
        wait_for("the gate to end", (tmp_path / "passed").exists)
    wait_for("the next container", (tmp_path / "app").exists)
    with killed(site):
        pass
    ended = site.ended(job)
    assert (ended["status"], len(ended["attempts"])) == ("FAILED", 1)
    assert ends(ended) == {
        "early": (0, None),
        "side": (143, None),
        "gate": (0, None),
        "app": (6, None),
        "later": (143, None),
    }
    texts = logs(site, ended)
    assert (texts["early"], texts["side"], texts["app"], texts["later"]) == (["early"], ["side"], ["app"], ["later"])
    assert texts["gate"][-1] == "through" and set(texts["gate"][:-1]) == {"tick"}


def test_an_engine_that_goes_away_midway(relay, tmp_path, monkeypatch):  # noqa: F811
    """What runs goes on; what was to start then starts when the engine is back, and a stop is not forgotten."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{relay.path}")
    own = Server(tmp_path / "data").start()
    try:
        site = Site(own)
        volume = {"volumes": [{"name": "door", "host": {"sourcePath": str(tmp_path)}}]}
        mounted = {"mountPoints": [{"sourceVolume": "door", "containerPath": "/work"}]}
        door = "until [ -e /work/open ]; do sleep 0.05; done; echo through; touch /work/passed"
        first = submit(
            site,
            member("gate", f"touch /work/waits; {door}", essential=False, **mounted),
            member("app", "echo app", **after("SUCCESS", "gate")),
            **volume,
        )
        second = submit(
            site,
            member("side", f"touch /work/side; {UNTIL_STOPPED}", essential=False, **mounted),
            member("app", f"touch /work/second; {UNTIL_STOPPED}", **mounted),
            **volume,
        )
        for name in ("waits", "side", "second"):
            wait_for(name, (tmp_path / name).exists)
        site.reached(second, "RUNNING")
        relay.take_away()
        (tmp_path / "open").touch()
        site.batch.terminate_job(jobId=second, reason="enough")
        wait_for("the gate to end", (tmp_path / "passed").exists)
        assert site.run("echo process")["status"] == "SUCCEEDED"
        assert site.job(first)["status"] == "STARTING" and site.job(second)["status"] == "RUNNING"
        relay.put_back()
        ended = site.ended(first)
        assert (ended["status"], logs(site, ended)) == ("SUCCEEDED", {"gate": ["through"], "app": ["app"]})
        ended = site.ended(second)
        assert (ended["status"], ended["statusReason"]) == ("FAILED", "enough")
        assert ends(ended) == {"side": (143, None), "app": (143, None)}
    finally:
        own.remove()


def test_a_container_that_somebody_removes(own_site, image):  # noqa: F811
    """Then the task is lost, as if its host had gone, and the others go with it."""
    site = own_site
    job = submit(site, member("one", UNTIL_STOPPED), member("two", UNTIL_STOPPED))
    task = task_of(site.reached(job, "RUNNING"))["taskArn"].rpartition("/")[2]
    with killed(site):
        docker("rm", "--force", f"batchyard-{task}-c1")
    ended = site.ended(job)
    assert ended["status"] == "FAILED" and ended["statusReason"].startswith("Host EC2")
    wait_for("the other one to be removed", lambda: task not in docker("ps", "--all", text=True))


def test_at_the_terminal(site, run):
    job = run(
        member("side", "echo from the side", essential=False),
        member("app", "echo from the app; exit 3", **after("COMPLETE", "side")),
    )
    shown = subprocess.run(
        [BINARY, "logs", job["jobId"]],
        check=True,
        capture_output=True,
        text=True,
        env={**bare_environment(), **site.server.access.variables},
    )
    assert shown.stdout.splitlines() == ["from the side", "from the app"]
