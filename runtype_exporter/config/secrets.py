"""Where an API key is stored, and how it is read.

The reference can be printed because the key itself is never kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MAX_SECRET: Final = 8192
"""The largest key, bytes. A longer text is some other file, and no header can carry it."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_KEY: Final = re.compile(r"(rt|tv)_(live|test)_")
"""How Runtype's keys begin (documented). It is only used to notice a key in place of the name of
its variable."""


class SecretError(Exception):
    """A key cannot be read.

    The message names the variable or the file and the remedy, never what was read.
    """


@dataclass(frozen=True, slots=True)
class Secret:
    """A reference to a key: the environment variable `env` or the file `file`.

    Exactly one of them is given.
    """

    env: str | None = None
    file: Path | None = None
    environ: Mapping[str, str] = field(
        default_factory=lambda: os.environ, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Check that exactly one valid place is given.

        Raises:
            ValueError: neither or both are given, or `env` is no name of a variable. The message
                never repeats it: it may be the key.
        """
        if (self.env is None) == (self.file is None):
            raise ValueError("takes one place to read the key from: {env: NAME} or {file: PATH}")
        if self.env is not None and (_KEY.match(self.env) or not _NAME.fullmatch(self.env)):
            raise ValueError(
                "env takes the name of an environment variable,"
                " such as RUNTYPE_API_KEY (letters, digits, _), not the key"
            )
        if self.file is not None and _KEY.match(self.file.name):
            raise ValueError("file takes the path of the file that holds the key, not the key")

    def read(self) -> str:
        """Return the key as it is stored now, so that a rotated key is used at once.

        White space around it is removed.

        Raises:
            SecretError: the variable is unset or empty; the file is missing, unreadable or empty;
                the text is no key.
        """
        found: str | None
        if self.file is not None:
            place, found = f"the file {self.file}", _file(self.file)
        else:
            place, found = f"the environment variable {self.env}", self.environ.get(str(self.env))
        if found is None:
            raise SecretError(f"{place} is not set; put the Runtype API key into it")
        key = found.strip()
        if not key:
            raise SecretError(f"{place} is empty; put the Runtype API key into it")
        if not (key.isascii() and key.isprintable()) or " " in key or len(key) > MAX_SECRET:
            raise SecretError(f"{place} holds no API key; it must hold the key alone, on one line")
        return key


def _file(path: Path) -> str:
    """Return the text of a file; bytes that are no UTF-8 are replaced, since no key has them."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_SECRET + 2).decode("utf-8", "replace")
    except FileNotFoundError:
        raise SecretError(
            f"the file {path} does not exist; put the Runtype API key into it"
        ) from None
    except OSError as error:
        raise SecretError(
            f"the file {path} cannot be read ({error.strerror}); let the exporter's user read it"
        ) from None
