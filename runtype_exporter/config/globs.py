"""Patterns that choose schedules by name or id."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Final

from runtype_exporter.config.fields import Label, Section

_SCHEDULE_ID: Final = re.compile(r"schedule_(?=.*\d)[^*?\[\s]+")
"""A schedule's id in full, of the form that the API's documentation shows: names of that form, with
a digit, are not to be expected."""


class Globs(Section):
    """Schedules that match one of `include` and none of `exclude`, by name or id."""

    include: tuple[Label, ...] = ("*",)
    """Followed are schedules whose name or id matches one of these globs. Example: `["nightly-*"]`.
    """
    exclude: tuple[Label, ...] = ()
    """Of those, schedules that match one of these are left out: none of their runs and batches is
    counted. Example: `["*-test"]`."""

    def matches(self, name: str | None, schedule_id: str) -> bool:
        """Return whether a schedule is followed.

        Upper and lower case differ. A schedule may have no name.
        """
        texts = [text for text in (name, schedule_id) if text]
        return _any(texts, self.include) and not _any(texts, self.exclude)

    def by_id(self, schedule_id: str) -> bool | None:
        """Return whether a schedule is followed, None if that depends on its name."""
        included, excluded = _any([schedule_id], self.include), _any([schedule_id], self.exclude)
        if excluded or not (included or any(map(may_be_a_name, self.include))):
            return False
        return True if included and not any(map(may_be_a_name, self.exclude)) else None

    @property
    def by_name(self) -> bool:
        """Return whether the names of schedules can decide which are followed."""
        return any(map(may_be_a_name, (*self.include, *self.exclude)))


def _any(texts: list[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for text in texts for pattern in patterns)


def may_be_a_name(pattern: str) -> bool:
    """Return whether a pattern can match a name and not only ids.

    `*` alone matches every id, and a pattern that looks like a full id is one.
    """
    return bool(pattern.strip("*")) and not _SCHEDULE_ID.fullmatch(pattern)
