"""Credentials of job roles (sections F.2 and F.4): real SDK clients inside jobs, which find them as they do on AWS."""

import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server import Server, wait_for
from site_under_test import AWS, Site, environment_resources, fargate_resources, refusal, refused, unique
from test_containers import image, submit  # noqa: F401 (a fixture)
from test_multi_node import define, node

ROLE = "arn:aws:iam::123456789012:role/teams/blue/job-role"
PYTHON = str(Path(sys.prefix).resolve() / "bin/python")
AGENT = "169.254.170.2"

# What a Python with an SDK needs.
ROOMY = {"resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "256"}]}

# What a program of a user does: it knows nothing of where its credentials come from.
WHO = """
import boto3
session = boto3.Session()
credentials = session.get_credentials()
print("METHOD", credentials.method)
print("ARN", session.client("sts").get_caller_identity()["Arn"])
print("USER", session.client("sts").get_caller_identity()["UserId"])
print("QUEUES", len(session.client("batch").describe_job_queues()["jobQueues"]) > 0)
"""

# An SDK renews what is about to expire.
RENEW = """
import datetime, boto3
credentials = boto3.Session().get_credentials()
first = credentials.get_frozen_credentials()
now = datetime.datetime.now(datetime.timezone.utc)
credentials._expiry_time = now + datetime.timedelta(seconds=5)
second = credentials.get_frozen_credentials()
print("RENEWED", first.access_key != second.access_key, credentials._expiry_time > now + datetime.timedelta(minutes=50))
"""

# A task reads about itself.
TASK = """
import json, os, urllib.request
print("LAUNCH_TYPE=" + json.load(urllib.request.urlopen(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task"))["LaunchType"])
"""

# Shows the variables that it is not to show, and waits.
TELL = "env > {folder}/env.new; mv {folder}/env.new {folder}/env; until test -e {folder}/go; do sleep 0.05; done"


def run_python(site, program, properties=None, **options):
    definition = site.define(PYTHON, "-c", program, properties={**ROOMY, "jobRoleArn": ROLE, **(properties or {})})
    return site.ended(site.submit(definition, **options))


def said(lines):
    return dict(line.split(" ", 1) for line in lines)


def task_of(job):
    return job["container"]["taskArn"].rsplit("/", 1)[1]


def check_identity(words, task):
    arn = f"arn:aws:sts::000000000000:assumed-role/job-role/{task}"
    assert words["ARN"] == arn
    role_id, session = words["USER"].split(":")
    assert (role_id[:4], len(role_id), session) == ("AROA", 20, task)
    assert (words["METHOD"], words["QUEUES"]) == ("container-role", "True")


def started(site, folder, properties=None, **request):
    """A job that runs until `folder/go` is there, and its variables."""
    folder.mkdir(exist_ok=True)
    role = {"jobRoleArn": ROLE, **(properties or {})}
    job = site.submit(site.shell(TELL.format(folder=folder), properties=role), **request)
    wait_for("its variables", (folder / "env").exists)
    return job, variables(folder)


def variables(folder):
    return dict(line.split("=", 1) for line in (folder / "env").read_text().splitlines() if "=" in line)


def fetch(url, token=None):
    """(status, body) as a client without an SDK gets it."""
    request = urllib.request.Request(url, headers={"Authorization": token} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def own_fetch(seen):
    return fetch(seen["AWS_CONTAINER_CREDENTIALS_FULL_URI"], seen["AWS_CONTAINER_AUTHORIZATION_TOKEN"])


def test_a_process_acts_as_its_role(site, tmp_path):
    """Also where the user whose home it has keeps other credentials."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text("[default]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = x\n")
    (tmp_path / ".aws/config").write_text("[default]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = x\n")
    home = {"environment": [{"name": "HOME", "value": str(tmp_path)}]}
    job = run_python(site, WHO, home)
    check_identity(said(site.log(job)), task_of(job))
    assert job["container"]["jobRoleArn"] == ROLE
    assert all("AWS_CONTAINER" not in pair["name"] for pair in job["container"]["environment"])


def test_the_aws_cli_acts_as_the_role(site):
    job = site.run(f"{AWS} sts get-caller-identity --query Arn --output text", definition={"properties": {**ROOMY, "jobRoleArn": ROLE}})
    assert site.log(job) == [f"arn:aws:sts::000000000000:assumed-role/job-role/{task_of(job)}"]


def test_a_task_acts_as_its_role(site):
    made = site.batch.register_job_definition(
        jobDefinitionName=unique("task-role"),
        type="container",
        ecsProperties={
            "taskProperties": [
                {
                    "taskRoleArn": ROLE,
                    "containers": [
                        {
                            "name": "one",
                            "image": "host://",
                            "command": [PYTHON, "-c", WHO],
                            **ROOMY,
                        }
                    ],
                }
            ]
        },
    )
    job = site.ended(site.submit(made["jobDefinitionArn"]))
    task = job["ecsProperties"]["taskProperties"][0]
    words = said(site.stream(task["containers"][0]["logStreamName"]))
    check_identity(words, task["taskArn"].rsplit("/", 1)[1])


def test_what_the_role_submits_is_submitted(site):
    """The session is a principal like any other."""
    definition = site.define("true")
    program = f"import boto3; print(boto3.client('batch').submit_job(jobName='inner', jobQueue='{site.queue}', jobDefinition='{definition}')['jobId'])"
    (inner,) = site.log(run_python(site, program))
    assert site.ended(inner)["status"] == "SUCCEEDED"


def test_clients_renew_credentials(site):
    assert said(site.log(run_python(site, RENEW))) == {"RENEWED": "True True"}


def test_no_role_no_credentials(site):
    seen = site.log(site.run("env"))
    assert not [line for line in seen if line.startswith(("AWS_CONTAINER", "AWS_SHARED", "AWS_CONFIG"))]


def test_the_users_own_variables_win(site):
    own = {"environment": [{"name": "AWS_CONFIG_FILE", "value": "/own"}], "jobRoleArn": ROLE}
    assert "AWS_CONFIG_FILE=/own" in site.log(site.run("env", definition={"properties": own}))


def test_where_jobs_do_not_see_the_server_its_credentials_are_kept_from_them(tmp_path):
    site = Site(Server(tmp_path / "data", jobs_see_endpoint="false").start())
    try:
        seen = site.log(site.run("env", definition={"properties": {"jobRoleArn": ROLE}}))
        assert not [line for line in seen if line.startswith(("AWS_CONTAINER", "AWS_ENDPOINT", "AWS_REGION", "AWS_DEF"))]
    finally:
        site.server.remove()


def test_credentials_are_the_attempts_own(site, tmp_path):
    first, seen = started(site, tmp_path / "first")
    other, of_other = started(site, tmp_path / "other")
    status, body = own_fetch(seen)
    assert status == 200
    assert set(body) == {"RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    assert body["RoleArn"] == ROLE
    lasts = datetime.fromisoformat(body["Expiration"]) - datetime.now(UTC)
    assert 3500 < lasts.total_seconds() <= 3600
    url, token = seen["AWS_CONTAINER_CREDENTIALS_FULL_URI"], seen["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    assert token != of_other["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    # The token does in the path too, as ECS has it.
    assert fetch(f"{url}/{token}")[0] == 200
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    for wrong in (None, "x", changed, task_of(site.job(first)), token + "A", token[:40]):
        assert fetch(url, wrong) == (
            401,
            {"code": "InvalidIdInRequest", "message": "this is not the token of a job"},
        ), wrong
    (tmp_path / "first/go").touch()
    (tmp_path / "other/go").touch()
    site.ended(first), site.ended(other)
    # And it is over with the attempt.
    gone = (404, {"code": "CredentialsNotFound", "message": "the job's attempt does not run, or has no role"})
    assert own_fetch(seen) == gone and own_fetch(of_other) == gone


def test_each_attempt_has_a_token_of_its_own(site, tmp_path):
    script = f"env > {tmp_path}/env.$AWS_BATCH_JOB_ATTEMPT; test $AWS_BATCH_JOB_ATTEMPT = 2 || exit 1; until test -e {tmp_path}/go; do sleep 0.05; done"
    definition = site.shell(script, properties={"jobRoleArn": ROLE}, retryStrategy={"attempts": 2})
    job = site.submit(definition)
    site.reached(job, "RUNNING")
    wait_for("the second attempt", lambda: (tmp_path / "env.2").exists() and site.job(job)["attempts"])
    (tmp_path / "env.1").rename(tmp_path / "env")
    first = variables(tmp_path)
    (tmp_path / "env.2").rename(tmp_path / "env")
    second = variables(tmp_path)
    assert (own_fetch(first)[0], own_fetch(second)[0]) == (404, 200)
    (tmp_path / "go").touch()
    site.ended(job)


def test_children_have_tokens_of_their_own(site):
    definition = site.define(PYTHON, "-c", WHO, properties={**ROOMY, "jobRoleArn": ROLE})
    array = site.submit(definition, arrayProperties={"size": 2})
    site.ended(array)
    for child in site.jobs([f"{array}:0", f"{array}:1"]).values():
        check_identity(said(site.log(child)), task_of(child))


def test_a_token_is_good_after_a_restart_and_is_in_no_log(own_site, tmp_path):
    site = own_site
    site.server.keep_address()
    job, seen = started(site, tmp_path / "job")
    before = own_fetch(seen)[1]
    site.server.kill()
    site.server.start()
    site.connect()
    status, after = own_fetch(seen)
    assert status == 200 and after["AccessKeyId"] != before["AccessKeyId"]
    # Credentials from before are good too.
    sts = boto_of(site, before).client("sts", endpoint_url=site.server.access.endpoint, region_name="us-east-1")
    assert sts.get_caller_identity()["Arn"].startswith("arn:aws:sts::000000000000:assumed-role/job-role/")
    (tmp_path / "job/go").touch()
    site.ended(job)
    secrets = [seen["AWS_CONTAINER_AUTHORIZATION_TOKEN"]]
    secrets += [made[name] for made in (before, after) for name in ("SecretAccessKey", "Token")]
    kept = [path for path in site.server.data.rglob("*") if path.is_file()] + [site.server.log_path]
    for path in kept:
        text = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in text], path


def boto_of(site, made):
    import boto3

    return boto3.Session(
        aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"],
        aws_session_token=made["Token"],
    )


def test_a_changed_session_is_refused(site, tmp_path):
    job, seen = started(site, tmp_path / "job")
    made = own_fetch(seen)[1]
    token = made["Token"]
    for changed in (
        {"Token": token[:-6] + ("A" if token[-6] != "A" else "B") + token[-5:]},
        {"SecretAccessKey": "x" * 40},
    ):
        sts = boto_of(site, {**made, **changed}).client(
            "sts", endpoint_url=site.server.access.endpoint, region_name="us-east-1"
        )
        assert refused(sts.get_caller_identity).response["ResponseMetadata"]["HTTPStatusCode"] == 403
    (tmp_path / "job/go").touch()
    site.ended(job)


@pytest.mark.parametrize("role", ["no role", "arn:aws:iam::123456789012:user/x"])
def test_a_role_that_can_be_none_fails_the_job(site, role):
    """Section B.4: as the service says it."""
    job = site.run("true", definition={"properties": {"jobRoleArn": role}})
    assert (job["status"], job["attempts"]) == ("FAILED", [])
    assert job["statusReason"] == (
        f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the role being passed has the "
        "proper trust relationship and permissions and that your IAM user has permissions to pass this role."
    )


def test_the_platform_is_told(site):
    """Section F.2."""
    queue = site.make_queue(site.make_environment(computeResources=fargate_resources()))
    properties = {
        "image": "host://",
        "command": ["sh", "-c", f"env; {PYTHON} -c '{TASK}'"],
        "executionRoleArn": ROLE,
        "resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}],
    }
    made = site.batch.register_job_definition(
        jobDefinitionName=unique("fargate"),
        type="container",
        platformCapabilities=["FARGATE"],
        containerProperties=properties,
    )
    job = site.ended(site.submit(made["jobDefinitionArn"], queue))
    seen = dict(line.split("=", 1) for line in site.log(job) if "=" in line)
    assert (seen["AWS_EXECUTION_ENV"], seen["LAUNCH_TYPE"]) == ("AWS_ECS_FARGATE", "FARGATE")
    # The execution role is not the job's.
    assert not [name for name in seen if name.startswith("AWS_CONTAINER")]


def python_container():
    """What a container needs to run this very Python: the folders it is in."""
    folders = ["/usr", "/lib", "/lib64", sys.base_prefix, str(Path(sys.prefix).resolve())]
    folders = [folder for folder in folders if Path(folder).is_dir() and (folder == "/usr" or not folder.startswith("/usr/"))]
    return {
        "volumes": [{"name": f"v{at}", "host": {"sourcePath": folder}} for at, folder in enumerate(folders)],
        "mountPoints": [
            {"sourceVolume": f"v{at}", "containerPath": folder, "readOnly": True} for at, folder in enumerate(folders)
        ],
        "jobRoleArn": ROLE,
        **ROOMY,
    }


def test_a_container_on_the_hosts_network_acts_as_its_role(site, image):
    job = site.ended(submit(site, [PYTHON, "-c", WHO], properties=python_container()))
    check_identity(said(site.log(job)), task_of(job))


def test_a_container_that_cannot_reach_the_endpoint_is_not_told_of_it(site, image):
    """Nodes are on a private network, from which the loopback of the host cannot be reached."""
    role = {"jobRoleArn": ROLE}
    job = site.ended(site.submit(define(site, {"0:": {**node("env", image=image), **role}}, count=1)))
    main = site.job(f"{job['jobId']}#0")
    assert main["status"] == "SUCCEEDED", main
    assert not [line for line in site.log(main) if line.startswith("AWS_CONTAINER")]


@pytest.fixture
def agent_site(tmp_path):
    """A server that also listens where clients look on AWS."""
    ip = shutil.which("ip")
    address = ["address", "{}", f"{AGENT}/32", "dev", "lo"]
    made = ip and subprocess.run([ip, *(word.format("add") for word in address)], capture_output=True)
    if not made or made.returncode:
        pytest.skip(f"this host cannot be given the address {AGENT}")
    own = Server(tmp_path / "data", task_listen=f"{AGENT}:80")
    try:
        yield Site(own.start())
    finally:
        own.remove()
        subprocess.run([ip, *(word.format("delete") for word in address)], check=True)


def test_the_address_of_aws_serves_every_network(agent_site, image):
    site = agent_site
    process = run_python(site, WHO)
    check_identity(said(site.log(process)), task_of(process))
    shared = site.ended(submit(site, [PYTHON, "-c", WHO], properties=python_container()))
    check_identity(said(site.log(shared)), task_of(shared))
    # A node's network is its job's own. Only the endpoint of tasks is reached from there, not the server.
    show = "import os; print('PATH', os.environ['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'][:16])\n"
    ask = "print('ARN', boto3.Session().get_credentials().get_frozen_credentials().access_key[:4])"
    program = f"{show}import boto3\n{ask}"
    private = {**node(["ignored"], image=image), **python_container(), "command": [PYTHON, "-c", program]}
    job = site.ended(site.submit(define(site, {"0:": private}, count=1)))
    main = site.job(f"{job['jobId']}#0")
    assert said(site.log(main)) == {"PATH": "/v2/credentials/", "ARN": "ASIA"}
    # Nothing else is served there.
    assert fetch(f"http://{AGENT}/batchyard/v1/state")[0] == 404


def test_an_address_that_clients_refuse_is_refused(tmp_path):
    server = Server(tmp_path / "data", task_listen="10.0.0.1:80")
    with pytest.raises(AssertionError, match="task_listen: must be an address that clients take credentials from"):
        server.start()
