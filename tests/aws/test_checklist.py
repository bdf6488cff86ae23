"""Which test looks at which line of the conformance checklist.

`checklist.json` has, per line, the tests that look at it, and what no test of that list is known to show. A line without a word on what is
lacking must have a test.
"""

import ast
import json
import re
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


def is_test(name):
    """Whether there is such a test: of this folder, or `CRATE/…/FILE.rs::NAME`."""
    module, function = name.split("::")
    if module.endswith(".rs"):
        return f"fn {function}(" in (HERE / "../../crates" / module).read_text()
    tree = ast.parse((HERE / module).read_text())
    return function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("line", LINES)
def test_the_tests_exist(line):
    assert [name for name in CHECKLIST[line]["tests"] if not is_test(name)] == []


def test_every_open_question_is_decided_and_tested():
    """The table at the end of the decisions: the 18 questions that the behaviour leaves open."""
    text = (HERE / "../../docs/compat/decisions.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", text.split("## The open questions")[1], re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 19))
    for number, decided, tests in rows:
        names = re.findall(r"`([^`]+)`", tests)
        assert decided and names, number
        assert [name for name in names if not is_test(name)] == [], number
