"""How a record's results get ids of their own: which stored row an id takes over.

The API may show a result without an id first. It is stored under its record's id then, and with it
each outcome and end that was counted. Several attempts at a record may get their ids at once, on
any pages and in any order, so only the stored outcome and end tell which of them was counted.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

from runtype_exporter.ledger.identities import Adoption, Changes, IdentityRow, Page
from runtype_exporter.ledger.states import ADOPTED, FINAL_OUTCOMES, UNFINISHED
from runtype_exporter.model import Outcome, Result

_NEW: IdentityRow = (UNFINISHED, 0, -1)
"""The row of an identity that is not stored yet."""


class WordNumbers(dict[str, int]):
    """Status words as small numbers, which show whether a result has another word than before."""

    def __missing__(self, word: str) -> int:
        number = self[word] = zlib.crc32(word.encode("utf-8", "surrogatepass")) & 0x7FFFFF
        return number


class PageRows:
    """The stored rows of a page's identities, as the page changes them row by row."""

    def __init__(self, page: Page, results: Sequence[Result], words: WordNumbers) -> None:
        self._page = page
        self._results = results
        self._words = words
        self.rows = dict(page.stored)
        self.written: dict[bytes, IdentityRow] = {}
        self._deleted: set[bytes] = set()
        self._adoptions = {record: dict(kept) for record, kept in page.adoptions.items()}
        self._adoptions_written: dict[tuple[bytes, int], Adoption] = {}
        self._with_id: dict[tuple[str, Outcome | None, float | None], bytes] = {}
        """The final rows of this page that have an id, if others have none."""

    def in_order(self) -> Iterable[tuple[Result, bytes]]:
        """Return the rows and their identities, those with an id first."""
        rows = zip(self._results, self._page.ids, strict=True)
        if all(result.key is not None for result in self._results):
            return rows
        ordered = sorted(rows, key=lambda row: row[0].key is None)
        self._with_id = {
            (result.record_key, result.outcome, result.finished): id_
            for result, id_ in ordered
            if result.key is not None and result.outcome is not None
        }
        return ordered

    def find(self, id_: bytes, result: Result) -> tuple[bytes, IdentityRow, bool, bool]:
        """Return a result's identity, its row, whether it was known and whether it is current.

        A result is not current if it has no id and was counted before: under another id, or before
        a later end of its record.

        Raises:
            LookupError: an adopted record has no adopter.
        """
        stored = self.rows.get(id_)
        if result.key is None:
            return self._find_without_id(id_, stored, result)
        if stored is None or (stored[0] == UNFINISHED and result.outcome is not None):
            record = self._page.records.get(result.record_key)
            if record is not None:
                stored = self._adopt(id_, stored, record, result) or stored
        return id_, stored or _NEW, stored is not None, True

    def keep_end(self, record: bytes, state: int, finished: float | None) -> None:
        """Store how and when a result without an id ended, for the id that may adopt it later."""
        self._set_adoption(record, Adoption(state, finished, None))

    def changes(self) -> Changes:
        """Return what is to be written and deleted."""
        stored = self._page.stored
        deleted = frozenset(self._deleted - self.written.keys())
        added = sum(id_ not in stored for id_ in self.written) - len(deleted)
        return Changes(self.written, deleted, added, self._adoptions_written)

    def _find_without_id(
        self, record: bytes, stored: IdentityRow | None, result: Result
    ) -> tuple[bytes, IdentityRow, bool, bool]:
        if stored is None or stored[0] == UNFINISHED:
            # The same result was shown with an id, so nothing of it is stored here.
            with_id = self._with_id.get((result.record_key, result.outcome, result.finished))
            if with_id is not None:
                return with_id, self.rows[with_id], True, False
            return record, stored or _NEW, stored is not None, True
        kept = [one for _, one in sorted(self._adoptions.get(record, {}).items())]
        same = [one for one in kept if _ended_so(one, result)]
        adopters = [
            one.adopter
            for one in (same or (kept if stored[0] == ADOPTED else ()))
            if one.adopter is not None
        ]
        if adopters:
            return adopters[0], self.rows[adopters[0]], True, False
        if stored[0] == ADOPTED:
            raise LookupError("an adopted record has no adopter")
        is_current = not same or any(one.outcome == stored[0] for one in same)
        return record, stored, True, is_current

    def _adopt(
        self, id_: bytes, own: IdentityRow | None, record: bytes, result: Result
    ) -> IdentityRow | None:
        """Move what is stored of a result under its record's identity to its own id.

        `own` is what is stored under its own id. Return the row, None if nothing is stored of this
        result under its record's identity.
        """
        stored = self.rows.get(record)
        if stored is None or stored[0] == ADOPTED:
            return None
        if stored[0] == UNFINISHED:
            if own is not None:
                return None
            del self.rows[record]
            self._deleted.add(record)
            row = stored
        else:
            kept = self._adoptions.get(record)
            free = (
                # A row of format 1 has no adoption of its own: only its state shows how it ended.
                [Adoption(stored[0], None, None)]
                if kept is None
                else [one for _, one in sorted(kept.items()) if one.adopter is None]
            )
            adoption = next(
                (
                    one
                    for one in free
                    if self._has_outcome(one, stored, result)
                    and (kept is None or one.finished == result.finished)
                ),
                None,
            )
            if adoption is None:
                return None
            self._set_adoption(record, adoption._replace(adopter=id_))
            row = (adoption.outcome, stored[1], stored[2] if own is None else own[2])
            if len(free) <= 1:
                self.rows[record] = self.written[record] = (ADOPTED, 0, 0)
        self.rows[id_] = self.written[id_] = row
        return row

    def _has_outcome(self, adoption: Adoption, stored: IdentityRow, result: Result) -> bool:
        """Return whether a result has the stored outcome, or its word if that means another now."""
        return FINAL_OUTCOMES.get(adoption.outcome) == result.outcome or (
            adoption.outcome == stored[0] and self._words[result.status] == stored[1]
        )

    def _set_adoption(self, record: bytes, adoption: Adoption) -> None:
        self._adoptions.setdefault(record, {})[adoption.outcome] = adoption
        self._adoptions_written[record, adoption.outcome] = adoption


def _ended_so(adoption: Adoption, result: Result) -> bool:
    """Return whether a result ended with the stored outcome at the stored time."""
    return (
        FINAL_OUTCOMES.get(adoption.outcome) == result.outcome
        and adoption.finished == result.finished
    )
