"""`kill -9` of the server while jobs run: they go on, and everything about them is found again."""

import os
import signal

import pytest

from server import Server, wait_for
from site_under_test import TERMINAL, Site, refusal


def restart(site):
    site.server.kill()
    site.server.start()
    site.connect()


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def ticking(folder, ticks=60, code=0):
    """A script that writes numbered lines to a file of its own and to its log, one each 50 ms, and ends with `code`."""
    step = f"echo $i >> {folder}/$AWS_BATCH_JOB_ID; echo tick $i; sleep 0.05"
    return f"for i in $(seq {ticks}); do {step}; done; echo end >> {folder}/$AWS_BATCH_JOB_ID; exit {code}"


def check_whole(site, folder, job, ticks, code):
    """The job ran exactly once, to its end, and neither its file nor its log has a hole or a double."""
    numbers = [str(number) for number in range(1, ticks + 1)]
    assert lines(folder / job["jobId"]) == [*numbers, "end"]
    assert site.log(job) == [f"tick {number}" for number in numbers]
    assert job["container"]["exitCode"] == code
    assert len(job["attempts"]) == 1
    assert job["status"] == ("FAILED" if code else "SUCCEEDED")
    assert job["statusReason"] == "Essential container in task exited"


def test_running_jobs_are_found_again(own_site, tmp_path):
    site, codes = own_site, (0, 5, 0, 77)
    jobs = [site.submit(site.shell(ticking(tmp_path, code=code))) for code in codes]
    for job in jobs:
        site.reached(job, "RUNNING")
        wait_for("its first line", lambda: lines(tmp_path / job))
    before = site.jobs(jobs)
    restart(site)
    for job, code in zip(jobs, codes, strict=True):
        ended = site.ended(job)
        check_whole(site, tmp_path, ended, 60, code)
        assert ended["startedAt"] == before[job]["startedAt"]
        assert ended["container"]["taskArn"] == before[job]["container"]["taskArn"]


def test_jobs_that_end_while_there_is_no_server(own_site, tmp_path):
    site, codes = own_site, (0, 3, 143)
    jobs = [site.submit(site.shell(ticking(tmp_path, ticks=20, code=code))) for code in codes]
    for job in jobs:
        wait_for("its first line", lambda: lines(tmp_path / job))
    site.server.kill()
    wait_for("the jobs to end", lambda: all("end" in lines(tmp_path / job) for job in jobs))
    site.server.start()
    site.connect()
    for job, code in zip(jobs, codes, strict=True):
        check_whole(site, tmp_path, site.ended(job), 20, code)


def test_killed_again_and_again(own_site, tmp_path):
    """Ten kills in quick succession, while an array runs and more of it waits."""
    site = own_site
    array = site.submit(site.shell(ticking(tmp_path, ticks=10)), arrayProperties={"size": 60})
    for _ in range(10):
        count = len(os.listdir(tmp_path))
        wait_for("some progress", lambda: len(os.listdir(tmp_path)) > count or site.job(array)["status"] in TERMINAL)
        restart(site)
    assert site.ended(array, 120)["status"] == "SUCCEEDED"
    children = site.jobs(f"{array}:{index}" for index in range(60))
    for child in children.values():
        check_whole(site, tmp_path, child, 10, 0)


def test_queued_jobs_go_on(own_site, tmp_path):
    site = own_site
    gate = tmp_path / "open"
    first = site.submit(site.shell(f"until [ -e {gate} ]; do sleep 0.05; done"))
    dependent = site.submit(site.shell(f"echo dependent >> {tmp_path}/log"), dependsOn=[{"jobId": first}])
    array = site.submit(
        site.shell(f"echo $AWS_BATCH_JOB_ARRAY_INDEX >> {tmp_path}/log"),
        arrayProperties={"size": 50},
        dependsOn=[{"jobId": dependent}],
    )
    retried = site.submit(
        site.shell(f"echo try $AWS_BATCH_JOB_ATTEMPT >> {tmp_path}/tries; exit 1"),
        retryStrategy={"attempts": 3},
        dependsOn=[{"jobId": first}],
    )
    site.reached(first, "RUNNING")
    restart(site)
    assert site.job(first)["status"] == "RUNNING"
    assert {site.job(job)["status"] for job in (dependent, array, retried)} == {"PENDING"}
    gate.touch()
    assert site.ended(array)["status"] == "SUCCEEDED"
    assert site.ended(retried)["status"] == "FAILED"
    assert lines(tmp_path / "log")[0] == "dependent"
    assert sorted(lines(tmp_path / "log")[1:], key=int) == [str(index) for index in range(50)]
    assert lines(tmp_path / "tries") == ["try 1", "try 2", "try 3"]


