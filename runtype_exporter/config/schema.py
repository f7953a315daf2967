"""What can be configured.

Frozen values with their defaults and limits, which the other rooms read as attributes.

It must not know files. Durations are seconds here and text with a unit in the file, status words in
folded case. What a key means is said below it, for the page of the documentation too.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import httpx
from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo

from runtype_exporter.catalogue import LATENCY_BUCKETS
from runtype_exporter.config.fields import (
    DefaultsIfEmpty,
    Duration,
    FileContext,
    Flag,
    Label,
    PositiveDuration,
    Section,
    Text,
    WholeNumber,
    empty_as_list,
)
from runtype_exporter.config.secrets import Secret
from runtype_exporter.config.slos import DEFAULT_SLOS, Slo
from runtype_exporter.model import Outcome

DEFAULT_BASE_URL: Final = "https://api.runtype.com"
"""Runtype's API (documented)."""
MAX_ID: Final = 512
MAX_PAGE_SIZE: Final = 1000
MIN_REQUESTS_PER_HOUR: Final = 10
MIN_SERIES: Final = 1000
MAX_BUCKETS: Final = 50

_SCHEDULE_ID: Final = re.compile(r"schedule_(?=.*\d)[^*?\[\s]+")
"""A schedule's id in full, of the form that the API's documentation shows: names of that form, with
a digit, are not to be expected."""

Meaning = Literal[Outcome, "unfinished"]
"""What a status word can be mapped to."""

_INLINE = (
    "must not stand in the file itself, which ends up in repositories and backups; "
    "write {env: RUNTYPE_API_KEY} or {file: /run/secrets/runtype}"
)


_NAMELESS = (
    "{!r} may go by a name, and names are not read where accounts[{}].collectors.schedules is"
    " false; write ids in full (schedule_01jv...), or switch that collector on"
)


def _identity(text: str) -> str:
    if not text or len(text) > MAX_ID or not text.isprintable() or " " in text:
        raise ValueError(
            f"must be the id as the API gives it: at most {MAX_ID} characters without spaces"
        )
    return text


def _path(value: Any) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("must be the path of a file")
    return Path(value)


def _base_url(text: str) -> str:
    """The URL without a slash at its end. A URL that may hold credentials is never repeated."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise ValueError(f"is no URL; it should look like {DEFAULT_BASE_URL}") from None
    if url.userinfo:
        raise ValueError("must not hold credentials; the key belongs into api_key")
    if not url.host or url.query or url.fragment:
        raise ValueError(
            f"must be a scheme, a host and at most a port and a path, like {DEFAULT_BASE_URL}"
        )
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.host)):
        raise ValueError(
            "would send the API key in the clear; use https (http is for this machine only, as"
            " localhost)"
        )
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _secret(value: Any, info: ValidationInfo) -> Secret:
    """A reference to a key. Nothing that stands here is ever repeated: it may be the key."""
    if isinstance(value, Secret):
        return value
    context: FileContext | None = info.context
    if isinstance(value, dict) and len(value) == 1 and context is not None:
        match next(iter(value.items())):
            case ("env", str(name)):
                return Secret(env=name, environ=context.environ)
            case ("file", str(path)) if path.strip() and "\0" not in path:
                return Secret(file=context.folder / path, environ=context.environ)
    raise ValueError(_INLINE if isinstance(value, str) else "must be {env: NAME} or {file: PATH}")


def _accounts(accounts: tuple[Account, ...]) -> tuple[Account, ...]:
    if not accounts:
        raise ValueError(
            "needs an account; leave `accounts` out for the default one, whose key is in"
            " RUNTYPE_API_KEY"
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


class Globs(Section):
    """Which schedules are followed.

    Those that match one of `include` and none of `exclude`, by name or id.
    """

    include: tuple[Label, ...] = ("*",)
    """Followed are schedules whose name or id matches one of these globs. Example: `["nightly-*"]`.
    """
    exclude: tuple[Label, ...] = ()
    """Of those, schedules that match one of these are left out: none of their runs and batches is
    counted. Example: `["*-test"]`."""

    def matches(self, name: str | None, schedule_id: str) -> bool:
        """Whether a schedule is followed.

        Upper and lower case differ; a schedule may have no name.
        """
        texts = [text for text in (name, schedule_id) if text]
        return _any(texts, self.include) and not _any(texts, self.exclude)

    def by_id(self, schedule_id: str) -> bool | None:
        """Whether a schedule is followed as far as its id alone tells, None where it hangs on its name."""
        included, excluded = _any([schedule_id], self.include), _any([schedule_id], self.exclude)
        if excluded or not (included or any(map(_by_name, self.include))):
            return False
        return True if included and not any(map(_by_name, self.exclude)) else None

    @property
    def by_name(self) -> bool:
        """Whether the names of schedules decide which are followed."""
        return any(map(_by_name, (*self.include, *self.exclude)))


def _any(texts: list[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for text in texts for pattern in patterns)


def _by_name(pattern: str) -> bool:
    """Whether a glob may be meant for names.

    `*` takes every id as it is, and what is written like an id in full is one.
    """
    return bool(pattern.strip("*")) and not _SCHEDULE_ID.fullmatch(pattern)


class ConfiguredBatch(Section):
    """A batch that is always followed, found or not."""

    id: Annotated[Text, AfterValidator(_identity)]
    """The batch's id, as the API gives it. Example: `batch_01jv`."""
    name: Label | None = None
    """What stands in the label `batch` in place of the id. Example: `backfill`."""
    status: Label | None = None
    """Ask for results with this status word only. Such a batch feeds its own gauges and no counter.
    Example: `failed`."""


