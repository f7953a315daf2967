"""From a failing batch to the message.

Simulator, exporter, a real Prometheus with the committed rules, a real Alertmanager.

The windows are the real ones. What a test cannot wait for is faster: rules are evaluated each
second, and alerts wait a sixtieth of their time.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtype_exporter import catalogue
from runtype_exporter.app import Options, catch_up
from runtype_exporter.config import load
from runtype_exporter.simulator.account import World
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.presets import demo_settings, small_world
from runtype_exporter.simulator.settings import RecordPlan, ScheduleSpec
from tests.support.process import KEY, ROOT, Exporter, Served, configure, wait_for
from tests.support.prometheus import accelerated, alertmanager, prometheus
from tools.dashboard_queries import panel_queries

HOUR = 3600.0
LONG = 90.0
"""Real seconds: four programs share the processors with other tests."""
RULES = sorted((ROOT / "prometheus/rules").glob("*.yaml"))
DASHBOARDS = sorted((ROOT / "grafana/dashboards").glob("*.json"))
GOOD = RecordPlan(0.0, 0.1, 0.5)
BAD = RecordPlan(0.0, 0.1, 0.5, "failure")
STUCK = RecordPlan(0.0, 0.1, float("inf"))

BURN, FAILING, HANGING = "RuntypeErrorBudgetBurn", "RuntypeBatchFailing", "RuntypeBatchStuck"
WARNED = ("ticket", BURN, "warning")
TROUBLE = {
    metric.name for metric in catalogue.CATALOGUE if metric.name.endswith("_failures_total")
} | {
    metric.name
    for metric in (
        catalogue.BATCHES_GIVEN_UP,
        catalogue.BATCH_LATE_CHANGES,
        catalogue.RECONCILIATION_DRIFT,
        catalogue.RECORD_INVALID_TIMESTAMPS,
        catalogue.RECORD_OUTCOME_CHANGES,
        catalogue.SERIES_DROPPED,
    )
}
"""What need not happen within a minute of normal operation. That these are asked for by their right
names is tested elsewhere."""
NO_SERIES = ("batches_given_up",)
"""Parts of the names of records that have no series before something went wrong."""
QUIET = " unless on () last_over_time("
"""How the dashboards show that nothing happened: such a query has data when its neighbours have
none."""
EXPECTED = {
    ("page", BURN, "critical"),
    ("ticket", FAILING, "warning"),
    ("ticket", HANGING, "warning"),
}


class SetBack:
    """The machine's clock, some time ago."""

    def __init__(self) -> None:
        self.by = 0.0

    def now(self) -> float:
        return time.time() - self.by

    def monotonic(self) -> float:
        return time.monotonic() - self.by


