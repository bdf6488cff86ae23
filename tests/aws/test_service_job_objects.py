"""Training jobs that read objects of an S3 store, and keep their results there. The store is moto's."""

import io
import json
import socket
import tarfile
import threading

import boto3
import pytest
from moto.server import ThreadedMotoServer

from server import Server, wait_for
from site_under_test import Site
from test_containers import image
from test_service_job_hosts import logs_of
from test_service_jobs import AT, DONE, Training, document, folder_of, hosts

__all__ = ["image"]

BUCKET = "data"
LIST = "cd /opt/ml/input/data; for file in */* */*/* */*/*/*; do [ -f $file ] && echo $file: $(cat $file); done; true"


@pytest.fixture(scope="module")
def store():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="the-key",
        aws_secret_access_key="the-secret",
    )
    client.create_bucket(Bucket=BUCKET)
    for key in ("train/a", "train/b/c", "train/d", "training", "other"):
        client.put_object(Bucket=BUCKET, Key=key, Body=f"the {key}".encode())
    # What consoles make as a folder.
    client.put_object(Bucket=BUCKET, Key="train/", Body=b"")
    yield client
    server.stop()


def serve(folder, endpoint):
    key = folder / "key.toml"
    key.write_text('access_key_id = "the-key"\nsecret_access_key = "the-secret"\n')
    key.chmod(0o600)
    return Server(folder / "data", s3_endpoint=endpoint, s3_credentials=key)


@pytest.fixture(scope="module")
def stored(store, image, tmp_path_factory):
    """A site whose server knows the store."""
    folder = tmp_path_factory.mktemp("stored")
    server = serve(folder, store.meta.endpoint_url).start()
    yield Site(server)
    server.remove()


@pytest.fixture(scope="module")
def training(stored):
    return Training(stored)


def channel(name, uri, **source):
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, **source}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def reading(*channels, script=LIST, **members):
    return document(script, InputDataConfig=list(channels), OutputDataConfig={"S3OutputPath": "/nowhere"}, **members)


def ended_well(training, payload):
    job = training.submit(payload=payload)
    ended = training.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("SUCCEEDED", DONE)
    return job


def test_objects_are_files(training, stored, store):
    manifest = json.dumps([{"prefix": f"s3://{BUCKET}/"}, "train/b/c", "other"])
    store.put_object(Bucket=BUCKET, Key="manifests/some", Body=manifest.encode())
    job = ended_well(
        training,
        reading(
            channel("folder", f"s3://{BUCKET}/train/"),
            channel("begin", f"s3://{BUCKET}/train"),
            channel("one", f"s3://{BUCKET}/other"),
            channel("some", f"s3://{BUCKET}/manifests/some", S3DataType="ManifestFile"),
        ),
    )
    assert sorted(training.stream(job)) == [
        "begin/a: the train/a",
        "begin/b/c: the train/b/c",
        "begin/d: the train/d",
        "begin/training: the training",
        "folder/a: the train/a",
        "folder/b/c: the train/b/c",
        "folder/d: the train/d",
        "one/other: the other",
        "some/other: the other",
        "some/train/b/c: the train/b/c",
    ]
    wait_for("the copies to go", lambda: not (folder_of(stored, job) / "fetched").exists())


def test_objects_are_dealt_out(training, stored):
    sharded = channel("parts", f"s3://{BUCKET}/train/", S3DataDistributionType="ShardedByS3Key")
    job = ended_well(training, reading(sharded, channel("all", f"s3://{BUCKET}/other"), **hosts(2)))
    assert {host: sorted(lines) for host, lines in logs_of(stored, training, job).items()} == {
        "algo-1": ["all/other: the other", "parts/a: the train/a", "parts/d: the train/d"],
        "algo-2": ["all/other: the other", "parts/b/c: the train/b/c"],
    }


@pytest.mark.parametrize(
    "uri, more, text",
    [
        (f"s3://{BUCKET}/none", {}, f"no objects begin with s3://{BUCKET}/none"),
        ("s3://no-such-bucket/a", {}, "s3://no-such-bucket/a: "),
        (f"s3://{BUCKET}/other", {"S3DataType": "ManifestFile"}, f"the manifest s3://{BUCKET}/other is not a list"),
    ],
)
def test_data_that_cannot_be_had_fails_the_job(training, uri, more, text):
    ended = training.ended(training.submit(payload=reading(channel("train", uri, **more))))
    beginning = f"Received status from SageMaker: ClientError: Data download failed: {text}"
    assert ended["status"] == "FAILED" and ended["statusReason"].startswith(beginning)
    assert "startedAt" not in ended


def results(store, training, job):
    """What is in the archives of a job, by name."""
    name = training.job(job)["latestAttempt"]["serviceResourceId"]["value"].rsplit("/", 1)[1]
    prefix = f"results/{name}/output/"
    found = {}
    for each in store.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", []):
        body = store.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            files = {file.name: archive.extractfile(file).read().decode() for file in archive if file.isfile()}
        found[each["Key"].removeprefix(prefix)] = files
    return found


