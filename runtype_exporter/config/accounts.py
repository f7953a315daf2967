"""The accounts section: frozen values with their defaults and limits.

The documentation page of the configuration is made of the text below each key.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo

from runtype_exporter.config.fields import (
    DefaultsIfEmpty,
    FileContext,
    Flag,
    Label,
    PositiveDuration,
    Section,
    Text,
    WholeNumber,
    empty_as_list,
)
from runtype_exporter.config.globs import Globs
from runtype_exporter.config.secrets import Secret
from runtype_exporter.limits import MAX_ID
from runtype_exporter.urls import DEFAULT_BASE_URL, UrlFault, base_url_fault

MAX_PAGE_SIZE: Final = 1000
MIN_REQUESTS_PER_HOUR: Final = 10

_INLINE_KEY: Final = (
    "must not stand in the file itself, which ends up in repositories and backups; "
    "write {env: RUNTYPE_API_KEY} or {file: /run/secrets/runtype}"
)

_URL_FAULTS: Final = {
    UrlFault.NOT_A_URL: f"is no URL; it should look like {DEFAULT_BASE_URL}",
    UrlFault.CREDENTIALS: "must not hold credentials; the key belongs into api_key",
    UrlFault.NOT_A_BASE: (
        f"must be a scheme, a host and at most a port and a path, like {DEFAULT_BASE_URL}"
    ),
    UrlFault.CLEAR_TEXT: (
        "would send the API key in the clear;"
        " use https (http is for this machine only, as localhost)"
    ),
}
"""Messages for the user. None repeats the URL, which may hold credentials."""


def _identity(text: str) -> str:
    if not text or len(text) > MAX_ID or not text.isprintable() or " " in text:
        raise ValueError(
            f"must be the id as the API gives it: at most {MAX_ID} characters without spaces"
        )
    return text


def _base_url(text: str) -> str:
    """Return the URL without a slash at its end."""
    fault = base_url_fault(text)
    if fault is not None:
        raise ValueError(_URL_FAULTS[fault])
    return text.rstrip("/")


def _secret(value: Any, info: ValidationInfo) -> Secret:
    """Return the reference to a key.

    No message repeats the value, because it may be the key itself.
    """
    if isinstance(value, Secret):
        return value
    context: FileContext | None = info.context
    if isinstance(value, dict) and len(value) == 1 and context is not None:
        match next(iter(value.items())):
            case ("env", str(name)):
                return Secret(env=name, environ=context.environ)
            case ("file", str(path)) if path.strip() and "\0" not in path:
                return Secret(file=context.folder / path, environ=context.environ)
    raise ValueError(
        _INLINE_KEY if isinstance(value, str) else "must be {env: NAME} or {file: PATH}"
    )


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
    """What is read in addition to results."""

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
    at 0. Example: `production`."""
    api_key: Annotated[Secret, PlainValidator(_secret)]
    """Where the API key is read from, before each request: an environment variable, or a file
    (relative to this one). Never the key itself. Example: `{file: /run/secrets/runtype}`."""
    base_url: Annotated[Text, AfterValidator(_base_url)] = DEFAULT_BASE_URL
    """Where the API is: https, or http on this machine only. Example: `https://api.runtype.com`."""
    requests_per_hour: Annotated[WholeNumber, Field(ge=MIN_REQUESTS_PER_HOUR)] = 1000
    """Never exceeded in any hour, retries and restarts included; work waits for its turn instead.
    Example: `5000`."""
    page_size: Annotated[WholeNumber, Field(ge=1, le=MAX_PAGE_SIZE)] = 100
    """Results asked for with one request, at most; the API may answer with fewer. Where such pages
    are too large or too slow, the exporter asks for fewer by itself. Lists are never asked for more
    than 100. Example: `1000`."""
    timeout: PositiveDuration = 30.0
    """Of one request, to the last byte of its answer. A request that fails is sent once more.
    Example: `90s`."""
    schedules: Annotated[Globs, DefaultsIfEmpty] = Globs()
    """Which schedules are followed."""
    adhoc_batches: Flag = True
    """Whether batches that no schedule started are followed too. Example: `false`."""
    batches: Annotated[tuple[ConfiguredBatch, ...], BeforeValidator(empty_as_list)] = ()
    """Batches that are always followed, whether a list shows them or not."""
    collectors: Annotated[CollectorSwitches, DefaultsIfEmpty] = CollectorSwitches()
    """What is read in addition to results. A read that the key may not make is left out after two
    refusals, and is tried again after an hour."""
