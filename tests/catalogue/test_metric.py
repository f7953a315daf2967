from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import runtype_exporter
from runtype_exporter import catalogue
from runtype_exporter.catalogue import series
from runtype_exporter.model import GIVE_UP_REASONS, OUTCOMES


def test_a_series_has_its_labels_in_the_order_of_the_catalogue():
    made = series(
        catalogue.RECORDS_FINISHED, outcome="success", flow="f", schedule="s", account="a"
    )
    assert made == ("runtype_records_finished_total", ("a", "s", "f", "success"))


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"account": "a", "schedule": "s", "flow": "f"},
        {"account": "a", "schedule": "s", "flow": "f", "outcome": "success", "batch": "b"},
        {"account": "a", "schedule": "s", "flow": "f", "result": "success"},
    ],
)
def test_missing_and_unknown_labels_are_refused(labels: dict[str, str]):
    with pytest.raises(ValueError, match="runtype_records_finished_total has the labels"):
        series(catalogue.RECORDS_FINISHED, **labels)


def test_a_value_outside_a_closed_set_is_refused():
    with pytest.raises(ValueError, match=r"outcome is one of .* not 'completed'"):
        series(catalogue.RECORDS_FINISHED, account="a", schedule="s", flow="f", outcome="completed")


def test_closed_sets_of_outcomes_are_the_declared_ones():
    outcomes = {
        metric.name: dict(metric.values)["outcome"]
        for metric in catalogue.CATALOGUE
        if "outcome" in dict(metric.values)
    }
    assert {OUTCOMES} == set(outcomes.values())
    assert dict(catalogue.BATCHES_GIVEN_UP.values)["reason"] == GIVE_UP_REASONS


def hand_made_series(source: str) -> Iterator[str]:
    """Each pair of a metric's name and something else: no label of it was checked."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Tuple) and len(node.elts) == 2):
            continue
        name = ast.unparse(node.elts[0])
        metric = name.removesuffix(".name").rpartition(".")[2]
        if name.endswith(".name") and isinstance(
            getattr(catalogue, metric, None), catalogue.Metric
        ):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def test_series_are_only_made_with_their_labels_named():
    package = Path(runtype_exporter.__file__).parent
    found = [
        f"{path.relative_to(package)}, {place}"
        for path in package.rglob("*.py")
        for place in hand_made_series(path.read_text())
    ]
    assert not found, "\n".join(["use catalogue.series(METRIC, label=value) here:", *found])


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('x = (COST.name, ("acme", "s", "f"))', True),
        ("x = {(catalogue.COST.name, labels): 0.0}", True),
        ("key = metric.name, labels", False),
        ("f(catalogue.COST.name, labels)", False),
        ("x = series(COST, account=a, schedule=s, flow=f)", False),
        ("x = COST.name, COST.help, labels", False),
    ],
)
# `found` is the column of a table.
def test_a_series_made_by_hand_is_found(source: str, found: bool):  # noqa: FBT001
    assert found is any(hand_made_series(source))
