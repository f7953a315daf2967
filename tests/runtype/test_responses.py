import asyncio
import json

import pytest

from runtype_exporter.runtype import (
    Day,
    DecodeError,
    ResultRow,
    RunRow,
    ScheduleRow,
    Sparkline,
    SummaryRow,
    Usage,
    UsageBlock,
)
from runtype_exporter.runtype.responses import (
    COST,
    RESULTS,
    RUN_RESULTS,
    RUNS,
    SCHEDULES,
    SPARKLINES,
    STATUS,
    SUMMARY,
    USAGE,
)

MARK = "CUSTOMER-SECRET"


def decode(decoder, body):
    return asyncio.run(decoder.decode(body))


def result(**changes):
    row = {
        "recordResultId": "result_1",
        "recordId": "record_1",
        "record": {"id": "record_1", "name": MARK, "type": "company"},
        "status": "completed",
        "createdAt": "2026-07-01T10:00:05Z",
        "executedAt": "2026-07-01T10:00:09Z",
        "failedAt": None,
        "error": MARK,
        "result": {MARK: [MARK, 1.5, None]},
        "flowId": "flow_1",
        "flowName": "Enrich",
        "agentExecutionId": None,
    }
    return {key: value for key, value in (row | changes).items() if value is not ...}


def results(*rows, **pagination):
    where = {"limit": 50, "offset": 0, "total": len(rows), "hasMore": False} | pagination
    return json.dumps(
        {"data": list(rows), "pagination": {k: v for k, v in where.items() if v is not ...}}
    ).encode()


def run(**changes):
    row = {
        "id": "run_1",
        "scheduleId": "schedule_1",
        "status": "completed",
        "createdAt": "2026-07-01T10:00:00Z",
        "startedAt": "2026-07-01T10:00:02Z",
        "completedAt": "2026-07-01T10:03:00Z",
        "error": MARK,
        "flowId": "flow_1",
        "agentId": None,
        "agentExecutionId": None,
        "batchExecutionId": "batch_1",
        "totalRecords": 40,
        "processedRecords": 40,
        "failedRecords": 1,
    }
    return {key: value for key, value in (row | changes).items() if value is not ...}


def cursor_list(*rows, **pagination):
    where = {
        "nextCursor": None,
        "prevCursor": None,
        "hasMore": False,
        "hasPrev": False,
        "limit": 50,
        "currentOffset": 0,
    }
    return json.dumps({"data": list(rows), "pagination": where | pagination}).encode()


def summary_row(**changes):
    row = {
        "id": "batch_1",
        "flowName": "Enrich",
        "status": "running",
        "progress": 50,
        "startedAt": "2026-07-01T10:00:00Z",
        "totalRecords": 40,
        "processedRecords": 20,
        "failedRecords": 0,
    }
    return row | changes


def summary(*batches, recent=()):
    whole = {
        "activeBatches": len(batches),
        "recentlyCompleted": len(recent),
        "batches": batches,
        "recent": recent,
    }
    return json.dumps(whole).encode()


def batch_status(**changes):
    whole = {
        "batchExecutionId": "batch_1",
        "flowId": "flow_1",
        "status": "completed",
        "startedAt": "2026-07-01T10:00:00Z",
        "totalRecords": 40,
        "processedRecords": 40,
        "failedRecords": 1,
        "results": [MARK],
    }
    return json.dumps({k: v for k, v in (whole | changes).items() if v is not ...}).encode()


def test_a_page_of_results_is_read_without_its_customer_data():
    page = decode(RESULTS, results(result(), total=40, hasMore=True))
    assert page.data == [
        ResultRow(
            record_result_id="result_1",
            record_id="record_1",
            status="completed",
            created_at="2026-07-01T10:00:05Z",
            executed_at="2026-07-01T10:00:09Z",
            failed_at=None,
            flow_id="flow_1",
            flow_name="Enrich",
        )
    ]
    assert (page.pagination.offset, page.pagination.total, page.pagination.has_more) == (
        0,
        40,
        True,
    )
    assert MARK not in repr(page)


