"""The numbers that the first sections of the *Overview* and the *Exporter* dashboard share."""

from __future__ import annotations

from tools.dashboards.field_config import GREEN, RED, YELLOW, as_words, seconds
from tools.dashboards.panels import Panel, stat
from tools.dashboards.queries import ACCOUNT, instant_query, selector


def api(more: str = "") -> Panel:
    """Return whether the API is reached; `more` is added to the description."""
    return stat(
        "API",
        "Whether every account's last cycle reached Runtype's API, with a key that it accepts."
        + more,
        instant_query(f"min({selector('runtype_up', ACCOUNT)}) or vector(-1)"),
        as_words(
            "No answer",
            {1: ("Reachable", GREEN), 0: ("Unreachable", RED), -1: ("No exporter", RED)},
        ),
    )


def data_age(last_poll: str, more: str = "") -> Panel:
    """Return the age of the data by the times of the last polls; `more` as for `api`."""
    return stat(
        "Data age",
        "Time since the account that lags most was last polled without a failure." + more,
        instant_query(f"time() - min({last_poll})"),
        seconds("Never polled", decimals=0, steps=((300, YELLOW), (900, RED))),
    )
