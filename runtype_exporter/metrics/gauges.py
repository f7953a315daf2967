"""Gauges of batches, schedules and usage.

Each batch that is open, configured, or among the newest closed ones of its schedule shows the
snapshot of its last complete sweep.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nlargest
from math import inf

from runtype_exporter import catalogue
from runtype_exporter.catalogue import Metric, series
from runtype_exporter.metrics.series_limit import MaxSeries, choose
from runtype_exporter.metrics.status_labels import StatusLabels
from runtype_exporter.model import (
    BATCH_STATES,
    BatchRef,
    LabelValues,
    Sample,
    Series,
    Snapshot,
)
from runtype_exporter.protocols import BatchView

ScheduleKey = tuple[str, str]
"""An account and a schedule's label: `batches_per_schedule` counts batches by it."""


@dataclass(slots=True)
class _Shown:
    """A view and the samples made of it. `visible` is None until it is first decided."""

    view: BatchView
    samples: Mapping[Series, float]
    visible: bool | None = None

    @property
    def lines(self) -> int:
        return len(self.samples)


Slot = tuple[str, str]
"""The labels of a flow and a batch: with a `ScheduleKey`, the label set of a batch's gauges."""


@dataclass(slots=True)
class _ScheduleBatches:
    batches: dict[BatchRef, _Shown] = field(default_factory=dict)
    published: dict[Slot, Mapping[Series, float]] = field(default_factory=dict)
    """The mappings that the last snapshot left shown. The same object needs no comparison."""
    totals: dict[Series, float] = field(default_factory=dict)


