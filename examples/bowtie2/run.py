#!/usr/bin/env python3
"""Aligns the reads of the lambda phage with bowtie2, in 8 parts, as jobs of AWS Batch, and checks what comes out.

index -> array of 8 align jobs -> join. The same tools run directly, without any jobs, must give the same alignments.
Works with whatever AWS Batch the environment names (AWS_ENDPOINT_URL and so on).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3

HERE = Path(__file__).resolve().parent
LOG_GROUP = "/aws/batch/job"
CHILDREN = 8
TERMINAL = ("SUCCEEDED", "FAILED")
POLL_SECONDS = 0.3


class Failed(Exception):
    """A job failed, or came to another result."""


def main():
    arguments = parse_arguments()
    work = Path(arguments.work or tempfile.mkdtemp(prefix="bowtie2-")).resolve()
    work.mkdir(parents=True, exist_ok=True)
    try:
        expected = directly(work / "direct")
        print(f"directly: {expected['aligned']} of {expected['records']} records aligned", flush=True)
        found = Run(arguments, work / "jobs").results()
        print(f"as jobs:  {found['aligned']} of {found['records']} records aligned", flush=True)
        if found != expected:
            raise Failed(f"the jobs' result {found} is not that of the direct run {expected}")
    except Failed as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    finally:
        if not arguments.work:
            shutil.rmtree(work, ignore_errors=True)
    print("the same alignments, record by record")
    return 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", choices=("process", "container"), default="process", help="how the jobs run")
    parser.add_argument("--image", default="batchyard/bowtie2", help="image for --runner container (see image.sh)")
    parser.add_argument("--queue", default="default", help="job queue; made if there is none of that name")
    parser.add_argument("--work", help="folder for the files, kept afterwards [default: a temporary one]")
    parser.add_argument("--timeout", type=float, default=600, help="seconds to wait for the jobs")
    return parser.parse_args()


def script(name):
    return (HERE / name).read_text()


def directly(folder):
    """What the three steps come to without jobs."""
    folder.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_BATCH_")}
    environment["THREADS"] = str(os.cpu_count())
    output = ""
    for step in ("index.sh", "align.sh", "join.sh"):
        ended = subprocess.run(
            ["/bin/sh", "-c", script(step)], cwd=folder, env=environment, capture_output=True, text=True
        )
        if ended.returncode:
            raise Failed(f"{step} failed directly with {ended.returncode}: {ended.stderr[-2000:]}")
        output = ended.stdout
    return results_in(output.splitlines())


def results_in(lines):
    """`records`, `aligned` and `digest` of join.sh."""
    found = dict(line.split(" ", 1) for line in lines if line.startswith(("records ", "aligned ", "digest ")))
    if set(found) != {"records", "aligned", "digest"}:
        raise Failed(f"the last step did not say its results: {lines[-20:]}")
    return found


class Run:
    """The three jobs."""

    def __init__(self, arguments, folder):
        self.batch = boto3.client("batch")
        self.logs = boto3.client("logs")
        self.arguments = arguments
        self.folder = folder
        self.deadline = time.monotonic() + arguments.timeout
        folder.mkdir(parents=True)

    def results(self):
        self.make_sure_of_queue()
        index = self.submit("index")
        align = self.submit("align", arrayProperties={"size": CHILDREN}, dependsOn=[{"jobId": index}])
        join = self.submit("join", dependsOn=[{"jobId": align}])
        ended = self.wait({"index": index, "align": align, "join": join})
        lines = []
        for name, job in ended.items():
            for part in self.parts(job):
                print(f"--- {name} {part['jobId']}: {part['status']}, {took(part)}")
                lines = self.log(part)
                print("\n".join(lines))
        failed = [f"{name} ({job.get('statusReason')})" for name, job in ended.items() if job["status"] != "SUCCEEDED"]
        if failed:
            raise Failed(f"failed: {', '.join(failed)}")
        return results_in(lines)

    def make_sure_of_queue(self):
        name = self.arguments.queue
        if self.batch.describe_job_queues(jobQueues=[name])["jobQueues"]:
            return
        if not self.environment(name):
            self.batch.create_compute_environment(
                computeEnvironmentName=name,
                type="MANAGED",
                computeResources={
                    "type": "EC2",
                    "maxvCpus": 64,
                    "instanceTypes": ["optimal"],
                    "instanceRole": "ecsInstanceRole",
                    "subnets": ["subnet-local"],
                    "securityGroupIds": ["sg-local"],
                },
            )
        self.until(lambda: self.environment(name)["status"] == "VALID", "the compute environment")
        order = [{"order": 1, "computeEnvironment": name}]
        self.batch.create_job_queue(jobQueueName=name, priority=1, computeEnvironmentOrder=order)
        self.until(
            lambda: self.batch.describe_job_queues(jobQueues=[name])["jobQueues"][0]["status"] == "VALID", "the queue"
        )

    def environment(self, name):
        found = self.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
        return found[0] if found else None

    def submit(self, step, **request):
        definition = self.batch.register_job_definition(
            jobDefinitionName=f"bowtie2-{step}-{self.arguments.runner}",
            type="container",
            containerProperties=self.container(["/bin/sh", "-c", script(f"{step}.sh")]),
            timeout={"attemptDurationSeconds": max(60, int(self.arguments.timeout))},
        )
        made = self.batch.submit_job(
            jobName=f"bowtie2-{step}",
            jobQueue=self.arguments.queue,
            jobDefinition=definition["jobDefinitionArn"],
            **request,
        )
        return made["jobId"]

    def container(self, command):
        requirements = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}]
        if self.arguments.runner == "process":
            # A process of the host, in our folder.
            return {"image": f"host://{self.folder}", "command": command, "resourceRequirements": requirements}
        # The image's command has no folder to be told; the volume is where our folder is on the host.
        inside = ["/bin/sh", "-c", f"cd '{self.folder}' && exec \"$@\"", "sh", *command]
        return {
            "image": self.arguments.image,
            "command": inside,
            "resourceRequirements": requirements,
            "volumes": [{"name": "work", "host": {"sourcePath": str(self.folder)}}],
            "mountPoints": [{"sourceVolume": "work", "containerPath": str(self.folder)}],
        }

    def wait(self, jobs):
        """The descriptions of the ended jobs, by name; says how far they are whenever that changes."""
        said = None

        def ended():
            nonlocal said
            found = {job["jobId"]: job for job in self.batch.describe_jobs(jobs=list(jobs.values()))["jobs"]}
            named = {name: found[job] for name, job in jobs.items()}
            says = "  ".join(f"{name} {state(job)}" for name, job in named.items())
            if says != said:
                print(says, flush=True)
                said = says
            return named if all(job["status"] in TERMINAL for job in named.values()) else None

        return self.until(ended, "the jobs")

    def until(self, look, what):
        while True:
            seen = look()
            if seen:
                return seen
            if time.monotonic() > self.deadline:
                raise Failed(f"waited {self.arguments.timeout:.0f} s for {what}")
            time.sleep(POLL_SECONDS)

    def parts(self, job):
        """The job itself, or its children."""
        size = job.get("arrayProperties", {}).get("size")
        if size is None:
            return [job]
        return self.batch.describe_jobs(jobs=[f"{job['jobId']}:{index}" for index in range(size)])["jobs"]

    def log(self, job):
        stream = job.get("container", {}).get("logStreamName")
        if not stream:
            return [f"({job.get('statusReason')}; {job.get('container', {}).get('reason')})"]
        lines, token = [], None
        while True:
            more = {"nextToken": token} if token else {}
            page = self.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True, **more)
            lines += [event["message"] for event in page["events"]]
            if page["nextForwardToken"] == token:
                return lines
            token = page["nextForwardToken"]


def state(job):
    counts = job.get("arrayProperties", {}).get("statusSummary")
    if not counts:
        return job["status"]
    return f"{job['status']} ({', '.join(f'{count} {name}' for name, count in sorted(counts.items()) if count)})"


def took(job):
    if "startedAt" not in job or "stoppedAt" not in job:
        return "never ran"
    return f"{(job['stoppedAt'] - job['startedAt']) / 1000:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
