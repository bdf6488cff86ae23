"""Lists and their pages, with boto3's own paginators."""

import pytest

from server import wait_for
from site_under_test import TERMINAL, unique


def paged(site, operation, key, size, **request):
    """All items in pages of `size`, and how many pages there were."""
    pages = site.batch.get_paginator(operation).paginate(**request, PaginationConfig={"PageSize": size})
    items = [page[key] for page in pages]
    assert all(len(page) <= size for page in items)
    return [item for page in items for item in page], len(items)


@pytest.fixture(scope="module")
def many(site):
    """A queue with 25 finished jobs of two definitions, and their ids in the order of submission."""
    queue = site.make_queue()
    stem = unique("paged")
    definitions = [site.define("true", name=f"{stem}-{letter}") for letter in "ab"]
    names = [f"{stem}-{'Alpha' if number % 5 else 'beta'}-{number}" for number in range(25)]
    jobs = [site.submit(definitions[number % 2], queue, name=name) for number, name in enumerate(names)]
    wait_for("the jobs", lambda: all(job["status"] in TERMINAL for job in site.jobs(jobs).values()))
    return {"queue": queue, "stem": stem, "definitions": definitions, "jobs": jobs, "names": names}


def ids(summaries):
    return [summary["jobId"] for summary in summaries]


@pytest.mark.parametrize("size, count", [(7, 4), (24, 2), (100, 1)])
def test_list_jobs(site, many, size, count):
    found, pages = paged(site, "list_jobs", "jobSummaryList", size, jobQueue=many["queue"], jobStatus="SUCCEEDED")
    assert (sorted(ids(found)), pages) == (sorted(many["jobs"]), count)
    assert ids(found) == ids(
        paged(site, "list_jobs", "jobSummaryList", 1000, jobQueue=many["queue"], jobStatus="SUCCEEDED")[0]
    )


def test_the_last_page_has_no_token(site, many):
    page = site.batch.list_jobs(jobQueue=many["queue"], jobStatus="SUCCEEDED", maxResults=25)
    assert "nextToken" not in page and len(page["jobSummaryList"]) == 25


def test_only_running_jobs_without_a_status(site, many):
    assert site.batch.list_jobs(jobQueue=many["queue"])["jobSummaryList"] == []


@pytest.mark.parametrize("size", [10, 100])
def test_filters(site, many, size):
    def filtered(name, value):
        found, _ = paged(
            site,
            "list_jobs",
            "jobSummaryList",
            size,
            jobQueue=many["queue"],
            filters=[{"name": name, "values": [value]}],
        )
        return found

    stem, jobs, names = many["stem"], many["jobs"], many["names"]
    alphas = [job for job, name in zip(jobs, names, strict=True) if "Alpha" in name]
    assert sorted(ids(filtered("JOB_NAME", f"{stem.upper()}-ALPHA*"))) == sorted(alphas)
    assert ids(filtered("JOB_NAME", names[3].lower())) == [jobs[3]]
    assert filtered("JOB_NAME", f"{stem}-") == []
    odd = [job for number, job in enumerate(jobs) if number % 2]
    assert sorted(ids(filtered("JOB_DEFINITION", f"{stem}-b"))) == sorted(odd)
    assert sorted(ids(filtered("JOB_DEFINITION", f"{stem}*"))) == sorted(jobs)
    assert filtered("JOB_DEFINITION", f"{stem.upper()}*") == []
    assert sorted(ids(filtered("JOB_DEFINITION", site.make_arn("job-definition", f"{stem}-b:1")))) == sorted(odd)
    created = site.job(jobs[10])["createdAt"]
    after, before = filtered("AFTER_CREATED_AT", str(created)), filtered("BEFORE_CREATED_AT", str(created))
    assert set(jobs[12:]) - set(ids(after)) <= {job for job in jobs[12:] if site.job(job)["createdAt"] == created}
    assert set(ids(after)).isdisjoint(jobs[:10]) and set(ids(before)).isdisjoint(jobs[11:])
    times = [summary["createdAt"] for summary in filtered("JOB_DEFINITION", f"{stem}*")]
    assert times == sorted(times, reverse=True)


def test_a_filter_ignores_the_status(site, many):
    request = {
        "jobQueue": many["queue"],
        "jobStatus": "FAILED",
        "filters": [{"name": "JOB_NAME", "values": [many["names"][0]]}],
    }
    assert ids(site.batch.list_jobs(**request)["jobSummaryList"]) == [many["jobs"][0]]


