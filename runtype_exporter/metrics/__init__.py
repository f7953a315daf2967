"""The bytes of `/metrics`: rendered when something changes, then swapped in as one exposition."""

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
