"""The *Batch* dashboard's section "Cost"."""

from __future__ import annotations

from tools.dashboards.batch.expressions import COST, SHOWN
from tools.dashboards.field_config import BLUE, dollars
from tools.dashboards.layout import Section, even_row, section
from tools.dashboards.panels import Panel, bars, ranking
from tools.dashboards.queries import (
    highest,
    instant_query,
    name_ad_hoc,
    per_bar,
    range_query,
    selector,
)


def cost_section() -> Section:
    """Return the section."""
    return section("Cost", even_row(8, _cost_by_flow(), _dearest_batches()))


def _cost_by_flow() -> Panel:
    cost = name_ad_hoc(per_bar(COST, "schedule, flow"))
    return bars(
        "Cost by flow",
        "Cost of batches, counted as they close.",
        [range_query(cost, "{{schedule}}: {{flow}}")],
        dollars("No cost", low=0, palette=True),
        table=True,
    )


def _dearest_batches() -> Panel:
    by_batch = f"max by (batch) ({selector('runtype_batch_cost_dollars', *SHOWN)})"
    return ranking(
        "Dearest batches",
        "The six dearest of the closed batches shown, by Runtype's own figures.",
        instant_query(highest(6, by_batch), "{{batch}}"),
        dollars("No closed batch", low=0, base=BLUE),
    )
