"""The rules of one objective: its error budget, how fast it is spent, and the alerts.

Names are those of sloth where the meaning is the same (docs/slo.md lists them). Ratios are always
computed from numbers of events. Batches come in bursts, and a mean of ratios over five minutes
would give a night without events the weight of a busy one.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from runtype_exporter.catalogue import LEDGER_CREATED, SLO_EVENTS
from runtype_exporter.config import Slo
from runtype_exporter.config.durations import written_duration
from runtype_exporter.limits import DAY, HOUR
from runtype_exporter.rules.counters import (
    COARSE_FROM,
    COARSE_INTERVAL,
    FINE_INTERVAL,
    across_instances,
    copy_name,
)
from runtype_exporter.rules.rule import AlertRule, RecordingRule, RuleGroup
from runtype_exporter.rules.windows import BurnWindow, scaled_windows

TRUSTED: Final = "runtype:account_trusted:bool"
"""1 where the events of an account can be judged: it is polled, and its ledger is old enough that
the first start has caught up."""
YOUNG_LEDGER: Final = HOUR
"""A ledger younger than this (seconds) is still catching up: it counts events of earlier times."""

_SHORTEST_KEEP_FIRING: Final = HOUR
_PRECISION: Final = "1e9"


def slo_groups(slo: Slo) -> Iterator[RuleGroup]:
    """Return the rules of an objective: a group for short windows and a group for long ones."""
    period = slo.window
    burns = tuple(scaled_windows(period, _budget(slo)))
    windows = sorted({length for burn in burns for length in (burn.long, burn.short)})
    fine = tuple(length for length in windows if length < COARSE_FROM)
    coarse = (*(length for length in windows if length >= COARSE_FROM and length != period), period)
    yield RuleGroup(
        f"runtype-slo:{slo.name}",
        FINE_INTERVAL,
        (
            *_window_rules(slo, fine),
            *_current_rules(slo, burns),
            *(_burn_alert(slo, burn) for burn in burns),
        ),
    )
    yield RuleGroup(
        f"runtype-slo-period:{slo.name}",
        COARSE_INTERVAL,
        (*_window_rules(slo, coarse), *_period_rules(slo, burns), _short_history_alert(slo)),
    )


def trusted_rule(stale_after: float) -> RecordingRule:
    """Return the rule for accounts whose events can be judged. `stale_after` is in seconds."""
    polled = across_instances("runtype_last_successful_poll_timestamp_seconds")
    created = across_instances(LEDGER_CREATED.name)
    return RecordingRule(
        TRUSTED,
        f"  (time() - {polled} < bool {stale_after:.0f})\n* ignoring (account) group_left ()\n"
        f"  (time() - {created} >= bool {YOUNG_LEDGER:.0f})",
    )


def ratio(length: float) -> str:
    """Return the name of the share of bad events in a window (seconds)."""
    return f"slo:sli_error:ratio_rate{written_duration(length)}"


def events(length: float) -> str:
    """Return the name of the number of events in a window (seconds)."""
    return f"slo:events:increase{written_duration(length)}"


def bad_events(length: float) -> str:
    """Return the name of the number of bad events in a window (seconds)."""
    return f"slo:bad_events:increase{written_duration(length)}"


def _budget(slo: Slo) -> Decimal:
    """Return the share of events that may be bad."""
    return 1 - slo.objective / 100


def _exact(number: Decimal) -> str:
    """Return the exact text of a threshold, such as 0.144. A product of floats would be inexact."""
    return f"{number.normalize():f}"


def _of_slo(slo: Slo, name: str) -> str:
    return f'{name}{{slo="{slo.name}"}}'


def _window_rules(slo: Slo, windows: tuple[float, ...]) -> Iterator[RecordingRule]:
    labels = {"slo": slo.name}
    for length in windows:
        window = written_duration(length)
        source = copy_name(SLO_EVENTS, length)
        every = f'increase({source}{{slo="{slo.name}"}}[{window}])'
        bad = f'increase({source}{{slo="{slo.name}",result="bad"}}[{window}])'
        yield RecordingRule(events(length), f"sum without (schedule, result) ({every})", labels)
        yield RecordingRule(bad_events(length), f"sum without (schedule, result) ({bad})", labels)
        # Without events there is no ratio: an objective is not met because nothing ran. The ratio
        # is rounded, so that a window exactly at its objective is not above it by the last bit of
        # a quotient. It is rounded to whole billionths, since round's second argument is not exact.
        share = f"{_of_slo(slo, bad_events(length))} / ({_of_slo(slo, events(length))} > 0)"
        yield RecordingRule(ratio(length), f"round({_PRECISION} * {share}) / {_PRECISION}", labels)


def _current_rules(slo: Slo, burns: tuple[BurnWindow, ...]) -> Iterator[RecordingRule]:
    labels = {"slo": slo.name}
    yield RecordingRule("slo:objective:ratio", f"vector({_exact(slo.objective / 100)})", labels)
    yield RecordingRule("slo:error_budget:ratio", f"vector({_exact(_budget(slo))})", labels)
    yield RecordingRule("slo:time_period:days", f"vector({slo.window / DAY:g})", labels)
    yield RecordingRule(
        "slo:current_burn_rate:ratio",
        f"{_of_slo(slo, ratio(burns[0].long))} / {_exact(_budget(slo))}",
        labels,
    )


def _period_rules(slo: Slo, burns: tuple[BurnWindow, ...]) -> Iterator[RecordingRule]:
    budget, period, labels = _exact(_budget(slo)), slo.window, {"slo": slo.name}
    remaining = "slo:period_error_budget_remaining"
    yield RecordingRule(
        "slo:period_burn_rate:ratio", f"{_of_slo(slo, ratio(period))} / {budget}", labels
    )
    yield RecordingRule(
        f"{remaining}:ratio", f"1 - {_of_slo(slo, 'slo:period_burn_rate:ratio')}", labels
    )
    yield RecordingRule(
        f"{remaining}:events",
        f"{budget} * ({_of_slo(slo, events(period))} > 0) - {_of_slo(slo, bad_events(period))}",
        labels,
    )
    # No series at a burn rate of 1 or less: the budget is never used up.
    pace = f"({_of_slo(slo, ratio(burns[-1].long))} / {budget} > 1)"
    yield RecordingRule(
        "slo:period_error_budget_exhaustion:seconds",
        f"clamp_min({_of_slo(slo, f'{remaining}:ratio')}, 0) * {period:.0f} / {pace}",
        labels,
    )


def _burn_alert(slo: Slo, burn: BurnWindow) -> AlertRule:
    threshold = _exact(burn.factor * _budget(slo))
    share = _exact(burn.share * _budget(slo))
    long, short, period = (
        written_duration(length) for length in (burn.long, burn.short, slo.window)
    )
    lasts = written_duration(round(slo.window / float(burn.factor) / 60) * 60)
    bad = _of_slo(slo, bad_events(burn.long))
    counted = f'{copy_name(SLO_EVENTS, burn.long)}{{slo="{slo.name}",result="bad"}}[{long}]'
    spread = f"max_over_time({counted}) - min_over_time({counted})"
    difference = f"sum without (schedule, result) ({spread})"
    return AlertRule(
        name="RuntypeErrorBudgetBurn",
        severity=burn.severity,
        expr=f"""(
  {_of_slo(slo, ratio(burn.long))} > {threshold}
and
  {_of_slo(slo, ratio(burn.short))} > {threshold}
and
  {bad} >= {share} * {_of_slo(slo, events(slo.window))}
and
  {difference} >= {slo.min_bad}
)
and ignoring (slo)
  {TRUSTED} == 1""",
        keep_firing_for=max(_SHORTEST_KEEP_FIRING, burn.short),
        labels={"slo": slo.name, "long": long, "short": short, "exhaustion": lasts},
        summary=f"{slo.name} of {{{{ $labels.account }}}} spends its error budget {_speed(burn)}",
        description=(
            f"{{{{ $value | humanizePercentage }}}} of the events of the past {long} were bad, and"
            f" of the past {short} too. The objective allows {_exact(_budget(slo) * 100)} % over"
            f" {period}, and at {_exact(burn.factor)} times that, all of it is spent within"
            f" {lasts}."
        ),
    )


def _speed(burn: BurnWindow) -> str:
    return (
        "faster than it may"
        if burn.factor == 1
        else f"more than {_exact(burn.factor)} times as fast as it may"
    )


def _short_history_alert(slo: Slo) -> AlertRule:
    """Return the alert that Prometheus does not have the data of the objective's whole period.

    Events of any objective and account count as data, because a new objective has no old events.
    """
    period = written_duration(slo.window)
    source = copy_name(SLO_EVENTS, slo.window)
    first_day = f"last_over_time({source}[1d] offset {written_duration(slo.window - DAY)})"
    if slo.window == DAY:
        first_day = f"last_over_time({source}[1d])"
    return AlertRule(
        name="RuntypeSloHistoryShort",
        severity="warning",
        expr=f"""group without (schedule, result) ({source}{{slo="{slo.name}"}})
and ignoring (slo, account)
  time() - {across_instances(LEDGER_CREATED.name)} > {slo.window:.0f}
unless ignoring (slo, account)
  group without (slo, account, schedule, result) ({first_day})""",
        pending_for=HOUR,
        labels={"slo": slo.name},
        summary=f"Prometheus does not hold the {period} of {slo.name}",
        description=(
            f"The ledger of {{{{ $labels.account }}}} is older than {period}, but Prometheus has no"
            " events from the beginning of that time. Budget and burn are those of what it has."
            f" Keep metrics for {period} at least (--storage.tsdb.retention.time)."
        ),
    )
