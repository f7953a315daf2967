"""A configuration taken up anew on a running exporter, whole.

What was added, changed and removed, and what was refused.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest
import structlog

from runtype_exporter import app
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import ScheduleSpec
from tests.support.process import samples

BAD = sorted((Path(__file__).parents[1] / "config" / "fixtures").glob("*.bad.yaml"))
SUCCESSFUL = "runtype_exporter_config_last_reload_successful"
SUCCESS_TIME = "runtype_exporter_config_last_reload_success_timestamp_seconds"
LATENCY = "runtype_record_latency_seconds"
EVENTS = "runtype_slo_events_total"
TWO = (ScheduleSpec(key="nightly", name="nightly"), ScheduleSpec(key="hourly", name="hourly"))


# --- accounts ---
async def test_an_account_that_is_added_is_polled_and_one_that_is_removed_keeps_its_counters_alone(
    house, serve
):
    first, second = serve(), serve(seed=2)
    first.batch(10)
    second.batch(7)
    house.account(first)
    async with house.open():
        await house.until_total(10)
        added = house.account(second, "beta")
        await house.reloaded()
        await house.until_total(7, account="beta")
        assert 10 == await house.total(account="acme")
        await house.until_total(1, "runtype_up", account="beta")

        house.document["accounts"].remove(added)
        await house.reloaded()

        async def left() -> bool:
            text = await house.text()
            kept = {
                line.partition("{")[0] for line in text.splitlines() if 'account="beta"' in line
            }
            return not kept & {
                "runtype_up",
                "runtype_api_requests_total",
                "runtype_batch_total_records",
            }

        await house.until(left)
        text = await house.text()
        families = {
            line.partition("{")[0] for line in text.splitlines() if 'account="beta"' in line
        }
        durable = (
            "runtype_record",
            "runtype_batches_finished_",
            "runtype_batch_duration_",
            "runtype_batch_late_changes_",
        )
        durable += ("runtype_schedule_run", "runtype_slo_", "runtype_cost_")
        assert {name for name in families if not name.startswith(durable)} == set()
        assert 7 == await house.total(account="beta")
        asked = len(second.app.state.requests.log)

        house.document["accounts"].append(added)
        await house.reloaded()
        await house.until_total(1, "runtype_up", account="beta")
        # It comes back where it was, and nothing is counted again.
        assert 7 == await house.total(account="beta")
        assert len(second.app.state.requests.log) > asked


async def test_a_removed_account_is_asked_nothing_any_more(house, serve):
    first, second = serve(), serve(seed=2)
    house.account(first)
    gone = house.account(second, "beta")
    async with house.open():
        await house.until_ready()
        house.document["accounts"].remove(gone)
        await house.reloaded()
        asked, polls = len(second.app.state.requests.log), len(first.asked("runs"))

        async def polled_on() -> bool:
            return len(first.asked("runs")) > polls + 2

        await house.until(polled_on)
        assert asked == len(second.app.state.requests.log)


async def test_another_address_is_asked_from_then_on(house, serve):
    first, second = serve(), serve(seed=2)
    section = house.account(first)
    async with house.open():
        first.batch(3)
        await house.until_total(3)
        section["base_url"] = second.url
        second.batch(5)
        await house.reloaded()
        await house.until_total(8)


async def test_budget_page_size_timeout_and_interval_take_effect_at_once(house, api):
    section = house.account(api)
    async with house.open():
        await house.until_ready()
        assert [100_000.0] == await house.values("runtype_api_budget_limit_requests")
        section |= {"requests_per_hour": 50_000, "page_size": 2, "timeout": "300ms"}
        await house.reloaded()

        async def lowered() -> bool:
            return await house.values("runtype_api_budget_limit_requests") == [50_000.0]

        await house.until(lowered)
        api.batch(6)
        await house.until_total(6)
        assert {"2"} == {
            request.target.rpartition("limit=")[2][:1] for request in api.asked("batch_results")
        }

        api.faults.add(ApiFault(kind="hang"))
        await house.until_total(1, "runtype_poll_failures_total", reason="timeout")
        api.faults.clear()
        house.document["poll"]["interval"] = "1h"
        await house.reloaded()
        polls = len(api.asked("runs"))

        async def polled() -> bool:
            return len(api.asked("runs")) > polls

        await house.until(polled)
        # Four of the former intervals, in which nothing must happen.
        await asyncio.sleep(0.4)
        assert polls + 1 == len(api.asked("runs"))


async def test_the_counters_of_an_account_that_stays_as_it_was_go_on_over_a_reload(house, serve):
    first, second = serve(), serve(seed=2)
    house.account(first)
    changed = house.account(second, "beta", collectors={"usage": True})

    async def seen() -> bool:
        return await house.total("runtype_collector_up", collector="usage") == 2

    async with house.open():
        await house.until(seen)
        before = await house.total("runtype_polls_total", account="acme")
        changed["collectors"]["usage"] = False
        await house.reloaded()
        await house.until_total(1, "runtype_up", account="beta")
        assert await house.total("runtype_polls_total", account="acme") >= before
        assert [1.0] == await house.values(
            "runtype_collector_up", account="acme", collector="usage"
        )
        assert [] == await house.values("runtype_collector_up", account="beta", collector="usage")
        assert [] == await house.values("runtype_usage_executions", account="beta")


# --- what is followed ---
async def test_schedules_that_are_excluded_are_followed_no_more_and_those_included_again_are(
    house, serve
):
    api = serve(*TWO)
    section = house.account(api)
    async with house.open():
        api.batch(4)
        api.batch(5, schedule="hourly")
        await house.until_total(9)
        section["schedules"] = {"exclude": ["hourly"]}
        await house.reloaded()
        api.batch(6, schedule="hourly")
        api.batch(3)
        await house.until_total(7, schedule="nightly")
        assert 5 == await house.total(schedule="hourly")
        section["schedules"] = {"include": ["hourly"]}
        await house.reloaded()
        api.batch(2, schedule="hourly")
        api.batch(8)

        async def counted() -> bool:
            return await house.total(schedule="hourly") >= 7

        await house.until(counted)
        assert 7 == await house.total(schedule="nightly")


async def test_configured_batches_come_and_go(house, api):
    found = api.batch(4)
    section = house.account(api)
    async with house.open():
        await house.until_total(4)
        assert [] == await house.values("runtype_batch_found")
        section["batches"] = [
            {"id": found.id, "name": "backfill"},
            {"id": "batch_of_nobody", "name": "lost"},
        ]
        await house.reloaded()

        async def shown() -> bool:
            known = await house.values("runtype_batch_found", batch="backfill")
            return (known, await house.values("runtype_batch_found", batch="lost")) == (
                [1.0],
                [0.0],
            )

        await house.until(shown)
        await house.until_total(1, "runtype_batch_state", batch="backfill", state="completed")
        section["batches"] = []
        await house.reloaded()

        async def gone() -> bool:
            return not await house.values("runtype_batch_found")

        await house.until(gone)
        # Under its own name again.
        assert {found.id} == await house.labels("runtype_batch_total_records", "batch")
        assert 4 == await house.total()


async def test_status_words_mean_something_else_from_then_on(house, api):
    house.account(api)
    api.faults.add(
        ApiFault(kind="set", operation="batch_results", path="data.*.status", value="approved")
    )
    async with house.open():
        api.batch(3)
        await house.until_total(3, outcome="unknown")
        house.document["metrics"] = {"status_map": {"approved": "success"}}
        await house.reloaded()
        api.batch(4)
        await house.until_total(4, outcome="success")
        assert 3 == await house.total(outcome="unknown")


async def test_the_limit_of_lines_and_the_batches_shown_change(house, api):
    house.account(api)
    async with house.open():
        for _ in range(3):
            api.batch(2)
        await house.until_total(6)
        await house.until_total(3, "runtype_batches_finished_total")
        assert 1 == len(await house.values("runtype_batch_total_records"))
        house.document["metrics"] = {"batches_per_schedule": 2, "max_series": 2000}
        await house.reloaded()

        async def shown() -> bool:
            return len(await house.values("runtype_batch_total_records")) == 2

        await house.until(shown)
        assert [2000.0] == await house.values("runtype_exporter_series_limit")


# --- what is judged ---
async def test_objectives_that_are_added_changed_and_removed_judge_what_comes_and_leave_what_was(
    house, api
):
    fast = {
        "name": "fast",
        "type": "latency",
        "threshold": "60s",
        "objective": "95%",
        "window": "30d",
    }
    house.document["slos"] = [fast]
    house.account(api)
    async with house.open():
        api.batch(4, seconds=20.0)
        await house.until_total(4, EVENTS, slo="fast", result="good")
        fast["threshold"] = "10s"
        house.document["slos"] = [
            fast,
            {"name": "fine", "type": "success", "objective": "99%", "window": "30d"},
        ]
        await house.reloaded()
        api.batch(3, seconds=20.0)
        await house.until_total(3, EVENTS, slo="fast", result="bad")
        await house.until_total(3, EVENTS, slo="fine", result="good")
        assert 4 == await house.total(EVENTS, slo="fast", result="good")
        house.document["slos"] = house.document["slos"][1:]
        await house.reloaded()
        api.batch(2, seconds=20.0)
        await house.until_total(5, EVENTS, slo="fine", result="good")
        assert 7 == await house.total(EVENTS, slo="fast")


async def test_other_buckets_start_that_histogram_anew_and_no_counter(house, api):
    house.account(api)
    house.document["slos"] = []

    async def bounds() -> set[str]:
        return await house.labels(f"{LATENCY}_bucket", "le")

    async def created() -> float:
        text = await house.text("application/openmetrics-text")
        (at,) = {
            float(line.split()[1])
            for line in text.splitlines()
            if line.startswith(f"{LATENCY}_created")
        }
        return at

    async with house.open():
        api.batch(4, outcome="success")
        await house.until_total(4)
        await house.until_total(4, f"{LATENCY}_count")
        before = await created()
        house.document["metrics"] = {"latency_buckets": ["500ms", "7s"]}
        restarted = time.time()
        await house.reloaded()

        async def anew() -> bool:
            return await bounds() == {"0.5", "7.0", "+Inf"}

        await house.until(anew)
        assert 0 == await house.total(f"{LATENCY}_count")
        assert before < restarted <= await created()
        assert 4 == await house.total()
        api.batch(2)
        await house.until_total(6)
        await house.until_total(2, f"{LATENCY}_count")


# --- refusals ---
async def test_a_bad_file_of_whatever_kind_is_refused_and_the_old_one_stays_in_force(house, api):
    house.account(api)
    house.write()
    good = house.file.read_text()
    async with house.open():
        await house.until_ready()
        taken_up = await house.values(SUCCESS_TIME)
        for fixture in BAD:
            house.write(fixture.read_text())
            refused = await house.reload()
            assert (fixture.name, 500) == (fixture.name, refused.status_code)
            assert refused.text.startswith(f"{house.file}:"), fixture.name
        house.file.write_bytes(b"accounts: \xff\n")
        assert "UTF-8" in (await house.reload()).text
        house.file.unlink()
        assert "no such file" in (await house.reload()).text
        house.file.mkdir()
        assert "cannot be read" in (await house.reload()).text
        house.file.rmdir()
        await house.until_total(0, SUCCESSFUL)
        assert taken_up == await house.values(SUCCESS_TIME)
        api.batch(5)
        await house.until_total(5)

        house.write(good)
        assert 200 == (await house.reload()).status_code
        await house.until_total(1, SUCCESSFUL)
        assert taken_up < await house.values(SUCCESS_TIME)


async def test_a_key_that_cannot_be_read_is_refused_before_anything_is_stopped(house, api):
    section = house.account(api)
    async with house.open():
        await house.until_ready()
        section["api_key"] = {"env": "NOWHERE"}
        house.write()
        refused = await house.reload()
        assert (500, True) == (refused.status_code, "NOWHERE is not set" in refused.text)
        section["api_key"] = {"file": str(house.folder / "nothing")}
        house.write()
        assert "does not exist" in (await house.reload()).text
        await house.until_total(0, SUCCESSFUL)
        api.batch(2)
        await house.until_total(2)


async def test_the_ledger_stays_where_it_is(house, api):
    house.account(api)
    async with house.open():
        house.document["state"]["path"] = str(house.folder / "elsewhere.db")
        house.write()
        refused = await house.reload()
        assert (500, True) == (
            refused.status_code,
            refused.text.startswith("state.path: the ledger stays at"),
        )
        assert not (house.folder / "elsewhere.db").exists()
    house.document["accounts"][0]["name"] = "other"
    # Where a flag says it, the file may say what it likes.
    async with house.open(state_path=house.folder / "flag.db"):
        house.document["state"]["path"] = str(house.folder / "third.db")
        await house.reloaded()


async def test_a_ledger_that_fails_refuses_the_reload_and_polling_goes_on(house, api):
    house.account(api)
    async with house.open():
        await house.until_ready()
        connection = house.exporter._ledger._database._connection
        connection.execute("PRAGMA query_only=ON")
        house.document["metrics"] = {"latency_buckets": ["3s"]}
        house.write()
        refused = await house.reload()
        assert (500, True) == (refused.status_code, str(house.folder / "ledger.db") in refused.text)
        connection.execute("PRAGMA query_only=OFF")
        api.batch(2)
        await house.until_total(2)
        await house.reloaded()


async def test_a_block_of_the_budget_that_cannot_be_given_back_is_forfeited_and_the_reload_holds(
    house, api
):
    house.account(api)
    async with house.open():
        await house.until_ready()
        connection = house.exporter._ledger._database._connection
        connection.execute("PRAGMA query_only=ON")
        with structlog.testing.capture_logs() as logs:
            await house.reloaded()
        connection.execute("PRAGMA query_only=OFF")
        assert "the rest of a block of the budget is forfeited" in [line["event"] for line in logs]
        api.batch(2)
        await house.until_total(2)


# --- at any moment ---
async def test_reloads_while_batches_are_swept_lose_and_repeat_nothing(house, api):
    house.account(api, page_size=5)
    async with house.open():
        await house.until_ready()
        for reload in range(12):
            api.batch(100, outcome="failure" if reload % 3 == 0 else "success")
            walked = len(api.asked("batch_results"))

            async def under_way(walked: int = walked) -> bool:
                return len(api.asked("batch_results")) > walked + 2

            await house.until(under_way)
            await house.reloaded()
        await house.until_total(1200)
        await house.until_total(0, "runtype_batches_open")
        assert 800 == await house.total(outcome="success")
        assert 12 == await house.total("runtype_batches_finished_total")


async def test_a_reload_does_not_wait_for_an_api_that_hangs(house, api):
    house.account(api)
    async with house.open():
        await house.until_ready()
        api.faults.add(ApiFault(kind="hang"))

        async def hanging() -> bool:
            return api.faults.fired() > 0

        await house.until(hanging)
        began = time.monotonic()
        await house.reloaded()
        assert time.monotonic() - began < 2
        # What is served is as good as before: the process does not fall back to "not ready" because
        # its accounts start anew.
        assert 200 == (await house.http.get("/-/ready")).status_code


async def test_reloads_at_once_take_turns(house, api):
    section = house.account(api)
    async with house.open():
        await house.until_ready()
        section["requests_per_hour"] = 60_000
        house.write()
        answers = await asyncio.gather(*(house.reload() for _ in range(4)))
        assert [200] * 4 == [answer.status_code for answer in answers]
        api.batch(3)
        await house.until_total(3)
        assert 1 == len(house.exporter._accounts._running)


async def test_sighup_reloads_and_further_ones_meanwhile_are_no_harm(house, api):
    house.account(api)
    house.write()
    listening = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(app.serve(house.options(on_listening=listening.set_result)))
    port = await listening
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGHUP)

        async def reloaded() -> bool:
            return "configuration reloaded" in [line["event"] for line in logs]

        await house.until(reloaded)
        house.write("accounts: 1")
        os.kill(os.getpid(), signal.SIGHUP)

        async def refused() -> bool:
            return "configuration not reloaded, the old one stays in force" in [
                line["event"] for line in logs
            ]

        await house.until(refused)
    assert not serving.done()
    assert port
    os.kill(os.getpid(), signal.SIGTERM)
    assert 0 == await asyncio.wait_for(serving, 10)


async def test_a_reload_after_the_stop_was_asked_for_changes_nothing(house, api):
    house.account(api)
    async with house.open():
        await house.until_ready()
        house.exporter.stop()
        assert ["the exporter is being stopped"] == await house.exporter.reload()


async def test_a_stop_during_a_reload_ends_everything(house, api):
    """Whatever the reload has started by then is stopped too."""
    house.account(api)
    api.faults.add(ApiFault(kind="hang"))
    async with house.open():
        reloading = asyncio.create_task(house.exporter.reload())
        await asyncio.sleep(0)
        house.exporter.stop()
        assert 0 == await asyncio.wait_for(house.serving, 10)
        assert await reloading in ([], ["the exporter is being stopped"])
    tables = sqlite3.connect(house.folder / "ledger.db")
    assert ("ok",) == tables.execute("PRAGMA integrity_check").fetchone()
    tables.close()


async def test_a_client_that_leaves_does_not_leave_the_reload_half_done(house, api):
    house.account(api)
    async with house.open():
        await house.until_ready()
        reloading = asyncio.create_task(house.exporter.reload())
        # The reload has begun.
        await asyncio.sleep(0)
        assert house.exporter._reload_lock.locked()
        reloading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reloading
        api.batch(3)
        await house.until_total(3)
        assert 1 == len(samples(await house.text(), "runtype_up"))
