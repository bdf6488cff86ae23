"""Fair share (section C.3), consumable resources (section C.5), limits on what runs at once, backfill, and what explains them."""

import json
import subprocess

import pytest

from raw import Raw
from server import BINARY, wait_for
from site_under_test import environment_resources, process_properties, refusal, unique


@pytest.fixture
def gate(tmp_path):
    path = tmp_path / "gate"
    yield path
    path.touch()


def waiting(site, gate, **options):
    """A job that runs until the gate opens."""
    return site.shell(f"until test -e {gate}; do sleep 0.05; done", **options)


def policy(site, **fairshare):
    return site.batch.create_scheduling_policy(name=unique("policy"), fairsharePolicy=fairshare)["arn"]


def make_queue(site, vcpus=1, **request):
    return site.make_queue(site.make_environment(computeResources=environment_resources(maxvCpus=vcpus)), **request)


def explained(site, job):
    status, _, body = Raw(site.server).call(f"/batchyard/v1/explain/{job}", body=b"", method="GET")
    assert status == 200, body
    return body


def reasons(site, job):
    return {reason["kind"]: reason for reason in explained(site, job)["reasons"]}


def started_in_order(site, jobs):
    found = site.jobs(jobs)
    return sorted(jobs, key=lambda job: found[job]["startedAt"])


def test_shares_go_by_what_they_have_used(site, gate):
    queue = make_queue(site, schedulingPolicyArn=policy(site, shareDecaySeconds=3600))
    first = site.submit(waiting(site, gate), queue, shareIdentifier="busy")
    site.reached(first, "RUNNING")
    quick = site.define("true")
    # Their priority counts among themselves only (section C3.6).
    busy = [site.submit(quick, queue, shareIdentifier="busy", schedulingPriorityOverride=9999) for _ in range(2)]
    new = [site.submit(quick, queue, shareIdentifier="new") for _ in range(2)]
    wait_for("the share to have used something", lambda: share_of(site, busy[0])["own"]["usedVcpuSeconds"] > 4)
    assert share_of(site, busy[0])["next"]["shareIdentifier"] == "new"
    assert "Share new is next" in explained(site, busy[0])["explanation"]
    front = site.batch.get_job_queue_snapshot(jobQueue=queue)["frontOfQueue"]["jobs"]
    assert [each["jobArn"].rsplit("/", 1)[1] for each in front] == new + busy
    gate.touch()
    for job in busy + new:
        assert site.ended(job)["status"] == "SUCCEEDED"
    assert started_in_order(site, busy + new) == new + busy


def share_of(site, job):
    return explained(site, job)["share"]


def test_weights_and_priorities(site, gate):
    distribution = [{"shareIdentifier": "light", "weightFactor": 0.125}, {"shareIdentifier": "team*", "weightFactor": 1}]
    queue = make_queue(site, schedulingPolicyArn=policy(site, shareDistribution=distribution))
    running = site.submit(waiting(site, gate), queue, shareIdentifier="other")
    site.reached(running, "RUNNING")
    definition = site.define("true", schedulingPriority=3)
    low = site.submit(definition, queue, shareIdentifier="light", schedulingPriorityOverride=1)
    middle = site.submit(definition, queue, shareIdentifier="light")
    high = site.submit(definition, queue, shareIdentifier="light", schedulingPriorityOverride=9999)
    teams = [site.submit(definition, queue, shareIdentifier=share) for share in ("teamA", "teamB")]
    assert share_of(site, low)["own"]["weightFactor"] == 0.125
    # What a prefix gives is multiplied by how many shares it matches (section C3.3).
    assert share_of(site, teams[0])["own"]["weightFactor"] == 2
    assert [site.job(job)["schedulingPriority"] for job in (low, middle, high)] == [1, 3, 9999]
    gate.touch()
    for job in [low, middle, high, *teams]:
        site.ended(job)
    assert started_in_order(site, [low, middle, high]) == [high, middle, low]


