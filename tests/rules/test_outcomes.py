"""Matchers of outcomes: no expression leaves an outcome out because somebody forgot it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runtype_exporter.rules import outcomes

ROOT = Path(__file__).parents[2]
SET = re.compile(r"""\boutcome(?:!=|=~|!~)"[^"]*"?""")
"""A matcher of several outcomes. `outcome="success"` names one and leaves none out by mistake."""


def test_matchers_follow_from_the_verdicts():
    assert outcomes.BAD_RECORDS == 'outcome=~"failure|unknown"'
    assert outcomes.JUDGED_RECORDS == 'outcome!="cancelled"'
    assert outcomes.FAILED_BATCHES == 'outcome="failure"'


@pytest.mark.parametrize(
    ("words", "one", "none"),
    [
        (["a"], 'outcome="a"', 'outcome!="a"'),
        (["a", "b"], 'outcome=~"a|b"', 'outcome!~"a|b"'),
    ],
)
def test_one_outcome_is_compared_and_several_are_a_pattern(words, one, none):
    assert (outcomes.one_of(words), outcomes.none_of(words)) == (one, none)


@pytest.mark.parametrize("folder", ["runtype_exporter/rules", "tools/dashboards"])
def test_only_that_module_writes_matchers_of_several_outcomes(folder):
    paths = [*(ROOT / folder).rglob("*.py")]
    assert paths
    found = {path.name for path in paths if SET.search(path.read_text())}
    assert found - {"outcomes.py"} == set()


def test_pages_use_the_same_matchers():
    """A page that was written by hand is not generated with the rules."""
    found = {
        (page.relative_to(ROOT).as_posix(), matcher)
        for page in (*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"), *ROOT.glob("deploy/*.md"))
        for matcher in SET.findall(page.read_text())
    }
    known = {outcomes.BAD_RECORDS, outcomes.JUDGED_RECORDS, outcomes.FAILED_BATCHES}
    assert found
    assert {(page, matcher) for page, matcher in found if matcher not in known} == set()
