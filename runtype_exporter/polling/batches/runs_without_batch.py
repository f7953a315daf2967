"""Runs that work on records without a batch id.

Their results are swept once, when the run has ended, as those of a batch of its own.

Such a batch is the exporter's own: no list and no status read knows it, it has no gauges and is not
counted among the batches.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from runtype_exporter.model import Batch, Probe, Run, Sweep
from runtype_exporter.polling.status_words import normalise, parse_time
from runtype_exporter.runtype import Client, OffsetPagination, Priority, ResultsPage, RunRow

_log = structlog.get_logger()


def results_batch_id(run_id: str) -> str:
    """The id under which the ledger keeps a run's results, as though it were a batch's."""
    return f"run/{run_id}"


def results_operation(batch: Batch) -> str:
    """The read that tells a batch's results, in its fixed word."""
    return "run_results" if batch.run else "results"


def results_batch(own: Batch, run: Run, row: RunRow, now: float) -> dict[str, Batch]:
    """A run's results to be swept, where it has ended with records that no batch tells of.

    `own`, a new batch, as it stands for them.

    Nothing will ever be read of it but these results. An agent's run counts no records: absent is
    not zero.
    """
    if run.outcome is None or run.batch or not row.total_records:
        return {}
    batch = replace(
        own,
        run=run.id,
        schedule=run.schedule,
        flow_id=row.flow_id or "",
        started=parse_time(row.started_at),
        completed=parse_time(row.completed_at),
        probes={
            "run": Probe(
                normalise(row.status), row.total_records, row.processed_records, row.failed_records
            )
        },
        ended=now,
    )
    return {batch.ref.id: batch}


async def read_page(
    client: Client, batch: Batch, offset: int, *, priority: Priority, status: str | None
) -> ResultsPage:
    """A page of the results of a batch, or of the run that it stands for.

    Whether the results of a run heed an offset is not documented. Where the answer is for another
    one, there is no more to be had than the first page told: it passes for the end.

    Raises:
        ApiError: it could not be had.
    """
    if not batch.run:
        return await client.results(batch.ref.id, offset, priority=priority, status=status)
    page = await client.run_results(batch.run, offset, priority=priority)
    where = page.pagination
    if where.offset in (None, offset):
        return page
    _log.info(
        "a run's results heed no offset",
        account=batch.ref.account,
        run=batch.run,
        total=where.total,
    )
    return ResultsPage([], OffsetPagination(total=where.total, has_more=False, offset=offset))


def repeats_first_page(batch: Batch, before: Sweep) -> bool:
    """Whether the page that took a walk on from `before` was a run's first page once more.

    Rows of an ended run do not move, so a page that tells nothing new is one that heeds no offset
    without saying so.
    """
    if not batch.run or batch.sweep is None or before.offset == 0:
        return False
    return batch.sweep.seen.distinct == before.seen.distinct
