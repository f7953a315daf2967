"""Our text against prometheus-client's, which is the oracle of both formats."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric as ClientMetric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.samples import Exemplar as ClientExemplar
from prometheus_client.utils import floatToGoString

from runtype_exporter.catalogue import Metric
from runtype_exporter.metrics.shards import Assembler, Renderer
from runtype_exporter.metrics.text import Writer, format_value
from runtype_exporter.model import Exemplar, HistogramValue, Sample

HOSTILE = st.one_of(
    st.sampled_from(
        ["", '"', "\\", "\n", '\\n"', "a,b", "{}", "ünï", "日本", "\t", "le", " ", "\x00", "#"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
NUMBERS = st.one_of(
    st.floats(),
    st.integers(-(10**18), 10**18).map(float),
    st.sampled_from([999999.5, 1e6, 1234567.0, -1e6, -0.0, 1e-9]),
)
NAMES = st.sets(
    st.sampled_from(["account", "schedule", "flow", "batch", "kind", "le_", "z", "outcome"]),
    max_size=4,
)


@st.composite
def metrics(draw):
    kind = draw(st.sampled_from(["counter", "gauge", "histogram"]))
    name = draw(st.sampled_from(["a_metric", "b_metric", "runtype_things"])) + (
        "_total" if kind == "counter" else ""
    )
    labels = tuple(draw(st.permutations(sorted(draw(NAMES)))))
    return Metric(name, kind, draw(HOSTILE), labels, "ledger")


@st.composite
def exemplars(draw):
    labels = draw(st.dictionaries(st.sampled_from(["batch_id", "record_id"]), HOSTILE, max_size=2))
    return Exemplar(labels, draw(NUMBERS), draw(st.floats(0, 4e9)))


@st.composite
def samples(draw, kind):
    created = draw(st.none() | st.floats(0, 4e9)) if kind != "gauge" else None
    if kind != "histogram":
        return Sample(draw(NUMBERS), created)
    bounds = tuple(sorted(draw(st.sets(st.floats(0, 1e12), min_size=1, max_size=5))))
    counts = tuple(
        draw(st.lists(st.integers(0, 10**9), min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    )
    held = draw(st.dictionaries(st.integers(0, len(bounds)), exemplars(), max_size=2))
    return Sample(HistogramValue(bounds, counts, draw(NUMBERS), held), created)


@st.composite
def families(draw):
    metric = draw(metrics())
    key = st.tuples(*[HOSTILE] * len(metric.labels))
    return metric, draw(st.dictionaries(key, samples(metric.type), min_size=1, max_size=5))


def theirs(metric, series, *, created):
    """The same data as prometheus-client's own value."""
    family = ClientMetric(metric.name.removesuffix("_total"), metric.help, metric.type)
    for values, sample in series.items():
        labels = dict(zip(metric.labels, values, strict=True))
        if isinstance(sample.value, HistogramValue):
            total = 0
            for index, (bound, count) in enumerate(
                zip((*sample.value.bounds, math.inf), sample.value.counts, strict=True)
            ):
                total += count
                held = sample.value.exemplars.get(index)
                exemplar = ClientExemplar(dict(held.labels), held.value, held.at) if held else None
                le = {"le": floatToGoString(bound)}
                family.add_sample(f"{metric.name}_bucket", labels | le, total, exemplar=exemplar)
            family.add_sample(f"{metric.name}_count", labels, total)
            family.add_sample(f"{metric.name}_sum", labels, sample.value.sum)
        else:
            family.add_sample(metric.name, labels, sample.value)
        if created and sample.created is not None:
            family.add_sample(f"{family.name}_created", labels, sample.created)
    return family


class Collected:
    def __init__(self, *families):
        self.families = families

    def collect(self):
        return self.families


def rendered(metric, series, format_, encoding="identity"):
    renderer = Renderer([metric])
    for labels, sample in series.items():
        renderer.update(metric.name, labels, sample)
    return b"".join(Assembler().body(renderer.pieces((format_, encoding))).chunks)


@given(families())
def test_the_text_format_is_what_prometheus_client_writes_without_creation_times(family):
    metric, series = family
    expected = generate_latest(Collected(theirs(metric, series, created=False)))
    assert rendered(metric, series, "text") == expected


@given(families())
def test_openmetrics_is_what_prometheus_client_writes(family):
    metric, series = family
    expected = generate_openmetrics(Collected(theirs(metric, series, created=True)))
    assert rendered(metric, series, "openmetrics") + b"# EOF\n" == expected


def comparable(samples):
    return [(s.name, sorted(s.labels.items()), repr(float(s.value))) for s in samples]


@given(families())
def test_the_text_format_parses_back(family):
    metric, series = family
    # prometheus-client's parser splits lines at every control character that str.splitlines knows,
    # Prometheus at "\n" alone
    if any(
        len(value.splitlines()) > 1 or value != value.strip()
        for labels in series
        for value in (*labels, metric.help)
    ):
        return
    parsed = list(parse_text(rendered(metric, series, "text").decode()))
    expected = theirs(metric, series, created=False)
    assert [comparable(expected.samples)] == [comparable(family.samples) for family in parsed]


@pytest.mark.parametrize(
    "hostile", ["", '"', "\\", "\n", '\\n"', "\\\\n", "ünï日本", '{a="b"}', "# HELP"]
)
@pytest.mark.parametrize("kind", ["counter", "gauge", "histogram"])
def test_hostile_labels_parse_back_from_openmetrics(kind, hostile):
    metric = Metric(
        "things_total" if kind == "counter" else "things", kind, hostile, ("b", "z"), "ledger"
    )
    # prometheus-client's parser trips over escaped quotes in exemplars; that we write them as it
    # does is tested above
    exemplar = Exemplar({"batch_id": hostile.replace('"', "")}, 0.5, 1.7e9)
    value = (
        HistogramValue((1.0, 60.0), (3, 0, 2), 99.5, {0: exemplar}) if kind == "histogram" else 7.0
    )
    series = {(hostile, "x"): Sample(value, None if kind == "gauge" else 1.6e9)}
    [parsed] = parse_openmetrics(rendered(metric, series, "openmetrics").decode() + "# EOF\n")
    expected = theirs(metric, series, created=True)
    assert comparable(parsed.samples) == comparable(expected.samples)
    assert parsed.documentation == hostile
    assert [s.exemplar and s.exemplar.labels for s in parsed.samples] == [
        s.exemplar and s.exemplar.labels for s in expected.samples
    ]


@given(NUMBERS)
def test_a_value_is_written_as_prometheus_client_writes_it(number):
    assert format_value(number) == floatToGoString(number)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1.0"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
        (1e6, "1e+06"),
        (1234567, "1.234567e+06"),
    ],
)
def test_values_look_as_in_go(number, text):
    assert format_value(number) == text


def test_a_lone_surrogate_does_not_cost_the_scrape():
    metric = Metric("things", "gauge", "Things.", ("name",), "snapshot")
    assert b'things{name="?"} 1.0\n' in rendered(metric, {("\ud800",): Sample(1.0)}, "text")


def test_label_values_that_do_not_match_the_catalogue_are_refused():
    writer = Writer(Metric("things", "gauge", "Things.", ("account", "flow"), "snapshot"))
    with pytest.raises(
        ValueError,
        match=r"things: 1 label values for the labels \('account', 'flow'\); give one for each",
    ):
        writer.prefix(("a",))
