"""What no client library sends: bad signatures, bad bodies, bad paths, over plain HTTP."""

import datetime
import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from raw import Raw, clock
from server import wait_for


def now(**shift):
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(**shift)


@pytest.fixture(scope="module")
def raw(server):
    return Raw(server)


def message(body):
    return body.get("message") or body.get("Message")


DESCRIBE = "/v1/describejobqueues"


def test_a_signed_request(raw):
    status, code, body = raw.call(DESCRIBE)
    assert (status, code) == (200, None)
    assert isinstance(body["jobQueues"], list)
    assert raw.headers["content-type"].startswith("application/json")
    assert raw.headers["x-amzn-requestid"]


# Signatures.


def test_unsigned(raw):
    assert raw.send(DESCRIBE) == (
        403,
        "MissingAuthenticationTokenException",
        {"message": "Missing Authentication Token", **optional_type(raw)},
    )


def optional_type(raw):
    """The body may repeat the code as `__type`."""
    _, code, body = raw.send(DESCRIBE)
    return {"__type": body["__type"]} if "__type" in body and body["__type"].endswith(code) else {}


@pytest.mark.parametrize("operation", ["/v1/submitjob", "/v1/terminatejob", "/v1/tags/x", "/", "/no/such/path"])
def test_nothing_is_done_unsigned(raw, operation):
    status, _, _ = raw.send(operation, b'{"jobName": "a"}')
    assert status == 403


def test_wrong_secret(raw):
    status, code, body = raw.call(DESCRIBE, credentials=raw.credentials(secret="x" * 40))
    assert (status, code) == (403, "InvalidSignatureException")
    assert message(body).startswith("The request signature we calculated does not match the signature you provided.")


def test_unknown_key(raw):
    status, code, body = raw.call(DESCRIBE, credentials=raw.credentials(key="AKIAIOSFODNN7EXAMPLE"))
    assert (status, code) == (403, "UnrecognizedClientException")
    assert message(body) == "The security token included in the request is invalid."


def test_a_token_that_nobody_gave(raw):
    status, code, _ = raw.call(DESCRIBE, credentials=raw.credentials(token="made up"))
    assert status == 403 and code in ("UnrecognizedClientException", "InvalidClientTokenId")


@pytest.mark.parametrize("minutes", [-6, -60, -1440])
def test_expired(raw, minutes):
    status, code, body = raw.call(DESCRIBE, at=now(minutes=minutes))
    assert (status, code) == (403, "InvalidSignatureException")
    assert message(body).startswith("Signature expired: ")


def test_from_the_future(raw):
    status, code, body = raw.call(DESCRIBE, at=now(minutes=6))
    assert (status, code) == (403, "InvalidSignatureException")
    assert message(body).startswith("Signature not yet current: ")


def test_a_clock_that_is_a_little_off(raw):
    assert raw.call(DESCRIBE, at=now(minutes=-4))[0] == 200
    assert raw.call(DESCRIBE, at=now(minutes=4))[0] == 200


def test_another_body_than_the_one_signed(raw):
    request = raw.signed(DESCRIBE, b'{"jobQueues": ["a"]}')
    status, code, _ = raw.send(DESCRIBE, b'{"jobQueues": ["b"]}', headers=dict(request.headers.items()))
    assert (status, code) == (403, "InvalidSignatureException")


def test_another_path_than_the_one_signed(raw):
    request = raw.signed(DESCRIBE)
    status, code, _ = raw.send("/v1/describejobs", headers=dict(request.headers.items()))
    assert (status, code) == (403, "InvalidSignatureException")


def test_another_service_than_the_one_signed(raw):
    assert raw.call(DESCRIBE, service="s3")[0] in (400, 403)


def test_another_region(raw):
    # Own choice: a client may sign for any region, so that programs with a region of their own need no change.
    status, _code, _body = raw.call(DESCRIBE, region="mars-north-1")
    assert status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20200101/us-east-1/batch/aws4_request",
        "Bearer abc",
        "Basic YTpi",
        "AWS4-HMAC-SHA256 " + "x" * 10_000,
    ],
)
def test_signatures_that_are_none(raw, authorization):
    status, code, _ = raw.send(DESCRIBE, headers={"Authorization": authorization})
    assert status in (400, 403) and code


