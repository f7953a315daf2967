"""The parts of the polling of one account, and how they are connected."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
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
from runtype_exporter.polling.discovery.full_walk import WALK_SHARE, FullWalk
from runtype_exporter.polling.discovery.horizon import AccountHorizon
from runtype_exporter.polling.discovery.run_list import RunList, RunsRead
from runtype_exporter.polling.discovery.run_pages import RunPages
from runtype_exporter.polling.discovery.schedule_filter import ScheduleFilter
from runtype_exporter.polling.discovery.schedule_lists import LIST_SHARE, ScheduleLists
from runtype_exporter.polling.discovery.status_probe import PROBE_SHARE, StatusProbes
from runtype_exporter.polling.discovery.summary import SummaryReads
from runtype_exporter.polling.discovery.unfinished_runs import UnfinishedRuns
from runtype_exporter.polling.schedules.start_checks import StartChecks
from runtype_exporter.polling.share import Share
from runtype_exporter.polling.sweeps.sweeper import Sweeper
from runtype_exporter.polling.sweeps.workers import Workers


@dataclass(slots=True)
class Parts:
    """The parts of one account's polling.

    `discovery` runs in the cycles. The workers sweep. The others are periodic reads, each in a task
    of its own.
    """

    discovery: Discovery
    schedule_filter: ScheduleFilter
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

    `wake_cycle` lets the next cycle begin at once. Without `paced`, as when the account is to catch
    up, only the budget limits the reads, and no sweep is tried again.
    """
    poll = context.poll

    def periodic(
        name: str, read: Callable[[], Awaitable[object]], interval: float, shortest: float = 0.0
    ) -> PeriodicRead:
        return PeriodicRead(
            name, context.name, context.collectors, read, lambda: interval, shortest
        )

    def share(part: float) -> Share:
        return Share(context.config.requests_per_hour, part, context.clock, paced=paced)

    configured = frozenset(entry.id for entry in context.config.batches)
    horizon = AccountHorizon(context)
    batches = AccountBatches(context)
    schedule_filter = ScheduleFilter(context)
    closer = BatchCloser(
        context, configured, lambda batch: not schedule_filter.is_named(batch.schedule)
    )
    gauges = BatchGauges(context, closer)
    costs = periodic("costs", CostReads(context, gauges.show).read_due, poll.interval)
    workers = Workers(context, Sweeper(context), closer, gauges, costs.wake, retry=paced)
    runs = RunList(context, RunPages(context, configured, schedule_filter, batches, horizon))
    starts = StartChecks(context.name, context.retention, context.ledger, context.labels)
    discovery = Discovery(
        context, closer, batches, horizon, runs, SummaryReads(context, batches, horizon), starts
    )

    def enqueue() -> None:
        # An account that catches up queues its batches itself, to know when nothing is added.
        if paced:
            workers.enqueue()

    async def on_runs_read(read: RunsRead) -> None:
        changed = [*read.shown.changed, *await discovery.count_claims(read)]
        gauges.show(discovery.stored(changed))
        await discovery.judge_starts(read)
        enqueue()

    # A callback gets its only argument by position.
    def on_schedules(first: bool) -> None:  # noqa: FBT001
        if schedule_filter.waited:
            wake_cycle()
        enqueue()
        if first:
            sparklines.wake()

    async def reread() -> None:
        gauges.show(await rereads.read_due())
        enqueue()

    lists = ScheduleLists(context, schedule_filter, starts, share(LIST_SHARE), on_schedules)
    schedule_lists = periodic("schedules", lists.read, poll.discovery_interval, poll.interval)
    schedule_filter.on_missing = schedule_lists.wake
    sparklines = periodic(
        "sparklines", SparklineReads(context, lambda: lists.labels).read, poll.discovery_interval
    )
    unfinished = UnfinishedRuns(context.name, context.ledger)
    full_walk = FullWalk(
        context, runs, horizon, unfinished, configured, share(WALK_SHARE), on_runs_read
    )
    full_walks = PeriodicRead(
        "full walks", context.name, context.collectors, full_walk.walk, full_walk.interval
    )
    probes = StatusProbes(context, closer, share(PROBE_SHARE), gauges.show)
    rereads = Rereads(context, closer)
    return Parts(
        discovery=discovery,
        schedule_filter=schedule_filter,
        workers=workers,
        gauges=gauges,
        closer=closer,
        full_walk=full_walk,
        probes=probes,
        schedule_lists=schedule_lists,
        full_walks=full_walks,
        status_reads=periodic("status reads", probes.read, poll.interval),
        usage=periodic("usage", UsageReads(context).read, poll.discovery_interval),
        sparklines=sparklines,
        costs=costs,
        rereads=periodic("rereads", reread, poll.discovery_interval),
    )
