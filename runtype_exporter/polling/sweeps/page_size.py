"""How many rows to ask for in one page, learned from the pages that failed and worked. Pure.

A size changes only if a smaller page works where a larger one failed. So a failure that has nothing
to do with the size leaves it as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, assert_never

from runtype_exporter.limits import HOUR
from runtype_exporter.runtype import ApiError

SLOW_FLOOR: Final = 10
"""Slow pages are not made smaller than this: a page of a few rows is not slow for its rows."""
GOOD_PAGES_TO_GROW: Final = 3
"""The size is doubled after so many good pages in a row."""
RETRY_AFTER: Final = HOUR
"""A size that failed, and a trial that showed nothing, are repeated after this time, in seconds."""


class SizeFault(Enum):
    """What a failure says about the size of its page."""

    TOO_LARGE = "too large"
    """The answer or the request is too large. A smaller page is the only remedy."""
    REFUSED = "refused"
    """The size is one of several possible reasons. A page of one row shows whether it is."""
    SLOW = "slow"
    """As `REFUSED`, if only this page is slow. A page of `SLOW_FLOOR` rows shows it."""


_FAULTS: Final[Mapping[str, SizeFault]] = {
    "oversized": SizeFault.TOO_LARGE,
    "413": SizeFault.TOO_LARGE,
    "400": SizeFault.REFUSED,
    "414": SizeFault.REFUSED,
    "timeout": SizeFault.SLOW,
    "504": SizeFault.SLOW,
}


def size_fault(error: ApiError) -> SizeFault | None:
    """Return what a failure says about the size of the page, None for nothing."""
    return _FAULTS.get(error.code)


@dataclass(frozen=True, slots=True)
class PageSize:
    """The size of the pages of one list, or of one batch's results. Times are monotonic seconds.

    After a failure, `smaller` returns the size for another try of the same page. What it returns is
    kept only if that try works (`worked`). Else the size from before is kept (`failed`).
    """

    most: int
    """The configured size. No page is larger."""
    size: int
    """The rows to ask for."""
    works: int = 0
    """The rows of the last good page, 0 for none."""
    good_pages: int = 0
    """The good pages in a row with the present size."""
    next_size: int = 0
    """The size to go on with if the present one works, 0 for the present one."""
    too_many: int = 0
    """The smallest size that failed, 0 for none."""
    too_many_at: float = 0.0
    next_trial: float = 0.0
    """The next trial with smaller pages is not before this moment, because the last one failed."""
    failed_trial: SizeFault | None = None
    """The fault that the last trial did not avoid, None for none."""
    slow_page: str = ""
    slow_tries: int = 0
    """How often `slow_page` was too slow since its last good read."""
    slow_since: float = 0.0
    """When it was too slow for the first time since then."""

    @property
    def is_ordinary(self) -> bool:
        """Whether nothing was learned but that pages of the configured size work."""
        plain = PageSize(self.most, self.most)
        return self.works in (0, self.most) and replace(self, works=0, good_pages=0) == plain

    def smaller(
        self, fault: SizeFault, page: str, *, others_answered: bool, now: float
    ) -> PageSize | None:
        """Return the size for another try of a page that failed. None if its size is not to blame.

        `page` names the place of the page in its list. `others_answered` is whether another read of
        the account was answered since `evidence_since`.
        """
        proven = self.works if self.works < self.size else 0
        next_size = 0
        match fault:
            case SizeFault.TOO_LARGE:
                size = self.size // 2
            case SizeFault.REFUSED if proven:
                size = max(proven, self.size // 2)
            case SizeFault.REFUSED:
                size, next_size = 1, self.size // 2
            case SizeFault.SLOW:
                if not others_answered or not (proven or self._tries(page)):
                    return None
                size = max(proven, SLOW_FLOOR)
            case _:
                assert_never(fault)
        too_soon = self.failed_trial is fault and now < self.next_trial
        if not 0 < size < self.size or (too_soon and not proven):
            return None
        return replace(
            self, size=size, next_size=next_size, good_pages=0, too_many=self.size, too_many_at=now
        )

    def evidence_since(self, page: str, sent: float) -> float:
        """Return from when on an answer to another read shows that only this page is slow.

        That is the first failure of the page, or else when its request was `sent`: a gateway that
        refuses at once (504) leaves no time for an answer in between.
        """
        return self.slow_since if self._tries(page) else sent

    def worked(self, page: str, now: float) -> PageSize:
        """Return the size after a good page. After three of them in a row it is doubled."""
        after = replace(
            self, works=self.size, good_pages=min(self.good_pages + 1, GOOD_PAGES_TO_GROW)
        )
        if page == self.slow_page:
            after = replace(after, slow_page="", slow_tries=0, slow_since=0.0)
        if self.too_many and self.size >= self.too_many:
            after = replace(after, too_many=0, too_many_at=0.0)
        if self.next_size:
            return replace(after, size=self.next_size, next_size=0, good_pages=0)
        larger = min(2 * self.size, self.most)
        may_grow = (
            after.good_pages == GOOD_PAGES_TO_GROW
            and larger > self.size
            and not (after.too_many and larger >= after.too_many and now < self._retry_at)
        )
        return replace(after, size=larger, good_pages=0) if may_grow else after

    def failed(self, fault: SizeFault, page: str, *, tried: int, now: float) -> PageSize:
        """Return the size after a page that failed with this size and every smaller one tried.

        `tried` is the smallest of these sizes.
        """
        after = replace(self, good_pages=0)
        smallest = SLOW_FLOOR if fault is SizeFault.SLOW else 1
        if tried < self.size and tried <= smallest:
            after = replace(after, next_trial=now + RETRY_AFTER, failed_trial=fault)
        if fault is SizeFault.SLOW:
            tries = self._tries(page)
            since = self.slow_since if tries else now
            after = replace(after, slow_page=page, slow_tries=tries + 1, slow_since=since)
        return after

    @property
    def _retry_at(self) -> float:
        return self.too_many_at + RETRY_AFTER

    def _tries(self, page: str) -> int:
        return self.slow_tries if page == self.slow_page else 0
