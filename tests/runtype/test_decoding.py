import json

import pytest

from runtype_exporter.runtype import DecodeError, decoding
from runtype_exporter.runtype.pace import SLICE
from runtype_exporter.runtype.responses import RESULTS, RUNS, STATUS, SUMMARY
from tests.support.ticks import turns_during

MARK = "CUSTOMER-SECRET"


def page(rows, **more):
    where = {"total": len(rows), "hasMore": False}
    return json.dumps({"data": rows, "pagination": where} | more).encode()


def results(count, **more):
    return [{"recordId": f"r{n}", "status": "completed"} | more for n in range(count)]


async def test_an_ordinary_page_is_decoded_whole_without_a_turn_of_the_loop(monkeypatch):
    monkeypatch.setattr(RESULTS, "_envelope", None)
    assert await turns_during(RESULTS.decode(page(results(1000)))) == 0


@pytest.mark.parametrize("bad", [[], [{"recordId": MARK}]])
async def test_a_page_is_the_same_whole_in_slices_and_row_by_row(monkeypatch, bad):
    body = page(results(1200) + bad)
    page_of = await RESULTS.decode(body)
    monkeypatch.setattr(decoding, "LARGE", 0)
    assert await RESULTS.decode(body) == page_of
    assert len(page_of.data) == 1200
    assert page_of.rejected == ("status",) * len(bad)
    assert MARK not in repr(page_of)


async def test_what_the_api_sends_under_the_name_of_our_own_field_is_not_taken():
    body = page(results(1), rejected=[MARK])
    assert (await RESULTS.decode(body)).rejected == ()


async def test_several_lists_of_a_page_are_read():
    rows = [{"id": "a", "status": "x"}, {"id": "b"}]
    body = json.dumps({"batches": rows, "recent": rows[::-1], "activeBatches": MARK}).encode()
    whole = await SUMMARY.decode(body)
    assert [row.id for row in (*whole.batches, *whole.recent)] == ["a", "a"]
    assert whole.rejected == ("status", "status")


@pytest.mark.parametrize("size", [1, 1 << 20])
async def test_half_an_emoji_beside_a_bad_row_costs_neither_page_nor_row(monkeypatch, size):
    monkeypatch.setattr(decoding, "LARGE", size)
    rows = [{"recordId": None}, *results(2, flowName="cut \ud83d")]
    found = await RESULTS.decode(page(rows))
    assert [row.flow_name for row in found.data] == ["cut \ufffd"] * 2
    assert found.rejected == ("identity",)
    status = json.dumps({"batchExecutionId": "b", "status": "cut \ud83d"}).encode()
    assert (await STATUS.decode(status)).status == "cut \ufffd"


async def test_a_row_that_is_no_text_costs_itself():
    good = b'{"id":"a","scheduleId":"s","status":"x"}'
    body = b'{"data":[%b,%b],"pagination":{"hasMore":false}}' % (
        good,
        good.replace(b'"x"', b'"\xff"'),
    )
    found = await RUNS.decode(body)
    assert ([row.id for row in found.data], found.rejected) == (["a"], ("status",))


async def test_a_page_of_bad_rows_is_an_error_of_the_page():
    with pytest.raises(DecodeError) as caught:
        await RESULTS.decode(page([MARK] * 10_001))
    assert str(caught.value) == (
        "results: the answer has another shape than the API documents: more than 10000 rows are bad"
    )
    assert caught.value.__context__ is None


async def test_a_large_page_gives_the_loop_turns():
    body = page(results(150_000))
    assert await turns_during(RESULTS.decode(body)) >= len(body) // SLICE // 2


async def test_a_large_answer_that_is_no_json_gives_the_loop_turns():
    body = b"<html>" + b"\\n" * (1 << 20)

    async def refused():
        with pytest.raises(DecodeError, match="is not JSON"):
            await RESULTS.decode(body)

    assert await turns_during(refused()) >= len(body) // SLICE // 2
