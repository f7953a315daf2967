"""The *Overview*'s section "How much does it cost?": cost, and the use of the plan's limits."""

from __future__ import annotations

from tools.dashboards.field_config import BLUE, GREEN, RED, YELLOW, dollars
from tools.dashboards.layout import Section, row, section
from tools.dashboards.overview.selectors import COST, FINISHED
from tools.dashboards.panels import Panel, bars, plain_stat, ranking
from tools.dashboards.queries import (
    ACCOUNT,
    highest,
    increase_in_range,
    instant_query,
    name_ad_hoc,
    or_zero,
    per_bar,
    range_query,
    selector,
    share,
)
from tools.dashboards.tables import (
    gauge_column,
    label_column,
    number_column,
    table,
    time_column,
    word_column,
)

_SPEED = {0.0: ("Full", GREEN), 1.0: ("Slow mode", RED)}


def cost_section() -> Section:
    """Return the section."""
    return section(
        "How much does it cost?",
        row(8, (12, _cost_by_schedule()), (12, _dearest_schedules())),
        row(5, (5, _cost()), (5, _cost_of_1000_records()), (14, _plan_usage())),
    )


def _cost_by_schedule() -> Panel:
    return bars(
        "Cost by schedule",
        "Cost of batches, counted as they close.",
        [range_query(name_ad_hoc(per_bar(COST, "schedule")), "{{schedule}}")],
        dollars("No cost", low=0, palette=True),
        table=True,
    )


def _dearest_schedules() -> Panel:
    cost, finished = increase_in_range(COST), increase_in_range(FINISHED)
    per_1000 = share(f"1000 * sum by (schedule) ({cost})", f"sum by (schedule) ({finished})")
    return ranking(
        "Dearest schedules",
        "Cost of 1,000 records over the time range, the six highest. The cost is counted when a"
        " batch closes, its records while it runs, so a short range may mislead.",
        instant_query(highest(6, name_ad_hoc(f"{per_1000} > 0")), "{{schedule}}"),
        dollars("No cost", low=0, base=BLUE),
    )


def _cost() -> Panel:
    return plain_stat(
        "Cost",
        "Cost of the batches that closed in the time range.",
        instant_query(or_zero(f"sum({increase_in_range(COST)})")),
        dollars("None", base="text"),
    )


def _cost_of_1000_records() -> Panel:
    cost, finished = increase_in_range(COST), increase_in_range(FINISHED)
    return plain_stat(
        "Cost of 1,000 records",
        "Cost of the batches that closed in the time range, by the records that finished in it.",
        instant_query(share(f"1000 * sum({cost})", f"sum({finished})")),
        dollars("No records", base="text"),
    )


def _plan_usage() -> Panel:
    def usage(metric: str) -> str:
        series = selector(f"runtype_usage_{metric}", ACCOUNT)
        return f"max by (account, period) ({series})"

    executions, limit = usage("executions"), usage("execution_limit")
    return table(
        "Plan usage",
        "Executions that the plan's day and month have used. A dash stands where the plan has no"
        " limit. In slow mode Runtype delays work.",
        [
            label_column("Account", "account"),
            label_column("Period", "period", width=90),
            gauge_column(
                "Used",
                f"{executions} / {limit}",
                decimals=0,
                base=GREEN,
                steps=((0.8, YELLOW), (0.95, RED)),
                width=230,
            ),
            number_column("Executions", executions, width=105),
            number_column("Limit", limit, width=95),
            time_column("Resets", usage("resets_timestamp_seconds"), width=120),
            word_column("Speed", usage("slow_mode"), _SPEED, width=100),
        ],
        empty="No plan was read",
        sort="-Used",
    )
