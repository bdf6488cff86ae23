"""The server under test: the real binary, started, killed and found again from outside.

Nothing here knows how the server works inside; everything goes over its command line and its port.
"""

import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BINARY = Path(os.environ.get("BATCHYARD_BINARY", HERE / "../../target/debug/batchyard")).resolve()

START_SECONDS = 30
STOP_SECONDS = 30


@dataclass(frozen=True)
class Access:
    """What a client must know, as `batchyard env` prints it."""

    variables: dict

    @property
    def endpoint(self):
        return self.variables["AWS_ENDPOINT_URL"]

    @property
    def region(self):
        return self.variables["AWS_REGION"]

    def environment(self, **more):
        """An environment with nothing of the caller's AWS settings in it."""
        plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return {
            **plain,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "PYTHONWARNINGS": "ignore",
            **self.variables,
            **more,
        }


class Server:
    """A server on a data folder. `start` may be called again after `kill`: the data stays."""

    def __init__(self, data, *arguments, processes=True, **settings):
        """`settings` are configuration keys, such as `limits_array_size=20`."""
        self.data = Path(data)
        self.settings = {f"BATCHYARD_{key.upper()}": str(value) for key, value in settings.items()}
        self.arguments = [*arguments, *(["--allow-processes"] if processes else [])]
        self.listen = "127.0.0.1:0"
        self.process = None
        self.access = None
        self.starts = 0

    def start(self):
        assert self.process is None, "the server runs already"
        self.starts += 1
        command = [BINARY, "serve", "--data", self.data, "--listen", self.listen, *self.arguments]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**bare_environment(), **self.settings},
                start_new_session=True,
            )
        try:
            self._wait_for_address()
        except BaseException:
            self.kill()
            raise
        self.access = Access(exports(self.data))
        return self

    @property
    def log_path(self):
        return self.data.parent / f"{self.data.name}.log"

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def _wait_for_address(self):
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not re.fullmatch(r"listening on http://\S+\n", line):
            raise AssertionError(f"the server did not start: {line!r}\n{self.log_text()[-4000:]}")

    def keep_address(self):
        """Has later starts listen where the server listens now, for jobs that run meanwhile."""
        self.listen = self.access.endpoint.removeprefix("http://")

    def kill(self):
        """SIGKILL to the server's own process, as a crash would: jobs and their supervisors are not touched."""
        self._end(signal.SIGKILL)

    def stop(self):
        """SIGTERM; returns the exit code."""
        return self._end(signal.SIGTERM)

    def remove(self):
        """Kills the server and takes its folder away, at which its supervisor, and what that still runs, ends too."""
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def _end(self, number):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()
            self.process = None


def exports(data):
    """What `batchyard env` has a shell export."""
    text = subprocess.run(
        [BINARY, "env", "--data", data], check=True, capture_output=True, text=True, env=bare_environment()
    ).stdout
    words = (shlex.split(line) for line in text.splitlines())
    return dict(pair.split("=", 1) for command, *pairs in words if command == "export" for pair in pairs)


def bare_environment():
    """Nothing of the caller's settings but the level of the log; room for parallel jobs, and for the resources of all tests."""
    plain = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "LANG", "TMPDIR", "DOCKER_HOST", "BATCHYARD_LOG")
        if name in os.environ
    }
    many = {
        f"BATCHYARD_LIMITS_{kind}": "1000" for kind in ("COMPUTE_ENVIRONMENTS", "SERVICE_ENVIRONMENTS", "JOB_QUEUES")
    }
    return {**plain, **many, "BATCHYARD_HOST_VCPUS": "16", "BATCHYARD_CONFIG": os.devnull}


def wait_for(what, look, seconds=30, interval=0.03):
    """Calls `look` until it returns something true, and returns that. The one place that waits."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(interval)
