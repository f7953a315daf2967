"""The panel of latency quantiles that the *Overview* and the *Batch* dashboard share."""

from __future__ import annotations

from tools.dashboards.field_config import QUANTILES, seconds
from tools.dashboards.panels import Panel, lines
from tools.dashboards.queries import per_second, quantile, range_query


def latency_quantiles(title: str, description: str, buckets: str) -> Panel:
    """Return the lines of p50, p90 and p99; `buckets` selects the buckets of a histogram."""
    rate = per_second(buckets)
    return lines(
        title,
        description,
        [
            range_query(quantile(q, rate), name, exemplar=True)
            for q, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))
        ],
        seconds("No records", low=0, colours=QUANTILES),
        calcs=["lastNotNull", "max"],
        interval="1m",
        maxDataPoints=90,
    )
