"""Checks that need more than one value of the file.

They take plain data, so that they work although other values of the file are wrong.
"""

from __future__ import annotations

from typing import Any, Final

from runtype_exporter.config.globs import may_be_a_name

Findings = list[tuple[tuple[str | int, ...], str]]
"""Paths of wrong values, and a message for each."""

_UNREAD_NAME: Final = (
    "{!r} may go by a name, and names are not read where accounts[{}].collectors.schedules is"
    " false; write ids in full (schedule_01jv...), or switch that collector on"
)


def find_duplicates(data: Any) -> Findings:
    """Return the names and ids that are used twice although they must differ."""
    accounts = data.get("accounts") if isinstance(data, dict) else None
    found = _duplicates(accounts, ("accounts",), "name")
    for index, account in enumerate(accounts if isinstance(accounts, tuple) else ()):
        batches = account.get("batches") if isinstance(account, dict) else None
        for key in ("id", "name"):
            found += _duplicates(batches, ("accounts", index, "batches"), key)
    slos = data.get("slos") if isinstance(data, dict) else None
    return found + _duplicates(slos, ("slos",), "name")


def find_unread_names(data: Any) -> Findings:
    """Return the patterns that need names of schedules although those are not read."""
    accounts = data.get("accounts") if isinstance(data, dict) else None
    found: Findings = []
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
                if isinstance(pattern, str) and may_be_a_name(pattern):
                    found.append(
                        (
                            ("accounts", at, "schedules", key, index),
                            _UNREAD_NAME.format(pattern, at),
                        )
                    )
    return found


def _duplicates(items: Any, path: tuple[str | int, ...], key: str) -> Findings:
    first: dict[str, int] = {}
    found: Findings = []
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
