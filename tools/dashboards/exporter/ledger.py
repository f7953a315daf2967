"""The *Exporter* dashboard's section "Ledger and series"."""

from __future__ import annotations

from tools.dashboards.exporter.expressions import by_instance, of_instance
from tools.dashboards.field_config import (
    GREEN,
    QUANTILES,
    RED,
    ValueStyle,
    as_words,
    dashed_line,
    number,
    seconds,
)
from tools.dashboards.layout import Section, row, section
from tools.dashboards.panels import Panel, lines, stat
from tools.dashboards.queries import (
    increase_in_range,
    instant_query,
    per_second,
    quantile,
    range_query,
)


def ledger_section() -> Section:
    """Return the section."""
    return section(
        "Ledger and series",
        row(
            7,
            (3, _state()),
            (3, _failures()),
            (4, _size()),
            (4, _identities()),
            (5, _commit_duration()),
            (5, _series()),
        ),
    )


def _state() -> Panel:
    up = of_instance("runtype_exporter_ledger_up")
    return stat(
        "Ledger",
        "Whether the ledger's files are in place and nothing failed since its last commit. Else"
        " polling pauses.",
        instant_query(f"min({up}) or vector(-1)"),
        as_words(
            "No exporter", {1: ("Works", GREEN), 0: ("Failing", RED), -1: ("No exporter", RED)}
        ),
    )


def _failures() -> Panel:
    failures = increase_in_range(of_instance("runtype_exporter_ledger_failures_total"))
    return stat(
        "Ledger failures",
        "Operations of the ledger that failed in the time range. While it fails, polling pauses.",
        instant_query(f"round(sum({failures}))"),
        number("No exporter", steps=((1, RED),)),
    )


def _size() -> Panel:
    return lines(
        "Ledger on disk",
        "Size of the ledger with its write-ahead log. It does not shrink: what is freed is used"
        " again.",
        [range_query(by_instance("runtype_exporter_ledger_bytes"), "{{instance}}")],
        ValueStyle(unit="bytes", empty="No exporter", low=0, palette=True),
        calcs=["lastNotNull"],
    )


def _identities() -> Panel:
    return lines(
        "Identities held",
        "Results whose identity the ledger keeps, lest they are counted twice.",
        [range_query(by_instance("runtype_exporter_ledger_rows"), "{{instance}}")],
        number("No exporter", low=0, palette=True),
        calcs=["lastNotNull"],
    )


def _commit_duration() -> Panel:
    durations = per_second(of_instance("runtype_exporter_ledger_commit_duration_seconds_bucket"))
    return lines(
        "Duration of commits",
        "How long it takes until a page of results is safe on the disk.",
        [range_query(quantile(q, durations), name) for q, name in ((0.5, "p50"), (0.99, "p99"))],
        seconds("No commits", low=0, colours=QUANTILES),
        calcs=["lastNotNull"],
        interval="1m",
    )


def _series() -> Panel:
    return lines(
        "Series",
        "Lines of the exposition. At the limit, gauges of single batches go first.",
        [
            range_query(by_instance("runtype_exporter_series"), "{{instance}}"),
            range_query(f"max({of_instance('runtype_exporter_series_limit')})", "limit"),
        ],
        number("No exporter", low=0, palette=True, overrides=(dashed_line("limit", RED),)),
        calcs=["lastNotNull"],
    )