def test_a_page_of_runs_is_read():
    page = decode(RUNS, cursor_list(run(), nextCursor="opaque", hasMore=True))
    assert page.data == [
        RunRow(
            id="run_1",
            schedule_id="schedule_1",
            status="completed",
            created_at="2026-07-01T10:00:00Z",
            started_at="2026-07-01T10:00:02Z",
            completed_at="2026-07-01T10:03:00Z",
            flow_id="flow_1",
            agent_id=None,
            batch_execution_id="batch_1",
            total_records=40,
            processed_records=40,
            failed_records=1,
        )
    ]
    assert (page.pagination.next_cursor, page.pagination.has_more) == ("opaque", True)
    assert MARK not in repr(page)


def test_the_other_answers_are_read():
    schedule = {"id": "schedule_1", "name": None, "enabled": False, "inputs": {"text": MARK}}
    assert decode(SCHEDULES, cursor_list(schedule)).data == [
        ScheduleRow(id="schedule_1", name=None, enabled=False)
    ]
    whole = decode(
        SUMMARY, summary(summary_row(), recent=[summary_row(id="batch_0", flowName=None)])
    )
    assert whole.batches == [
        SummaryRow(
            id="batch_1",
            status="running",
            flow_name="Enrich",
            started_at="2026-07-01T10:00:00Z",
            total_records=40,
            processed_records=20,
            failed_records=0,
        )
    ]
    assert [row.id for row in whole.recent] == ["batch_0"]
    status = decode(STATUS, batch_status())
    assert (status.batch_execution_id, status.status, status.completed_at) == (
        "batch_1",
        "completed",
        None,
    )
    assert (status.total_records, status.processed_records, status.failed_records) == (40, 40, 1)
    assert MARK not in repr(status)


@pytest.mark.parametrize(
    "row",
    [
        result(record=None),
        result(record=...),
        result(flowName=None, flowId=None),
        result(flowName=..., flowId=...),
        result(recordResultId=None),
        result(recordResultId=...),
        result(createdAt=..., executedAt=..., failedAt=...),
        result(status="needs review"),
        result(novelty={"a": [1, {}]}),
    ],
)
def test_rows_are_read_whatever_is_null_absent_or_new(row):
    assert decode(RESULTS, results(row)).data[0].record_id == "record_1"


@pytest.mark.parametrize("odd", [17, 1.5, True, [1], {"a": "b"}, "garbage"])
def test_a_timestamp_of_any_type_does_not_cost_the_page(odd):
    row = decode(RESULTS, results(result(createdAt=odd, executedAt=odd, failedAt=odd))).data[0]
    # A list or an object is read as no time either.
    read = "" if isinstance(odd, (list, dict)) else odd
    assert (row.created_at, row.executed_at, row.failed_at) == (read, read, read)


def test_an_agents_run_has_neither_batch_nor_counts():
    bare = run(
        batchExecutionId=None,
        totalRecords=None,
        processedRecords=...,
        failedRecords=...,
        flowId=None,
    )
    row = decode(RUNS, cursor_list(bare)).data[0]
    assert (
        row.batch_execution_id,
        row.total_records,
        row.processed_records,
        row.failed_records,
    ) == (None,) * 4


SHAPE = "the answer has another shape than the API documents: "


