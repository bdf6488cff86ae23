"""Volumes of EFS and S3 Files: folders of the host that the server is told of (`file_systems`)."""

import re

import pytest

from server import Server
from site_under_test import Site, refusal, unique
from test_containers import IMAGE, image, submit  # noqa: F401 (image is a fixture)

FILE_SYSTEM, OTHER, POINT = "fs-0123abcd0123abcd0", "fs-00000000000000000", "fsap-0123abcd"
S3FILES = "arn:aws:s3files:us-east-1:000000000000:file-system/fs-0aaaabbbbccccdddd"
S3POINT = f"{S3FILES}/access-point/fsap-0aaaa"
JOB_ROLE = {"jobRoleArn": "arn:aws:iam::000000000000:role/job"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The folder that stands for the file systems."""
    root = tmp_path_factory.mktemp("shared")
    for name in ("efs/data/in", "point", "s3", "s3point"):
        (root / name).mkdir(parents=True)
    (root / "efs/top").write_text("top\n")
    (root / "efs/data/in/file").write_text("inner\n")
    (root / "point/file").write_text("of the point\n")
    (root / "s3/file").write_text("of s3\n")
    (root / "s3point/file").write_text("of the point of s3\n")
    (root / "efs/out").symlink_to("/")
    return root


@pytest.fixture(scope="module")
def mounted(tmp_path_factory, shared):
    """A server that knows these file systems."""
    folder = tmp_path_factory.mktemp("mounted")
    keys = {
        FILE_SYSTEM: "efs", POINT: "point", "fs-0aaaabbbbccccdddd": "s3", "fsap-0aaaa": "s3point",
    }  # fmt: skip
    lines = [f'"{key}" = "{shared / name}"\n' for key, name in keys.items()]
    (folder / "config.toml").write_text("[file_systems]\n" + "".join(lines))
    server = Server(folder / "data", "--config", folder / "config.toml").start()
    yield Site(server)
    server.remove()


def volume(configuration, read_only=False, **member):
    kind = "s3filesVolumeConfiguration" if "fileSystemArn" in configuration else "efsVolumeConfiguration"
    return {
        "volumes": [{"name": "v", kind: configuration}],
        "mountPoints": [{"sourceVolume": "v", "containerPath": "/v", "readOnly": read_only}],
        **JOB_ROLE,
    }


def efs(**more):
    return {"fileSystemId": FILE_SYSTEM, **more}


def by_point(**more):
    return efs(authorizationConfig={"accessPointId": POINT, "iam": "ENABLED"}, transitEncryption="ENABLED", **more)


CASES = [
    ("whole", efs(), "top", "top"),
    ("root", efs(rootDirectory="/data/in", transitEncryption="ENABLED", transitEncryptionPort=2049), "file", "inner"),
    ("point", by_point(), "file", "of the point"),
    ("s3", {"fileSystemArn": S3FILES}, "file", "of s3"),
    ("s3-point", {"fileSystemArn": S3FILES, "accessPointArn": S3POINT}, "file", "of the point of s3"),
]


@pytest.mark.parametrize(("name", "configuration", "file", "text"), CASES, ids=[case[0] for case in CASES])
def test_file_systems_are_mounted(mounted, image, name, configuration, file, text):  # noqa: F811
    script = f"cat /v/{file}; echo made by {name} > /v/made-by-{name} && cat /v/made-by-{name}"
    job = mounted.ended(submit(mounted, script, properties=volume(configuration)))
    assert job["status"] == "SUCCEEDED", job
    assert mounted.log(job) == [text, f"made by {name}"]
    assert job["container"]["volumes"] == volume(configuration)["volumes"]


def test_what_a_job_leaves_stays(mounted, image, shared):  # noqa: F811
    script = "echo left > /v/left; (echo no > /v/no) 2>/dev/null || echo read-only"
    job = mounted.ended(submit(mounted, script, properties=volume(efs(rootDirectory="/data"), read_only=True)))
    assert mounted.log(job)[-1] == "read-only"
    mounted.ended(submit(mounted, "echo left > /v/left", properties=volume(efs(rootDirectory="/data"))))
    assert (shared / "efs/data/left").read_text() == "left\n"


@pytest.mark.parametrize(
    ("root", "text"),
    [("/absent", "No such file or directory"), ("/top/x", "Not a directory"), ("/out/etc", "it leads out of the volume")],
)
def test_a_root_must_be_there(mounted, image, root, text):  # noqa: F811
    job = mounted.ended(submit(mounted, "true", properties=volume(efs(rootDirectory=root))))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    reason = job["container"]["reason"]
    assert reason.startswith("CannotCreateContainerError: mounting ") and text in reason


REFUSALS = [
    ("unknown", {"fileSystemId": OTHER}, f'volumes.efsVolumeConfiguration: .*file_systems."{OTHER}"'),
    (
        "unknown-point",
        efs(authorizationConfig={"accessPointId": "fsap-0"}, transitEncryption="ENABLED"),
        'file_systems."fsap-0"',
    ),
    ("unknown-s3", {"fileSystemArn": S3FILES[:-1]}, 's3filesVolumeConfiguration: .*file_systems."fs-0aaaabbbbccccddd"'),
    ("out", efs(rootDirectory="/data/../../etc"), "the path /data/../../etc must not contain .."),
]


@pytest.mark.parametrize(("name", "configuration", "text"), REFUSALS, ids=[case[0] for case in REFUSALS])
def test_what_cannot_be_mounted_is_refused(mounted, name, configuration, text):
    made = mounted.batch.register_job_definition(
        jobDefinitionName=unique("refused"),
        type="container",
        containerProperties={
            "image": IMAGE,
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
            **volume(configuration),
        },
    )
    definition = made["jobDefinitionArn"]
    code, message = refusal(mounted.batch.submit_job, jobName="x", jobQueue=mounted.queue, jobDefinition=definition)
    assert code == "ClientException" and re.search(text, message), message
