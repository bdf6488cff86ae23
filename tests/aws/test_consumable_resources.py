"""Consumable resources (section A.7), with boto3 and the AWS CLI."""

import threading

import pytest

from site_under_test import refusal, unique


@pytest.fixture
def licence(site):
    name = unique("licence")
    site.batch.create_consumable_resource(consumableResourceName=name, totalQuantity=5, tags={"of": "test"})
    return name


def described(site, name):
    found = site.batch.describe_consumable_resource(consumableResource=name)
    found.pop("ResponseMetadata")
    return found


def test_life(site, licence):
    batch, arn = site.batch, site.make_arn("consumable-resource", licence)
    found = described(site, licence)
    created_at = found.pop("createdAt")
    assert isinstance(created_at, int)
    assert found == {
        "consumableResourceName": licence,
        "consumableResourceArn": arn,
        "totalQuantity": 5,
        "inUseQuantity": 0,
        "availableQuantity": 5,
        "resourceType": "REPLENISHABLE",
        "tags": {"of": "test"},
    }
    for operation, quantity, total in (("ADD", 3, 8), ("REMOVE", 6, 2), ("SET", 10, 10), ("SET", 0, 0)):
        updated = batch.update_consumable_resource(consumableResource=arn, operation=operation, quantity=quantity)
        assert (updated["consumableResourceName"], updated["consumableResourceArn"]) == (licence, arn)
        assert updated["totalQuantity"] == total
    assert described(site, arn)["createdAt"] == created_at
    batch.delete_consumable_resource(consumableResource=licence)
    gone = ("ClientException", f"ConsumableResource {licence} not found.")
    assert refusal(batch.describe_consumable_resource, consumableResource=licence) == gone
    assert refusal(batch.update_consumable_resource, consumableResource=licence, operation="SET", quantity=1) == gone
    assert refusal(batch.list_jobs_by_consumable_resource, consumableResource=licence) == gone
    batch.delete_consumable_resource(consumableResource=licence)


def test_kinds(site):
    name = unique("hours")
    site.batch.create_consumable_resource(consumableResourceName=name, resourceType="NON_REPLENISHABLE")
    found = described(site, name)
    assert (found["resourceType"], found["totalQuantity"]) == ("NON_REPLENISHABLE", 0)


@pytest.mark.parametrize(
    "members, text",
    [
        ({"totalQuantity": -1}, "totalQuantity cannot be a negative number."),
        (
            {"resourceType": "SOMETIMES"},
            "resourceType SOMETIMES is not valid. Valid values are: [REPLENISHABLE, NON_REPLENISHABLE]",
        ),
    ],
)
def test_refused_creations(site, members, text):
    made = refusal(site.batch.create_consumable_resource, consumableResourceName=unique("bad"), **members)
    assert made == ("ClientException", text)


def test_names(site, licence):
    create = site.batch.create_consumable_resource
    assert refusal(create, consumableResourceName=licence) == ("ClientException", "Object already exists")
    for name in ("", "a b", "a" * 129):
        code, text = refusal(create, consumableResourceName=name)
        assert (code, text) == ("ClientException", "ConsumableResource name should match a valid pattern.")


@pytest.mark.parametrize(
    "members, text",
    [
        ({"operation": "REMOVE", "quantity": 6}, "totalQuantity cannot be a negative number."),
        ({"operation": "SET", "quantity": -1}, "quantity cannot be a negative number."),
        ({"operation": "MULTIPLY", "quantity": 2}, "operation MULTIPLY is not valid. Valid values are: [SET, ADD, REMOVE]"),
    ],
)
def test_refused_updates(site, licence, members, text):
    made = refusal(site.batch.update_consumable_resource, consumableResource=licence, **members)
    assert made == ("ClientException", text)
    assert described(site, licence)["totalQuantity"] == 5


def test_client_tokens(site, licence):
    add = {"consumableResource": licence, "operation": "ADD", "quantity": 2, "clientToken": unique("token")}
    assert site.batch.update_consumable_resource(**add)["totalQuantity"] == 7
    assert site.batch.update_consumable_resource(**add)["totalQuantity"] == 7
    assert described(site, licence)["totalQuantity"] == 7
    assert refusal(site.batch.update_consumable_resource, **{**add, "quantity": 3}) == (
        "ClientException",
        "clientToken was used for an update with other parameters.",
    )
    assert site.batch.update_consumable_resource(**{**add, "clientToken": unique("token")})["totalQuantity"] == 9


def test_updates_at_once_all_count(site, licence):
    def add():
        for _ in range(5):
            site.batch.update_consumable_resource(consumableResource=licence, operation="ADD", quantity=1)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert described(site, licence)["totalQuantity"] == 25


def test_lists(site):
    prefix = unique("Listed")
    names = [f"{prefix}-{number}" for number in range(5)]
    for name in names:
        site.batch.create_consumable_resource(consumableResourceName=name, totalQuantity=1)
    listed = site.batch.get_paginator("list_consumable_resources")

    def found(value):
        filters = [{"name": "CONSUMABLE_RESOURCE_NAME", "values": [value]}]
        pages = listed.paginate(filters=filters, PaginationConfig={"PageSize": 2})
        return [item["consumableResourceName"] for page in pages for item in page["consumableResources"]]

    assert found(f"{prefix.lower()}-*") == names
    assert found(names[3].upper()) == [names[3]]
    assert found(prefix) == []
    pages = listed.paginate(PaginationConfig={"PageSize": 2})
    every = [item for page in pages for item in page["consumableResources"]]
    assert set(names) <= {item["consumableResourceName"] for item in every}
    expected = {"consumableResourceArn", "consumableResourceName", "inUseQuantity", "resourceType", "totalQuantity"}
    assert all(set(item) == expected for item in every)
    bad = [{"name": "NAME", "values": ["x"]}]
    assert refusal(site.batch.list_consumable_resources, filters=bad)[0] == "ClientException"


def test_with_the_cli(site):
    name = unique("cli")
    site.aws("batch", "create-consumable-resource", "--consumable-resource-name", name, "--total-quantity", "2")
    update = ["--consumable-resource", name, "--operation", "ADD", "--quantity", "3"]
    assert site.aws("batch", "update-consumable-resource", *update)["totalQuantity"] == 5
    assert site.aws("batch", "describe-consumable-resource", "--consumable-resource", name)["totalQuantity"] == 5
    site.aws("batch", "delete-consumable-resource", "--consumable-resource", name)


def test_tags(site, licence):
    arn = site.make_arn("consumable-resource", licence)
    site.batch.tag_resource(resourceArn=arn, tags={"more": "1"})
    assert site.batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"of": "test", "more": "1"}
    site.batch.untag_resource(resourceArn=arn, tagKeys=["of"])
    assert described(site, licence)["tags"] == {"more": "1"}