# Presigned URLs.


def presigned(raw, path, expires=60, at=None, body=b""):
    request = AWSRequest("GET", f"{raw.server.access.endpoint}{path}", data=body)
    with clock(at):
        SigV4QueryAuth(raw.credentials(), "batch", raw.server.access.region, expires=expires).add_auth(request)
    parts = urlsplit(request.url)
    return f"{parts.path}?{parts.query}"


def test_presigned(raw, site):
    arn = site.make_arn("job-queue", site.queue).replace("/", "%2F").replace(":", "%3A")
    url = presigned(raw, f"/v1/tags/{arn}")
    assert raw.send(url, None, "GET")[::2] == (200, {"tags": {}})
    changed = url[:-1] + ("0" if url[-1] != "0" else "1")
    assert raw.send(changed, None, "GET")[:2] == (403, "InvalidSignatureException")
    expired = presigned(raw, f"/v1/tags/{arn}", at=now(seconds=-120))
    assert raw.send(expired, None, "GET")[:2] == (403, "InvalidSignatureException")


def test_a_url_that_boto3_presigned(raw, site):
    """The form in which clients hand `GetCallerIdentity` to others."""
    url = site.sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    parts = urlsplit(url)
    status, _, body = raw.send(f"{parts.path or '/'}?{parts.query}", None, "GET")
    assert status == 200
    assert "arn:aws:iam::000000000000:root" in body["text"]


# Bodies.


JSON_ERROR = "An error occurred during JSON parsing"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'{"jobQueues": [}',
        b'{"jobQueues": ["a"]} trailing',
        b"\xff\xfe",
        b'{"jobQueues": ["\xff"]}',
        b"{'jobQueues': []}",
        b'{"maxResults": 1e}',
    ],
)
def test_bodies_that_are_not_json(raw, body):
    status, code, answer = raw.call(DESCRIBE, body)
    assert (status, code) == (400, "ClientException")
    # Where it went wrong may follow.
    assert message(answer).startswith(JSON_ERROR)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"text"',
        b"7",
        b'{"jobQueues": "a"}',
        b'{"jobQueues": {"a": 1}}',
        b'{"jobQueues": [1]}',
        b'{"jobQueues": [["a"]]}',
        b'{"maxResults": "ten"}',
        b'{"maxResults": 1.5}',
        b'{"maxResults": 99999999999999999999}',
        b'{"maxResults": true}',
        b'{"nextToken": 7}',
    ],
)
def test_values_of_other_types(raw, body):
    status, code, answer = raw.call(DESCRIBE, body)
    assert (status, code) == (400, "ClientException")
    assert message(answer)


