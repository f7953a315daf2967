"""The *SLO* dashboard's section "Alerts"."""

from __future__ import annotations

from tools.dashboards.field_config import GREEN, GREY, ORANGE, RED, YELLOW, as_words
from tools.dashboards.layout import Section, even_row, section
from tools.dashboards.panels import Panel, timeline
from tools.dashboards.queries import range_query, without_alert
from tools.dashboards.slo.expressions import BURN_ALERTS, TRUSTED

_ALERT_STATES = {
    2: ("critical", RED),
    1: ("warning", ORANGE),
    0: ("quiet", GREY),
    -1: ("no rules", YELLOW),
}


def alerts_section() -> Section:
    """Return the section."""
    return section("Alerts", even_row(5, _burn_alerts(), _trusted_accounts()))


def _burn_alerts() -> Panel:
    firing = " or ".join(
        f'ALERTS{{{BURN_ALERTS}, severity="{severity}"}} * {weight}'
        for severity, weight in (("critical", 2), ("warning", 1))
    )
    none_firing = without_alert("slo", f"ALERTS{{{BURN_ALERTS}}}")
    return timeline(
        "Burn alerts",
        "Which objectives' budgets burned so fast that an alert fired; where none did, it says so.",
        [range_query(f"max by (slo) ({firing}) or {none_firing}", "{{slo}}")],
        as_words("Nothing fires", _ALERT_STATES),
    )


def _trusted_accounts() -> Panel:
    return timeline(
        "Trusted accounts",
        "When the events of an account could be judged. While they could not, no burn alert fires.",
        [range_query(f"min by (account) ({TRUSTED})", "{{account}}")],
        as_words("No recording rules", {1: ("trusted", GREEN), 0: ("not trusted", YELLOW)}),
    )
