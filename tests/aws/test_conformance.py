"""Requests made from the model, each with one thing wrong: every one must be refused as AWS refuses, and change nothing.

`conformance.json` says per operation how many cases there are and how many are refused; the second number only rises. To accept a better
one, run with UPDATE_CONFORMANCE=1.
"""

import json
import os
from pathlib import Path

import pytest

from raw import Raw
from test_operations import MODEL, SERVED, request, value

BASELINE = Path(__file__).with_name("conformance.json")

# Deep enough for everything but shapes that contain themselves.
DEPTH_MAX = 8

WRONG = {
    "structure": "text",
    "list": "text",
    "map": ["a", "list"],
    "string": 7,
    "integer": "text",
    "long": "text",
    "float": "text",
    "double": "text",
    "boolean": "text",
}


def cases(shape, build, path=(), depth=0):
    """(what is wrong, the request) for all members below `shape`; `build` puts a value of it into a request."""
    if depth > DEPTH_MAX:
        return
    for name, member in shape.members.items():
        where = ".".join([*path, name])

        def put(given, name=name):
            return build({**request(shape), name: given})

        if name in shape.required_members:
            without = request(shape)
            del without[name]
            yield f"{where} is missing", build(without)
        yield f"{where} is no {member.type_name}", put(WRONG[member.type_name])
        yield from of_value(member, put, [*path, name], depth)


def of_value(shape, put, path, depth):
    where = ".".join(path)
    if shape.type_name == "structure":
        yield from cases(shape, put, path, depth + 1)
    elif shape.type_name == "list":
        yield f"{where}[] is no {shape.member.type_name}", put([WRONG[shape.member.type_name]])
        yield from of_value(shape.member, lambda given: put([given]), path, depth + 1)
        yield from bounds(shape, put, where, lambda count: [value("", shape.member)] * count)
    elif shape.type_name == "map":
        yield from of_value(shape.value, lambda given: put({"key": given}), path, depth + 1)
        # An empty map of tags is what programs send that have none (own decision).
        most = shape.metadata.get("max")
        if most:
            yield f"{where} has more than {most}", put({f"key{number}": "x" for number in range(most + 1)})
    elif shape.type_name == "string":
        if shape.enum:
            yield f"{where} is none of the values", put("NO_SUCH_VALUE")
        yield from bounds(shape, put, where, lambda length: "x" * length)
    elif shape.type_name in ("integer", "long", "float", "double"):
        yield from bounds(shape, put, where, lambda number: number)


def bounds(shape, put, where, make):
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and (least > 0 or shape.type_name in ("integer", "long")):
        yield f"{where} is below {least}", put(make(least - 1))
    if most is not None:
        yield f"{where} is above {most}", put(make(most + 1))


def is_refused(raw, operation, given):
    # Client libraries cannot write everything that is wrong.
    status, code, answer = raw.call(f"/v1/{operation.lower()}", json.dumps(given).encode())
    message = answer.get("message", "")
    return (status, code) == (400, "ClientException") and message and "not served" not in message


# Of these the ARN is in the path, and the keys are in the query.
IN_THE_PATH = {"ListTagsForResource", "TagResource", "UntagResource"}


@pytest.fixture(scope="module")
def raw(server):
    return Raw(server)


@pytest.fixture(scope="module")
def baseline():
    known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    yield known
    if os.environ.get("UPDATE_CONFORMANCE"):
        BASELINE.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


@pytest.mark.parametrize("operation", sorted(SERVED - IN_THE_PATH))
def test_wrong_requests_are_refused(raw, baseline, operation):
    shape = MODEL.operation_model(operation).input_shape
    all_cases = list(cases(shape, lambda given: given))
    taken = [what for what, given in all_cases if not is_refused(raw, operation, given)]
    refused = len(all_cases) - len(taken)
    if os.environ.get("UPDATE_CONFORMANCE"):
        print(operation, "takes", taken)
        baseline[operation] = {"cases": len(all_cases), "refused": refused}
        return
    known = baseline.get(operation, {"cases": 0, "refused": 0})
    assert len(all_cases) == known["cases"], "the model has changed: run with UPDATE_CONFORMANCE=1"
    assert refused >= known["refused"], f"no longer refused: {taken}"
    assert refused <= known["refused"], "more is refused than before: run with UPDATE_CONFORMANCE=1"


def test_nothing_came_of_it(site):
    """None of those requests made anything."""
    assert site.batch.describe_job_definitions(jobDefinitionName="x")["jobDefinitions"] == []
    assert site.batch.describe_job_queues(jobQueues=["x"])["jobQueues"] == []
    assert site.batch.describe_compute_environments(computeEnvironments=["x"])["computeEnvironments"] == []
