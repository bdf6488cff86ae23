"""Pods (`eksProperties`) on the Docker engine that DOCKER_HOST, or the default socket, leads to."""

import re
import uuid

import pytest

from server import wait_for
from site_under_test import environment_resources, refused, unique
from test_containers import EXITED, IMAGE, image  # noqa: F401 (image is a fixture)

CLUSTER = "arn:aws:eks:us-east-1:000000000000:cluster/one"
UNTIL_STOPPED = "trap 'exit 143' TERM; sleep 100 & wait"
SMALL = {"limits": {"cpu": "1", "memory": "32Mi"}}


@pytest.fixture(scope="module")
def pods(site, image):  # noqa: F811
    """The queue of an environment on Kubernetes."""
    cluster = {"eksClusterArn": CLUSTER.replace("us-east-1", site.server.access.region), "kubernetesNamespace": "jobs"}
    environment = site.make_environment(
        eksConfiguration=cluster,
        computeResources=environment_resources(allocationStrategy="BEST_FIT_PROGRESSIVE"),
    )
    return site.make_queue(environment)


def pod(*command, resources=SMALL, properties=None, **container):
    one = {"image": IMAGE, "command": list(command), "resources": resources, **container}
    return {"podProperties": {"containers": [one], **(properties or {})}}


def define(site, properties, **request):
    made = site.batch.register_job_definition(
        jobDefinitionName=unique("pod"), type="container", eksProperties=properties, **request
    )
    return made["jobDefinitionArn"]


@pytest.fixture
def run(site, pods):
    return lambda properties, **request: site.ended(site.submit(define(site, properties), queue=pods, **request))


def described(job):
    (container,) = job["eksProperties"]["podProperties"]["containers"]
    return container


def log(site, job, name="Default"):
    """The output goes where that of other jobs goes, though the API has no member that says so."""
    definition = job["jobDefinition"].rpartition("/")[2].rpartition(":")[0]
    task = uuid.UUID(job["eksProperties"]["podProperties"]["podName"].removeprefix("aws-batch.")).hex
    return site.stream(f"{definition}/{name}/{task}")


def test_assumed_a_pod_ends_with_the_reasons_of_other_jobs(site, run):
    job = run(pod("sh", "-c", "echo $0 $1", args=["one", "two"]))
    assert (job["status"], job["statusReason"]) == ("SUCCEEDED", EXITED), job
    assert "container" not in job and "ecsProperties" not in job
    assert job["attempts"] == [] and job["platformCapabilities"] == []
    shown = job["eksProperties"]["podProperties"]
    assert re.fullmatch(r"aws-batch\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", shown["podName"])
    assert shown["nodeName"]
    container = described(job)
    assert (container["name"], container["image"], container["exitCode"]) == ("Default", IMAGE, 0)
    assert (container["command"], container["args"]) == (["sh", "-c", "echo $0 $1"], ["one", "two"])
    (attempt,) = job["eksAttempts"]
    assert attempt["containers"] == [{"name": "Default", "exitCode": 0}] and attempt["initContainers"] == []
    assert (attempt["podName"], attempt["nodeName"]) == (shown["podName"], shown["nodeName"])
    assert attempt["startedAt"] <= attempt["stoppedAt"] and attempt["statusReason"] == EXITED
    assert attempt["startedAt"] == job["startedAt"]
    assert log(site, job) == ["one two"]


def test_failure_is_retried(run):
    job = run(pod("sh", "-c", "exit 7"), retryStrategy={"attempts": 2})
    assert (job["status"], described(job)["exitCode"]) == ("FAILED", 7)
    first, second = job["eksAttempts"]
    assert first["podName"] != second["podName"] == job["eksProperties"]["podProperties"]["podName"]
    assert [one["containers"][0]["exitCode"] for one in (first, second)] == [7, 7]


