"""The status filter of configured batches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.config import ConfiguredBatch
from runtype_exporter.model import Batch, BatchRef, Probe
from runtype_exporter.polling.batches.status_filter import configured_filter, status_filter

BATCH = Batch(ref=BatchRef("acme", "b1"), first_seen=0.0)
RUNNING = Probe("running", 1, 0, 0)
ENTRIES = [ConfiguredBatch(id="b2"), ConfiguredBatch(id="b1", status="failed")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "failed"),
        ({"probes": {"status": RUNNING}}, "failed"),
        ({"probes": {"summary": RUNNING}}, None),
        ({"probes_at_last_sweep": {"run": RUNNING}}, None),
        ({"schedule": "s1"}, None),
    ],
)
def test_a_filter_applies_to_a_batch_that_is_only_configured(changes, expected):
    batch = replace(BATCH, **changes)
    assert expected == status_filter(batch, ENTRIES)
    assert configured_filter(batch, ENTRIES) == "failed"


def test_a_batch_without_an_entry_has_no_filter():
    assert status_filter(BATCH, ENTRIES[:1]) is None
    assert configured_filter(BATCH, []) is None
