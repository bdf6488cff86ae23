"""Events (section G): one for each change of a job's state, as EventBridge has them, read over `GET /batchyard/v1/events`."""

import http.client
import json
import subprocess
import threading
import time
import uuid
from urllib.parse import quote, urlencode

import pytest

from raw import Raw
from server import BINARY, Server, wait_for
from site_under_test import Site, environment_resources
from test_blocked_queues import MAXIMUM_TEXT
from test_containers import image  # noqa: F401 (a fixture)
from test_multi_node import define, node
from test_quota_shares import UNIT, UNTIL_STOPPED, create, limits, policy, shared, training  # noqa: F401 (fixtures)

JOB = "Batch Job State Change"
BLOCKED = "Batch Job Queue Blocked"
SERVICE = "Batch Service Job State Change"
SERVICE_BLOCKED = "Batch Service Job Queue Blocked"
LISTS = ["command", "volumes", "environment", "mountPoints", "ulimits", "networkInterfaces", "resourceRequirements", "secrets"]
EXITED = "Essential container in task exited"


def fetch(site, **query):
    """(status, events or error, cursor) of one request; `detail_type` is `detail-type`."""
    query = {name.replace("_", "-"): value for name, value in query.items() if value is not None}
    raw = Raw(site.server)
    status, _, body = raw.call(f"/batchyard/v1/events?{urlencode(query, quote_via=quote)}", body=b"", method="GET")
    if status != 200:
        return status, body, None
    # A single line is JSON as a whole, none or several are not.
    lines = [body] if "text" not in body else map(json.loads, body["text"].splitlines())
    return status, list(lines), raw.headers["x-batchyard-cursor"]


def everything(site, after=None, **query):
    """All events after a cursor, and the cursor behind them."""
    found = []
    while True:
        status, events, cursor = fetch(site, after=after, **query)
        assert status == 200, events
        found += events
        if cursor == after:
            return found, cursor
        after = cursor


def now(site):
    return fetch(site, after="latest")[2]


def states(events):
    return [event["detail"]["status"] for event in events]


def of(events, job):
    return [event for event in events if event["detail"].get("jobId") == job]


