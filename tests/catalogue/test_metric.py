from __future__ import annotations

import pytest

from runtype_exporter import catalogue
from runtype_exporter.catalogue import series
from runtype_exporter.model import BATCH_OUTCOMES, OUTCOMES


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
    assert {OUTCOMES, BATCH_OUTCOMES} == set(outcomes.values())
    assert OUTCOMES == outcomes["runtype_records_finished_total"]
    assert BATCH_OUTCOMES == outcomes["runtype_batches_finished_total"]
