"""`batchyard up` and the commands beside it, as a person types them."""

import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from server import BINARY, START_SECONDS, STOP_SECONDS, Access, bare_environment, exports, wait_for

JOB_ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class Up:
    """`batchyard up` in a folder of its own, and commands in a shell where its variables are set."""

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "data"
        self.start()

    def start(self):
        command = [BINARY, "up", "--data", self.data, "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=bare_environment(), start_new_session=True
        )
        self.welcome = self.read_until("Ctrl-C stops the server.\n")
        self.access = Access(exports(self.data))

    def read_until(self, end):
        """What it prints, up to the line `end`."""
        text, watchdog = "", threading.Timer(START_SECONDS, self.process.kill)
        watchdog.start()
        while not text.endswith(end):
            line = self.process.stdout.readline()
            assert line, f"no {end!r} in {text!r}"
            text += line
        watchdog.cancel()
        return text

    def send(self, number):
        self.process.send_signal(number)

    def wait(self):
        with self.process:
            return self.process.wait(STOP_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with self.process:
            self.process.kill()
        # At which its supervisor ends too, with what it still runs.
        shutil.rmtree(self.data)

    def popen(self, *arguments, **options):
        return subprocess.Popen(
            [BINARY, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.access.environment(),
            **options,
        )

    def __call__(self, *arguments, expect=0):
        """Runs a command; returns what it printed to its standard output and to its standard error."""
        code, out, err = finish(self.popen(*arguments))
        assert code == expect, f"{arguments}: {code}\n{out}\n{err}"
        return out, err

    def run(self, *arguments, expect=0):
        """`batchyard run`; returns the output of the job and what was told beside it, without the line with the job's id."""
        out, err = self("run", *arguments, expect=expect)
        first, _, rest = err.partition("\n")
        assert re.fullmatch(f"job {JOB_ID}", first)
        return out, rest

    def detach(self, *arguments):
        out, err = self("run", "--detach", *arguments)
        assert re.fullmatch(f"{JOB_ID}\n", out) and not err
        return out.strip()


def finish(process):
    """The exit code of a command, and all that it still prints to its two outputs."""
    with process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def started(run):
    """The id of the job that `batchyard run` tells first."""
    return re.fullmatch(f"job ({JOB_ID})\n", run.stderr.readline())[1]


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    with Up(tmp_path_factory.mktemp("up")) as made:
        yield made


def test_welcome(up):
    assert f"serves AWS Batch at {up.access.endpoint}\n" in up.welcome
    assert "queue  default\n" in up.welcome
    # Its variables are what a shell takes.
    shell = subprocess.run(
        ["sh", "-c", f'eval "$({BINARY} env --data {up.data})"; echo $AWS_ENDPOINT_URL $AWS_REGION'],
        capture_output=True,
        text=True,
        env=bare_environment(),
    )
    assert shell.stdout == f"{up.access.endpoint} us-east-1\n"


def test_run_shows_output_and_exits_as_the_job_does(up):
    assert up.run("--", "sh", "-c", "echo out; echo err >&2") == ("out\nerr\n", "")
    assert up.run("--", "sh", "-c", "echo bad; exit 7", expect=7) == ("bad\n", "")
    assert up.run("--", "sh", "-c", "kill -TERM $$", expect=143) == ("", "")


def test_run_in_the_current_folder_and_with_its_own_environment(up):
    assert up.run("--", "pwd") == (f"{up.folder}\n", "")
    shown = up.run("-e", "COLOUR=blue", "-e", "EMPTY=", "--", "sh", "-c", 'echo "$COLOUR [$EMPTY] $AWS_BATCH_JQ_NAME"')
    assert shown == ("blue [] default\n", "")


def test_run_what_cannot_start(up):
    out, err = up.run("--", "no-such-program", expect=1)
    assert not out
    reason = 'Task failed to start: CannotStartContainerError: exec "no-such-program": no such file or directory'
    assert re.fullmatch(f"error: job {JOB_ID} failed: {re.escape(reason)}\n", err)


def test_run_says_what_ended_the_job_from_outside(up):
    job = up.popen("run", "--", "sleep", "60")
    job_id = started(job)
    up("kill", "--reason", "not needed", job_id)
    assert finish(job) == (143, "", f"error: job {job_id} failed: not needed\n")


def test_run_array(up):
    out, err = up.run("--array", "3", "--", "sh", "-c", 'echo "child $AWS_BATCH_JOB_ARRAY_INDEX"')
    assert (sorted(out.splitlines()), err) == ([f"[{index}] child {index}" for index in range(3)], "")
    out, err = up.run("--array", "3", "--", "sh", "-c", "exit $AWS_BATCH_JOB_ARRAY_INDEX", expect=1)
    assert not out
    assert re.match(f"error: 2 of the 3 jobs of array {JOB_ID} failed\nhint: ", err)


def test_run_after_another_job(up, tmp_path):
    gate = tmp_path / "gate"
    first = up.detach("--", "sh", "-c", f"while ! [ -e {gate} ]; do sleep 0.05; done; echo first")
    second = up.detach("--after", first, "--name", "second", "--", "echo", "second")
    shown, _ = up("explain", second)
    # What is expected depends on what ran before.
    *why, expected = shown.splitlines()
    assert why == [
        f"{second} is PENDING in queue default; it needs 1 vCPU, 512 MiB.",
        f"It waits for job {first} to succeed.",
    ]
    assert re.match("It is expected to start about|Its start cannot be predicted", expected)
    listed, _ = up("ps")
    assert re.search(f"^{second}  second  *PENDING ", listed, re.MULTILINE)
    assert re.search(f"^{first}  sh  *(STARTING|RUNNING) ", listed, re.MULTILINE)
    follower = up.popen("logs", "--follow", second)
    gate.touch()
    assert finish(follower) == (0, "second\n", "")
    assert up("logs", first) == ("first\n", "")
    assert second not in up("ps")[0]
    assert re.search(f"^{second}  second  *SUCCEEDED ", up("ps", "--all")[0], re.MULTILINE)


def test_retries(up, tmp_path):
    script = f"echo attempt $AWS_BATCH_JOB_ATTEMPT; echo >> {tmp_path}/tries; [ $(wc -l < {tmp_path}/tries) = 3 ]"
    out, err = up.run("--retries", "2", "--", "sh", "-c", script)
    assert (out, err) == ("attempt 1\nattempt 2\nattempt 3\n", "")


def test_a_job_that_finds_no_place_is_explained_and_killed(up):
    job = up.detach("--vcpus", "1000", "--", "true")
    shown, _ = up("explain", job)
    assert "It is next in its queue, and cannot start:\n" in shown
    assert "less than the job needs, even when idle; needed: that the job asks for less\n" in shown
    up("kill", job)
    assert re.search(f"^{job} .* FAILED .* terminated by `batchyard kill`$", up("ps", "--all")[0], re.MULTILINE)
    shown, _ = up("explain", job)
    assert "terminated by `batchyard kill`" in shown


def test_interrupting_run_ends_the_job(up):
    job = up.popen("run", "--", "sh", "-c", "echo ready; sleep 60", start_new_session=True)
    job_id = started(job)
    assert job.stdout.readline() == "ready\n"
    job.send_signal(signal.SIGINT)
    told = (
        f"terminating job {job_id}; Ctrl-C again leaves it to itself\n"
        f"error: job {job_id} failed: interrupted at `batchyard run`\n"
    )
    assert finish(job) == (143, "", told)


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["run", "--vcpus", "x", "--", "true"], "invalid value 'x' for '--vcpus <N>'"),
        (["run", "--env", "A", "--", "true"], "invalid value 'A' for '--env <KEY=VALUE>': must look like KEY=VALUE"),
        (["run", "--array", "1", "--", "true"], "invalid value '1' for '--array <N>'"),
        (["run", "--queue", "nope", "--", "true"], "error: failed to submit to the queue nope"),
        (["run", "--after", "nope", "--", "true"], "Job nope in dependsOn not found."),
        (["run"], "error: "),
        (["logs", "nope"], "error: there is no job nope\n"),
        (["kill", "nope"], "error: there is no job nope\n"),
        (["explain", "nope"], "error: Job nope not found.\n"),
        (["ps", "--queue", "nope"], "nope"),
    ],
)
def test_mistakes(up, arguments, told):
    code, out, err = finish(up.popen(*arguments))
    assert code in (1, 2) and not out
    assert told in err