def test_an_event_for_each_state(site):
    since = now(site)
    job = site.run("exit 0", definition={"tags": {"of": "definition"}}, tags={"colour": "red"})
    events = of(everything(site, since)[0], job["jobId"])
    assert states(events) == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
    for event in events:
        assert set(event) == {
            *("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
        }
        assert (event["version"], event["detail-type"], event["source"]) == ("0", JOB, "aws.batch")
        assert (event["account"], event["region"], event["resources"]) == ("000000000000", "us-east-1", [job["jobArn"]])
        assert uuid.UUID(event["id"]) and time.strptime(event["time"], "%Y-%m-%dT%H:%M:%SZ")
        detail = event["detail"]
        assert detail["tags"] == {"colour": "red", "resourceArn": job["jobArn"]}
        for name in ("jobArn", "jobName", "jobId", "jobQueue", "jobDefinition", "createdAt", "parameters"):
            assert detail[name] == job[name]
        assert detail["retryStrategy"] == {"attempts": 1, "evaluateOnExit": []}
        assert (detail["dependsOn"], detail["propagateTags"]) == ([], False)
        assert isinstance(detail["platformCapabilities"], list) and isinstance(detail["attempts"], list)
        assert [name for name in LISTS if not isinstance(detail["container"].get(name), list)] == []
    assert len({event["id"] for event in events}) == 4
    runnable, starting, running, succeeded = (event["detail"] for event in events)
    # What came later is not in what was earlier.
    assert not {"startedAt", "stoppedAt", "statusReason"} & (set(runnable) | set(starting))
    assert not {"taskArn", "logStreamName", "exitCode"} & set(runnable["container"])
    assert starting["container"]["taskArn"] == job["container"]["taskArn"]
    assert "logStreamName" not in starting["container"]
    assert (running["startedAt"], "stoppedAt" in running) == (job["startedAt"], False)
    assert running["container"]["logStreamName"] == job["container"]["logStreamName"]
    assert "exitCode" not in running["container"]
    assert (succeeded["stoppedAt"], succeeded["statusReason"]) == (job["stoppedAt"], EXITED)
    assert (succeeded["container"]["exitCode"], succeeded["attempts"]) == (0, job["attempts"])
    assert [len(detail["attempts"]) for detail in (runnable, starting, running)] == [0, 0, 0]


def test_a_retry_comes_back_to_runnable(site):
    since = now(site)
    job = site.run("exit $AWS_BATCH_JOB_ATTEMPT", definition={"retryStrategy": {"attempts": 2}})
    events = of(everything(site, since)[0], job["jobId"])
    again = ["RUNNABLE", "STARTING", "RUNNING"]
    assert states(events) == [*again, *again, "FAILED"]
    details = [event["detail"] for event in events]
    assert [len(detail["attempts"]) for detail in details] == [0, 0, 0, 1, 1, 1, 2]
    retried, starting, running = details[3:6]
    first = job["attempts"][0]
    assert retried["attempts"] == [first]
    assert (retried["statusReason"], retried["container"]["exitCode"]) == (EXITED, 1)
    assert starting["container"]["taskArn"] == job["attempts"][1]["container"]["taskArn"]
    assert running["startedAt"] == job["attempts"][1]["startedAt"]
    assert "exitCode" not in running["container"]
    assert details[0]["retryStrategy"] == {"attempts": 2, "evaluateOnExit": []}


def test_waiting_for_another_job_is_a_state(site, tmp_path):
    since = now(site)
    gate = f"until test -e {tmp_path}/go; do sleep 0.05; done"
    first = site.submit(site.shell(f"{gate}; exit 1"))
    second = site.submit(site.define("true"), dependsOn=[{"jobId": first}])
    (tmp_path / "go").touch()
    site.ended(second)
    events = of(everything(site, since)[0], second)
    assert states(events) == ["PENDING", "FAILED"]
    assert events[0]["detail"]["dependsOn"] == [{"jobId": first}]
    assert events[1]["detail"]["statusReason"] == "Dependent Job failed"


def test_cancelled_before_it_ran(site, tmp_path):
    since = now(site)
    queue = site.make_queue(site.make_environment(computeResources=environment_resources(maxvCpus=1)))
    first = site.submit(site.shell(f"until test -e {tmp_path}/go; do sleep 0.05; done"), queue)
    second = site.submit(site.define("true"), queue)
    site.batch.cancel_job(jobId=second, reason="not needed")
    (tmp_path / "go").touch()
    site.ended(second), site.ended(first)
    events = of(everything(site, since)[0], second)
    assert states(events) == ["RUNNABLE", "FAILED"]
    assert events[1]["detail"]["statusReason"] == "not needed" and "statusReason" not in events[0]["detail"]


def test_arrays_and_their_children(site):
    since = now(site)
    array = site.submit(site.shell("exit $AWS_BATCH_JOB_ARRAY_INDEX"), arrayProperties={"size": 2}, tags={"a": "b"})
    site.ended(array)
    events, _ = everything(site, since)
    parent = of(events, array)
    assert states(parent) == ["PENDING", "FAILED"]
    assert parent[0]["detail"]["arrayProperties"] == {"size": 2}
    summary = parent[1]["detail"]["arrayProperties"]["statusSummary"]
    assert (summary["SUCCEEDED"], summary["FAILED"]) == (1, 1)
    assert parent[1]["detail"]["statusReason"] == "Array Child Job failed"
    for index, last in ((0, "SUCCEEDED"), (1, "FAILED")):
        child = of(events, f"{array}:{index}")
        assert states(child) == ["RUNNABLE", "STARTING", "RUNNING", last]
        arn = site.job(f"{array}:{index}")["jobArn"]
        assert {tuple(event["resources"]) for event in child} == {(arn,)}
        assert all(event["detail"]["arrayProperties"] == {"index": index} for event in child)
        assert all(event["detail"]["tags"] == {"resourceArn": arn} for event in child)


def test_nodes_have_no_events_of_their_own(site):
    since = now(site)
    job = site.submit(define(site, {"0:": node("true")}, count=2))
    site.ended(job)
    events = [event for event in everything(site, since)[0] if event["detail"]["jobId"].startswith(job)]
    assert [event["detail"]["jobId"] for event in events] == [job] * len(events)
    assert states(events) == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
    assert events[0]["detail"]["nodeProperties"]["numNodes"] == 2


def test_a_blocked_queue(site):
    since = now(site)
    queue = site.make_queue(site.make_environment(computeResources=environment_resources(maxvCpus=2)))
    job = site.submit(site.define("true", properties={"vcpus": 3}), queue)
    found = wait_for("the event", lambda: everything(site, since, queue=queue, detail_type=BLOCKED)[0])
    (event,) = found
    described = site.job(job)
    arn = site.batch.describe_job_queues(jobQueues=[queue])["jobQueues"][0]["jobQueueArn"]
    assert event["resources"] == [described["jobArn"], arn]
    assert (event["detail-type"], event["detail"]["status"]) == (BLOCKED, "RUNNABLE")
    assert event["detail"]["statusReason"] == MAXIMUM_TEXT and event["detail"]["attempts"] == []
    assert event["detail"]["tags"] == {"resourceArn": described["jobArn"]}
    site.batch.cancel_job(jobId=job, reason="done")


def test_a_service_job_that_gives_way(site, training, shared):  # noqa: F811
    since = now(site)
    guest = training.submit(UNTIL_STOPPED, queue=shared, quotaShareName="guest", tags={"a": "b"})
    training.reached(guest, "RUNNING")
    other = training.submit(UNTIL_STOPPED, queue=shared, quotaShareName="guest")
    training.reached(other, "RUNNING")
    owner = training.submit("true", queue=shared, quotaShareName="own")
    training.ended(owner)
    again = training.reached(other, "RUNNING")
    site.batch.terminate_service_job(jobId=guest, reason="done")
    training.ended(guest)
    events, _ = everything(site, since, queue=shared)
    arn = again["jobArn"]
    mine = [event for event in events if event["resources"] == [arn]]
    reason = "Cross-share preemption triggered to reclaim borrowed capacity"
    kinds = [(event["detail-type"].removeprefix("Batch Service Job "), event["detail"]["status"]) for event in mine]
    start = [("State Change", status) for status in ("RUNNABLE", "SCHEDULED", "STARTING", "RUNNING")]
    assert kinds == [
        *start,
        ("Preemption Started", "RUNNING"),
        start[0],
        ("Preemption Completed", "RUNNABLE"),
        *start[1:],
    ]
    started, completed = mine[4]["detail"], mine[6]["detail"]
    assert started == {
        "preemptedJobArn": arn,
        "status": "RUNNING",
        "statusReason": f"PREEMPTION_IN_PROGRESS: {reason}",
    }
    assert set(completed) == {"preemptedJobArn", "preemptionSummary", "status"}
    assert completed["preemptedJobArn"] == arn and completed["preemptionSummary"] == again["preemptionSummary"]
    # What the preemption left is not in what came before.
    assert ["preemptionSummary" in event["detail"] for event in mine[:4]] == [False] * 4
    of_guest = [event["detail"] for event in events if event["detail"].get("jobId") == guest]
    assert [detail["status"] for detail in of_guest] == ["RUNNABLE", "SCHEDULED", "STARTING", "RUNNING", "FAILED"]
    for detail in of_guest:
        assert not {"tags", "serviceRequestPayload"} & set(detail)
        assert detail["serviceJobType"] == "SAGEMAKER_TRAINING" and detail["jobName"]
    assert [len(detail["attempts"]) for detail in of_guest] == [0, 0, 0, 0, 1]
    assert of_guest[4]["statusReason"] and of_guest[4]["stoppedAt"] and "stoppedAt" not in of_guest[3]


def test_a_blocked_queue_of_service_jobs(site, training, policy):  # noqa: F811
    since = now(site)
    queue = training.make_queue((UNIT, 1), schedulingPolicyArn=policy)  # noqa: F811
    create(site, queue, quotaShareName="none", capacityLimits=limits((UNIT, 0)))
    job = training.submit("true", queue=queue, quotaShareName="none")
    found = wait_for("the event", lambda: everything(site, since, queue=queue, detail_type=SERVICE_BLOCKED)[0])
    (event,) = found
    described = training.job(job)
    assert event["resources"] == [described["jobArn"]]
    assert (event["detail"]["status"], event["detail"]["statusReason"]) == ("RUNNABLE", described["statusReason"])
    assert event["detail"]["statusReason"].startswith("MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED")
    site.batch.terminate_service_job(jobId=job, reason="done")
    training.ended(job)


def test_filters_and_pages(own_site):
    """On a server of its own: jobs of other tests may end meanwhile."""
    site = own_site
    since = now(site)
    other = site.make_queue()
    here, there = site.run("true")["jobId"], site.run("true", queue=other)["jobId"]
    events, end = everything(site, since)
    assert of(events, here) and of(events, there)
    found, last = everything(site, since, queue=other)
    assert {event["detail"]["jobId"] for event in found} == {there} and last == end
    assert everything(site, since, queue=site.make_arn("job-queue", other))[0] == found
    assert everything(site, since, detail_type=SERVICE)[0] == []
    one_by_one, _ = everything(site, since, limit=1)
    assert one_by_one == events
    for size in (2, 3):
        assert everything(site, since, limit=size)[0] == events


def test_children_are_paged_within(site):
    since = now(site)
    queue = site.make_queue(site.make_environment(computeResources=environment_resources(maxvCpus=1)), state="ENABLED")
    site.batch.update_compute_environment(
        computeEnvironment=site.batch.describe_job_queues(jobQueues=[queue])["jobQueues"][0]["computeEnvironmentOrder"][0][
            "computeEnvironment"
        ],
        state="DISABLED",
    )
    array = site.submit(site.define("true"), queue, arrayProperties={"size": 2500})
    found, _ = everything(site, since, queue=queue, detail_type=JOB)
    assert [event["detail"]["jobId"] for event in found] == [array, *(f"{array}:{index}" for index in range(2500))]
    some, _ = everything(site, since, queue=queue, detail_type=JOB, limit=700)
    assert some == found
    site.batch.terminate_job(jobId=array, reason="done")
    site.ended(array)
    found, _ = everything(site, since, queue=queue, detail_type=JOB)
    assert states(found)[2501:] == ["FAILED"] * 2501 and found[-1]["detail"]["jobId"] == array


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"after": "x"}, "after must be latest, or what the header X-Batchyard-Cursor of an answer said."),
        ({"after": "1.2"}, "after must be latest, or what the header X-Batchyard-Cursor of an answer said."),
        ({"limit": 0}, "limit must be between 1 and 1000."),
        ({"limit": 1001}, "limit must be between 1 and 1000."),
        ({"wait": 21}, "wait must be between 0 and 20 seconds."),
        ({"detail_type": "Else"}, "detail-type must be one of Batch Job State Change, "),
        ({"since": 1}, "since is not a parameter of events."),
    ],
)
def test_what_cannot_be_asked_for(site, query, text):
    status, body, _ = fetch(site, **query)
    assert status == 400 and body["message"].startswith(text)


