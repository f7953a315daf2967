"""The horizon of an account: nothing created before it is counted.

The first horizon is the moment at which the polling began, less `lookback`. It is fixed at the
first answer after which the API's time is certain. Later it only rises. A source that is switched
on later has a horizon of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import structlog

from runtype_exporter.model import Horizon
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.status_words import FUTURE_TOLERANCE

FUTURE_PROOF = 600.0
"""A horizon that is in the future for this time is lowered, in seconds."""

_log = structlog.get_logger()


@dataclass(slots=True)
class AccountHorizon:
    """The horizons of one account and of its sources."""

    context: AccountContext
    _began: float = field(init=False)
    """When this process began to poll the account, in monotonic seconds."""
    _newest: float | None = field(default=None, init=False)
    """The newest plausible creation time that the API has shown to this process."""
    _future_since: float | None = field(default=None, init=False)
    """Since when the horizon is in the future, in monotonic seconds; None if it is not."""
    _sources_known: bool = field(default=False, init=False)
    """Whether this process has looked for sources that were switched on."""

    def __post_init__(self) -> None:
        """Remember the present moment."""
        self._began = self.context.clock.monotonic()

    def current(self) -> Horizon | None:
        """Return the horizon. None while there is none and the API's time is not certain.

        Raises:
            LedgerError: it could not be stored.
        """
        ledger, name = self.context.ledger, self.context.name
        if self.context.api_time.certain:
            now = self.context.now()
            stored = ledger.horizon(name)
            if stored is None:
                # What ended while the API did not answer yet is counted as well.
                waited = self.context.clock.monotonic() - self._began
                ledger.fix_horizon(name, now - waited - self.context.poll.lookback)
            else:
                self._check_future(stored, now)
            if not self._sources_known:
                self._start_sources(now, is_first=stored is None)
                self._sources_known = True
        horizon = ledger.horizon(name)
        if horizon is not None:
            self.context.telemetry.horizon(name, horizon.at)
        return horizon

    def of_source(self, source: str, horizon: Horizon) -> Horizon:
        """Return the horizon of a source, which is that of the account or a later one."""
        own = self.context.ledger.learned(self.context.name).sources.get(source, horizon.at)
        return replace(horizon, at=max(own, horizon.at))

    def note_created(self, *times: float | None) -> None:
        """Record creation times that the API showed. Implausible ones are ignored."""
        latest = self.context.api_time.latest() + FUTURE_TOLERANCE
        plausible = [at for at in times if at is not None and at <= latest]
        if plausible:
            newest = max(plausible)
            self._newest = newest if self._newest is None else max(newest, self._newest)

    def advance(self, began: float) -> None:
        """Raise the horizon after a complete walk that began at this moment.

        It never passes the newest creation time that the API has shown.

        Raises:
            LedgerError: it could not be stored.
        """
        if self._newest is not None:
            at = min(began - self.context.retention, self._newest)
            self.context.ledger.raise_horizon(self.context.name, at)

    def _check_future(self, stored: Horizon, now: float) -> None:
        """Lower a horizon that is in the future for some time.

        The first answer after a restart is believed at once, and its time may be wrong.
        """
        monotonic = self.context.clock.monotonic()
        if stored.at <= now + FUTURE_TOLERANCE:
            self._future_since = None
        elif self._future_since is None:
            self._future_since = monotonic
        elif monotonic - self._future_since >= FUTURE_PROOF:
            self._lower(stored, now)

    def _lower(self, stored: Horizon, now: float) -> None:
        """Correct a horizon in the future. A clock that was wrong has put it there.

        Nothing is counted again: what was forgotten is older than the new horizon. If it is unknown
        what was forgotten, the new horizon is the present time. If nothing was, it is the one of a
        first start.
        """
        if stored.forgotten is None:
            at = now
        elif stored.forgotten:
            at = max(stored.forgotten, now - self.context.retention)
        else:
            at = now - self.context.poll.lookback
        self.context.ledger.lower_horizon(self.context.name, at)
        _log.warning(
            "the horizon was in the future and is lowered; runs that were created before the new"
            " one and are not in the ledger are not counted",
            account=self.context.name,
            before=stored.at,
            after=at,
        )

    def _start_sources(self, now: float, *, is_first: bool) -> None:
        """Give each source that was switched on since the last start its own horizon."""
        ledger, name = self.context.ledger, self.context.name
        learned = ledger.learned(name)
        config = self.context.config
        enabled = {
            # Always there, so that a ledger which never had another source is recognised.
            "configured": True,
            "runs": config.collectors.runs,
            "adhoc": config.collectors.summary and config.adhoc_batches,
        }
        # A ledger of an earlier format has no sources: all that are enabled were enabled before.
        known = {} if is_first else learned.sources
        start = 0.0 if is_first or not known else now
        sources = {source: known.get(source, start) for source, on in enabled.items() if on}
        ledger.set_learned(name, replace(learned, sources=sources))
