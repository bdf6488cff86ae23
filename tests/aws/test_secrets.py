"""Secrets of jobs, from the folder that the server is told of (`secrets.folder`): variables, options of log drivers, and passwords of
registries."""

import contextlib
import json
import subprocess

import pytest

from private_registry import registry
from server import Server, wait_for
from site_under_test import Site, process_properties, refusal, unique
from test_containers import IMAGE, docker, image, submit  # noqa: F401 (image is a fixture)
from test_tasks import logs as task_logs
from test_tasks import member
from test_tasks import submit as submit_task

ROLE = {"executionRoleArn": "arn:aws:iam::000000000000:role/execution"}
MANAGER = "arn:aws:secretsmanager:us-east-1:000000000000:secret:"
PARAMETER = "arn:aws:ssm:us-east-1:000000000000:parameter"
FAILED = "ResourceInitializationError: unable to pull secrets or registry auth: "
NOT_STARTED = "Task failed to start"
# Logs are kept, so what a test writes there of a secret must not be the secret.
ROTATE = "tr a-z n-za-m"


def rotated(text):
    letters = "abcdefghijklmnopqrstuvwxyz"
    return text.translate(str.maketrans(letters, letters[13:] + letters[:13]))


class Folder:
    """The folder of secrets."""

    def __init__(self, path):
        self.path = path

    def put(self, name, text, mode=0o600):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="module")
def safe(tmp_path_factory, folder):
    """A server with a folder of secrets."""
    server = Server(tmp_path_factory.mktemp("safe") / "data", secrets_folder=folder.path).start()
    yield Site(server)
    server.remove()


def variables(**secrets):
    return {"secrets": [{"name": name, "valueFrom": value} for name, value in secrets.items()], **ROLE}


def define_process(site, script, **properties):
    made = site.batch.register_job_definition(
        jobDefinitionName=unique("secret"),
        type="container",
        containerProperties=process_properties(["/bin/sh", "-c", script], **properties),
    )
    return made["jobDefinitionArn"]


def files_with(site, text):
    """The files of the server, its log among them, in which a text is."""
    files = [path for path in site.server.data.rglob("*") if path.is_file()]
    return [path for path in [*files, site.server.log_path] if text.encode() in path.read_bytes()]


def test_values_are_variables(safe, folder, image):  # noqa: F811
    folder.put("secretsmanager/prod/plain", "plainvalue\n")
    folder.put("secretsmanager/json", json.dumps({"user": "someuser", "port": 5432}))
    folder.put("ssm/prod/url", "urlvalue")
    folder.put("ssm/flat", "flatvalue")
    properties = variables(
        WHOLE=f"{MANAGER}prod/plain-AbC123",
        USER_NAME=f"{MANAGER}json-AbC123:user::",
        PORT=f"{MANAGER}json-AbC123:port:AWSCURRENT:",
        URL="/prod/url",
        FLAT="flat",
        BY_ARN=f"{PARAMETER}/prod/url",
        TAKEN="flat",
    )
    properties["environment"] = [{"name": "TAKEN", "value": "plain"}, {"name": "OTHER", "value": "other"}]
    names = ["WHOLE", "USER_NAME", "PORT", "URL", "FLAT", "BY_ARN", "TAKEN", "OTHER"]
    script = "; ".join(f"echo ${name} | {ROTATE}" for name in names)
    job = safe.ended(submit(safe, script, properties=properties))
    assert job["status"] == "SUCCEEDED", job
    seen = dict(zip(names, map(rotated, safe.log(job))))
    assert seen == {
        "WHOLE": "plainvalue",
        "USER_NAME": "someuser",
        "PORT": "5432",
        "URL": "urlvalue",
        "FLAT": "flatvalue",
        "BY_ARN": "urlvalue",
        # A secret wins over a variable of the same name.
        "TAKEN": "flatvalue",
        "OTHER": "other",
    }
    # What is shown is where the values come from.
    assert job["container"]["secrets"][0] == {"name": "WHOLE", "valueFrom": f"{MANAGER}prod/plain-AbC123"}


def test_values_are_kept_nowhere(safe, folder, image):  # noqa: F811
    kept, plain = "keepthisnowhere", "thismaybekept"
    folder.put("ssm/kept", kept)
    properties = variables(KEPT="kept")
    properties["environment"] = [{"name": "PLAIN", "value": plain}]
    script = f"echo $KEPT | {ROTATE}; trap 'exit 0' TERM; sleep 100 & wait"
    of_container = submit(safe, script, properties=properties)
    of_process = safe.submit(define_process(safe, script, **properties))
    of_task = submit_task(safe, member("one", script, secrets=properties["secrets"]), member("two", script), **ROLE)
    jobs = [of_container, of_process, of_task]
    for job in jobs:
        safe.reached(job, "RUNNING")
    found = docker("ps", "--quiet", "--filter", f"label=batchyard.job-id={of_container}", text=True).split()
    (inspected,) = json.loads(docker("inspect", *found))
    assert f"KEPT={kept}" in inspected["Config"]["Env"]
    assert kept not in json.dumps(inspected["Config"]["Labels"])
    assert files_with(safe, kept) == []
    for job in jobs:
        safe.batch.terminate_job(jobId=job, reason="enough")
    container, process, task = map(safe.ended, jobs)
    assert [safe.log(container), safe.log(process)] == [[rotated(kept)]] * 2
    assert task_logs(safe, task)["one"] == [rotated(kept)]
    assert files_with(safe, kept) == []
    # The look finds what is there to be found.
    assert files_with(safe, plain) != [] != files_with(safe, rotated(kept))


