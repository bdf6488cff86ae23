"""Multi-node parallel jobs (section B.11): nodes that start together, follow their main node, and are described one by one."""

import json

import pytest
from botocore.exceptions import ClientError

from server import wait_for
from site_under_test import unique

EXITED = "Essential container in task exited"


def node(script, vcpus=1, image="host:///"):
    """A container of a node range."""
    return {
        "image": image,
        "command": ["sh", "-c", script],
        "resourceRequirements": [{"type": "VCPU", "value": str(vcpus)}, {"type": "MEMORY", "value": "64"}],
    }


def define(site, ranges, count=2, main=0, **more):
    """Registers a definition; `ranges` are containers by target."""
    made = site.batch.register_job_definition(
        jobDefinitionName=unique("nodes"),
        type="multinode",
        nodeProperties={
            "numNodes": count,
            "mainNode": main,
            "nodeRangeProperties": [
                {"targetNodes": target, **(one if "ecsProperties" in one else {"container": one})}
                for target, one in ranges.items()
            ],
        },
        **more,
    )
    return made["jobDefinitionArn"]


def summaries(site, job, **more):
    listed = site.batch.list_jobs(multiNodeJobId=job, **more)["jobSummaryList"]
    return {summary["jobId"]: summary for summary in listed}


def test_two_nodes_end_with_the_main_one(site):
    job = site.submit(define(site, {"0": node("sleep 0.3; echo main"), "1:": node("echo other")}))
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("SUCCEEDED", EXITED)
    assert "container" not in ended and "nodeDetails" not in ended
    assert (ended["nodeProperties"]["numNodes"], ended["nodeProperties"]["mainNode"]) == (2, 0)
    nodes = [site.job(f"{job}#{index}") for index in (0, 1)]
    for index, one in enumerate(nodes):
        assert one["jobId"] == f"{job}#{index}"
        assert one["jobArn"].endswith(f":job/{job}#{index}")
        assert one["nodeDetails"] == {"nodeIndex": index, "isMainNode": index == 0}
        assert "nodeProperties" not in one and "arrayProperties" not in one
        assert (one["status"], one["container"]["exitCode"]) == ("SUCCEEDED", 0)
        assert len(one["attempts"]) == 1
    assert [site.log(one) for one in nodes] == [["main"], ["other"]]
    # The job's times and attempts are its main node's; the other started when that ran.
    main = nodes[0]
    assert (ended["startedAt"], ended["stoppedAt"]) == (main["startedAt"], main["stoppedAt"])
    assert ended["attempts"] == main["attempts"]
    assert nodes[1]["startedAt"] >= main["startedAt"]
