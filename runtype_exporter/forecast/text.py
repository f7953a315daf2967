"""Format a forecast as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from runtype_exporter.config import Account, Config, Poll
from runtype_exporter.forecast.advice import advice, duration_text, largest_batch, round_up
from runtype_exporter.forecast.inventory import AccountInventory
from runtype_exporter.forecast.requests import RequestForecast, forecast_requests, pages
from runtype_exporter.forecast.series import SeriesForecast, forecast_series
from runtype_exporter.metrics.series_limit import NEARLY

SMALL_BATCH: Final = 100
"""The number of records of a typical batch."""

SMALL_SHARE: Final = 0.005
"""Metrics with a smaller share of the lines are summed up in one row."""


def forecast_text(config: Config, inventories: Mapping[str, AccountInventory]) -> str:
    """Return the whole text. `inventories` are by account."""
    blocks = [
        *(_account(account, config.poll, inventories[account.name]) for account in config.accounts),
        _series(config, forecast_series(config, inventories)),
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def _account(account: Account, poll: Poll, inventory: AccountInventory) -> Iterator[str]:
    forecast = forecast_requests(account, poll, inventory)
    yield f"{account.name}  ({account.base_url}, at most {forecast.limit:,} requests an hour)"
    yield _line("holds" if inventory.read else "assumed", _contents(inventory))
    for note in inventory.notes:
        yield _line("", note)
    reads = ", ".join(f"{name} {amount:,.0f}" for name, amount in forecast.reads.items())
    yield _line(
        "at rest",
        f"{forecast.at_rest:,.0f} requests an hour,"
        f" {forecast.at_rest / forecast.limit:.0%} of the limit ({reads})",
    )
    if inventory.read:
        yield _line(
            "recently",
            f"{forecast.recent:,.0f} requests an hour, with each batch that ends read once",
        )
    yield _line("at the worst", _worst(inventory, forecast))
    for records in sorted({SMALL_BATCH, largest_batch(inventory)}):
        yield _line("freshness", _freshness(records, forecast))
    if len(inventory.open) > 1:
        total = (
            sum(pages(records, forecast.page_size) for records in inventory.open)
            * forecast.page_size
        )
        yield _line(
            "",
            f"the {len(inventory.open)} batches at work now, all changing: every"
            f" {duration_text(forecast.freshness(total))}",
        )
    for text in advice(account, poll, inventory) or ["none: it fits"]:
        yield _line("advice", text)


def _contents(inventory: AccountInventory) -> str:
    schedules, flows = _count(inventory.schedules, "schedule"), _count(inventory.flows, "flow")
    if not inventory.read:
        return f"{schedules}, {flows}; --live asks the API instead"
    others = inventory.listed - inventory.schedules
    left_out = f" ({others:,} left out)" if others > 0 else ""
    adhoc = (
        f" and {len(inventory.adhoc_ended) / inventory.adhoc_hours:,.1f} ad-hoc batches"
        if inventory.adhoc_ended
        else ""
    )
    return (
        f"{schedules} followed{left_out}, {flows},"
        f" {_count(len(inventory.open), 'batch', 'batches')} at work,"
        f" {inventory.runs_an_hour:,.1f} runs{adhoc} an hour of late"
    )


def _worst(inventory: AccountInventory, forecast: RequestForecast) -> str:
    if forecast.worst < forecast.limit:
        return (
            f"{forecast.worst:,.0f} requests an hour, with each batch at work swept in every cycle"
        )
    wanted = f"{forecast.wanted:,.0f} are wanted; " if inventory.read else ""
    return (
        f"{forecast.limit:,} requests an hour: {wanted}the limit is never exceeded,"
        " work waits for its turn"
    )


def _freshness(records: int, forecast: RequestForecast) -> str:
    count = pages(records, forecast.page_size)
    return (
        f"a {records:,}-record batch ({_count(count, 'page')}) is swept every"
        f" {duration_text(forecast.freshness(records))} while it runs alone"
    )


def _series(config: Config, rows: Sequence[SeriesForecast]) -> Iterator[str]:
    limit = config.metrics.max_series
    width = max(len(row.metric) for row in rows)
    yield f"{'metric':<{width}} {'series':>9} {'lines':>9}"
    lines = sum(row.lines for row in rows)
    small = [row for row in rows if row.lines < lines * SMALL_SHARE]
    large = sorted(
        (row for row in rows if row not in small), key=lambda row: (-row.lines, row.metric)
    )
    others = SeriesForecast(
        f"and {len(small)} others",
        sum(row.series for row in small),
        sum(row.lines for row in small),
    )
    for row in (*large, others):
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
