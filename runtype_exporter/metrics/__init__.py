"""From samples to bytes.

What a scrape shows, rendered when it changes and swapped as one immutable exposition.

It must not know the API, polling, the ledger's file or HTTP: it is handed snapshots and views, and
hands out chunks.
"""

from runtype_exporter.metrics.gauges import Gauges
from runtype_exporter.metrics.gzip import ResponseBody
from runtype_exporter.metrics.process_metrics import ProcessMetrics
from runtype_exporter.metrics.publish import Exposition, Publisher
from runtype_exporter.metrics.series_limit import MaxSeries, label_set_lines
from runtype_exporter.metrics.shards import Encoding, Renderer, Variant
from runtype_exporter.metrics.text import ExpositionFormat

__all__ = [
    "Encoding",
    "Exposition",
    "ExpositionFormat",
    "Gauges",
    "MaxSeries",
    "ProcessMetrics",
    "Publisher",
    "Renderer",
    "ResponseBody",
    "Variant",
    "label_set_lines",
]
