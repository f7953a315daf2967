"""An API that says no, or not now: it is asked again soon, never in a hot loop."""

from __future__ import annotations

import pytest

from runtype_exporter.simulator.faults import ApiFault
from tests.support.api_errors import ERRORS, PAST
from tests.support.company import DONE, CompanyRig
from tests.support.rig import KEY

MINUTE, HOUR = 60.0, 3600.0
NIGHTLY = ("nightly", "enrich", "success")


@pytest.mark.parametrize("budget", [1000, 100_000])
@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("retry_after", ["0", "-1", "0.5", PAST, "soon", ""])
async def test_whatever_retry_after_says_an_answer_is_not_asked_for_in_a_hot_loop(
    tmp_path, retry_after, code, budget
):
    headers = {"Retry-After": retry_after}
    async with CompanyRig(tmp_path, account={"requests_per_hour": budget}) as rig:
        await rig.sleep(MINUTE + 1)
        rig.start_nightly()
        rig.faults.add(
            ApiFault(kind="status", operation="batch_results", value=code, headers=headers)
        )
        first = await rig.requests_during(MINUTE)
        assert first["batch_results"] <= 10
        later = await rig.requests_during(HOUR)
        assert later["batch_results"] <= 130
        # Between the pauses the rest goes on.
        assert later["runs"] >= 20
        rig.faults.clear()
        # Without a number that can be understood, a 503 is a failure of the batch, which backs off.
        is_pause = code == 429 or retry_after in ("0", PAST)
        await rig.sleep(3 * MINUTE if is_pause else HOUR + 3 * MINUTE)
        assert rig.counted() == {NIGHTLY: 3.0}


@pytest.mark.parametrize("retry_after", ["86400", "999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_a_pause_of_days_is_believed_for_an_hour(tmp_path, retry_after):
    async with CompanyRig(tmp_path) as rig:
        await rig.sleep(MINUTE + 1)
        headers = {"Retry-After": retry_after}
        rig.faults.add(ApiFault(kind="status", value=429, headers=headers, times=1))
        rig.start_nightly()
        await rig.sleep(2 * MINUTE)
        assert rig.counted() == {}
        assert (await rig.requests_during(50 * MINUTE)).total() == 0
        await rig.sleep(12 * MINUTE)
        assert rig.counted() == {NIGHTLY: 3.0}


@pytest.mark.parametrize("name", ["401", "403 of an edge", "403 with Retry-After"])
@pytest.mark.parametrize("seconds", [6.0, 60.0, 600.0])
async def test_a_refusal_of_everything_is_over_within_minutes_of_its_end(tmp_path, name, seconds):
    async with CompanyRig(tmp_path) as rig:
        await rig.sleep(MINUTE + 1)
        rig.start_nightly()
        await rig.sleep(2 * MINUTE - 3)
        rig.faults.add(ERRORS[name].at())
        asked = await rig.requests_during(seconds)
        assert asked.total() <= 12 + seconds / 10
        rig.faults.clear()
        rig.start_nightly()
        await rig.sleep(4 * MINUTE)
        assert rig.counted() == {NIGHTLY: 6.0}


async def test_one_request_a_minute_asks_whether_a_refused_key_works_again(tmp_path):
    async with CompanyRig(tmp_path) as rig:
        await rig.sleep(MINUTE + 1)
        rig.key = "rt_test_wrong"
        await rig.sleep(10 * MINUTE)
        asked = await rig.requests_during(HOUR)
        assert 50 <= asked.total() <= 70
        rig.start_nightly()
        rig.key = KEY
        await rig.sleep(3 * MINUTE)
        assert rig.counted() == {NIGHTLY: 3.0}
        assert rig.telemetry.ups[-1]


OFF = {"schedules": False, "runs": False, "summary": False, "usage": False, "sparklines": False}


@pytest.mark.parametrize("name", ["401", "403", "429 for 0 s", "500", "hanging"])
async def test_an_account_with_configured_batches_alone_recovers(tmp_path, name):
    rig = CompanyRig(tmp_path)
    batch = rig.start_adhoc(DONE)
    rig.configure({**rig.account, "batches": [{"id": batch.id}], "collectors": OFF})
    rig.faults.add(ERRORS[name].at("batch_results"))
    async with rig:
        await rig.sleep(10 * MINUTE)
        rig.faults.clear()
        await rig.sleep(HOUR + 5 * MINUTE)
        assert sum(rig.counted().values()) == 3.0
        assert rig.telemetry.ups[-1]


@pytest.mark.parametrize("name", ["401", "429", "429 for 0 s", "503 for 30 s", "500", "403"])
async def test_once_fails_if_results_could_not_be_read(tmp_path, name):
    rig = CompanyRig(tmp_path, sections={"poll": {"lookback": "1h"}})
    rig.start_nightly()
    rig.faults.add(ERRORS[name].at("batch_results"))
    await rig.sleep(2 * MINUTE)
    poller = rig.build()
    assert await poller.catch_up() is False
    await rig.stop()


async def test_once_survives_a_single_refusal(tmp_path):
    rig = CompanyRig(tmp_path, sections={"poll": {"lookback": "1h"}})
    rig.start_nightly()
    await rig.sleep(2 * MINUTE)
    poller = rig.build()
    assert await poller.catch_up() is True
    assert rig.counted() == {NIGHTLY: 3.0}
    await rig.stop()


async def test_cookies_of_the_api_are_never_sent_back(tmp_path):
    async with CompanyRig(tmp_path) as rig:
        rig.faults.add(
            ApiFault(kind="cookie", value=500),
            ApiFault(kind="status", value=431, cookies_above=0),
        )
        await rig.sleep(5 * MINUTE)
        rig.start_nightly()
        await rig.sleep(3 * MINUTE)
        assert rig.counted() == {NIGHTLY: 3.0}
        assert {request.status for request in rig.app.state.requests.log} == {200}


@pytest.mark.parametrize("every", [3600.0, 600.0])
async def test_a_list_that_fails_now_and_then_sets_no_back_off_of_a_batch_to_nothing(
    tmp_path, every
):
    async with CompanyRig(tmp_path, sections={"poll": {"interval": "5m"}}) as rig:
        await rig.sleep(MINUTE + 1)
        for _ in range(40):
            rig.start_nightly()
        rig.faults.add(ApiFault(kind="status", operation="batch_results", value=500))
        summary = ApiFault(kind="status", operation="summary", value=500, times=2)
        await rig.sleep(8 * HOUR)
        before = rig.requests()
        for _ in range(int(4 * HOUR / every)):
            rig.faults.add(summary)
            await rig.sleep(every)
        asked = rig.requests() - before
        # Hourly, two tries each.
        assert asked["batch_results"] <= 4 * 40 * 2 * 1.5
