"""Publishing in virtual time: what is rendered, when, and what a scrape gets."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from runtype_exporter.metrics.publish import DEMAND, PROCESS_AGE, Publisher
from runtype_exporter.metrics.shards import SHARD_SERIES
from runtype_exporter.model import Sample, Snapshot
from tests.support.virtual import VirtualClock, run

RECORDS = "runtype_records_finished_total"
TOTAL = "runtype_batch_total_records"
TEXT, SCRAPE = ("text", "identity"), ("openmetrics", "gzip")


class Source:
    """Hands out what was put in since it was asked last."""

    def __init__(self):
        self.families = {}

    def put(self, name, labels, sample):
        self.families.setdefault(name, {})[labels] = sample

    def __call__(self):
        families, self.families = self.families, {}
        return Snapshot(1, families)


class FakeProcess:
    def __init__(self):
        self.changed = False
        self.refreshed = 0
        self.created_lines = 0
        self.failing = False

    def refresh(self, lines):
        self.refreshed += 1
        self.changed = False
        return lines + 1

    def chunk(self, format_):
        return f"process {self.refreshed}\n".encode() + (
            b"# EOF\n" if format_ == "openmetrics" else b""
        )


class Harness:
    def __init__(self, *, gate=True):
        self.ledger, self.gauges, self.process = Source(), Source(), FakeProcess()
        self.clock = VirtualClock(asyncio.get_running_loop(), start=1_700_000_000.0)
        self.publisher = Publisher(
            ledger=self.ledger,
            gauges=self.gauges,
            process=self.process,
            clock=self.clock,
            gate=gate,
        )

    def count(self, value, outcome="success"):
        self.ledger.put(RECORDS, ("a", "s", "f", outcome), Sample(value, 100.0))

    def snapshot(self, value, batch="b"):
        self.gauges.put(TOTAL, ("a", "s", "f", batch), Sample(value))

    def scrape(self, variant=TEXT, *, served=True):
        version, body = self.publisher.body(variant)
        if served:
            self.publisher.served(version)
        data = b"".join(body.chunks)
        assert len(data) == body.length
        return (gzip.decompress(data) if variant[1] == "gzip" else data).decode()

    def value(self, name, **kwargs):
        """The one sample of a metric that a scrape shows, None for none."""
        values = [
            line.split()[-1]
            for line in self.scrape(**kwargs).splitlines()
            if line.startswith(f"{name}{{")
        ]
        assert len(values) <= 1
        return float(values[0]) if values else None


def virtual(test):
    """Runs a test on a loop whose time advances by itself."""

    def on_a_virtual_loop():
        run(test())

    on_a_virtual_loop.__name__ = test.__name__
    return on_a_virtual_loop


@virtual
async def test_before_anything_was_published_the_exposition_is_empty():
    harness = Harness()
    assert harness.publisher.current.version == 0
    assert dict(harness.publisher.current.bodies) == {}


@virtual
async def test_the_first_scrape_finds_everything_although_nothing_was_published_before():
    harness = Harness()
    harness.count(7.0)
    assert harness.value(RECORDS) == 7.0
    assert harness.publisher.current.version == 1


@virtual
async def test_what_was_counted_after_the_first_snapshot_shows_once_a_scrape_was_served():
    harness = Harness()
    harness.publisher.publish_now()
    harness.count(7.0)
    harness.publisher.publish_now()
    assert harness.value(RECORDS) == 0.0
    harness.publisher.publish_now()
    assert harness.value(RECORDS) == 7.0


@virtual
async def test_a_body_that_was_not_sent_whole_counts_for_nothing():
    harness = Harness()
    harness.publisher.publish_now()
    harness.count(7.0)
    harness.publisher.publish_now()
    for _ in range(3):
        harness.publisher.publish_now()
        assert harness.value(RECORDS, served=False) == 0.0


@virtual
async def test_serving_an_exposition_that_is_no_longer_the_current_one_frees_only_what_it_showed():
    harness = Harness()
    harness.publisher.publish_now()
    harness.count(7.0)
    harness.publisher.publish_now()
    version, _ = harness.publisher.body(TEXT)
    harness.count(9.0, outcome="failure")
    harness.publisher.publish_now()
    harness.publisher.served(version)
    harness.publisher.publish_now()
    text = harness.scrape()
    assert 'outcome="success",schedule="s"} 7.0' in text
    assert 'outcome="failure",schedule="s"} 0.0' in text


@virtual
async def test_without_the_gate_everything_shows_at_once():
    harness = Harness(gate=False)
    harness.publisher.publish_now()
    harness.count(7.0)
    harness.publisher.publish_now()
    assert harness.value(RECORDS) == 7.0


@virtual
async def test_a_process_that_nobody_scrapes_shows_after_two_minutes():
    harness = Harness()
    harness.publisher.publish_now()
    harness.count(7.0)
    task = asyncio.create_task(harness.publisher.run())
    await asyncio.sleep(119)
    assert harness.value(RECORDS, served=False) == 0.0
    await asyncio.sleep(3)
    assert harness.value(RECORDS, served=False) == 7.0
    task.cancel()


@virtual
async def test_changes_are_published_once_a_second():
    harness = Harness()
    task = asyncio.create_task(harness.publisher.run())
    await asyncio.sleep(0.5)
    harness.scrape()
    version = harness.publisher.current.version
    for value in range(1, 10):
        harness.snapshot(float(value))
    assert harness.publisher.current.version == version
    await asyncio.sleep(0.6)
    assert harness.publisher.current.version == version + 1
    assert harness.value(TOTAL) == 9.0
    task.cancel()


@virtual
async def test_an_exposition_never_changes_after_it_was_swapped_in():
    harness = Harness()
    harness.snapshot(1.0)
    _, body = harness.publisher.body(TEXT)
    before, bytes_before = harness.publisher.current, b"".join(body.chunks)
    harness.snapshot(2.0)
    harness.publisher.publish_now()
    assert b"".join(body.chunks) == bytes_before
    assert before.version == 1
    assert harness.publisher.current.version == 2
    with pytest.raises(TypeError):
        before.bodies[TEXT] = body


@virtual
async def test_where_nothing_changes_the_same_bytes_are_served():
    harness = Harness()
    harness.snapshot(1.0)
    harness.scrape()
    before = harness.publisher.current
    harness.publisher.publish_now()
    await harness.publisher.publish()
    assert harness.publisher.current is before


@virtual
async def test_the_process_s_own_numbers_grow_no_older_than_a_few_seconds():
    harness = Harness()
    assert "process 1" in harness.scrape()
    await asyncio.sleep(PROCESS_AGE - 1)
    harness.publisher.publish_now()
    assert "process 1" in harness.scrape()
    await asyncio.sleep(1)
    harness.publisher.publish_now()
    assert "process 2" in harness.scrape()
    harness.process.changed = True
    await harness.publisher.publish()
    assert "process 3" in harness.scrape()
    harness.clock.jump(-86400.0)
    harness.publisher.publish_now()
    assert "process 4" in harness.scrape()


@virtual
async def test_while_nobody_scrapes_the_process_s_own_numbers_are_left_alone():
    harness = Harness()
    harness.publisher.publish_now()
    refreshed = harness.process.refreshed
    harness.process.changed = True
    await asyncio.sleep(100)
    harness.publisher.publish_now()
    assert harness.process.refreshed == refreshed


@virtual
async def test_a_second_variant_joins_the_same_version():
    harness = Harness()
    harness.snapshot(3.0)
    text = harness.scrape(TEXT)
    version = harness.publisher.current.version
    openmetrics = harness.scrape(SCRAPE)
    assert harness.publisher.current.version == version
    assert openmetrics == text + "# EOF\n"
    assert set(harness.publisher.current.bodies) == {TEXT, SCRAPE}


@virtual
async def test_a_variant_that_nobody_asks_for_is_dropped_and_comes_again_on_demand():
    harness = Harness()
    harness.snapshot(3.0)
    harness.scrape(TEXT)
    await asyncio.sleep(DEMAND - 1)
    harness.scrape(SCRAPE)
    harness.publisher.publish_now()
    assert set(harness.publisher.current.bodies) == {TEXT, SCRAPE}
    await asyncio.sleep(1)
    harness.publisher.publish_now()
    assert set(harness.publisher.current.bodies) == {SCRAPE}
    assert harness.value(TOTAL) == 3.0


@virtual
async def test_lines_are_those_of_the_exposition():
    harness = Harness()
    harness.snapshot(3.0)
    harness.count(1.0)
    text = harness.scrape()
    assert harness.publisher.current.lines == sum(
        not line.startswith("#") for line in text.splitlines()
    )


class Impatient:
    """Fills many shards, and scrapes at the first halt while they are rendered."""

    def __init__(self, harness):
        self.harness = harness
        self.shards = 20

    def fill(self, value):
        for number in range(self.shards * SHARD_SERIES):
            self.harness.snapshot(value, batch=str(number))

    def values(self, variant=TEXT):
        lines = self.harness.scrape(variant).splitlines()
        return {line.split()[-1] for line in lines if line.startswith(TOTAL)}


@virtual
async def test_a_large_change_yields_to_others_and_is_never_shown_in_part():
    harness = Harness()
    many = Impatient(harness)
    many.fill(1.0)
    assert many.values() == {"1.0"}
    many.fill(2.0)
    publishing = asyncio.create_task(harness.publisher.publish())
    turns = 0
    while not publishing.done():
        await asyncio.sleep(0)
        if not publishing.done():
            assert many.values() == {"1.0"}
        turns += 1
    assert turns >= many.shards / 2
    assert many.values() == {"2.0"}


@virtual
async def test_a_variant_demanded_while_a_change_is_rendered_shows_all_of_it():
    harness = Harness()
    many = Impatient(harness)
    many.fill(1.0)
    many.values()
    many.fill(2.0)
    publishing = asyncio.create_task(harness.publisher.publish())
    await asyncio.sleep(0)
    assert many.values(SCRAPE) == {"2.0"}
    current = harness.publisher.current
    await publishing
    assert harness.publisher.current is current, "who could not wait published the version"
    assert many.values() == {"2.0"}


@virtual
async def test_a_publication_that_was_cut_off_is_made_up_for_by_the_next():
    harness = Harness()
    many = Impatient(harness)
    many.fill(1.0)
    many.values()
    many.fill(2.0)
    publishing = asyncio.create_task(harness.publisher.publish())
    await asyncio.sleep(0)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert many.values() == {"1.0"}
    harness.publisher.publish_now()
    assert many.values() == {"2.0"}