def test_use_comes_to_the_inverse_of_the_weights(site, gate):
    distribution = [{"shareIdentifier": "whole", "weightFactor": 1}, {"shareIdentifier": "half", "weightFactor": 0.5}]
    queue = make_queue(site, schedulingPolicyArn=policy(site, shareDecaySeconds=3600, shareDistribution=distribution))
    running = site.submit(waiting(site, gate), queue, shareIdentifier="other")
    site.reached(running, "RUNNING")
    definition, count = site.define("true"), 30
    arrays = {
        share: site.submit(definition, queue, shareIdentifier=share, arrayProperties={"size": count})
        for share in ("whole", "half")
    }
    gate.touch()
    for array in arrays.values():
        assert site.ended(array)["status"] == "SUCCEEDED"
    children = {f"{array}:{index}": share for share, array in arrays.items() for index in range(count)}
    order = [children[child] for child in started_in_order(site, children)]
    # One has used up its children at the end of these; until then it had twice as much, whenever one looks.
    for looked_at in (15, 30, 45):
        part = order[:looked_at].count("half") / looked_at
        assert abs(part - 2 / 3) <= 1.5 / looked_at, order
    used = site.batch.get_job_queue_snapshot(jobQueue=queue)["queueUtilization"]["fairshareUtilization"]
    assert used["activeShareCount"] == 3


def test_the_compute_reservation_is_kept_for_other_shares(site, gate):
    queue = make_queue(site, vcpus=4, schedulingPolicyArn=policy(site, computeReservation=50))
    array = site.submit(waiting(site, gate), queue, shareIdentifier="one", arrayProperties={"size": 4})
    site.reached(f"{array}:1", "RUNNING")
    reason = reasons(site, f"{array}:2")["computeReservation"]
    assert reason == {
        "kind": "computeReservation",
        "vcpus": 4.0,
        "reservedVcpus": 2.0,
        "usedVcpus": 2.0,
        "activeShares": 1,
    }
    # Another share makes it less: a quarter of four.
    other = site.submit(waiting(site, gate), queue, shareIdentifier="two")
    site.reached(other, "RUNNING")
    gate.touch()
    assert site.ended(array)["status"] == "SUCCEEDED"


def test_a_consumable_resource_is_taken_and_given_back(site, gate):
    name = unique("licence")
    site.batch.create_consumable_resource(consumableResourceName=name, totalQuantity=3)
    queue = make_queue(site, vcpus=4)
    takes = lambda quantity: {"consumableResourceList": [{"consumableResource": name, "quantity": quantity}]}
    definition = waiting(site, gate, consumableResourceProperties=takes(2))
    first = site.submit(definition, queue)
    site.reached(first, "RUNNING")
    second = site.submit(definition, queue)
    behind = site.submit(site.define("true"), queue)
    shown = lambda: site.batch.describe_consumable_resource(consumableResource=name)
    quantities = lambda: tuple(shown()[f"{which}Quantity"] for which in ("total", "inUse", "available"))
    assert quantities() == (3, 2, 1)
    assert reasons(site, second)["consumableResource"] == {
        "kind": "consumableResource",
        "name": name,
        "quantity": 2,
        "available": 1,
        "inUse": 2,
    }
    # It holds the queue up (section C5.4).
    assert reasons(site, behind)["behind"]["heldUpBy"] == second
    arn = site.make_arn("consumable-resource", name)
    listed = site.batch.list_jobs_by_consumable_resource(consumableResource=name)["jobs"]
    assert {(each["jobArn"].rsplit("/", 1)[1], each["quantity"]) for each in listed} == {(first, 2), (second, 2)}
    expected = {"consumableResourceList": [{"consumableResource": arn, "quantity": 2}]}
    assert site.job(second)["consumableResourceProperties"] == expected
    # What is given with the job replaces what its definition says.
    override = {"consumableResourceList": [{"consumableResource": arn, "quantity": 1}]}
    third = site.submit(definition, site.queue, consumableResourcePropertiesOverride=override)
    site.reached(third, "RUNNING")
    assert quantities() == (3, 3, 0)
    # Lowered below what is in use, nothing is left until jobs give it back.
    site.batch.update_consumable_resource(consumableResource=name, operation="SET", quantity=2)
    assert quantities() == (2, 3, 0)
    code, text = refusal(site.batch.delete_consumable_resource, consumableResource=name)
    assert code == "ClientException", text
    gate.touch()
    for job in (first, second, third, behind):
        assert site.ended(job)["status"] == "SUCCEEDED"
    wait_for("all to be given back", lambda: quantities() == (2, 0, 2))