@pytest.mark.parametrize("opening, closing", [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_too_deep(raw, opening, closing, depth):
    body = b'{"jobQueues": ' + opening * depth + b"1" + closing * depth + b"}"
    status, code, _ = raw.call(DESCRIBE, body)
    assert (status, code) == (400, "ClientException")
    assert raw.call(DESCRIBE)[0] == 200


def test_an_unknown_member_is_ignored(raw):
    assert raw.call(DESCRIBE, b'{"fromTheFuture": {"a": [1, 2]}}')[0] == 200


def test_null_is_absent(raw):
    assert raw.call(DESCRIBE, b'{"jobQueues": null, "maxResults": null}')[0] == 200


@pytest.mark.parametrize("body", [b"", b"{}", b" {} \n"])
def test_nothing_is_an_empty_object(raw, body):
    assert raw.call(DESCRIBE, body)[0] == 200


@pytest.mark.parametrize(
    "path, missing",
    [
        ("/v1/submitjob", ["jobName", "jobQueue", "jobDefinition"]),
        ("/v1/describejobs", ["jobs"]),
        ("/v1/canceljob", ["jobId", "reason"]),
        ("/v1/createjobqueue", ["jobQueueName", "priority"]),
        ("/v1/createcomputeenvironment", ["computeEnvironmentName", "type"]),
    ],
)
def test_missing_members_are_named(raw, path, missing):
    status, code, answer = raw.call(path, b"{}")
    assert (status, code) == (400, "ClientException")
    assert [member for member in missing if member not in message(answer)] == []


@pytest.mark.parametrize("path", [DESCRIBE, "/v1/submitjob", "/v1/registerjobdefinition"])
def test_too_large(raw, path):
    body = b'{"jobQueues": ["' + b"x" * (3 << 20) + b'"]}'
    headers = dict(raw.signed(path, body).headers.items())
    try:
        status, code, _ = raw.send(path, body, headers=headers)
    except (BrokenPipeError, ConnectionResetError):
        # The server may hang up once it has seen enough; it must live on.
        status, code = 413, "RequestEntityTooLargeException"
    assert (status, code) == (413, "RequestEntityTooLargeException")
    assert raw.call(DESCRIBE)[0] == 200


def test_a_length_that_is_a_lie(raw):
    """A body that ends before its length is no request."""
    with socket.create_connection((raw.address.hostname, raw.address.port), timeout=30) as connection:
        connection.sendall(b"POST /v1/describejobqueues HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{}")
        connection.shutdown(socket.SHUT_WR)
        connection.recv(65_536)
    assert raw.call(DESCRIBE)[0] == 200


@pytest.mark.parametrize("text", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"\x00" * 100])
def test_what_is_not_http(raw, text):
    with socket.create_connection((raw.address.hostname, raw.address.port), timeout=30) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass
    assert raw.call(DESCRIBE)[0] == 200


def test_huge_headers(raw):
    try:
        status, _, _ = raw.send(DESCRIBE, headers={"x-large": "x" * 60_000})
        assert 400 <= status < 500
    except (BrokenPipeError, ConnectionResetError):
        # The server does not wait for the end of what it refuses: a client that still sends may not see the answer.
        pass
    assert raw.call(DESCRIBE)[0] == 200


# Paths.


@pytest.mark.parametrize("path", ["/v1/nosuchoperation", "/v2/describejobqueues", "/", "/v1/", "/v1/tags/"])
def test_unknown_paths(raw, path):
    status, code, _ = raw.call(path)
    assert status in (400, 403, 404) and code


def test_another_method(raw):
    assert raw.call(DESCRIBE, b"", "GET")[0] in (400, 403, 404, 405)
    assert raw.call(DESCRIBE, b"", "DELETE")[0] in (400, 403, 404, 405)


def test_health_needs_no_signature(raw):
    assert raw.send("/batchyard/health", None, "GET")[0] == 200


def test_no_nulls_and_no_fractions_in_answers(raw, site):
    """Absent members are left out, times are whole milliseconds."""
    job = site.run("true")
    _, _, body = raw.call("/v1/describejobs", json.dumps({"jobs": [job["jobId"]]}).encode())
    text = json.dumps(body)
    assert "null" not in text
    (found,) = body["jobs"]
    assert all(isinstance(found[name], int) for name in ("createdAt", "startedAt", "stoppedAt"))


def test_operations_without_output_answer_an_object(raw):
    body = json.dumps({"jobId": "00000000-0000-4000-8000-000000000000", "reason": "x"}).encode()
    assert raw.call("/v1/canceljob", body)[::2] == (200, {})


def test_many_connections(raw):
    """Two hundred idle connections do not keep others out."""
    idle = [socket.create_connection((raw.address.hostname, raw.address.port), timeout=30) for _ in range(200)]
    try:
        wait_for("an answer", lambda: raw.call(DESCRIBE)[0] == 200, seconds=10)
    finally:
        for connection in idle:
            connection.close()


def test_one_connection_many_requests(raw):
    connection = http.client.HTTPConnection(raw.address.hostname, raw.address.port, timeout=30)
    for _ in range(20):
        request = raw.signed(DESCRIBE)
        connection.request("POST", DESCRIBE, b"{}", dict(request.headers.items()))
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)
    connection.close()