def test_a_changed_value_is_that_of_later_starts(safe, folder, image):  # noqa: F811
    file = folder.put("ssm/changing", "before")
    properties = variables(VALUE="changing")
    # A secret wins over it, in processes as in containers.
    properties["environment"] = [{"name": "VALUE", "value": "plain"}]
    script = f"echo $VALUE | {ROTATE}; while ! [ -e {folder.path}/go ]; do sleep 0.05; done; echo $VALUE | {ROTATE}"
    process = define_process(safe, script, **properties)
    first = safe.submit(process)
    safe.reached(first, "RUNNING")
    file.write_text("after")
    (folder.path / "go").touch()
    assert safe.log(safe.ended(first)) == [rotated("before")] * 2
    assert safe.log(safe.ended(safe.submit(process))) == [rotated("after")] * 2
    job = safe.ended(submit(safe, f"echo $VALUE | {ROTATE}", properties=properties))
    assert safe.log(job) == [rotated("after")]


def test_a_container_of_a_task_has_its_own(safe, folder, image):  # noqa: F811
    folder.put("ssm/one", "first")
    folder.put("ssm/two", "second")
    script = f"echo ${{A:-none}} ${{B:-none}} | {ROTATE}"
    job = submit_task(
        safe,
        member("one", script, secrets=[{"name": "A", "valueFrom": "one"}], essential=False),
        member(
            "two", script, secrets=[{"name": "B", "valueFrom": "two"}],
            dependsOn=[{"containerName": "one", "condition": "COMPLETE"}],
        ),
        **ROLE,
    )  # fmt: skip
    logs = task_logs(safe, safe.ended(job))
    assert logs == {"one": [rotated("first none")], "two": [rotated("none second")]}


def test_what_cannot_be_had_fails_the_attempt(safe, folder, image):  # noqa: F811
    folder.put("ssm/open", "hunter2", mode=0o644)
    folder.put("secretsmanager/json", json.dumps({"user": "u"}))
    asm = f"{FAILED}execution resource retrieval failed: unable to retrieve secret from asm: "
    ssm = f"{FAILED}execution resource retrieval failed: unable to retrieve secrets from ssm: "
    cases = [
        ("absent", f"{ssm}absent: the server's folder of secrets has no such file"),
        ("open", f"{ssm}open: its file has mode 644, which is open to others"),
        (f"{MANAGER}no-AbC123", f"{asm}no-AbC123: the server's folder of secrets has no such file"),
        (
            f"{MANAGER}json-AbC123:key::",
            f"{asm}json-AbC123: retrieved secret from Secrets Manager did not contain json key key",
        ),
    ]
    retry = {"retryStrategy": {"attempts": 2}}
    for value_from, reason in cases:
        properties = variables(A=value_from)
        for job in (
            submit(safe, "true", properties=properties, **retry),
            safe.submit(define_process(safe, "true", **properties), **retry),
        ):
            job = safe.ended(job)
            assert (job["status"], job["statusReason"]) == ("FAILED", NOT_STARTED), job
            assert [one["container"]["reason"] for one in job["attempts"]] == [reason[:255]] * 2
    job = safe.ended(submit_task(safe, member("one", "true"), member("two", "true", secrets=properties["secrets"]), **ROLE))
    (task,) = job["ecsProperties"]["taskProperties"]
    assert (job["status"], task["containers"][1]["reason"]) == ("FAILED", reason[:255])
    # As soon as it is there the next attempt has it.
    folder.put("ssm/late", "late")
    assert safe.ended(submit(safe, "true", properties=variables(A="late")))["status"] == "SUCCEEDED"


def test_options_of_log_drivers(safe, folder, image):  # noqa: F811
    folder.put("ssm/option", "secretoption")
    log = {
        "logDriver": "json-file",
        "options": {"max-size": "1m"},
        "secretOptions": [{"name": "labels", "valueFrom": "option"}],
    }
    job = submit(safe, "trap 'exit 0' TERM; sleep 100 & wait", properties={"logConfiguration": log, **ROLE})
    safe.reached(job, "RUNNING")
    found = docker("ps", "--quiet", "--filter", f"label=batchyard.job-id={job}", text=True).split()
    (inspected,) = json.loads(docker("inspect", *found))
    assert inspected["HostConfig"]["LogConfig"] == {
        "Type": "json-file", "Config": {"max-size": "1m", "labels": "secretoption"},
    }  # fmt: skip
    safe.batch.terminate_job(jobId=job, reason="enough")
    safe.ended(job)
    # The daemon quotes an option that it does not like.
    log["secretOptions"] = [{"name": "mode", "valueFrom": "option"}]
    job = safe.ended(submit(safe, "true", properties={"logConfiguration": log, **ROLE}))
    reason = job["container"]["reason"]
    assert (job["status"], job["statusReason"]) == ("FAILED", NOT_STARTED)
    assert "secretoption" not in reason and "***" in reason, reason
    assert files_with(safe, "secretoption") == []


