"""The two rules of `runtype_exporter.polling` for changes of a batch, checked in its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from runtype_exporter import polling
from runtype_exporter.model import Batch

POLLING = Path(polling.__file__).parent

STATE = {
    "changed",
    "claims_left",
    "closed",
    "ended",
    "missing_for",
    "missing_since",
    "outcome",
    "reread_at",
    "run_ended_since",
    "unreadable_for",
    "unreadable_since",
}
"""The fields of a batch that say in which phase it is, and the deadlines that end it."""
COST = {"cost", "cost_due"}
"""Those of a closed batch whose cost is read."""
MAY_CHANGE = {"batches/lifecycle.py": STATE, "batches/costs.py": COST}
OF_RUNS = {"discovery/unfinished_runs.py"}
"""Modules that change runs, which have some fields of the same names, and no batches."""


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    """The last part of what is called."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def state_changes(root: Path) -> Iterator[str]:
    """Each `replace` that changes the state of a batch outside of the modules that may."""
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root).as_posix()
        if place in OF_RUNS:
            continue
        for call in calls(ast.parse(path.read_text())):
            changed = {keyword.arg for keyword in call.keywords if keyword.arg}
            forbidden = changed & (STATE | COST) - MAY_CHANGE.get(place, set())
            if name_of(call) == "replace" and forbidden:
                yield f"{place}:{call.lineno}: changes {', '.join(sorted(forbidden))}"


def stores_batches(call: ast.Call) -> bool:
    """Whether a call stores a batch that its caller holds, and not the one in the ledger."""
    function = call.func
    of_ledger = isinstance(function, ast.Attribute) and "ledger" in ast.unparse(function.value)
    return of_ledger and (
        name_of(call) in {"save", "apply"}
        or (name_of(call) == "commit" and any(word.arg == "batches" for word in call.keywords))
    )


def writes_in_async_functions(root: Path) -> Iterator[str]:
    """Each place where a batch may be stored that was looked up before an await."""
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.AsyncFunctionDef):
                yield from (
                    f"{place}:{call.lineno}: {node.name} stores a batch with {name_of(call)}"
                    for call in calls(node)
                    if stores_batches(call)
                )


def test_only_lifecycle_changes_the_state_of_a_batch():
    found = list(state_changes(POLLING))
    assert not found, "\n".join(
        ["move these into a function of polling/batches/lifecycle.py:", *found]
    )


def test_no_async_function_stores_a_batch_that_it_holds():
    found = list(writes_in_async_functions(POLLING))
    assert not found, "\n".join(["use ledger.update(batch_id, change) in these:", *found])


def test_the_fields_and_modules_that_the_rules_name_exist():
    assert {field.name for field in fields(Batch)} >= STATE | COST
    assert all((POLLING / place).is_file() for place in (*MAY_CHANGE, *OF_RUNS))


@pytest.mark.parametrize(
    ("place", "source", "found"),
    [
        ("sweeps/a.py", "replace(batch, sweep=None, closed=1.0)", ["changes closed"]),
        (
            "a.py",
            "x = dataclasses.replace(b, reread_at=1.0, ended=2.0)",
            ["changes ended, reread_at"],
        ),
        ("batches/lifecycle.py", "replace(batch, closed=1.0)", []),
        ("batches/lifecycle.py", "replace(batch, cost_due=True)", ["changes cost_due"]),
        ("batches/costs.py", "replace(batch, cost_due=True, cost=None)", []),
        ("batches/costs.py", "replace(batch, closed=None)", ["changes closed"]),
        ("a.py", "replace(batch, labels=labels)\nBatch(ref=ref, ended=1.0)", []),
    ],
)
def test_a_change_of_the_state_is_found(tmp_path, place, source, found):
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(source)
    assert [f"{place}:1: {message}" for message in found] == list(state_changes(tmp_path))


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("self.ledger.save(batch)", ["a.py:2: f stores a batch with save"]),
        ("ledger.commit(delta, batches=(b,))", ["a.py:2: f stores a batch with commit"]),
        ("self.ledger.apply(b, rows, advance)", ["a.py:2: f stores a batch with apply"]),
        ("self.ledger.commit(delta, observed=schedules)", []),
        ("self.ledger.update(batch_id, change)", []),
    ],
)
def test_a_batch_that_an_async_function_stores_is_found(tmp_path, statement, found):
    path = tmp_path / "a.py"
    path.write_text(f"async def f():\n  {statement}")
    assert found == list(writes_in_async_functions(tmp_path))
    path.write_text(f"def f():\n  {statement}")
    assert [] == list(writes_in_async_functions(tmp_path))
