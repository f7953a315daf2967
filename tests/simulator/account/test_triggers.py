from itertools import islice
from math import inf

import pytest

from runtype_exporter.simulator.account.triggers import AdhocSubmitter, SimulatedSchedule
from runtype_exporter.simulator.settings import AdhocSpec, ScheduleSpec

MINUTE = 60.0
FIVE = ScheduleSpec(key="five", name="Five", cron="*/5 * * * *")


@pytest.fixture
def five(noon) -> SimulatedSchedule:
    return SimulatedSchedule("schedule_five", FIVE, noon)


def dues(source, noon, until=3600.0):
    """What falls due by then, in minutes since noon."""
    return [(due - noon) / MINUTE for due, _ in source.take(noon + until, inf)]


def test_what_is_due_is_taken_once_in_order_and_before_the_stop(five, noon):
    assert dues(five, noon, 900.0) == [5, 10, 15]
    assert dues(five, noon, 900.0) == []
    assert [due for due, _ in five.take(noon + 3600.0, noon + 1200.0)] == []
    assert dues(five, noon, 1500.0) == [20, 25]


def test_a_paused_schedule_does_not_fall_due_until_it_is_resumed(five, noon):
    five.change(noon + 8 * MINUTE, enabled=False)
    five.change(noon + 22 * MINUTE, enabled=True)
    assert dues(five, noon, 2000.0) == [5, 25, 30]


def test_what_falls_due_at_the_moment_of_a_change_goes_by_what_stood_before(five, noon):
    five.change(noon + 10 * MINUTE, enabled=False)
    five.change(noon + 20 * MINUTE, enabled=True)
    assert dues(five, noon, 2000.0) == [5, 10, 25, 30]


def test_a_changed_cron_fires_by_the_new_one_from_then_on(five, noon):
    five.change(noon + 12 * MINUTE, cron="*/20 * * * *", name="Twenty")
    taken = list(five.take(noon + 3600.0, inf))
    assert [(due - noon) / MINUTE for due, _ in taken] == [5, 10, 20, 40, 60]
    assert [spec.name for _, spec in taken] == ["Five", "Five", "Twenty", "Twenty", "Twenty"]


def test_a_change_counts_although_a_later_one_was_scripted_first(five, noon):
    five.change(noon + 30 * MINUTE, cron="0 * * * *")
    five.change(noon + 10 * MINUTE, cron="*/15 * * * *")
    assert dues(five, noon) == [5, 10, 15, 30, 60]


def test_a_changed_time_zone_moves_the_due_times(noon):
    daily = SimulatedSchedule("schedule_daily", ScheduleSpec(key="daily", cron="0 13 * * *"), noon)
    daily.change(noon + 30 * MINUTE, timezone="America/New_York")
    assert dues(daily, noon, 6 * 3600.0) == [300]


def test_a_deleted_schedule_exists_no_more_and_falls_due_no_more(five, noon):
    five.delete(noon + 12 * MINUTE)
    assert [five.exists(noon + at * MINUTE) for at in (-1, 0, 11, 12)] == [False, True, True, False]
    assert dues(five, noon) == [5, 10]


def test_a_change_is_seen_from_its_moment_on(five, noon):
    five.change(noon + 60, name="Renamed")
    five.change(noon + 90, timezone="Europe/Berlin")
    assert [five.spec(noon + at).name for at in (59, 60, 120)] == ["Five", "Renamed", "Renamed"]
    assert [five.updated(noon + at) - noon for at in (0, 59, 60, 90, 200)] == [0, 0, 60, 90, 90]
    assert five.created == noon


def test_what_is_due_next_goes_by_what_stands_now(five, noon):
    five.change(noon + 7 * MINUTE, cron="0 * * * *")
    assert five.due_after(noon + 6 * MINUTE) == noon + 10 * MINUTE
    assert five.due_after(noon + 7 * MINUTE) == noon + 60 * MINUTE


@pytest.mark.parametrize(
    "how", [lambda five, at: five.change(at, enabled=False), lambda five, at: five.delete(at)]
)
def test_a_change_before_what_was_taken_already_is_refused(five, noon, how):
    assert dues(five, noon, 600.0) == [5, 10]
    with pytest.raises(ValueError, match=r"schedule_five fell due at .* already"):
        how(five, noon + 9 * MINUTE)
    how(five, noon + 10 * MINUTE)
    assert dues(five, noon) == []


@pytest.mark.parametrize(
    "fields", [{"cron": "often"}, {"timezone": "Moon/Base"}, {"timezone": "../zone"}]
)
def test_a_change_without_due_times_is_refused_and_changes_nothing(five, noon, fields):
    with pytest.raises(ValueError, match=r"cron expression|time zone"):
        five.change(noon, **fields)
    assert five.spec(noon) == FIVE


def test_a_change_of_what_no_schedule_has_is_refused(five, noon):
    with pytest.raises(TypeError):
        five.change(noon, colour="red")


def test_a_moment_comes_once_and_not_while_paused(noon):
    once = SimulatedSchedule(
        "schedule_once", ScheduleSpec(key="once", run_at=noon + 10 * MINUTE), noon
    )
    once.change(noon + 15 * MINUTE, name="Renamed")
    assert dues(once, noon) == [10]
    paused = SimulatedSchedule(
        "schedule_once", ScheduleSpec(key="once", run_at=noon + 10 * MINUTE), noon
    )
    paused.change(noon + 5 * MINUTE, enabled=False)
    paused.change(noon + 15 * MINUTE, enabled=True)
    assert dues(paused, noon) == []
    paused.change(noon + 20 * MINUTE, run_at=noon + 30 * MINUTE)
    assert dues(paused, noon) == [30]


def test_a_schedule_may_become_one_that_never_falls_due(five, noon):
    five.change(noon + 7 * MINUTE, cron=None)
    assert dues(five, noon) == [5]
    assert five.due_after(noon + 7 * MINUTE) is None


def test_a_submitter_falls_due_from_the_start_or_from_a_moment_of_its_own(noon):
    spec = AdhocSpec(key="import", cron="*/10 * * * *")
    late = AdhocSpec(key="late", cron="*/10 * * * *", since=noon + 25 * MINUTE)
    assert [due for due, _ in islice(AdhocSubmitter(spec, noon).times(noon), 2)] == [
        noon + 600,
        noon + 1200,
    ]
    assert dues(AdhocSubmitter(spec, noon), noon, 1800.0) == [10, 20, 30]
    assert dues(AdhocSubmitter(late, noon), noon, 1800.0) == [30]