def test_events_need_a_signature(site):
    status, _, _ = Raw(site.server).send("/batchyard/v1/events", b"", "GET")
    assert status == 403


def test_waiting_ends_with_an_event_or_with_time(site):
    queue = site.make_queue()
    since = now(site)
    assert fetch(site, after=since, queue=queue, wait=1)[:2] == (200, [])
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(fetch(site, after=since, queue=queue, wait=20)))
    waiting.start()
    job = site.submit(site.define("true"), queue)
    waiting.join(15)
    assert answers and answers[0][1][0]["detail"]["jobId"] == job
    site.ended(job)


def test_a_stop_does_not_wait_for_readers(own_site):
    site = own_site
    since = now(site)
    raw = Raw(site.server)
    path = f"/batchyard/v1/events?{urlencode({'after': since, 'wait': 20})}"
    waiting = http.client.HTTPConnection(raw.address.hostname, raw.address.port)
    waiting.request("GET", path, headers=dict(raw.signed(path, b"", "GET").headers.items()))
    # The request is there when another that came later is answered: connections are taken in order.
    fetch(site, after=since)
    assert site.server.stop() == 0
    assert "still under way" not in site.server.log_text()
    waiting.close()


def test_none_is_lost_over_kills(own_site, tmp_path):
    """A reader that remembers its cursor gets every event of every job, in order, over kills of the server."""
    site = own_site
    site.server.keep_address()
    definition = site.shell("true")
    seen, cursor, jobs = [], None, []
    for _ in range(4):
        jobs += [site.submit(definition) for _ in range(10)]
        events, cursor = everything(site, cursor)
        seen += events
        site.server.kill()
        site.server.start()
        site.connect()
    for job in jobs:
        site.ended(job)
    seen += everything(site, cursor)[0]
    for job in jobs:
        mine = states(of(seen, job))
        # Attempts whose launch was under way at a kill are not tried again.
        assert mine == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"], job
    assert len({event["id"] for event in seen}) == len(seen)


