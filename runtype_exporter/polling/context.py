"""What every part of the polling of one account shares."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runtype_exporter.clock import Clock
from runtype_exporter.config import Account, Poll
from runtype_exporter.ledger import Ledger
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.collectors import FORBIDDEN_RETRY, Collectors
from runtype_exporter.polling.paged_read import PageSizes
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.protocols import GaugeSink, SeriesLimit, Telemetry
from runtype_exporter.runtype import ApiTime, Client


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

    def deadline_time(self) -> float:
        """Return the moment by which deadlines are judged: 0 while API time is not certain."""
        return self.now() if self.api_time.certain else 0.0

    def time_at(self, moment: float) -> float:
        """Return what the API's time was at a monotonic moment, by all that is known now.

        The beginning of a read is noted that way: the API's time may be known only by its answer.
        """
        return self.now() - (self.clock.monotonic() - moment)


def account_context(  # noqa: PLR0913  # everything that the accounts of a process do not share
    config: Account,
    poll: Poll,
    *,
    retention: float,
    batches_per_schedule: int,
    client: Client,
    ledger: Ledger,
    status_words: StatusWords,
    clock: Clock,
    api_time: ApiTime,
    telemetry: Telemetry,
    gauges: GaugeSink,
    series_limit: SeriesLimit,
) -> AccountContext:
    """Return the context of an account, with what the ledger knows of it.

    Raises:
        LedgerError: the ledger could not be read.
    """
    name = config.name
    now = api_time.now()
    learned = ledger.learned(name)
    forbidden = {
        collector: until - now
        for collector, until in learned.forbidden.items()
        if 0.0 < until - now <= FORBIDDEN_RETRY
    }

    def remember(collector: str, seconds: float) -> None:
        learned = ledger.learned(name)
        kept = {other: at for other, at in learned.forbidden.items() if other != collector}
        if seconds:
            kept[collector] = api_time.now() + seconds
        ledger.set_learned(name, replace(learned, forbidden=kept))

    return AccountContext(
        config=config,
        poll=poll,
        retention=retention,
        batches_per_schedule=batches_per_schedule,
        client=client,
        ledger=ledger,
        labels=LabelTable(name, ledger, series_limit),
        status_words=status_words,
        clock=clock,
        api_time=api_time,
        telemetry=telemetry,
        gauges=gauges,
        collectors=Collectors(
            name,
            [collector for collector, on in config.collectors if not on],
            telemetry,
            clock,
            forbidden=forbidden,
            on_forbidden=remember,
        ),
        page_sizes=PageSizes(name, client, ledger, clock),
    )