@pytest.mark.parametrize(
    ("decoder", "body", "message"),
    [
        (
            RESULTS,
            results(result(), total=MARK),
            SHAPE + "Expected `int`, got `str` - at `$.pagination.total`",
        ),
        (
            RESULTS,
            results(result(), total=-1),
            SHAPE + "Expected `int` >= 0 - at `$.pagination.total`",
        ),
        (
            RESULTS,
            results(result(), total=None),
            SHAPE + "Expected `int`, got `null` - at `$.pagination.total`",
        ),
        (
            RESULTS,
            results(result(), total=2**60),
            SHAPE + "Expected `int` <= 9007199254740992 - at `$.pagination.total`",
        ),
        (
            RESULTS,
            results(result(), total=True),
            SHAPE + "Expected `int`, got `bool` - at `$.pagination.total`",
        ),
        (
            RESULTS,
            results(result(), total=...),
            SHAPE + "Object missing required field `total` - at `$.pagination`",
        ),
        (
            RESULTS,
            results(result(), hasMore=MARK),
            SHAPE + "Expected `bool`, got `str` - at `$.pagination.hasMore`",
        ),
        (
            RESULTS,
            results(result(), hasMore=None),
            SHAPE + "Expected `bool`, got `null` - at `$.pagination.hasMore`",
        ),
        (
            RESULTS,
            results(result(recordId=None), offset=1.5),
            SHAPE + "Expected `int | null`, got `float` - at `$.pagination.offset`",
        ),
        (
            RESULTS,
            b'{"data":{},"pagination":{"total":0,"hasMore":false}}',
            SHAPE + "Expected `array | null`, got `object` - at `$.data`",
        ),
        (
            RESULTS,
            b'{"data":null,"pagination":{}}',
            SHAPE + "Object missing required field `total` - at `$.pagination`",
        ),
        (RESULTS, b"[]", SHAPE + "Expected `object`, got `array`"),
        (RESULTS, b'{"error":"CUSTOMER-SECRET"}', SHAPE + "Object missing required field `data`"),
        (
            RUNS,
            cursor_list(run(), nextCursor=5),
            SHAPE + "Expected `str | null`, got `int` - at `$.pagination.nextCursor`",
        ),
        (SUMMARY, b'{"batches":[]}', SHAPE + "Object missing required field `recent`"),
        (
            STATUS,
            batch_status(processedRecords=MARK),
            SHAPE + "Expected `int | null`, got `str` - at `$.processedRecords`",
        ),
    ],
)
def test_a_wrong_type_that_would_corrupt_a_count_is_refused_by_its_path_and_never_quoted(
    decoder, body, message
):
    with pytest.raises(DecodeError) as caught:
        decode(decoder, body)
    assert str(caught.value) == f"{decoder.operation}: {message}"
    assert MARK not in repr(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("decoder", "body", "rejected"),
    [
        (RESULTS, results(result(recordId=None)), "identity"),
        (RESULTS, results(result(recordId=...)), "identity"),
        (RESULTS, results(result(recordId="")), "identity"),
        (RESULTS, results(result(recordId=7)), "identity"),
        (RESULTS, results(result(recordResultId=7)), "identity"),
        (RESULTS, results(result(status=None)), "status"),
        (RESULTS, results(result(status=...)), "status"),
        (RESULTS, results(result(status=[MARK])), "status"),
        (RESULTS, results(result(flowName=7)), "type"),
        (RESULTS, results(MARK), "type"),
        (RESULTS, results(None), "type"),
        (RUNS, cursor_list(run(scheduleId=None)), "identity"),
        (RUNS, cursor_list(run(status=None)), "status"),
        (RUNS, cursor_list(run(failedRecords=-1)), "count"),
        (RUNS, cursor_list(run(processedRecords=1.5)), "count"),
        (RUNS, cursor_list(run(totalRecords=True)), "count"),
        (RUNS, cursor_list(run(totalRecords=MARK)), "count"),
        (RUNS, cursor_list(run(totalRecords=2**60)), "count"),
        (SUMMARY, summary(summary_row(totalRecords=MARK)), "count"),
        (SUMMARY, summary(recent=[summary_row(status=None)]), "status"),
        (SCHEDULES, cursor_list({"id": 5}), "identity"),
        (SCHEDULES, cursor_list({"id": "s", "enabled": "perhaps"}), "type"),
    ],
)
def test_a_row_that_would_corrupt_a_count_is_left_out_and_named_without_a_value(
    decoder, body, rejected
):
    page = decode(decoder, body)
    assert page.rejected == (rejected,)
    assert MARK not in repr(page)


