"""The *Exporter* dashboard's sections on what the process holds.

Its ledger, its series, its processor and memory.
"""

from __future__ import annotations

from .fields import BLUE, GREEN, QUANTILES, RED, YELLOW, Look, dashed
from .layout import Section, line, section
from .panels import bars, lines, stat
from .queries import INSTANCE, gain, now, over_time, per_bar, per_second, quantile, quiet, series
from .tables import Column, table


def _own(metric: str) -> str:
    return series(metric, INSTANCE)


def _each(metric: str) -> str:
    return f"max by (instance) ({_own(metric)})"


def ledger() -> Section:
    """The ledger and the exposition."""
    up = f"min({_own('runtype_exporter_ledger_up')})"
    took = per_second(_own("runtype_exporter_ledger_commit_duration_seconds_bucket"))
    return section(
        "Ledger and series",
        line(
            7,
            (
                3,
                stat(
                    "Ledger",
                    "Whether the ledger's files are in place and nothing failed since its last"
                    " commit. Else polling pauses.",
                    now(f"{up} or vector(-1)"),
                    Look(
                        unit="none",
                        empty="No exporter",
                        words={1: ("Works", GREEN), 0: ("Failing", RED), -1: ("No exporter", RED)},
                    ),
                ),
            ),
            (
                3,
                stat(
                    "Ledger failures",
                    "Operations of the ledger that failed in the time range. While it fails,"
                    " polling pauses.",
                    now(f"round(sum({gain(_own('runtype_exporter_ledger_failures_total'))}))"),
                    Look(unit="locale", empty="No exporter", decimals=0, steps=((1, RED),)),
                ),
            ),
            (
                4,
                lines(
                    "Ledger on disk",
                    "Size of the ledger with its write-ahead log. It does not shrink: what is freed"
                    " is used again.",
                    [over_time(_each("runtype_exporter_ledger_bytes"), "{{instance}}")],
                    Look(unit="bytes", empty="No exporter", low=0, palette=True),
                    calcs=["lastNotNull"],
                ),
            ),
            (
                4,
                lines(
                    "Identities held",
                    "Results whose identity the ledger keeps, lest they are counted twice.",
                    [over_time(_each("runtype_exporter_ledger_rows"), "{{instance}}")],
                    Look(unit="locale", empty="No exporter", decimals=0, low=0, palette=True),
                    calcs=["lastNotNull"],
                ),
            ),
            (
                5,
                lines(
                    "Duration of commits",
                    "How long it takes until a page of results is safe on the disk.",
                    [
                        over_time(quantile(q, took), name)
                        for q, name in ((0.5, "p50"), (0.99, "p99"))
                    ],
                    Look(unit="s", empty="No commits", low=0, colours=QUANTILES),
                    calcs=["lastNotNull"],
                    interval="1m",
                ),
            ),
            (
                5,
                lines(
                    "Series",
                    "Lines of the exposition. At the limit, gauges of single batches go first.",
                    [
                        over_time(_each("runtype_exporter_series"), "{{instance}}"),
                        over_time(f"max({_own('runtype_exporter_series_limit')})", "limit"),
                    ],
                    Look(
                        unit="locale",
                        empty="No exporter",
                        decimals=0,
                        low=0,
                        palette=True,
                        overrides=(dashed("limit", RED),),
                    ),
                    calcs=["lastNotNull"],
                ),
            ),
        ),
    )


def process() -> Section:
    """The process and its scrapes."""
    cpu = f"sum by (instance) ({per_second(_own('process_cpu_seconds_total'))})"
    left_out = per_bar(_own("runtype_exporter_series_dropped_total"), "kind")
    files = f"{_each('process_open_fds')} / {_each('process_max_fds')}"
    return section(
        "Process",
        line(
            7,
            (
                6,
                lines(
                    "CPU",
                    "Processor time, 100 % is one whole core.",
                    [over_time(cpu, "{{instance}}")],
                    Look(unit="percentunit", empty="No exporter", low=0, palette=True),
                    calcs=["mean", "max"],
                ),
            ),
            (
                6,
                lines(
                    "Memory",
                    "Resident memory.",
                    [over_time(_each("process_resident_memory_bytes"), "{{instance}}")],
                    Look(unit="bytes", empty="No exporter", low=0, palette=True),
                    calcs=["lastNotNull", "max"],
                ),
            ),
            (
                6,
                lines(
                    "Scrape duration",
                    "How long Prometheus waits for the metrics. No scrape waits for the API or for"
                    " the ledger.",
                    [over_time(_each("scrape_duration_seconds"), "{{instance}}")],
                    Look(unit="s", empty="No scrapes", low=0, palette=True),
                    calcs=["mean", "max"],
                ),
            ),
            (
                6,
                lines(
                    "Open files",
                    "File descriptors in use, by those that the process may have.",
                    [over_time(files, "{{instance}}")],
                    Look(
                        unit="percentunit",
                        empty="No exporter",
                        decimals=1,
                        low=0,
                        high=1,
                        palette=True,
                    ),
                    calcs=["lastNotNull"],
                ),
            ),
        ),
        line(
            6,
            (16, _instances()),
            (
                8,
                bars(
                    "Series left out",
                    "Label sets that got no series of their own because of metrics.max_series:"
                    " gauges of batches, and label sets pooled in __overflow__.",
                    [over_time(left_out, "{{kind}}"), quiet("none", left_out)],
                    Look(
                        unit="locale",
                        empty="None",
                        decimals=0,
                        low=0,
                        colours={"batch": YELLOW, "overflow": RED},
                    ),
                ),
            ),
        ),
    )


def _instances() -> dict[str, object]:
    reload = "runtype_exporter_config_last_reload"
    build = f"max by (instance, version, python) ({_own('runtype_exporter_build_info')})"
    return table(
        "Exporters",
        "Each exporter that Prometheus scrapes, its version, and whether the configuration it was"
        " given last could be used.",
        [
            Column(title="Exporter", label="instance"),
            Column(title="Version", label="version", width=90),
            Column(title="Python", label="python", expr=build, width=90),
            Column(
                title="Polls",
                expr=_each("runtype_exporter_leader"),
                unit="none",
                width=80,
                cell="color-text",
                words={1.0: ("Yes", GREEN), 0.0: ("Standby", BLUE)},
            ),
            Column(
                title="Configuration",
                expr=_each(f"{reload}_successful"),
                unit="none",
                width=130,
                cell="color-text",
                words={1.0: ("Loaded", GREEN), 0.0: ("Refused", RED)},
            ),
            Column(
                title="Loaded",
                expr=f"{_each(f'{reload}_success_timestamp_seconds')} * 1000",
                unit="dateTimeFromNow",
                width=140,
            ),
            Column(
                title="Started",
                expr=f"{_each('process_start_time_seconds')} * 1000",
                unit="dateTimeFromNow",
                width=140,
            ),
            Column(
                title="Ledger since",
                expr=f"{_each('runtype_exporter_ledger_created_timestamp_seconds')} * 1000",
                unit="dateTimeFromNow",
                width=140,
            ),
        ],
        "No exporter",
        "Exporter",
    )
