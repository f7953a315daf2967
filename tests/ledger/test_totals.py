import pytest

from runtype_exporter import catalogue
from runtype_exporter.ledger.totals import Totals
from runtype_exporter.model import Delta, Exemplar, HistogramValue, Observation, Sample

FINISHED = ("runtype_records_finished_total", ("a", "nightly", "enrich", "success"))
LATENCY = ("runtype_record_latency_seconds", ("a", "nightly", "enrich", "success"))
BOUNDS = {"runtype_record_latency_seconds": (1.0, 10.0)}


@pytest.fixture
def totals() -> Totals:
    return Totals({}, BOUNDS, {})


def add(totals: Totals, now: float = 100.0, **delta) -> Sample:
    """Add to one series. Return its sample."""
    totals.apply(totals.plan(Delta(**delta), now), now)
    ((series,),) = delta.values()
    return totals._samples[series]


def test_a_counter_starts_when_it_is_first_incremented(totals: Totals):
    assert add(totals, 100.0, increments={FINISHED: 2}) == Sample(2.0, 100.0)
    assert add(totals, 200.0, increments={FINISHED: 3}) == Sample(5.0, 100.0)


def test_an_increment_of_zero_makes_a_series_exist_and_changes_no_other(totals: Totals):
    assert add(totals, 100.0, increments={FINISHED: 0}) == Sample(0.0, 100.0)
    assert totals.plan(Delta(increments={FINISHED: 0}), 200.0) == {}


def test_a_plan_changes_nothing_until_it_is_applied(totals: Totals):
    totals.plan(Delta(increments={FINISHED: 2}), 100.0)
    assert totals.snapshot().families == {}


def test_observations_fall_into_the_bucket_whose_bound_they_do_not_exceed(totals: Totals):
    values = [0.5, 1.0, 1.5, 10.0, 10.5]
    sample = add(totals, observations={LATENCY: [Observation(value, 100.0) for value in values]})
    assert sample == Sample(HistogramValue((1.0, 10.0), (2, 2, 1), 23.5), 100.0)


def test_no_observations_make_an_empty_histogram_and_change_no_other(totals: Totals):
    assert add(totals, observations={LATENCY: []}) == Sample(
        HistogramValue((1.0, 10.0), (0, 0, 0), 0.0), 100.0
    )
    assert totals.plan(Delta(observations={LATENCY: []}), 200.0) == {}


def test_each_bucket_points_at_its_newest_observation(totals: Totals):
    first = [
        Observation(0.5, 100.0, "b1", "r1"),
        Observation(5.0, 100.0, "b1", "r2"),
        Observation(6.0, 100.0, "b1", "r3"),
    ]
    add(totals, observations={LATENCY: first})
    sample = add(
        totals,
        observations={LATENCY: [Observation(0.7, 200.0, "", "r4"), Observation(50.0, 200.0)]},
    )
    assert sample.value.exemplars == {
        0: Exemplar({"record_id": "r4"}, 0.7, 200.0),
        1: Exemplar({"batch_id": "b1", "record_id": "r3"}, 6.0, 100.0),
    }


@pytest.mark.parametrize(
    ("length", "kept"), [(128 - len("batch_id") - len("record_id") - 2, True), (112, False)]
)
def test_an_exemplar_has_at_most_128_characters(
    length: int,
    kept: bool,  # noqa: FBT001  # a table's column
    totals: Totals,
):
    sample = add(totals, observations={LATENCY: [Observation(0.5, 100.0, "b1", "r" * length)]})
    assert bool(sample.value.exemplars) == kept


def test_an_observation_without_a_fitting_exemplar_leaves_the_older_one(totals: Totals):
    add(totals, observations={LATENCY: [Observation(0.5, 100.0, "b1", "r1")]})
    sample = add(totals, observations={LATENCY: [Observation(0.6, 200.0, "b1", "r" * 200)]})
    assert sample.value.exemplars == {
        0: Exemplar({"batch_id": "b1", "record_id": "r1"}, 0.5, 100.0)
    }


