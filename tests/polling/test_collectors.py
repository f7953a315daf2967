"""Collectors that are off, forbidden or failing do not stop the others."""

from __future__ import annotations

import pytest

from runtype_exporter.polling.collectors import FORBIDDEN_RETRY, CollectorStates
from runtype_exporter.runtype import (
    DecodeError,
    Forbidden,
    NetworkError,
    ServerError,
    Throttled,
    Unauthorised,
)
from tests.support.rig import RecordingTelemetry


class Hand:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def telemetry() -> RecordingTelemetry:
    return RecordingTelemetry()


@pytest.fixture
def collectors(clock, telemetry) -> CollectorStates:
    return CollectorStates("acme", ["schedules"], telemetry, clock)


def raising(error: Exception):
    async def reader() -> None:
        raise error

    return reader


async def answering() -> None:
    pass


async def test_a_read_that_is_switched_off_is_never_asked_nor_waited_for(collectors, telemetry):
    assert not await collectors.read("schedules", raising(AssertionError("asked")))
    assert not collectors.never_answered("schedules")
    assert not collectors.asked
    assert telemetry.collectors == {}


async def test_a_read_that_answers_has_reached_the_api(collectors, telemetry):
    assert collectors.never_answered("runs")
    assert await collectors.read("runs", answering)
    assert (collectors.asked, collectors.reached, collectors.failure) == (True, True, "")
    assert not collectors.never_answered("runs")
    assert telemetry.collectors == {"runs": (True, "")}
    collectors.start_cycle()
    assert (collectors.asked, collectors.reached) == (False, False)


async def test_a_forbidden_read_rests_for_an_hour_and_says_that_the_api_is_there(
    collectors, telemetry, clock
):
    assert not await collectors.read("runs", raising(Forbidden("runs", "no scope", code="403")))
    assert (collectors.reached, collectors.failure) == (True, "forbidden")
    assert telemetry.collectors == {"runs": (False, "forbidden")}
    collectors.start_cycle()
    clock.at += FORBIDDEN_RETRY - 1
    assert not await collectors.read("runs", raising(AssertionError("asked")))
    assert not collectors.asked
    clock.at += 1
    assert await collectors.read("runs", answering)
    assert telemetry.collectors == {"runs": (True, "")}


async def test_a_failing_read_is_withdrawn_at_its_third_failure_in_a_row(collectors, telemetry):
    ups = []
    for reader in (
        [raising(DecodeError("runs", "no JSON"))] * 2
        + [answering]
        + [raising(ServerError("runs", "500", code="500"))] * 3
    ):
        await collectors.read("runs", reader)
        ups.append(telemetry.collectors["runs"])
    assert ups == [
        (True, "decode"),
        (True, "decode"),
        (True, ""),
        (True, "server"),
        (True, "server"),
        (False, "server"),
    ]
    assert not collectors.never_answered("runs")


async def test_a_read_that_never_answered_is_waited_for_until_it_has_failed_three_times(collectors):
    waited = []
    for _ in range(3):
        waited.append(collectors.never_answered("runs"))
        await collectors.read("runs", raising(ServerError("runs", "500", code="500")))
    assert [*waited, collectors.never_answered("runs")] == [True, True, True, False]


@pytest.mark.parametrize(
    ("error", "reached"),
    [
        (Unauthorised("runs", "401", code="401"), False),
        (Throttled("runs", "429", code="429"), True),
        (NetworkError("runs", "reset", code="network"), False),
    ],
)
async def test_where_nothing_else_makes_sense_the_error_ends_the_cycle(
    collectors, telemetry, error, reached
):
    with pytest.raises(type(error)):
        await collectors.read("runs", raising(error))
    assert (collectors.reached, collectors.failure) == (reached, error.reason)
    assert telemetry.collectors == {"runs": (True, error.reason)}


async def test_the_first_failure_names_the_cycles(collectors):
    await collectors.read("runs", raising(DecodeError("runs", "no JSON")))
    await collectors.read("summary", raising(ServerError("summary", "500", code="500")))
    assert (collectors.reached, collectors.failure) == (False, "decode")


async def test_a_failure_for_one_thing_is_the_cycles_only_where_nothing_else_answered(
    collectors, telemetry
):
    error = ServerError("status", "500", code="500")
    with pytest.raises(ServerError):
        collectors.record_single_failure("status", error)
    await collectors.read("runs", answering)
    collectors.record_single_failure("status", error)
    assert collectors.failure == ""
    assert telemetry.collectors["status"] == (True, "server")
