"""The *SLO* dashboard's section "Who burns it?": bad events by objective and by schedule."""

from __future__ import annotations

from tools.dashboards.field_config import BLUE, number
from tools.dashboards.layout import (
    ROW_ACCOUNT_VAR,
    Section,
    cell_var,
    dashboard_url,
    row,
    section,
)
from tools.dashboards.panels import Panel, bars
from tools.dashboards.queries import increase_in_range, per_bar, range_query, share
from tools.dashboards.slo.expressions import BAD_EVENTS, BY_SLO, EVENTS
from tools.dashboards.tables import (
    gauge_column,
    label_column,
    number_column,
    percent_column,
    table,
)


def events_section() -> Section:
    """Return the section."""
    return section("Who burns it?", row(9, (9, _by_objective()), (15, _by_schedule())))


def _by_objective() -> Panel:
    return bars(
        "Bad events by objective",
        "As they were counted. A record can be bad for more than one objective.",
        [range_query(per_bar(BAD_EVENTS, "slo"), "{{slo}}")],
        number("No bad events", low=0, palette=True),
    )


def _by_schedule() -> Panel:
    by = "slo, account, schedule"
    bad_in_range = increase_in_range(BAD_EVENTS)
    bad, every = f"sum by ({by}) ({bad_in_range})", f"sum by ({by}) ({increase_in_range(EVENTS)})"
    of_objective = (
        f"{bad} / on (slo, account) group_left () (sum by ({BY_SLO}) ({bad_in_range}) > 0)"
    )
    url = dashboard_url("runtype-batch", ROW_ACCOUNT_VAR, cell_var("schedule"))
    return table(
        "Bad events by schedule",
        "Bad events of the time range: by all events of the schedule, and by all bad events of the"
        " objective.",
        [
            label_column("SLO", "slo", width=170),
            label_column("Schedule", "schedule", empty="(ad hoc)", link=("Its batches", url)),
            label_column("Account", "account", width=90),
            number_column("Bad", f"round({bad}) > 0", width=75),
            percent_column("Of its events", f"{share(bad, every)} > 0", decimals=1, width=110),
            gauge_column("Of all bad", f"{of_objective} > 0", decimals=1, base=BLUE, width=190),
        ],
        empty="No bad events",
        sort="-Bad",
    )