def test_variables(site, run):
    show = "echo $AWS_BATCH_JOB_ID $AWS_BATCH_JOB_ATTEMPT $OWN; echo ${AWS_BATCH_JOB_KUBERNETES_NODE_UID:-none}"
    job = run(
        # What no variable stands for is left as it is, and a doubled dollar makes no variable.
        pod(
            "sh", "-c", f"{show}; echo '$(OWN) $(NOBODY) $$(OWN)'",
            env=[{"name": "OWN", "value": "mine"}], name="main",
        )
    )  # fmt: skip
    first, node, expanded = log(site, job, "main")
    assert first == f"{job['jobId']} 1 mine"
    assert str(uuid.UUID(node)) == node
    assert expanded == "mine $(NOBODY) $(OWN)"
    assert described(job)["env"] == [{"name": "OWN", "value": "mine"}]


def test_volumes(site, run, tmp_path):
    (tmp_path / "given").write_text("from the host\n")
    mounts = [
        {"name": "host", "mountPath": "/host", "readOnly": True},
        {"name": "empty", "mountPath": "/one"},
        {"name": "empty", "mountPath": "/two"},
        {"name": "memory", "mountPath": "/memory"},
    ]
    volumes = [
        {"name": "host", "hostPath": {"path": str(tmp_path)}},
        {"name": "empty", "emptyDir": {"medium": ""}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
    ]
    script = """
        cat /host/given; touch /host/x 2>/dev/null || echo read-only
        echo shared > /one/file; cat /two/file; touch /memory/file && echo in memory
        while read -r line; do case $line in *' /memory tmpfs '*size=8192k*) echo limited;; esac; done < /proc/mounts
    """
    job = run(pod("sh", "-c", script, volumeMounts=mounts, properties={"volumes": volumes}))
    assert log(site, job) == ["from the host", "read-only", "shared", "in memory", "limited"]


def test_who_it_runs_as(site, run):
    script = "id -u; id -g; touch /file 2>/dev/null || echo read-only; while read -r l; do case $l in NoNewPrivs*) echo $l;; esac; done < /proc/self/status"
    security = {
        "runAsUser": 1234,
        "runAsGroup": 55,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
    }
    job = run(pod("sh", "-c", script, securityContext=security))
    assert log(site, job) == ["1234", "55", "read-only", "NoNewPrivs: 1"]
    job = run(pod("sh", "-c", "id -u", properties={"securityContext": {"runAsUser": 77}}))
    assert log(site, job) == ["77"]


def test_limits(site, run):
    """Memory is limited, and processors are where there is a limit; requests are shares."""
    show = "cd /sys/fs/cgroup; cat memory.max memory/memory.limit_in_bytes 2>/dev/null; cat cpu.max 2>/dev/null || cat cpu/cpu.cfs_quota_us"
    job = run(
        pod("sh", "-c", show, resources={"limits": {"cpu": "0.5", "memory": "48Mi"}, "requests": {"cpu": "250m"}})
    )
    memory, processors = log(site, job)
    assert memory == str(48 * 1024 * 1024)
    assert processors.split()[0] == "50000"


def test_too_much_memory(run):
    job = run(pod("sh", "-c", "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}"))
    assert (job["status"], described(job)["exitCode"]) == ("FAILED", 137)
    assert described(job)["reason"].startswith("OutOfMemoryError")
    assert job["eksAttempts"][0]["containers"][0]["reason"].startswith("OutOfMemoryError")


def test_an_image_that_is_never_pulled(run):
    job = run(pod("true", imagePullPolicy="Never") | {})
    assert job["status"] == "SUCCEEDED"
    missing = pod("true", imagePullPolicy="Never")
    missing["podProperties"]["containers"][0]["image"] = "localhost:1/nothing:1"
    job = run(missing)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert described(job)["reason"].startswith("CannotPullContainerError")


def test_overrides(site, run):
    override = {
        "podProperties": {
            "containers": [
                {
                    "args": ["instead"],
                    "env": [{"name": "A", "value": "new"}, {"name": "C", "value": "c"}],
                    "resources": {"limits": {"memory": "40Mi"}},
                }
            ],
            "metadata": {"labels": {"who": "me"}},
        }
    }
    environment = [{"name": "A", "value": "old"}, {"name": "B", "value": "b"}]
    job = run(
        pod("sh", "-c", "echo $0 $A $B $C", args=["plain"], env=environment), eksPropertiesOverride=override
    )
    assert log(site, job) == ["instead new b c"]
    container = described(job)
    assert container["args"] == ["instead"] and container["resources"]["limits"] == {"cpu": "1", "memory": "40Mi"}
    assert [(one["name"], one["value"]) for one in container["env"]] == [("A", "new"), ("B", "b"), ("C", "c")]
    assert job["eksProperties"]["podProperties"]["metadata"]["labels"] == {"who": "me"}


def test_parameters(site, run):
    job = run(pod("echo", "Ref::word", args=["--x=Ref::word"]), parameters={"word": "hello"})
    assert log(site, job) == ["hello --x=hello"]


def test_terminated(site, pods):
    job = site.submit(define(site, pod("sh", "-c", f"echo ready; {UNTIL_STOPPED}")), queue=pods)
    running = site.reached(job, "RUNNING")
    assert "exitCode" not in described(running) and running["eksAttempts"] == []
    wait_for("the trap to be set", lambda: log(site, running) == ["ready"])
    site.batch.terminate_job(jobId=job, reason="enough")
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"], described(ended)["exitCode"]) == ("FAILED", "enough", 143)


def test_dependencies_and_arrays(site, pods):
    definition = define(site, pod("sh", "-c", "exit $((AWS_BATCH_JOB_ARRAY_INDEX))"))
    array = site.submit(definition, queue=pods, arrayProperties={"size": 2})
    dependent = site.submit(definition, queue=pods, dependsOn=[{"jobId": array}])
    assert site.ended(dependent)["statusReason"] == "Dependent Job failed"
    first, second = site.ended(f"{array}:0"), site.ended(f"{array}:1")
    assert [described(one)["exitCode"] for one in (first, second)] == [0, 1]


SECRET = {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}
CLAIM = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}
MOUNT = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
PART = {"volumeMounts": [*MOUNT["volumeMounts"], {"name": "v", "mountPath": "/part", "subPath": "part"}]}
OUT = {"volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "../x"}]}
LOCALHOST = {"seccompProfile": {"type": "Localhost", "localhostProfile": "x.json"}}
REFUSALS = [
    ("secret", pod("true", properties=SECRET, **MOUNT), "(secrets.folder)"),
    ("claim", pod("true", properties=CLAIM, **MOUNT), 'claims."default/c"'),
    (
        "same-name",
        pod("true", properties={"initContainers": pod("true")["podProperties"]["containers"]}),
        "two have the name Default",
    ),
    ("pull-secret", pod("true", properties={"imagePullSecrets": [{"name": "s"}]}), "(secrets.folder)"),
    ("no-volume", pod("true", volumeMounts=[{"name": "v", "mountPath": "/v"}]), "volume v"),
    ("group", pod("true", securityContext={"runAsGroup": 5}), "runAsGroup"),
    ("root", pod("true", securityContext={"runAsUser": 0, "runAsNonRoot": True}), "runAsNonRoot"),
    ("part-of-whole", pod("true", properties={"volumes": [{"name": "v", "emptyDir": {}}]}, **PART), "subPath"),
    ("out", pod("true", properties={"volumes": [{"name": "v", "emptyDir": {}}]}, **OUT), "must not contain .."),
    ("profile", pod("true", securityContext=LOCALHOST), "the type Localhost is not implemented"),
]


@pytest.mark.parametrize(("name", "properties", "text"), REFUSALS, ids=[case[0] for case in REFUSALS])
def test_what_cannot_run_here_is_refused(site, pods, name, properties, text):
    definition = define(site, properties)
    refusal = str(refused(site.batch.submit_job, jobName="x", jobQueue=pods, jobDefinition=definition))
    assert "not served by this version of Batchyard" in refusal and text in refusal


def test_pods_need_an_environment_of_kubernetes(site, pods):
    definition = define(site, pod("true"))
    refusal = refused(site.batch.submit_job, jobName="x", jobQueue=site.queue, jobDefinition=definition)
    assert "can not run Jobs with capability EKS" in str(refusal)
    override = {"podProperties": {"containers": [{"name": "other"}]}}
    refusal = refused(
        site.batch.submit_job, jobName="x", jobQueue=pods, jobDefinition=definition, eksPropertiesOverride=override
    )
    assert "container other" in str(refusal)
