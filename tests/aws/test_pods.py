"""Pods of several containers, with init containers and volumes of their own, on the Docker engine that DOCKER_HOST leads to."""

import base64
import json
import subprocess

import pytest

from private_registry import registry
from server import Server, wait_for
from site_under_test import Site, environment_resources, refusal
from test_containers import EXITED, IMAGE, docker, image  # noqa: F401 (image is a fixture)
from test_eks import CLUSTER, SMALL, UNTIL_STOPPED, define, log, pod
from test_secrets import Folder, files_with, pulled

NAMESPACE = {"metadata": {"namespace": "jobs"}}


def container(name, script, **more):
    return {"name": name, "image": IMAGE, "command": ["sh", "-c", script], "resources": SMALL, **more}


def several(*containers, init=(), **more):
    return {"podProperties": {"containers": list(containers), "initContainers": list(init), **NAMESPACE, **more}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="module")
def claim(tmp_path_factory):
    """The folder that stands for the claim `data` of the namespace `jobs`."""
    path = tmp_path_factory.mktemp("claim")
    (path / "given").write_text("given\n")
    (path / "out").symlink_to("/")
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory, folder, claim):
    """A server with a folder of secrets and a claim."""
    place = tmp_path_factory.mktemp("pods")
    (place / "config.toml").write_text(
        f'[secrets]\nfolder = "{folder.path}"\n[claims]\n"jobs/data" = "{claim}"\n'
    )
    server = Server(place / "data", "--config", place / "config.toml").start()
    yield Site(server)
    server.remove()


@pytest.fixture(scope="module")
def pods(site, image):  # noqa: F811
    cluster = {"eksClusterArn": CLUSTER.replace("us-east-1", site.server.access.region), "kubernetesNamespace": "jobs"}
    environment = site.make_environment(
        eksConfiguration=cluster,
        computeResources=environment_resources(allocationStrategy="BEST_FIT_PROGRESSIVE"),
    )
    return site.make_queue(environment)


@pytest.fixture
def run(site, pods):
    return lambda properties, **request: site.ended(site.submit(define(site, properties), queue=pods, **request))


def codes(job, kind="containers"):
    return {one["name"]: one.get("exitCode") for one in job["eksProperties"]["podProperties"][kind]}


def test_all_containers_must_end(site, run):
    job = run(several(container("one", "echo one"), container("two", "sleep 0.5; echo two")))
    assert (job["status"], job["statusReason"]) == ("SUCCEEDED", EXITED), job
    assert codes(job) == {"one": 0, "two": 0}
    # The first one's end has not stopped the other.
    assert (log(site, job, "one"), log(site, job, "two")) == (["one"], ["two"])
    (attempt,) = job["eksAttempts"]
    assert attempt["containers"] == [{"name": "one", "exitCode": 0}, {"name": "two", "exitCode": 0}]
    assert (attempt["initContainers"], attempt["podNamespace"]) == ([], "jobs")


def test_any_failure_fails_the_pod(site, run):
    properties = several(container("one", "exit 3"), container("two", "sleep 0.5; echo two; exit 4"), container("three", "true"))
    job = run(properties, retryStrategy={"attempts": 2, "evaluateOnExit": [{"onExitCode": "3", "action": "RETRY"}]})
    assert job["status"] == "FAILED" and len(job["eksAttempts"]) == 2
    assert codes(job) == {"one": 3, "two": 4, "three": 0}
    assert log(site, job, "two") == ["two"]


