"""HTTP requests as they are written, signed or not."""

import http.client
import json
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


class Raw:
    """Sends requests as they are."""

    def __init__(self, server):
        self.server = server
        variables = server.access.variables
        self.key, self.secret = variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]
        self.address = urlsplit(server.access.endpoint)

    def credentials(self, key=None, secret=None, token=None):
        return Credentials(key or self.key, secret or self.secret, token)

    def signed(
        self, path, body=b"{}", method="POST", credentials=None, service="batch", at=None, headers=(), region=None
    ):
        request = AWSRequest(method, f"{self.server.access.endpoint}{path}", data=body, headers=dict(headers))
        signer = SigV4Auth(credentials or self.credentials(), service, region or self.server.access.region)
        with clock(at):
            signer.add_auth(request)
        return request

    def send(self, path, body=b"{}", method="POST", headers=None):
        """(status, error code, body) of the answer."""
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            text = answer.read()
            self.headers = {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = {"text": text.decode(errors="replace")}
        code = self.headers.get("x-amzn-errortype") or parsed.get("__type")
        return answer.status, code and code.split(":")[0].split("#")[-1], parsed

    def call(self, path, body=b"{}", method="POST", **signing):
        request = self.signed(path, body, method, **signing)
        return self.send(path, body, method, dict(request.headers.items()))


class clock:
    """botocore signs for another time than now."""

    def __init__(self, at):
        self.at = at

    def __enter__(self):
        if self.at is None:
            return
        import botocore.auth

        at = self.at
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: at.replace(tzinfo=None))

    def __exit__(self, *_):
        if self.at is not None:
            self.patch.undo()
