"""Reads PromQL against what there is to ask for.

The labels of a result, and what in an expression cannot be right.

`known` says what there is, `Checked` looks at an expression, `substitute` puts Grafana's variables
away, `*_problems` look at templates.
"""

from tools.promql.check import Checked
from tools.promql.grafana import VARIABLE, expand, substitute, variables
from tools.promql.known import TARGET, Known, known, metric_of
from tools.promql.labels import Labels
from tools.promql.templates import annotation_problems, legend_problems, link_problems

__all__ = [
    "TARGET",
    "VARIABLE",
    "Checked",
    "Known",
    "Labels",
    "annotation_problems",
    "expand",
    "known",
    "legend_problems",
    "link_problems",
    "metric_of",
    "substitute",
    "variables",
]
