"""Load the file to a `Config`, or raise all of its errors, each with its line.

The rules are in the schema. Here their errors are put into words for the user.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from runtype_exporter.config import document
from runtype_exporter.config.consistency import find_duplicates, find_unread_names
from runtype_exporter.config.errors import ConfigError, Problem
from runtype_exporter.config.fields import FileContext
from runtype_exporter.config.schema import Config

DEFAULT_FILE: Final = Path("config.yaml")
MAX_FILE: Final = 4 * 1024 * 1024
"""The largest file that is read, bytes."""
MAX_SHOWN: Final = 60

BUILT_IN: Final[Mapping[str, Any]] = {
    "accounts": ({"name": "default", "api_key": {"env": "RUNTYPE_API_KEY"}},)
}
"""The configuration if the file says nothing: one account, everything discovered."""

_WORDS: Final = {
    "string_type": "must be text, not {there}; put it into quotes",
    "int_type": "must be a whole number, not {there}",
    "bool_type": "must be true or false, not {there}",
    "tuple_type": "must be a list, not {there}",
    "dict_type": "must be a mapping (key: value), not {there}",
    "model_type": "must be a mapping (key: value), not {there}",
    "greater_than_equal": "must be at least {ge}, not {there}",
    "less_than_equal": "must be at most {le}, not {there}",
    "literal_error": "must be {expected}, not {there}",
    "missing": "is missing",
}
"""A message for every kind of error that the schema can raise by itself."""


def load(path: Path | None, *, environ: Mapping[str, str] | None = None) -> Config:
    """Read the configuration.

    `path` is the file; None means ./config.yaml, or the built-in defaults if that does not exist.
    API keys are looked up in `environ` (default: that of the process) when they are needed, not
    here.

    Raises:
        ConfigError: with every error of the file.
    """
    if path is None and not DEFAULT_FILE.exists():
        text, path = "", DEFAULT_FILE
    else:
        path = DEFAULT_FILE if path is None else path
        text = _text(path)
    parsed = document.parse(text)
    faults = parsed.faults
    if not faults or parsed.data is not None:
        data = {} if parsed.data is None else parsed.data
        data = {**BUILT_IN, **data} if isinstance(data, dict) else data
        try:
            config = Config.model_validate(
                data, context=FileContext(path.parent, os.environ if environ is None else environ)
            )
        except ValidationError as error:
            known = {fault.path for fault in faults}
            found = [
                _described(details)
                for details in error.errors(include_url=False, include_input=True)
            ]
            faults += [
                document.DocumentFault(parsed.line(at), at, said)
                for at, said in found
                if at not in known
            ]
        faults += [
            document.DocumentFault(parsed.line(at), at, said)
            for at, said in (*find_duplicates(data), *find_unread_names(data))
        ]
    if faults:
        faults.sort(key=lambda fault: fault.line)
        raise ConfigError(
            tuple(Problem(str(path), f.line, _written(f.path), f.message) for f in faults)
        )
    return config


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        problem = (
            "no such file; check --config.file,"
            " or leave it out for ./config.yaml or the built-in defaults"
        )
        raise ConfigError((Problem(str(path), None, "", problem),)) from None
    except OSError as error:
        raise ConfigError(
            (Problem(str(path), None, "", f"cannot be read: {error.strerror}"),)
        ) from None
    if len(content) > MAX_FILE:
        raise ConfigError((Problem(str(path), None, "", "is larger than 4 MiB: no configuration"),))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            (Problem(str(path), line, "", "is not UTF-8 text; save it as UTF-8"),)
        ) from None


def _described(error: ErrorDetails) -> tuple[document.KeyPath, str]:
    """Return the path of an error and a message for the user."""
    path, kind, context = tuple(error["loc"]), error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return path, _unknown_key(path)
    if kind == "value_error":
        return path, str(context["error"])
    return path, _WORDS[kind].format(there=_shown(error["input"]), **context)


def _shown(value: Any) -> str:
    """Return a wrong value in a form that fits into a message.

    Values of `api_key` are checked elsewhere and never come here.
    """
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case tuple():
            return "a list"
        case bool():
            return str(value).lower()
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _unknown_key(path: document.KeyPath) -> str:
    """Return the message for an unknown key, with the key that was probably meant."""
    model: type[BaseModel] = Config
    for part in path[:-1]:
        if isinstance(part, str):
            annotation = model.model_fields[part].annotation
            model = next(kind for kind in (*get_args(annotation), annotation) if _is_section(kind))
    key = str(path[-1])
    meant = get_close_matches(key, model.model_fields, n=1)
    hint = (
        f"did you mean {meant[0]!r}?" if meant else f"known here: {', '.join(model.model_fields)}"
    )
    return f"unknown key {_shown(key)}; {hint}"


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _written(path: document.KeyPath) -> str:
    """Return a path as people write it, on one line: accounts[0].timeout."""
    parts = (
        f"[{part}]" if isinstance(part, int) else f".{part if part.isprintable() else repr(part)}"
        for part in path
    )
    return "".join(parts).removeprefix(".")