def writing(script, **members):
    return document(script, OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/results"}, **members)


def test_results_are_kept(training, stored, store):
    job = ended_well(training, writing("echo 1 > /opt/ml/model/weights"))
    assert results(store, training, job) == {"model.tar.gz": {"weights": "1\n"}}
    assert (folder_of(stored, job) / "model" / "weights").read_text() == "1\n"
    assert not list(folder_of(stored, job).glob("*.tar.gz"))
    # Nothing is lost of several instances.
    me = 'me=$(cat /proc/sys/kernel/hostname)'
    job = ended_well(training, writing(f"{me}; echo $me > /opt/ml/model/same; echo $me > /opt/ml/model/$me", **hosts(2)))
    assert results(store, training, job) == {
        "model.tar.gz": {
            "same": "algo-1\n",
            "algo-1": "algo-1\n",
            "algo-2/same": "algo-2\n",
            "algo-2": "algo-2\n",
        }
    }
    # A failure has none.
    job = training.submit(payload=writing("echo 1 > /opt/ml/model/weights; exit 1"))
    assert training.ended(job)["status"] == "FAILED" and results(store, training, job) == {}


def test_results_that_cannot_be_kept_fail_the_job(training, stored):
    payload = document(OutputDataConfig={"S3OutputPath": "s3://no-such-bucket/results"})
    ended = training.ended(training.submit(payload=payload))
    beginning = "Received status from SageMaker: ClientError: Artifact upload failed: s3://no-such-bucket/results/"
    assert ended["status"] == "FAILED" and ended["statusReason"].startswith(beginning)


@pytest.mark.parametrize(
    "change, text",
    [
        ({"InputDataConfig": [channel("a", "s3:///a")]}, ".InputDataConfig[0].DataSource.S3DataSource.S3Uri: must be s3://BUCKET/KEY."),
        (
            {"InputDataConfig": [channel("a", "/a", S3DataType="ManifestFile")]},
            ".InputDataConfig[0].DataSource.S3DataSource.S3DataType: must be S3Prefix where the data is a folder of this host.",
        ),
        (
            {"OutputDataConfig": {"S3OutputPath": "s3://data/x", "CompressionType": "NONE"}},
            ".OutputDataConfig.CompressionType: NONE is not served here: results are kept as archives.",
        ),
    ],
)
def test_requests_that_cannot_be_carried_out(training, change, text):
    assert training.refusal(payload={**document(), **change}) == f"{AT}{text}"


class Gate:
    """A relay in front of the store that passes on nothing before it is opened."""

    def __init__(self, port):
        self.port, self.is_open, self.asked = port, threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client):
        self.asked.set()
        self.is_open.wait()
        with client, socket.create_connection(("127.0.0.1", self.port)) as store:
            back = threading.Thread(target=copy, args=[store, client], daemon=True)
            back.start()
            copy(client, store)
            back.join()


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_a_killed_server_begins_again(store, image, tmp_path):
    """It is killed while data is fetched, and the job is STARTING; then while results are kept, and the job RUNNING."""
    gate = Gate(int(store.meta.endpoint_url.rsplit(":", 1)[1]))
    server = serve(tmp_path, f"http://127.0.0.1:{gate.listener.getsockname()[1]}").start()
    try:
        site = Site(server)
        training = Training(site)
        payload = writing(f"{LIST}; echo 1 > /opt/ml/model/weights", InputDataConfig=[channel("a", f"s3://{BUCKET}/train/")])
        job = training.submit(payload=payload)
        assert gate.asked.wait(60) and training.reached(job, "STARTING")
        # A file that was not finished.
        (folder_of(site, job) / "fetched/all/a").mkdir(parents=True, exist_ok=True)
        (folder_of(site, job) / "fetched/all/a/a").write_text("half")
        server.kill()
        gate.is_open.set()
        server.start()
        site.connect()
        training.batch = site.batch
        ended = training.ended(job)
        assert (ended["status"], ended["statusReason"]) == ("SUCCEEDED", DONE)
        assert sorted(training.stream(job)) == ["a/a: the train/a", "a/b/c: the train/b/c", "a/d: the train/d"]
        assert results(store, training, job) == {"model.tar.gz": {"weights": "1\n"}}
        gate.is_open.clear()
        gate.asked.clear()
        job = training.submit(payload=writing("echo 2 > /opt/ml/model/weights"))
        assert gate.asked.wait(60)
        assert "stoppedAt" not in training.reached(job, "RUNNING")
        server.kill()
        gate.is_open.set()
        server.start()
        site.connect()
        training.batch = site.batch
        assert training.ended(job)["statusReason"] == DONE
        assert results(store, training, job) == {"model.tar.gz": {"weights": "2\n"}}
    finally:
        gate.is_open.set()
        gate.listener.close()
        server.remove()
