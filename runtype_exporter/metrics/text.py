"""One series as lines of text, in the text format 0.0.4 and in OpenMetrics 1.0.

The bytes are those of prometheus-client, except that the text format has no `_created` series.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Literal, NamedTuple

from runtype_exporter.catalogue import Metric
from runtype_exporter.model import Exemplar, HistogramValue, LabelValues, Sample

ExpositionFormat = Literal["text", "openmetrics"]


class LinePrefix(NamedTuple):
    """The constant parts of one series' lines.

    `labels` is the whole label set; `before` and `after` are its two halves around a bucket's `le`.
    """

    labels: str
    before: str
    after: str


def format_value(number: float) -> str:
    """Return a sample's value as Go writes it: `1.0`, `1e+06`, `+Inf`, `NaN`."""
    if -1e6 < number < 1e6:
        return repr(float(number))
    value = float(number)
    if value == float("inf"):
        return "+Inf"
    if value == float("-inf"):
        return "-Inf"
    if isnan(value):
        return "NaN"
    digits = repr(value)
    dot = digits.find(".")
    # Go turns to exponents sooner than Python; prometheus-client follows it for positive values.
    if value > 0 and dot > 6:
        mantissa = f"{digits[0]}.{digits[1:dot]}{digits[dot + 1 :]}".rstrip("0.")
        return f"{mantissa}e+{dot - 1:02d}"
    return digits


def escape_label(value: str) -> str:
    """Return a label's value as it is written between quotes, the same in both formats."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def header(metric: Metric, format_: ExpositionFormat) -> str:
    """Return the HELP and TYPE lines of a metric.

    OpenMetrics names a counter's family without `_total`, and escapes quotes in HELP.
    """
    text = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    if format_ == "text":
        return f"# HELP {metric.name} {text}\n# TYPE {metric.name} {metric.type}\n"
    name, text = _family(metric), text.replace('"', r"\"")
    return f"# HELP {name} {text}\n# TYPE {name} {metric.type}\n"


def _family(metric: Metric) -> str:
    return metric.name.removesuffix("_total") if metric.type == "counter" else metric.name


class Writer:
    """Writes the series of one metric."""

    def __init__(self, metric: Metric) -> None:
        self._name = metric.name
        self._labels = metric.labels
        order = sorted(range(len(metric.labels)), key=metric.labels.__getitem__)
        self._before = tuple(index for index in order if metric.labels[index] < "le")
        self._after = tuple(index for index in order if metric.labels[index] > "le")
        self._created = f"{_family(metric)}_created"
        self._bounds: tuple[float, ...] = ()
        self._edges: tuple[str, ...] = ('le="+Inf"',)

    def prefix(self, labels: LabelValues) -> LinePrefix:
        """Return what to keep of a series so that its labels are escaped and sorted only once.

        Raises:
            ValueError: the number of values is not the number of labels in the catalogue.
        """
        names = self._labels
        if len(labels) != len(names):
            raise ValueError(
                f"{self._name}: {len(labels)} label values for the labels {names}; "
                "give one for each, in the order of the catalogue"
            )
        before, after = (
            [f'{names[index]}="{escape_label(labels[index])}"' for index in half]
            for half in (self._before, self._after)
        )
        both = before + after
        return LinePrefix(
            "{" + ",".join(both) + "}" if both else "",
            "{" + "".join(f"{label}," for label in before),
            "".join(f",{label}" for label in after) + "}",
        )

    def lines(self, prefix: LinePrefix, sample: Sample, format_: ExpositionFormat) -> str:
        """Return the lines of a series.

        Only OpenMetrics shows creation times and exemplars.
        """
        value = sample.value
        if isinstance(value, HistogramValue):
            text = self._histogram(prefix, value, format_)
        else:
            text = f"{self._name}{prefix.labels} {format_value(value)}\n"
        if sample.created is not None and format_ == "openmetrics":
            text += f"{self._created}{prefix.labels} {format_value(sample.created)}\n"
        return text

    def _histogram(
        self, prefix: LinePrefix, value: HistogramValue, format_: ExpositionFormat
    ) -> str:
        if value.bounds != self._bounds:
            self._bounds = value.bounds
            self._edges = tuple(
                f'le="{format_value(bound)}"' for bound in (*value.bounds, float("inf"))
            )
        name, total = self._name, 0
        bucket, after = f"{name}_bucket{prefix.before}", prefix.after
        exemplars: Mapping[int, Exemplar] = value.exemplars if format_ == "openmetrics" else {}
        lines: list[str] = []
        for index, (edge, count) in enumerate(zip(self._edges, value.counts, strict=True)):
            total += count
            lines.append(
                f"{bucket}{edge}{after} {format_value(total)}{_exemplar(exemplars.get(index))}\n"
            )
        lines.append(f"{name}_count{prefix.labels} {format_value(total)}\n")
        lines.append(f"{name}_sum{prefix.labels} {format_value(value.sum)}\n")
        return "".join(lines)


def count_lines(sample: Sample) -> int:
    """Return how many lines a series takes in the text format."""
    return len(sample.value.counts) + 2 if isinstance(sample.value, HistogramValue) else 1


def _exemplar(exemplar: Exemplar | None) -> str:
    if exemplar is None:
        return ""
    labels = ",".join(
        f'{name}="{escape_label(value)}"' for name, value in sorted(exemplar.labels.items())
    )
    return f" # {{{labels}}} {format_value(exemplar.value)} {float(exemplar.at)!r}"
