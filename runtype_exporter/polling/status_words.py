"""Translate the API's words and rows: status words to outcomes, timestamps to seconds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import assert_never

from runtype_exporter.limits import EARLIEST
from runtype_exporter.model import PAUSED, BatchState, Outcome, Probe, Result
from runtype_exporter.runtype import (
    BatchStatus,
    ResultRow,
    RunRow,
    SummaryRow,
    Unparseable,
    parse_timestamp,
)

STATUS_LENGTH = 64
"""Longer status words are cut at this many characters. They are stored in the ledger and used as
label values, and no real one is that long."""

_YEAR = "2015"
"""The year of `EARLIEST`. An earlier time (the year 1, the epoch) is how programs write "no time".
"""
FUTURE_TOLERANCE = 300.0
"""A time that is further ahead of the API's time is not believed, in seconds."""

_WORDS: Mapping[str, Outcome | None] = {
    **dict.fromkeys(("completed", "success", "succeeded"), "success"),
    **dict.fromkeys(
        ("failed", "error", "errored", "timeout", "timed_out", "interrupted"), "failure"
    ),
    **dict.fromkeys(("cancelled", "canceled", "skipped"), "cancelled"),
    **dict.fromkeys(
        (
            "pending",
            "queued",
            "scheduled",
            "created",
            "running",
            "processing",
            "in_progress",
            "started",
            PAUSED,
        )
    ),
}
_QUEUED = frozenset({"pending", "queued", "scheduled", "created"})


def normalise(status: str) -> str:
    """Return a status word in the form in which it is compared and stored."""
    return status.strip().casefold()[:STATUS_LENGTH]


def probe_of(shown: RunRow | SummaryRow | BatchStatus) -> Probe:
    """Return the probe that a row or an answer shows."""
    return Probe(
        normalise(shown.status), shown.total_records, shown.processed_records, shown.failed_records
    )


def final_state(outcome: Outcome) -> BatchState:
    """Return the state of a batch that ended this way."""
    match outcome:
        case "success":
            return "completed"
        case "failure":
            return "failed"
        case "cancelled" | "unknown":
            return outcome
        case _:
            assert_never(outcome)


class StatusWords:
    """The meanings of status words.

    The API documents no complete set (its statuses are plain strings), so the configuration may add
    words.
    """

    def __init__(self, status_map: Mapping[str, str] | None = None) -> None:
        added = {
            normalise(word): None if meaning == "unfinished" else meaning
            for word, meaning in (status_map or {}).items()
        }
        # The configuration checked the meanings.
        self._words: Mapping[str, Outcome | None] = {**_WORDS, **added}  # type: ignore[dict-item]

    @property
    def known(self) -> frozenset[str]:
        """Return every word with a meaning. These may become label values without a cap."""
        return frozenset(self._words)

    def outcome(self, status: str, *, ended: bool) -> Outcome | None:
        """Return the outcome of a normalised word, None for unfinished.

        A word without a meaning is final if the API gave an end time.
        """
        if status in self._words:
            return self._words[status]
        return "unknown" if ended else None

    def state(self, status: str, *, ended: bool) -> BatchState:
        """Return the state of a batch."""
        outcome = self.outcome(status, ended=ended)
        if outcome is not None:
            return final_state(outcome)
        if status in _QUEUED:
            return "queued"
        return "running" if status in self._words else "unknown"

    def results(self, rows: Iterable[ResultRow], *, latest: float = inf) -> list[Result]:
        """Return the results that one page of rows describes.

        A final result without both times, or that ends before its creation, has a `fault`. So has
        one with a time before `EARLIEST` or more than `FUTURE_TOLERANCE` after `latest`, the time
        of the API.
        """
        newest = latest + FUTURE_TOLERANCE
        return [self._result(row, newest) for row in rows]

    def _result(self, row: ResultRow, newest: float) -> Result:
        status = row.status if row.status in self._words else normalise(row.status)
        executed = row.executed_at if has_timestamp(row.executed_at) else None
        failed = row.failed_at if has_timestamp(row.failed_at) else None
        outcome = self.outcome(status, ended=executed is not None or failed is not None)
        created = _within(parse_time(row.created_at), newest)
        if outcome is None:
            return Result(row.record_result_id, row.record_id, status, None, created, None, "")
        first, second = (failed, executed) if outcome == "failure" else (executed, failed)
        end = second if first is None else first
        finished = _within(parse_time(end), newest)
        fault = ""
        if created is None or finished is None:
            fault = _fault(row, newest, created=created, finished=finished)
        elif finished < created:
            fault = "negative"
        return Result(
            row.record_result_id, row.record_id, status, outcome, created, finished, fault
        )


def _fault(row: ResultRow, newest: float, *, created: float | None, finished: float | None) -> str:
    """Return why a final result lacks a time: a word of `catalogue.TIMESTAMP_FAULTS`."""
    ends = (row.executed_at, row.failed_at)
    lacking = [
        *((row.created_at,) if created is None else ()),
        *(ends if finished is None else ()),
    ]
    if any(_is_implausible(text, newest) for text in lacking):
        return "implausible"
    ended = any(text is not None for text in ends)
    return "unparseable" if ended and row.created_at is not None else "missing"


def _is_implausible(text: object, newest: float) -> bool:
    """Return whether a timestamp is one, but of a moment that cannot be."""
    try:
        moment = parse_timestamp(text)
    except Unparseable:
        return False
    return moment is not None and not EARLIEST <= moment <= newest


def _within(moment: float | None, newest: float) -> float | None:
    return None if moment is None or moment > newest else moment


def parse_time(text: object, *, latest: float = inf) -> float | None:
    """Return a timestamp of the API in seconds since the Unix epoch.

    None if there is no timestamp, if it cannot be parsed, if it is before `EARLIEST`, or if it is
    more than `FUTURE_TOLERANCE` after `latest`, the time of the API.
    """
    try:
        moment = parse_timestamp(text)
    except Unparseable:
        return None
    if moment is None or moment < EARLIEST:
        return None
    return _within(moment, latest + FUTURE_TOLERANCE)


def has_timestamp(text: object) -> bool:
    """Return whether a timestamp is given, even one that cannot be parsed.

    A time before `EARLIEST` counts as not given.
    """
    if text is None:
        return False
    # A shortcut for nearly all timestamps: a row has up to three.
    if isinstance(text, str) and text > _YEAR:
        return True
    try:
        moment = parse_timestamp(text)
    except Unparseable:
        return True
    return moment is not None and moment >= EARLIEST
