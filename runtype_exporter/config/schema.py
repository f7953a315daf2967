"""The sections of the configuration file: frozen values with their defaults and limits.

Durations are seconds here and text with a unit in the file; status words are in folded case. The
documentation page of the configuration is made of the text below each key.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from runtype_exporter.catalogue import LATENCY_BUCKETS
from runtype_exporter.config.accounts import Account
from runtype_exporter.config.fields import (
    DefaultsIfEmpty,
    Duration,
    PositiveDuration,
    Section,
    Text,
    WholeNumber,
    empty_as_list,
)
from runtype_exporter.config.slos import DEFAULT_SLOS, Slo
from runtype_exporter.model import Outcome

MIN_SERIES: Final = 1000
MAX_BUCKETS: Final = 50

Meaning = Literal[Outcome, "unfinished"]
"""What a status word can be mapped to."""


def _path(value: Any) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("must be the path of a file")
    return Path(value)


def _accounts(accounts: tuple[Account, ...]) -> tuple[Account, ...]:
    if not accounts:
        raise ValueError(
            "needs an account; leave `accounts` out for the default one,"
            " whose key is in RUNTYPE_API_KEY"
        )
    return accounts


def _buckets(buckets: tuple[float, ...]) -> tuple[float, ...]:
    if not 1 <= len(buckets) <= MAX_BUCKETS:
        raise ValueError(f"needs 1 to {MAX_BUCKETS} boundaries; it has {len(buckets)}")
    for before, after in pairwise(buckets):
        if after <= before:
            raise ValueError(
                f"must rise from each boundary to the next; {after:g}s follows {before:g}s"
            )
    return buckets


def _status_map(words: Mapping[str, Meaning]) -> Mapping[str, Meaning]:
    folded: dict[str, Meaning] = {}
    for word, meaning in words.items():
        key = word.strip().casefold()
        if not key:
            raise ValueError("has an empty status word")
        if key in folded:
            raise ValueError(
                f"has the status word {key!r} twice: upper and lower case are the same here"
            )
        folded[key] = meaning
    return MappingProxyType(folded)


class Poll(Section):
    """When the API is read."""

    interval: PositiveDuration = 60.0
    """Between two reads of the lists of runs and batches.

    It is stretched where they would take over a quarter of the budget. Example: `30s`.
    """
    discovery_interval: PositiveDuration = 600.0
    """Between two reads of the schedules, sparklines and usage, and between two walks over the
    whole list of runs. Walks over a long list come less often, so that they take at most a tenth of
    the budget. Example: `1h`."""
    lookback: Duration = 0.0
    """At the very first start, also count results that became final this long before it. Example:
    `24h`."""
    settle_time: Duration = 1800.0
    """How long an ended batch may take to show its last results; what is missing then is counted as
    abandoned. A batch whose run ended that long ago, and that the API still calls running, is given
    up. Example: `1h`."""
    max_concurrency: Annotated[WholeNumber, Field(ge=1, le=64)] = 4
    """How many batches of an account are read at the same time. Example: `8`."""


class State(Section):
    """What must survive a restart."""

    path: Annotated[Path, BeforeValidator(_path)] = Path("runtype-exporter.db")
    """The ledger's file; `--state.path` overrides it. It takes a restart to change. Example:
    `/data/ledger.db`."""
    retention: PositiveDuration = 604800.0
    """How long closed batches are remembered, and the counters of a schedule that is gone are
    shown. Example: `14d`."""


class Metrics(Section):
    """What is counted how."""

    latency_buckets: Annotated[tuple[PositiveDuration, ...], AfterValidator(_buckets)] = (
        LATENCY_BUCKETS
    )
    """Boundaries of `runtype_record_latency_seconds`, rising; the thresholds of objectives join
    them. A change starts that histogram again at 0. Example: `[100ms, 1s, 1m]`."""
    batches_per_schedule: Annotated[WholeNumber, Field(ge=0)] = 1
    """How many closed batches of each schedule keep their gauges. Example: `3`."""
    max_series: Annotated[WholeNumber, Field(ge=MIN_SERIES)] = 50_000
    """Lines of the exposition. Beyond it the gauges of single batches go first, then new label sets
    are pooled. Example: `100000`."""
    status_map: Annotated[Mapping[Text, Meaning], AfterValidator(_status_map), DefaultsIfEmpty] = (
        Field(default_factory=lambda: MappingProxyType({}))
    )
    """What further status words mean; upper and lower case are the same. Example: `{needs_review:
    unfinished}`."""


class Config(Section):
    """The whole file."""

    accounts: Annotated[tuple[Account, ...], AfterValidator(_accounts)]
    """The accounts to follow, one at least."""
    poll: Annotated[Poll, DefaultsIfEmpty] = Poll()
    """When the API is read."""
    state: Annotated[State, DefaultsIfEmpty] = State()
    """What must survive a restart."""
    metrics: Annotated[Metrics, DefaultsIfEmpty] = Field(default_factory=Metrics)
    """What is counted how."""
    slos: Annotated[tuple[Slo, ...], BeforeValidator(empty_as_list)] = DEFAULT_SLOS
    """Service level objectives, judged into `runtype_slo_events_total`; `[]` for none."""

    @property
    def latency_boundaries(self) -> tuple[float, ...]:
        """Return the boundaries of record latencies.

        These are the configured buckets and the thresholds of all latency objectives.
        """
        thresholds = {slo.threshold for slo in self.slos if slo.threshold is not None}
        return tuple(sorted({*self.metrics.latency_buckets, *thresholds}))
