"""Ready-made accounts: the company of the demo, and an empty account that a test fills."""

from __future__ import annotations

from dataclasses import dataclass, replace

from starlette.applications import Starlette

from runtype_exporter.clock import Clock
from runtype_exporter.simulator.account import World
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.faults import Faults
from runtype_exporter.simulator.settings import (
    AdhocSpec,
    Api,
    Burst,
    Price,
    ScheduleSpec,
    Subscription,
    Traffic,
    WorldSettings,
)

DAY = 86400.0
_HALF_AN_HOUR = 1800.0
# No secret: the key opens only a simulator.
DEMO_TOKEN = "rt_test_simulator"  # noqa: S105


def demo_settings(start: float) -> WorldSettings:
    """Return a company with schedules in every state of health and users who submit batches.

    Its history begins at `start`. A day later, when a demo begins, a user has been uploading a list
    every minute for half an hour, so some record always ends within seconds. The plan's month is
    then nearly used up.
    """
    hour = 3600.0
    calm = Traffic(latency=3.0, failure_share=0.004, slow_share=0.005)
    bursty = replace(
        calm, bursts=(Burst(first=start + 2 * hour, length=2 * hour, share=0.35, every=7 * hour),)
    )
    return WorldSettings(
        start=start,
        prices={
            "enrich company": Price(median=0.02, spike_share=0.1, spike_factor=8.0),
            "describe product": Price(median=0.012),
            "summarise": Price(median=0.03, sigma=0.9, spike_share=0.05),
            "score lead": Price(median=0.0008),
            "import list": Price(median=0.001),
        },
        subscription=Subscription(
            tier="team", daily=150_000, monthly=300_000, used=220_000, renews=6 * DAY
        ),
        schedules=(
            ScheduleSpec(
                key="leads",
                name="Score new leads",
                flow="score lead",
                cron="*/5 * * * *",
                traffic=calm,
                records=(10, 40),
            ),
            ScheduleSpec(
                key="tickets",
                name="Triage support tickets",
                flow="triage ticket",
                cron="*/10 * * * *",
                traffic=bursty,
            ),
            ScheduleSpec(
                key="invoices",
                name="Read invoices",
                flow="extract invoice",
                cron="*/15 * * * *",
                traffic=replace(
                    calm,
                    latency=9.0,
                    failure_share=0.03,
                    retry_share=0.7,
                    retry_limit=2,
                    failed_start_share=0.04,
                ),
            ),
            ScheduleSpec(
                key="companies",
                name="Enrich companies",
                flow="enrich company",
                cron="0 * * * *",
                records=(150, 400),
                traffic=replace(calm, latency=7.0, latency_sigma=0.8, concurrency=25),
            ),
            ScheduleSpec(
                key="contacts",
                name="Enrich contacts",
                flow="enrich contact",
                cron="30 * * * *",
                records=(100, 250),
                traffic=replace(calm, latency=6.0, stuck_share=0.004),
            ),
            ScheduleSpec(
                key="reviews",
                name="Summarise reviews",
                flow="summarise",
                cron="5,35 * * * *",
                traffic=replace(
                    calm, latency=20.0, latency_sigma=0.9, slow_share=0.06, slow_factor=15.0
                ),
            ),
            ScheduleSpec(
                key="nightly",
                name="Nightly catalogue",
                flow="describe product",
                cron="0 2 * * *",
                records=(1500, 2500),
                traffic=replace(calm, latency=8.0, concurrency=50),
            ),
            ScheduleSpec(
                key="berlin",
                name="Morning briefing",
                flow="brief",
                cron="30 7 * * 1-5",
                timezone="Europe/Berlin",
            ),
            ScheduleSpec(
                key="nameless",
                flow="classify",
                cron="*/20 * * * *",
                traffic=replace(calm, cancelled_share=0.02),
            ),
            ScheduleSpec(
                key="agent",
                name="Watch competitors",
                flow="research",
                kind="agent",
                cron="*/30 * * * *",
                traffic=replace(calm, failure_share=0.1),
            ),
            ScheduleSpec(
                key="cleanup",
                name="Clean records",
                flow="normalise",
                kind="inline",
                cron="50 */2 * * *",
                records=(5, 15),
            ),
            ScheduleSpec(
                key="paused", name="Old export", flow="export", cron="*/5 * * * *", enabled=False
            ),
            ScheduleSpec(
                key="cancelled",
                name="Translate pages",
                flow="translate",
                cron="10 */2 * * *",
                traffic=replace(calm, latency=12.0, cancelled_batches=0.3),
            ),
            ScheduleSpec(
                key="crm",
                name="Sync the CRM",
                flow="sync contact",
                cron="*/15 * * * *",
                records=(5, 25),
                traffic=replace(calm, missed_share=0.2),
            ),
            ScheduleSpec(
                key="digest",
                name="Publish digest",
                flow="write digest",
                cron="20 * * * *",
                records=(3, 12),
                traffic=replace(calm, latency=15.0, late_share=0.5, late_by=1500.0),
            ),
        ),
        adhoc=(
            AdhocSpec(key="import", flow="import list", cron="7,22,47 * * * *"),
            AdhocSpec(key="backfill", flow="score lead", cron="15 */6 * * *", records=(300, 600)),
            AdhocSpec(
                key="uploads",
                flow="read upload",
                cron="* * * * *",
                since=start + DAY - _HALF_AN_HOUR,
                records=(5, 40),
                traffic=replace(calm, latency=20.0, latency_sigma=0.5, concurrency=3),
            ),
        ),
    )


def demo_world(seed: int, clock: Clock) -> World:
    """Return the demo's company with one day of history."""
    return World(demo_settings(clock.now() - DAY), seed, clock)


def small_world(
    clock: Clock, *schedules: ScheduleSpec, seed: int = 1, api: Api | None = None
) -> World:
    """Return an account with only these schedules; the test adds the batches.

    The default is one schedule, `nightly`, that never falls due.
    """
    known = schedules or (ScheduleSpec(key="nightly", name="nightly", flow="enrich"),)
    return World(WorldSettings(start=clock.now(), schedules=known, api=api or Api()), seed, clock)


@dataclass(frozen=True, kw_only=True)
class SimulatorSettings:
    """How the demo's simulator starts. The speed of its time is that of the clock of `build`."""

    seed: int = 1
    keys: tuple[Key, ...] = (Key(DEMO_TOKEN, requests_per_hour=100_000),)
    control: bool = False


def build(settings: SimulatorSettings, clock: Clock) -> Starlette:
    """Return the API of the demo's company."""
    return simulator_app(
        demo_world(settings.seed, clock),
        keys=settings.keys,
        faults=Faults(seed=settings.seed),
        control=settings.control,
    )
