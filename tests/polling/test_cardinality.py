"""Whatever the API shows, the number of series stays limited and totals stay exact."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtype_exporter import catalogue
from runtype_exporter.metrics import Gauges, MaxSeries, ProcessMetrics, Publisher, label_set_lines
from runtype_exporter.metrics.status_labels import OTHERS
from runtype_exporter.model import OVERFLOW
from runtype_exporter.polling import StatusWords
from runtype_exporter.polling.status_words import STATUS_LENGTH
from runtype_exporter.polling.sweeps.sweep import MOST_WORDS
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import (
    Api,
    RecordPlan,
    ScheduleSpec,
    Traffic,
    WorldSettings,
)
from tests.support.rig import START, Rig

FORMATS = ("text", "openmetrics")
LIMIT = 2000
QUICK = {"poll": {"interval": "1m", "settle_time": "2m"}}


class Exposed:
    """A rig and its exposition with a series limit."""

    def __init__(self, rig: Rig, limit: int = LIMIT) -> None:
        self.rig = rig
        self.process = ProcessMetrics()
        self.series_limit = rig.series_limit = MaxSeries(
            limit,
            label_set=label_set_lines(catalogue.boundaries(), 0),
            durable=lambda: rig.ledger.lines(),  # noqa: PLW0108  # it is opened later
            on_dropped=self.process.dropped,
        )
        self.gauges = rig.gauges = Gauges(
            batches_per_schedule=1, known_words=StatusWords().known, series_limit=self.series_limit
        )
        self.publisher = Publisher(
            ledger=lambda: rig.ledger.snapshot(),  # noqa: PLW0108  # see above
            gauges=self.gauges.snapshot,
            process=self.process,
            clock=rig.clock,
            gate=False,
            series_limit=self.series_limit,
        )

    def scrape(self, format_="text"):
        self.publisher.publish_now()
        _, body = self.publisher.body((format_, "identity"))
        return b"".join(body.chunks).decode()

    def lines(self):
        """Return the number of lines of the larger format."""
        return max(
            sum(not line.startswith("#") for line in self.scrape(format_).splitlines())
            for format_ in FORMATS
        )

    def samples(self, name):
        families = text_string_to_metric_families(self.scrape())
        return [sample for family in families for sample in family.samples if sample.name == name]

    def by_outcome(self):
        total = Counter()
        for sample in self.samples("runtype_records_finished_total"):
            total[sample.labels["outcome"]] += sample.value
        return {outcome: count for outcome, count in total.items() if count}

    async def watch(self, seconds):
        """Let time pass and check each scrape."""
        for _ in range(int(seconds / 20)):
            await self.rig.sleep(20)
            assert self.lines() <= self.series_limit.limit


def truth(rig):
    total = Counter()
    for (_, _, outcome), count in rig.truth().items():
        total[outcome] += count
    return total


async def test_label_sets_beyond_the_limit_are_pooled_and_their_totals_are_exact(
    tmp_path,
):
    traffic = Traffic(failure_share=0.3, cancelled_share=0.1)
    schedules = tuple(
        ScheduleSpec(
            key=f"k{n}",
            name=f"schedule {n}",
            flow=f"flow {n}",
            cron="*/5 * * * *",
            records=6,
            traffic=traffic,
        )
        for n in range(40)
    )
    rig = Rig(tmp_path, WorldSettings(start=START, schedules=schedules), sections=QUICK)
    exposed = Exposed(rig)
    async with rig:
        await exposed.watch(1500)
        rig.world.stop(rig.clock.now())
        await exposed.watch(900)
        assert rig.open_batches() == set()
        assert truth(rig) == exposed.by_outcome()
        shown = {
            (s.labels["schedule"], s.labels["flow"])
            for s in exposed.samples("runtype_records_finished_total")
        }
        assert (OVERFLOW, OVERFLOW) in shown
        assert 2 < len(shown) < 40
        pooled = {
            s.labels["kind"]: s.value
            for s in exposed.samples("runtype_exporter_series_dropped_total")
        }
        runs = {
            s.labels["schedule"] for s in exposed.samples("runtype_schedule_runs_finished_total")
        } - {OVERFLOW}
        assert 40 - (len(shown) - 1) + 40 - len(runs) <= pooled["overflow"] <= 80
        ended = sum(s.value for s in exposed.samples("runtype_schedule_runs_finished_total"))
        assert ended == sum(rig.run_truth().values())


async def test_a_label_set_keeps_its_own_series_over_a_restart_at_the_limit(tmp_path):
    rig = Rig(
        tmp_path,
        WorldSettings(start=START, schedules=(ScheduleSpec(key="a", name="nightly"),)),
        sections=QUICK,
    )
    exposed = Exposed(rig, limit=5000)
    async with rig:
        rig.world.add_batch(5, schedule="a", at=rig.clock.now())
        await exposed.watch(600)
        await rig.stop()
        exposed = Exposed(rig, limit=1000)
        exposed.series_limit.configure(1, label_set=1)
        rig.start()
        rig.world.add_batch(5, schedule="a", at=rig.clock.now())
        await rig.sleep(600)
        assert {
            s.labels["schedule"] for s in exposed.samples("runtype_records_finished_total")
        } == {"nightly"}
        assert truth(rig) == exposed.by_outcome()


async def test_a_backlog_of_hundreds_of_open_batches_fits_and_is_counted_whole(tmp_path):
    settings = WorldSettings(
        start=START, schedules=(ScheduleSpec(key="a", name="nightly"),), api=Api(recent_window=1e6)
    )
    rig = Rig(tmp_path, settings, sections=QUICK, latency=0.2)
    exposed = Exposed(rig)
    async with rig:
        await rig.sleep(10)
        await rig.stop()
        for number in range(300):
            rig.world.add_batch(4, schedule="a", at=rig.clock.now() + number)
        await asyncio.sleep(400)
        rig.start()
        await rig.sleep(5)
        assert len(rig.open_batches()) > 200
        assert exposed.lines() <= LIMIT
        dropped = {
            s.labels["kind"]: s.value
            for s in exposed.samples("runtype_exporter_series_dropped_total")
        }
        assert dropped["batch"] > 50
        await exposed.watch(1200)
        assert rig.open_batches() == set()
        assert truth(rig) == exposed.by_outcome()


@pytest.mark.parametrize("kind", ["words", "hostile"])
async def test_endless_status_words_make_few_series(tmp_path, kind):
    settings = WorldSettings(start=START, schedules=(ScheduleSpec(key="a", name="nightly"),))
    rig = Rig(tmp_path, settings, account={"page_size": 10}, sections=QUICK)
    exposed = Exposed(rig, limit=50_000)
    async with rig:
        rig.world.add_batch([RecordPlan(finished=1e9)] * 600, schedule="a", at=rig.clock.now())
        words = set()
        for round_ in range(4):
            rig.faults.clear()
            rig.faults.add(ApiFault(kind="words", operation="runs", value=f"batch {round_}"))
            for page in range(10, 60):
                word = f"{round_} {page} {'x' * 300}"
                rig.faults.add(
                    ApiFault(
                        kind=kind, operation="batch_results", match=f"offset={page}0", value=word
                    )
                )
            await rig.sleep(120)
            (batch,) = rig.ledger.open_batches("acme")
            assert batch.snapshot.tally.distinct == 600
            assert len(batch.snapshot.tally.statuses) <= MOST_WORDS + 1
            words |= {s.labels["status"] for s in exposed.samples("runtype_batch_records")}
        assert len(words) == {"words": OTHERS + 2, "hostile": 9}[kind]
        assert max(len(word) for word in words) <= STATUS_LENGTH
        assert sum(s.value for s in exposed.samples("runtype_batch_records")) == 600
        states = [s.labels["state"] for s in exposed.samples("runtype_batch_state") if s.value]
        assert states == ["unknown"]