def test_init_containers_run_before_the_others(site, run):
    volumes = [{"name": "work", "emptyDir": {}}]
    mount = {"volumeMounts": [{"name": "work", "mountPath": "/work"}]}
    job = run(
        several(
            container("one", "cat /work/file", **mount),
            container("two", "cat /work/file", **mount),
            init=[
                container("first", "sleep 0.3; echo first > /work/file", **mount),
                # What it needs it need not say.
                {**container("second", "echo second >> /work/file", **mount), "resources": {}},
            ],
            volumes=volumes,
        )
    )
    assert job["status"] == "SUCCEEDED", job
    assert log(site, job, "one") == log(site, job, "two") == ["first", "second"]
    assert codes(job, "initContainers") == {"first": 0, "second": 0}
    (attempt,) = job["eksAttempts"]
    assert attempt["initContainers"] == [{"name": "first", "exitCode": 0}, {"name": "second", "exitCode": 0}]


def test_a_failed_init_container_fails_the_pod(site, run):
    init = [container("first", "exit 5"), container("second", "true")]
    job = run(several(container("one", "true"), init=init), retryStrategy={"attempts": 2})
    assert (job["status"], job["statusReason"]) == ("FAILED", EXITED), job
    assert codes(job, "initContainers") == {"first": 5, "second": None}
    assert codes(job) == {"one": None}
    first, second = job["eksAttempts"]
    assert [one.get("exitCode") for one in second["initContainers"]] == [5, None]
    assert "exitCode" not in second["containers"][0] and first["podName"] != second["podName"]


def test_a_pod_is_stopped_as_a_whole(site, pods):
    script = f"echo ready; {UNTIL_STOPPED}"
    job = site.submit(define(site, several(container("one", script), container("two", script))), queue=pods)
    running = site.reached(job, "RUNNING")
    for name in ("one", "two"):
        wait_for("the trap to be set", lambda name=name: log(site, running, name) == ["ready"])
    site.batch.terminate_job(jobId=job, reason="enough")
    ended = site.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "enough")
    assert codes(ended) == {"one": 143, "two": 143}


def test_a_pod_goes_on_when_the_server_was_killed(site, pods):
    init = [container("first", "while ! [ -e /work/go ]; do sleep 0.05; done; echo early > /memory/file")]
    volumes = [{"name": "work", "hostPath": {"path": str(site.server.data.parent / "work")}}, MEMORY]
    mounts = [{"name": "work", "mountPath": "/work"}, {"name": "memory", "mountPath": "/memory"}]
    init[0]["volumeMounts"] = mounts
    main = container("one", "cat /memory/file; exit 6", volumeMounts=mounts)
    job = site.submit(define(site, several(main, init=init, volumes=volumes)), queue=pods)
    found = lambda: docker("ps", "--quiet", "--filter", f"label=batchyard.job-id={job}", text=True).split()  # noqa: E731
    # What holds the pod's namespaces, and the init container.
    wait_for("the init container to run", lambda: len(found()) == 2)
    site.server.kill()
    (site.server.data.parent / "work/go").touch()
    site.server.start()
    site.connect()
    ended = site.ended(job)
    assert (codes(ended, "initContainers"), codes(ended)) == ({"first": 0}, {"one": 6})
    assert log(site, ended, "one") == ["early"]
    wait_for("its containers to be gone", lambda: found() == [])


MEMORY = {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}}


def test_volumes_of_a_pod_are_its_containers_together(site, run):
    mounts = [{"name": "memory", "mountPath": "/memory"}, {"name": "disk", "mountPath": "/disk"}]
    parts = [
        {"name": "parts", "mountPath": "/a", "subPath": "a"},
        {"name": "parts", "mountPath": "/also-a", "subPath": "./a/", "readOnly": True},
        {"name": "parts", "mountPath": "/b", "subPath": "b"},
    ]
    user = {"securityContext": {"runAsUser": 1234, "runAsGroup": 55}}
    look = """
        cat /memory/file /disk/file /also-a/file; [ -e /b/file ] || echo apart
        touch /also-a/x 2>/dev/null || echo read-only
        while read -r line; do case $line in *' /memory tmpfs '*size=8192k*) echo limited;; esac; done < /proc/mounts
    """
    job = run(
        several(
            container("one", look, volumeMounts=mounts + parts),
            # Any user may write to them.
            init=[container("first", "for v in memory disk a; do echo in $v > /$v/file; done", volumeMounts=mounts + parts, **user)],
            volumes=[MEMORY, {"name": "disk", "emptyDir": {}}, {"name": "parts", "emptyDir": {}}],
        )
    )
    assert job["status"] == "SUCCEEDED", job
    assert log(site, job, "one") == ["in memory", "in disk", "in a", "apart", "read-only", "limited"]
    names = docker("volume", "ls", "--quiet", text=True).split()
    task = job["eksProperties"]["podProperties"]["podName"].removeprefix("aws-batch.").replace("-", "")
    wait_for("its volumes to be gone", lambda: not [name for name in names if task in name] or [
        name for name in docker("volume", "ls", "--quiet", text=True).split() if task in name
    ] == [])