def test_a_consumable_resource_that_does_not_come_back(site):
    name = unique("budget")
    site.batch.create_consumable_resource(
        consumableResourceName=name, totalQuantity=3, resourceType="NON_REPLENISHABLE"
    )
    queue = make_queue(site, vcpus=4)
    takes = {"consumableResourceList": [{"consumableResource": name, "quantity": 2}]}
    definition = site.define("true", consumableResourceProperties=takes)
    assert site.ended(site.submit(definition, queue))["status"] == "SUCCEEDED"
    shown = site.batch.describe_consumable_resource(consumableResource=name)
    assert (shown["totalQuantity"], shown["inUseQuantity"], shown["availableQuantity"]) == (1, 0, 1)
    waits = site.submit(definition, queue)
    assert reasons(site, waits)["consumableResource"]["available"] == 1
    site.batch.update_consumable_resource(consumableResource=name, operation="ADD", quantity=1)
    assert site.ended(waits)["status"] == "SUCCEEDED"
    assert site.batch.describe_consumable_resource(consumableResource=name)["totalQuantity"] == 0


def test_children_take_of_a_consumable_resource_each_for_itself(site, gate):
    name = unique("licence")
    site.batch.create_consumable_resource(consumableResourceName=name, totalQuantity=4)
    takes = {"consumableResourceList": [{"consumableResource": name, "quantity": 2}]}
    queue = make_queue(site, vcpus=8)
    array = site.submit(
        waiting(site, gate, consumableResourceProperties=takes), queue, arrayProperties={"size": 4}
    )
    site.reached(f"{array}:1", "RUNNING")
    assert reasons(site, f"{array}:2")["consumableResource"]["available"] == 0
    assert site.job(f"{array}:2")["status"] == "RUNNABLE"
    in_use = lambda: site.batch.describe_consumable_resource(consumableResource=name)["inUseQuantity"]
    assert in_use() == 4
    # More of it lets the next one go.
    site.batch.update_consumable_resource(consumableResource=name, operation="ADD", quantity=2)
    site.reached(f"{array}:2", "RUNNING")
    site.batch.update_consumable_resource(consumableResource=name, operation="REMOVE", quantity=2)
    assert site.job(f"{array}:3")["status"] == "RUNNABLE"
    gate.touch()
    assert site.ended(array)["status"] == "SUCCEEDED"
    wait_for("all to be given back", lambda: in_use() == 0)


def test_a_retry_takes_of_a_consumable_resource_again(site):
    name = unique("budget")
    site.batch.create_consumable_resource(
        consumableResourceName=name, totalQuantity=3, resourceType="NON_REPLENISHABLE"
    )
    takes = {"consumableResourceList": [{"consumableResource": name, "quantity": 1}]}
    job = site.submit(
        site.define("false", consumableResourceProperties=takes), make_queue(site), retryStrategy={"attempts": 3}
    )
    assert len(site.ended(job)["attempts"]) == 3
    assert site.batch.describe_consumable_resource(consumableResource=name)["totalQuantity"] == 0