@contextlib.contextmanager
def pulled(*names):
    """Removes images at the end, which a pull has brought."""
    try:
        yield
    finally:
        subprocess.run(["docker", "rmi", "--force", *names], capture_output=True)


def test_passwords_of_registries(safe, folder, image):  # noqa: F811
    folder.put("secretsmanager/login", json.dumps({"username": "someone", "password": "rightpassword"}))
    folder.put("secretsmanager/wrong", json.dumps({"username": "someone", "password": "wrongpassword"}))
    folder.put("secretsmanager/plain", "rightpassword")

    def run(image, secret):  # noqa: F811
        credentials = {"repositoryCredentials": {"credentialsParameter": secret}} if secret else {}
        return safe.ended(submit(safe, "echo ran", image=image, properties={**credentials, **ROLE}))

    with registry(IMAGE, "someone", "rightpassword") as host:
        one, two, other = (f"{host}/team/{name}:1" for name in ("one", "two", "other"))
        with pulled(one, two, other):
            job = run(one, None)
            assert (job["status"], job["statusReason"]) == ("FAILED", NOT_STARTED)
            assert job["container"]["reason"].startswith("CannotPullContainerError: ")
            job = run(one, f"{MANAGER}wrong-AbC123")
            assert job["container"]["reason"].startswith("CannotPullContainerError: ")
            assert "password" not in job["container"]["reason"]
            job = run(one, f"{MANAGER}login-AbC123")
            assert job["status"] == "SUCCEEDED" and safe.log(job) == ["ran"], job
            # The name alone is enough.
            assert run(two, "login")["status"] == "SUCCEEDED"
            job = run(other, "plain")
            assert job["container"]["reason"].startswith(f"{FAILED}plain is not JSON with")
            job = submit_task(
                safe,
                member("one", "echo ran", image=other, repositoryCredentials={"credentialsParameter": "login"}),
                member("two", "sleep 100", essential=False),
                **ROLE,
            )
            assert safe.ended(job)["status"] == "SUCCEEDED"
    for password in ("rightpassword", "wrongpassword"):
        assert files_with(safe, password) == []


REFUSALS = [
    ("stage", variables(A=f"{MANAGER}db-AbC123::AWSPREVIOUS:"), "the version stage AWSPREVIOUS is not implemented"),
    ("version", variables(A=f"{MANAGER}db-AbC123:::1"), "the version 1 is not implemented"),
    ("path", variables(A="../../etc/passwd"), "secrets, valueFrom of A: \"../../etc/passwd\" is not the name of a secret"),
    ("arn", variables(A="arn:aws:s3:::bucket/key"), "is neither the ARN of a secret nor that of a parameter"),
    ("reserved", variables(AWS_BATCH_JOB_ID="a"), "names that begin with AWS_BATCH are reserved"),
    (
        "awslogs",
        {"logConfiguration": {"logDriver": "awslogs", "secretOptions": [{"name": "a", "valueFrom": "a"}]}, **ROLE},
        "logConfiguration.secretOptions are for log drivers other than awslogs",
    ),
    (
        "registry",
        {"repositoryCredentials": {"credentialsParameter": f"{PARAMETER}/a"}},
        "repositoryCredentials.credentialsParameter: it must be a whole secret",
    ),
]


@pytest.mark.parametrize(("name", "properties", "text"), REFUSALS, ids=[case[0] for case in REFUSALS])
def test_what_means_no_secret_is_refused(safe, name, properties, text):
    made = safe.batch.register_job_definition(
        jobDefinitionName=unique("refused"),
        type="container",
        containerProperties={
            "image": IMAGE,
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
            **properties,
        },
    )
    definition = made["jobDefinitionArn"]
    code, message = refusal(safe.batch.submit_job, jobName="x", jobQueue=safe.queue, jobDefinition=definition)
    assert code == "ClientException" and text in message


def test_without_a_folder_secrets_are_refused(site):
    definition = define_process(site, "true", **variables(A="a"))
    code, message = refusal(site.batch.submit_job, jobName="x", jobQueue=site.queue, jobDefinition=definition)
    assert code == "ClientException" and "(secrets.folder)" in message


def test_the_folder_must_be_there(tmp_path):
    server = Server(tmp_path / "data", secrets_folder=tmp_path / "absent")
    with pytest.raises(AssertionError, match=r"secrets\.folder: must be a folder that is there"):
        server.start()
    wait_for("the server to have ended", lambda: server.process is None)
