"""What can be configured: frozen values with their defaults and limits, which the other rooms read as attributes.

It must not know files. Durations are seconds here and text with a unit in the file.
"""

from __future__ import annotations

import ipaddress
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
    Count,
    Duration,
    Flag,
    Label,
    Optional,
    Reading,
    Section,
    Span,
    Text,
    listed,
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

Meaning = Literal[Outcome, "unfinished"]
"""What a status word can be mapped to."""

_INLINE = (
    "must not stand in the file itself, which ends up in repositories and backups; "
    "write {env: RUNTYPE_API_KEY} or {file: /run/secrets/runtype}"
)


def _identity(text: str) -> str:
    if not text or len(text) > MAX_ID or not text.isprintable() or " " in text:
        raise ValueError(f"must be the id as the API gives it: at most {MAX_ID} characters without spaces")
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
        raise ValueError(f"must be a scheme, a host and at most a port and a path, like {DEFAULT_BASE_URL}")
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.host)):
        raise ValueError("would send the API key in the clear; use https (http is for this machine only, as localhost)")
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
    reading: Reading | None = info.context
    if isinstance(value, dict) and len(value) == 1 and reading is not None:
        match next(iter(value.items())):
            case ("env", str(name)):
                return Secret(env=name, environ=reading.environ)
            case ("file", str(path)) if path.strip() and "\0" not in path:
                return Secret(file=reading.folder / path, environ=reading.environ)
    raise ValueError(_INLINE if isinstance(value, str) else "must be {env: NAME} or {file: PATH}")


def _accounts(accounts: tuple[Account, ...]) -> tuple[Account, ...]:
    if not accounts:
        raise ValueError("needs an account; leave `accounts` out for the default one, whose key is in RUNTYPE_API_KEY")
    return accounts


def _buckets(buckets: tuple[float, ...]) -> tuple[float, ...]:
    if not 1 <= len(buckets) <= MAX_BUCKETS:
        raise ValueError(f"needs 1 to {MAX_BUCKETS} boundaries; it has {len(buckets)}")
    for before, after in pairwise(buckets):
        if after <= before:
            raise ValueError(f"must rise from each boundary to the next; {after:g}s follows {before:g}s")
    return buckets


def _status_map(words: Mapping[str, Meaning]) -> Mapping[str, Meaning]:
    folded: dict[str, Meaning] = {}
    for word, meaning in words.items():
        key = word.strip().casefold()
        if not key:
            raise ValueError("has an empty status word")
        if key in folded:
            raise ValueError(f"has the status word {key!r} twice: upper and lower case are the same here")
        folded[key] = meaning
    return MappingProxyType(folded)


class Globs(Section):
    """Which schedules are followed: those that match one of `include` and none of `exclude`, by name or id."""

    include: tuple[Label, ...] = ("*",)
    exclude: tuple[Label, ...] = ()

    def matches(self, name: str | None, schedule_id: str) -> bool:
        """Whether a schedule is followed. Upper and lower case differ; a schedule may have no name."""
        texts = [text for text in (name, schedule_id) if text]
        return _any(texts, self.include) and not _any(texts, self.exclude)


def _any(texts: list[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for text in texts for pattern in patterns)


class ConfiguredBatch(Section):
    """A batch that is always followed, found or not. `name` stands for its id in labels; `status` asks for such results only."""

    id: Annotated[Text, AfterValidator(_identity)]
    name: Label | None = None
    status: Label | None = None


class Collectors(Section):
    """What is read besides results. Sparklines are read of the schedules that `schedules` lists."""

    schedules: Flag = True
    runs: Flag = True
    summary: Flag = True
    cost: Flag = True
    sparklines: Flag = True
    usage: Flag = True


class Account(Section):
    """One account of Runtype. `timeout` in seconds; `name` is the label `account`."""

    name: Label
    api_key: Annotated[Secret, PlainValidator(_secret)]
    base_url: Annotated[Text, AfterValidator(_base_url)] = DEFAULT_BASE_URL
    requests_per_hour: Annotated[Count, Field(ge=MIN_REQUESTS_PER_HOUR)] = 1000
    page_size: Annotated[Count, Field(ge=1, le=MAX_PAGE_SIZE)] = 100
    timeout: Span = 30.0
    schedules: Annotated[Globs, Optional] = Globs()
    adhoc_batches: Flag = True
    batches: Annotated[tuple[ConfiguredBatch, ...], BeforeValidator(listed)] = ()
    collectors: Annotated[Collectors, Optional] = Collectors()


class Poll(Section):
    """When the API is read; all durations in seconds."""

    interval: Span = 60.0
    discovery_interval: Span = 600.0
    lookback: Duration = 0.0
    settle_time: Duration = 1800.0
    max_concurrency: Annotated[Count, Field(ge=1, le=64)] = 4


class State(Section):
    """The ledger's file, and for how many seconds what is gone is remembered."""

    path: Annotated[Path, BeforeValidator(_path)] = Path("runtype-exporter.db")
    retention: Span = 604800.0


class Metrics(Section):
    """What is counted how. `latency_buckets` in seconds; `max_series` lines of the exposition; `status_map` in folded case."""

    latency_buckets: Annotated[tuple[Span, ...], AfterValidator(_buckets)] = LATENCY_BUCKETS
    batches_per_schedule: Annotated[Count, Field(ge=0)] = 1
    max_series: Annotated[Count, Field(ge=MIN_SERIES)] = 50_000
    status_map: Annotated[Mapping[Text, Meaning], AfterValidator(_status_map), Optional] = Field(
        default_factory=lambda: MappingProxyType({})
    )


class Config(Section):
    """The whole file."""

    accounts: Annotated[tuple[Account, ...], AfterValidator(_accounts)]
    poll: Annotated[Poll, Optional] = Poll()
    state: Annotated[State, Optional] = State()
    metrics: Annotated[Metrics, Optional] = Field(default_factory=Metrics)
    slos: Annotated[tuple[Slo, ...], BeforeValidator(listed)] = DEFAULT_SLOS

    @property
    def latency_boundaries(self) -> tuple[float, ...]:
        """The boundaries of record latencies: the configured buckets, and every threshold that latencies are held to."""
        thresholds = {slo.threshold for slo in self.slos if slo.threshold is not None}
        return tuple(sorted({*self.metrics.latency_buckets, *thresholds}))


def repeated(data: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """Where names and ids that must differ do not, in data that may be wrong elsewhere: the path and what is wrong there."""
    accounts = data.get("accounts") if isinstance(data, dict) else None
    found = _repeated(accounts, ("accounts",), "name")
    for index, account in enumerate(accounts if isinstance(accounts, tuple) else ()):
        batches = account.get("batches") if isinstance(account, dict) else None
        for key in ("id", "name"):
            found += _repeated(batches, ("accounts", index, "batches"), key)
    slos = data.get("slos") if isinstance(data, dict) else None
    return found + _repeated(slos, ("slos",), "name")


def _repeated(items: Any, path: tuple[str | int, ...], key: str) -> list[tuple[tuple[str | int, ...], str]]:
    first: dict[str, int] = {}
    found: list[tuple[tuple[str | int, ...], str]] = []
    for index, item in enumerate(items if isinstance(items, tuple) else ()):
        value = item.get(key) if isinstance(item, dict) else None
        if isinstance(value, str) and first.setdefault(value, index) != index:
            found.append(
                ((*path, index, key), f"{value!r} is taken by {path[-1]}[{first[value]}]; each {key} must differ")
            )
    return found