def test_children(site, many):
    array = site.submit(many["definitions"][0], arrayProperties={"size": 25})
    site.ended(array)
    found, pages = paged(site, "list_jobs", "jobSummaryList", 10, arrayJobId=array, jobStatus="SUCCEEDED")
    assert (sorted(ids(found)), pages) == (sorted(f"{array}:{index}" for index in range(25)), 3)
    assert sorted(summary["arrayProperties"]["index"] for summary in found) == list(range(25))
    (parent,) = [
        each
        for each in site.batch.list_jobs(
            jobQueue=site.queue, filters=[{"name": "JOB_NAME", "values": [site.job(array)["jobName"]]}]
        )["jobSummaryList"]
    ]
    assert parent["arrayProperties"]["size"] == 25
    assert parent["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 25


def test_definitions(site):
    name = unique("definitions")
    for number in range(12):
        site.define("echo", str(number), name=name)
    site.batch.deregister_job_definition(jobDefinition=f"{name}:4")
    found, pages = paged(site, "describe_job_definitions", "jobDefinitions", 5, jobDefinitionName=name)
    assert (sorted(each["revision"] for each in found), pages) == (list(range(1, 13)), 3)
    active, _ = paged(site, "describe_job_definitions", "jobDefinitions", 5, jobDefinitionName=name, status="ACTIVE")
    assert sorted(each["revision"] for each in active) == [number for number in range(1, 13) if number != 4]
    named = site.batch.describe_job_definitions(
        jobDefinitions=[f"{name}:2", site.make_arn("job-definition", f"{name}:4")]
    )
    assert sorted((each["revision"], each["status"]) for each in named["jobDefinitions"]) == [
        (2, "ACTIVE"),
        (4, "INACTIVE"),
    ]


@pytest.mark.parametrize(
    "operation, key, names, member",
    [
        ("describe_job_queues", "jobQueues", "jobQueues", "jobQueueName"),
        ("describe_compute_environments", "computeEnvironments", "computeEnvironments", "computeEnvironmentName"),
    ],
)
def test_queues_and_environments(site, operation, key, names, member):
    queues = [site.make_queue() for _ in range(3)]
    everything, _ = paged(site, operation, key, 100)
    by_twos, _ = paged(site, operation, key, 2)
    assert sorted(each[member] for each in by_twos) == sorted(each[member] for each in everything)
    known = everything[0][member]
    arn = next(value for name, value in everything[0].items() if name == f"{member.removesuffix('Name')}Arn")
    for reference in (known, arn):
        (found,) = getattr(site.batch, operation)(**{names: [reference, "no-such-name"]})[key]
        assert found[member] == known
    for queue in queues:
        site.batch.update_job_queue(jobQueue=queue, state="DISABLED")
        site.wait_queue(queue)
        site.batch.delete_job_queue(jobQueue=queue)


def test_describe_jobs_in_hundreds(site, many):
    found = site.batch.describe_jobs(jobs=[*many["jobs"], "no-such-job", many["jobs"][0]])["jobs"]
    assert set(ids(found)) == set(many["jobs"])


def test_a_definition_as_it_comes_back(site):
    """Lists are there when empty, actions are lower case, variables without a value are gone."""
    definition = site.define(
        "true",
        properties={"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}]},
        retryStrategy={"attempts": 2, "evaluateOnExit": [{"action": "RETRY", "onExitCode": "1"}]},
        timeout={"attemptDurationSeconds": 60},
        tags={"a": "b"},
    )
    (found,) = site.batch.describe_job_definitions(jobDefinitions=[definition])["jobDefinitions"]
    properties = found["containerProperties"]
    for empty in ("mountPoints", "secrets", "ulimits", "volumes"):
        assert properties[empty] == []
    assert properties["environment"] == [{"name": "A", "value": "1"}]
    assert found["retryStrategy"] == {"attempts": 2, "evaluateOnExit": [{"action": "retry", "onExitCode": "1"}]}
    assert (found["timeout"], found["tags"], found["status"]) == ({"attemptDurationSeconds": 60}, {"a": "b"}, "ACTIVE")
    assert (found["type"], found["containerOrchestrationType"], found["revision"]) == ("container", "ECS", 1)
