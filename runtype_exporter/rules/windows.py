"""How fast an error budget may burn before an alert fires: one table for every objective.

The table is that of the multiwindow, multi-burn-rate alerts of Google's SRE workbook (chapter 5),
for a period of 30 days. A burn rate of 1 uses up exactly the budget over the period.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from runtype_exporter.limits import DAY, HOUR, MINUTE
from runtype_exporter.rules.rule import Severity

_SHORTEST_LONG: Final = 15 * MINUTE
_SHORTEST_SHORT: Final = 5 * MINUTE
_PERIOD: Final = 30 * DAY


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """One burn alert: its windows in seconds, and its thresholds.

    It fires if the burn rate is above `factor` in both windows, and the bad events of the long one
    are at least `share` of the budget of the whole period.
    """

    severity: Severity
    factor: Decimal
    share: Decimal
    long: float
    short: float


BURN_WINDOWS: Final = (
    BurnWindow("critical", Decimal("14.4"), Decimal("0.02"), HOUR, 5 * MINUTE),
    BurnWindow("critical", Decimal(6), Decimal("0.05"), 6 * HOUR, 30 * MINUTE),
    BurnWindow("warning", Decimal(3), Decimal("0.1"), DAY, 2 * HOUR),
    BurnWindow("warning", Decimal(1), Decimal("0.1"), 3 * DAY, 6 * HOUR),
)


def scaled_windows(period: float, error_budget: Decimal) -> Iterator[BurnWindow]:
    """Return the table for another period (seconds).

    Factors and shares stay the same. The windows are scaled with the period, to whole minutes.

    Rows that can never fire are left out: with a budget of a tenth, the highest possible burn rate
    is 10, so it is never above 14.4.
    """
    scale = period / _PERIOD
    for window in BURN_WINDOWS:
        if window.factor * error_budget < 1:
            yield replace(
                window,
                long=max(_SHORTEST_LONG, _minutes(window.long * scale)),
                short=max(_SHORTEST_SHORT, _minutes(window.short * scale)),
            )


def _minutes(seconds: float) -> float:
    return round(seconds / MINUTE) * MINUTE
