"""The kinds of value that a configuration file holds, and the words for what is wrong with one.

Frozen sections are made of them.

It must not know which keys there are. Durations are seconds here and text with a unit in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Strict, ValidationInfo

from runtype_exporter.config.durations import parse_duration

MAX_LABEL: Final = 64


class Section(BaseModel):
    """A mapping of the file: no key that does nothing, and nothing that changes later."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class FileContext:
    """How a file is read, as against values made in Python.

    Durations need a unit, and this is where secrets are looked for.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        """Paths of key files start at `folder`."""
        self.folder = folder
        self.environ = environ


def _duration(value: Any, info: ValidationInfo) -> float:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if info.context is None:
            return float(value)
        raise ValueError(f"{value} has no unit; write {value}s for seconds, or m, h, d")
    raise ValueError("must be a duration like 30s, 10m, 1h30m or 7d")


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("must be longer than 0s")
    return seconds


def _label(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if not text.isprintable():
        raise ValueError("must not hold control characters or line breaks")
    if len(text) > MAX_LABEL:
        raise ValueError(f"must not be longer than {MAX_LABEL} characters; it has {len(text)}")
    return text


def empty_as_section(value: Any) -> Any:
    """A heading whose keys are all commented out is a section of defaults."""
    return {} if value is None else value


def empty_as_list(value: Any) -> Any:
    """So is one whose items are."""
    return () if value is None else value


Text = Annotated[str, Strict()]
WholeNumber = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Label = Annotated[Text, AfterValidator(_label)]
Duration = Annotated[float, BeforeValidator(_duration)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
DefaultsIfEmpty = BeforeValidator(empty_as_section)