def test_nodes_take_of_a_consumable_resource_as_their_range_says(site, gate):
    name, other = unique("licence"), unique("licence")
    for each, total in ((name, 3), (other, 1)):
        site.batch.create_consumable_resource(consumableResourceName=each, totalQuantity=total)
    takes = lambda resource, quantity: {
        "consumableResourceList": [{"consumableResource": resource, "quantity": quantity}]
    }
    script = f"until test -e {gate}; do sleep 0.05; done"
    ranges = [
        {"targetNodes": "0", "consumableResourceProperties": takes(other, 1)},
        {"targetNodes": "1:2", "consumableResourceProperties": takes(name, 2)},
    ]
    container = process_properties(["/bin/sh", "-c", script])
    made = site.batch.register_job_definition(
        jobDefinitionName=unique("nodes"),
        type="multinode",
        nodeProperties={
            "numNodes": 3,
            "mainNode": 0,
            "nodeRangeProperties": [{**each, "container": container} for each in ranges],
        },
    )
    queue = make_queue(site, vcpus=8)
    job = site.submit(made["jobDefinitionArn"], queue)
    site.reached(job, "RUNNABLE")
    # Two nodes take two each, which is one more than there is: not one node starts.
    assert reasons(site, job)["consumableResource"]["quantity"] == 4
    shown = site.job(job)["consumableResourceProperties"]["consumableResourceList"]
    assert {each["consumableResource"].rsplit("/", 1)[1]: each["quantity"] for each in shown} == {name: 4, other: 1}
    # What is given with the job counts instead.
    override = {"targetNodes": "1:2", "consumableResourcePropertiesOverride": takes(name, 1)}
    second = site.submit(
        made["jobDefinitionArn"], site.queue, nodeOverrides={"nodePropertyOverrides": [override]}
    )
    site.reached(f"{second}#2", "RUNNING")
    in_use = lambda resource: site.batch.describe_consumable_resource(consumableResource=resource)["inUseQuantity"]
    assert (in_use(name), in_use(other)) == (2, 1)
    gate.touch()
    assert site.ended(second)["status"] == "SUCCEEDED"
    site.batch.update_consumable_resource(consumableResource=name, operation="SET", quantity=4)
    assert site.ended(job)["status"] == "SUCCEEDED"
    wait_for("all to be given back", lambda: (in_use(name), in_use(other)) == (0, 0))


def test_bad_consumable_resources_are_refused(site):
    definition, queue = site.define("true"), site.queue
    submit = lambda *entries: refusal(
        site.batch.submit_job,
        jobName="taker",
        jobQueue=queue,
        jobDefinition=definition,
        consumableResourcePropertiesOverride={"consumableResourceList": list(entries)},
    )
    entry = lambda name, quantity: {"consumableResource": name, "quantity": quantity}
    code, text = submit(entry("nowhere", 1))
    assert code == "ClientException" and "nowhere" in text and "not found" in text
    code, text = submit(entry("nowhere", 0))
    assert code == "ClientException" and "quantity" in text and "nowhere" in text
    six = [entry(f"r{number}", 1) for number in range(6)]
    assert submit(*six)[1] == "Each ConsumableResourceProperty can have at most 5 consumableResources"


def test_an_array_runs_as_many_children_at_once_as_its_tag_says(site, gate):
    queue = make_queue(site, vcpus=8)
    array = site.submit(
        waiting(site, gate), queue, arrayProperties={"size": 6}, tags={"batchyard:max-concurrency": "2"}
    )
    site.reached(f"{array}:1", "RUNNING")
    behind = site.submit(site.define("true"), queue)
    assert site.ended(behind)["status"] == "SUCCEEDED"
    assert reasons(site, f"{array}:2") == {"arrayConcurrency": {"kind": "arrayConcurrency", "max": 2, "started": 2}}
    site.batch.tag_resource(resourceArn=site.make_arn("job", array), tags={"batchyard:max-concurrency": "4"})
    site.reached(f"{array}:3", "RUNNING")
    assert site.job(f"{array}:4")["status"] == "RUNNABLE"
    site.batch.untag_resource(resourceArn=site.make_arn("job", array), tagKeys=["batchyard:max-concurrency"])
    site.reached(f"{array}:5", "RUNNING")
    gate.touch()
    assert site.ended(array)["status"] == "SUCCEEDED"


def test_a_queue_runs_as_many_attempts_at_once_as_its_tag_says(own_site, gate):
    site = own_site
    queue = make_queue(site, vcpus=8, tags={"batchyard:max-concurrency": "1"})
    first, second = (site.submit(waiting(site, gate), queue) for _ in range(2))
    site.reached(first, "RUNNING")
    assert reasons(site, second) == {"queueConcurrency": {"kind": "queueConcurrency", "max": 1, "running": 1}}
    # It is kept over a restart.
    site.server.kill()
    site.server.start()
    site.connect()
    assert reasons(site, second)["queueConcurrency"]["max"] == 1
    arn = site.make_arn("job-queue", queue)
    assert refusal(site.batch.tag_resource, resourceArn=arn, tags={"batchyard:max-concurrency": "none"}) == (
        "ClientException",
        f'tag batchyard:max-concurrency must be a whole number from 1 to {2**32 - 1}, not "none"',
    )
    code, text = refusal(site.batch.tag_resource, resourceArn=arn, tags={"batchyard:concurrency": "1"})
    assert code == "ClientException" and "batchyard:max-concurrency, batchyard:backfill and batchyard:backfill-depth" in text
    assert refusal(site.batch.tag_resource, resourceArn=arn, tags={"batchyard:backfill-depth": "10001"}) == (
        "ClientException",
        'tag batchyard:backfill-depth must be a whole number from 1 to 10000, not "10001"',
    )
    site.batch.tag_resource(resourceArn=arn, tags={"batchyard:max-concurrency": "2"})
    site.reached(second, "RUNNING")


