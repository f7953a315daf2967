"""From the API's rows to values: status words to outcomes, timestamps to latencies. Pure.

It must not know what was read before, nor what a reading will be used for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runtype_exporter.model import Outcome, Result
from runtype_exporter.runtype import ResultRow, Unparseable, parse_timestamp

STATUS_LENGTH = 64
"""Longer status words are cut: no real one comes near, and they are kept in the ledger and shown as
labels."""

EARLIEST = 1_420_070_400.0
"""2015-01-01T00:00:00Z, years before there was anything to follow: an earlier time (the year 1, the
epoch) is how programs write none."""
_YEAR = "2015"

_WORDS: Mapping[str, Outcome | None] = {
    **dict.fromkeys(("completed", "success", "succeeded"), "success"),
    **dict.fromkeys(("failed", "error", "errored", "timeout", "timed_out"), "failure"),
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
        )
    ),
}
_QUEUED = frozenset({"pending", "queued", "scheduled", "created"})
_STATES: Mapping[Outcome, str] = {
    "success": "completed",
    "failure": "failed",
    "cancelled": "cancelled",
    "unknown": "unknown",
}


def normalise(status: str) -> str:
    """A status word as it is compared and kept."""
    return status.strip().casefold()[:STATUS_LENGTH]


class StatusWords:
    """What status words mean.

    The API documents no full set (its statuses are plain strings), so the configuration may add
    words.
    """

    def __init__(self, status_map: Mapping[str, str] | None = None) -> None:
        added = {
            normalise(word): None if meaning == "unfinished" else meaning
            for word, meaning in (status_map or {}).items()
        }
        self._words: Mapping[str, Outcome | None] = {**_WORDS, **added}  # type: ignore[dict-item]  # the config checked the meanings

    @property
    def known(self) -> frozenset[str]:
        """Every word with a meaning: those that may become a label value without a cap."""
        return frozenset(self._words)

    def outcome(self, status: str, *, ended: bool) -> Outcome | None:
        """The outcome of a folded word, None for unfinished.

        A word without a meaning is final if the API gave an end time.
        """
        if status in self._words:
            return self._words[status]
        return "unknown" if ended else None

    def state(self, status: str, *, ended: bool) -> str:
        """A batch's state, one word of the catalogue's closed set."""
        outcome = self.outcome(status, ended=ended)
        if outcome is not None:
            return _STATES[outcome]
        if status in _QUEUED:
            return "queued"
        return "running" if status in self._words else "unknown"

    def results(self, rows: Iterable[ResultRow]) -> list[Result]:
        """One page's rows as results.

        A final one without both times, or with an end before its creation, has a `fault`.
        """
        return [self._result(row) for row in rows]

    def _result(self, row: ResultRow) -> Result:
        status = row.status if row.status in self._words else normalise(row.status)
        executed = row.executed_at if has_timestamp(row.executed_at) else None
        failed = row.failed_at if has_timestamp(row.failed_at) else None
        outcome = self.outcome(status, ended=executed is not None or failed is not None)
        if outcome is None:
            return Result(
                row.record_result_id,
                row.record_id,
                status,
                None,
                parse_time(row.created_at),
                None,
                "",
            )
        first, second = (failed, executed) if outcome == "failure" else (executed, failed)
        end = second if first is None else first
        created, finished = parse_time(row.created_at), parse_time(end)
        fault = ""
        if created is None or finished is None:
            fault = "missing" if end is None or not has_timestamp(row.created_at) else "unparseable"
        elif finished < created:
            fault = "negative"
        return Result(
            row.record_result_id, row.record_id, status, outcome, created, finished, fault
        )


def parse_time(text: object) -> float | None:
    """A timestamp of the API as seconds since the Unix epoch, None where there is none to trust."""
    try:
        moment = parse_timestamp(text)
    except Unparseable:
        return None
    return None if moment is None or moment < EARLIEST else moment


def has_timestamp(text: object) -> bool:
    """Whether something stands in a timestamp's place, be it unreadable.

    A time before `EARLIEST` is none.
    """
    if text is None:
        return False
    if isinstance(text, str) and text > _YEAR:  # nearly all, and a row has up to three
        return True
    try:
        moment = parse_timestamp(text)
    except Unparseable:
        return True
    return moment is not None and moment >= EARLIEST
