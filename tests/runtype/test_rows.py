import json

import msgspec
import pytest

from runtype_exporter.runtype import rows
from runtype_exporter.runtype.pace import SLICE, Pace
from runtype_exporter.runtype.responses import ResultRow, RunRow, ScheduleRow
from runtype_exporter.runtype.rows import RowDecoder, TooManyRejected
from tests.support.ticks import turns_during

GOOD = {"recordId": "r", "status": "completed"}


def raw(*values):
    return [msgspec.Raw(json.dumps(value).encode()) for value in values]


async def read(type_, given, *, repaired=False):
    rejected: list[str] = []
    found = await RowDecoder(type_).decode(given, rejected, Pace(), repaired=repaired)
    return found, rejected


async def test_each_bad_row_costs_itself_and_the_order_stays():
    given = raw(*({"recordId": str(n) if n % 7 else None, "status": "x"} for n in range(1200)))
    found, rejected = await read(ResultRow, given)
    assert [row.record_id for row in found] == [str(n) for n in range(1200) if n % 7]
    assert rejected == ["identity"] * len(range(0, 1200, 7))


async def test_what_weighs_most_is_what_is_wrong():
    worst = {"id": 1, "scheduleId": "s", "status": None, "totalRecords": -1, "flowId": 5}
    steps = [
        worst,
        worst | {"id": "r"},
        worst | {"id": "r", "status": "x"},
        worst | {"id": "r", "status": "x", "totalRecords": 1},
    ]
    assert await read(RunRow, raw(*steps)) == ([], ["identity", "status", "count", "type"])


async def test_a_field_that_the_row_can_do_without_may_be_null():
    found, rejected = await read(ScheduleRow, raw({"id": "s", "enabled": None, "name": None}))
    assert (found, rejected) == ([ScheduleRow(id="s", enabled=True)], [])


@pytest.mark.parametrize("odd", [[], {}, [{"a": 1}]])
async def test_a_time_that_is_none_costs_nothing(odd):
    found, rejected = await read(ResultRow, raw(GOOD | {"createdAt": odd}))
    assert (found, rejected) == ([ResultRow("r", "completed", created_at="")], [])


@pytest.mark.parametrize("odd", [1, None, "text", [GOOD], True])
async def test_what_is_no_object_is_no_row(odd):
    found, rejected = await read(ResultRow, raw(odd, GOOD))
    assert (len(found), rejected) == (1, ["type"])


async def test_the_parts_of_a_row_that_nobody_reads_may_be_anything():
    odd = b'{"recordId":"r","status":"x","flowName":null,"result":"\xff"}'
    found, rejected = await read(ResultRow, [*raw(None), msgspec.Raw(odd)])
    assert (found, rejected) == ([ResultRow("r", "x")], ["type"])


BROKEN = b'{"recordId":"r","status":"x","flowName":"\\ud83d","createdAt":[]}'


async def test_broken_text_is_left_to_the_caller_unless_the_body_was_repaired():
    no_text = msgspec.Raw(BROKEN.replace(rb"\ud83d", b"\xff"))
    for given in ([msgspec.Raw(BROKEN)], [*raw(None), msgspec.Raw(BROKEN)], [*raw(None), no_text]):
        with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
            await read(ResultRow, given)
    found, rejected = await read(ResultRow, [msgspec.Raw(BROKEN)], repaired=True)
    assert (found, rejected) == ([], ["type"])


async def test_a_page_of_bad_rows_is_not_worked_on_without_end(monkeypatch):
    monkeypatch.setattr(rows, "MAX_REJECTED", 3)
    _, rejected = await read(ResultRow, raw(1, 2, 3, GOOD))
    assert rejected == ["type"] * 3
    with pytest.raises(TooManyRejected, match="more than 3 rows are bad"):
        await read(ResultRow, raw(1, 2, 3, 4))


async def test_the_loop_runs_between_groups_of_good_rows_and_more_often_between_bad_ones():
    good = raw(*([GOOD] * 20_000))
    assert await turns_during(read(ResultRow, good)) >= sum(map(len, map(bytes, good))) // SLICE - 1
    assert await turns_during(read(ResultRow, raw(*([None] * 2_000)))) >= 2_000 // 64
