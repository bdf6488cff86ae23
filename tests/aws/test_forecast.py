"""When queued jobs are expected to start: `GET /batchyard/v1/forecast`, `explain`, `batchyard explain` and `batchyard ps`."""

import json
import subprocess
import time
from urllib.parse import quote

import pytest

from raw import Raw
from server import BINARY, wait_for
from site_under_test import environment_resources, unique


@pytest.fixture
def gate(tmp_path):
    path = tmp_path / "gate"
    yield path
    path.touch()


@pytest.fixture
def queue(site):
    """A queue with room for one small job."""
    return site.make_queue(site.make_environment(computeResources=environment_resources(maxvCpus=1)))


def waiting(site, gate, **options):
    """A definition of a job that runs until the gate opens."""
    return site.shell(f"until test -e {gate}; do sleep 0.05; done", **options)


def get(site, path):
    status, _, body = Raw(site.server).call(f"/batchyard/v1/{path}", body=b"", method="GET")
    return status, body


def forecast(site, query):
    status, body = get(site, f"forecast?{query}")
    assert status == 200, body
    return body


def expected_start(site, job):
    """What `explain` expects, once it does: a job that came after the last look ahead has to wait for the next."""

    def look():
        status, body = get(site, f"explain/{job}")
        assert status == 200, body
        return body.get("expectedStart")

    return wait_for(f"{job} to be looked at", look)


def batchyard(site, *arguments):
    environment = site.server.access.environment(TZ="UTC")
    command = [BINARY, *arguments, "--data", site.server.data]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout


def now_ms():
    return time.time() * 1000


def test_a_timeout_says_when_the_next_job_starts_at_the_latest(site, gate, queue):
    running = site.submit(waiting(site, gate, timeout={"attemptDurationSeconds": 600}), queue)
    started = site.reached(running, "RUNNING")["startedAt"]
    next_job = site.submit(site.define("true"), queue)
    expected = expected_start(site, next_job)
    assert expected["p50"] == expected["p90"] == started + 600_000
    assert expected["basis"] == ["timeouts"] and expected["asOf"] <= now_ms()
    text = batchyard(site, "explain", next_job)
    assert "It is expected to start about " in text and "Where a definition has no history its timeout counts." in text


def test_the_last_runs_of_a_definition_say_how_long_a_job_runs(site, gate, queue):
    definition = waiting(site, gate)
    gate.touch()
    for _ in range(3):
        site.ended(site.submit(definition, queue))
    gate.unlink()
    running = site.submit(definition, queue)
    site.reached(running, "RUNNING")
    jobs = [site.submit(definition, queue) for _ in range(2)]
    expected = [expected_start(site, job) for job in jobs]
    assert all(each["basis"] == ["runs"] and each["p50"] <= each["p90"] for each in expected)
    assert expected[0]["p50"] <= expected[1]["p50"]
    answer = forecast(site, f"queue={queue}")
    assert [each["jobId"] for each in answer["jobs"]] == jobs and answer["queued"] == 2


def test_without_history_and_timeout_nothing_is_known(site, gate, queue):
    running = site.submit(waiting(site, gate), queue)
    site.reached(running, "RUNNING")
    next_job = site.submit(site.define("true"), queue)
    pending = site.submit(site.define("true"), queue, dependsOn=[{"jobId": next_job}])
    for job in (next_job, pending):
        assert expected_start(site, job)["unknown"] == {"kind": "endless", "jobId": running}
    because = f"cannot be predicted: it waits for job {running}, which has no history and no timeout."
    assert because in batchyard(site, "explain", next_job)


def test_arrays_have_a_first_and_a_last_child(site, gate, queue):
    definition = waiting(site, gate, timeout={"attemptDurationSeconds": 100})
    array = site.submit(definition, queue, arrayProperties={"size": 3})
    started = site.reached(f"{array}:0", "RUNNING")["startedAt"]
    whole = expected_start(site, array)
    assert (whole["p50"], whole["last"]["p50"]) == (started + 100_000, started + 200_000)
    assert expected_start(site, f"{array}:2")["p50"] == started + 200_000
    asked = forecast(site, "jobs=" + quote(f"{array}:1,{array}:0,{array}"))["jobs"]
    assert [each["jobId"] for each in asked] == [f"{array}:1", array]
    assert "Its first child is expected to start about " in batchyard(site, "explain", array)


def test_ps_shows_expected_starts_while_something_is_queued(site, gate, queue):
    running = site.submit(waiting(site, gate, timeout={"attemptDurationSeconds": 7200}), queue)
    site.reached(running, "RUNNING")
    assert "STARTS" not in batchyard(site, "ps", "--queue", queue)
    next_job = site.submit(site.define("true"), queue)
    expected = expected_start(site, next_job)["p50"] / 1000
    day = time.strftime("%Y-%m-%d ", time.gmtime(expected + 30))
    today = time.strftime("%Y-%m-%d ", time.gmtime())
    clock = ("" if day == today else day) + time.strftime("%H:%M", time.gmtime(expected + 30))
    title, *rows = batchyard(site, "ps", "--queue", queue).splitlines()
    assert "STARTS" in title
    assert any(next_job in row and clock in row for row in rows), rows


def test_what_is_asked_wrongly_is_refused(site, queue):
    status, body = get(site, "forecast")
    assert (status, body["message"]) == (400, "queue or jobs must be given.")
    status, body = get(site, f"forecast?queue={unique('none')}")
    assert status == 400 and "not found" in body["message"]
    status, body = get(site, "forecast?jobs=" + quote(",".join(["x"] * 1001)))
    assert (status, body["message"]) == (400, "jobs must name at most 1000 jobs.")
    assert forecast(site, "jobs=nothing")["jobs"] == []
    for path in ("forecast?queue=x", "state"):
        status, _, _ = Raw(site.server).send(f"/batchyard/v1/{path}", b"", "GET")
        assert status == 403


def test_the_state_is_what_the_scheduler_knows(site, gate, queue):
    secret, token = unique("secret"), unique("token")
    overrides = {"environment": [{"name": "TOKEN", "value": secret}]}
    body = {
        "jobName": "job",
        "jobQueue": queue,
        "jobDefinition": waiting(site, gate),
        "containerOverrides": overrides,
    }
    raw = Raw(site.server)
    headers = [("X-Batchyard-Client-Token", token)]
    status, _, made = raw.call("/v1/submitjob", body=json.dumps(body).encode(), headers=headers)
    assert status == 200, made
    site.reached(made["jobId"], "RUNNING")
    status, state = get(site, "state")
    assert status == 200
    assert made["jobId"] in [job for job, _ in state["state"]["jobs"]] and state["version"] == 1
    # What runs is no business of the scheduler, and a token would let others learn of the job.
    assert secret not in str(state) and token not in str(state)
