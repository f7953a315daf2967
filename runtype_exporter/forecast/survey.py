"""A look at an account: a handful of requests that tell a forecast what it holds.

It must not know what is forecast from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from runtype_exporter.clock import Clock
from runtype_exporter.config import Account, State
from runtype_exporter.forecast.holding import Holding
from runtype_exporter.forecast.requests import pages
from runtype_exporter.model import BudgetState
from runtype_exporter.polling.reading import time
from runtype_exporter.polling.runs import order_of
from runtype_exporter.protocols import Telemetry
from runtype_exporter.runtype import Budget, Client, Forbidden, RunRow, ScheduleRow, Summary
from runtype_exporter.runtype.budget import HOUR
from runtype_exporter.runtype.client import MAX_LIST_PAGE

MOST_SCHEDULE_PAGES: Final = 10
"""A thousand schedules tell enough."""
SHORTEST_SPAN: Final = HOUR / 6
"""Runs that all began within less time than this are no measure of how often they begin: so much is
taken for granted, seconds."""
FEW_BATCHES: Final = 4
"""Fewer ad-hoc batches than this are no measure: they are taken for those of an hour."""


@dataclass(slots=True)
class _Memory:
    """A budget that lasts as long as the look.

    An exporter at work has the ledger, and with it the real one, for itself.
    """

    states: dict[str, BudgetState] = field(default_factory=dict)

    def load_budget(self, account: str) -> BudgetState | None:
        return self.states.get(account)

    def save_budget(self, account: str, state: BudgetState) -> None:
        self.states[account] = state


@dataclass(slots=True)
class _Read:
    """What the reads brought, and which were forbidden."""

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
) -> Holding:
    """Read an account's schedules, its summary and one page of its runs, each as far as the account's collectors want it.

    Raises:
        ApiError: something else than a missing scope stood in the way.
        SecretError: the key cannot be read.
    """
    budget = Budget(account.name, account.requests_per_hour, _Memory(), clock, telemetry)
    client = Client(
        account.name,
        account.base_url,
        account.api_key.read,
        budget=budget,
        telemetry=telemetry,
        clock=clock,
        timeout=account.timeout,
        page_size=account.page_size,
        transport=transport,
        attempts=1,
    )
    found = _Read()
    try:
        async with client:
            await _look(account, client, found)
    finally:
        budget.close()
    return _holding(account, state, clock.now(), found)


async def _look(account: Account, client: Client, found: _Read) -> None:
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


async def _schedules(client: Client, found: _Read) -> None:
    cursor: str | None = None
    for _ in range(MOST_SCHEDULE_PAGES):
        page = await client.schedules(cursor)
        found.schedules += page.data
        cursor = page.pagination.next_cursor
        if not page.pagination.has_more or not cursor:
            return
    found.notes.append(f"schedules: only the first {len(found.schedules)} were read")


async def _runs(client: Client, found: _Read) -> None:
    page = await client.runs()
    found.runs = page.data
    found.more_runs = page.pagination.has_more


async def _summary(client: Client, found: _Read) -> None:
    found.summary = await client.summary()


def _holding(account: Account, state: State, now: float, found: _Read) -> Holding:
    names = {row.id: row.name for row in found.schedules}

    def followed(schedule_id: str) -> bool:
        return account.schedules.matches(names.get(schedule_id), schedule_id)

    theirs = {
        run.batch_execution_id: run.schedule_id for run in found.runs if run.batch_execution_id
    }
    adhoc = [row for row in (*found.summary.batches, *found.summary.recent) if row.id not in theirs]
    imports = (
        [row for row in found.summary.recent if row.id not in theirs]
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
    hours = _span(
        [at for run in found.runs if (at := time(run.created_at)) is not None],
        now,
        more=found.more_runs,
    )
    an_hour = len(found.runs) / hours
    in_retention = round(an_hour * state.retention / HOUR) if found.more_runs else len(found.runs)
    return Holding(
        read=True,
        listed=len(found.schedules),
        schedules=len(schedules),
        flows=len(flows) + len(unseen),
        adhoc_flows=max(1, len({row.flow_name for row in adhoc})),
        open=tuple(
            row.total_records or 0
            for row in found.summary.batches
            if (followed(theirs[row.id]) if row.id in theirs else account.adhoc_batches)
        ),
        runs_an_hour=an_hour,
        ended=tuple(run.total_records or 0 for run in with_records if followed(run.schedule_id)),
        hours=hours,
        adhoc_ended=tuple(row.total_records or 0 for row in imports),
        adhoc_hours=_pace(
            sorted(at for row in imports if (at := time(row.started_at)) is not None)
        ),
        run_pages=pages(in_retention, min(account.page_size, MAX_LIST_PAGE)),
        ordered=not found.more_runs or _in_order(found.runs),
        forbidden=frozenset(found.forbidden),
        notes=tuple(found.notes),
    )


def _in_order(runs: Sequence[RunRow]) -> bool:
    return order_of([at for run in runs if (at := time(run.created_at)) is not None]) != "none"


def _span(created: Sequence[float], now: float, *, more: bool) -> float:
    """Over how many hours the runs that were read began.

    The whole list's began up to now, a page's within the page.
    """
    if not created:
        return 1.0
    last = max(created) if more else now
    return max(SHORTEST_SPAN, last - min(created)) / HOUR


def _pace(began: Sequence[float]) -> float:
    """Over how many hours these ad-hoc batches began, in order of their starts.

    How far back the summary reaches is not documented, so the starts themselves tell: those of the
    middle half, since one batch that took long began long before the others.
    """
    if len(began) < FEW_BATCHES:
        return max(HOUR, began[-1] - began[0] if began else 0.0) / HOUR
    quarter = len(began) // 4
    apart = (began[-1 - quarter] - began[quarter]) / (len(began) - 1 - 2 * quarter)
    return max(SHORTEST_SPAN, len(began) * apart) / HOUR
