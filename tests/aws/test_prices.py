"""What instance types cost, as the operator says, decides which of them an environment takes."""

import pytest

from server import Server
from site_under_test import Site, environment_resources, refusal

PRICES = """\
# dollars an hour: on demand, Spot
m5.large   0.20  0.10
m5.xlarge  0.10  0.09
c5.large   -     0.01
"""


@pytest.fixture(scope="module")
def priced(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prices")
    (folder / "prices.tsv").write_text(PRICES)
    server = Server(folder / "data", prices=folder / "prices.tsv", host_vcpus=64).start()
    yield Site(server)
    server.remove()


def taken(site, **resources):
    """The vCPUs of the instance that a small job gets."""
    environment = site.make_environment(
        computeResources=environment_resources(maxvCpus=64, **resources)
    )
    queue = site.make_queue(environment)
    job = site.submit(site.shell("true"), queue)
    assert site.ended(job)["status"] == "SUCCEEDED"
    (shown,) = site.batch.describe_compute_environments(computeEnvironments=[environment])["computeEnvironments"]
    return shown["computeResources"]["desiredvCpus"]


def test_the_cheapest_type_is_taken(priced):
    types = ["m5.large", "m5.xlarge"]
    assert taken(priced, instanceTypes=types) == 4
    assert taken(priced, instanceTypes=types, allocationStrategy="BEST_FIT_PROGRESSIVE") == 4
    assert taken(priced, instanceTypes=types, allocationStrategy="BEST_FIT_PROGRESSIVE_ORDERED") == 2
    spot = {"type": "SPOT", "spotIamFleetRole": "arn:aws:iam::000000000000:role/fleet", "instanceTypes": types}
    assert taken(priced, allocationStrategy="SPOT_CAPACITY_OPTIMIZED", **spot) == 2
    # More than a tenth of the price on demand.
    made = {"computeResources": environment_resources(bidPercentage=10, allocationStrategy="SPOT_CAPACITY_OPTIMIZED", **spot)}
    code, text = refusal(priced.make_environment, **made)
    assert (code, text) == (
        "ClientException",
        "bidPercentage: the Spot price of every instance type of the compute environment is higher.",
    )
    bid = {"bidPercentage": 60, "allocationStrategy": "SPOT_CAPACITY_OPTIMIZED"}
    assert taken(priced, **spot, **bid) == 2


def test_without_prices_the_smallest_is_taken(site):
    assert taken(site, instanceTypes=["m5.xlarge", "m5.large"]) == 2


@pytest.mark.parametrize(
    "text, problem",
    [
        ("m5.large cheap\n", "prices.tsv:1: cheap is not a price"),
        ("\nm9.none 1 1\n", "prices.tsv:2: m9.none is not a known instance type"),
    ],
)
def test_prices_that_cannot_be_used(tmp_path, text, problem):
    (tmp_path / "prices.tsv").write_text(text)
    server = Server(tmp_path / "data", prices=tmp_path / "prices.tsv")
    with pytest.raises(AssertionError, match="the server did not start"):
        server.start()
    assert problem in server.log_text()
