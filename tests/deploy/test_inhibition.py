"""What silences what, asked of a real Alertmanager with the committed configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.support.process import LOCAL, ROOT, wait_for
from tests.support.prometheus import alertmanager

Alert = dict[str, str]

JOB = {"job": "runtype-exporter", "namespace": "monitoring"}
ACCOUNT = {**JOB, "account": "acme"}


def alert(name: str, severity: str = "warning", labels: Alert = ACCOUNT, **more: str) -> Alert:
    return {"alertname": name, "severity": severity, **labels, **more}


DOWN = alert("RuntypeExporterDown", "critical", JOB)
STALE = alert("RuntypeExporterStale", "critical")
REFUSED = alert("RuntypeUnauthorised", "critical")
LEDGER = alert("RuntypeLedgerFailing", "critical", JOB, instance="exporter-0")
BURN = alert("RuntypeErrorBudgetBurn", "critical", slo="records-succeed", long="1h", short="5m")
SLOW_BURN = alert("RuntypeErrorBudgetBurn", slo="records-succeed", long="3d", short="6h")
STUCK = alert("RuntypeBatchStuck", schedule="nightly", flow="enrich", batch="batch_1")
MISSED = alert("RuntypeScheduleMissed", schedule="nightly")
RELOAD = alert("RuntypeConfigReloadFailed", labels=JOB, instance="exporter-0")
SLOW_MODE = alert("RuntypeSlowMode", "critical", period="daily")
NEAR_LIMIT = alert("RuntypeUsageNearLimit", period="daily")


@pytest.fixture(scope="module")
def notifier(alertmanager_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    config = yaml.safe_load((ROOT / "deploy/alertmanager.yml").read_text())
    folder: Path = tmp_path_factory.mktemp("alertmanager")
    with alertmanager(alertmanager_binary, folder, config) as url:
        yield url


def silenced(notifier: str, case: str, source: Alert, target: Alert) -> bool:
    """Whether the target says nothing while the source fires.

    Each case has a job of its own, so that none sees another's alerts.
    """
    pair = [{"labels": {**labels, "job": f"{labels['job']}/{case}"}} for labels in (source, target)]
    httpx.post(f"{notifier}/api/v2/alerts", json=pair, **LOCAL).raise_for_status()

    def known() -> list[dict]:
        parameters = {"filter": f'job=~".*/{case}"'}
        alerts = httpx.get(f"{notifier}/api/v2/alerts", params=parameters, **LOCAL).json()
        # An alert is "unprocessed" until the inhibitions were looked at.
        ready = len(alerts) == 2 and all(one["status"]["state"] != "unprocessed" for one in alerts)
        return alerts if ready else []

    (found,) = [one for one in wait_for(known) if one["labels"] == pair[1]["labels"]]
    return bool(found["status"]["inhibitedBy"])


SILENCING = [(DOWN, target) for target in (BURN, SLOW_BURN, STUCK, MISSED, STALE, RELOAD)]
SILENCING += [
    (source, target)
    for source in (STALE, REFUSED)
    for target in (BURN, SLOW_BURN, STUCK, MISSED, NEAR_LIMIT)
]
SILENCING += [(REFUSED, STALE), (LEDGER, STALE), (BURN, SLOW_BURN), (SLOW_MODE, NEAR_LIMIT)]

SPEAKING = [
    # Not what the account's metrics say.
    (STALE, RELOAD),
    # The reason.
    (STALE, REFUSED),
    (STALE, LEDGER),
    (SLOW_BURN, BURN),
    (NEAR_LIMIT, SLOW_MODE),
    (STUCK, BURN),
    (STALE, {**BURN, "account": "other"}),
    (BURN, {**SLOW_BURN, "slo": "records-fast"}),
    (BURN, {**SLOW_BURN, "account": "other"}),
    (DOWN, {**STUCK, "namespace": "elsewhere"}),
    (SLOW_MODE, {**NEAR_LIMIT, "period": "monthly"}),
]


def name(labels: Alert) -> str:
    return labels["alertname"].removeprefix("Runtype")


@pytest.mark.parametrize(
    "number", range(len(SILENCING)), ids=[f"{name(s)}-{name(t)}" for s, t in SILENCING]
)
def test_what_has_its_reason_in_another_alert_is_not_notified(notifier: str, number: int):
    assert silenced(notifier, f"silenced-{number}", *SILENCING[number])


@pytest.mark.parametrize(
    "number", range(len(SPEAKING)), ids=[f"{name(s)}-{name(t)}" for s, t in SPEAKING]
)
def test_what_says_something_else_is_notified(notifier: str, number: int):
    assert not silenced(notifier, f"speaking-{number}", *SPEAKING[number])
