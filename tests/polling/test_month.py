"""A month of batches, all of which stay listed: nothing grows, is counted twice or is lost."""

from __future__ import annotations

import asyncio
from collections import Counter

from runtype_exporter.metrics import Gauges, ProcessMetrics, Publisher
from runtype_exporter.model import HistogramValue, Snapshot
from runtype_exporter.simulator.settings import AdhocSpec, Api, ScheduleSpec, Traffic, WorldSettings
from tests.support.rig import START, Rig

DAY = 86_400.0
TRAFFIC = Traffic(failure_share=0.2, retry_share=0.5)
SETTINGS = WorldSettings(
    start=START,
    api=Api(recent_window=1e9, recent_limit=100_000),
    schedules=(
        ScheduleSpec(
            key="a", name="every 4 hours", cron="0 */4 * * *", records=(3, 8), traffic=TRAFFIC
        ),
        ScheduleSpec(key="agent", name="agent", kind="agent", cron="30 */6 * * *"),
    ),
    adhoc=(AdhocSpec(key="x", cron="15 */6 * * *", records=(1, 5), traffic=TRAFFIC),),
)
SECTIONS = {
    "poll": {"interval": "1h", "discovery_interval": "4h", "settle_time": "2h"},
    "state": {"retention": "4d"},
}


class Watched:
    """Everything of the process except polling: published counters, gauges, gate and text."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.held: dict[tuple[str, tuple[str, ...]], float] = {}
        self.ended: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.gauges = rig.gauges = Gauges(batches_per_schedule=1, known_words=frozenset())
        self.publisher = Publisher(
            ledger=self.snapshot,
            gauges=self.gauges.snapshot,
            process=ProcessMetrics(),
            clock=rig.clock,
        )

    def snapshot(self) -> Snapshot:
        snapshot = self.rig.ledger.snapshot()
        self.gauges.retire(snapshot)
        for name, family in snapshot.families.items():
            for labels, sample in family.items():
                if sample is None:
                    self.ended[name, labels] += self.held.pop((name, labels))
                else:
                    value = sample.value
                    self.held[name, labels] = (
                        sum(value.counts) if isinstance(value, HistogramValue) else value
                    )
        return snapshot

    async def scraped(self) -> None:
        while True:
            self.publisher.publish_now()
            version, _ = self.publisher.body(("openmetrics", "gzip"))
            self.publisher.served(version)
            await asyncio.sleep(3600)

    def total(self, metric: str) -> dict[tuple[str, ...], float]:
        """Return a counter with its ended series, without the account label."""
        total: Counter[tuple[str, ...]] = Counter()
        for series in (self.held, self.ended):
            for (name, labels), value in series.items():
                if name == metric and value:
                    total[labels[1:]] += value
        return dict(total)

    def levels(self) -> dict[str, int]:
        """Return the size of everything that may grow."""
        rig, gate, renderer = self.rig, self.publisher._gate, self.publisher._renderer
        parts, collectors = rig.poller._parts, rig.poller.context.collectors
        with rig.ledger._database.reading() as connection:
            tables = [
                name
                for (name,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                )
            ]
            rows = {
                f"rows of {name}": connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
                for name in tables
            }
        families = renderer._families.values()
        return rows | {
            "identities": rig.ledger.rows(),
            "bytes": rig.ledger.size(),
            "open batches": len(rig.open_batches()),
            "groups of gauges": len(self.gauges._groups),
            "batches with gauges": len(self.gauges._group_of),
            "series at the gate": len(gate._began),
            "series held back": (
                len(gate._holds) + sum(len(cohort.series) for cohort in gate._cohorts)
            ),
            "shards": sum(len(family.shards) for family in families),
            "series rendered": sum(len(family._series) for family in families),
            "durable series": len(self.held),
            "lines": self.publisher.current.lines,
            "lines of the ledger": rig.ledger.lines(),
            "missing": len(parts.closer.missing),
            "warned of": len(parts.workers._warned) + len(parts.discovery.batches._warned),
            "waiting": len(parts.workers.queue),
            "streaks": len(collectors._streaks),
            "failed items": sum(len(state.failed_items) for state in collectors._states.values()),
            "probed": len(parts.probes._probed),
            "page sizes": len(rig.poller.context.page_sizes._sizes),
        }


async def a_month(rig: Rig, watched: Watched) -> dict[int, dict[str, int]]:
    """Make a schedule each day, run it twice and delete it. Return the levels after each week."""
    levels = {}
    for day in range(28):
        made = ScheduleSpec(
            key=f"day {day}",
            name=f"only on day {day}",
            flow=f"flow {day}",
            records=4,
            traffic=TRAFFIC,
        )
        id_ = rig.world.add_schedule(made)
        await rig.sleep(DAY / 4)
        rig.world.run_now(id_, rig.clock.now())
        await rig.sleep(DAY / 4)
        rig.world.run_now(id_, rig.clock.now())
        await rig.sleep(DAY / 2)
        rig.world.delete(id_, rig.clock.now())
        if day % 7 == 6:
            levels[day // 7 + 1] = watched.levels()
    return levels


async def test_over_a_month_nothing_grows_and_every_total_is_the_truth(tmp_path):
    rig = Rig(tmp_path, SETTINGS, sections=SECTIONS)
    watched = Watched(rig)
    async with rig:
        scraping = asyncio.create_task(watched.scraped())
        levels = await a_month(rig, watched)
        rig.world.stop(rig.clock.now())
        await rig.sleep(2 * DAY)
        scraping.cancel()
        assert rig.open_batches() == set()
        assert rig.truth() == watched.total("runtype_records_finished_total")
        assert rig.run_truth() == watched.total("runtype_schedule_runs_finished_total")
        assert sum(watched.ended.values()), "schedules that are gone have ended"
        listed = (await rig.client.summary()).recent
    # Of a batch that stays listed, the fact that it was counted stays as well, and nothing else.
    tombstones = levels[4].pop("rows of batches")
    assert tombstones <= len(listed)
    slack = dict.fromkeys(levels[2], 10) | {
        "bytes": 65_536 + 1024 * tombstones,
        "identities": 50,
        "rows of results": 50,
    }
    grown = {
        name: (levels[2][name], level)
        for name, level in levels[4].items()
        if level > levels[2][name] * 1.05 + slack[name]
    }
    assert grown == {}
    assert set(rig.telemetry.cycles) == {""}
