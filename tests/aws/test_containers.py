"""Jobs as containers of the Docker engine that DOCKER_HOST, or the default socket, leads to."""

import contextlib
import os
import select
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from server import Server, wait_for
from site_under_test import TERMINAL, Site, unique

IMAGE = "batchyard/test-shell"
PROGRAMS = ["sh", "echo", "env", "sleep", "cat", "seq", "head", "tail", "tr", "touch", "true", "false", "id", "readlink"]
EXITED = "Essential container in task exited"


def docker(*arguments, **options):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, **options).stdout


def engine_answers():
    return bool(shutil.which("docker")) and subprocess.run(["docker", "info"], capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A small image of this machine's own shell and a few programs; nothing is pulled."""
    if not engine_answers():
        pytest.skip("no Docker engine answers")
    programs = [shutil.which(program, path="/usr/bin:/bin") for program in PROGRAMS]
    libraries = set()
    for program in programs:
        for word in subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout.split():
            if word.startswith("/"):
                libraries.add(word)
    root = tmp_path_factory.mktemp("image") / "root"
    for path in [*programs, *libraries]:
        target = root / Path(path).relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for name in ("tmp", "proc", "dev", "work"):
        (root / name).mkdir()
    tar = subprocess.run(["tar", "--create", "--directory", root, "."], check=True, capture_output=True).stdout
    docker("import", "--change", "ENV PATH=/usr/bin:/bin", "-", IMAGE, input=tar)
    return IMAGE


@pytest.fixture
def contained(site, image):
    """Submits a script as a container job."""
    return lambda script, **more: submit(site, script, **more)


def submit(site, script, image=IMAGE, properties=None, **request):
    made = site.batch.register_job_definition(
        jobDefinitionName=unique("contained"),
        type="container",
        containerProperties={
            "image": image,
            "command": ["sh", "-c", script] if isinstance(script, str) else script,
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
            **(properties or {}),
        },
    )
    return site.submit(made["jobDefinitionArn"], **request)


def test_success(site, contained):
    job = site.ended(contained("echo one; echo two >&2"))
    assert (job["status"], job["statusReason"], job["container"]["exitCode"]) == ("SUCCEEDED", EXITED, 0)
    assert sorted(site.log(job)) == ["one", "two"]
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]


@pytest.mark.parametrize("code", [1, 42, 255])
def test_exit_codes(site, contained, code):
    job = site.ended(contained(f"exit {code}"))
    assert (job["status"], job["statusReason"], job["container"]["exitCode"]) == ("FAILED", EXITED, code)


def test_environment(site, contained):
    properties = {"environment": [{"name": "COLOUR", "value": "red"}]}
    array = contained("env", properties=properties, arrayProperties={"size": 2})
    site.ended(array)
    job = site.job(f"{array}:1")
    seen = dict(line.split("=", 1) for line in site.log(job))
    expected = {
        "COLOUR": "red",
        "AWS_BATCH_JOB_ID": f"{array}:1",
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_BATCH_JOB_ARRAY_INDEX": "1",
        "AWS_BATCH_JOB_ARRAY_SIZE": "2",
        "AWS_BATCH_JQ_NAME": site.queue,
    }
    assert {name: seen.get(name) for name in expected} == expected


def test_an_image_that_cannot_be_pulled(site, image):
    job = site.ended(submit(site, "true", image="127.0.0.1:1/no/such:image"))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert job["container"]["reason"].startswith("CannotPullContainerError: ")
    assert "exitCode" not in job["container"] and len(job["container"]["reason"]) <= 255


def test_a_command_that_is_not_there(site, contained):
    job = site.ended(contained(["no-such-command"]))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert job["container"]["reason"].startswith("CannotStartContainerError: ")