def test_events_are_kept_for_a_time_and_can_be_off(tmp_path):
    site = Site(Server(tmp_path / "data").start())
    site.run("true")
    assert everything(site)[0]
    site.server.stop()
    off = Site(Server(site.server.data, events_retention_hours=0).start())
    try:
        status, body, _ = fetch(off)
        assert (status, body["message"]) == (
            400,
            "Events are not kept by this server: events.retention_hours is 0.",
        )
        off.run("true")
        off.server.stop()
        site.server.start()
        site.connect()
        # What was kept is gone, and nothing came to it.
        assert everything(site)[0] == []
        site.run("true")
        assert len(everything(site)[0]) == 4
    finally:
        site.server.remove()


def events_command(site, *arguments):
    return [BINARY, "events", *arguments, "--data", site.server.data]


def test_the_command(site, tmp_path):
    queue = site.make_queue()
    job = site.run("true", queue=queue)["jobId"]
    command = events_command(site, "--queue", queue, "--type", JOB, "--cursor", tmp_path / "cursor")
    first = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert states(map(json.loads, first.splitlines())) == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
    assert json.loads(first.splitlines()[0])["detail"]["jobId"] == job
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""
    other = site.run("true", queue=queue)["jobId"]
    again = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert {json.loads(line)["detail"]["jobId"] for line in again.splitlines()} == {other}


def test_the_command_follows(site):
    queue = site.make_queue()
    with subprocess.Popen(
        events_command(site, "--follow", "--queue", queue), stdout=subprocess.PIPE, text=True
    ) as process:
        job = site.submit(site.define("true"), queue)
        lines = [json.loads(process.stdout.readline()) for _ in range(4)]
        process.kill()
    assert states(of(lines, job)) == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
