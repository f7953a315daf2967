"""The labels of schedules and flows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter import catalogue
from runtype_exporter.ledger import Ledger
from runtype_exporter.metrics import MaxSeries
from runtype_exporter.model import Batch, BatchRef, Labels, Run
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.runtype import ResultRow
from tests.support.rig import START

BATCH = Batch(ref=BatchRef("acme", "b1"), first_seen=0.0)


class Stopped:
    def now(self) -> float:
        return START


@pytest.fixture
def table(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.db", clock=Stopped(), boundaries=catalogue.boundaries())
    yield LabelTable("acme", ledger, MaxSeries())
    ledger.close()


def row(flow_id: str | None, flow_name: str | None = None) -> ResultRow:
    return ResultRow(record_id="r", status="completed", flow_id=flow_id, flow_name=flow_name)


def test_a_schedule_is_called_by_its_name_from_the_first_use_on(table):
    assert not table.named("s1")
    assert table.schedule("s1", "nightly") == "nightly"
    assert table.named("s1")
    assert table.schedule("s1") == "nightly"
    assert table.schedule("s2", "nightly") == "s2"
    assert table.schedule("", "nightly") == ""


def test_labels_freeze_with_the_first_row_that_names_the_flow(table):
    frozen = table.freeze(BATCH, [row(None), row("f1", "enrich"), row("f2", "other")])
    assert (frozen.labels, frozen.flow_id) == (Labels("", "enrich"), "f1")
    assert table.shown(frozen) == Labels("", "enrich")


def test_the_flow_of_the_run_goes_before_the_flows_of_the_rows(table):
    batch = Batch(ref=BatchRef("acme", "b1"), first_seen=0.0, schedule="s1", flow_id="f1")
    frozen = table.freeze(batch, [row("f2", "other"), row("f1", "enrich")])
    assert frozen.labels == Labels("s1", "enrich")
    assert table.freeze(batch, [row("f2", "other")]).labels == Labels("s1", "enrich")


def test_a_flow_without_a_name_is_called_by_its_id_and_one_without_an_id_by_its_name(table):
    assert table.freeze(BATCH, [row("f1")]).labels == Labels("", "f1")
    named = Batch(ref=BatchRef("acme", "b2"), first_seen=0.0, flow_name="from the summary")
    assert table.freeze(named).labels == Labels("", "from the summary")


def test_until_they_freeze_the_gauges_show_what_is_known_and_fix_nothing(table):
    batch = Batch(ref=BatchRef("acme", "b1"), first_seen=0.0, schedule="s1", flow_id="f1")
    assert table.shown(batch) == Labels("s1", "f1")
    assert not table.named("s1")
    table.schedule("s1", "nightly")
    assert table.shown(batch) == Labels("nightly", "f1")
    adhoc = Batch(ref=BatchRef("acme", "b2"), first_seen=0.0, flow_name="import")
    assert table.shown(adhoc) == Labels("", "import")


def test_long_names_and_ids_are_cut(table):
    long = "x" * 201
    assert table.schedule("s1", long) == "x" * 200
    assert table.schedule("s2", long) == "s2"
    assert table.schedule("y" * 512) == "y" * 200
    assert table.schedule("y" * 511) == "y" * 200
    assert table.listed(["s1", "y" * 512, "y" * 511, "s9"]) == {"x" * 200, "y" * 200}
    assert table.freeze(BATCH, [row("f1", long)]).labels == Labels("", "x" * 200)
    summarised = replace(BATCH, flow_name=long)
    assert table.shown(summarised) == table.freeze(summarised).labels == Labels("", "x" * 200)
    unnamed = replace(BATCH, schedule="z" * 300, flow_id="z" * 300)
    assert table.shown(unnamed) == table.freeze(unnamed).labels == Labels("z" * 200, "z" * 200)


def test_the_flow_of_an_agents_batch_is_the_agent(table):
    run = Run(account="acme", id="run_1", schedule="s1")
    batch = lifecycle.claim(replace(BATCH, flow_name="from the summary"), run, "", agent_id="a1")
    rows = [row("f1", "enrich"), row(None, "enrich")]
    assert table.freeze(batch, rows).labels == Labels("s1", "a1")
