"""Reload the configuration of a running exporter.

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
    harness, serve
):
    first, second = serve(), serve(seed=2)
    first.batch(10)
    second.batch(7)
    harness.account(first)
    async with harness.open():
        await harness.until_total(10)
        added = harness.account(second, "beta")
        await harness.reloaded()
        await harness.until_total(7, account="beta")
        assert 10 == await harness.total(account="acme")
        await harness.until_total(1, "runtype_up", account="beta")

        harness.document["accounts"].remove(added)
        await harness.reloaded()

        async def left() -> bool:
            text = await harness.text()
            kept = {
                line.partition("{")[0] for line in text.splitlines() if 'account="beta"' in line
            }
            return not kept & {
                "runtype_up",
                "runtype_api_requests_total",
                "runtype_batch_total_records",
            }

        await harness.until(left)
        text = await harness.text()
        families = {
            line.partition("{")[0] for line in text.splitlines() if 'account="beta"' in line
        }
        durable = (
            "runtype_record",
            "runtype_batches_finished_",
            "runtype_batch_duration_",
            "runtype_batch_late_changes_",
            "runtype_batches_given_up_",
            "runtype_uncounted_records_",
        )
        durable += ("runtype_schedule_run", "runtype_slo_", "runtype_cost_")
        assert {name for name in families if not name.startswith(durable)} == set()
        assert 7 == await harness.total(account="beta")
        asked = len(second.app.state.requests.log)

        harness.document["accounts"].append(added)
        await harness.reloaded()
        await harness.until_total(1, "runtype_up", account="beta")
        # It comes back where it was, and nothing is counted again.
        assert 7 == await harness.total(account="beta")
        assert len(second.app.state.requests.log) > asked


async def test_a_removed_account_is_asked_nothing_any_more(harness, serve):
    first, second = serve(), serve(seed=2)
    harness.account(first)
    gone = harness.account(second, "beta")
    async with harness.open():
        await harness.until_ready()
        harness.document["accounts"].remove(gone)
        await harness.reloaded()
        asked, polls = len(second.app.state.requests.log), len(first.asked("runs"))

        async def polled_on() -> bool:
            return len(first.asked("runs")) > polls + 2

        await harness.until(polled_on)
        assert asked == len(second.app.state.requests.log)


async def test_another_address_is_asked_from_then_on(harness, serve):
    first, second = serve(), serve(seed=2)
    section = harness.account(first)
    async with harness.open():
        first.batch(3)
        await harness.until_total(3)
        section["base_url"] = second.url
        second.batch(5)
        await harness.reloaded()
        await harness.until_total(8)


async def test_budget_page_size_timeout_and_interval_take_effect_at_once(harness, api):
    section = harness.account(api)
    async with harness.open():
        await harness.until_ready()
        assert [100_000.0] == await harness.values("runtype_api_budget_limit_requests")
        section |= {"requests_per_hour": 50_000, "page_size": 2, "timeout": "300ms"}
        await harness.reloaded()

        async def lowered() -> bool:
            return await harness.values("runtype_api_budget_limit_requests") == [50_000.0]

        await harness.until(lowered)
        api.batch(6)
        await harness.until_total(6)
        assert {"2"} == {
            request.target.rpartition("limit=")[2][:1] for request in api.asked("batch_results")
        }

        api.faults.add(ApiFault(kind="hang"))
        await harness.until_total(1, "runtype_poll_failures_total", reason="timeout")
        api.faults.clear()
        harness.document["poll"]["interval"] = "1h"
        await harness.reloaded()
        polls = len(api.asked("summary"))

        async def polled() -> bool:
            return len(api.asked("summary")) > polls

        await harness.until(polled)
        # Four of the former intervals, in which nothing must happen.
        await asyncio.sleep(0.4)
        assert polls + 1 == len(api.asked("summary"))


async def test_the_counters_of_an_account_that_stays_as_it_was_go_on_over_a_reload(harness, serve):
    first, second = serve(), serve(seed=2)
    harness.account(first)
    changed = harness.account(second, "beta", collectors={"usage": True})

    async def seen() -> bool:
        return await harness.total("runtype_collector_up", collector="usage") == 2

    async with harness.open():
        await harness.until(seen)
        before = await harness.total("runtype_polls_total", account="acme")
        changed["collectors"]["usage"] = False
        await harness.reloaded()
        await harness.until_total(1, "runtype_up", account="beta")
        assert await harness.total("runtype_polls_total", account="acme") >= before
        assert [1.0] == await harness.values(
            "runtype_collector_up", account="acme", collector="usage"
        )
        assert [] == await harness.values("runtype_collector_up", account="beta", collector="usage")
        assert [] == await harness.values("runtype_usage_executions", account="beta")


async def gauges(harness) -> set[str]:
    """Return the present series of the gauges that only a read of the API brings back."""
    families = ("runtype_schedule_info", "runtype_usage_", "runtype_batch_", "runtype_up")
    text = await harness.text()
    return {line.rpartition(" ")[0] for line in text.splitlines() if line.startswith(families)}


@pytest.mark.parametrize("headers", [{"Retry-After": "600"}, {}])
async def test_what_an_account_showed_stays_over_a_reload_while_the_api_pauses(
    harness, api, headers
):
    section = harness.account(api)
    async with harness.open():
        api.batch(4)
        await harness.until_total(4)
        await harness.until_total(1, "runtype_batches_finished_total")

        async def shown() -> bool:
            families = {name.partition("{")[0] for name in await gauges(harness)}
            return families >= {
                "runtype_schedule_info",
                "runtype_usage_executions",
                "runtype_batch_total_records",
                "runtype_up",
            }

        await harness.until(shown)
        before = await gauges(harness)
        api.faults.add(ApiFault(kind="status", value=503 if headers else 429, headers=headers))

        async def paused() -> bool:
            return api.faults.fired() > 0

        await harness.until(paused)
        await harness.reloaded()
        for _ in range(20):
            assert await gauges(harness) >= before
            await asyncio.sleep(0.05)
        # What another section would show is not known.
        section["page_size"] = 50
        await harness.reloaded()

        async def gone() -> bool:
            return not await harness.values("runtype_schedule_info")

        await harness.until(gone)


async def test_a_reload_ends_the_pause_after_a_refused_key(harness, api):
    harness.account(api)
    async with harness.open():
        await harness.until_total(1, "runtype_up")
        api.faults.add(ApiFault(kind="status", value=401))
        await harness.until_total(0, "runtype_up")
        api.faults.clear()
        began = time.monotonic()
        await harness.reloaded()
        await harness.until_total(1, "runtype_up")
        assert time.monotonic() - began < 30


async def test_another_key_ends_the_pause_after_a_refused_one(harness, api):
    harness.account(api)
    async with harness.open():
        await harness.until_total(1, "runtype_up")
        key = harness.keys["KEY"]
        harness.keys["KEY"] = "rt_test_revoked"
        await harness.until_total(0, "runtype_up")
        harness.keys["KEY"] = key
        await harness.until_total(1, "runtype_up")


# --- what is followed ---
async def test_schedules_that_are_excluded_are_followed_no_more_and_those_included_again_are(
    harness, serve
):
    api = serve(*TWO)
    section = harness.account(api)
    async with harness.open():
        api.batch(4)
        api.batch(5, schedule="hourly")
        await harness.until_total(9)
        section["schedules"] = {"exclude": ["hourly"]}
        await harness.reloaded()
        api.batch(6, schedule="hourly")
        api.batch(3)
        await harness.until_total(7, schedule="nightly")
        assert 5 == await harness.total(schedule="hourly")
        section["schedules"] = {"include": ["hourly"]}
        await harness.reloaded()
        api.batch(2, schedule="hourly")
        api.batch(8)

        async def counted() -> bool:
            return await harness.total(schedule="hourly") >= 7

        await harness.until(counted)
        assert 7 == await harness.total(schedule="nightly")


async def test_configured_batches_come_and_go(harness, api):
    found = api.batch(4)
    section = harness.account(api)
    async with harness.open():
        await harness.until_total(4)
        assert [] == await harness.values("runtype_batch_found")
        section["batches"] = [
            {"id": found.id, "name": "backfill"},
            {"id": "batch_of_nobody", "name": "lost"},
        ]
        await harness.reloaded()

        async def shown() -> bool:
            known = await harness.values("runtype_batch_found", batch="backfill")
            return (known, await harness.values("runtype_batch_found", batch="lost")) == (
                [1.0],
                [0.0],
            )

        await harness.until(shown)
        await harness.until_total(1, "runtype_batch_state", batch="backfill", state="completed")
        section["batches"] = []
        await harness.reloaded()

        async def shown_under_its_id() -> bool:
            """The gauges of a restarted account are empty until its first cycle sets them."""
            names = await harness.labels("runtype_batch_total_records", "batch")
            return {found.id} == names and not await harness.values("runtype_batch_found")

        await harness.until(shown_under_its_id)
        assert 4 == await harness.total()


async def test_status_words_mean_something_else_from_then_on(harness, api):
    harness.account(api)
    api.faults.add(
        ApiFault(kind="set", operation="batch_results", path="data.*.status", value="approved")
    )
    async with harness.open():
        api.batch(3)
        await harness.until_total(3, outcome="unknown")
        harness.document["metrics"] = {"status_map": {"approved": "success"}}
        await harness.reloaded()
        api.batch(4)
        await harness.until_total(4, outcome="success")
        assert 3 == await harness.total(outcome="unknown")


async def test_the_limit_of_lines_and_the_batches_shown_change(harness, api):
    harness.account(api)
    async with harness.open():
        for _ in range(3):
            api.batch(2)
        await harness.until_total(6)
        await harness.until_total(3, "runtype_batches_finished_total")
        assert 1 == len(await harness.values("runtype_batch_total_records"))
        harness.document["metrics"] = {"batches_per_schedule": 2, "max_series": 2000}
        await harness.reloaded()

        async def shown() -> bool:
            return len(await harness.values("runtype_batch_total_records")) == 2

        await harness.until(shown)
        assert [2000.0] == await harness.values("runtype_exporter_series_limit")


# --- what is judged ---
async def test_objectives_that_are_added_changed_and_removed_judge_what_comes_and_leave_what_was(
    harness, api
):
    fast = {
        "name": "fast",
        "type": "latency",
        "threshold": "60s",
        "objective": "95%",
        "window": "30d",
    }
    harness.document["slos"] = [fast]
    harness.account(api)
    async with harness.open():
        api.batch(4, seconds=20.0)
        await harness.until_total(4, EVENTS, slo="fast", result="good")
        fast["threshold"] = "10s"
        harness.document["slos"] = [
            fast,
            {"name": "fine", "type": "success", "objective": "99%", "window": "30d"},
        ]
        await harness.reloaded()
        api.batch(3, seconds=20.0)
        await harness.until_total(3, EVENTS, slo="fast", result="bad")
        await harness.until_total(3, EVENTS, slo="fine", result="good")
        assert 4 == await harness.total(EVENTS, slo="fast", result="good")
        harness.document["slos"] = harness.document["slos"][1:]
        await harness.reloaded()
        api.batch(2, seconds=20.0)
        await harness.until_total(5, EVENTS, slo="fine", result="good")
        assert 7 == await harness.total(EVENTS, slo="fast")


async def test_other_buckets_restart_that_histogram_and_no_counter(harness, api):
    harness.account(api)
    harness.document["slos"] = []

    async def bounds() -> set[str]:
        return await harness.labels(f"{LATENCY}_bucket", "le")

    async def created() -> float:
        text = await harness.text("application/openmetrics-text")
        (at,) = {
            float(line.split()[1])
            for line in text.splitlines()
            if line.startswith(f"{LATENCY}_created")
        }
        return at

    async with harness.open():
        api.batch(4, outcome="success")
        await harness.until_total(4)
        await harness.until_total(4, f"{LATENCY}_count")
        before = await created()
        harness.document["metrics"] = {"latency_buckets": ["500ms", "7s"]}
        restarted = time.time()
        await harness.reloaded()

        async def has_new_boundaries() -> bool:
            return await bounds() == {"0.5", "7.0", "+Inf"}

        await harness.until(has_new_boundaries)
        assert 0 == await harness.total(f"{LATENCY}_count")
        assert before < restarted <= await created()
        assert 4 == await harness.total()
        api.batch(2)
        await harness.until_total(6)
        await harness.until_total(2, f"{LATENCY}_count")


# --- refusals ---
async def test_a_bad_file_of_whatever_kind_is_refused_and_the_old_one_stays_in_force(harness, api):
    harness.account(api)
    harness.write()
    good = harness.file.read_text()
    async with harness.open():
        await harness.until_ready()
        taken_up = await harness.values(SUCCESS_TIME)
        for fixture in BAD:
            harness.write(fixture.read_text())
            refused = await harness.reload()
            assert (fixture.name, 500) == (fixture.name, refused.status_code)
            assert refused.text.startswith(f"{harness.file}:"), fixture.name
        harness.file.write_bytes(b"accounts: \xff\n")
        assert "UTF-8" in (await harness.reload()).text
        harness.file.unlink()
        assert "no such file" in (await harness.reload()).text
        harness.file.mkdir()
        assert "cannot be read" in (await harness.reload()).text
        harness.file.rmdir()
        await harness.until_total(0, SUCCESSFUL)
        assert taken_up == await harness.values(SUCCESS_TIME)
        api.batch(5)
        await harness.until_total(5)

        harness.write(good)
        assert 200 == (await harness.reload()).status_code
        await harness.until_total(1, SUCCESSFUL)
        assert taken_up < await harness.values(SUCCESS_TIME)


async def test_a_key_that_cannot_be_read_is_refused_before_anything_is_stopped(harness, api):
    section = harness.account(api)
    async with harness.open():
        await harness.until_ready()
        section["api_key"] = {"env": "NOWHERE"}
        harness.write()
        refused = await harness.reload()
        assert (500, True) == (refused.status_code, "NOWHERE is not set" in refused.text)
        section["api_key"] = {"file": str(harness.folder / "nothing")}
        harness.write()
        assert "does not exist" in (await harness.reload()).text
        await harness.until_total(0, SUCCESSFUL)
        api.batch(2)
        await harness.until_total(2)


async def test_the_ledger_stays_where_it_is(harness, api):
    harness.account(api)
    async with harness.open():
        harness.document["state"]["path"] = str(harness.folder / "elsewhere.db")
        harness.write()
        refused = await harness.reload()
        assert (500, True) == (
            refused.status_code,
            refused.text.startswith("state.path: the ledger stays at"),
        )
        assert not (harness.folder / "elsewhere.db").exists()
    harness.document["accounts"][0]["name"] = "other"
    # Where a flag says it, the file may say what it likes.
    async with harness.open(state_path=harness.folder / "flag.db"):
        harness.document["state"]["path"] = str(harness.folder / "third.db")
        await harness.reloaded()


async def test_a_ledger_that_fails_refuses_the_reload_and_polling_goes_on(harness, api):
    harness.account(api)
    async with harness.open():
        await harness.until_ready()
        connection = harness.exporter._ledger._database._connection
        connection.execute("PRAGMA query_only=ON")
        harness.document["metrics"] = {"latency_buckets": ["3s"]}
        harness.write()
        refused = await harness.reload()
        assert (500, True) == (
            refused.status_code,
            str(harness.folder / "ledger.db") in refused.text,
        )
        connection.execute("PRAGMA query_only=OFF")
        api.batch(2)
        await harness.until_total(2)
        await harness.reloaded()


async def test_a_block_of_the_budget_that_cannot_be_given_back_is_forfeited_and_the_reload_holds(
    harness, api
):
    harness.account(api)
    async with harness.open():
        await harness.until_ready()
        connection = harness.exporter._ledger._database._connection
        connection.execute("PRAGMA query_only=ON")
        with structlog.testing.capture_logs() as logs:
            await harness.reloaded()
        connection.execute("PRAGMA query_only=OFF")
        assert "the rest of a block of the budget is forfeited" in [line["event"] for line in logs]
        api.batch(2)
        await harness.until_total(2)


# --- at any moment ---
async def test_reloads_while_batches_are_swept_lose_and_repeat_nothing(harness, api):
    harness.account(api, page_size=5)
    async with harness.open():
        await harness.until_ready()
        for reload in range(12):
            api.batch(100, outcome="failure" if reload % 3 == 0 else "success")
            pages_read = len(api.asked("batch_results"))

            async def under_way(pages_read: int = pages_read) -> bool:
                return len(api.asked("batch_results")) > pages_read + 2

            await harness.until(under_way)
            await harness.reloaded()
        await harness.until_total(1200)
        await harness.until_total(0, "runtype_batches_open")
        assert 800 == await harness.total(outcome="success")
        assert 12 == await harness.total("runtype_batches_finished_total")


async def test_a_reload_does_not_wait_for_an_api_that_hangs(harness, api):
    harness.account(api)
    async with harness.open():
        await harness.until_ready()
        api.faults.add(ApiFault(kind="hang"))

        async def hanging() -> bool:
            return api.faults.fired() > 0

        await harness.until(hanging)
        began = time.monotonic()
        await harness.reloaded()
        assert time.monotonic() - began < 2
        # What is served is as good as before: the process does not fall back to "not ready" because
        # its accounts start again.
        assert 200 == (await harness.http.get("/-/ready")).status_code


async def test_reloads_at_once_take_turns(harness, api):
    section = harness.account(api)
    async with harness.open():
        await harness.until_ready()
        section["requests_per_hour"] = 60_000
        harness.write()
        answers = await asyncio.gather(*(harness.reload() for _ in range(4)))
        assert [200] * 4 == [answer.status_code for answer in answers]
        api.batch(3)
        await harness.until_total(3)
        assert 1 == len(harness.exporter._accounts._running)


async def test_sighup_reloads_and_further_ones_meanwhile_are_no_harm(harness, api):
    harness.account(api)
    harness.write()
    listening = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(app.serve(harness.options(on_listening=listening.set_result)))
    port = await listening
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGHUP)

        async def reloaded() -> bool:
            return "configuration reloaded" in [line["event"] for line in logs]

        await harness.until(reloaded)
        harness.write("accounts: 1")
        os.kill(os.getpid(), signal.SIGHUP)

        async def refused() -> bool:
            return "configuration not reloaded, the old one stays in force" in [
                line["event"] for line in logs
            ]

        await harness.until(refused)
    assert not serving.done()
    assert port
    os.kill(os.getpid(), signal.SIGTERM)
    assert 0 == await asyncio.wait_for(serving, 10)


async def test_a_reload_after_the_stop_was_asked_for_changes_nothing(harness, api):
    harness.account(api)
    async with harness.open():
        await harness.until_ready()
        harness.exporter.stop()
        assert ["the exporter is being stopped"] == await harness.exporter.reload()


async def test_a_stop_during_a_reload_ends_everything(harness, api):
    """Whatever the reload has started by then is stopped too."""
    harness.account(api)
    api.faults.add(ApiFault(kind="hang"))
    async with harness.open():
        reloading = asyncio.create_task(harness.exporter.reload())
        await asyncio.sleep(0)
        harness.exporter.stop()
        assert 0 == await asyncio.wait_for(harness.serving, 10)
        assert await reloading in ([], ["the exporter is being stopped"])
    tables = sqlite3.connect(harness.folder / "ledger.db")
    assert ("ok",) == tables.execute("PRAGMA integrity_check").fetchone()
    tables.close()


async def test_a_client_that_leaves_does_not_leave_the_reload_half_done(harness, api):
    harness.account(api)
    async with harness.open():
        await harness.until_ready()
        reloading = asyncio.create_task(harness.exporter.reload())
        # The reload has begun.
        await asyncio.sleep(0)
        assert harness.exporter._reload_lock.locked()
        reloading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reloading
        api.batch(3)
        await harness.until_total(3)
        assert 1 == len(samples(await harness.text(), "runtype_up"))