def test_backfill_starts_what_does_not_delay_the_front(site, gate):
    queue = make_queue(site, vcpus=3, tags={"batchyard:backfill": "on"})
    long = waiting(site, gate, properties={"vcpus": 2}, timeout={"attemptDurationSeconds": 600})
    running = site.submit(long, queue)
    site.reached(running, "RUNNING")
    front = site.submit(site.define("true", properties={"vcpus": 3}), queue)
    too_long = site.submit(site.define("true", timeout={"attemptDurationSeconds": 6000}), queue)
    short = site.submit(site.define("true", timeout={"attemptDurationSeconds": 60}), queue)
    assert site.ended(short)["status"] == "SUCCEEDED"
    opening = reasons(site, front)["opening"]
    assert (opening["afterJobId"], opening["basis"]) == (running, "timeout")
    assert opening["at"] == site.job(running)["startedAt"] + 600_000
    behind = reasons(site, too_long)
    assert behind["behind"] == {
        "kind": "behind",
        "ahead": 1,
        "isAtLeast": False,
        "heldUpBy": front,
        "backfill": True,
    }
    gate.touch()
    for job in (running, front, too_long):
        assert site.ended(job)["status"] == "SUCCEEDED"


def test_used_shares_are_known_after_a_kill(own_site, gate):
    site = own_site
    queue = make_queue(site, schedulingPolicyArn=policy(site))
    running = site.submit(waiting(site, gate), queue, shareIdentifier="busy")
    site.reached(running, "RUNNING")
    job = site.submit(site.define("true"), queue, shareIdentifier="busy")
    wait_for("the share to have used something", lambda: share_of(site, job)["own"]["usedVcpuSeconds"] > 3)
    before = share_of(site, job)["own"]["usedVcpuSeconds"]
    site.server.kill()
    site.server.start()
    site.connect()
    assert share_of(site, job)["own"]["usedVcpuSeconds"] >= before
    gate.touch()
    site.ended(job)
    # The last change of the ledger, at the job's end, is there as well.
    site.server.kill()
    site.server.start()
    site.connect()
    other = site.submit(waiting(site, gate, properties={"vcpus": 2}), queue, shareIdentifier="busy")
    assert share_of(site, other)["own"]["usedVcpuSeconds"] >= before


def test_the_command_line_explains_for_people_and_programs(site, gate):
    queue = make_queue(site)
    running = site.submit(waiting(site, gate), queue)
    site.reached(running, "RUNNING")
    job = site.submit(site.define("true"), queue)
    run = lambda *more: subprocess.run(
        [BINARY, "explain", *more, job],
        env=site.server.access.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert "It is next in its queue, and cannot start:" in run()
    shown = json.loads(run("--json"))
    assert shown["jobId"] == job and shown["jobQueue"] == queue
    (reason,) = shown["reasons"]
    assert (reason["kind"], reason["because"], reason["max"], reason["now"]) == ("environment", "maximumReached", 1, 1)


def test_an_array_waits_for_its_children(site, gate):
    array = site.submit(waiting(site, gate), site.queue, arrayProperties={"size": 2})
    site.reached(f"{array}:0", "RUNNING")
    site.reached(f"{array}:1", "RUNNING")
    (reason,) = explained(site, array)["reasons"]
    assert reason == {"kind": "children", "pending": 0, "runnable": 0, "starting": 0, "running": 2}
    after = site.submit(site.shell("true"), site.queue, dependsOn=[{"jobId": array}])
    assert explained(site, after)["reasons"] == [{"kind": "dependency", "jobId": array}]
    gate.touch()
    assert site.ended(after)["status"] == "SUCCEEDED"
