"""The rules of one objective.

What was spent of its error budget, how fast, and when to tell somebody.

Names are sloth's where the meaning is sloth's (docs/slo.md says which). Everything weighs events,
never moments: batches come in bursts, and the mean of the ratios of five minutes would give a quiet
night the weight of a busy one.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from runtype_exporter.catalogue import LEDGER_CREATED, SLO_EVENTS
from runtype_exporter.config import Slo
from runtype_exporter.config.durations import written_duration
from runtype_exporter.rules.counters import (
    COARSE_FROM,
    COARSE_INTERVAL,
    FINE_INTERVAL,
    copy,
    served,
)
from runtype_exporter.rules.rule import Alert, Group, Record
from runtype_exporter.rules.windows import DAY, HOUR, BurnWindow, scaled

TRUSTED: Final = "runtype:account_trusted:bool"
"""1 where an account's events can be judged: it is polled, and its ledger is older than what a
first start catches up with."""
YOUNG: Final = HOUR
"""A ledger younger than this, seconds, is still catching up: what it counts now happened earlier.
"""

_SHORTEST_KEEP: Final = HOUR
_PRECISION: Final = "1e9"


def slo_groups(slo: Slo) -> Iterator[Group]:
    """An objective's rules, those of short windows apart from those of windows of days."""
    period = slo.window
    burns = tuple(scaled(period, _budget(slo)))
    windows = sorted({length for burn in burns for length in (burn.long, burn.short)})
    fine = tuple(length for length in windows if length < COARSE_FROM)
    coarse = (*(length for length in windows if length >= COARSE_FROM and length != period), period)
    yield Group(
        f"runtype-slo:{slo.name}",
        FINE_INTERVAL,
        (*_events(slo, fine), *_now(slo, burns), *(_burning(slo, burn) for burn in burns)),
    )
    yield Group(
        f"runtype-slo-period:{slo.name}",
        COARSE_INTERVAL,
        (*_events(slo, coarse), *_period(slo, burns), _history(slo)),
    )


def trusted(stale_after: float) -> Record:
    """Which accounts' events can be judged. `stale_after` in seconds."""
    polled = served("runtype_last_successful_poll_timestamp_seconds")
    created = served(LEDGER_CREATED.name)
    return Record(
        TRUSTED,
        f"  (time() - {polled} < bool {stale_after:.0f})\n* ignoring (account) group_left ()\n"
        f"  (time() - {created} >= bool {YOUNG:.0f})",
    )


def ratio(length: float) -> str:
    """The name of the share of bad events over a window, seconds."""
    return f"slo:sli_error:ratio_rate{written_duration(length)}"


def events(length: float) -> str:
    """The name of the number of events in a window, seconds."""
    return f"slo:events:increase{written_duration(length)}"


def bad_events(length: float) -> str:
    """The name of the number of bad events in a window, seconds."""
    return f"slo:bad_events:increase{written_duration(length)}"


def _budget(slo: Slo) -> Decimal:
    """The share of events that may be bad."""
    return 1 - slo.objective / 100


def _exact(number: Decimal) -> str:
    """A threshold as it is meant: 0.144, not the product of two floats."""
    return f"{number.normalize():f}"


def _of(slo: Slo, name: str) -> str:
    return f'{name}{{slo="{slo.name}"}}'


def _events(slo: Slo, windows: tuple[float, ...]) -> Iterator[Record]:
    said = {"slo": slo.name}
    for length in windows:
        window = written_duration(length)
        source = copy(SLO_EVENTS, length)
        every = f'increase({source}{{slo="{slo.name}"}}[{window}])'
        bad = f'increase({source}{{slo="{slo.name}",result="bad"}}[{window}])'
        yield Record(events(length), f"sum without (schedule, result) ({every})", said)
        yield Record(bad_events(length), f"sum without (schedule, result) ({bad})", said)
        # No events is no ratio, so that nothing counts as met where nothing ran. Rounded, since a
        # night exactly at its objective must not lie above it by the last bit of a quotient; and to
        # whole billionths, since round's own second argument is not exact.
        share = f"{_of(slo, bad_events(length))} / ({_of(slo, events(length))} > 0)"
        yield Record(ratio(length), f"round({_PRECISION} * {share}) / {_PRECISION}", said)


