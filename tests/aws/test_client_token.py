"""The header X-Batchyard-Client-Token: a submission that is sent again adds no second job."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from raw import Raw
from site_under_test import Site, unique

PATH = "/v1/submitjob"


@pytest.fixture
def raw(site):
    return Raw(site.server)


def submission(site, definition=None, **more):
    return {"jobName": "marked", "jobQueue": site.queue, "jobDefinition": definition or site.define("true"), **more}


def submit(raw, request, token, body=None):
    body = body or json.dumps(request).encode()
    request = raw.signed(PATH, body, "POST")
    headers = {**dict(request.headers.items()), "X-Batchyard-Client-Token": token}
    return raw.send(PATH, body, "POST", headers)


def test_the_same_request_is_answered_with_the_same_job(site, raw):
    request, token = submission(site), unique("token")
    status, _, first = submit(raw, request, token)
    assert status == 200
    assert submit(raw, request, token) == (200, None, first)
    # Also when its members come in another order, and when the job has ended and its definition is gone.
    site.ended(first["jobId"])
    site.batch.deregister_job_definition(jobDefinition=request["jobDefinition"])
    body = json.dumps(dict(reversed(request.items())), indent=2).encode()
    assert submit(raw, None, token, body) == (200, None, first)
    assert len(site.batch.describe_jobs(jobs=[first["jobId"]])["jobs"]) == 1


def test_another_request_is_refused(site, raw):
    request, token = submission(site), unique("token")
    _, _, first = submit(raw, request, token)
    status, code, answer = submit(raw, {**request, "jobName": "other"}, token)
    assert (status, code) == (400, "ClientException")
    assert answer["message"] == (
        f"The client token was used for another request, which made the job {first['jobId']}."
    )


def test_a_refused_request_leaves_its_token_free(site, raw):
    request, token = submission(site), unique("token")
    status, _, _ = submit(raw, {**request, "jobQueue": "nowhere"}, token)
    assert status == 400
    status, _, _ = submit(raw, request, token)
    assert status == 200


def test_many_at_once_make_one_job(site, raw):
    request, token = submission(site, arrayProperties={"size": 2}), unique("token")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: submit(Raw(site.server), request, token), range(64)))
    assert {status for status, _, _ in answers} == {200}
    assert len({answer["jobId"] for _, _, answer in answers}) == 1


@pytest.mark.parametrize("token", ["", "x" * 129])
def test_bad_tokens_are_named(site, raw, token):
    status, code, answer = submit(raw, submission(site), token)
    assert (status, code) == (400, "ClientException")
    assert answer["message"] == "the header X-Batchyard-Client-Token must have 1 to 128 characters of ASCII"


def test_tokens_outlive_a_kill(own_server):
    site = Site(own_server)
    request, token = submission(site), unique("token")
    _, _, first = submit(Raw(own_server), request, token)
    own_server.kill()
    own_server.start()
    assert submit(Raw(own_server), request, token) == (200, None, first)


def test_boto3_can_send_it(site):
    token = unique("token")
    batch = site.client("batch")
    batch.meta.events.register(
        "before-sign.batch.SubmitJob",
        lambda request, **_: request.headers.add_header("X-Batchyard-Client-Token", token),
    )
    request = submission(site)
    assert batch.submit_job(**request)["jobId"] == batch.submit_job(**request)["jobId"]
