"""Survey an account: read with a few requests what a forecast needs to know about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from runtype_exporter.clock import Clock
from runtype_exporter.config import Account, State
from runtype_exporter.forecast.inventory import AccountInventory
from runtype_exporter.forecast.requests import pages
from runtype_exporter.limits import HOUR
from runtype_exporter.polling.discovery.run_list import order_of
from runtype_exporter.polling.status_words import parse_time
from runtype_exporter.protocols import BudgetState, Telemetry
from runtype_exporter.runtype import (
    ApiTime,
    Budget,
    Client,
    Exchange,
    Forbidden,
    RunRow,
    ScheduleRow,
    Summary,
)
from runtype_exporter.runtype.client import MAX_LIST_PAGE

MOST_SCHEDULE_PAGES: Final = 10
"""With the largest page size this is a thousand schedules, enough for a forecast."""
SHORTEST_SPAN: Final = HOUR / 6
"""The shortest time that rates are computed over, in seconds. Runs that all started in a shorter
time say little about how often runs start."""
FEW_BATCHES: Final = 4
"""With fewer ad-hoc batches than this, it is assumed that they are those of one hour."""


@dataclass(slots=True)
class _BudgetOfOneSurvey:
    """Storage for the request budget of one survey.

    The real budget is in the ledger, which only the running exporter may open.
    """

    states: dict[str, BudgetState] = field(default_factory=dict)

    def load_budget(self, account: str) -> BudgetState | None:
        return self.states.get(account)

    def save_budget(self, account: str, state: BudgetState) -> None:
        self.states[account] = state


@dataclass(slots=True)
class _AccountReads:
    """The rows that were read, and the reads that were forbidden."""

    schedules: list[ScheduleRow] = field(default_factory=list)
    runs: list[RunRow] = field(default_factory=list)
    more_runs: bool = False
    summary: Summary = field(default_factory=lambda: Summary(batches=[], recent=[]))
    forbidden: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


async def survey(
    account: Account,
    state: State,
    *,
    clock: Clock,
    telemetry: Telemetry,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AccountInventory:
    """Read the schedules, the summary and one page of the runs of an account.

    What belongs to a collector that is off is not read.

    Raises:
        ApiError: a request failed for another reason than a missing scope.
        SecretError: the key cannot be read.
    """
    budget = Budget(account.name, account.requests_per_hour, _BudgetOfOneSurvey(), clock, telemetry)
    api_time = ApiTime(account.name, clock, telemetry)
    exchange = Exchange(
        account.name,
        account.base_url,
        account.api_key.read,
        budget=budget,
        telemetry=telemetry,
        clock=clock,
        api_time=api_time,
        timeout=account.timeout,
        transport=transport,
        attempts=1,
    )
    found = _AccountReads()
    try:
        async with Client(exchange, page_size=account.page_size) as client:
            await _read_all(account, client, found)
    finally:
        budget.close()
    return _inventory(account, state, api_time.now(), found)


async def _read_all(account: Account, client: Client, found: _AccountReads) -> None:
    on = account.collectors
    for name, wanted, read in (
        ("schedules", on.schedules, _schedules),
        ("runs", on.runs, _runs),
        ("summary", on.summary, _summary),
    ):
        if not wanted:
            found.notes.append(f"{name}: not read, its collector is off")
            continue
        try:
            await read(client, found)
        except Forbidden as error:
            found.forbidden.add(name)
            found.notes.append(str(error))


async def _schedules(client: Client, found: _AccountReads) -> None:
    cursor: str | None = None
    for _ in range(MOST_SCHEDULE_PAGES):
        page = await client.schedules(cursor)
        found.schedules += page.data
        cursor = page.pagination.next_cursor
        if not page.pagination.has_more or not cursor:
            return
    found.notes.append(f"schedules: only the first {len(found.schedules)} were read")


async def _runs(client: Client, found: _AccountReads) -> None:
    page = await client.runs()
    found.runs = page.data
    found.more_runs = page.pagination.has_more


async def _summary(client: Client, found: _AccountReads) -> None:
    found.summary = await client.summary()


def _inventory(
    account: Account, state: State, now: float, found: _AccountReads
) -> AccountInventory:
    names = {row.id: row.name for row in found.schedules}

    def followed(schedule_id: str) -> bool:
        return account.schedules.matches(names.get(schedule_id), schedule_id)

    schedule_of_batch = {
        run.batch_execution_id: run.schedule_id for run in found.runs if run.batch_execution_id
    }
    adhoc = [
        row
        for row in (*found.summary.batches, *found.summary.recent)
        if row.id not in schedule_of_batch
    ]
    imports = (
        [row for row in found.summary.recent if row.id not in schedule_of_batch]
        if account.adhoc_batches
        else []
    )
    schedules = {row.id for row in found.schedules if followed(row.id)}
    schedules |= {run.schedule_id for run in found.runs if followed(run.schedule_id)}
    with_records = [run for run in found.runs if run.batch_execution_id or run.total_records]
    flows = {(run.schedule_id, run.flow_id) for run in with_records if followed(run.schedule_id)}
    unseen = {row.id for row in found.schedules if not row.agent_id and followed(row.id)} - {
        flow[0] for flow in flows
    }
    hours = _hours(
        [at for run in found.runs if (at := parse_time(run.created_at)) is not None],
        now,
        more=found.more_runs,
    )
    runs_an_hour = len(found.runs) / hours
    in_retention = (
        round(runs_an_hour * state.retention / HOUR) if found.more_runs else len(found.runs)
    )
    return AccountInventory(
        read=True,
        listed=len(found.schedules),
        schedules=len(schedules),
        flows=len(flows) + len(unseen),
        adhoc_flows=max(1, len({row.flow_name for row in adhoc})),
        open=tuple(
            row.total_records or 0
            for row in found.summary.batches
            if (
                followed(schedule_of_batch[row.id])
                if row.id in schedule_of_batch
                else account.adhoc_batches
            )
        ),
        runs_an_hour=runs_an_hour,
        ended=tuple(run.total_records or 0 for run in with_records if followed(run.schedule_id)),
        hours=hours,
        adhoc_ended=tuple(row.total_records or 0 for row in imports),
        adhoc_hours=_adhoc_hours(
            sorted(at for row in imports if (at := parse_time(row.started_at)) is not None)
        ),
        run_pages=pages(in_retention, min(account.page_size, MAX_LIST_PAGE)),
        ordered=not found.more_runs or _in_order(found.runs),
        forbidden=frozenset(found.forbidden),
        notes=tuple(found.notes),
    )


def _in_order(runs: Sequence[RunRow]) -> bool:
    return (
        order_of([at for run in runs if (at := parse_time(run.created_at)) is not None]) != "none"
    )


def _hours(created: Sequence[float], now: float, *, more: bool) -> float:
    """Return the hours in which the runs that were read started.

    The end is now if the whole list was read, and otherwise the newest run of the page.
    """
    if not created:
        return 1.0
    last = max(created) if more else now
    return max(SHORTEST_SPAN, last - min(created)) / HOUR


def _adhoc_hours(started: Sequence[float]) -> float:
    """Return the hours in which these ad-hoc batches started. `started` is in order.

    It is not documented how far back the summary reaches, so this is computed from the starts. Only
    the middle half of them is used, because a long batch may have started much earlier.
    """
    if len(started) < FEW_BATCHES:
        return max(HOUR, started[-1] - started[0] if started else 0.0) / HOUR
    quarter = len(started) // 4
    apart = (started[-1 - quarter] - started[quarter]) / (len(started) - 1 - 2 * quarter)
    return max(SHORTEST_SPAN, len(started) * apart) / HOUR
