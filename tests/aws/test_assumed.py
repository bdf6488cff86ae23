"""What the service leaves open (section L), as docs/compat/decisions.md decides it, where no other file has a test of it."""

import pytest

from server import wait_for
from site_under_test import environment_resources, process_properties, refusal, unique

EXITED = "Essential container in task exited"
DEPENDENT = "Dependent Job failed"
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def gate(tmp_path):
    path = tmp_path / "gate"
    yield path
    path.touch()


def waiting(site, gate, then="true", **options):
    """A job that runs until the gate opens."""
    return site.shell(f"until test -e {gate}; do sleep 0.05; done; {then}", **options)


def make_queue(site, vcpus=1):
    return site.make_queue(site.make_environment(computeResources=environment_resources(maxvCpus=vcpus)))


@pytest.mark.parametrize(
    "operation, request_",
    [
        ("cancel_job", {"jobId": NOBODY, "reason": "x"}),
        ("terminate_job", {"jobId": NOBODY, "reason": "x"}),
        ("terminate_job", {"jobId": "no job", "reason": "x"}),
        ("terminate_service_job", {"jobId": NOBODY, "reason": "x"}),
        ("delete_compute_environment", {"computeEnvironment": "nowhere"}),
        ("delete_job_queue", {"jobQueue": "nowhere"}),
        ("delete_service_environment", {"serviceEnvironment": "nowhere"}),
        ("delete_consumable_resource", {"consumableResource": "nowhere"}),
        ("delete_scheduling_policy", {"arn": "arn:aws:batch:us-east-1:000000000000:scheduling-policy/nowhere"}),
        ("deregister_job_definition", {"jobDefinition": "nowhere:1"}),
    ],
)
def test_assumed_what_is_not_there_is_as_good_as_gone(site, operation, request_):
    answer = getattr(site.batch, operation)(**request_)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_assumed_vcpus_are_whole_on_ec2(site):
    """At least one, and no fraction of one (question 4)."""
    for value in ("0.5", "1.5"):
        code, text = refusal(
            site.batch.register_job_definition,
            jobDefinitionName=unique("fraction"),
            type="container",
            containerProperties=process_properties(["true"], vcpus=value),
        )
        assert code == "ClientException" and "vCPU" in text and value in text


def test_assumed_parameters_are_filled_in_anywhere_and_shown(site):
    definition = site.define("echo", "--name=Ref::name/Ref::names", parameters={"name": "a", "names": "b"})
    job = site.ended(site.submit(definition, parameters={"name": "Ref::names"}))
    # The longest name that fits, and what comes of it is not looked at again.
    assert site.log(job) == ["--name=Ref::names/b"]
    assert job["container"]["command"] == ["echo", "--name=Ref::names/b"]


def test_assumed_attempts_are_shown_when_they_have_ended(site, gate):
    running = site.submit(waiting(site, gate))
    assert site.reached(running, "RUNNING")["attempts"] == []
    absent = site.ended(site.submit(site.define("no-such-command-anywhere")))
    (attempt,) = absent["attempts"]
    assert "startedAt" not in attempt and "stoppedAt" in attempt
    gate.touch()
    assert len(site.ended(running)["attempts"]) == 1


def test_assumed_successors_of_a_sequence_fail_as_dependents(site):
    definition = site.shell("[ $AWS_BATCH_JOB_ARRAY_INDEX != 1 ]")
    array = site.submit(definition, arrayProperties={"size": 4}, dependsOn=[{"type": "SEQUENTIAL"}])
    assert site.ended(array)["statusReason"] == "Array Child Job failed"
    assert [site.job(f"{array}:{index}").get("statusReason") for index in (2, 3)] == [DEPENDENT] * 2
    paired = site.submit(
        site.define("true"), arrayProperties={"size": 4}, dependsOn=[{"jobId": array, "type": "N_TO_N"}]
    )
    site.ended(paired)
    assert [site.job(f"{paired}:{index}")["status"] for index in range(4)] == ["SUCCEEDED", *["FAILED"] * 3]


