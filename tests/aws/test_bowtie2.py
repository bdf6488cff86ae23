"""A real job of real size: the example with bowtie2, whose result it checks itself against a direct run."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from test_containers import engine_answers

EXAMPLE = Path(__file__).resolve().parent / "../../examples/bowtie2"
READS = Path("/usr/share/doc/bowtie2/examples/reads/longreads.fq.gz")


@pytest.fixture(scope="module")
def example(server):
    """Runs the example's script against the server."""
    if not (READS.exists() and shutil.which("bowtie2") and shutil.which("samtools")):
        pytest.skip("apt-get install bowtie2 bowtie2-examples samtools")

    def run(*arguments):
        command = [sys.executable, EXAMPLE / "run.py", *arguments]
        return subprocess.run(command, env=server.access.environment(), capture_output=True, text=True, timeout=900)

    return run


def test_as_processes(example):
    ended = example("--queue", "bowtie2")
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert "as jobs:  24686 of 26000 records aligned" in ended.stdout
    assert "the same alignments, record by record" in ended.stdout
    # The log of every child is there.
    assert [f"child {index} of 8: long reads" in ended.stdout for index in range(8)] == [True] * 8


def test_as_containers(example, tmp_path):
    if not engine_answers():
        pytest.skip("no Docker engine answers")
    image = "batchyard/bowtie2-test"
    made = subprocess.run([EXAMPLE / "image.sh", image], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    ended = example("--queue", "bowtie2", "--runner", "container", "--image", image)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert "the same alignments, record by record" in ended.stdout


def test_another_result_is_an_error(monkeypatch, capsys):
    """The check can fail: jobs that align fewer reads than the direct run do not pass."""
    spec = importlib.util.spec_from_file_location("bowtie2_run", EXAMPLE / "run.py")
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    good = {"records": "10", "aligned": "9", "digest": "a"}

    class Jobs:
        def __init__(self, *_):
            pass

        def results(self):
            return {**good, "aligned": "8"}

    monkeypatch.setattr(run, "directly", lambda folder: good)
    monkeypatch.setattr(run, "Run", Jobs)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    assert run.main() == 1
    assert "is not that of the direct run" in capsys.readouterr().err
