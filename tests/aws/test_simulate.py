"""`batchyard simulate`: traces, lists of jobs, and the present state of a server."""

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from server import BINARY, bare_environment
from site_under_test import environment_resources

TRACE = """; MaxProcs: 4
1 0 0 100 2 -1 -1 2 -1 -1 1 1 1 1 1 -1 -1 -1
2 0 0 100 2 -1 -1 2 -1 -1 1 2 1 1 1 -1 -1 -1
3 10 0 50 4 -1 -1 4 -1 -1 1 1 1 1 1 -1 -1 -1
4 20 0 20 1 -1 -1 1 -1 -1 1 2 1 1 1 -1 -1 -1
"""


def simulate(*arguments, environment=None, expect=0):
    command = [BINARY, "simulate", *arguments]
    ended = subprocess.run(
        command, env=environment or bare_environment(), capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == expect, ended.stderr
    return ended.stderr if expect else ended.stdout


def report(*arguments, **options):
    return json.loads(simulate(*arguments, "--json", **options))


def test_a_trace_runs_on_its_own_machine_or_another(tmp_path):
    trace = tmp_path / "trace.swf"
    trace.write_text(TRACE)
    found = report("--swf", trace)
    # Two at once for 100 s, then all four processors for 50 s, then the last.
    assert (found["makespanSeconds"], found["attempts"], found["vcpus"]) == (170, 4, 4)
    assert found["queues"][0]["waitMaxSeconds"] == 130
    assert report("--swf", trace, "--vcpus", "8")["makespanSeconds"] == 100
    assert simulate("--swf", trace) == simulate("--swf", trace)


def test_a_list_on_a_site_makes_a_report_and_a_chart(tmp_path):
    jobs, site, chart = (tmp_path / name for name in ("jobs.csv", "site.toml", "use.svg"))
    jobs.write_text("run,share,submit\n" + "60,alice,0\n" * 6 + "60,bob,5\n" * 6)
    site.write_text(
        "[[environment]]\nname = 'all'\nmax_vcpus = 2\n"
        "[[queue]]\nname = 'main'\nfair_share = { weights = { bob = 0.5 } }\n"
        "[prices]\nvcpu_hour = 3.0\ncurrency = 'EUR'\n"
    )
    text = simulate("--csv", jobs, "--site", site, "--svg", chart)
    assert "makespan     6m00s" in text and "cost         0.60 EUR" in text
    assert "alice" in text and "FAIRNESS" in text
    root = ElementTree.parse(chart).getroot()
    written = "".join(root.itertext())
    assert "alice" in written and "bob" in written and "vCPUs in use over time" in written


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("--swf", "1 2 3\n", "input:1: 3 fields where 18 are due"),
        ("--csv", "run\nlong\n", 'input:2: run is "long" and must be a number of seconds'),
        ("--csv", "run,queue\n1,q\n", "input:2: queue is q, which the site does not have"),
    ],
)
def test_files_that_are_wrong_are_refused_with_line_and_field(tmp_path, name, content, message):
    (tmp_path / "input").write_text(content)
    command = [BINARY, "simulate", name, "input", "--vcpus", "1"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and ended.stderr == f"error: {message}\n"


def test_failures_are_tried_again_and_counted(tmp_path):
    jobs = tmp_path / "jobs.csv"
    jobs.write_text("run,failures,attempts\n60,1,2\n" + "60,,\n" * 99)
    found = report("--csv", jobs, "--vcpus", "4")
    assert (found["attempts"], found["failed"], found["memoryMib"]) == (101, 0, None)
    assert found["failedAttempts"] == {"byProgram": 1, "byTimeout": 0, "byInterruption": 0, "retried": 1}
    assert found["wastedVcpuHours"] == pytest.approx(60 / 3600)
    by_chance = ["--vcpus", "4", "--failure-rate", "0.5", "--attempts", "10"]
    some = report("--csv", jobs, *by_chance, "--seed", "1")
    assert some == report("--csv", jobs, *by_chance, "--seed", "1")
    assert some != report("--csv", jobs, *by_chance, "--seed", "2")
    assert some["attempts"] - some["failedAttempts"]["retried"] == 100
    assert "exit code" in simulate("--csv", jobs, *by_chance)
    for option in (["--failure-rate", "2"], ["--attempts", "11"], ["--interrupt-every", "0"], ["--gpus", "65"]):
        assert f"'{option[1]}' for '{option[0]}" in simulate("--csv", jobs, "--vcpus", "4", *option, expect=2)
    memory = simulate("--csv", jobs, "--vcpus", "4", "--set", "environment=default:maxvCpus=0")
    assert "never started" in memory and "1099511627776" not in memory


def test_the_example_of_the_documentation_is_as_it_says():
    root = Path(__file__).resolve().parents[2]
    example = root / "examples" / "simulate"
    shown = simulate("--csv", example / "jobs.csv", "--site", example / "site.toml")
    assert shown in (root / "docs" / "simulate.md").read_text()


def test_what_makes_no_sense_is_refused(tmp_path):
    trace = tmp_path / "trace.swf"
    trace.write_text(TRACE.replace("; MaxProcs: 4\n", ""))
    assert "give --vcpus or --site" in simulate("--swf", trace, expect=1)
    assert "no compute environment x" in simulate(
        "--swf", trace, "--vcpus", "1", "--set", "environment=x:maxvCpus=1", expect=1
    )
    assert "must be environment=NAME:maxvCpus=N" in simulate("--swf", trace, "--set", "more", expect=2)
    # What is for another kind of input is not passed over in silence.
    for option in (["--host-vcpus", "2"], ["--assume-run", "5"], ["--pessimistic"]):
        assert "cannot be used with" in simulate("--swf", trace, "--vcpus", "1", *option, expect=2)


def test_a_servers_state_is_played_on_and_can_be_changed_first(site, tmp_path):
    gate = tmp_path / "gate"
    environment = site.make_environment(computeResources=environment_resources(maxvCpus=1))
    queue = site.make_queue(environment)
    script = f"until test -e {gate}; do sleep 0.05; done"
    definition = site.shell(script, timeout={"attemptDurationSeconds": 100})
    jobs = [site.submit(definition, queue) for _ in range(4)]
    site.reached(jobs[0], "RUNNING")

    def of_queue(*arguments):
        variables = site.server.access.environment()
        found = report("--server", "--data", site.server.data, *arguments, environment=variables)
        return next(group for group in found["queues"] if group["queue"] == queue)

    as_it_is = of_queue()
    assert as_it_is["attempts"] == 4
    # The first runs for up to 100 s, and each of the others behind the one before.
    assert 250 < as_it_is["waitMaxSeconds"] <= 310
    wider = of_queue("--set", f"environment={environment}:maxvCpus=4")
    assert wider["waitMaxSeconds"] < 30
    gate.touch()
    for job in jobs:
        site.ended(job)