@pytest.mark.parametrize(
    "condition, attempts",
    [
        ({"onStatusReason": "essential*"}, 2),
        ({"onStatusReason": "Essential container in task exited"}, 1),
        ({"onReason": "*"}, 1),
    ],
    ids=["another case", "literal", "absent reason"],
)
def test_assumed_patterns_are_compared_letter_by_letter(site, condition, attempts):
    strategy = {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", **condition}]}
    assert len(site.run("exit 7", retryStrategy=strategy)["attempts"]) == attempts


def test_assumed_a_failed_start_is_known_by_its_status_reason(site):
    strategy = {"attempts": 3, "evaluateOnExit": [{"action": "EXIT", "onStatusReason": "Task failed to start*"}]}
    job = site.ended(site.submit(site.define("no-such-command-anywhere"), retryStrategy=strategy))
    assert len(job["attempts"]) == 1
    strategy["evaluateOnExit"][0] = {"action": "EXIT", "onReason": "CannotStartContainerError:*"}
    job = site.ended(site.submit(site.define("no-such-command-anywhere"), retryStrategy=strategy))
    assert len(job["attempts"]) == 1


def test_assumed_inner_stars_are_refused(site):
    rule = {"action": "EXIT", "onStatusReason": "Essential*exited"}
    code, text = refusal(
        site.batch.submit_job,
        jobName="stars",
        jobQueue=site.queue,
        jobDefinition=site.define("true"),
        retryStrategy={"attempts": 2, "evaluateOnExit": [rule]},
    )
    assert (code, text) == ("ClientException", "Evaluate on exit condition contains restricted characters.")


def test_assumed_consumable_resources_are_looked_for_at_submission(site, gate):
    name = unique("later")
    takes = {"consumableResourceList": [{"consumableResource": name, "quantity": 1}]}
    definition = waiting(site, gate, consumableResourceProperties=takes)
    submit = {"jobName": "taker", "jobQueue": site.queue, "jobDefinition": definition}
    code, text = refusal(site.batch.submit_job, **submit)
    assert code == "ClientException" and name in text and "not found" in text
    site.batch.create_consumable_resource(consumableResourceName=name, totalQuantity=1)
    job = site.batch.submit_job(**submit)["jobId"]
    site.reached(job, "RUNNING")
    assert refusal(site.batch.delete_consumable_resource, consumableResource=name)[0] == "ClientException"
    gate.touch()
    site.ended(job)
    site.batch.delete_consumable_resource(consumableResource=name)


@pytest.mark.parametrize("operation, flag", [("cancel_job", "isCancelled"), ("terminate_job", "isTerminated")])
def test_assumed_a_pending_job_is_stopped_at_once(site, gate, operation, flag):
    first = site.submit(waiting(site, gate))
    second = site.submit(site.define("true"), dependsOn=[{"jobId": first}])
    third = site.submit(site.define("true"), dependsOn=[{"jobId": second}])
    site.reached(second, "PENDING")
    getattr(site.batch, operation)(jobId=second, reason="not needed")
    # Without waiting for what it waits for.
    ended = site.ended(second)
    assert (ended["status"], ended["statusReason"], ended[flag]) == ("FAILED", "not needed", True)
    assert site.ended(third)["statusReason"] == DEPENDENT
    assert site.job(first)["status"] == "RUNNING"
    gate.touch()
    assert site.ended(first)["status"] == "SUCCEEDED"


def test_assumed_ended_jobs_keep_their_tags(site):
    job = site.run("true", tags={"of": "job"})
    arn = site.make_arn("job", job["jobId"])
    assert site.batch.list_tags_for_resource(resourceArn=arn)["tags"] == job["tags"] == {"of": "job"}
    site.batch.tag_resource(resourceArn=arn, tags={"later": "too"})
    assert site.job(job["jobId"])["tags"] == {"of": "job", "later": "too"}


def test_assumed_streams_of_tasks_have_the_containers_name(site):
    container = {**process_properties(["echo", "x"]), "name": "step"}
    made = site.batch.register_job_definition(
        jobDefinitionName=unique("task"),
        type="container",
        ecsProperties={"taskProperties": [{"containers": [container]}]},
    )
    job = site.ended(site.submit(made["jobDefinitionArn"]))
    task = job["ecsProperties"]["taskProperties"][0]
    (stream,) = [each["logStreamName"] for each in task["containers"]]
    assert stream == f"{made['jobDefinitionName']}/step/{task['taskArn'].rsplit('/', 1)[1]}"


def test_assumed_a_blocked_front_holds_up_its_queue(site, gate):
    queue = make_queue(site, vcpus=2)
    running = site.submit(waiting(site, gate), queue)
    site.reached(running, "RUNNING")
    front = site.submit(site.define("true", properties={"vcpus": 2}), queue)
    behind = site.submit(site.define("true"), queue)
    # Another queue's job of the same size goes.
    assert site.ended(site.submit(site.define("true")))["status"] == "SUCCEEDED"
    assert [site.job(job)["status"] for job in (front, behind)] == ["RUNNABLE"] * 2
    gate.touch()
    assert site.ended(front)["stoppedAt"] <= site.ended(behind)["startedAt"]


def test_assumed_idle_instances_go(own_site):
    """At once where another environment needs their place; the time of the others is a rule of the core (question 14)."""
    site = own_site
    made = [
        site.make_environment(computeResources=environment_resources(maxvCpus=16, instanceTypes=["m5.4xlarge"]))
        for _ in range(2)
    ]
    for environment in made:
        queue = site.make_queue(environment)
        definition = site.define("true", properties={"vcpus": 10})
        assert site.ended(site.submit(definition, queue))["status"] == "SUCCEEDED"
    vcpus = lambda: [
        site.wait_environment(environment)["computeResources"]["desiredvCpus"] for environment in made
    ]
    wait_for("the first one's to be given back", lambda: vcpus()[0] == 0 and vcpus()[1] > 0)
