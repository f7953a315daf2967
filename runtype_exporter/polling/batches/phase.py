"""What a batch shows: its phase, how it ended, how many records it has. Pure, changes nothing.

```
            a run claims it, the run list was read without one, or a day is over
unclaimed ─────────────────────────────────────────────────────────────────────▶ open
            every source says final                 its results are to be read
     open ─────────────────────────▶ ended, closing ◀──────────────────────────▶ ended
            ◀─────────────────────────
            a source says unfinished
any of these ──▶ closed: every record was read, settle_time is over, or it was given up
   closed ──▶ open, ended or closing: it was given up and can be read again
```
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from runtype_exporter.model import Batch, Outcome, Probe, Source
from runtype_exporter.polling.status_words import StatusWords

PRECEDENCE: tuple[Source, ...] = ("run", "status", "summary")
"""The sources of a probe, the preferred one first. Only the run list and the status read also know
when a batch ended."""
MOST_RECORDS = 50_000
"""A larger total is not believed: a counter cannot take back what it added."""


class Phase(Enum):
    """The states of a batch. Each batch is in exactly one."""

    UNCLAIMED = "unclaimed"
    """It waits for a run that claims it."""
    OPEN = "open"
    """It runs, as far as the sources show."""
    ENDED = "ended"
    """It has ended. Records are missing or not final, and nothing new is to be read."""
    CLOSING = "closing"
    """It has ended, and its results are to be read."""
    CLOSED = "closed"


def phase(batch: Batch) -> Phase:
    """Return the phase of a batch."""
    if batch.closed is not None:
        return Phase.CLOSED
    if batch.claims_left > 0:
        return Phase.UNCLAIMED
    if batch.ended is None:
        return Phase.OPEN
    return Phase.CLOSING if batch.sweep is not None or dirty(batch) else Phase.ENDED


def ending(batch: Batch, status_words: StatusWords) -> Outcome | None:
    """Return how the batch ended, None while any source of the last cycle calls it unfinished.

    All sources must agree, because two lists that were read a moment apart may differ.
    """
    return _ending(batch.probes, status_words, ended=batch.completed is not None)


def ended_by(probes: Mapping[Source, Probe], batch: Batch, status_words: StatusWords) -> bool:
    """Return whether these earlier probes of the batch already showed its end."""
    return _ending(probes, status_words, ended=batch.completed is not None) is not None


def dirty(batch: Batch) -> bool:
    """Return whether the results may have changed since the last complete sweep.

    True if a source's probe differs from its probe at that sweep, or if there is no probe.
    """
    if batch.probes_at_last_sweep is None or not batch.probes:
        return True
    return any(
        batch.probes_at_last_sweep.get(source) != probe for source, probe in batch.probes.items()
    )


def never_found(batch: Batch) -> bool:
    """Return whether every read of the batch returned 404 so far."""
    return batch.missing_since is not None and not found(batch)


def found(batch: Batch) -> bool:
    """Return whether anything ever showed that the API knows the batch."""
    return bool(
        batch.probes
        or batch.probes_at_last_sweep is not None
        or batch.labels is not None
        or batch.schedule
    )


def believed(total: int | None) -> int | None:
    """Return a record count of the API, None if there is none or if it cannot be believed."""
    return total if total is not None and total <= MOST_RECORDS else None


def expected(batch: Batch) -> int | None:
    """Return the largest record count of the probes that is believed, None if none has one."""
    totals = (believed(probe.total) for probe in batch.probes.values())
    return max((total for total in totals if total is not None), default=None)


def _ending(
    probes: Mapping[Source, Probe], status_words: StatusWords, *, ended: bool
) -> Outcome | None:
    outcomes = [
        status_words.outcome(probes[source].status, ended=ended)
        for source in PRECEDENCE
        if source in probes
    ]
    return outcomes[0] if outcomes and None not in outcomes else None
