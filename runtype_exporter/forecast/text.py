"""A forecast as a person reads it in a terminal.

It must not know how any of its figures came to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from runtype_exporter.config import Account, Config
from runtype_exporter.forecast.advice import advice, duration, largest, round_up
from runtype_exporter.forecast.holding import Holding
from runtype_exporter.forecast.requests import Requests, pages, requests
from runtype_exporter.forecast.series import Row, series
from runtype_exporter.metrics.bounds import NEARLY

SMALL_BATCH: Final = 100
"""Records of the batch that stands for the usual one."""

FEW: Final = 0.005
"""Metrics with a smaller share of the lines are told together."""


def forecast_text(config: Config, holdings: Mapping[str, Holding]) -> str:
    """All of it; `holdings` by account."""
    blocks = [
        _account(
            account,
            holdings[account.name],
            requests(account, config.poll, holdings[account.name]),
            advice(account, config.poll, holdings[account.name]),
        )
        for account in config.accounts
    ]
    return (
        "\n\n".join(
            ["\n".join(block) for block in (*blocks, _series(config, series(config, holdings)))]
        )
        + "\n"
    )


def _account(
    account: Account, holding: Holding, taken: Requests, advised: Sequence[str]
) -> Iterator[str]:
    yield f"{account.name}  ({account.base_url}, at most {taken.limit:,} requests an hour)"
    held = "holds" if holding.read else "assumed"
    yield _line(held, _held(holding))
    for note in holding.notes:
        yield _line("", note)
    reads = ", ".join(f"{name} {amount:,.0f}" for name, amount in taken.reads.items())
    yield _line(
        "at rest",
        f"{taken.at_rest:,.0f} requests an hour, {taken.at_rest / taken.limit:.0%} of the limit"
        f" ({reads})",
    )
    if holding.read:
        yield _line(
            "as of late",
            f"{taken.usual:,.0f} requests an hour, with each batch that ends read once",
        )
    yield _line("at the worst", _worst(holding, taken))
    for records in sorted({SMALL_BATCH, largest(holding)}):
        yield _line("freshness", _freshness(records, taken))
    if len(holding.open) > 1:
        total = sum(pages(records, taken.page_size) for records in holding.open) * taken.page_size
        yield _line(
            "",
            f"the {len(holding.open)} batches at work now, all changing: every"
            f" {duration(taken.freshness(total))}",
        )
    if not advised:
        yield _line("advice", "none: it fits")
    for text in advised:
        yield _line("advice", text)


def _held(holding: Holding) -> str:
    schedules, flows = _count(holding.schedules, "schedule"), _count(holding.flows, "flow")
    if not holding.read:
        return f"{schedules}, {flows}; --live asks the API instead"
    others = holding.listed - holding.schedules
    left_out = f" ({others:,} left out)" if others > 0 else ""
    adhoc = (
        f" and {len(holding.adhoc_ended) / holding.adhoc_hours:,.1f} ad-hoc batches"
        if holding.adhoc_ended
        else ""
    )
    return (
        f"{schedules} followed{left_out}, {flows}, {_count(len(holding.open), 'batch', 'batches')}"
        f" at work, {holding.runs_an_hour:,.1f} runs{adhoc} an hour of late"
    )


def _worst(holding: Holding, taken: Requests) -> str:
    if taken.worst < taken.limit:
        return f"{taken.worst:,.0f} requests an hour, with each batch at work swept in every cycle"
    wanted = f"{taken.wanted:,.0f} are wanted; " if holding.read else ""
    return (
        f"{taken.limit:,} requests an hour: {wanted}the limit is never exceeded, work waits for its"
        " turn"
    )


def _freshness(records: int, taken: Requests) -> str:
    count = pages(records, taken.page_size)
    return (
        f"a {records:,}-record batch ({_count(count, 'page')}) is swept every"
        f" {duration(taken.freshness(records))} while it runs alone"
    )


def _series(config: Config, rows: Sequence[Row]) -> Iterator[str]:
    limit = config.metrics.max_series
    width = max(len(row.metric) for row in rows)
    yield f"{'metric':<{width}} {'series':>9} {'lines':>9}"
    lines = sum(row.lines for row in rows)
    few = [row for row in rows if row.lines < lines * FEW]
    shown = sorted(
        (row for row in rows if row not in few), key=lambda row: (-row.lines, row.metric)
    )
    for row in (
        *shown,
        Row(
            f"and {len(few)} others", sum(row.series for row in few), sum(row.lines for row in few)
        ),
    ):
        yield f"{row.metric:<{width}} {row.series:>9,} {row.lines:>9,}"
    yield f"{'together':<{width}} {sum(row.series for row in rows):>9,} {lines:>9,}"
    yield f"{'at most (metrics.max_series)':<{width + 10}} {limit:>9,}"
    if lines > limit * NEARLY:
        yield (
            f"advice: set metrics.max_series to {round_up(lines / NEARLY):,} or more; or lower"
            " metrics.batches_per_schedule, or exclude schedules: near the limit the gauges of"
            " single batches go first, then new schedules share one label set"
        )


def _line(name: str, text: str) -> str:
    return f"  {name:<12}  {text}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
