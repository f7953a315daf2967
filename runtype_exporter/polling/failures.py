"""The judge of failed reads: does a failure concern one item, one collector or the account? Pure.

This is the only place that decides how far a failure reaches. `collectors` gathers the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from runtype_exporter.runtype import ApiError, Forbidden, Throttled, Unauthorised

REFUSALS_TO_FORBID = 3
"""A collector with many items is forbidden after so many different items were refused."""
FAILURES_TO_WITHDRAW = 3
"""A list that failed so many times in a row is a failure of its collector."""


Item = tuple[str, str]
"""A collector and the id of one of its items, "" for a list."""


class Reach(Enum):
    """What a failure concerns."""

    ITEM = "item"
    COLLECTOR = "collector"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the reads of an account show at the moment of a failure."""

    is_list: bool
    """Whether the collector has this one item only."""
    tries: int
    """The failed reads of the item in a row, with this one."""
    account_silent: bool
    """Whether nothing of the account was answered since the item first failed, and all lists that
    are read in each cycle failed since then."""
    refused_items: int
    """The items of the collector that were refused twice, at least a minute apart, while nothing
    of the collector was answered."""


NO_EVIDENCE: Final = Evidence(is_list=False, tries=1, account_silent=False, refused_items=0)


def judge(error: ApiError, evidence: Evidence) -> Reach:
    """Return how far this failure reaches."""
    if isinstance(error, Unauthorised | Throttled):
        return Reach.ACCOUNT
    if isinstance(error, Forbidden):
        enough = 1 if evidence.is_list else REFUSALS_TO_FORBID
        return Reach.COLLECTOR if evidence.refused_items >= enough else Reach.ITEM
    if evidence.account_silent:
        return Reach.ACCOUNT
    if evidence.is_list and evidence.tries >= FAILURES_TO_WITHDRAW:
        return Reach.COLLECTOR
    return Reach.ITEM


class ReadFailed(Exception):  # noqa: N818  # says what happened
    """A read of the API failed, and it is known how far the failure reaches.

    Attributes:
        error: what the client raised.
        reach: what the failure concerns.
        collector: the collector that was read.
        item: the id of the item, "" for a list.
        tries: the failed reads of the item in a row, in this process.
        elapsed: the seconds since the failed read before, 0 for the first one.
        others_answered: whether anything else of the account was answered since then.
        same_read_answered: whether another item of the collector was.
    """

    def __init__(  # noqa: PLR0913  # one failure, all by keyword
        self,
        error: ApiError,
        reach: Reach,
        item: Item,
        *,
        tries: int = 1,
        elapsed: float = 0.0,
        others_answered: bool = False,
        same_read_answered: bool = False,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.reach = reach
        self.collector, self.item = item
        self.tries = tries
        self.elapsed = elapsed
        self.others_answered = others_answered
        self.same_read_answered = same_read_answered
