"""Runs that work on records without a batch id.

When such a run has ended, its results are swept once, as if they belonged to a batch. Only the
exporter knows this batch: no list and no status read shows it, it has no gauges and is not counted
as a batch.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from runtype_exporter.model import Batch, Run, Sweep
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.status_words import parse_time, probe_of
from runtype_exporter.runtype import Client, OffsetPagination, Priority, ResultsPage, RunRow

_log = structlog.get_logger()


def results_batch_id(run_id: str) -> str:
    """Return the batch id under which the ledger stores the results of a run."""
    return f"run/{run_id}"


def results_operation(batch: Batch) -> str:
    """Return the name of the operation that reads the results of a batch."""
    return "run_results" if batch.run else "results"


def results_batch(own: Batch, run: Run, row: RunRow, now: float) -> dict[str, Batch]:
    """Return the batch that stands for the results of a run, by its id.

    It is made from `own`, a new batch, at the API's time `now`. The result is empty if the run has
    not ended, has a batch or counts no records. The run of an agent mostly counts none: absent is
    not zero.
    """
    if run.outcome is None or run.batch or not row.total_records:
        return {}
    unended = replace(
        own,
        run=run.id,
        schedule=run.schedule,
        flow_id=row.agent_id or row.flow_id or "",
        started=parse_time(row.started_at, latest=now),
        completed=parse_time(row.completed_at, latest=now),
        probes={"run": probe_of(row)},
    )
    return {own.ref.id: lifecycle.end(unended, now)}


async def read_page(  # noqa: PLR0913  # a page of one batch, all by keyword
    client: Client, batch: Batch, offset: int, *, limit: int, priority: Priority, status: str | None
) -> ResultsPage:
    """Read a page of results of a batch, or of the run that the batch stands for.

    It is not documented whether the results of a run support an offset. If the answer is for
    another offset, nothing beyond the first page can be read, so an empty last page is returned.

    Raises:
        ApiError: the page could not be read.
    """
    if not batch.run:
        return await client.results(
            batch.ref.id, offset, limit=limit, priority=priority, status=status
        )
    page = await client.run_results(batch.run, offset, limit=limit, priority=priority)
    where = page.pagination
    if where.offset in (None, offset):
        return page
    _log.info(
        "the results of a run ignore the offset",
        account=batch.ref.account,
        run=batch.run,
        total=where.total,
    )
    return ResultsPage([], OffsetPagination(total=where.total, has_more=False, offset=offset))


def repeats_first_page(batch: Batch, before: Sweep) -> bool:
    """Return whether the last page of a run's results was its first page again.

    `before` is the sweep before that page. Rows of an ended run do not move, so a later page
    without any new row means that the API ignores the offset without saying so.
    """
    if not batch.run or batch.sweep is None or before.offset == 0:
        return False
    return batch.sweep.tally.distinct == before.tally.distinct