class Gauges:
    """Implements `protocols.GaugeSink`.

    `batches_per_schedule` is how many closed batches of a schedule are shown besides the open and
    the configured ones. `known_words` are the status words that have a series of their own; of
    others, the first 20 do and the rest are `other`. `series_limit` limits the lines of all batches
    together. Closed batches are dropped first, then open, then configured ones, each the oldest
    first.
    """

    def __init__(
        self,
        *,
        batches_per_schedule: int,
        known_words: frozenset[str],
        series_limit: MaxSeries | None = None,
    ) -> None:
        self._series_limit = series_limit or MaxSeries()
        self._free: tuple[int, int] | None = None
        self._batches_per_schedule = batches_per_schedule
        self._status_labels = StatusLabels(known_words)
        self._groups: dict[ScheduleKey, _ScheduleBatches] = {}
        self._group_of: dict[BatchRef, ScheduleKey] = {}
        self._touched: dict[ScheduleKey, None] = {}
        self._found: dict[LabelValues, float] = {}
        self._found_published: dict[LabelValues, float] = {}
        self._collected: dict[tuple[str, str], Mapping[Series, float]] = {}
        self._collected_published: dict[tuple[str, str], Mapping[Series, float]] = {}
        self._version = 0

    def configure(self, *, batches_per_schedule: int, known_words: frozenset[str]) -> None:
        """Apply a reloaded configuration."""
        self._batches_per_schedule = batches_per_schedule
        self._status_labels.know(known_words)
        for key, group in self._groups.items():
            self._touched[key] = None
            for shown in group.batches.values():
                shown.samples = dict(_samples(shown.view, self._status_labels))

    def set_batch(self, view: BatchView) -> None:
        """Show a batch in place of what was shown of it before."""
        key = view.ref.account, view.labels.schedule
        before = self._group_of.get(view.ref)
        shown = _Shown(view, dict(_samples(view, self._status_labels)))
        if before is not None:
            shown.visible = self._groups[before].batches.pop(view.ref).visible
            self._touched[before] = None
        group = self._groups.setdefault(key, _ScheduleBatches())
        group.batches[view.ref] = shown
        self._group_of[view.ref] = key
        self._touched[key] = None

    def set_found(self, account: str, name: str, *, found: bool) -> None:
        """Show whether the API knows a configured batch."""
        self._found[account, name] = float(found)

    def retain(
        self, account: str, *, batches: Collection[BatchRef], found: Collection[str]
    ) -> None:
        """Show no batches of an account but these, and `found` of no names but these.

        Of these, what was shown before stays.
        """
        for ref in [ref for ref in self._group_of if ref.account == account]:
            if ref not in batches:
                self._drop(ref)
        for labels in [labels for labels in self._found if labels[0] == account]:
            if labels[1] not in found:
                del self._found[labels]

    def set_collector(self, account: str, collector: str, samples: Mapping[Series, float]) -> None:
        """Show these gauges of an account's collector in place of all its earlier ones.

        An empty mapping withdraws them.
        """
        self._collected[account, collector] = dict(samples)

    def forget(self, account: str) -> None:
        """Show nothing more of an account: it is stopped or starts again."""
        self.retain(account, batches=(), found=())
        for key in [key for key in self._collected if key[0] == account]:
            del self._collected[key]

    def _drop(self, ref: BatchRef) -> None:
        """Show nothing more of a batch."""
        key = self._group_of.pop(ref)
        del self._groups[key].batches[ref]
        self._touched[key] = None

    def retire(self, changes: Snapshot) -> None:
        """Drop the closed batches of each schedule and flow whose counters ended.

        No newer batch would replace them.
        """
        for labels, sample in changes.families.get(catalogue.RECORDS_ABANDONED.name, {}).items():
            account, schedule, flow = labels
            group = self._groups.get((account, schedule)) if sample is None else None
            for ref, shown in list(group.batches.items()) if group else ():
                view = shown.view
                if view.labels.flow == flow and not (view.open or view.configured):
                    del self._groups[account, schedule].batches[ref], self._group_of[ref]
                    self._touched[account, schedule] = None

    def snapshot(self) -> Snapshot:
        """Return the gauges that changed since the last call."""
        families: dict[str, dict[LabelValues, Sample | None]] = {}
        for key in self._touched:
            self._prune(self._groups[key])
        self._share()
        for key in self._touched:
            group = self._groups[key]
            visible = (shown for shown in group.batches.values() if shown.visible)
            slots, totals = _by_slot(visible), _totals(group.batches.values(), key)
            for slot in {**group.published, **slots}:
                before, now = group.published.get(slot, {}), slots.get(slot, {})
                if before is not now:
                    _changes(before, now, families)
            _changes(group.totals, totals, families)
            group.published, group.totals = slots, totals
            if not group.batches:
                del self._groups[key]
        self._touched.clear()
        name = catalogue.BATCH_FOUND.name
        found = {(name, labels): value for labels, value in self._found.items()}
        _changes(
            {(name, labels): value for labels, value in self._found_published.items()},
            found,
            families,
        )
        self._found_published = dict(self._found)
        for collector in {**self._collected_published, **self._collected}:
            before, samples = (
                held.get(collector, {}) for held in (self._collected_published, self._collected)
            )
            if before is not samples:
                _changes(before, samples, families)
        self._collected_published = dict(self._collected)
        self._version += bool(families)
        return Snapshot(self._version, families)

    def _share(self) -> None:
        """Decide which batches are shown, if that may have changed."""
        free = self._series_limit.batches, self._series_limit.reluctance
        if free == self._free and not self._touched:
            return
        self._free = free
        batches = [shown for group in self._groups.values() for shown in group.batches.values()]
        if sum(shown.lines for shown in batches) > free[0] or any(
            shown.visible is False for shown in batches
        ):
            batches.sort(key=_worth, reverse=True)
        dropped = 0
        for shown, visible in choose(batches, self._series_limit):
            shown.visible = visible
            dropped += not visible
            self._touched[self._group_of[shown.view.ref]] = None
        if dropped:
            self._series_limit.dropped(dropped)

    def _prune(self, group: _ScheduleBatches) -> None:
        """Drop all closed batches except the newest."""
        closed = [
            shown.view
            for shown in group.batches.values()
            if not (shown.view.open or shown.view.configured)
        ]
        newest = {view.ref for view in nlargest(self._batches_per_schedule, closed, key=_closing)}
        for view in closed:
            if view.ref not in newest:
                del group.batches[view.ref]
                del self._group_of[view.ref]


