"""The golden pairs of this folder: a ledger file of each format, and its content as JSON."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from runtype_exporter import catalogue
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Learned
from runtype_exporter.objectives import Objectives
from tests.ledger.golden import contents, steps, text
from tests.ledger.golden.words import Vocabulary, in_words, objective

DROPPED_WORDS = ("failures", "retry_at")
"""Words of a batch that only formats 1 and 2 have."""
NEW_WORDS = {
    "changed_at": 0.0,
    "missing_for": 0.0,
    "unreadable_since": None,
    "unreadable_for": 0.0,
    "run_ended_since": None,
    "reread_at": 0.0,
    "page_size": 0,
}
"""Words of a batch that formats 1 and 2 have not, and what a migration makes of them."""
TAKEN_OVER: Mapping[tuple[int, str], Mapping[str, Any]] = {
    (1, "45"): {"status": "completed", "outcome": "success"},
    (1, "53"): {"status": "failed", "outcome": "failure"},
    (2, "04"): {"status": "completed", "outcome": "success", "finished_at": 1772953680.0},
}
"""How the stored results ended that the ids of these pages took over, by format and number.

Until format 3 the first id of a record took over whatever was stored of it, also with another
outcome. Now it must show first what was counted.
"""
FOLDER = Path(__file__).parent
Answer = dict[str, Any]


@dataclass
class StandingClock:
    """A clock that is set by hand."""

    at: float

    def now(self) -> float:
        return self.at


@contextmanager
def opened(
    path: Path, settings: Mapping[str, Any], *, default_bounds: bool = False
) -> Iterator[Ledger]:
    """Open a ledger with the settings of a golden pair, its clock at the moment of continuation."""
    bounds = {metric: tuple(values) for metric, values in settings["histogram_bounds"].items()}
    ledger = Ledger.open(
        path,
        clock=StandingClock(settings["continue_at"]),
        boundaries=catalogue.boundaries() if default_bounds else bounds,
        objectives=Objectives([objective(one) for one in settings["objectives"]]),
    )
    try:
        yield ledger
    finally:
        ledger.close()


def vocabulary(content: Mapping[str, Any]) -> Vocabulary:
    """Return the ids and words of a golden pair: those of its results and those of its pages."""
    results = [row for batch in content["batches"] for row in batch["results"]]
    rows = [row for page in content["continue"]["pages"] for row in page["rows"]]
    keys = [(row["kind"], row["key"]) for row in results]
    keys += [("result", row["adopter_key"]) for row in results if row["adopter_key"] is not None]
    keys += [("record", row["record_id"]) for row in rows]
    keys += [("result", row["result_id"]) for row in rows if row["result_id"] is not None]
    words = {row["status_word"] for row in results} | {row["status"] for row in rows}
    return Vocabulary.of(keys, words - {None})


@dataclass(frozen=True)
class Golden:
    """The golden pair of one format. Never opens its file, only copies of it."""

    version: int

    @property
    def file(self) -> Path:
        return FOLDER / f"v{self.version}.db"

    @cached_property
    def content(self) -> dict[str, Any]:
        """The content of the JSON file, with the defaults that it leaves out."""
        content = text.loads(self.file.with_suffix(".json").read_text(encoding="utf-8"))
        for account in content["accounts"]:
            account.setdefault("forgotten_at", None)
            account.setdefault("learned", in_words(Learned()))
        for batch in content["batches"]:
            if "adoptions" not in batch:
                batch["adoptions"] = contents.adoptions_of_format_1(batch["results"])
            for word in DROPPED_WORDS:
                batch.pop(word, None)
            for word, value in NEW_WORDS.items():
                batch.setdefault(word, value)
        for name, read in content["reads"].items():
            if name != "runs_by_creation":
                read.setdefault("given_up", contents.lost_batches(content["batches"], name))
        for page in content["continue"]["pages"]:
            page["expected"].setdefault("changes_in_order", page["expected"]["changes"])
            if end := TAKEN_OVER.get((self.version, page["name"][:2])):
                page["taken_over"] = [{**row, **end} for row in page["rows"]]
        _complete_figures(content)
        return content

    @property
    def settings(self) -> dict[str, Any]:
        return self.content["settings"]

    @property
    def pages(self) -> list[dict[str, Any]]:
        return self.content["continue"]["pages"]

    @property
    def steps(self) -> list[dict[str, Any]]:
        return self.content["continue"]["other"]

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return vocabulary(self.content)

    def __str__(self) -> str:
        return f"v{self.version}"


@dataclass(frozen=True)
class Continuation:
    """A closed ledger of the present format, of which copies are continued."""

    base: Path
    settings: Mapping[str, Any]
    vocabulary: Vocabulary

    def page(self, path: Path, page: Mapping[str, Any]) -> Answer:
        """Apply one page to a copy at `path`. Return what it changed."""
        shutil.copyfile(self.base, path)
        with opened(path, self.settings) as ledger:
            watched = steps.WatchedSeries(ledger)
            batch, figures = steps.apply_page(ledger, page)
            answer = {
                "changes": watched.changes(),
                "page_figures": figures,
                "batch_after": steps.sweep_after(batch),
            }
        (before, adopted_before), (after, adopted) = (
            [{_key(row): row for row in found.get(page["batch"], [])} for found in both]
            for both in (
                contents.stored(self.base, self.vocabulary),
                contents.stored(path, self.vocabulary),
            )
        )
        return answer | {
            "results_changed": [row for key, row in after.items() if row != before.get(key)],
            "results_removed": [
                {"kind": kind, "key": key} for kind, key in sorted(before.keys() - after.keys())
            ],
            "adoptions_changed": [
                row for key, row in adopted.items() if row != adopted_before.get(key)
            ],
        }

    def in_order(self, path: Path, pages: list[dict[str, Any]]) -> list[list[steps.Change]]:
        """Apply all pages to one copy at `path`. Return what each changed."""
        shutil.copyfile(self.base, path)
        changes = []
        with opened(path, self.settings) as ledger:
            watched = steps.WatchedSeries(ledger)
            for page in pages:
                steps.apply_page(ledger, page)
                changes.append(watched.changes())
        return changes

    def step(self, path: Path, step: Mapping[str, Any]) -> Answer:
        """Take another step on a copy at `path`. Return the answers and what it changed."""
        shutil.copyfile(self.base, path)
        with opened(path, self.settings) as ledger:
            before = contents.series(ledger)
        shutil.copyfile(self.base, path)
        default_bounds = step["do"] == "open with default bounds"
        with opened(path, self.settings, default_bounds=default_bounds) as ledger:
            answer = steps.take(ledger, step)
            return answer | {"changes": steps.difference(before, contents.series(ledger))}


def _complete_figures(content: Any) -> None:
    """Add the word that formats 1 and 2 do not have to all figures of a sweep."""
    if isinstance(content, dict):
        if "oldest_unfinished_at" in content:
            content.setdefault("paused", 0)
        content = list(content.values())
    if isinstance(content, list):
        for part in content:
            _complete_figures(part)


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    if "record_key" in row:
        return row["record_key"], f"{row['state']} {row['outcome']}"
    return row["kind"], row["key"]
