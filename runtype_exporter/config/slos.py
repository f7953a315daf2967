"""Service level objectives: which events count, for which schedules, and how many must be good."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo

from runtype_exporter.config.fields import (
    MAX_LABEL,
    Duration,
    PositiveDuration,
    Section,
    Text,
    WholeNumber,
)

SloType = Literal["success", "latency", "freshness"]
"""What an objective judges: results, the latencies of successes, or due starts."""

_NAME: Final = re.compile(rf"[a-z0-9-]{{1,{MAX_LABEL}}}", re.ASCII)
MIN_WINDOW: Final = 86400.0
"""The shortest window of an objective, seconds."""
_PERCENTAGE: Final = re.compile(r"\d{1,2}(\.\d{1,10})?%", re.ASCII)


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"must be 1 to {MAX_LABEL} of the characters a-z, 0-9 and -, like records-succeed"
        )
    return text


def _schedules(text: str, info: ValidationInfo) -> str:
    if not text and info.data.get("type") == "freshness":
        raise ValueError("must not be empty here: ad-hoc batches are never due")
    if not text.isprintable():
        raise ValueError("must not hold control characters or line breaks")
    if len(text) > MAX_LABEL:
        raise ValueError(f"must not be longer than {MAX_LABEL} characters; it has {len(text)}")
    return text


def _objective(value: Any) -> Decimal:
    """Return the percentage exactly as it is written, and not as a float."""
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not _PERCENTAGE.fullmatch(value):
        raise ValueError("must be a percentage above 0% and below 100%, like 99% or 99.95%")
    if not (percentage := Decimal(value.removesuffix("%"))):
        raise ValueError("must be above 0%: nothing can miss that")
    return percentage


def _window(seconds: float) -> float:
    if seconds < MIN_WINDOW:
        raise ValueError(
            "must be a day or longer:"
            " what is counted once a minute says nothing of parts of a shorter one"
        )
    return seconds


def _for(type_: SloType, example: str) -> AfterValidator:
    """Return the check of a key that one type needs and the other types must not have."""

    def check(value: float | None, info: ValidationInfo) -> float | None:
        # None: the type itself is wrong.
        actual = info.data.get("type")
        if value is None and actual == type_:
            raise ValueError(f"is missing: type {type_} needs it, like {example}")
        if value is not None and actual not in {None, type_}:
            raise ValueError(
                f"belongs to type {type_}, and this one is of type {actual};"
                " remove it or change the type"
            )
        return value

    return AfterValidator(check)


class Slo(Section):
    """One objective: so much of its events within so long is good."""

    name: Annotated[Text, AfterValidator(_name)]
    """The label `slo`: a-z, 0-9 and -. Example: `records-fast`."""
    type: SloType
    """What is judged.

    `success`: results; good is success, bad are failure, unknown and abandoned, cancelled is
    neither. `latency`: of the successes, good are those within `threshold`. `freshness`: due
    starts; good is on time, bad are late, missed and failed. Example: `latency`.
    """
    objective: Annotated[Decimal, PlainValidator(_objective)]
    """How much of the events within `window` must be good: above 0% and below 100%. Example:
    `99.5%`."""
    schedule: Annotated[Text, AfterValidator(_schedules)] = "*"
    """A glob on the label `schedule`. `""` matches ad-hoc batches, which nothing else matches.
    Example: `"nightly-*"`."""
    window: Annotated[PositiveDuration, AfterValidator(_window)] = 30 * 86400.0
    """Over which the objective holds: a day at least. Example: `7d`."""
    min_bad: Annotated[WholeNumber, Field(ge=1)] = 2
    """How many bad events it takes, at least, before an alert of `runtype-exporter rules` says that
    the budget burns. Example: `5`."""
    threshold: Annotated[
        PositiveDuration | None, _for("latency", "60s"), Field(validate_default=True)
    ] = None
    """Type `latency` only, and needed there: the longest good latency. It becomes a boundary of the
    latency histogram. Example: `60s`."""
    max_delay: Annotated[
        Duration | None, _for("freshness", "15m"), Field(validate_default=True)
    ] = None
    """Type `freshness` only, and needed there: a run that starts later is late; one that is not
    there by then is missed. Example: `15m`."""


DEFAULT_SLOS: Final = (
    Slo(name="records-succeed", type="success", objective=Decimal(99)),
    Slo(name="records-fast", type="latency", objective=Decimal(95), threshold=60.0),
    Slo(name="runs-on-time", type="freshness", objective=Decimal(99), max_delay=900.0),
)
"""The objectives of a file that names none."""
