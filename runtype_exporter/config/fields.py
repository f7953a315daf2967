"""The types of values that a configuration file can hold, with their checks and messages.

Durations are seconds here and text with a unit in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Strict, ValidationInfo

from runtype_exporter.config.durations import parse_duration

MAX_LABEL: Final = 64


class Section(BaseModel):
    """A mapping of the file: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class FileContext:
    """The context of values that come from a file, and not from Python.

    Durations need a unit then, and keys can be read from `folder` and `environ`.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        """Keep the folder that paths of key files are relative to, and the environment."""
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
    """Return an empty section for a heading whose keys are all commented out (null)."""
    return {} if value is None else value


def empty_as_list(value: Any) -> Any:
    """Return an empty list for a heading whose items are all commented out (null)."""
    return () if value is None else value


Text = Annotated[str, Strict()]
WholeNumber = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Label = Annotated[Text, AfterValidator(_label)]
Duration = Annotated[float, BeforeValidator(_duration)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
DefaultsIfEmpty = BeforeValidator(empty_as_section)
