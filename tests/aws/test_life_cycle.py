"""Real jobs, as processes of the host: states, reasons, exit codes, retries, and what a job sees."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from server import wait_for
from site_under_test import TERMINAL, environment_resources, unique

EXITED = "Essential container in task exited"
VCPUS = 2


def tight():
    """An environment with room for exactly one job of VCPUS vCPUs."""
    return environment_resources(maxvCpus=VCPUS, instanceTypes=["m5.large"])


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def gate(tmp_path):
    """A shell condition that holds until the test opens it, so that a job stays RUNNING for as long as needed."""

    class Gate:
        file = tmp_path / "open"
        script = f"until [ -e '{file}' ]; do sleep 0.05; done"

        def open(self):
            self.file.touch()

    made = Gate()
    yield made
    made.open()


@pytest.fixture(scope="module")
def waiting_room(site):
    """An environment whose queues' jobs of 60 vCPUs wait for ever: the host plays 16."""
    return site.make_environment()


def test_success(site):
    job = site.run("echo one; echo two >&2; echo; printf three")
    assert job["status"] == "SUCCEEDED"
    assert job["statusReason"] == EXITED
    assert job["container"]["exitCode"] == 0
    assert "reason" not in job["container"]
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
    (attempt,) = job["attempts"]
    assert attempt["container"]["exitCode"] == 0
    assert attempt["statusReason"] == EXITED
    assert (attempt["startedAt"], attempt["stoppedAt"] <= job["stoppedAt"]) == (job["startedAt"], True)
    assert attempt["container"]["logStreamName"] == job["container"]["logStreamName"]
    # An empty line is not an event that CloudWatch takes; whether it is kept is not specified.
    assert [line for line in site.log(job) if line] == ["one", "two", "three"]


def test_a_silent_job_has_an_empty_log(site):
    """The stream is there from the start of the job, as the log driver makes it before the first line."""
    assert site.log(site.run("true")) == []


def test_the_log_is_there_while_the_job_runs(site, gate):
    job = site.submit(site.shell(gate.script))
    assert site.stream(site.reached(job, "RUNNING")["container"]["logStreamName"]) == []


def test_times_are_milliseconds(site):
    before = time.time_ns() // 1_000_000
    job = site.run("true")
    after = time.time_ns() // 1_000_000
    assert before - 1 <= job["createdAt"] <= job["startedAt"] <= job["stoppedAt"] <= after + 1
    assert all(isinstance(job[name], int) for name in ("createdAt", "startedAt", "stoppedAt"))


def test_names_of_the_task(site):
    job = site.run("true")
    container = job["container"]
    task = container["taskArn"].rsplit("/", 1)[1]
    definition = job["jobDefinition"].rsplit("/", 1)[1].split(":")[0]
    assert len(task) == 32 and container["taskArn"].startswith("arn:aws:ecs:us-east-1:000000000000:task/")
    assert container["logStreamName"] == f"{definition}/default/{task}"
    assert container["containerInstanceArn"].startswith("arn:aws:ecs:us-east-1:000000000000:container-instance/")


@pytest.mark.parametrize("code", [1, 3, 127, 255])
def test_exit_codes(site, code):
    job = site.run(f"exit {code}")
    assert (job["status"], job["statusReason"], job["container"]["exitCode"]) == ("FAILED", EXITED, code)


@pytest.mark.parametrize("signal, code", [("TERM", 143), ("KILL", 137), ("SEGV", 139)])
def test_signals(site, signal, code):
    job = site.run(f"kill -{signal} $$")
    assert (job["status"], job["statusReason"], job["container"]["exitCode"]) == ("FAILED", EXITED, code)


def test_command_not_found(site):
    job = site.ended(site.submit(site.define("no-such-command-anywhere")))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert job["container"]["reason"].startswith("CannotStartContainerError: ")
    assert "no-such-command-anywhere" in job["container"]["reason"]
    assert "startedAt" not in job and "exitCode" not in job["container"]


def test_working_folder_that_is_not_there(site, tmp_path):
    job = site.run("true", definition={"properties": {"folder": tmp_path / "absent"}})
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")


