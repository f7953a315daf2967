"""PromQL matchers of outcomes, derived from the verdict of each outcome."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

from runtype_exporter.model import OUTCOMES, Outcome
from runtype_exporter.objectives import record_verdict


def batch_failed(outcome: Outcome) -> bool:
    """Return whether a batch that ended this way failed as a whole."""
    match outcome:
        case "failure":
            return True
        case "success" | "cancelled" | "unknown":
            return False
        case _:
            assert_never(outcome)


def one_of(outcomes: Iterable[str]) -> str:
    """Return the matcher of series with one of these outcomes."""
    return _matcher("=", "=~", outcomes)


def none_of(outcomes: Iterable[str]) -> str:
    """Return the matcher of series with none of these outcomes."""
    return _matcher("!=", "!~", outcomes)


def _matcher(word: str, pattern: str, outcomes: Iterable[str]) -> str:
    words = tuple(outcomes)
    return f'outcome{word if len(words) == 1 else pattern}"{"|".join(words)}"'


BAD_RECORDS: Final = one_of(o for o in OUTCOMES if record_verdict(o) == "bad")
"""The records that failed, for the share of failed records."""
JUDGED_RECORDS: Final = none_of(o for o in OUTCOMES if record_verdict(o) is None)
"""All records of that share: a cancelled record is neither good nor bad."""
FAILED_BATCHES: Final = one_of(o for o in OUTCOMES if batch_failed(o))