class CollectorSwitches(Section):
    """What is read besides results."""

    schedules: Flag = True
    """The list of schedules: their names, due times, and whether they are enabled.

    Without it, `schedules` can filter by ids alone. Example: `false`.
    """
    runs: Flag = True
    """The list of runs: batches, the runs' durations, results of runs without a batch. Example:
    `false`."""
    summary: Flag = True
    """The summary of batches at work, which alone shows those that no schedule started. Example:
    `false`."""
    cost: Flag = True
    """What a batch cost, asked for once when it closes. Example: `false`."""
    sparklines: Flag = True
    """The API's own counts of each listed schedule's last seven days. Example: `false`."""
    usage: Flag = True
    """What of the plan is used up. Example: `false`."""


class Account(Section):
    """One account of Runtype."""

    name: Label
    """The label `account`. Counters and the request budget are kept under it, so a new name starts
    anew. Example: `production`."""
    api_key: Annotated[Secret, PlainValidator(_secret)]
    """Where the API key is read from, before each request: an environment variable, or a file (relative to this one).

    Never the key itself. Example: `{file: /run/secrets/runtype}`.
    """
    base_url: Annotated[Text, AfterValidator(_base_url)] = DEFAULT_BASE_URL
    """Where the API is: https, or http on this machine only. Example: `https://api.runtype.com`."""
    requests_per_hour: Annotated[WholeNumber, Field(ge=MIN_REQUESTS_PER_HOUR)] = 1000
    """Never exceeded in any hour, retries and restarts included; work waits for its turn instead.
    Example: `5000`."""
    page_size: Annotated[WholeNumber, Field(ge=1, le=MAX_PAGE_SIZE)] = 100
    """Results asked for with one request; the API may answer with fewer. Lists are never asked for
    more than 100. Example: `1000`."""
    timeout: PositiveDuration = 30.0
    """Of one request, to the last byte of its answer. Example: `90s`."""
    schedules: Annotated[Globs, DefaultsIfEmpty] = Globs()
    """Which schedules are followed."""
    adhoc_batches: Flag = True
    """Whether batches that no schedule started are followed too. Example: `false`."""
    batches: Annotated[tuple[ConfiguredBatch, ...], BeforeValidator(empty_as_list)] = ()
    """Batches that are always followed, whether a list shows them or not."""
    collectors: Annotated[CollectorSwitches, DefaultsIfEmpty] = CollectorSwitches()
    """What is read besides results. A read that the key may not make switches itself off and is
    tried again each hour."""


class Poll(Section):
    """When the API is read."""

    interval: PositiveDuration = 60.0
    """Between two looks at the lists of runs and batches.

    It is stretched where they would take over a quarter of the budget. Example: `30s`.
    """
    discovery_interval: PositiveDuration = 600.0
    """Between two looks at schedules, sparklines and usage, and between two walks over the whole
    list of runs. Example: `1h`."""
    lookback: Duration = 0.0
    """At the very first start, also count results that became final this long before it. Example:
    `24h`."""
    settle_time: Duration = 1800.0
    """How long an ended batch may take to show its last results; what is missing then is counted as
    abandoned. Example: `1h`."""
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
    """Boundaries of `runtype_record_latency_seconds`, rising; the thresholds of objectives join them.

    A change starts that histogram anew. Example: `[100ms, 1s, 1m]`.
    """
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
        """The boundaries of record latencies.

        The configured buckets, and every threshold that latencies are held to.
        """
        thresholds = {slo.threshold for slo in self.slos if slo.threshold is not None}
        return tuple(sorted({*self.metrics.latency_buckets, *thresholds}))


def repeated(data: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """Where names and ids that must differ do not, in data that may be wrong elsewhere.

    The path and what is wrong there.
    """
    accounts = data.get("accounts") if isinstance(data, dict) else None
    found = _repeated(accounts, ("accounts",), "name")
    for index, account in enumerate(accounts if isinstance(accounts, tuple) else ()):
        batches = account.get("batches") if isinstance(account, dict) else None
        for key in ("id", "name"):
            found += _repeated(batches, ("accounts", index, "batches"), key)
    slos = data.get("slos") if isinstance(data, dict) else None
    return found + _repeated(slos, ("slos",), "name")


def nameless(data: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """Where globs go by names of schedules that are not read, in data that may be wrong elsewhere.

    The path and what is wrong there.
    """
    accounts = data.get("accounts") if isinstance(data, dict) else None
    found: list[tuple[tuple[str | int, ...], str]] = []
    for at, account in enumerate(accounts if isinstance(accounts, tuple) else ()):
        collectors, globs = (
            account.get(key) if isinstance(account, dict) else None
            for key in ("collectors", "schedules")
        )
        if not (
            isinstance(collectors, dict)
            and collectors.get("schedules") is False
            and isinstance(globs, dict)
        ):
            continue
        for key in ("include", "exclude"):
            patterns = globs.get(key)
            for index, pattern in enumerate(patterns if isinstance(patterns, tuple) else ()):
                if isinstance(pattern, str) and _by_name(pattern):
                    found.append(
                        (("accounts", at, "schedules", key, index), _NAMELESS.format(pattern, at))
                    )
    return found


def _repeated(
    items: Any, path: tuple[str | int, ...], key: str
) -> list[tuple[tuple[str | int, ...], str]]:
    first: dict[str, int] = {}
    found: list[tuple[tuple[str | int, ...], str]] = []
    for index, item in enumerate(items if isinstance(items, tuple) else ()):
        value = item.get(key) if isinstance(item, dict) else None
        if isinstance(value, str) and first.setdefault(value, index) != index:
            found.append(
                (
                    (*path, index, key),
                    f"{value!r} is taken by {path[-1]}[{first[value]}]; each {key} must differ",
                )
            )
    return found