def test_working_folder(site, tmp_path):
    job = site.run("pwd; echo here > file", definition={"properties": {"folder": tmp_path}})
    assert site.log(job) == [str(tmp_path)]
    assert lines(tmp_path / "file") == ["here"]


def test_environment(site):
    environment = [{"name": "COLOUR", "value": "red"}, {"name": "EMPTY", "value": ""}, {"name": "SIZE", "value": "1"}]
    definition = site.shell("env", properties={"environment": environment})
    override = {"environment": [{"name": "SIZE", "value": "2"}, {"name": "NEW", "value": "a=b c"}]}
    job = site.ended(site.submit(definition, containerOverrides=override))
    seen = dict(line.split("=", 1) for line in site.log(job))
    queue = site.batch.describe_job_queues(jobQueues=[site.queue])["jobQueues"][0]
    environment_name = queue["computeEnvironmentOrder"][0]["computeEnvironment"].rsplit("/", 1)[1]
    expected = {
        "AWS_BATCH_JOB_ID": job["jobId"],
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_BATCH_JQ_NAME": site.queue,
        "AWS_BATCH_CE_NAME": environment_name,
        "COLOUR": "red",
        "SIZE": "2",
        "NEW": "a=b c",
    }
    assert {name: seen.get(name) for name in expected} == expected
    assert "EMPTY" not in seen
    assert not [
        name for name in seen if name.startswith(("AWS_BATCH_JOB_ARRAY", "AWS_BATCH_JOB_NODE", "AWS_BATCH_JOB_MAIN"))
    ]
    assert seen["AWS_EXECUTION_ENV"] == "AWS_ECS_EC2"
    assert seen["ECS_CONTAINER_METADATA_URI_V4"].startswith("http://")
    shown = {pair["name"]: pair["value"] for pair in job["container"]["environment"]}
    assert shown == {"COLOUR": "red", "SIZE": "2", "NEW": "a=b c"}


def test_the_server_does_not_leak_its_own_environment(site):
    seen = dict(line.split("=", 1) for line in site.log(site.run("env")))
    assert "BATCHYARD_CONFIG" not in seen and "AWS_SECRET_ACCESS_KEY" not in seen


def test_a_job_reads_its_own_metadata(site):
    script = """python3 -c '
import os, urllib.request
print(urllib.request.urlopen(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task").read().decode())
'"""
    job = site.run(script)
    assert job["container"]["taskArn"] in "".join(site.log(job))


def test_parameters(site):
    definition = site.define("echo", "Ref::greeting", "Ref::name", parameters={"greeting": "hello", "name": "nobody"})
    job = site.ended(site.submit(definition, parameters={"name": "world"}))
    assert site.log(job) == ["hello world"]
    assert job["parameters"] == {"greeting": "hello", "name": "world"}


def test_overrides(site):
    definition = site.shell("echo old")
    override = {
        "command": ["echo", "new words"],
        "resourceRequirements": [{"type": "MEMORY", "value": "48"}],
    }
    job = site.ended(site.submit(definition, containerOverrides=override))
    assert site.log(job) == ["new words"]
    assert job["container"]["command"] == ["echo", "new words"]
    assert {each["type"]: each["value"] for each in job["container"]["resourceRequirements"]} == {
        "VCPU": "1",
        "MEMORY": "48",
    }


def test_deprecated_overrides_do_not_beat_requirements(site):
    job = site.ended(site.submit(site.define("true"), containerOverrides={"vcpus": 2, "memory": 128}))
    assert {each["type"]: each["value"] for each in job["container"]["resourceRequirements"]} == {
        "VCPU": "1",
        "MEMORY": "32",
    }


def test_the_latest_revision_runs(site):
    name = unique("revisions")
    for number in range(1, 4):
        site.define("echo", f"revision {number}", name=name)
    site.batch.deregister_job_definition(jobDefinition=f"{name}:3")
    arn = site.make_arn("job-definition", name)
    for reference, expected in ((name, 2), (f"{name}:1", 1), (arn, 2), (f"{arn}:1", 1)):
        job = site.ended(site.submit(reference))
        assert site.log(job) == [f"revision {expected}"]
        assert job["jobDefinition"] == f"{arn}:{expected}"
    assert site.define("true", name=name) == f"{name}:4"


