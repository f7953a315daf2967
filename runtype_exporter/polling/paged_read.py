"""Read one page, with fewer rows if it is the size of the page that fails.

The rules are in `sweeps.page_size`. What was learned is kept in the ledger: a batch's own size with
the batch, that of a list with what the account learned.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from runtype_exporter.clock import Clock
from runtype_exporter.ledger import Ledger
from runtype_exporter.polling.collectors import Collectors, ReadT
from runtype_exporter.polling.failures import Item
from runtype_exporter.polling.sweeps.page_size import PageSize, size_fault
from runtype_exporter.runtype import MAX_SPARKLINES, ApiError, Client

MOST_SIZES: Final = 10_000
"""The sizes of at most so many batches are kept in memory. The ledger has what matters of them."""


@dataclass(slots=True)
class PageSizes:
    """The sizes of the pages of one account's lists and batches.

    The item of a batch is its id, that of a list is "".
    """

    account: str
    client: Client
    ledger: Ledger
    clock: Clock
    _sizes: dict[Item, PageSize] = field(default_factory=dict, init=False)
    """The sizes of which more was learned than what the ledger has."""

    def size(self, collector: str, item: str) -> PageSize:
        """Return the size for the next page.

        Raises:
            LedgerError: the ledger could not be read.
        """
        known = self._sizes.get((collector, item))
        if known is not None:
            return known
        most, stored = self._most(collector), self._stored(collector, item)
        return PageSize(most, min(stored, most), stored) if stored else PageSize(most, most)

    def keep(self, collector: str, item: str, size: PageSize) -> None:
        """Keep what a page showed. The ledger has the size only once it worked.

        Raises:
            LedgerError: the size could not be stored.
        """
        self._sizes.pop((collector, item), None)
        if not size.is_ordinary:
            self._sizes[collector, item] = size
            if len(self._sizes) > MOST_SIZES:
                del self._sizes[next(iter(self._sizes))]
        if size.works != size.size:
            return
        remembered = 0 if size.works == size.most else size.works
        if remembered != self._stored(collector, item):
            self._store(collector, item, remembered)

    def _most(self, collector: str) -> int:
        if collector in ("results", "run_results"):
            return self.client.page_size
        return MAX_SPARKLINES if collector == "sparklines" else self.client.list_page_size

    def _stored(self, collector: str, item: str) -> int:
        if not item:
            return self.ledger.learned(self.account).page_sizes.get(collector, 0)
        batch = self.ledger.batches((item,)).get(item)
        return 0 if batch is None else batch.page_size

    def _store(self, collector: str, item: str, rows: int) -> None:
        if item:
            self.ledger.update(item, lambda batch: replace(batch, page_size=rows))
            return
        learned = self.ledger.learned(self.account)
        sizes = {name: size for name, size in learned.page_sizes.items() if name != collector}
        if rows:
            sizes[collector] = rows
        self.ledger.set_learned(self.account, replace(learned, page_sizes=sizes))


async def read_page(  # noqa: PLR0913  # what is read, and how
    collectors: Collectors,
    collector: str,
    item: str,
    sizes: PageSizes,
    call: Callable[[int], Awaitable[ReadT]],
    *,
    page: str = "",
) -> ReadT:
    """Return the answer of `call`, which gets the number of rows to ask for.

    If the size of the page may be why it fails, the same page is read again with fewer rows. Only
    the failure of all these tries counts as a failure of the item. `page` names the place of the
    page in its list, because a slow page becomes smaller only when the same one fails twice. The
    caller calls `collectors.complete` after the last page that it needs.

    Raises:
        ReadFailed: the page could not be read.
        LedgerError: what was learned could not be stored. The page must be read again.
    """
    read = partial(_read_with_any_size, collectors, (collector, item), sizes, call, page)
    return await collectors.read(collector, item, read, whole=False)


async def _read_with_any_size(
    collectors: Collectors,
    item: Item,
    sizes: PageSizes,
    call: Callable[[int], Awaitable[ReadT]],
    page: str,
) -> ReadT:
    before = size = sizes.size(*item)
    first: ApiError | None = None
    while True:
        sent = sizes.clock.monotonic()
        try:
            answer = await call(size.size)
            break
        except ApiError as error:
            fault = size_fault(error)
            if fault is None:
                raise
            now = sizes.clock.monotonic()
            answered = collectors.answered_since(size.evidence_since(page, sent))
            smaller = size.smaller(fault, page, others_answered=answered, now=now)
            if smaller is None:
                sizes.keep(*item, before.failed(fault, page, tried=size.size, now=now))
                raise (first or error) from None
            first, size = first or error, smaller
    sizes.keep(*item, size.worked(page, sizes.clock.monotonic()))
    return answer
