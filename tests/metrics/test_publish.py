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
EMPTY = Snapshot(0, {})


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


class House:
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

    def picture(self, value, batch="b"):
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
    house = House()
    assert house.publisher.current.version == 0
    assert dict(house.publisher.current.bodies) == {}


@virtual
async def test_the_first_scrape_finds_everything_although_nothing_was_published_before():
    house = House()
    house.count(7.0)
    assert house.value(RECORDS) == 7.0
    assert house.publisher.current.version == 1


@virtual
async def test_what_was_counted_after_the_first_snapshot_shows_once_a_scrape_was_served():
    house = House()
    house.publisher.publish_now()
    house.count(7.0)
    house.publisher.publish_now()
    assert house.value(RECORDS) == 0.0
    house.publisher.publish_now()
    assert house.value(RECORDS) == 7.0


@virtual
async def test_a_body_that_was_not_sent_whole_counts_for_nothing():
    house = House()
    house.publisher.publish_now()
    house.count(7.0)
    house.publisher.publish_now()
    for _ in range(3):
        house.publisher.publish_now()
        assert house.value(RECORDS, served=False) == 0.0


@virtual
async def test_serving_an_exposition_that_is_no_longer_the_current_one_frees_only_what_it_showed():
    house = House()
    house.publisher.publish_now()
    house.count(7.0)
    house.publisher.publish_now()
    version, _ = house.publisher.body(TEXT)
    house.count(9.0, outcome="failure")
    house.publisher.publish_now()
    house.publisher.served(version)
    house.publisher.publish_now()
    text = house.scrape()
    assert 'outcome="success",schedule="s"} 7.0' in text
    assert 'outcome="failure",schedule="s"} 0.0' in text


@virtual
async def test_without_the_gate_everything_shows_at_once():
    house = House(gate=False)
    house.publisher.publish_now()
    house.count(7.0)
    house.publisher.publish_now()
    assert house.value(RECORDS) == 7.0


@virtual
async def test_a_process_that_nobody_scrapes_shows_after_two_minutes():
    house = House()
    house.publisher.publish_now()
    house.count(7.0)
    task = asyncio.create_task(house.publisher.run())
    await asyncio.sleep(119)
    assert house.value(RECORDS, served=False) == 0.0
    await asyncio.sleep(3)
    assert house.value(RECORDS, served=False) == 7.0
    task.cancel()


@virtual
async def test_changes_are_published_once_a_second():
    house = House()
    task = asyncio.create_task(house.publisher.run())
    await asyncio.sleep(0.5)
    house.scrape()
    version = house.publisher.current.version
    for value in range(1, 10):
        house.picture(float(value))
    assert house.publisher.current.version == version
    await asyncio.sleep(0.6)
    assert house.publisher.current.version == version + 1
    assert house.value(TOTAL) == 9.0
    task.cancel()


@virtual
async def test_an_exposition_never_changes_after_it_was_swapped_in():
    house = House()
    house.picture(1.0)
    _, body = house.publisher.body(TEXT)
    before, bytes_before = house.publisher.current, b"".join(body.chunks)
    house.picture(2.0)
    house.publisher.publish_now()
    assert b"".join(body.chunks) == bytes_before
    assert before.version == 1
    assert house.publisher.current.version == 2
    with pytest.raises(TypeError):
        before.bodies[TEXT] = body


@virtual
async def test_where_nothing_changes_the_same_bytes_are_served():
    house = House()
    house.picture(1.0)
    house.scrape()
    before = house.publisher.current
    house.publisher.publish_now()
    await house.publisher.publish()
    assert house.publisher.current is before


@virtual
async def test_the_process_s_own_numbers_grow_no_older_than_a_few_seconds():
    house = House()
    assert "process 1" in house.scrape()
    await asyncio.sleep(PROCESS_AGE - 1)
    house.publisher.publish_now()
    assert "process 1" in house.scrape()
    await asyncio.sleep(1)
    house.publisher.publish_now()
    assert "process 2" in house.scrape()
    house.process.changed = True
    await house.publisher.publish()
    assert "process 3" in house.scrape()
    house.clock.jump(-86400.0)
    house.publisher.publish_now()
    assert "process 4" in house.scrape()


@virtual
async def test_while_nobody_scrapes_the_process_s_own_numbers_are_left_alone():
    house = House()
    house.publisher.publish_now()
    refreshed = house.process.refreshed
    house.process.changed = True
    await asyncio.sleep(100)
    house.publisher.publish_now()
    assert house.process.refreshed == refreshed


@virtual
async def test_a_second_variant_joins_the_same_version():
    house = House()
    house.picture(3.0)
    text = house.scrape(TEXT)
    version = house.publisher.current.version
    openmetrics = house.scrape(SCRAPE)
    assert house.publisher.current.version == version
    assert openmetrics == text + "# EOF\n"
    assert set(house.publisher.current.bodies) == {TEXT, SCRAPE}


@virtual
async def test_a_variant_that_nobody_asks_for_is_dropped_and_comes_again_on_demand():
    house = House()
    house.picture(3.0)
    house.scrape(TEXT)
    await asyncio.sleep(DEMAND - 1)
    house.scrape(SCRAPE)
    house.publisher.publish_now()
    assert set(house.publisher.current.bodies) == {TEXT, SCRAPE}
    await asyncio.sleep(1)
    house.publisher.publish_now()
    assert set(house.publisher.current.bodies) == {SCRAPE}
    assert house.value(TOTAL) == 3.0


@virtual
async def test_lines_are_those_of_the_exposition():
    house = House()
    house.picture(3.0)
    house.count(1.0)
    text = house.scrape()
    assert house.publisher.current.lines == sum(
        not line.startswith("#") for line in text.splitlines()
    )


class Impatient:
    """Fills many shards, and scrapes at the first halt while they are rendered."""

    def __init__(self, house):
        self.house = house
        self.shards = 20

    def fill(self, value):
        for number in range(self.shards * SHARD_SERIES):
            self.house.picture(value, batch=str(number))

    def values(self, variant=TEXT):
        lines = self.house.scrape(variant).splitlines()
        return {line.split()[-1] for line in lines if line.startswith(TOTAL)}


@virtual
async def test_a_large_change_leaves_room_for_others_and_is_never_shown_in_part():
    house = House()
    many = Impatient(house)
    many.fill(1.0)
    assert many.values() == {"1.0"}
    many.fill(2.0)
    publishing = asyncio.create_task(house.publisher.publish())
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
    house = House()
    many = Impatient(house)
    many.fill(1.0)
    many.values()
    many.fill(2.0)
    publishing = asyncio.create_task(house.publisher.publish())
    await asyncio.sleep(0)
    assert many.values(SCRAPE) == {"2.0"}
    current = house.publisher.current
    await publishing
    assert house.publisher.current is current, "who could not wait published the version"
    assert many.values() == {"2.0"}


@virtual
async def test_a_publication_that_was_cut_off_is_made_up_for_by_the_next():
    house = House()
    many = Impatient(house)
    many.fill(1.0)
    many.values()
    many.fill(2.0)
    publishing = asyncio.create_task(house.publisher.publish())
    await asyncio.sleep(0)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert many.values() == {"1.0"}
    house.publisher.publish_now()
    assert many.values() == {"2.0"}
