import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runtype_exporter.ledger.codec import decode, decode_schedule, encode, encode_schedule
from runtype_exporter.ledger.json_text import NewerContent
from runtype_exporter.model import (
    BATCH_OUTCOMES,
    Batch,
    BatchRef,
    FinalPrefix,
    Labels,
    Probe,
    Schedule,
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
    SweepTally,
    counts,
    counts,
    st.dictionaries(words, counts, max_size=4),
    maybe_time,
    maybe_time,
    counts,
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
    outcome=st.none() | st.sampled_from(BATCH_OUTCOMES),
    missing_since=maybe_time,
    changed=times,
    missing_for=times,
    unreadable_since=maybe_time,
    unreadable_for=times,
    run_ended_since=maybe_time,
    reread_at=times,
    page_size=counts,
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


MAY_BE_NULL = {
    *("labels", "swept", "sweep", "prefix", "picture", "started", "completed", "guard", "ended"),
    *("unreadable_since", "run_ended_since"),
    *("outcome", "missing_since", "cost", "last_finished", "oldest_unfinished"),
    *("run_at", "next_run"),
}
"""The keys whose value may be null."""
NUMBERS_OF_A_PROBE = {1, 2, 3}
schedules = st.builds(
    Schedule,
    account=st.just("production"),
    id=st.just("s1"),
    until=times,
    listed=st.booleans(),
    enabled=st.booleans(),
    cron=words,
    timezone=words,
    run_at=maybe_time,
    next_run=maybe_time,
    due=st.lists(times, max_size=3).map(tuple),
    taken=st.lists(words, max_size=3).map(tuple),
    vanished=st.booleans(),
)


def read_batch(text: str) -> Batch:
    return decode(BatchRef("production", "b1"), text, created=None, closed=None, cost_due=False)


def read_schedule(text: str) -> Schedule:
    return decode_schedule("production", "s1", text)


def places(value: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the keys and positions that lead to each value inside of another one."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, content in inside:
        yield (*above, key)
        if isinstance(content, dict | list):
            yield from places(content, *above, key)


def replaced(data: st.DataObject, text: str) -> str:
    """Return the text with one value replaced by one of another JSON type."""
    body = json.loads(text)
    place = data.draw(st.sampled_from(list(places(body))))
    parent = body
    for key in place[:-1]:
        parent = parent[key]
    before, key = parent[place[-1]], place[-1]
    others = ["x", True, [], {}, [1], {"run": 1}]
    if before is not None:
        is_probe = len(place) > 2 and place[-3] in {"probes", "swept", "before"}
        if key not in MAY_BE_NULL and not (is_probe and key in NUMBERS_OF_A_PROBE):
            others.append(None)
        if not isinstance(before, float):
            others.append(1.5)
        if not isinstance(before, int | float) or isinstance(before, bool):
            others.append(1)
    elif key in NUMBERS_OF_A_PROBE:
        others.append(1.5)
    parent[key] = data.draw(
        st.sampled_from([other for other in others if type(other) is not type(before)])
    )
    return json.dumps(body)


@given(batches, st.data())
def test_a_value_of_another_type_in_a_batch_is_an_error(batch: Batch, data: st.DataObject):
    text = replaced(data, encode(batch))
    with pytest.raises((NewerContent, ValueError)):
        read_batch(text)


@given(schedules, st.data())
def test_a_value_of_another_type_in_a_schedule_is_an_error(schedule: Schedule, data: st.DataObject):
    text = encode_schedule(schedule)
    assert read_schedule(text) == schedule
    assume(text != "{}")
    with pytest.raises(ValueError, match="another type"):
        read_schedule(replaced(data, text))


@pytest.mark.parametrize(
    "text",
    [
        '{"seen":1,"drift":"x"}',
        '{"seen":1,"drift":1.0}',
        '{"seen":1,"drift":true}',
        '{"seen":true}',
        '{"seen":1,"reread_at":null}',
        '{"seen":1,"probes":null}',
        '{"seen":1,"labels":"ab"}',
        '{"seen":1,"labels":["a",1]}',
        '{"seen":1,"outcome":[]}',
        '{"seen":1,"probes":{"run":"abcd"}}',
        '{"seen":1,"probes":{"run":["x",1,"2",3]}}',
        '{"seen":1,"picture":[1,2,{"statuses":{"completed":"1"}}]}',
    ],
)
def test_a_value_of_the_wrong_type_is_a_value_error(text: str):
    with pytest.raises(ValueError, match="another type"):
        read_batch(text)


def test_a_time_may_be_a_whole_number():
    assert read_batch('{"seen":1,"started":2}').started == 2
    assert read_schedule('{"due":[1,2.5]}').due == (1, 2.5)


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
        read_batch(text)
