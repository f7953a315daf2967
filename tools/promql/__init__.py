"""Check PromQL against the metrics that exist: infer labels of results, and find mistakes.

`known_metrics` returns the metrics, `ExpressionCheck` checks an expression, `substitute` replaces
Grafana's variables, and the functions `*_problems` check templates.
"""

from tools.promql.check import ExpressionCheck
from tools.promql.grafana import VARIABLE, expand, substitute, variables
from tools.promql.known import TARGET, KnownMetrics, known_metrics, metric_of
from tools.promql.labels import Labels
from tools.promql.templates import annotation_problems, legend_problems, link_problems

__all__ = [
    "TARGET",
    "VARIABLE",
    "ExpressionCheck",
    "KnownMetrics",
    "Labels",
    "annotation_problems",
    "expand",
    "known_metrics",
    "legend_problems",
    "link_problems",
    "metric_of",
    "substitute",
    "variables",
]