def test_every_acknowledged_submission_is_there(own_site, tmp_path):
    """The kill falls into a stream of submissions; each one that was answered survives and runs exactly once."""
    site = own_site
    definition = site.shell(f"echo $AWS_BATCH_JOB_ID >> {tmp_path}/ran")
    jobs = []
    for _ in range(3):
        jobs += [site.submit(definition) for _ in range(20)]
        restart(site)
    for job in jobs:
        assert site.ended(job)["status"] == "SUCCEEDED"
    assert sorted(lines(tmp_path / "ran")) == sorted(jobs)


def test_terminating_after_a_restart(own_site, tmp_path):
    site = own_site
    job = site.submit(site.shell("echo started; sleep 1000"))
    site.reached(job, "RUNNING")
    restart(site)
    site.batch.terminate_job(jobId=job, reason="found and stopped")
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"], ended["container"]["exitCode"]) == (
        "FAILED",
        "found and stopped",
        143,
    )
    assert site.log(ended) == ["started"]


def test_a_termination_is_not_forgotten(own_site, tmp_path):
    """The kill falls between the request to terminate and the job's end."""
    site = own_site
    trap = f"until [ -e {tmp_path}/open ]; do sleep 0.05; done; exit 8"
    script = f"trap '{trap}' TERM; echo ready; while :; do sleep 0.05; done"
    job = site.submit(site.shell(script))
    stream = site.reached(job, "RUNNING")["container"]["logStreamName"]
    wait_for("the trap to be set", lambda: "ready" in site.stream(stream))
    site.batch.terminate_job(jobId=job, reason="in between")
    restart(site)
    (tmp_path / "open").touch()
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"], ended["container"]["exitCode"]) == ("FAILED", "in between", 8)


def test_configuration_survives(own_site):
    site = own_site
    definition = site.define("true", tags={"a": "b"})
    queue = site.make_queue(tags={"c": "d"})

    def everything():
        found = {
            "environments": site.batch.describe_compute_environments()["computeEnvironments"],
            "queues": site.batch.describe_job_queues()["jobQueues"],
            "definitions": site.batch.describe_job_definitions()["jobDefinitions"],
            "tags": site.batch.list_tags_for_resource(resourceArn=site.make_arn("job-queue", queue))["tags"],
        }
        return {name: values if isinstance(values, dict) else sorted(values, key=str) for name, values in found.items()}

    ended = site.ended(site.submit(definition, queue))
    before = everything()
    restart(site)
    assert everything() == before
    assert site.job(ended["jobId"]) == ended


def test_process_jobs_are_off_unless_allowed(tmp_path):
    site = Site(Server(tmp_path / "data", processes=False).start())
    try:
        definition = site.shell(f"touch {tmp_path}/ran")
        code, message = refusal(site.batch.submit_job, jobName="a", jobQueue=site.queue, jobDefinition=definition)
        assert (code, "process jobs" in message) == ("ClientException", True)
        assert not (tmp_path / "ran").exists()
    finally:
        site.server.remove()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_orderly_stop_leaves_jobs_running(own_site, tmp_path, number):
    site = own_site
    job = site.submit(site.shell(ticking(tmp_path)))
    wait_for("its first line", lambda: lines(tmp_path / job))
    site.server.process.send_signal(number)
    assert site.server.process.wait(30) == 0
    site.server.stop()
    site.server.start()
    site.connect()
    check_whole(site, tmp_path, site.ended(job), 60, 0)


def test_two_servers_do_not_share_a_folder(own_server):
    second = Server(own_server.data)
    with pytest.raises(AssertionError, match="did not start"):
        second.start()
    assert own_server.process.poll() is None
