"""The *Exporter* dashboard's section "Process": resources, scrapes, and the list of exporters."""

from __future__ import annotations

from tools.dashboards.exporter.expressions import by_instance, of_instance
from tools.dashboards.field_config import (
    BLUE,
    GREEN,
    RED,
    YELLOW,
    ValueStyle,
    number,
    percent,
    seconds,
)
from tools.dashboards.layout import Section, even_row, row, section
from tools.dashboards.panels import Panel, bars, lines
from tools.dashboards.queries import per_bar, per_second, range_query, zero_when_empty
from tools.dashboards.tables import Column, label_column, table, time_column, word_column

_LEADER = {1.0: ("Yes", GREEN), 0.0: ("Standby", BLUE)}
_RELOAD = {1.0: ("Loaded", GREEN), 0.0: ("Refused", RED)}


def process_section() -> Section:
    """Return the section."""
    return section(
        "Process",
        even_row(7, _cpu(), _memory(), _scrape_duration(), _open_files()),
        row(6, (16, _exporters()), (8, _series_left_out())),
    )


def _cpu() -> Panel:
    cpu = f"sum by (instance) ({per_second(of_instance('process_cpu_seconds_total'))})"
    return lines(
        "CPU",
        "Processor time, 100 % is one whole core.",
        [range_query(cpu, "{{instance}}")],
        percent("No exporter", low=0, palette=True),
        calcs=["mean", "max"],
    )


def _memory() -> Panel:
    return lines(
        "Memory",
        "Resident memory.",
        [range_query(by_instance("process_resident_memory_bytes"), "{{instance}}")],
        ValueStyle(unit="bytes", empty="No exporter", low=0, palette=True),
        calcs=["lastNotNull", "max"],
    )


def _scrape_duration() -> Panel:
    return lines(
        "Scrape duration",
        "How long Prometheus waits for the metrics. No scrape waits for the API or for the ledger.",
        [range_query(by_instance("scrape_duration_seconds"), "{{instance}}")],
        seconds("No scrapes", low=0, palette=True),
        calcs=["mean", "max"],
    )


def _open_files() -> Panel:
    used = f"{by_instance('process_open_fds')} / {by_instance('process_max_fds')}"
    return lines(
        "Open files",
        "File descriptors in use, by those that the process may have.",
        [range_query(used, "{{instance}}")],
        percent("No exporter", decimals=1, low=0, high=1, palette=True),
        calcs=["lastNotNull"],
    )


def _exporters() -> Panel:
    build = f"max by (instance, version, python) ({of_instance('runtype_exporter_build_info')})"
    leader = by_instance("runtype_exporter_leader")
    reload_ok = by_instance("runtype_exporter_config_last_reload_successful")
    loaded = by_instance("runtype_exporter_config_last_reload_success_timestamp_seconds")
    started = by_instance("process_start_time_seconds")
    ledger_created = by_instance("runtype_exporter_ledger_created_timestamp_seconds")
    return table(
        "Exporters",
        "Each exporter that Prometheus scrapes, its version, and whether the configuration it was"
        " given last could be used.",
        [
            label_column("Exporter", "instance"),
            label_column("Version", "version", width=90),
            Column(title="Python", label="python", expr=build, width=90),
            word_column("Polls", leader, _LEADER, width=80),
            word_column("Configuration", reload_ok, _RELOAD, width=130),
            time_column("Loaded", loaded, width=140),
            time_column("Started", started, width=140),
            time_column("Ledger since", ledger_created, width=140),
        ],
        empty="No exporter",
        sort="Exporter",
    )


def _series_left_out() -> Panel:
    left_out = per_bar(of_instance("runtype_exporter_series_dropped_total"), "kind")
    return bars(
        "Series left out",
        "Label sets that got no series of their own because of metrics.max_series: gauges of"
        " batches, and label sets pooled in __overflow__.",
        [range_query(left_out, "{{kind}}"), zero_when_empty("none", left_out)],
        number("None", low=0, colours={"batch": YELLOW, "overflow": RED}),
    )
