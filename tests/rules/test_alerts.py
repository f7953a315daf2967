"""What every alert has, and how the configuration changes them.

When they fire is promtool's to show (prometheus/tests).
"""

from __future__ import annotations

import re

import pytest

from runtype_exporter.rules import alerts as rules_alerts
from runtype_exporter.rules.alerts import stale_after
from runtype_exporter.runtype.budget import DISCOVERY_SHARE
from tests.rules.conftest import ROOT, account, alerts, config, success

EVERY = alerts(config(success()))
HEADINGS = ("## Meaning", "## Impact", "## How to check", "## How to mend")


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


def test_every_runbook_is_some_alerts():
    pages = {page.stem for page in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert {alert.name for alert in EVERY} == pages


def test_no_two_alerts_could_be_taken_for_each_other():
    keys = [(alert.name, *sorted(alert.labels.items())) for alert in EVERY]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("interval", "requests", "seconds"),
    [
        (60.0, 1000, 900.0),  # the least
        (600.0, 1000, 1800.0),  # polled seldom
        (60.0, 10, 8640.0),  # a budget that lets a cycle of two requests begin every 48 minutes
    ],
)
def test_stale_is_what_missed_three_cycles(interval, requests, seconds):
    of = config(accounts=(account("a"), account("b", requests)), interval=interval)
    assert seconds == stale_after(of)
    (stale,) = [alert for alert in alerts(of) if alert.name == "RuntypeExporterStale"]
    assert stale.expr.endswith(f" > {seconds:.0f}")


def test_stale_goes_by_the_share_that_the_budget_gives_to_cycles():
    """`rules` must not know `runtype`, so the share stands in both; here they are held together."""
    assert DISCOVERY_SHARE == rules_alerts._DISCOVERY_SHARE
