"""The state codes: they stand in users' files."""

from __future__ import annotations

from runtype_exporter.ledger import states
from runtype_exporter.ledger.states import StoredState
from runtype_exporter.model import OUTCOMES


def test_codes_on_disk_never_change():
    """A failure here means that existing ledgers would be read wrongly. Add codes, change none."""
    expected = {
        "UNFINISHED": 0,
        "COUNTED_SUCCESS": 1,
        "COUNTED_FAILURE": 2,
        "COUNTED_CANCELLED": 3,
        "COUNTED_UNKNOWN": 4,
        "REMEMBERED_SUCCESS": 65,
        "REMEMBERED_FAILURE": 66,
        "REMEMBERED_CANCELLED": 67,
        "REMEMBERED_UNKNOWN": 68,
        "ADOPTED": 255,
    }
    assert expected == {state.name: int(state) for state in StoredState}


def test_every_outcome_has_a_code_in_each_range():
    assert set(OUTCOMES) == set(states.COUNTED) == set(states.REMEMBERED)
    assert all(0 < code < 64 for code in states.COUNTED.values())
    assert all(64 < code < 128 for code in states.REMEMBERED.values())
    assert {code: outcome for outcome, code in states.COUNTED.items()} == states.COUNTED_OUTCOMES
