"""Which pages of the run list a full walk reads, and what failed reads mean for the next ones."""

from __future__ import annotations

import pytest

from runtype_exporter.polling.discovery.run_list import YOUNG
from runtype_exporter.polling.failures import ReadFailed
from runtype_exporter.runtype import ClientError, NetworkError, NotFound, Unauthorised
from tests.support.run_lists import FAILED, NEW_FIRST, OLD_FIRST, reading, rows


# --- full walks ---
async def test_a_full_walk_newest_first_stops_below_the_horizon_and_every_unfinished_run(tmp_path):
    async with reading(tmp_path, horizon=15.0) as reader:
        reader.listed.rows = [*NEW_FIRST]
        await reader.pages()
        assert await reader.full() == [None, "2", "4", "6"]
        assert len(await reader.full(complete=True)) == 6
        reader.unfinished(11)
        assert await reader.full() == [None, "2", "4", "6", "8", "10"]
        await reader.rig.sleep(2 * YOUNG)
        assert await reader.full() == [None, "2", "4", "6", "8", "10"]


async def test_a_full_walk_whose_pages_contradict_the_order_reads_on(tmp_path):
    async with reading(tmp_path, horizon=15.0) as reader:
        reader.listed.rows = [*NEW_FIRST]
        await reader.pages()
        reader.listed.rows = rows(1, 2, 9, 20, 3, 4)
        assert await reader.full() == [None, "2", "4"]
        assert reader.list.order == "none"


async def test_a_full_walk_without_a_horizon_reads_everything(tmp_path):
    async with reading(tmp_path, horizon=None) as reader:
        reader.listed.rows = [*NEW_FIRST]
        assert len(await reader.full()) == 6
        assert len(await reader.full()) == 1


# --- failures ---
@pytest.mark.parametrize(
    "error",
    [FAILED, NetworkError("runs", "reset", code="network"), Unauthorised("runs", "k", code="401")],
)
async def test_after_a_failure_that_passes_an_old_first_list_is_read_on_where_it_was(
    tmp_path, error
):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*OLD_FIRST]
        await reader.full()
        reader.listed.error = error
        with pytest.raises(ReadFailed):
            await reader.pages()
        reader.listed.error = None
        assert await reader.pages() == ["6"]


@pytest.mark.parametrize(
    "error", [ClientError("runs", "bad", code="400"), NotFound("runs", "gone", code="404")]
)
async def test_a_cursor_that_is_refused_is_not_used_again(tmp_path, error):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*OLD_FIRST]
        await reader.full()
        reader.listed.error = error
        with pytest.raises(ReadFailed):
            await reader.pages()
        reader.listed.error = None
        assert await reader.pages() == []
        await reader.full()
        assert await reader.pages() == ["6"]


async def test_only_a_read_that_ended_ends_the_failures_of_the_list(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*NEW_FIRST]
        reader.listed.error = FAILED
        for tries in (1, 2):
            with pytest.raises(ReadFailed):
                await reader.pages()
            assert reader.collectors.failures("runs") == tries
        reader.listed.error = None
        await reader.pages()
        assert reader.collectors.failures("runs") == 0
        assert reader.rig.telemetry.collectors["runs"] == (True, "")