@pytest.mark.parametrize("number", ["50", "50.0", "5e1", '"50"', '"50.0"'])
def test_a_whole_number_may_be_written_as_a_fraction_or_as_text(number):
    bare = b'{"id":"r","scheduleId":"s","status":"x","totalRecords":%b}' % number.encode()
    for rows in (bare, b'{"id":null},' + bare):
        (row,) = decode(RUNS, b'{"data":[%b],"pagination":{"hasMore":false}}' % rows).data
        assert row.total_records == 50
        assert type(row.total_records) is int
    value = number.encode()
    text = b'{"data":[],"pagination":{"total":%b,"offset":%b,"hasMore":false}}' % (value, value)
    where = decode(RESULTS, text).pagination
    assert (where.total, where.offset) == (50, 50)
    status = decode(
        STATUS, batch_status(totalRecords=...)[:-1] + b',"totalRecords":%b}' % (number.encode())
    )
    assert status.total_records == 50


def test_only_numbers_and_truth_values_are_read_from_text():
    texts = {"flowName": "null", "recordResultId": "null", "createdAt": "true", "flowId": "7"}
    (row,) = decode(RESULTS, results(result(**texts))).data
    assert (row.flow_name, row.record_result_id, row.created_at, row.flow_id) == (
        "null",
        "null",
        "true",
        "7",
    )
    assert decode(RUNS, cursor_list(run(totalRecords="null"))).data[0].total_records is None
    assert decode(RUNS, cursor_list(run(), hasMore="true")).pagination.has_more is True
    (schedule,) = decode(SCHEDULES, cursor_list({"id": "s", "enabled": 0})).data
    assert schedule.enabled is False


def test_lists_that_are_null_are_empty():
    assert decode(SUMMARY, b'{"batches":null,"recent":null}').batches == []
    assert decode(RUNS, b'{"data":null,"pagination":{"hasMore":false}}').data == []


NEST = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "DecodeError"),
        (b"<html>CUSTOMER-SECRET</html>", "DecodeError"),
        (b'{"data":[{"recordId":"CUSTOMER-SECRET', "DecodeError"),
        (b'{"data":[],"pagination":{"total":0,"hasMore":false}} CUSTOMER-SECRET', "DecodeError"),
        (b'{"novelty":' + NEST + b',"data":[]}', "RecursionError"),
        (b'{"data":[{"recordId":"r","status":"x","result":' + NEST + b"}]}", "RecursionError"),
        (b'{"novelty":NaN,"data":[]}', "DecodeError"),
    ],
)
def test_what_is_not_json_is_refused_without_a_byte_of_it(body, kind):
    with pytest.raises(DecodeError) as caught:
        decode(RESULTS, body)
    expected = (
        f"results: the answer is not JSON ({kind} in {len(body)} bytes);"
        " does something stand between here and the API?"
    )
    assert str(caught.value) == expected
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"cut \ud83d here", "cut \ufffd here"),
        (rb"\udc00\uD800", "\ufffd\ufffd"),
        (rb"\ud83d\ude00 \ud83d\\ude00", "\U0001f600 \ufffd\\ude00"),
        (rb"\\ud83d \ud83d", "\\ud83d \ufffd"),
        (rb"\ud83d\n\"\/", '\ufffd\n"/'),
    ],
)
def test_half_an_emoji_in_any_text_does_not_cost_the_page(text, read):
    row = b'{"recordId":"r","status":"x","flowName":"%b","result":"%b"}' % (text, text)
    page = decode(RESULTS, b'{"data":[%b],"pagination":{"total":1,"hasMore":false}}' % row)
    assert page.data[0].flow_name == read


def test_a_schedules_times_and_targets_are_taken_and_its_inputs_are_not():
    row = {
        "id": "s1",
        "name": "nightly",
        "enabled": False,
        "triggerType": "recurring",
        "cron": "0 3 * * *",
        "runAt": None,
        "timezone": "Europe/Berlin",
        "nextRunAt": "2026-07-01T01:00:00Z",
        "lastRunAt": None,
        "flowId": "flow_1",
        "agentId": None,
        "inputs": {"note": MARK},
        "messages": [MARK],
    }
    (schedule,) = decode(SCHEDULES, cursor_list(row)).data
    assert schedule == ScheduleRow(
        id="s1",
        name="nightly",
        enabled=False,
        cron="0 3 * * *",
        timezone="Europe/Berlin",
        next_run_at="2026-07-01T01:00:00Z",
    )
    assert MARK not in repr(schedule)


