import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.ledger.codec import NewerContent, decode, encode
from runtype_exporter.model import (
    Batch,
    BatchOutcome,
    BatchRef,
    FinalPrefix,
    Labels,
    Probe,
    Source,
    Sweep,
    SweepSnapshot,
    SweepTally,
)

times = st.floats(min_value=-1e12, max_value=1e12)
counts = st.integers(min_value=0, max_value=2**62)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
maybe_time = st.none() | times
probe_maps = st.dictionaries(
    st.sampled_from(get_args(Source)),
    st.builds(Probe, words, st.none() | counts, st.none() | counts, st.none() | counts),
)
tallies = st.builds(
    SweepTally, counts, counts, st.dictionaries(words, counts, max_size=4), maybe_time, maybe_time
)
sweeps = st.builds(
    Sweep,
    number=counts,
    full=st.booleans(),
    is_retry=st.booleans(),
    offset=counts,
    tally=tallies,
    total=counts,
    pages=counts,
    probes_at_start=probe_maps,
    began=times,
    prefix_grows=st.booleans(),
)
batches = st.builds(
    Batch,
    ref=st.builds(BatchRef, words, words),
    first_seen=times,
    schedule=words,
    run=words,
    claims_left=counts,
    flow_id=words,
    flow_name=words,
    labels=st.none() | st.builds(Labels, words, words),
    created=maybe_time,
    started=maybe_time,
    completed=maybe_time,
    count_from=maybe_time,
    probes=probe_maps,
    probes_at_last_sweep=st.none() | probe_maps,
    sweeps=counts,
    sweep=st.none() | sweeps,
    prefix=st.none() | st.builds(FinalPrefix, counts, counts, words, tallies),
    snapshot=st.none() | st.builds(SweepSnapshot, times, counts, tallies),
    drift=counts,
    ended=maybe_time,
    closed=maybe_time,
    outcome=st.none() | st.sampled_from(get_args(BatchOutcome)),
    missing_since=maybe_time,
    failures=counts,
    retry_at=times,
    cost=maybe_time,
    cost_due=st.booleans(),
)


def test_every_field_of_a_batch_has_a_strategy_here():
    assert set(Batch.__dataclass_fields__) == set(batches.wrapped_strategy.kwargs)


@given(batches)
def test_decoding_returns_the_encoded_batch(batch: Batch):
    columns = {"created": batch.created, "closed": batch.closed, "cost_due": batch.cost_due}
    assert decode(batch.ref, encode(batch), **columns) == batch


def test_default_values_are_not_written():
    assert encode(Batch(ref=BatchRef("production", "b1"), first_seen=5.0)) == '{"seen":5.0}'


def test_the_text_is_plain_json():
    batch = Batch(
        ref=BatchRef("production", "b1"),
        first_seen=5.0,
        flow_name="Ränge",
        labels=Labels("nightly", "f"),
    )
    assert json.loads(encode(batch)) == {
        "seen": 5.0,
        "flow_name": "Ränge",
        "labels": ["nightly", "f"],
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"seen":1,"hue":2}',
        '{"seen":1,"labels":["a"]}',
        '{"seen":1,"sweep":{}}',
    ],
)
def test_text_with_unknown_or_missing_content_is_an_error(text: str):
    with pytest.raises((NewerContent, ValueError, TypeError, LookupError, AttributeError)):
        decode(BatchRef("production", "b1"), text, created=None, closed=None, cost_due=False)
