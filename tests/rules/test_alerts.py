"""Properties of every alert, and how the configuration changes them.

promtool tests when they fire (prometheus/tests).
"""

from __future__ import annotations

import re

import pytest

from runtype_exporter.limits import DISCOVERY_SHARE, HOUR
from runtype_exporter.rules.alerts import stale_after
from tests.rules.conftest import ROOT, account, alerts, config, success

EVERY = alerts(config(success()))
HEADINGS = ("## Meaning", "## Impact", "## How to check", "## What to do")


@pytest.mark.parametrize(
    "alert", {alert.name: alert for alert in EVERY}.values(), ids=lambda alert: alert.name
)
def test_an_alert_says_what_happened_and_what_to_do(alert):
    assert alert.name.startswith("Runtype")
    assert alert.summary
    assert not alert.summary.endswith(".")
    assert alert.description.endswith((".", "?"))
    text = (ROOT / "docs" / "runbooks" / f"{alert.name}.md").read_text()
    assert f"# {alert.name}\n" == text.splitlines(keepends=True)[0]
    assert list(HEADINGS) == re.findall(r"^## .+$", text, re.MULTILINE)


def test_every_runbook_belongs_to_an_alert():
    pages = {page.stem for page in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert {alert.name for alert in EVERY} == pages


def test_alerts_are_unique_by_name_and_labels():
    keys = [(alert.name, *sorted(alert.labels.items())) for alert in EVERY]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("interval", "requests", "seconds"),
    [
        # The minimum.
        (60.0, 1000, 900.0),
        # A long interval.
        (600.0, 1000, 1800.0),
        # A small budget: a cycle of two requests every 48 minutes.
        (60.0, 10, 8640.0),
    ],
)
def test_stale_after_three_missed_cycles(interval, requests, seconds):
    of = config(accounts=(account("a"), account("b", requests)), interval=interval)
    assert seconds == stale_after(of)
    (stale,) = [alert for alert in alerts(of) if alert.name == "RuntypeExporterStale"]
    assert stale.expr.endswith(f" > {seconds:.0f}")


def test_stale_goes_by_the_share_of_the_budget_for_cycles():
    interval = 2 * HOUR / (10 * DISCOVERY_SHARE)
    assert 3 * interval == stale_after(config(accounts=(account("a", 10),)))
