"""A week with 200 schedules and with trouble of every kind: all is counted once, nothing grows."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from random import Random
from typing import Any

import pytest

from runtype_exporter.simulator.settings import (
    AdhocSpec,
    Api,
    ScheduleKind,
    ScheduleSpec,
    Traffic,
    WorldSettings,
)
from tests.support.company import CompanyRig
from tests.support.rig import START
from tests.support.trouble import DAY, HOUR, MINUTE, Trouble

SCHEDULES = 200
BUDGET = 2000
TRAFFIC = Traffic(latency=3.0, failure_share=0.1, retry_share=0.5, slow_share=0.0)
SECTIONS = {
    "poll": {"interval": "15m", "discovery_interval": "1h", "settle_time": "2h"},
    "state": {"retention": "36h"},
}
NEVER_OPEN_FOR = 30 * HOUR
"""No trouble lasts for more than two hours, and a batch that no run claims waits for a day."""


def schedule(number: int) -> ScheduleSpec:
    kind: ScheduleKind = {7: "agent", 8: "inline", 9: "agent_batch"}.get(number % 20, "flow")
    return ScheduleSpec(
        key=f"s{number}",
        name=f"schedule {number}",
        flow=f"flow {number % 12}",
        kind=kind,
        cron=f"{number % 60} {number % 24} * * *",
        records=(1, 4),
        traffic=TRAFFIC,
    )


def settings() -> WorldSettings:
    return WorldSettings(
        start=START,
        api=Api(recent_window=8 * HOUR, recent_limit=10_000),
        schedules=tuple(schedule(number) for number in range(SCHEDULES)),
        adhoc=(AdhocSpec(key="adhoc", cron="40 */2 * * *", records=(1, 4), traffic=TRAFFIC),),
    )


def configuration(random: Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a configuration that a reload may bring."""
    account = {
        "timeout": "5s",
        "requests_per_hour": BUDGET,
        "page_size": random.choice([10, 20, 30]),
    }
    poll = {**SECTIONS["poll"], "max_concurrency": random.choice([1, 2, 4])}
    return account, {**SECTIONS, "poll": poll}


def levels(rig: CompanyRig) -> dict[str, int]:
    """Return the sizes of what must not grow."""
    for record in (rig.telemetry.attempts, rig.telemetry.throttles, rig.telemetry.skews):
        record.clear()
    gc.collect()
    types = Counter(type(held) for held in gc.get_objects())
    ours = sum(
        count
        for held, count in types.items()
        if (module := str(held.__module__)).startswith("runtype_exporter.")
        and not module.startswith("runtype_exporter.simulator")
    )
    return {
        "tasks": len(asyncio.all_tasks()),
        "objects": ours,
        "rows of the ledger": rig.ledger.rows(),
        "bytes of the ledger": rig.ledger.size(),
    }


def oldest_open(rig: CompanyRig) -> float:
    """Return for how long the oldest open batch has been there, by the clock of the world."""
    world = {batch.id: batch.created for batch in rig.world.batches(rig.now)}
    return max(
        (rig.now - world[batch_id] for batch_id in rig.open_batches() if batch_id in world),
        default=0.0,
    )


# With coverage, on a busy machine.
@pytest.mark.timeout(900)
async def test_a_week_of_trouble_loses_nothing_repeats_nothing_and_grows_nothing(tmp_path):
    rig = CompanyRig(tmp_path, world=settings(), latency=0.1)
    rig.configure(*configuration(Random(0)))
    trouble = Trouble(rig, configuration, seed=1)
    after_half: dict[str, int] = {}
    async with rig:
        await rig.sleep(6 * HOUR)
        while rig.now < START + 7 * DAY:
            await trouble.strike()
            await rig.sleep(trouble.random.uniform(10 * MINUTE, HOUR))
            assert {labels: n for labels, n in rig.missing().items() if n < 0} == {}
            assert oldest_open(rig) < NEVER_OPEN_FOR, trouble.happened
            if not after_half and rig.now > START + 3.5 * DAY:
                after_half = levels(rig)
        rig.world.stop(rig.now)
        await rig.sleep(30 * HOUR)
        assert rig.missing() == {}, trouble.happened
        assert rig.run_truth() == rig.counted("runtype_schedule_runs_finished_total")
        assert rig.open_batches() == set()
        assert rig.counted("runtype_batches_given_up_total") == {}
        assert rig.app.state.requests.busiest_hour <= BUDGET
        grown = {
            name: (after_half[name], level)
            for name, level in levels(rig).items()
            if level > 1.2 * after_half[name] + 50
        }
        assert grown == {}
        assert len(trouble.happened) >= 10, trouble.happened
