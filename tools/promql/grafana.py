"""Replace Grafana's variables in an expression, so that it can be parsed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

VARIABLE = "grafana_variable"
"""The replacement for a variable in a quoted string. It stands for any value."""

_BUILT_IN = {
    "__range": "1h",
    "__range_s": "3600",
    "__range_ms": "3600000",
    "__rate_interval": "1m",
    "__rate_interval_ms": "60000",
    "__interval": "1m",
    "__interval_ms": "60000",
    "__from": "1700000000000",
    "__to": "1700003600000",
}
_REFERENCE = re.compile(
    r"\$\{(?P<braced>\w+)(?::[\w-]+)?\}|\$(?P<plain>\w+)|\[\[(?P<old>\w+)(?::[\w-]+)?\]\]"
)
_QUOTED = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)""")


def substitute(text: str, values: Mapping[str, str] | None = None) -> str:
    """Return the expression with every variable replaced.

    Variables that are not in `values` are replaced by `VARIABLE` in quotes, and elsewhere by a
    duration.
    """

    def value_of(match: re.Match[str], default: str) -> str:
        name = _name(match)
        return {**_BUILT_IN, **(values or {})}.get(name, default)

    def in_quotes(match: re.Match[str]) -> str:
        name = _name(match)
        # `$1` in label_replace is a group of its regular expression.
        return match[0] if name.isdigit() else value_of(match, VARIABLE)

    parts = _QUOTED.split(text)
    for index, part in enumerate(parts):
        parts[index] = (
            _REFERENCE.sub(in_quotes, part)
            if index % 2
            else _REFERENCE.sub(lambda match: value_of(match, "1h"), part)
        )
    return "".join(parts)


def variables(text: str) -> list[str]:
    """Return the dashboard variables of an expression, without Grafana's built-in ones."""
    names = {_name(match) for match in _REFERENCE.finditer(text)}
    return sorted(name for name in names if not name.startswith("__") and not name.isdigit())


def expand(text: str, options: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield one expression for each option of the variables outside quotes.

    Such a variable may be a part of a name, a window or a label.
    """
    outside = "".join(_QUOTED.split(text)[::2])
    used = [name for match in _REFERENCE.finditer(outside) if (name := _name(match)) in options]
    if not used:
        yield substitute(text)
        return
    first = used[0]
    rest = {name: values for name, values in options.items() if name != first}
    for option in options[first]:
        # The replacement is a function, because an option may contain a backslash.
        pattern = rf"\$(\{{{first}(:[\w-]+)?\}}|{first}\b)"
        yield from expand(re.sub(pattern, _constant(option), text), rest)


def _constant(text: str) -> Callable[[re.Match[str]], str]:
    return lambda _: text


def _name(match: re.Match[str]) -> str:
    return match["braced"] or match["plain"] or match["old"]
