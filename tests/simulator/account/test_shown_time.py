from math import inf

import pytest

from runtype_exporter.simulator.account.shown_time import ShownTime
from runtype_exporter.simulator.presets import small_world


@pytest.mark.parametrize(
    ("at", "shown"), [(99.0, 99.0), (100.0, 3700.0), (149.0, 3749.0), (150.0, 50.0), (inf, inf)]
)
def test_a_moment_shows_what_the_clock_was_set_to_by_then(at, shown):
    time = ShownTime()
    time.step(150.0, -3700.0)
    time.step(100.0, 3600.0)
    assert time.shown(at) == shown


def test_items_are_sorted_by_the_times_that_they_show():
    time = ShownTime()
    moments = [10.0, 20.0, 30.0, 40.0]
    assert time.sort(moments, lambda at: at) == moments
    time.step(25.0, -15.0)
    time.step(35.0, 15.0)
    assert time.sort(moments, lambda at: at) == [10.0, 30.0, 20.0, 40.0]


async def test_answers_show_the_time_that_was_set_and_keep_that_of_earlier_moments(clock, open_api):
    world = small_world(clock)
    early = world.add_batch(1, schedule="nightly", at=clock.at)
    world.shown_time.step(clock.at + 30, 7200.0)
    late = world.add_batch(1, schedule="nightly", at=clock.at + 60)
    clock.at += 120
    async with open_api(world) as api:
        answer = await api.client.get("/v1/schedules/runs/all")
    assert answer.headers["date"] == "Wed, 01 Jul 2026 14:02:00 GMT"
    assert {run["id"]: run["createdAt"] for run in answer.json()["data"]} == {
        early.id: "2026-07-01T12:00:00.000Z",
        late.id: "2026-07-01T14:01:00.000Z",
    }
