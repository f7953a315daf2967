from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.catalogue import Metric
from runtype_exporter.metrics.shards import SHARD_HISTOGRAMS, SHARD_SERIES, Assembler, Renderer
from runtype_exporter.model import HistogramValue, Sample

GAUGE = Metric("gauges", "gauge", "Gauges.", ("name",), "snapshot")
COUNTER = Metric("counters_total", "counter", "Counters.", ("name",), "ledger")
HISTOGRAM = Metric("histograms", "histogram", "Histograms.", ("name",), "ledger")
METRICS = (GAUGE, COUNTER, HISTOGRAM)
VARIANTS = [
    (format_, encoding) for format_ in ("text", "openmetrics") for encoding in ("identity", "gzip")
]


def sample(metric, number):
    if metric is HISTOGRAM:
        return Sample(HistogramValue((1.0, 2.0), (number, 1, 0), 1.5), 1.0)
    return Sample(float(number), 1.0 if metric is COUNTER else None)


def plain(renderer, variant):
    data = b"".join(Assembler().body(renderer.pieces(variant)).chunks)
    return gzip.decompress(data) if variant[1] == "gzip" else data


def fresh(state):
    renderer = Renderer(METRICS)
    for metric, series in state.items():
        for labels, held in series.items():
            renderer.update(metric.name, labels, held)
    return renderer


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(METRICS),
        st.integers(0, 60).map(lambda n: (str(n),)),
        st.none() | st.integers(0, 3),
    ),
    max_size=120,
)


@given(st.lists(CHANGES, max_size=4))
def test_updates_in_any_order_show_what_a_render_from_scratch_shows(rounds):
    renderer = Renderer(METRICS)
    state = {metric: {} for metric in METRICS}
    for changes in rounds:
        for metric, labels, number in changes:
            before = state[metric].get(labels)
            if number is None:
                state[metric].pop(labels, None)
            else:
                state[metric][labels] = sample(metric, number)
            changed = renderer.update(
                metric.name, labels, None if number is None else sample(metric, number)
            )
            assert changed == (state[metric].get(labels) != before)
        for variant in VARIANTS:
            assert plain(renderer, variant) == plain(fresh(state), variant)
        shown = [
            line for line in plain(renderer, VARIANTS[0]).splitlines() if not line.startswith(b"#")
        ]
        assert renderer.lines == len(shown)


def test_families_without_series_show_nothing_at_all():
    renderer = Renderer(METRICS)
    renderer.update("gauges", ("a",), Sample(1.0))
    renderer.update("gauges", ("a",), None)
    assert renderer.pieces(("text", "identity")) == []
    assert renderer.lines == 0


def test_families_come_in_the_order_of_the_catalogue():
    renderer = Renderer(METRICS)
    for metric in reversed(METRICS):
        renderer.update(metric.name, ("a",), sample(metric, 1))
    text = plain(renderer, ("text", "identity")).decode()
    assert [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")] == [
        m.name for m in METRICS
    ]


@pytest.mark.parametrize(
    ("metric", "capacity"), [(GAUGE, SHARD_SERIES), (HISTOGRAM, SHARD_HISTOGRAMS)]
)
def test_a_change_renders_its_own_shard_and_no_other(metric, capacity):
    renderer = Renderer(METRICS)
    for number in range(3 * capacity):
        renderer.update(metric.name, (str(number),), sample(metric, 1))
    variant = ("openmetrics", "gzip")
    before = renderer.pieces(variant)
    renderer.update(metric.name, (str(capacity),), sample(metric, 2))
    after = renderer.pieces(variant)
    assert [a is b for a, b in zip(after, before, strict=True)] == [True, True, False, True]


def test_rendering_ahead_halts_after_each_shard_and_leaves_nothing_to_do():
    renderer = Renderer(METRICS)
    for number in range(SHARD_SERIES + 1):
        renderer.update("gauges", (str(number),), Sample(1.0))
    variants = [("text", "identity"), ("openmetrics", "gzip")]
    assert len(list(renderer.render(variants))) == 4
    assert list(renderer.render(variants)) == []


def test_series_that_come_and_go_leave_nothing_behind():
    renderer = Renderer(METRICS)
    for number in range(20 * SHARD_SERIES):
        renderer.update("gauges", (str(number),), Sample(1.0))
        if number >= SHARD_SERIES and number % 100:
            renderer.update("gauges", (str(number - SHARD_SERIES),), None)
    family = renderer._families["gauges"]
    renderer.pieces(("text", "identity"))
    assert len(family._series) == sum(len(shard.series) for shard in family.shards)
    assert len(family.shards) <= 2 * len(family._series) / SHARD_SERIES + 1


def test_a_variant_that_is_dropped_is_let_go():
    renderer = Renderer(METRICS)
    renderer.update("gauges", ("a",), Sample(1.0))
    kept, dropped = ("text", "identity"), ("text", "gzip")
    for variant in (kept, dropped):
        renderer.pieces(variant)
    renderer.drop(dropped)
    renderer.drop(dropped)
    [shard] = renderer._families["gauges"].shards
    assert set(shard.pieces) == {kept}


def test_a_name_outside_the_catalogue_is_refused():
    with pytest.raises(KeyError, match="nothing"):
        Renderer(METRICS).update("nothing", (), Sample(1.0))
