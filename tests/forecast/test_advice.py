"""Advice: what it says, and that following it helps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runtype_exporter.config import Account, CollectorSwitches, Poll, Secret
from runtype_exporter.forecast import DEFAULT_INVENTORY, advice, forecast_requests
from runtype_exporter.forecast.advice import duration_text, largest_batch

BUSY = replace(DEFAULT_INVENTORY, read=True, ended=(1000,) * 100, hours=1.0)
"""A hundred batches an hour, eleven requests each."""


def account(**settings: Any) -> Account:
    return Account(**{"name": "acme", "api_key": Secret(env="KEY"), **settings})


def test_the_defaults_fit():
    assert [] == advice(account(), Poll(), DEFAULT_INVENTORY)


def test_batches_that_end_faster_than_they_can_be_read_come_first():
    (text,) = advice(account(), Poll(), BUSY)
    assert (
        text
        == "batches end faster than the budget can read them: 1,244 requests an hour are wanted,"
        " 900 granted, so counting falls further and further behind. Set requests_per_hour to 1,400"
        " or more, or page_size to 1,000 (the API may answer with fewer), or exclude schedules"
    )


@pytest.mark.parametrize("limit", [10, 100, 1000])
def test_the_limit_that_is_advised_is_enough_and_not_much_more(limit: int):
    text = advice(account(requests_per_hour=limit), Poll(), BUSY)[0]
    enough = int(text.split("requests_per_hour to ")[1].split(" ")[0].replace(",", ""))
    forecast = forecast_requests(account(requests_per_hour=enough), Poll(), BUSY)
    assert forecast.recent <= forecast.sustained
    assert [] == advice(account(requests_per_hour=enough), Poll(), BUSY)
    forecast = forecast_requests(account(requests_per_hour=int(enough * 0.8)), Poll(), BUSY)
    assert forecast.recent > forecast.sustained


def test_larger_pages_are_not_advised_at_the_maximum():
    many = replace(BUSY, ended=(1000,) * 1000)
    assert "page_size" not in advice(account(page_size=1000), Poll(), many)[0]


def test_advice_for_a_rarely_swept_large_batch_helps():
    large = replace(DEFAULT_INVENTORY, open=(50_000,))
    (text,) = advice(account(), Poll(), large)
    assert text.startswith(
        "while it runs, a batch of 50,000 records is read again every 40 min only; nothing is lost"
        " by that."
    )
    more = int(text.split("requests_per_hour to ")[1].split(", or")[0].replace(",", ""))
    assert [] == advice(account(requests_per_hour=more), Poll(), large)


def test_advice_on_stretched_cycles_names_both_remedies():
    text = advice(account(requests_per_hour=100), Poll(), DEFAULT_INVENTORY)[-1]
    assert "cycles come every 5 min instead of every 60 s" in text
    assert "Set requests_per_hour to 480, or poll.interval to 5 min" in text
    assert (
        forecast_requests(account(requests_per_hour=480), Poll(), DEFAULT_INVENTORY).interval == 60
    )


def test_an_unordered_run_list_is_not_part_of_the_forecast():
    (text,) = advice(account(), Poll(), replace(DEFAULT_INVENTORY, ordered=False))
    assert "in no order" in text


def test_collectors_that_find_no_batch_get_advice():
    (text,) = advice(
        account(collectors=CollectorSwitches(runs=False, summary=False)), Poll(), DEFAULT_INVENTORY
    )
    assert "no batch will be found" in text


def test_a_key_that_finds_no_batch_gets_advice():
    (text,) = advice(
        account(),
        Poll(),
        replace(DEFAULT_INVENTORY, read=True, forbidden=frozenset({"runs", "summary"})),
    )
    assert text.endswith("no batch will be found. Give the key the scope")


def test_the_largest_batch_is_the_largest_known_or_ten_thousand():
    assert [10_000, 10_000, 20_000, 30_000] == [
        largest_batch(replace(DEFAULT_INVENTORY, open=open_, ended=ended))
        for open_, ended in [((), ()), ((5,), (6,)), ((20_000,), (1,)), ((1,), (30_000,))]
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (60, "60 s"),
        (100, "2 min"),
        (3600, "60 min"),
        (5400, "1 h 30 min"),
        (7200, "2 h"),
        (172_800, "2 days"),
    ],
)
def test_duration_text(seconds: float, text: str):
    assert text == duration_text(seconds)
