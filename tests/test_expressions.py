"""Every shipped expression reads existing metrics, and every metric is used or explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runtype_exporter.catalogue import CATALOGUE
from tools.generate_docs import PAGES
from tools.queries import ALERTING, DASHBOARDS, RULES, QueryReport, check_all

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def reports() -> dict[str, QueryReport]:
    return check_all(ROOT)


@pytest.mark.parametrize("kind", ["rules", "dashboards", "alerting", "docs"])
def test_every_expression_reads_what_exists(reports: dict[str, QueryReport], kind: str):
    assert not reports[kind].problems, "\n".join(["", *reports[kind].problems])


@pytest.mark.parametrize("pattern", [RULES, DASHBOARDS, ALERTING])
def test_there_are_files_to_check(pattern: str):
    assert list(ROOT.glob(pattern))


@pytest.mark.parametrize("kind", ["rules", "dashboards", "alerting"])
def test_there_are_expressions_to_check(reports: dict[str, QueryReport], kind: str):
    assert reports[kind].count > 0


def test_every_metric_is_used_or_explained(reports: dict[str, QueryReport]):
    """By a rule, a dashboard or a hand-written page."""
    used = reports["rules"].metrics | reports["dashboards"].metrics
    pages = {page for page in ROOT.glob("docs/**/*.md") if str(page.relative_to(ROOT)) not in PAGES}
    text = "\n".join(page.read_text() for page in [*pages, ROOT / "README.md"])
    unused = [
        m.name
        for m in CATALOGUE
        if m.name not in used and not re.search(rf"\b{m.name}(_bucket|_sum|_count)?\b", text)
    ]
    assert not unused, "\n".join(["used nowhere and explained nowhere:", *unused])
