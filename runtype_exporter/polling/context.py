"""What every part of the polling of one account shares."""

from __future__ import annotations

from dataclasses import dataclass

from runtype_exporter.clock import Clock
from runtype_exporter.config import Account, Poll
from runtype_exporter.ledger import Ledger
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.collectors import Collectors
from runtype_exporter.polling.paged_read import PageSizes
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.protocols import GaugeSink, Telemetry
from runtype_exporter.runtype import ApiTime, Budget, Client


@dataclass(frozen=True, slots=True)
class AccountContext:
    """The configuration, the stores and the services of one account's polling.

    `retention` is in seconds.
    """

    config: Account
    poll: Poll
    retention: float
    batches_per_schedule: int
    client: Client
    budget: Budget
    ledger: Ledger
    labels: LabelTable
    status_words: StatusWords
    clock: Clock
    api_time: ApiTime
    telemetry: Telemetry
    gauges: GaugeSink
    collectors: Collectors
    page_sizes: PageSizes

    @property
    def name(self) -> str:
        """Return the name of the account."""
        return self.config.name

    def now(self) -> float:
        """Return the API's time in seconds since the Unix epoch."""
        return self.api_time.now()
