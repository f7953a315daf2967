"""Expressions that several sections of the *Exporter* dashboard use."""

from __future__ import annotations

from tools.dashboards.queries import ACCOUNT, INSTANCE, selector

BUDGET_LEFT = f"max by (account) ({selector('runtype_api_budget_remaining_requests', ACCOUNT)})"
BUDGET_LIMIT = f"max by (account) ({selector('runtype_api_budget_limit_requests', ACCOUNT)})"
LAST_POLL = selector("runtype_last_successful_poll_timestamp_seconds", ACCOUNT)
SWEEPS_PENDING = selector("runtype_sweeps_pending", ACCOUNT)
DRIFT = selector("runtype_reconciliation_drift_records", ACCOUNT)


def of_instance(metric: str) -> str:
    """Return a selector of the chosen exporters."""
    return selector(metric, INSTANCE)


def by_instance(metric: str) -> str:
    """Return the value of a gauge for each of the chosen exporters."""
    return f"max by (instance) ({of_instance(metric)})"
