"""Expressions and constants that several sections of the *SLO* dashboard use."""

from __future__ import annotations

from tools.dashboards.field_config import GREEN, ORANGE, RED, YELLOW
from tools.dashboards.queries import ACCOUNT, selector

SLO = 'slo=~"$slo"'
BY_SLO = "slo, account"

EVENTS = selector("runtype_slo_events_total", SLO, ACCOUNT)
BAD_EVENTS = selector("runtype_slo_events_total", SLO, ACCOUNT, 'result="bad"')
BURN_ALERTS = (
    'alertname="RuntypeErrorBudgetBurn", alertstate="firing", slo=~"$slo", account=~"$account"'
)
TRUSTED = selector("runtype:account_trusted:bool", ACCOUNT)

BUDGET_LEFT = "slo:period_error_budget_remaining:ratio"
BUDGET_LEFT_EVENTS = "slo:period_error_budget_remaining:events"
EXHAUSTION = "slo:period_error_budget_exhaustion:seconds"
CURRENT_BURN = "slo:current_burn_rate:ratio"
PERIOD_BURN = "slo:period_burn_rate:ratio"

BUDGET_STEPS = ((-1e6, RED), (0, YELLOW), (0.25, GREEN))
BURN_STEPS = ((1, YELLOW), (6, ORANGE), (14.4, RED))
"""From 1 on, the budget does not last its period. 6 and 14.4 are the burn rates that page."""
NO_RULES = "No recording rules, or no events yet"


def recorded(name: str) -> str:
    """Return a selector of a recorded series for the chosen objectives."""
    return selector(name, SLO, ACCOUNT)


def recorded_by_slo(name: str) -> str:
    """Return the value of a recorded series for each chosen objective and account."""
    return f"max by ({BY_SLO}) ({recorded(name)})"
