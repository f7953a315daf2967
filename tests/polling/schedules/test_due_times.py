"""When schedules are due: nextRunAt, the cron expression, and nothing around a pause or an edit."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runtype_exporter.model import Schedule
from runtype_exporter.polling.schedules.due_times import MOST, due_times, observe, unlisted
from runtype_exporter.runtype import ScheduleRow


def at(text: str) -> float:
    """Return a moment of the first of June 2026, or of another day, in UTC."""
    return (
        datetime.fromisoformat(text if "T" in text else f"2026-06-01T{text}")
        .replace(tzinfo=UTC)
        .timestamp()
    )


def iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat()


def a_schedule(until: str = "12:00", **fields) -> Schedule:
    values = {"cron": "*/5 * * * *", "timezone": "UTC", "next_run": at("12:05")}
    return Schedule(account="acme", id="s1", until=at(until), **{**values, **fields})


def a_row(next_run: str | None = "12:15", **fields) -> ScheduleRow:
    values = {
        "cron": "*/5 * * * *",
        "timezone": "UTC",
        "next_run_at": iso(next_run and at(next_run)),
    }
    return ScheduleRow(id="s1", **{**values, **fields})


def times(schedule: Schedule, until: str) -> list[str]:
    return [
        datetime.fromtimestamp(due, UTC).strftime("%H:%M") for due in due_times(schedule, at(until))
    ]


# --- due times ---
@pytest.mark.parametrize(
    ("fields", "until", "expected"),
    [
        ({}, "12:04", []),
        ({}, "12:05", ["12:05"]),
        ({}, "12:17", ["12:05", "12:10", "12:15"]),
        ({"until": "12:05"}, "12:17", ["12:10", "12:15"]),
        ({"next_run": at("12:07:03")}, "12:17", ["12:07"]),
        ({"next_run": at("12:05:03")}, "12:12", ["12:05", "12:10"]),
        ({"next_run": at("11:00")}, "12:12", ["12:05", "12:10"]),
        ({"next_run": None}, "12:12", []),
        ({"enabled": False}, "12:12", []),
        ({"listed": False}, "12:12", []),
        ({"cron": "every five minutes"}, "12:12", ["12:05"]),
        ({"cron": "5 * * * *"}, "14:12", ["12:05", "13:05", "14:05"]),
        ({"timezone": "Mars/Olympus"}, "12:12", ["12:05"]),
        ({"timezone": "../etc"}, "12:12", ["12:05"]),
        ({"timezone": ""}, "12:12", ["12:05", "12:10"]),
        ({"timezone": "Europe/Berlin", "cron": "5 14 * * *"}, "12:12", ["12:05"]),
        ({"cron": "0 0 30 2 *"}, "12:12", ["12:05"]),
        ({"cron": "", "next_run": at("12:05")}, "12:12", []),
        ({"cron": "", "run_at": at("12:06")}, "12:12", ["12:06"]),
        ({"cron": "", "run_at": at("12:00")}, "12:12", []),
        ({"cron": "", "run_at": at("12:13")}, "12:12", []),
        ({"next_run": -62_135_596_800.0}, "12:12", []),
    ],
)
def test_the_api_tells_the_next_due_time_and_the_cron_expression_what_follows(
    fields, until, expected
):
    assert expected == times(a_schedule(**fields), until)


def test_a_long_downtime_leaves_so_many_due_times_and_no_more():
    assert MOST == len(due_times(a_schedule(next_run=at("12:05")), at("2026-12-01T00:00"))[1:])


def test_a_daily_time_that_the_clocks_skip_is_due_when_the_api_says():
    # 02:30 does not exist in Berlin that night.
    before, skipped = at("2026-03-28T01:30"), at("2026-03-29T01:30")
    night = a_schedule(cron="30 2 * * *", timezone="Europe/Berlin", next_run=before)
    night = Schedule(
        account="acme",
        id="s1",
        until=before - 1,
        cron=night.cron,
        timezone=night.timezone,
        next_run=before,
    )
    assert [before, at("2026-03-29T01:00")] == due_times(night, at("2026-03-29T12:00"))
    schedule = Schedule(
        account="acme",
        id="s1",
        until=before,
        cron=night.cron,
        timezone=night.timezone,
        next_run=skipped,
    )
    assert [skipped] == due_times(schedule, at("2026-03-29T12:00"))
    # The expression does not account for it: no more is taken from it.
    assert [skipped] == due_times(schedule, at("2026-03-31T12:00"))


def test_a_daily_time_that_the_clocks_repeat_is_due_once():
    first = at("2026-10-24T00:30")  # 02:30 in Berlin, twice the night after
    night = Schedule(
        account="a",
        id="s",
        until=first - 1,
        cron="30 2 * * *",
        timezone="Europe/Berlin",
        next_run=first,
    )
    expected = [first, at("2026-10-25T00:30"), at("2026-10-26T01:30")]
    assert expected == due_times(night, at("2026-10-26T12:00"))


def test_in_the_repeated_hour_only_the_api_says_what_is_due():
    first = at("2026-10-25T00:50")
    often = Schedule(
        account="a",
        id="s",
        until=first - 1,
        cron="*/5 * * * *",
        timezone="Europe/Berlin",
        next_run=first,
    )
    expected = [first, first + 300, at("2026-10-25T02:00")]
    assert expected == due_times(often, at("2026-10-25T02:04"))
    repeated = at("2026-10-25T01:10")
    schedule = Schedule(
        account="a",
        id="s",
        until=first,
        cron="*/5 * * * *",
        timezone="Europe/Berlin",
        next_run=repeated,
    )
    assert [repeated] == due_times(schedule, at("2026-10-25T01:30"))


# --- observations ---
def seen(before: Schedule | None, row: ScheduleRow, began: str, now: str = "") -> Schedule:
    return observe(before, "acme", row, began=at(began), now=at(now or began))


def due(schedule: Schedule) -> list[str]:
    return [datetime.fromtimestamp(moment, UTC).strftime("%H:%M") for moment in schedule.due]


def test_what_was_due_before_a_schedule_was_first_seen_is_not_judged():
    first = seen(None, a_row("12:05"), "12:04:40")
    assert [] == due(first)
    # Its run may have been made before anybody looked.
    assert [] == due(seen(first, a_row("12:10"), "12:07"))
    assert ["12:10"] == due(seen(first, a_row("12:15"), "12:11"))


def test_what_fell_due_between_two_reads_is_added_to_what_waits():
    before = a_schedule(due=(at("11:55"),), taken=("r1",))
    after = seen(before, a_row("12:15"), "12:12")
    assert (["11:55", "12:05", "12:10"], ("r1",)) == (due(after), after.taken)
    assert ["11:55", "12:05", "12:10", "12:15"] == due(seen(after, a_row("12:20"), "12:17"))


@pytest.mark.parametrize(
    "row",
    [
        a_row(enabled=False),
        a_row(cron="*/10 * * * *"),
        a_row(timezone="Europe/Berlin"),
        a_row(cron=None, run_at=iso(at("13:00"))),
    ],
)
def test_a_pause_or_an_edit_voids_what_fell_due_around_it_and_nothing_before(row):
    after = seen(a_schedule(due=(at("11:55"),)), row, "12:12")
    assert ["11:55"] == due(after)


def test_what_was_due_while_a_schedule_was_paused_is_void():
    paused = seen(a_schedule(), a_row(None, enabled=False), "12:02")
    resumed = seen(paused, a_row("12:15"), "12:12")
    assert ([], ["12:15"]) == (due(resumed), due(seen(resumed, a_row("12:20"), "12:17")))


def test_a_schedule_that_is_no_longer_listed_has_nothing_due_any_more():
    lost = unlisted(a_schedule(due=(at("11:55"),)), at("12:12"))
    assert (["11:55"], False) == (due(lost), lost.over)
    assert unlisted(a_schedule(), at("12:12")).over
    back = seen(lost, a_row("12:30"), "12:27")
    assert ["11:55"] == due(back)
    assert ["11:55", "12:30"] == due(seen(back, a_row("12:35"), "12:32"))


ONCE = {"cron": None, "run_at": iso(at("12:05"))}


@pytest.mark.parametrize("disabled", [True, False])
def test_a_one_time_schedule_that_is_disabled_or_gone_may_have_run_first(disabled):
    before = a_schedule(cron="", run_at=at("12:05"), next_run=None)
    after = (
        seen(before, a_row(None, enabled=False, **ONCE), "12:12")
        if disabled
        else unlisted(before, at("12:12"))
    )
    assert (["12:05"], True) == (due(after), after.vanished)
    later = unlisted(after, at("12:22"))
    assert (["12:05"], True) == (due(later), later.vanished)


def test_a_one_time_schedule_that_stays_is_due_for_certain():
    before = seen(None, a_row("12:05", **ONCE), "12:00")
    after = seen(before, a_row(None, **ONCE), "12:12")
    assert (["12:05"], False) == (due(after), after.vanished)
    assert ["12:05"] == due(seen(after, a_row(None, **ONCE), "12:22"))


def test_a_one_time_schedule_paused_before_its_time_is_void():
    before = seen(None, a_row(None, enabled=False, **ONCE), "12:00")
    assert [] == due(seen(before, a_row(None, enabled=False, **ONCE), "12:12"))


# --- whose clock ---
def test_a_read_that_lasts_over_a_due_time_tells_of_it_once():
    shown_before = seen(a_schedule("12:08", next_run=at("12:10")), a_row("12:10"), "12:09", "12:11")
    assert ([], ["12:10"]) == (due(shown_before), due(seen(shown_before, a_row("12:15"), "12:12")))
    shown_after = seen(a_schedule("12:08", next_run=at("12:10")), a_row("12:15"), "12:09", "12:11")
    assert (["12:10"], ["12:10"]) == (
        due(shown_after),
        due(seen(shown_after, a_row("12:15"), "12:12")),
    )


def test_an_api_whose_clock_is_ahead_has_fired_what_is_not_due_here_yet():
    ahead = seen(a_schedule("12:08", next_run=at("12:10")), a_row("12:15"), "12:09:40")
    assert ["12:10"] == due(ahead)
    assert ["12:10"] == due(seen(ahead, a_row("12:15"), "12:14"))


def test_an_api_whose_clock_is_behind_still_shows_what_was_due_here():
    behind = seen(a_schedule("12:08", next_run=at("12:10")), a_row("12:10"), "12:10:20")
    assert ["12:10"] == due(behind)
    assert ["12:10"] == due(seen(behind, a_row("12:15"), "12:14"))


def test_a_wall_clock_that_goes_back_makes_nothing_due_twice():
    after = seen(a_schedule(), a_row("12:15"), "12:12")
    assert ["12:05", "12:10"] == due(seen(after, a_row("12:15"), "12:01"))


def test_no_more_wait_than_can_be_kept():
    before = a_schedule(due=tuple(float(second) for second in range(MOST)))
    after = seen(before, a_row(), "12:12")
    assert (MOST, ["12:05", "12:10"]) == (len(after.due), due(after)[-2:])
