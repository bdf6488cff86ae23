"""Which test looks at which line of the conformance checklist.

`checklist.json` has, per line, the tests that look at it, and what no test of that list is known to show. A line without a word on what is
lacking must have a test.
"""

import ast
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHECKLIST = json.loads((HERE / "checklist.json").read_text())
LINES = [f"N{number}" for number in range(1, 36)]


def test_every_line_is_listed():
    assert list(CHECKLIST) == LINES


@pytest.mark.parametrize("line", LINES)
def test_a_line_has_tests_or_says_what_is_lacking(line):
    entry = CHECKLIST[line]
    assert entry["tests"] or entry["lacking"]


@pytest.mark.parametrize("line", LINES)
def test_the_tests_exist(line):
    for name in CHECKLIST[line]["tests"]:
        module, function = name.split("::")
        tree = ast.parse((HERE / module).read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name
