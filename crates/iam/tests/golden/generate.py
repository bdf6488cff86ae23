"""Writes signed-by-botocore.txt: requests as botocore puts them on the wire, at a fixed time with fixed keys.

Needs botocore 1.43; sends nothing. Run in this folder: python3 generate.py > signed-by-botocore.txt
"""
import datetime
import sys
from urllib.parse import urlsplit

import botocore.auth
import botocore.config
import botocore.session
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials

NOW = datetime.datetime(2015, 8, 30, 12, 36, 0, tzinfo=datetime.timezone.utc)
ENDPOINT = "http://127.0.0.1:4590"
KEY = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
botocore.auth.get_current_datetime = lambda remove_tzinfo=True: NOW.replace(tzinfo=None) if remove_tzinfo else NOW


def write(name, request):
    url = urlsplit(request.url)
    target = url.path + ("?" + url.query if url.query else "")
    headers = {key.lower(): value for key, value in request.headers.items()}
    headers.setdefault("host", url.netloc)
    for unstable in ("user-agent", "amz-sdk-invocation-id", "amz-sdk-request"):
        if unstable not in str(headers.get("authorization", "")):
            headers.pop(unstable, None)
    body = request.body or b""
    body = body.decode() if isinstance(body, bytes) else body
    lines = [f"=== {name}", f"{request.method} {target}"]
    for key, value in headers.items():
        lines.append(f"{key}: {value.decode() if isinstance(value, bytes) else value}")
    print("\n".join(lines) + "\n\n" + body)


def client(service):
    session = botocore.session.Session()
    session.set_credentials(KEY.access_key, KEY.secret_key)
    return session.create_client(service, region_name="us-east-1", endpoint_url=ENDPOINT)


def call(name, service, operation, **arguments):
    made = client(service)

    def capture(request, **_):
        write(name, request)
        raw = type("Raw", (), {"stream": lambda self: iter([b"{}"]), "read": lambda self: b"{}"})()
        return AWSResponse(request.url, 200, {}, raw)

    made.meta.events.register("before-send", capture)
    try:
        getattr(made, operation)(**arguments)
    except Exception as error:  # The empty answer is not what every parser expects.
        print(error, file=sys.stderr)


def direct(name, auth, method, url, body=b"", headers=None, context=None):
    request = AWSRequest(method=method, url=url, data=body, headers=headers or {})
    request.context.update(context or {})
    auth.add_auth(request)
    write(name, request.prepare())


ARN = "arn:aws:batch:us-east-1:111122223333:job/5f0c6f6e-4f8e-4b62-a2c5-6a2b6fd0a9d1#1"
call("submit a job", "batch", "submit_job", jobName="hellö", jobQueue="q", jobDefinition="d:1")
call("tags of an ARN", "batch", "list_tags_for_resource", resourceArn=ARN)
call("repeated query parameter", "batch", "untag_resource", resourceArn=ARN, tagKeys=["b", "a b+c/~*", "é"])
call("awsJson", "logs", "describe_log_groups", logGroupNamePrefix="/aws/batch")
call("query protocol", "sts", "assume_role", RoleArn="arn:aws:iam::111122223333:role/job", RoleSessionName="batch-7")

header = botocore.auth.SigV4Auth(KEY, "batch", "us-east-1")
odd = {"My-Header": "  two   words ", "Content-Type": "application/json"}
direct("header value with spaces", header, "POST", ENDPOINT + "/v1/submitjob", b"{}", odd)
direct("date header", header, "POST", ENDPOINT + "/v1/submitjob", b"{}", {"Date": "now"})
unsigned = {"payload_signing_enabled": False}
direct("unsigned payload", header, "POST", "https://batch.example.com/v1/submitjob", b"{}", context=unsigned)
direct("unnormalised path", header, "GET", ENDPOINT + "//v1/./tags/../x%20y/a:b@c$d/", b"")

presigned = botocore.auth.SigV4QueryAuth(KEY, "sts", "us-east-1", expires=60)
url = ENDPOINT + "/?Action=GetCallerIdentity&Version=2011-06-15"
direct("presigned", presigned, "GET", url)
direct("presigned with a signed header", presigned, "GET", url, headers={"x-k8s-aws-id": "cluster"})

with open("session.txt", encoding="ascii") as file:  # Made by the session issuer's test.
    session = Credentials(*file.read().split())
direct("session by header", botocore.auth.SigV4Auth(session, "batch", "us-east-1"), "POST", ENDPOINT + "/v1/listjobs", b"{}")
session_query = botocore.auth.SigV4QueryAuth(session, "sts", "us-east-1", expires=60)
direct("session presigned", session_query, "GET", url)
