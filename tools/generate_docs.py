"""Write the generated files: pages of the documentation, rules, dashboards and Grafana alerts.

`python -m tools.generate_docs` writes them. With `--check` it only compares them. To add a page,
write a function and add it to `PAGES`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from runtype_exporter.catalogue import CATALOGUE, Metric, Owner
from runtype_exporter.config import load
from runtype_exporter.rules import rule_files, text_of
from tools.alerts_page import alerts_page
from tools.configuration_page import configuration
from tools.dashboards import PAGES as DASHBOARD_PAGES
from tools.grafana_alerts import grafana_alerts

ROOT = Path(__file__).resolve().parent.parent

_OWNERS: dict[Owner, tuple[str, str]] = {
    "ledger": (
        "Counted in the ledger",
        (
            "Durable: these survive restarts, crashes and downtime, and each result, batch and run"
            " is counted in them exactly once.\n"
            "A new series shows 0, and a restored one its old value, until one scrape has been"
            " served with it (or for two minutes)."
        ),
    ),
    "snapshot": (
        "The last complete snapshot",
        (
            "Gauges of batches that are open, configured, or among the newest closed ones of their"
            " schedule\n"
            "(`metrics.batches_per_schedule`). What they tell of records changes after a complete"
            " sweep only; they end with their batch."
        ),
    ),
    "process": (
        "The process itself",
        (
            "Polling, the API and the exporter. These begin again with the process. Next to them"
            " stand prometheus-client's own\n"
            "`process_*` and `python_*`."
        ),
    ),
}

_HEAD = (
    "# Metrics\n"
    "\n"
    "Made from `runtype_exporter/catalogue/` by `make docs`; edit that, not this page.\n"
    "\n"
    "Names are those of the text format 0.0.4. In OpenMetrics, counters and histograms show when"
    " they began (`_created`), and the\n"
    "buckets of record latencies carry exemplars. Times are seconds since the Unix epoch,"
    " durations are seconds. *Stable* metrics\n"
    "keep their name, type and labels until the next major version; *experimental* ones may"
    " change with any version."
)


def metrics() -> str:
    """Return the text of docs/metrics.md, from the catalogue."""
    return "\n".join(_metrics_lines())


def _metrics_lines() -> Iterator[str]:
    yield _HEAD
    for owner, (title, text) in _OWNERS.items():
        yield ""
        yield f"## {title}"
        yield ""
        yield text
        yield ""
        yield "| metric | type | labels | stability | meaning |"
        yield "| --- | --- | --- | --- | --- |"
        for metric in CATALOGUE:
            if metric.owner == owner:
                yield _metric_row(metric)
        closed = [metric for metric in CATALOGUE if metric.owner == owner and metric.values]
        if closed:
            yield ""
            yield "Labels with a closed set of values:"
            yield ""
            for metric in closed:
                for label, values in metric.values:
                    yield f"* `{metric.name}`, `{label}`: {_codes(values)}"
        histograms = [metric for metric in CATALOGUE if metric.owner == owner and metric.buckets]
        if histograms:
            yield ""
            yield "Boundaries of the buckets, in seconds:"
            yield ""
            for metric in histograms:
                yield f"* `{metric.name}`: {', '.join(f'{bound:g}' for bound in metric.buckets)}"
    yield ""


def _metric_row(metric: Metric) -> str:
    help_ = metric.help.replace("|", "\\|")
    return (
        f"| `{metric.name}` | {metric.type} | {_codes(metric.labels)} | {metric.stability} |"
        f" {help_} |"
    )


def _codes(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


RULES = rule_files(load(ROOT / "config.yaml"))
"""The rules of the default configuration."""

PAGES: dict[str, Callable[[], str]] = {
    "docs/metrics.md": metrics,
    "docs/configuration.md": configuration,
    "docs/alerts.md": partial(alerts_page, RULES),
    **{f"prometheus/rules/{file.name}": partial(text_of, file) for file in RULES},
    "grafana/provisioning/alerting/runtype.yaml": partial(grafana_alerts, RULES),
    **DASHBOARD_PAGES,
}
"""The path of each generated file, and the function that returns its text."""


def stale(root: Path) -> list[str]:
    """Return the files that differ from what the code generates."""
    return [page for page, make in PAGES.items() if _read(root / page) != make()]


def write(root: Path) -> None:
    """Write every file."""
    for page, make in PAGES.items():
        path = root / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write the files, or compare them with `--check`. Return the exit code."""
    if list(arguments) not in ([], ["--check"]):
        sys.stderr.write("usage: python -m tools.generate_docs [--check]\n")
        return 2
    if not arguments:
        write(root)
        return 0
    pages = stale(root)
    for page in pages:
        sys.stderr.write(f"{page} is stale: run `make docs` and commit what changes\n")
    return 1 if pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
