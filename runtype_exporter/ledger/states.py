"""The state codes of stored results: numbers that stand in users' files.

A code never changes its meaning and is never used again. The numbers are spaced, so that a new
outcome gets a free number in each range.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, unique

from runtype_exporter.model import OUTCOMES, Outcome


@unique
class StoredState(IntEnum):
    """The state of one stored identity: 1 to 63 counted, 65 to 127 remembered, else as named."""

    UNFINISHED = 0
    """Not final yet, so not counted."""

    COUNTED_SUCCESS = 1
    COUNTED_FAILURE = 2
    COUNTED_CANCELLED = 3
    COUNTED_UNKNOWN = 4

    REMEMBERED_SUCCESS = 65
    """Final before the batch's guard: known, never counted. So are the next ones."""
    REMEMBERED_FAILURE = 66
    REMEMBERED_CANCELLED = 67
    REMEMBERED_UNKNOWN = 68

    ADOPTED = 255
    """A record's identity that was replaced by a result id, its adopter."""


# Plain ints, because counting compares one for each row. A new outcome without a code is a KeyError
# at import, before any ledger can be opened.
UNFINISHED = int(StoredState.UNFINISHED)
ADOPTED = int(StoredState.ADOPTED)
COUNTED: Mapping[Outcome, int] = {
    outcome: int(StoredState[f"COUNTED_{outcome.upper()}"]) for outcome in OUTCOMES
}
REMEMBERED: Mapping[Outcome, int] = {
    outcome: int(StoredState[f"REMEMBERED_{outcome.upper()}"]) for outcome in OUTCOMES
}
FINAL_OUTCOMES: Mapping[int, Outcome] = {
    code: outcome for codes in (COUNTED, REMEMBERED) for outcome, code in codes.items()
}
COUNTED_OUTCOMES: Mapping[int, Outcome] = {code: outcome for outcome, code in COUNTED.items()}
KNOWN_CODES = frozenset(map(int, StoredState))
