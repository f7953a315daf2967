"""Errors of a configuration file, and how they are shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One error of a file.

    `line` is None if the error is about the file as a whole, `path` is "" if it is about no value.
    `message` says what is wrong and what to do.
    """

    file: str
    line: int | None
    path: str
    message: str

    def __str__(self) -> str:
        """Return one line that begins as compilers' do, so that editors can jump to it."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.path, self.message) if part)


class ConfigError(Exception):
    """The configuration cannot be used.

    `problems` are all of its errors, in the order of their lines.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Keep the problems."""
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        """Return all problems, one in each line."""
        return "\n".join(str(problem) for problem in self.problems)
