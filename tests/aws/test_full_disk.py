"""A disk that fills up under the server: it says so and refuses, loses nothing, and goes on when there is room again."""

import errno
import os
import subprocess

import pytest
from botocore.exceptions import ClientError

from server import Server, wait_for
from site_under_test import Site

DISK = "24M"
FILLER_CHUNK = 4096
NO_SPACE = (
    "ServerException",
    "The server refuses writes for now: no space left on the disk of the server's data folder.",
)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of its own, with room for little."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "batchyard-test", folder]
    mounted = subprocess.run(mount, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def site(small_disk):
    server = Server(small_disk / "data").start()
    yield Site(server)
    server.remove()


def fill(folder):
    """Leaves not a byte."""
    chunk = bytes(FILLER_CHUNK)
    with open(folder / "filler", "wb", buffering=0) as filler:
        while True:
            try:
                if filler.write(chunk) < len(chunk):
                    return
            except OSError as error:
                assert error.errno == errno.ENOSPC
                return


def free(folder):
    (folder / "filler").unlink()


def taken(site, definition):
    """The job, if a submission is taken; else why not."""
    try:
        return site.submit(definition), None
    except ClientError as error:
        return None, (error.response["Error"]["Code"], error.response["Error"]["Message"])


def wait_refused(site, definition):
    """Submits until the disk is too full for it; returns what was taken in what the store had set aside."""
    jobs = []

    def is_refused():
        job, refusal = taken(site, definition)
        jobs.extend([job] if job else [])
        return refusal == NO_SPACE

    wait_for("a submission to be refused", is_refused)
    return jobs


def test_a_full_disk_refuses_writes_and_loses_nothing(site, small_disk, tmp_path):
    gate = tmp_path / "gate"
    waits = f"while ! [ -e {gate} ]; do sleep 0.05; done; echo over"
    definition, quick = site.shell(waits), site.shell("echo quick")
    done = site.ended(site.submit(quick))
    running = [site.submit(definition) for _ in range(4)]
    for job in running:
        site.reached(job, "RUNNING")

    fill(small_disk)
    accepted = wait_refused(site, quick)
    # What is there can be read meanwhile, and the jobs that run go on, and end.
    assert site.job(done["jobId"]) == done
    assert site.log(done) == ["quick"]
    gate.touch()

    free(small_disk)
    accepted.append(wait_for("a submission to be taken again", lambda: taken(site, quick)[0]))
    for job in [*running, *accepted]:
        ended = site.ended(job)
        assert (ended["status"], len(ended["attempts"])) == ("SUCCEEDED", 1)
    for job in running:
        assert site.log(job) == ["over"]


def test_a_server_killed_on_a_full_disk_starts_when_there_is_room(site, small_disk, tmp_path):
    gate = tmp_path / "gate"
    definition = site.shell(f"while ! [ -e {gate} ]; do sleep 0.05; done; echo over; exit 3")
    job = site.submit(definition)
    site.reached(job, "RUNNING")
    quick = site.shell("echo quick")
    fill(small_disk)
    wait_refused(site, quick)
    gate.touch()
    site.server.kill()
    free(small_disk)
    site.server.start()
    site.connect()
    ended = site.ended(job)
    assert (ended["status"], ended["container"]["exitCode"]) == ("FAILED", 3)
    assert site.log(ended) == ["over"]