def _now(slo: Slo, burns: tuple[BurnWindow, ...]) -> Iterator[Record]:
    said = {"slo": slo.name}
    yield Record("slo:objective:ratio", f"vector({_exact(slo.objective / 100)})", said)
    yield Record("slo:error_budget:ratio", f"vector({_exact(_budget(slo))})", said)
    yield Record("slo:time_period:days", f"vector({slo.window / DAY:g})", said)
    yield Record(
        "slo:current_burn_rate:ratio",
        f"{_of(slo, ratio(burns[0].long))} / {_exact(_budget(slo))}",
        said,
    )


def _period(slo: Slo, burns: tuple[BurnWindow, ...]) -> Iterator[Record]:
    budget, period, said = _exact(_budget(slo)), slo.window, {"slo": slo.name}
    remaining = "slo:period_error_budget_remaining"
    yield Record("slo:period_burn_rate:ratio", f"{_of(slo, ratio(period))} / {budget}", said)
    yield Record(f"{remaining}:ratio", f"1 - {_of(slo, 'slo:period_burn_rate:ratio')}", said)
    yield Record(
        f"{remaining}:events",
        f"{budget} * ({_of(slo, events(period))} > 0) - {_of(slo, bad_events(period))}",
        said,
    )
    # A pace that the budget bears for ever ends at no time.
    pace = f"({_of(slo, ratio(burns[-1].long))} / {budget} > 1)"
    yield Record(
        "slo:period_error_budget_exhaustion:seconds",
        f"clamp_min({_of(slo, f'{remaining}:ratio')}, 0) * {period:.0f} / {pace}",
        said,
    )


def _burning(slo: Slo, burn: BurnWindow) -> Alert:
    threshold = _exact(burn.factor * _budget(slo))
    share = _exact(burn.share * _budget(slo))
    long, short, period = (
        written_duration(length) for length in (burn.long, burn.short, slo.window)
    )
    lasts = written_duration(round(slo.window / float(burn.factor) / 60) * 60)
    bad = _of(slo, bad_events(burn.long))
    counted = f'{copy(SLO_EVENTS, burn.long)}{{slo="{slo.name}",result="bad"}}[{long}]'
    return Alert(
        name="RuntypeErrorBudgetBurn",
        severity=burn.severity,
        expr=f"""(
  {_of(slo, ratio(burn.long))} > {threshold}
and
  {_of(slo, ratio(burn.short))} > {threshold}
and
  {bad} >= {share} * {_of(slo, events(slo.window))}
and
  sum without (schedule, result) (max_over_time({counted}) - min_over_time({counted})) >= {slo.min_bad}
)
and ignoring (slo)
  {TRUSTED} == 1""",
        keep=max(_SHORTEST_KEEP, burn.short),
        labels={"slo": slo.name, "long": long, "short": short, "exhaustion": lasts},
        summary=f"{slo.name} of {{{{ $labels.account }}}} spends its error budget {_pace(burn)}",
        description=(
            f"{{{{ $value | humanizePercentage }}}} of the events of the past {long} were bad, and"
            f" of the past {short} too. The objective allows {_exact(_budget(slo) * 100)} % over"
            f" {period}, and at {_exact(burn.factor)} times that, all of it is spent within"
            f" {lasts}."
        ),
    )


def _pace(burn: BurnWindow) -> str:
    return (
        "faster than it may"
        if burn.factor == 1
        else f"more than {_exact(burn.factor)} times as fast as it may"
    )


def _history(slo: Slo) -> Alert:
    """Prometheus has forgotten, or never had, what the objective's period needs.

    Events of any objective and account will do: one that is new has none, whatever Prometheus
    keeps.
    """
    period = written_duration(slo.window)
    source = copy(SLO_EVENTS, slo.window)
    first_day = f"last_over_time({source}[1d] offset {written_duration(slo.window - DAY)})"
    if slo.window == DAY:
        first_day = f"last_over_time({source}[1d])"
    return Alert(
        name="RuntypeSloHistoryShort",
        severity="warning",
        expr=f"""group without (schedule, result) ({source}{{slo="{slo.name}"}})
and ignoring (slo, account)
  time() - {served(LEDGER_CREATED.name)} > {slo.window:.0f}
unless ignoring (slo, account)
  group without (slo, account, schedule, result) ({first_day})""",
        hold=HOUR,
        labels={"slo": slo.name},
        summary=f"Prometheus does not hold the {period} of {slo.name}",
        description=(
            f"The ledger of {{{{ $labels.account }}}} is older than {period}, but Prometheus has no"
            " events from the beginning of that time. Budget and burn are those of what it has."
            f" Keep metrics for {period} at least (--storage.tsdb.retention.time)."
        ),
    )
