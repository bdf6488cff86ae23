"""Capacity that is taken away under its jobs."""

import re
import subprocess

from raw import Raw
from server import BINARY
from site_under_test import environment_resources

HOST = re.compile(r"Host EC2 \(instance (i-[0-9a-f]{17})\) terminated\.")
UNTIL_STOPPED = "trap 'exit 3' TERM; sleep 600 & wait"


def batchyard(site, *arguments):
    return subprocess.run(
        [BINARY, *arguments], env=site.server.access.environment(), capture_output=True, text=True, timeout=60
    )


def instances_queue(site, **resources):
    return site.make_queue(
        site.make_environment(
            computeResources=environment_resources(instanceTypes=["m5.large"], maxvCpus=4, **resources)
        )
    )


def test_a_job_is_tried_again_on_another_instance(site, tmp_path):
    queue = instances_queue(site)
    mark = tmp_path / "first"
    script = f"if test -e {mark}; then exit 0; fi; touch {mark}; {UNTIL_STOPPED}"
    job = site.submit(
        site.shell(script),
        queue,
        retryStrategy={
            "attempts": 2,
            "evaluateOnExit": [
                {"onStatusReason": "Host EC2*", "action": "RETRY"},
                {"onReason": "*", "action": "EXIT"},
            ],
        },
    )
    site.reached(job, "RUNNING")
    (instance,) = re.findall(r"on instance (i-[0-9a-f]{17})\.", batchyard(site, "explain", job).stdout)
    done = batchyard(site, "interrupt", instance, "--notice", "0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    ended = site.ended(job)
    assert ended["status"] == "SUCCEEDED"
    first, second = ended["attempts"]
    assert HOST.fullmatch(first["statusReason"])[1] == instance
    assert second["statusReason"] == "Essential container in task exited"
    gone = batchyard(site, "interrupt", instance)
    assert (gone.returncode, gone.stderr) == (1, f"error: Instance {instance} not found.\n")


def test_with_notice_a_job_may_end_and_no_other_comes(site, tmp_path):
    gate = tmp_path / "gate"
    queue = instances_queue(site)
    first = site.submit(site.shell(f"until test -e {gate}; do sleep 0.05; done"), queue)
    site.reached(first, "RUNNING")
    assert batchyard(site, "interrupt", first, "--notice", "3600").returncode == 0
    second = site.submit(site.shell("true"), queue)
    assert site.ended(second)["status"] == "SUCCEEDED"
    assert site.job(first)["status"] == "RUNNING"
    gate.touch()
    ended = site.ended(first)
    assert (ended["status"], ended["container"]["exitCode"]) == ("SUCCEEDED", 0)


def test_the_place_of_a_job_on_the_host(site):
    job = site.submit(site.shell(UNTIL_STOPPED), site.queue)
    site.reached(job, "RUNNING")
    assert batchyard(site, "interrupt", job).returncode == 0
    ended = site.ended(job)
    assert ended["status"] == "FAILED"
    assert HOST.fullmatch(ended["statusReason"])
    gone = batchyard(site, "interrupt", job)
    assert gone.stderr == f"error: Job {job} is neither STARTING nor RUNNING.\n"


def test_what_is_no_interruption_is_refused(site):
    raw = Raw(site.server)
    for body, text in [
        (b"{}", "The request is not an interruption: missing field `target` at line 1 column 2."),
        (b'{"target": "nothing"}', "target must be an instance (i-…) or a job, not nothing."),
        (b'{"target": "i-00000000000000001", "noticeSeconds": 86401}', "noticeSeconds must be at most 86400."),
    ]:
        status, _, answer = raw.call("/batchyard/v1/interrupt", body=body, method="POST")
        assert (status, answer["message"]) == (400, text)