# Retries.


def test_retries(site, tmp_path):
    file = tmp_path / "attempts"
    job = site.run(f"echo $AWS_BATCH_JOB_ATTEMPT >> {file}; exit 4", retryStrategy={"attempts": 3})
    assert (job["status"], lines(file)) == ("FAILED", ["1", "2", "3"])
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [4, 4, 4]
    assert len({attempt["container"]["logStreamName"] for attempt in job["attempts"]}) == 3
    starts = [attempt["startedAt"] for attempt in job["attempts"]]
    assert starts == sorted(starts) and job["startedAt"] == starts[-1]


def test_success_at_the_second_attempt(site):
    job = site.run("[ $AWS_BATCH_JOB_ATTEMPT = 2 ]", retryStrategy={"attempts": 5})
    assert (job["status"], [attempt["container"]["exitCode"] for attempt in job["attempts"]]) == ("SUCCEEDED", [1, 0])


@pytest.mark.parametrize(
    "conditions, attempts",
    [
        pytest.param([{"action": "EXIT", "onExitCode": "7"}], 1, id="exit-by-code"),
        pytest.param([{"action": "exit", "onExitCode": "7"}], 1, id="lower-case"),
        pytest.param([{"action": "EXIT", "onExitCode": "8"}], 3, id="no-match-retries"),
        pytest.param(
            [{"action": "RETRY", "onExitCode": "7"}, {"action": "EXIT", "onReason": "*"}], 3, id="first-match"
        ),
        pytest.param(
            [{"action": "RETRY", "onStatusReason": "Host EC2*"}, {"action": "EXIT", "onReason": "*"}], 1, id="catch-all"
        ),
        pytest.param([{"action": "EXIT", "onStatusReason": "Essential container*"}], 1, id="status-reason-prefix"),
        pytest.param([{"action": "EXIT", "onStatusReason": "Essential"}], 3, id="no-prefix-without-star"),
        pytest.param([{"action": "EXIT", "onExitCode": "7", "onStatusReason": "Host*"}], 3, id="all-conditions"),
        pytest.param([{"action": "EXIT", "onExitCode": "7*"}], 1, id="code-prefix"),
    ],
)
def test_evaluate_on_exit(site, conditions, attempts):
    job = site.run("exit 7", retryStrategy={"attempts": 3, "evaluateOnExit": conditions})
    assert (job["status"], len(job["attempts"])) == ("FAILED", attempts)


def test_the_strategy_of_the_submission_replaces_the_definitions(site):
    definition = site.shell("exit 1", retryStrategy={"attempts": 3})
    assert len(site.ended(site.submit(definition))["attempts"]) == 3
    assert len(site.ended(site.submit(definition, retryStrategy={"attempts": 1}))["attempts"]) == 1


def test_a_task_that_cannot_start_is_retried(site):
    definition = site.define("no-such-command-anywhere")
    job = site.ended(site.submit(definition, retryStrategy={"attempts": 2}))
    assert [attempt["statusReason"] for attempt in job["attempts"]] == ["Task failed to start"] * 2


# Cancel and terminate.


def test_terminate_a_running_job(site, gate):
    job = site.submit(site.shell(gate.script), retryStrategy={"attempts": 5})
    site.reached(job, "RUNNING")
    site.batch.terminate_job(jobId=job, reason="enough of it")
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"], ended["isTerminated"]) == ("FAILED", "enough of it", True)
    assert ended["container"]["exitCode"] == 143
    assert len(ended["attempts"]) == 1


