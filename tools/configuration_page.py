"""Generate docs/configuration.md: the keys with their docstrings, the commands and the flags."""

from __future__ import annotations

import ast
import inspect
import re
import types
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runtype_exporter.cli import main as commands
from runtype_exporter.config import Config, Secret
from runtype_exporter.config.loading import BUILT_IN

_EXAMPLE: Final = re.compile(r"\s*Example: `(?P<example>.+)`\.$", re.DOTALL)
_UNITS: Final = (("d", 86400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001))
_SHIPPED: Final = "as in [`config.yaml`](../config.yaml)"

_HEAD: Final = (
    "# Configuration\n"
    "\n"
    "Made from `runtype_exporter/config/` and `runtype_exporter/cli/` by `make docs`; edit"
    " those, not this page.\n"
    "\n"
    "The file is YAML. Every key may be left out unless it is *required*. Durations need a unit:"
    " `30s`, `10m`, `1h30m`, `7d`.\n"
    "Unknown keys and keys that stand twice are errors; `runtype-exporter check-config` shows all"
    " errors at once, each with its line,\n"
    "or a forecast of what the configuration will cost. A running exporter reads the file again"
    " on SIGHUP and on\n"
    "`POST /-/reload`; a bad file leaves the old configuration in force."
    " [`config.yaml`](../config.yaml) shows every key with its\n"
    "default."
)

_KINDS: Final[Mapping[Any, str]] = {
    str: "text",
    int: "whole number",
    float: "duration",
    bool: "true or false",
    Decimal: "percentage",
    Path: "path",
    Secret: "`{env: NAME}` or `{file: PATH}`",
}
"""Every float of the schema is a duration: seconds in the schema, text with a unit in the file."""


class Key(NamedTuple):
    """A key of the file. In `path`, `[]` stands for the items of a list.

    `example` is "" for a section.
    """

    path: str
    kind: str
    default: str
    meaning: str
    example: str


class Flag(NamedTuple):
    """A flag, its environment variable, and the commands that take it."""

    name: str
    variable: str
    default: str
    commands: tuple[str, ...]
    meaning: str


def keys(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[Key]:
    """Return every key. A section comes before its keys."""
    docstrings = _docstrings(model)
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        doc = docstrings[name]
        found = _EXAMPLE.search(doc)
        meaning = doc[: found.start()] if found else doc
        default = _SHIPPED if path in BUILT_IN else _default(field)
        yield Key(
            path,
            _kind(field.annotation, field.metadata),
            default,
            meaning,
            found["example"] if found else "",
        )
        section, many = _section_of(field.annotation)
        if section is not None:
            yield from keys(section, f"{path}[]." if many else f"{path}.")


def flags() -> list[Flag]:
    """Return every flag of every command, sorted by name."""
    found: dict[tuple[str, str], Flag] = {}
    for command in commands.commands.values():
        for option in command.params:
            # For the type checker: the commands have options only, no arguments.
            if not isinstance(option, click.Option):
                continue
            default = "" if option.default is None or option.is_flag else str(option.default)
            at = option.opts[0], default
            before = found.get(at)
            names = (*(before.commands if before else ()), str(command.name))
            found[at] = Flag(option.opts[0], str(option.envvar), default, names, option.help or "")
    return [found[at] for at in sorted(found)]


def configuration() -> str:
    """Return the text of the page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    section = ""
    for key in keys():
        top = key.path.split(".")[0].removesuffix("[]")
        if top != section:
            section = top
            yield ""
            yield f"## {top}"
            yield ""
            yield "| key | type | default | meaning | example |"
            yield "| --- | --- | --- | --- | --- |"
        yield _row(f"`{key.path}`", key.kind, key.default, key.meaning, _code(key.example))
    yield ""
    yield "## Commands"
    yield ""
    yield "| command | what it does |"
    yield "| --- | --- |"
    for name, command in commands.commands.items():
        yield _row(f"`runtype-exporter {name}`", command.help or "")
    yield ""
    yield "Without a command: `serve`."
    yield ""
    yield "## Flags"
    yield ""
    yield "A flag's twin in the environment counts where the flag is not given."
    yield ""
    yield "| flag | environment | default | commands | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for flag in flags():
        names = ", ".join(f"`{name}`" for name in flag.commands)
        yield _row(f"`{flag.name}`", f"`{flag.variable}`", _code(flag.default), names, flag.meaning)
    yield ""


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstring of each key, as one line.

    Raises:
        ValueError: a key has no docstring.
    """
    (definition,) = ast.parse(inspect.getsource(model)).body
    # For the type checker: the source of a class is a class definition.
    assert isinstance(definition, ast.ClassDef)  # noqa: S101
    docstrings: dict[str, str] = {}
    key = ""
    for statement in definition.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)):
                key = name
            case ast.Expr(value=ast.Constant(value=str(text))) if key:
                docstrings[key] = " ".join(text.split())
    if missing := model.model_fields.keys() - docstrings.keys():
        raise ValueError(f"{model.__name__}: say below {', '.join(sorted(missing))} what it means")
    return docstrings


def _bare(annotation: Any) -> Any:
    """Return a type without its annotations and without `None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        return _bare(next(kind for kind in get_args(annotation) if kind is not type(None)))
    return annotation


def _section_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the section below a key, and whether the key is a list of such sections."""
    many = get_origin(annotation) is tuple
    kind = _bare(get_args(annotation)[0] if many else annotation)
    return (kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None), many


def _kind(annotation: Any, metadata: list[Any]) -> str:
    kind = _bare(annotation)
    section, many = _section_of(annotation)
    if section is not None:
        return "list of sections" if many else "section"
    if get_origin(kind) is tuple:
        return f"list of {_kind(get_args(kind)[0], [])}s"
    if get_origin(kind) is Literal:
        return f"one of {', '.join(f'`{word}`' for word in _words(kind))}"
    if isinstance(get_origin(kind), type) and issubclass(get_origin(kind), Mapping):
        names, values = get_args(kind)
        return f"mapping of {_kind(names, [])} to {_kind(values, [])}"
    lowest = [item.ge for item in metadata if hasattr(item, "ge")]
    highest = [item.le for item in metadata if hasattr(item, "le")]
    limits = [f"from {limit:,}" for limit in lowest] + [f"to {limit:,}" for limit in highest]
    return " ".join([_KINDS[kind], *limits])


def _words(kind: Any) -> Iterator[str]:
    for argument in get_args(kind):
        if get_origin(argument) is Literal:
            yield from _words(argument)
        else:
            yield argument


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    value = field.get_default(call_default_factory=True)
    section, many = _section_of(field.annotation)
    if section is not None and (not many or value):
        return _SHIPPED if many else ""
    return "none" if value is None else f"`{_written(value)}`"


def _written(value: Any) -> str:
    """Return a value as it is written in the file."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return _duration(value)
        case tuple():
            return f"[{', '.join(_written(item) for item in value)}]"
        case Mapping():
            return "{}"
        case "*":
            return '"*"'
    return str(value)


def _duration(seconds: float) -> str:
    """Return a duration with the largest unit that needs no fraction. Seconds may have one."""
    unit, size = next(
        ((unit, size) for unit, size in _UNITS if seconds and seconds % size == 0), ("s", 1.0)
    )
    return f"{seconds / size:g}{unit}" if unit != "ms" else f"{seconds:g}s"