def test_a_snapshot_has_what_changed_since_the_last_and_the_first_has_all():
    totals = Totals({FINISHED: Sample(5.0, 1.0)}, BOUNDS, {FINISHED: 1.0})
    first = totals.snapshot()
    totals.apply(totals.plan(Delta(observations={LATENCY: []}), 100.0), 100.0)
    second, third = totals.snapshot(), totals.snapshot()
    assert first.families == {FINISHED[0]: {FINISHED[1]: Sample(5.0, 1.0)}}
    assert list(second.families) == [LATENCY[0]]
    assert third.families == {}
    assert first.version < second.version < third.version


def test_histograms_with_other_bounds_start_again_and_the_rest_stays(totals: Totals):
    lag = ("runtype_record_detection_lag_seconds", ("a",))
    totals.apply({}, 100.0, {lag[0]: (5.0,)})
    observations = {LATENCY: [Observation(0.5, 100.0, "b1", "r1")], lag: [Observation(1.0, 100.0)]}
    totals.apply(
        totals.plan(Delta(increments={FINISHED: 2}, observations=observations), 100.0), 100.0
    )
    changed = {**totals.boundaries, LATENCY[0]: (3.0,)}
    planned = totals.restart(changed, 200.0)
    assert planned == {LATENCY: Sample(HistogramValue((3.0,), (0, 0), 0.0), 200.0)}
    totals.apply(planned, 200.0, changed)
    assert totals.plan(Delta(observations={LATENCY: [Observation(2.0, 300.0)]}), 300.0) == {
        LATENCY: Sample(HistogramValue((3.0,), (1, 0), 2.0), 200.0)
    }


@pytest.mark.parametrize(
    ("metric", "labels"),
    [
        ("runtype_records_finished_total", ("a", "nightly")),
        ("runtype_record_latency_seconds", ("a", "nightly", "enrich", "success")),
        ("runtype_polls_total", ("a",)),
        ("runtype_invented_total", ("a",)),
    ],
)
def test_a_counter_that_the_catalogue_does_not_give_to_the_ledger_is_refused(
    metric, labels, totals: Totals
):
    with pytest.raises(ValueError, match=f"{metric}: not a counter of the ledger"):
        totals.plan(Delta(increments={(metric, labels): 1}), 100.0)


def test_a_histogram_that_the_catalogue_does_not_give_to_the_ledger_is_refused(totals: Totals):
    with pytest.raises(
        ValueError, match="runtype_poll_duration_seconds: not a histogram of the ledger"
    ):
        totals.plan(Delta(observations={("runtype_poll_duration_seconds", ("a",)): []}), 100.0)


def test_a_series_is_never_both_a_counter_and_a_histogram(totals: Totals):
    add(totals, increments={FINISHED: 1})
    add(totals, observations={LATENCY: []})
    with pytest.raises(ValueError, match="a counter cannot observe"):
        totals.plan(Delta(observations={FINISHED: [Observation(1.0, 1.0)]}), 100.0)
    with pytest.raises(ValueError, match="a histogram cannot be incremented"):
        totals.plan(Delta(increments={LATENCY: 1}), 100.0)


def test_a_counter_cannot_go_down(totals: Totals):
    with pytest.raises(ValueError, match="a counter cannot go down"):
        totals.plan(Delta(increments={FINISHED: -1}), 100.0)


def test_every_durable_metric_can_be_planned():
    totals = Totals({}, catalogue.boundaries(), {})
    durable = [metric for metric in catalogue.CATALOGUE if metric.owner == "ledger"]
    series = {metric.type: [] for metric in durable}
    for metric in durable:
        series[metric.type].append((metric.name, ("x",) * len(metric.labels)))
    delta = Delta(
        increments=dict.fromkeys(series["counter"], 1),
        observations={key: [] for key in series["histogram"]},
    )
    assert set(totals.plan(delta, 100.0)) == {*series["counter"], *series["histogram"]}