def test_a_runs_results_are_as_a_batchs():
    body = results(result())
    assert decode(RUN_RESULTS, body) == decode(RESULTS, body)
    with pytest.raises(DecodeError, match=r"^run_results: "):
        decode(RUN_RESULTS, b"{}")


@pytest.mark.parametrize(
    ("text", "dollars"), [("0", 0.0), ("1.25", 1.25), ("3", 3.0), ("1e-7", 1e-7), ("1e6", 1e6)]
)
def test_a_cost_is_a_number_of_dollars(text, dollars):
    assert (
        decode(COST, f'{{"batchExecutionId":"b","totalCostUsd":{text}}}'.encode()).total_cost_usd
        == dollars
    )


@pytest.mark.parametrize(
    "text",
    ["-0.01", "1000000.01", "1e999", "NaN", "Infinity", '"0.25"', "null", "true", "[]", "{}", ""],
)
def test_a_cost_that_a_counter_must_not_take_is_a_decode_error(text):
    with pytest.raises(DecodeError, match=r"^cost: "):
        decode(COST, f'{{"totalCostUsd":{text}}}'.encode())
    with pytest.raises(DecodeError, match=r"^cost: "):
        decode(COST, b"{}")


def test_sparklines_are_days_of_schedules():
    body = {
        "data": [
            {"scheduleId": "s1", "last7Days": [{"date": "2026-07-01", "runs": 24, "failed": 1}]}
        ]
    }
    (line,) = decode(SPARKLINES, json.dumps(body).encode()).data
    assert line == Sparkline("s1", [Day(24, 1)])


@pytest.mark.parametrize(
    "day", [{"runs": -1, "failed": 0}, {"runs": "some", "failed": 0}, {"runs": 24}, None]
)
def test_a_line_without_sound_counts_is_left_out(day):
    good = {"scheduleId": "s2", "last7Days": None}
    body = {"data": [{"scheduleId": "s1", "last7Days": [day]}, good]}
    page = decode(SPARKLINES, json.dumps(body).encode())
    assert (page.data, page.rejected) == ([Sparkline("s2", [])], ("type",))


BLOCK = {
    "date": "2026-07-01",
    "executionsUsed": 40,
    "executionLimit": 50,
    "percentUsed": 80.0,
    "remaining": 10,
    "tier": "build",
    "resetsAt": "2026-07-02T00:00:00Z",
    "isUnlimited": False,
    "periodType": "daily",
    "inSlowMode": True,
    "spendLimit": None,
}
DAILY = UsageBlock(
    executions_used=40.0,
    execution_limit=50.0,
    is_unlimited=False,
    in_slow_mode=True,
    resets_at="2026-07-02T00:00:00Z",
)


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        ({}, Usage()),
        ({"daily": BLOCK}, Usage(daily=DAILY)),
        ({"monthly": BLOCK, "daily": None}, Usage(monthly=DAILY)),
        ({"monthly": {}}, Usage(monthly=UsageBlock())),
        ({"daily": {"executionLimit": -1}}, Usage(daily=UsageBlock(execution_limit=-1.0))),
    ],
)
def test_usage_has_the_blocks_and_the_fields_that_the_plan_has(body, usage):
    assert decode(USAGE, json.dumps(body).encode()) == usage


@pytest.mark.parametrize(
    "block", [{"executionsUsed": -1}, {"executionsUsed": "40"}, {"inSlowMode": 1}, []]
)
def test_usage_of_another_shape_is_a_decode_error(block):
    with pytest.raises(DecodeError, match=r"^usage: "):
        decode(USAGE, json.dumps({"daily": block}).encode())
