"""The parts of the polling of one account, and how they are connected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runtype_exporter.polling.background.periodic import PeriodicRead
from runtype_exporter.polling.background.sparklines import SparklineReads
from runtype_exporter.polling.background.usage import UsageReads
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.costs import CostReads
from runtype_exporter.polling.batches.gauges import BatchGauges
from runtype_exporter.polling.batches.rereads import Rereads
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.discovery.account_batches import AccountBatches
from runtype_exporter.polling.discovery.cycle import CycleResult, Discovery
from runtype_exporter.polling.discovery.full_walk import FullWalk
from runtype_exporter.polling.discovery.horizon import AccountHorizon
from runtype_exporter.polling.discovery.run_list import RunList, RunsRead
from runtype_exporter.polling.discovery.run_pages import RunPages
from runtype_exporter.polling.discovery.schedule_filter import ScheduleFilter
from runtype_exporter.polling.discovery.schedule_lists import ScheduleLists
from runtype_exporter.polling.discovery.status_probe import StatusProbes
from runtype_exporter.polling.discovery.summary import SummaryReads
from runtype_exporter.polling.discovery.unfinished_runs import UnfinishedRuns
from runtype_exporter.polling.schedules.start_checks import StartChecks
from runtype_exporter.polling.sweeps.sweeper import Sweeper
from runtype_exporter.polling.sweeps.workers import Workers


@dataclass(slots=True)
class Parts:
    """The parts of one account's polling.

    `discovery` runs in the cycles. The workers sweep. The others are periodic reads, each in a task
    of its own.
    """

    discovery: Discovery
    workers: Workers
    gauges: BatchGauges
    closer: BatchCloser
    full_walk: FullWalk
    probes: StatusProbes
    schedule_lists: PeriodicRead
    full_walks: PeriodicRead
    status_reads: PeriodicRead
    usage: PeriodicRead
    sparklines: PeriodicRead
    costs: PeriodicRead
    rereads: PeriodicRead

    @property
    def periodic(self) -> tuple[PeriodicRead, ...]:
        """Return the periodic reads."""
        return (
            self.schedule_lists,
            self.full_walks,
            self.status_reads,
            self.usage,
            self.sparklines,
            self.costs,
            self.rereads,
        )

    def add_cycle(self, result: CycleResult) -> None:
        """Pass on what a cycle found to the reads that need it."""
        self.full_walk.add_cycle(result)
        self.probes.add_cycle(result)
        if not self.full_walk.began:
            self.full_walks.wake()
        self.status_reads.wake()
        self.costs.wake()


def build(context: AccountContext, *, wake_cycle: Callable[[], None], paced: bool = True) -> Parts:
    """Return the parts, connected with each other.

    `wake_cycle` lets the next cycle begin at once. Without `paced` only the budget limits the
    reads, as when the account is to catch up.
    """
    poll, collectors = context.poll, context.collectors
    configured = frozenset(entry.id for entry in context.config.batches)
    horizon = AccountHorizon(context)
    batches = AccountBatches(context)
    schedule_filter = ScheduleFilter(context)
    closer = BatchCloser(
        context, configured, lambda batch: not schedule_filter.is_named(batch.schedule)
    )
    gauges = BatchGauges(context, closer)
    pages = RunPages(context, configured, schedule_filter, batches, horizon)
    runs = RunList(context, pages)
    starts = StartChecks(context.name, context.retention, context.ledger, context.labels)
    discovery = Discovery(
        context, closer, batches, horizon, runs, SummaryReads(context, batches, horizon), starts
    )

    async def on_runs_read(read: RunsRead) -> None:
        gauges.show(discovery.stored(discovery.count_claims(read) + list(read.shown.changed)))
        await discovery.judge_starts(read)
        workers.enqueue()

    def on_schedules() -> None:
        if schedule_filter.waited:
            wake_cycle()
        workers.enqueue()
        periodic["sparklines"].wake()

    unfinished = UnfinishedRuns(context.name, context.ledger)
    full_walk = FullWalk(context, runs, horizon, unfinished, configured, on_runs_read, paced=paced)
    lists = ScheduleLists(context, schedule_filter, starts, on_schedules, paced=paced)
    probes = StatusProbes(context, closer, gauges.show, paced=paced)
    sparklines = SparklineReads(context, lambda: lists.labels)
    costs = CostReads(context, gauges.show)
    rereads = Rereads(context, closer)
    workers = Workers(context, Sweeper(context), closer, gauges, lambda: periodic["costs"].wake())

    async def reread() -> None:
        gauges.show(await rereads.read_due())
        workers.enqueue()

    def listed() -> float:
        return poll.discovery_interval

    def walked() -> float:
        return max(poll.discovery_interval, full_walk.pages * full_walk.seconds_per_page)

    def cycled() -> float:
        return poll.interval

    reads = (
        ("schedules", lists.read, listed, poll.interval),
        ("full walks", full_walk.walk, walked, 0.0),
        ("status reads", probes.read, cycled, 0.0),
        ("usage", UsageReads(context).read, listed, 0.0),
        ("sparklines", sparklines.read, listed, poll.discovery_interval),
        ("costs", costs.read_due, cycled, 0.0),
        ("rereads", reread, listed, 0.0),
    )
    periodic = {
        name: PeriodicRead(name, context.name, collectors, read, interval, shortest)
        for name, read, interval, shortest in reads
    }
    schedule_filter.on_missing = periodic["schedules"].wake
    return Parts(
        discovery=discovery,
        workers=workers,
        gauges=gauges,
        closer=closer,
        full_walk=full_walk,
        probes=probes,
        schedule_lists=periodic["schedules"],
        full_walks=periodic["full walks"],
        status_reads=periodic["status reads"],
        usage=periodic["usage"],
        sparklines=periodic["sparklines"],
        costs=periodic["costs"],
        rereads=periodic["rereads"],
    )