def test_too_much_memory(site, contained):
    job = site.ended(contained("x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}"))
    assert (job["status"], job["container"]["exitCode"]) == ("FAILED", 137)
    assert job["container"]["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_volumes(site, contained, tmp_path):
    properties = {
        "volumes": [{"name": "data", "host": {"sourcePath": str(tmp_path)}}],
        "mountPoints": [{"sourceVolume": "data", "containerPath": "/work"}],
    }
    assert site.ended(contained("echo here > /work/file", properties=properties))["status"] == "SUCCEEDED"
    assert (tmp_path / "file").read_text() == "here\n"


def test_terminate(site, contained):
    job = contained("trap 'echo stopping; exit 3' TERM; echo ready; for i in $(seq 400); do sleep 0.05; done")
    stream = site.reached(job, "RUNNING")["container"]["logStreamName"]
    wait_for("the trap to be set", lambda: "ready" in site.stream(stream))
    site.batch.terminate_job(jobId=job, reason="enough")
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"], ended["container"]["exitCode"]) == ("FAILED", "enough", 3)
    assert site.log(ended) == ["ready", "stopping"]


def test_killed_server_finds_its_containers_again(own_site, image, tmp_path):
    site = own_site
    properties = {
        "volumes": [{"name": "data", "host": {"sourcePath": str(tmp_path)}}],
        "mountPoints": [{"sourceVolume": "data", "containerPath": "/work"}],
    }
    numbers = [str(number) for number in range(1, 61)]
    script = "for i in $(seq 60); do echo tick $i; echo $i >> /work/$AWS_BATCH_JOB_ID; sleep 0.05; done; exit $CODE"
    codes = (0, 9)
    jobs = [
        submit(site, script, properties={**properties, "environment": [{"name": "CODE", "value": str(code)}]})
        for code in codes
    ]
    # This one ends while there is no server.
    short = submit(site, "echo short; sleep 0.5; touch /work/short", properties=properties)
    for job in [*jobs, short]:
        site.reached(job, "RUNNING")
    before = site.jobs(jobs)
    site.server.kill()
    wait_for("the short job", (tmp_path / "short").exists)
    site.server.start()
    site.connect()
    for job, code in zip(jobs, codes, strict=True):
        ended = site.ended(job)
        assert (ended["status"], ended["container"]["exitCode"]) == ("FAILED" if code else "SUCCEEDED", code)
        assert ended["startedAt"] == before[job]["startedAt"]
        assert (tmp_path / job).read_text().split() == numbers
        assert site.log(ended) == [f"tick {number}" for number in numbers]
    ended = site.ended(short)
    assert (ended["status"], site.log(ended)) == ("SUCCEEDED", ["short"])


def test_containers_are_removed_at_the_end(site, contained):
    job = site.ended(contained("true"))
    task = job["container"]["taskArn"].rsplit("/", 1)[1]

    def is_gone():
        shown = docker("ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.Labels}}", text=True)
        return task not in shown

    wait_for("the container to be removed", is_gone)


def test_a_container_job_without_an_engine(tmp_path, monkeypatch):
    """Nothing hangs and nothing falls over where there is no Docker: the job waits or says why it failed."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    own = Server(tmp_path / "data").start()
    try:
        site = Site(own)
        job = submit(site, "true")
        assert site.ended(site.submit(site.define("true")))["status"] == "SUCCEEDED"
        found = site.job(job)
        assert found["status"] not in TERMINAL or found["container"]["reason"]
    finally:
        own.remove()


class Relay:
    """A socket in front of the engine's, which can be taken away and put back, as when a daemon dies and is started again."""

    def __init__(self, path, engine):
        self.path, self.engine = path, engine
        self.put_back()

    def put_back(self):
        self.clients, self.threads = [], []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self._start(self._accept, self.listener)

    def take_away(self):
        self.path.unlink()
        # Shutting down wakes whoever waits at it. Who is accepted last must be among those that are shut down.
        self._shut_down(self.listener)
        self.threads[0].join()
        for client in self.clients:
            self._shut_down(client)
        for thread in self.threads:
            thread.join()

    @staticmethod
    def _shut_down(end):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

    def _start(self, run, *arguments):
        thread = threading.Thread(target=run, args=arguments)
        self.threads.append(thread)
        thread.start()

    def _accept(self, listener):
        with contextlib.suppress(OSError), listener:
            while True:
                client, _ = listener.accept()
                self.clients.append(client)
                self._start(self._serve, client)

    def _serve(self, client):
        """Copies both ways until one side has ended."""
        with contextlib.suppress(OSError), client, socket.socket(socket.AF_UNIX) as daemon:
            daemon.connect(self.engine)
            others = {client: daemon, daemon: client}
            while True:
                for source in select.select(others, [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    others[source].sendall(data)


@pytest.fixture
def relay(tmp_path, image):
    engine = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not engine.startswith("unix://"):
        pytest.skip("the Docker engine is not reached through a socket file")
    made = Relay(tmp_path / "engine.sock", engine.removeprefix("unix://"))
    yield made
    made.take_away()


def test_an_engine_that_goes_away_midway(relay, tmp_path, monkeypatch):
    """What runs goes on and is found again with all of its output; what comes waits; processes do not care."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{relay.path}")
    own = Server(tmp_path / "data").start()
    try:
        site = Site(own)
        properties = {
            "volumes": [{"name": "data", "host": {"sourcePath": str(tmp_path)}}],
            "mountPoints": [{"sourceVolume": "data", "containerPath": "/work"}],
        }
        ticks = "for i in $(seq 40); do echo tick $i; sleep 0.05; done"
        long = submit(site, f"{ticks}; touch /work/half; {ticks}; exit 4", properties=properties)
        short = submit(site, "echo short; touch /work/short; sleep 1; touch /work/over", properties=properties)
        wait_for("the short job to start", (tmp_path / "short").exists)
        for job in (long, short):
            site.reached(job, "RUNNING")
        relay.take_away()
        late = submit(site, "echo late")
        assert site.run("echo process")["status"] == "SUCCEEDED"
        wait_for("the short job to end", (tmp_path / "over").exists)
        wait_for("the long job to go on", (tmp_path / "half").exists)
        assert {job["status"] for job in site.jobs([long, short]).values()} == {"RUNNING"}
        relay.put_back()
        ended = site.ended(long)
        assert (ended["status"], ended["container"]["exitCode"]) == ("FAILED", 4)
        assert site.log(ended) == [f"tick {number}" for number in range(1, 41)] * 2
        ended = site.ended(short)
        assert (ended["status"], site.log(ended)) == ("SUCCEEDED", ["short"])
        ended = site.ended(late)
        assert (ended["status"], site.log(ended)) == ("SUCCEEDED", ["late"])
    finally:
        own.remove()


def test_a_stop_while_the_engine_is_away_is_not_forgotten(relay, tmp_path, monkeypatch):
    """Also not by a server that was started meanwhile, and has not seen its containers yet."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{relay.path}")
    own = Server(tmp_path / "data").start()
    try:
        site = Site(own)
        job = submit(site, "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done")
        site.reached(job, "RUNNING")
        own.kill()
        relay.take_away()
        own.start()
        site.connect()
        site.batch.terminate_job(jobId=job, reason="enough")
        assert site.run("echo process")["status"] == "SUCCEEDED"
        assert site.job(job)["status"] == "RUNNING"
        relay.put_back()
        ended = site.ended(job)
        assert (ended["status"], ended["statusReason"], ended["container"]["exitCode"]) == ("FAILED", "enough", 3)
    finally:
        own.remove()
