"""What is kept for how long (section I): ended jobs, deregistered definitions."""

import pytest

from server import Server, wait_for
from site_under_test import Site


@pytest.fixture
def forgetful(tmp_path):
    """A server that keeps nothing that has ended, when it is started again."""
    server = Server(tmp_path / "data").start()
    yield server
    server.remove()


def restart(server, **settings):
    assert server.stop() == 0
    forgetting = Server(server.data, **settings).start()
    server.process, server.access = forgetting.process, forgetting.access
    return Site(server)


def test_ended_jobs_and_deregistered_definitions_vanish(forgetful):
    site = Site(forgetful)
    kept, gone = (site.define("true", name="d") for _ in range(2))
    job = site.submit(gone)
    site.ended(job)
    site.batch.deregister_job_definition(jobDefinition=gone)
    site = restart(forgetful)
    describe = site.batch.describe_job_definitions
    assert len(describe(jobDefinitionName="d")["jobDefinitions"]) == 2 and site.job(job)
    site = restart(forgetful, job_retention_days=0, definition_retention_days=0)
    describe = site.batch.describe_job_definitions
    wait_for("the job to vanish", lambda: not site.batch.describe_jobs(jobs=[job])["jobs"])
    wait_for("the definition to vanish", lambda: len(describe(jobDefinitionName="d")["jobDefinitions"]) == 1)
    assert describe(jobDefinitions=[gone])["jobDefinitions"] == []
    assert describe(jobDefinitions=[kept])["jobDefinitions"][0]["status"] == "ACTIVE"
    # Its number is not used again.
    assert site.define("true", name="d") == "d:3"
