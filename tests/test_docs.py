"""The documentation names everything that exists, and nothing that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Route

from runtype_exporter.catalogue import BY_NAME, CATALOGUE
from runtype_exporter.cli import main as commands
from runtype_exporter.clock import SystemClock
from runtype_exporter.ledger import schema
from runtype_exporter.metrics import ProcessMetrics, Publisher
from runtype_exporter.model import BATCH_OUTCOMES, OUTCOMES, START_RESULTS, Snapshot
from runtype_exporter.protocols import Status
from runtype_exporter.web import create_app
from tools.configuration_page import flags, keys

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md"), *ROOT.glob("*.md")])
KEYS = {key.path for key in keys()}
FLAGS = {flag.name: flag.variable for flag in flags()}

METRIC = re.compile(r"(?<![\w/])runtype_[a-z0-9_]*[a-z0-9](?![\w/.])")
SUFFIX = re.compile(r"_(bucket|count|sum|created)$")
FLAG = re.compile(r"(?<![\w-])--(?!storage\.tsdb\.)[a-z]+\.[a-z-]+[a-z.-]*[a-z]")
"""Flags of the exporter. Those of Prometheus that pages mention are excluded."""
VARIABLE = re.compile(r"RUNTYPE_EXPORTER_[A-Z_]*[A-Z]")
KEY = re.compile(r"`((?:accounts|poll|state|metrics|slos)(?:\[\])?\.(?!py`)[a-z_.\[\]]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]+))?\)")


def rows(page: str) -> set[str]:
    """Return the code in the first cell of each table row."""
    return set(re.findall(r"^\| `([^`]+)` \|", (ROOT / page).read_text(), re.MULTILINE))


def unknown(text: str) -> set[str]:
    """Return the names in a text that do not exist. A prefix of metric names is allowed."""
    metrics = {name for name in METRIC.findall(text) if not _is_metric(name)}
    keys_ = {key for key in KEY.findall(text) if key not in KEYS}
    return (
        metrics
        | keys_
        | (set(FLAG.findall(text)) - FLAGS.keys())
        | (set(VARIABLE.findall(text)) - {*FLAGS.values()})
    )


def _is_metric(name: str) -> bool:
    return SUFFIX.sub("", name) in BY_NAME or any(
        metric.startswith(f"{name}_") for metric in BY_NAME
    )


def dead_links(page: Path) -> Iterator[str]:
    """Yield the links whose target does not exist."""
    for target, anchor in LINK.findall(page.read_text()):
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            yield f"{target}#{anchor}" if anchor else target


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_metric_has_a_row():
    assert set() == {metric.name for metric in CATALOGUE} - rows("docs/metrics.md")


def test_every_key_flag_and_command_has_a_row():
    named = {f"runtype-exporter {name}" for name in commands.commands}
    assert set() == (KEYS | FLAGS.keys() | named) - rows("docs/configuration.md")


def test_every_endpoint_has_a_row():
    class NoStatus:
        def status(self) -> Status:
            return Status(ready=True)

    async def reload() -> list[str]:
        return []

    empty = Snapshot(0, {})
    publisher = Publisher(
        ledger=lambda: empty, gauges=lambda: empty, process=ProcessMetrics(), clock=SystemClock()
    )
    app = create_app(publisher=publisher, status=NoStatus(), reload=reload, version="0")
    served = {
        f"{method} {route.path}"
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert served
    assert served == {
        row for row in rows("docs/operations.md") if row.startswith(("GET /", "POST /"))
    }


@pytest.mark.parametrize(
    "page",
    [
        "CONTRIBUTING.md",
        "docs/architecture.md",
        "docs/design/ledger.md",
        "docs/design/polling.md",
    ],
)
def test_a_page_names_only_files_that_exist(page: str):
    """A cell may name several files of one folder: `ledger/schema.py`, `codec.py`."""
    missing = []
    for line in (ROOT / page).read_text().splitlines():
        folders = [ROOT, ROOT / "runtype_exporter"]
        for name in re.findall(r"`([\w/.]+(?:\.py|/))`", line):
            found = [folder / name for folder in folders if (folder / name).exists()]
            if found:
                folders.append(found[-1].parent if name.endswith(".py") else found[-1])
            else:
                missing.append(name)
    assert [] == missing


def test_recovery_sets_the_present_format_of_the_ledger():
    page = (ROOT / "docs/operations.md").read_text()
    assert f"PRAGMA user_version = {schema.VERSION}'" in page
    assert f"PRAGMA application_id = {schema.APPLICATION_ID};" in page


@pytest.mark.parametrize(
    ("path", "start", "words"),
    [
        ("docs/glossary.md", "| **outcome** |", {*OUTCOMES, *BATCH_OUTCOMES}),
        ("docs/slo.md", "## What is an event", {*OUTCOMES}),
        ("docs/slo.md", "| `freshness` |", {*START_RESULTS}),
        ("docs/configuration.md", "| `slos[].type` |", {*OUTCOMES, *START_RESULTS}),
    ],
)
def test_what_is_written_by_hand_names_each_outcome(path: str, start: str, words: set[str]):
    """A line of a table, or a section up to the next heading."""
    text = (ROOT / path).read_text()
    _, _, after = text.partition(start)
    part, _, _ = after.partition("\n## " if start.startswith("#") else "\n")
    spoken = {word.replace("_", " ") for word in words}
    assert set() == {word for word in spoken if not re.search(rf"\b{word}\b", part)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_only_what_exists(page: Path):
    assert set() == unknown(page.read_text())
    assert [] == list(dead_links(page))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`runtype_record_finished_total`", {"runtype_record_finished_total"}),
        (
            "rate(runtype_records_finished_total[5m]) and runtype_record_latency_seconds_bucket",
            set(),
        ),
        ("grep ^runtype_records, runtype_exporter/catalogue, `runtype_exporter`", set()),
        ("runtype_up_total", {"runtype_up_total"}),
        ("`poll.intervall`", {"poll.intervall"}),
        ("`poll.interval`, `slos[].threshold`, `state.path`", set()),
        ("use --web.listen-adress=:1", {"--web.listen-adress"}),
        ("use --web.listen-address=:1 and pip install --no-deps", set()),
        ("RUNTYPE_EXPORTER_STATE", {"RUNTYPE_EXPORTER_STATE"}),
        ("RUNTYPE_EXPORTER_STATE_PATH=/data", set()),
    ],
)
def test_an_unknown_name_is_found(text: str, found: set[str]):
    assert found == unknown(text)


def test_a_dead_link_is_found(tmp_path: Path):
    (tmp_path / "b.md").write_text("# It's here, too\n")
    page = tmp_path / "a.md"
    page.write_text(
        "[a](b.md) [b](b.md#its-here-too) [c](c.md) [d](b.md#gone) [e](https://c.example/x)"
        " [f](#f)\n# F\n"
    )
    assert ["c.md", "b.md#gone"] == list(dead_links(page))
