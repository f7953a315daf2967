"""Which batches may be opened again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.limits import DAY
from runtype_exporter.model import Batch, BatchRef
from runtype_exporter.polling.batches.reopening import ReopenRefused, reopenable, reopened

T = 1_800_000_000.0
OPEN = Batch(ref=BatchRef("acme", "b1"), first_seen=T)
GIVEN_UP = replace(OPEN, closed=T, outcome="unreadable")


@pytest.mark.parametrize("outcome", ["lost", "unreadable", "stale"])
def test_a_batch_that_was_given_up_opens_again(outcome):
    given_up = replace(GIVEN_UP, outcome=outcome)
    assert reopenable(given_up, T + 88 * DAY, 90 * DAY)
    assert reopened(given_up, T + 88 * DAY, 90 * DAY).closed is None


@pytest.mark.parametrize(
    ("batch", "now", "reason"),
    [
        (OPEN, T, "is open"),
        (replace(OPEN, closed=T, outcome="success"), T, r"closed \(success\)"),
        (replace(OPEN, closed=T), T, "closed without being counted"),
        (GIVEN_UP, T + 89 * DAY, "counted twice"),
    ],
)
def test_any_other_batch_stays_as_it_is(batch, now, reason):
    assert not reopenable(batch, now, 90 * DAY)
    with pytest.raises(ReopenRefused, match=f"b1: .*{reason}"):
        reopened(batch, now, 90 * DAY)