def test_volumes_belong_to_the_group_of_the_pod(site, run):
    mounts = [{"name": "disk", "mountPath": "/disk"}]
    look = "id -G; touch /disk/file; for f in /disk/file; do [ -G $f ] || echo other group; done; [ -g /disk ] && echo kept"
    job = run(
        pod(
            "sh", "-c", look, volumeMounts=mounts,
            properties={
                "volumes": [{"name": "disk", "emptyDir": {}}],
                "securityContext": {"fsGroup": 2000, "runAsUser": 1234, "runAsGroup": 55},
            },
        )
    )  # fmt: skip
    assert log(site, job) == ["55 2000", "other group", "kept"]


def test_secrets_are_volumes(site, run, folder):
    folder.put("kubernetes/jobs/token/key", "tokenvalue\n")
    folder.put("kubernetes/jobs/token/other.txt", "othervalue")
    volumes = [
        {"name": "token", "secret": {"secretName": "token"}},
        {"name": "maybe", "secret": {"secretName": "absent", "optional": True}},
    ]
    mounts = [{"name": "token", "mountPath": "/token"}, {"name": "maybe", "mountPath": "/maybe"}]
    look = """
        tr a-z n-za-m < /token/key; for f in /token/* /maybe/*; do echo $f; done
        touch /token/new 2>/dev/null || echo read-only
        while read -r line; do case $line in *' /token tmpfs '*) echo in memory;; esac; done < /proc/mounts
    """
    user = {"runAsUser": 1234, "runAsNonRoot": True}
    job = run(pod("sh", "-c", look, volumeMounts=mounts, securityContext=user, properties={"volumes": volumes, **NAMESPACE}))
    assert job["status"] == "SUCCEEDED", job
    assert log(site, job) == ["gbxrainyhr", "/token/key", "/token/other.txt", "/maybe/*", "read-only", "in memory"]
    assert files_with(site, "tokenvalue") == []
    # Read at each start.
    folder.put("kubernetes/jobs/token/key", "changed\n")
    job = run(pod("sh", "-c", "cat /token/key", volumeMounts=mounts[:1], properties={"volumes": volumes[:1], **NAMESPACE}))
    assert log(site, job) == ["changed"]


def test_a_secret_that_is_not_there_fails_the_attempt(run):
    volumes = [{"name": "token", "secret": {"secretName": "absent"}}]
    mounts = [{"name": "token", "mountPath": "/token"}]
    job = run(pod("true", volumeMounts=mounts, properties={"volumes": volumes, **NAMESPACE}), retryStrategy={"attempts": 2})
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert [one["containers"][0]["reason"] for one in job["eksAttempts"]] == [
        'MountVolume.SetUp failed for volume "token" : secret jobs/absent not found: the server\'s folder of secrets has no such file'
    ] * 2