def test_without_a_server(tmp_path):
    environment = {**bare_environment(), "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "BATCHYARD_DATA": str(tmp_path)}
    ended = subprocess.run([BINARY, "ps"], capture_output=True, text=True, env=environment)
    assert ended.returncode == 1 and not ended.stdout
    assert "batchyard up" in ended.stderr


def test_up_stops_in_order_at_ctrl_c_and_finds_its_jobs_again(tmp_path):
    gate = tmp_path / "gate"
    with Up(tmp_path) as up:
        job = up.detach("--", "sh", "-c", f"echo begin; while ! [ -e {gate} ]; do sleep 0.05; done; echo end; exit 3")
        wait_for("the job to run", lambda: "RUNNING" in up("ps")[0])
        up.send(signal.SIGINT)
        assert "running jobs go on" in up.read_until("Ctrl-C again stops at once.\n")
        assert up.wait() == 0
        gate.touch()
        up.start()
        assert up("logs", "--follow", job) == ("begin\nend\n", "")
        assert re.search(f"^{job}  sh  *FAILED .* 3  ", up("ps", "--all")[0], re.MULTILINE)
        up.send(signal.SIGTERM)
        assert up.wait() == 0


def test_up_stops_at_once_at_the_second_ctrl_c(tmp_path):
    with Up(tmp_path) as up:
        host, port = up.access.endpoint.removeprefix("http://").split(":")
        # A client in the middle of a request keeps an orderly stop waiting.
        with socket.create_connection((host, int(port))) as client:
            client.settimeout(START_SECONDS)
            client.sendall(
                b"POST /v1/listjobs HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"
            )
            # The server says so when it waits for the rest.
            assert client.recv(100).startswith(b"HTTP/1.1 100 ")
            up.send(signal.SIGINT)
            up.read_until("Ctrl-C again stops at once.\n")
            up.send(signal.SIGINT)
            assert up.wait() == 130


def test_output_without_a_terminal_is_plain(up):
    out, err = up("ps", "--all")
    assert "\x1b" not in out + err
    assert out
