"""Fixtures: one server for all plain tests, own servers for tests that kill theirs."""

import pytest

from server import BINARY, Server
from site_under_test import Site


def pytest_configure(config):
    if not BINARY.exists():
        raise pytest.UsageError(f"{BINARY} is missing: cargo build -p batchyard-cli, or set BATCHYARD_BINARY")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The server that plain tests share."""
    shared = Server(tmp_path_factory.mktemp("shared") / "data").start()
    yield shared
    # An orderly stop is a test of its own.
    assert shared.stop() == 0
    shared.remove()


@pytest.fixture(scope="session")
def site(server):
    return Site(server)


@pytest.fixture
def own_server(tmp_path):
    """A server of the test's own, which it may kill and start again."""
    own = Server(tmp_path / "data").start()
    yield own
    own.remove()


@pytest.fixture
def own_site(own_server):
    return Site(own_server)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the server's last words with a failed test."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for name in ("own_server", "server"):
            failed = item.funcargs.get(name) or getattr(
                item.funcargs.get(name.replace("server", "site")), "server", None
            )
            if failed is not None:
                report.sections.append((f"log of {name}", failed.log_text()[-3000:]))
                break