def test_claims_are_folders(site, run, claim):
    def properties(read_only=False):
        return {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data", "readOnly": read_only}}], **NAMESPACE}

    mounts = [{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/part", "subPath": "new/part"}]
    job = run(pod("sh", "-c", "cat /v/given; echo left > /part/file; cat /v/new/part/file", volumeMounts=mounts, properties=properties()))
    assert log(site, job) == ["given", "left"]
    assert (claim / "new/part/file").read_text() == "left\n"
    job = run(pod("sh", "-c", "touch /v/x 2>/dev/null || echo read-only", volumeMounts=mounts[:1], properties=properties(True)))
    assert log(site, job) == ["read-only"]
    out = [{"name": "v", "mountPath": "/v", "subPath": "out/etc"}]
    job = run(pod("true", volumeMounts=out, properties=properties()))
    assert job["eksAttempts"][0]["containers"][0]["reason"].endswith("it leads out of the volume")
    unknown = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "other"}}], **NAMESPACE}
    definition = define(site, pod("true", volumeMounts=mounts[:1], properties=unknown))
    assert 'claims."jobs/other"' in refusal(site.batch.submit_job, jobName="x", jobQueue=site.queue, jobDefinition=definition)[1]


def test_part_of_a_folder_of_the_host(site, run, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").write_text("inner\n")
    mounts = [{"name": "v", "mountPath": "/v", "subPath": "a"}, {"name": "v", "mountPath": "/file", "subPath": "a/file"}]
    properties = {"volumes": [{"name": "v", "hostPath": {"path": str(tmp_path)}}]}
    job = run(pod("sh", "-c", "cat /v/file /file", volumeMounts=mounts, properties=properties))
    assert log(site, job) == ["inner", "inner"]


def test_processes_are_shared_where_that_is_asked_for(site, run):
    until = "while ! [ -e /work/{} ]; do sleep 0.05; done"
    # Made of two parts, as the scripts are among what is looked at.
    find = "for p in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $p; echo; done 2>/dev/null | while read -r l; do case $l in *'sleep 77'.7*) echo seen;; esac; done"
    look = f"{until.format('up')}; {find}; touch /work/done"
    wait = f"n=77; sleep $n.7 & touch /work/up; {until.format('done')}; kill $!"
    more = {"volumeMounts": [{"name": "work", "mountPath": "/work"}]}
    volumes = [{"name": "work", "emptyDir": {}}]
    for shared, expected in ((True, ["seen"]), (False, [])):
        containers = container("one", look, **more), container("two", wait, **more)
        job = run(several(*containers, volumes=volumes, shareProcessNamespace=shared))
        assert log(site, job, "one") == expected


def test_networks(site, run):
    names = "for i in /sys/class/net/*; do echo ${i##*/}; done"
    own = log(site, run(pod("sh", "-c", names, properties={"hostNetwork": False})))
    assert own == docker("run", "--rm", "--network", "bridge", IMAGE, "sh", "-c", names, text=True).split()
    host = log(site, run(pod("sh", "-c", names)))
    assert host == docker("run", "--rm", "--network", "host", IMAGE, "sh", "-c", names, text=True).split() != own
    # One network for all containers of a pod.
    where = "readlink /proc/self/ns/net"
    job = run(several(container("one", where), container("two", where), hostNetwork=False))
    assert log(site, job, "one") == log(site, job, "two")


def test_rights(site, run):
    look = "while read -r l; do case $l in CapEff*|CapBnd*|Seccomp:*) echo ${l##*[[:space:]]};; esac; done < /proc/self/status"
    plain = log(site, run(pod("sh", "-c", look)))
    none = log(site, run(pod("sh", "-c", look, securityContext={"capabilities": {"drop": ["ALL"]}})))
    assert int(plain[0], 16) != 0 and int(none[0], 16) == 0
    more = log(site, run(pod("sh", "-c", look, securityContext={"capabilities": {"add": ["SYS_TIME"]}})))
    assert int(more[0], 16) == int(plain[0], 16) | 1 << 25


def test_no_root_where_none_may_be(site, run):
    # The image's user is root.
    job = run(pod("true", securityContext={"runAsNonRoot": True}))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    reason = job["eksAttempts"][0]["containers"][0]["reason"]
    assert reason == "CreateContainerConfigError: container has runAsNonRoot and image will run as root"
    job = run(several(container("one", "true"), container("two", "true", securityContext={"runAsNonRoot": True})))
    assert job["eksAttempts"][0]["containers"][1]["reason"] == reason
    job = run(pod("sh", "-c", "id -u", securityContext={"runAsNonRoot": True, "runAsUser": 5}))
    assert log(site, job) == ["5"]


def test_variables_name_those_before_them(site, run):
    env = [{"name": "A", "value": "a"}, {"name": "B", "value": "$(A)b $(C)"}, {"name": "C", "value": "$$(A)"}]
    job = run(pod("sh", "-c", "echo \"$B\" \"$C\" '$(B)'", env=env))
    assert log(site, job) == ["ab $(C) $(A) ab $(C)"]


def test_pull_secrets(site, run, folder):
    with registry(IMAGE, "someone", "pullpassword") as host:
        auth = base64.b64encode(b"someone:pullpassword").decode()
        folder.put("kubernetes/jobs/pull/.dockerconfigjson", json.dumps({"auths": {host: {"auth": auth}}}))
        name = f"{host}/team/pod:1"
        with pulled(name):
            properties = several({**container("one", "echo ran"), "image": name}, imagePullSecrets=[{"name": "absent"}])
            job = run(properties)
            assert job["eksAttempts"][0]["containers"][0]["reason"].startswith("CannotPullContainerError: ")
            properties["podProperties"]["imagePullSecrets"].append({"name": "pull"})
            job = run(properties)
            assert log(site, job, "one") == ["ran"], job
    assert files_with(site, "pullpassword") == files_with(site, auth) == []


def test_overrides_by_name(site, run):
    properties = several(container("one", "echo $A"), container("two", "echo $A"), init=[container("first", "echo $A")])

    def variable(value):
        return {"env": [{"name": "A", "value": value}]}

    override = {
        "containers": [{"name": "two", **variable("2")}, {"name": "one", **variable("1")}],
        "initContainers": [variable("0")],
    }
    job = run(properties, eksPropertiesOverride={"podProperties": override})
    assert [log(site, job, name) for name in ("first", "one", "two")] == [["0"], ["1"], ["2"]]
    definition = define(site, properties)
    for override, text in (
        ({"containers": [{"name": "three"}]}, "the container three"),
        ({"containers": [variable("1")]}, "the container Default"),
        ({"initContainers": [{"name": "one"}]}, "the init container one"),
    ):
        _, message = refusal(
            site.batch.submit_job, jobName="x", jobQueue=site.queue, jobDefinition=definition,
            eksPropertiesOverride={"podProperties": override},
        )  # fmt: skip
        assert text in message


def test_parameters_are_filled_in_everywhere(site, run):
    one = {**container("one", "true"), "command": ["echo", "Ref::word"]}
    first = {**container("first", "true"), "command": ["echo", "Ref::word"]}
    job = run(several(one, init=[first]), parameters={"word": "hello"})
    assert log(site, job, "first") == log(site, job, "one") == ["hello"]


def test_a_program_that_is_not_there_stops_the_others(run):
    missing = {**container("two", ""), "command": ["/no/such/program"]}
    job = run(several(container("one", "sleep 100"), missing))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    reason = job["eksAttempts"][0]["containers"][1]["reason"]
    assert reason.startswith("CannotStartContainerError: ")


def test_nothing_is_left(site, run):
    job = run(several(container("one", "true"), container("two", "true"), volumes=[MEMORY]))
    label = f"label=batchyard.job-id={job['jobId']}"
    look = lambda: subprocess.run(["docker", "ps", "--all", "--quiet", "--filter", label], capture_output=True).stdout  # noqa: E731
    wait_for("its containers to be gone", lambda: look() == b"")