def _closing(view: BatchView) -> tuple[float, str]:
    return view.closed or 0.0, view.ref.id


def _age(shown: _Shown) -> tuple[float, str]:
    return shown.view.started or 0.0, shown.view.ref.id


def _worth(shown: _Shown) -> tuple[bool, bool, float, str]:
    """Return a key that sorts batches by which keeps its lines longer.

    An open batch that has not started yet counts as the newest.
    """
    view = shown.view
    since = inf if view.started is None else view.started
    return view.configured, view.open, since if view.open else view.closed or 0.0, view.ref.id


def _by_slot(batches: Iterable[_Shown]) -> dict[Slot, Mapping[Series, float]]:
    """Return the samples of batches by the label set that they share.

    Of two batches with the same name, the newer one is shown.
    """
    return {
        (shown.view.labels.flow, shown.view.name): shown.samples
        for shown in sorted(batches, key=_age)
    }


def _totals(batches: Iterable[_Shown], group: ScheduleKey) -> dict[Series, float]:
    """Return the gauges of one schedule as a whole."""
    open_by_flow: Counter[str] = Counter()
    drift = 0
    for shown in batches:
        open_by_flow[shown.view.labels.flow] += shown.view.open
        drift += shown.view.drift
    account, schedule = group
    totals = {
        series(catalogue.BATCHES_OPEN, account=account, schedule=schedule, flow=flow): float(count)
        for flow, count in open_by_flow.items()
    }
    if open_by_flow:
        total = series(catalogue.RECONCILIATION_DRIFT, account=account, schedule=schedule)
        totals[total] = float(drift)
    return totals


def _samples(view: BatchView, status_labels: StatusLabels) -> Iterator[tuple[Series, float]]:
    """Yield the gauges of one batch."""
    labels = {"account": view.ref.account, **view.labels._asdict(), "batch": view.name}
    tally = view.snapshot.tally if view.snapshot else None
    figures: tuple[tuple[Metric, float | None], ...] = (
        (catalogue.BATCH_TOTAL, view.total),
        (catalogue.BATCH_PROCESSED, view.processed),
        (catalogue.BATCH_FAILED, view.failed),
        (catalogue.BATCH_STARTED, view.started),
        (catalogue.BATCH_COMPLETED, view.completed),
        (catalogue.BATCH_LAST_RESULT, tally.last_finished if tally else None),
        (catalogue.BATCH_OLDEST_UNFINISHED, tally.oldest_unfinished if tally else None),
        (catalogue.BATCH_LAST_SWEEP, view.snapshot.at if view.snapshot else None),
        (catalogue.BATCH_COST, view.cost),
    )
    for metric, figure in figures:
        if figure is not None:
            yield series(metric, **labels), float(figure)
    if view.open or view.configured:
        for state in BATCH_STATES:
            yield series(catalogue.BATCH_STATE, **labels, state=state), float(state == view.state)
    if tally:
        pooled: Counter[str] = Counter()
        for word, count in tally.statuses.items():
            pooled[status_labels.label(word)] += count
        for word, count in pooled.items():
            yield series(catalogue.BATCH_RECORDS, **labels, status=word), float(count)


def _changes(
    before: Mapping[Series, float],
    now: Mapping[Series, float],
    families: dict[str, dict[LabelValues, Sample | None]],
) -> None:
    """Add to `families` what differs."""
    for (name, labels), value in now.items():
        if before.get((name, labels)) != value:
            families.setdefault(name, {})[labels] = Sample(value)
    for name, labels in before.keys() - now.keys():
        families.setdefault(name, {})[labels] = None