class Webhook:
    """Receives what Alertmanager sends: receiver, alert, labels, firing or resolved."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.app = Starlette(routes=[Route("/{receiver}", self._hear, methods=["POST"])])

    async def _hear(self, request: Request) -> Response:
        self.received += [
            (request.path_params["receiver"], alert) for alert in (await request.json())["alerts"]
        ]
        return Response()

    def sent(self, status: str) -> set[tuple[str, str, str]]:
        return {
            (receiver, alert["labels"]["alertname"], alert["labels"]["severity"])
            for receiver, alert in list(self.received)
            if alert["status"] == status
        }

    def texts(self) -> Iterator[str]:
        for _, alert in list(self.received):
            yield from alert["annotations"].values()


def alertmanager_config(url: str) -> dict[str, Any]:
    """Return the committed configuration with a webhook in place of its receivers.

    Its waits are a tenth, and nothing is repeated.
    """
    config = yaml.safe_load((ROOT / "deploy/alertmanager.yml").read_text())
    for route in (config["route"], *config["route"]["routes"]):
        route.pop("repeat_interval", None)
    config["route"] |= {"group_wait": "3s", "group_interval": "1s"}
    config["route"]["routes"][0]["group_wait"] = "1s"
    for receiver in config["receivers"]:
        receiver["webhook_configs"] = [{"url": f"{url}/{receiver['name']}"}]
    return config


def configured(folder: Path, url: str, **account: Any) -> Path:
    """As `configure`, with a key that this process can read, too."""
    key = folder / "key"
    key.write_text(KEY)
    return configure(
        folder, url, account={"api_key": {"file": str(key)}, **account}, poll={"lookback": "24h"}
    )


def stopped_two_hours_ago(config: Path, clock: SetBack) -> None:
    """Let the exporter have begun, and stopped, two hours ago.

    Alerts on budgets do not trust a younger ledger.
    """
    clock.by = 2 * HOUR
    well, _ = asyncio.run(catch_up(Options(load=lambda: load(config), clock=clock)))
    assert well
    clock.by = 0.0


def test_a_failure_burst_and_a_stuck_batch_are_notified_and_so_is_their_end(
    tmp_path, prometheus_binary, alertmanager_binary
):
    clock, hook = SetBack(), Webhook()
    specs = [
        ScheduleSpec(key=key, name=key, flow=f"{key} flow")
        for key in ("bursting", "hanging", "quiet")
    ]
    world = small_world(clock, *specs)
    with Served(simulator_app(world, keys=[Key(KEY)])) as api, Served(hook.app) as webhook:
        config = configured(tmp_path, api.url)
        stopped_two_hours_ago(config, clock)
        hour_ago = time.time() - HOUR
        hanging = api.call(
            lambda: world.add_batch(
                [GOOD] * 5 + [STUCK], at=hour_ago, completed=float("inf"), schedule="hanging"
            )
        )
        with (
            Exporter(config) as exporter,
            alertmanager(
                alertmanager_binary, tmp_path, alertmanager_config(webhook.url)
            ) as notifier,
            prometheus(
                prometheus_binary,
                tmp_path,
                target=exporter.url.removeprefix("http://"),
                rules=accelerated(RULES, tmp_path),
                alertmanager=notifier,
            ) as server,
        ):
            wait_for(lambda: server.value("runtype_up") == 1.0, every=0.2)
            api.call(
                lambda: world.add_batch(
                    [GOOD] * 30 + [BAD] * 30, at=time.time(), schedule="bursting"
                )
            )
            api.call(lambda: world.add_batch([GOOD] * 50 + [BAD], at=time.time(), schedule="quiet"))

            wait_for(
                lambda: hook.sent("firing") >= EXPECTED,
                every=0.2,
                patience=LONG,
                instead=lambda: hook.sent("firing"),
            )
            # The budget burns slowly, too, but whoever was woken is not notified of it.
            wait_for(lambda: (BURN, "warning") in server.alerts("firing"), every=0.2, patience=LONG)
            assert EXPECTED == hook.sent("firing")
            assert set() == hook.sent("resolved")

            api.call(lambda: world.cancel_batch(hanging.batch.id, time.time()))
            api.call(lambda: world.add_batch([GOOD] * 4000, at=time.time(), schedule="bursting"))
            wait_for(
                lambda: hook.sent("resolved") >= EXPECTED,
                every=0.2,
                patience=LONG,
                instead=lambda: hook.sent("resolved"),
            )
            wait_for(
                lambda: set() == server.alerts("firing"),
                every=0.2,
                patience=LONG,
                instead=lambda: server.alerts("firing"),
            )
            # It may be notified for a moment, when the page is over.
            assert EXPECTED == hook.sent("firing") - {WARNED}
            assert {("hanging", HANGING), ("bursting", FAILING)} == {
                (alert["labels"]["schedule"], alert["labels"]["alertname"])
                for _, alert in hook.received
                if alert["labels"]["alertname"] in (HANGING, FAILING)
            }
            assert [] == [text for text in hook.texts() if "no value" in text or "{{" in text]
            assert [] == server.failing_rules()


@pytest.mark.timeout(900)
def test_every_recording_rule_and_every_panel_has_data(tmp_path, prometheus_binary):
    """In normal operation.

    The demo's account has a day behind it, and the exporter comes back after two hours.
    """
    clock = SetBack()
    world = World(demo_settings(time.time() - 26 * HOUR), 1, clock)
    wanted = {*recorded(), *panels()}
    with Served(simulator_app(world, keys=[Key(KEY, requests_per_hour=1_000_000)])) as api:
        clock.by = 2 * HOUR
        night = api.call(lambda: world.runs(clock.now(), world.schedule_id("nightly")))[-1].batch
        config = configured(tmp_path, api.url, batches=[{"id": night.id, "name": "last night"}])
        stopped_two_hours_ago(config, clock)
        with (
            Exporter(config) as exporter,
            prometheus(
                prometheus_binary,
                tmp_path,
                target=exporter.url.removeprefix("http://"),
                rules=accelerated(RULES, tmp_path),
            ) as server,
        ):
            empty = set(wanted)

            def lacking() -> list[str]:
                """Queries of what there always is, and places that show nothing at all.

                A query that has had data is not asked again.
                """
                empty.difference_update(
                    [(place, q) for place, q in empty if server.has_data(q, since=120.0)]
                )
                bare = {place for place, _ in wanted} - {place for place, _ in wanted - empty}
                rare = (*TROUBLE, QUIET)
                return sorted(
                    {f"{place}: {q}" for place, q in empty if not any(word in q for word in rare)}
                    | bare
                )

            wait_for(
                lambda: not lacking(),
                every=0.5,
                patience=LONG,
                instead=lambda: "\n".join(["no data:", *lacking()]),
            )
            assert [] == server.failing_rules()


def recorded() -> set[tuple[str, str]]:
    """Each recording rule, and the query for what it records."""
    rules = [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "record" in rule and not any(part in rule["record"] for part in NO_SERIES)
    ]
    # A budget that is not used up too fast has no end: of these, one of the objectives' will do.
    queries = [
        _selector(rule["record"], {} if "exhaustion" in rule["record"] else rule.get("labels", {}))
        for rule in rules
    ]
    return set(zip(queries, queries, strict=True))


def panels() -> set[tuple[str, str]]:
    """Each panel, and each of its queries."""
    return {
        (f"{path.stem}: {title}", query)
        for path in DASHBOARDS
        for title, query in panel_queries(json.loads(path.read_text()))
    }


def _selector(name: str, labels: dict[str, str]) -> str:
    return (
        "{"
        + ",".join(f'{label}="{value}"' for label, value in {"__name__": name, **labels}.items())
        + "}"
    )