def test_terminate_is_a_signal_that_a_job_may_use(site, gate, tmp_path):
    file = tmp_path / "trapped"
    job = site.submit(
        site.shell(f"trap 'echo trapped > {file}; exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    )
    stream = wait_for("a stream", lambda: site.job(job).get("container", {}).get("logStreamName"))
    wait_for("the trap to be set", lambda: "ready" in site.stream(stream))
    site.batch.terminate_job(jobId=job, reason="stop")
    ended = site.ended(job)
    assert (ended["status"], ended["container"]["exitCode"], lines(file)) == ("FAILED", 9, ["trapped"])


def test_terminate_reaches_grandchildren(site, tmp_path):
    file = tmp_path / "pid"
    job = site.submit(site.shell(f"sleep 1000 & echo $! > {file}; wait"))
    (pid,) = wait_for("the grandchild", lambda: lines(file))
    site.batch.terminate_job(jobId=job, reason="stop")
    site.ended(job)

    def is_gone():
        try:
            with open(f"/proc/{pid}/stat") as stat:
                return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
        except FileNotFoundError:
            return True

    wait_for("the grandchild to end", is_gone)


def test_cancel_does_not_stop_a_running_job(site, gate):
    job = site.submit(site.shell(gate.script))
    site.reached(job, "RUNNING")
    site.batch.cancel_job(jobId=job, reason="no matter")
    gate.open()
    ended = site.ended(job)
    assert (ended["status"], ended["container"]["exitCode"]) == ("SUCCEEDED", 0)


@pytest.mark.parametrize("operation, flag", [("cancel_job", "isCancelled"), ("terminate_job", "isTerminated")])
def test_stop_before_the_start(site, waiting_room, operation, flag, tmp_path):
    queue = site.make_queue(waiting_room)
    waiting = site.submit(site.shell(f"touch {tmp_path}/ran", properties={"vcpus": 60}), queue)
    site.reached(waiting, "RUNNABLE")
    getattr(site.batch, operation)(jobId=waiting, reason="not needed")
    ended = site.ended(waiting)
    assert (ended["status"], ended["statusReason"], ended[flag]) == ("FAILED", "not needed", True)
    assert "startedAt" not in ended and ended.get("attempts", []) == []
    assert not (tmp_path / "ran").exists()


def test_ended_jobs_stay_as_they_are(site):
    job = site.run("true")
    site.batch.terminate_job(jobId=job["jobId"], reason="late")
    site.batch.cancel_job(jobId=job["jobId"], reason="late")
    assert site.job(job["jobId"]) == job


def test_bulk_termination(site, gate):
    definition = site.shell(gate.script)
    jobs = [site.submit(definition) for _ in range(4)]
    answer = site.batch.terminate_jobs(jobs=jobs, reason="all of them")
    assert (sorted(answer["successful"]), answer["errors"]) == (sorted(jobs), [])
    for job in jobs:
        ended = site.ended(job)
        assert (ended["status"], ended["statusReason"]) == ("FAILED", "all of them")


# Dependencies.


def test_a_dependency_is_waited_for(site, gate, tmp_path):
    file = tmp_path / "order"
    first = site.submit(site.shell(f"{gate.script}; echo first >> {file}"))
    second = site.submit(site.shell(f"echo second >> {file}"), dependsOn=[{"jobId": first}])
    site.reached(second, "PENDING")
    gate.open()
    ended = site.ended(second)
    assert (ended["status"], lines(file)) == ("SUCCEEDED", ["first", "second"])
    assert ended["dependsOn"] == [{"jobId": first}]
    assert ended["startedAt"] >= site.job(first)["stoppedAt"]


def test_dependencies_that_ended_before(site):
    good, bad = site.run("true")["jobId"], site.run("false")["jobId"]
    definition = site.define("true")
    assert site.ended(site.submit(definition, dependsOn=[{"jobId": good}]))["status"] == "SUCCEEDED"
    failed = site.ended(site.submit(definition, dependsOn=[{"jobId": good}, {"jobId": bad}]))
    assert (failed["status"], failed["statusReason"]) == ("FAILED", "Dependent Job failed")


def test_failure_goes_down_the_chain(site, gate):
    definition = site.define("true")
    chain = [site.submit(site.shell(f"{gate.script}; exit 1"))]
    for _ in range(5):
        chain.append(site.submit(definition, dependsOn=[{"jobId": chain[-1]}]))
    gate.open()
    for job in chain[1:]:
        ended = site.ended(job)
        assert (ended["status"], ended["statusReason"]) == ("FAILED", "Dependent Job failed")
        assert "startedAt" not in ended and "stoppedAt" in ended


def test_dependencies_across_queues(site):
    other = site.make_queue()
    first = site.submit(site.define("true"), queue=other)
    assert site.ended(site.submit(site.define("true"), dependsOn=[{"jobId": first}]))["status"] == "SUCCEEDED"


def test_twenty_dependencies(site):
    definition = site.define("true")
    jobs = [site.submit(definition) for _ in range(20)]
    assert site.ended(site.submit(definition, dependsOn=[{"jobId": job} for job in jobs]))["status"] == "SUCCEEDED"


# Arrays.


def test_array(site, tmp_path):
    script = f"env | grep ^AWS_BATCH_JOB | sort > {tmp_path}/$AWS_BATCH_JOB_ARRAY_INDEX"
    array = site.submit(site.shell(script), arrayProperties={"size": 5})
    parent = site.ended(array)
    assert parent["status"] == "SUCCEEDED"
    assert parent["arrayProperties"]["size"] == 5
    assert parent["arrayProperties"]["statusSummary"] == counts(SUCCEEDED=5)
    for index in range(5):
        child = site.job(f"{array}:{index}")
        assert (child["status"], child["arrayProperties"]["index"]) == ("SUCCEEDED", index)
        assert child["jobArn"] == site.make_arn("job", f"{array}:{index}")
        assert child["createdAt"] >= parent["createdAt"]
        seen = dict(line.split("=", 1) for line in lines(tmp_path / str(index)))
        assert seen == {
            "AWS_BATCH_JOB_ID": f"{array}:{index}",
            "AWS_BATCH_JOB_ATTEMPT": "1",
            "AWS_BATCH_JOB_ARRAY_INDEX": str(index),
            "AWS_BATCH_JOB_ARRAY_SIZE": "5",
        }
    assert "startedAt" not in parent.get("container", {}) and "exitCode" not in parent.get("container", {})


def counts(**some):
    names = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
    return {name: some.get(name, 0) for name in names}


def test_a_failed_child_fails_the_array_at_its_end(site, gate):
    script = f"[ $AWS_BATCH_JOB_ARRAY_INDEX != 1 ] || exit 6; {gate.script}"
    array = site.submit(site.shell(script), arrayProperties={"size": 3})
    site.ended(f"{array}:1")
    assert site.job(array)["status"] == "PENDING"
    gate.open()
    parent = site.ended(array)
    assert (parent["status"], parent["statusReason"]) == ("FAILED", "Array Child Job failed")
    assert parent["arrayProperties"]["statusSummary"] == counts(SUCCEEDED=2, FAILED=1)
    assert site.job(f"{array}:1")["container"]["exitCode"] == 6


def test_children_retry_by_themselves(site):
    script = "[ $AWS_BATCH_JOB_ARRAY_INDEX = 0 ] || [ $AWS_BATCH_JOB_ATTEMPT = 2 ]"
    array = site.submit(site.shell(script), arrayProperties={"size": 3}, retryStrategy={"attempts": 3})
    assert site.ended(array)["status"] == "SUCCEEDED"
    assert [len(site.job(f"{array}:{index}")["attempts"]) for index in range(3)] == [1, 2, 2]


def test_children_that_wait_exist(site, waiting_room):
    """Children that never left RUNNABLE are described and listed as if they had records."""
    queue = site.make_queue(waiting_room)
    array = site.submit(site.define("true", properties={"vcpus": 60}), queue, arrayProperties={"size": 10_000})
    parent = site.reached(array, "PENDING")
    assert parent["arrayProperties"]["statusSummary"] == counts(RUNNABLE=10_000)
    assert parent["arrayProperties"]["size"] == 10_000
    for index in (0, 5_000, 9_999):
        child = site.job(f"{array}:{index}")
        assert (child["jobId"], child["status"], child["arrayProperties"]["index"]) == (
            f"{array}:{index}",
            "RUNNABLE",
            index,
        )
    assert site.batch.describe_jobs(jobs=[f"{array}:10000"])["jobs"] == []
    pages = site.batch.get_paginator("list_jobs").paginate(arrayJobId=array, jobStatus="RUNNABLE")
    listed = [job["jobId"] for page in pages for job in page["jobSummaryList"]]
    assert (len(listed), len(set(listed))) == (10_000, 10_000)
    site.batch.terminate_job(jobId=f"{array}:17", reason="just this one")
    assert site.ended(f"{array}:17")["statusReason"] == "just this one"
    assert site.job(f"{array}:16")["status"] == "RUNNABLE"
    site.batch.terminate_job(jobId=array, reason="all")
    parent = site.ended(array)
    assert (parent["status"], parent["arrayProperties"]["statusSummary"]) == ("FAILED", counts(FAILED=10_000))
    assert site.job(f"{array}:9999")["statusReason"] == "all"


def test_sequential(site, tmp_path):
    file = tmp_path / "order"
    definition = site.shell(f"echo $AWS_BATCH_JOB_ARRAY_INDEX >> {file}")
    array = site.submit(definition, arrayProperties={"size": 6}, dependsOn=[{"type": "SEQUENTIAL"}])
    assert site.ended(array)["status"] == "SUCCEEDED"
    assert lines(file) == list("012345")


def test_sequential_ends_with_the_first_failure(site):
    definition = site.shell("[ $AWS_BATCH_JOB_ARRAY_INDEX != 2 ]")
    array = site.submit(definition, arrayProperties={"size": 5}, dependsOn=[{"type": "SEQUENTIAL"}])
    parent = site.ended(array)
    assert (parent["status"], parent["arrayProperties"]["statusSummary"]) == ("FAILED", counts(SUCCEEDED=2, FAILED=3))
    assert site.job(f"{array}:3")["statusReason"] == "Dependent Job failed"


def test_n_to_n(site, gate, tmp_path):
    first = site.submit(
        site.shell(f"[ $AWS_BATCH_JOB_ARRAY_INDEX = 1 ] || {{ {gate.script}; }}"), arrayProperties={"size": 3}
    )
    second = site.submit(
        site.define("true"), arrayProperties={"size": 3}, dependsOn=[{"jobId": first, "type": "N_TO_N"}]
    )
    assert site.ended(f"{second}:1")["status"] == "SUCCEEDED"
    assert {site.job(f"{second}:{index}")["status"] for index in (0, 2)} == {"PENDING"}
    gate.open()
    assert site.ended(second)["status"] == "SUCCEEDED"


def test_n_to_n_fails_by_pairs(site):
    first = site.submit(site.shell("[ $AWS_BATCH_JOB_ARRAY_INDEX != 1 ]"), arrayProperties={"size": 3})
    second = site.submit(
        site.define("true"), arrayProperties={"size": 3}, dependsOn=[{"jobId": first, "type": "N_TO_N"}]
    )
    parent = site.ended(second)
    assert (parent["status"], parent["arrayProperties"]["statusSummary"]) == ("FAILED", counts(SUCCEEDED=2, FAILED=1))
    assert site.job(f"{second}:1")["statusReason"] == "Dependent Job failed"


def test_a_job_after_an_array(site, tmp_path):
    array = site.submit(site.shell(f"echo x >> {tmp_path}/seen"), arrayProperties={"size": 4})
    joined = site.submit(site.shell(f"wc -l < {tmp_path}/seen"), dependsOn=[{"jobId": array}])
    job = site.ended(joined)
    assert [line.strip() for line in site.log(job)] == ["4"]


def test_an_array_after_a_failed_job(site):
    bad = site.submit(site.define("false"))
    array = site.submit(site.define("true"), arrayProperties={"size": 4}, dependsOn=[{"jobId": bad}])
    parent = site.ended(array)
    assert (parent["status"], parent["statusReason"]) == ("FAILED", "Dependent Job failed")


def test_array_of_a_thousand(site, tmp_path):
    file = tmp_path / "indices"
    definition = site.shell(f"echo $AWS_BATCH_JOB_ARRAY_INDEX >> {file}; echo child $AWS_BATCH_JOB_ARRAY_INDEX")
    array = site.submit(definition, arrayProperties={"size": 1000})
    parent = site.ended(array, seconds=180)
    assert (parent["status"], parent["arrayProperties"]["statusSummary"]) == ("SUCCEEDED", counts(SUCCEEDED=1000))
    assert sorted(map(int, lines(file))) == list(range(1000))
    children = site.jobs(f"{array}:{index}" for index in range(1000))
    assert len({child["container"]["logStreamName"] for child in children.values()}) == 1000
    for index in (0, 1, 500, 999):
        assert site.log(children[f"{array}:{index}"]) == [f"child {index}"]


# Many at once, and output.


def test_many_clients_at_once(site):
    definition = site.define("true")
    with ThreadPoolExecutor(16) as clients:
        jobs = list(clients.map(lambda _: site.submit(definition), range(200)))
    assert len(set(jobs)) == 200
    wait_for("200 jobs", lambda: all(job["status"] in TERMINAL for job in site.jobs(jobs).values()), seconds=120)
    assert {job["status"] for job in site.jobs(jobs).values()} == {"SUCCEEDED"}


def test_much_output_in_order(site):
    job = site.run("seq 1 20000")
    assert site.log(job) == [str(number) for number in range(1, 20_001)]


def test_bytes_that_are_no_text(site):
    job = site.run("printf 'a\\377b\\n\\000z\\nend\\n'")
    seen = site.log(job)
    assert (len(seen), seen[0], seen[-1]) == (3, "a\ufffdb", "end")


def test_a_very_long_line_is_kept_in_pieces(site):
    job = site.run("head -c 700000 /dev/zero | tr '\\0' x; echo")
    pieces = site.log(job)
    assert "".join(pieces) == "x" * 700_000
    assert len(pieces) > 1 and max(map(len, pieces)) <= 256 * 1024


def test_priorities_of_queues(site, gate, tmp_path):
    """One vCPU, taken: what waits in the queue of higher priority starts first."""
    environment = site.make_environment(computeResources=tight())
    low, high = site.make_queue(environment, priority=1), site.make_queue(environment, priority=10)
    blocker = site.submit(site.shell(gate.script, properties={"vcpus": VCPUS}), low)
    site.reached(blocker, "RUNNING")
    definition = site.shell(f"echo $AWS_BATCH_JQ_NAME >> {tmp_path}/order", properties={"vcpus": VCPUS})
    jobs = [site.submit(definition, queue) for queue in (low, high, low, high)]
    for job in jobs:
        site.reached(job, "RUNNABLE")
    gate.open()
    for job in jobs:
        assert site.ended(job)["status"] == "SUCCEEDED"
    assert lines(tmp_path / "order") == [high, high, low, low]


def test_assumed_a_queue_is_fifo(site, gate, tmp_path):
    queue = site.make_queue(site.make_environment(computeResources=tight()))
    blocker = site.submit(site.shell(gate.script, properties={"vcpus": VCPUS}), queue)
    site.reached(blocker, "RUNNING")
    jobs = [
        site.submit(site.shell(f"echo {number} >> {tmp_path}/order", properties={"vcpus": VCPUS}), queue)
        for number in range(8)
    ]
    gate.open()
    for job in jobs:
        site.ended(job)
    assert lines(tmp_path / "order") == list("01234567")


def test_deleting_a_queue_ends_its_jobs(site, gate):
    environment = site.make_environment(computeResources=tight())
    queue = site.make_queue(environment)
    running = site.submit(site.shell(gate.script, properties={"vcpus": VCPUS}), queue)
    site.reached(running, "RUNNING")
    waiting = site.submit(site.define("true"), queue)
    site.batch.update_job_queue(jobQueue=queue, state="DISABLED")
    site.wait_queue(queue)
    site.batch.delete_job_queue(jobQueue=queue)
    for job in (running, waiting):
        assert site.ended(job)["status"] == "FAILED"
    site.wait_gone(queue, lambda: site.batch.describe_job_queues(jobQueues=[queue])["jobQueues"])


def test_a_disabled_queue_finishes_what_it_has(site):
    queue = site.make_queue()
    job = site.submit(site.define("true"), queue)
    site.batch.update_job_queue(jobQueue=queue, state="DISABLED")
    assert site.ended(job)["status"] == "SUCCEEDED"
