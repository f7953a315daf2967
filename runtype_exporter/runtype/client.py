"""The API's reads: one account, one method for each endpoint.

Reading all pages of a list is the caller's task.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from runtype_exporter.limits import MAX_ID
from runtype_exporter.runtype import responses
from runtype_exporter.runtype.budget import Priority
from runtype_exporter.runtype.errors import ClientError
from runtype_exporter.runtype.exchange import Exchange

MAX_LIST_PAGE: Final = 100
"""The documented maximum of `GET /v1/schedules`; that of the run list is not documented."""
MAX_SPARKLINES: Final = 100
"""The documented maximum of `GET /v1/schedules/sparklines`."""


class Client:
    """One account's reads. An async context manager; `aclose` ends its connections.

    Every read waits for the budget by its priority, and raises one of `errors.ApiError`'s
    kinds, or whatever the budget's store or `key` raises. Server and network failures are tried
    again, each time from the budget; nothing else is.
    """

    def __init__(self, exchange: Exchange, *, page_size: int = 100) -> None:
        """Read over `exchange`, which is closed with the client.

        `page_size` is the most rows of a page of results.
        """
        self._exchange = exchange
        self.page_size: Final = page_size
        self.list_page_size: Final = min(page_size, MAX_LIST_PAGE)

    def __repr__(self) -> str:
        """Return whose client it is, never the key."""
        return (
            f"Client(account={self._exchange.account!r}, base_url={str(self._exchange.base_url)!r})"
        )

    async def __aenter__(self) -> Self:
        """Return the client; there is nothing to open."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """End the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """End the connections. The budget stays open: its owner closes it."""
        await self._exchange.aclose()

    async def schedules(
        self, cursor: str | None = None, limit: int | None = None
    ) -> responses.SchedulesPage:
        """Return one page of the schedules, of `limit` rows or `list_page_size`."""
        parameters = self._list(cursor, limit)
        return await self._exchange.get(
            responses.SCHEDULES, "v1/schedules", parameters, Priority.DISCOVERY
        )

    async def runs(self, cursor: str | None = None, limit: int | None = None) -> responses.RunsPage:
        """Return one page of the runs of all schedules, of `limit` rows or `list_page_size`."""
        parameters = self._list(cursor, limit)
        return await self._exchange.get(
            responses.RUNS, "v1/schedules/runs/all", parameters, Priority.DISCOVERY
        )

    async def summary(self) -> responses.Summary:
        """Return the batches at work and those that ended recently."""
        return await self._exchange.get(
            responses.SUMMARY, "v1/batch/summary", {}, Priority.DISCOVERY
        )

    async def status(
        self, batch_id: str, *, priority: Priority = Priority.DISCOVERY
    ) -> responses.BatchStatus:
        """Return the state of one batch."""
        path = f"v1/batch/status/{_segment('status', batch_id)}"
        return await self._exchange.get(responses.STATUS, path, {}, priority)

    async def results(
        self,
        batch_id: str,
        offset: int,
        *,
        limit: int,
        status: str | None = None,
        priority: Priority = Priority.RUNNING,
    ) -> responses.ResultsPage:
        """Return one page of a batch's results: at most `limit` rows from row `offset`.

        With `status`, only results with that status word are returned.
        """
        path = f"v1/schedules/batch/{_segment('results', batch_id)}/results"
        parameters = {"limit": str(limit), "offset": str(offset)}
        if status is not None:
            parameters["status"] = status
        return await self._exchange.get(responses.RESULTS, path, parameters, priority)

    async def run_results(
        self, run_id: str, offset: int, *, limit: int, priority: Priority = Priority.RUNNING
    ) -> responses.ResultsPage:
        """Return one page of a run's results: at most `limit` rows from row `offset`.

        Whether the API takes the offset into account is not documented.
        """
        path = f"v1/schedules/runs/{_segment('run_results', run_id)}/results"
        parameters = {"limit": str(limit), "offset": str(offset)}
        return await self._exchange.get(responses.RUN_RESULTS, path, parameters, priority)

    async def cost(self, batch_id: str) -> responses.BatchCost:
        """Return the cost of a batch."""
        path = f"v1/batch/{_segment('cost', batch_id)}/cost"
        return await self._exchange.get(responses.COST, path, {}, Priority.EXTRA)

    async def sparklines(self, ids: Sequence[str]) -> responses.Sparklines:
        """Return the last seven days of these schedules, `MAX_SPARKLINES` at the most.

        Raises:
            ValueError: there are no ids, too many, or one holds a comma, which separates them.
        """
        if not 0 < len(ids) <= MAX_SPARKLINES or any("," in identity for identity in ids):
            raise ValueError(f"sparklines are asked for 1 to {MAX_SPARKLINES} ids without commas")
        parameters = {"ids": ",".join(ids)}
        return await self._exchange.get(
            responses.SPARKLINES, "v1/schedules/sparklines", parameters, Priority.EXTRA
        )

    async def usage(self) -> responses.Usage:
        """Return how much of the plan is used."""
        return await self._exchange.get(
            responses.USAGE, "v1/usage-limits/daily", {}, Priority.EXTRA
        )

    def _list(self, cursor: str | None, limit: int | None) -> dict[str, str]:
        parameters = {"limit": str(self.list_page_size if limit is None else limit)}
        if cursor is not None:
            parameters["cursor"] = cursor
        return parameters


def _segment(operation: str, identity: str) -> str:
    """Return an opaque id as one segment of a path, whatever characters it has.

    Raises:
        ClientError: the id is empty, too long, or would change the path.
    """
    if not 0 < len(identity) <= MAX_ID or identity in (".", ".."):
        raise ClientError(
            operation,
            f"an id of {len(identity)} characters cannot be asked for;"
            " check the configured batches",
            code="client",
        )
    return quote(identity, safe="", errors="replace")
