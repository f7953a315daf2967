import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.ledger.json_text import NewerContent
from runtype_exporter.ledger.learned import decode_learned, encode_learned
from runtype_exporter.model import Learned

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
times = st.floats(min_value=-1e12, max_value=1e12)
counts = st.integers(min_value=0, max_value=2**62)
knowledge = st.builds(
    Learned,
    run_order=st.sampled_from(["unknown", "new-first", "old-first", "none"]),
    page_sizes=st.dictionaries(words, counts, max_size=3),
    forbidden=st.dictionaries(words, times, max_size=3),
    unknown_schedules=st.frozensets(words, max_size=3),
    sources=st.dictionaries(words, times, max_size=3),
    absent=st.dictionaries(words, st.tuples(times, counts), max_size=3),
)


def test_every_field_has_a_strategy_here():
    assert set(Learned.__dataclass_fields__) == set(knowledge.wrapped_strategy.kwargs)


@given(knowledge)
def test_decoding_returns_what_was_encoded(learned: Learned):
    assert decode_learned(encode_learned(learned)) == learned


def test_default_values_are_not_written():
    assert encode_learned(Learned()) == "{}"


def test_the_text_is_plain_json_and_the_same_each_time():
    learned = Learned(unknown_schedules=frozenset("cab"), absent={"s": (1.5, 2)})
    assert json.loads(encode_learned(learned)) == {
        "unknown_schedules": ["a", "b", "c"],
        "absent": {"s": [1.5, 2]},
    }


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"novel":1}', "an unknown field of what an account has learned"),
        ('{"run_order":"by-name"}', "an unknown order of the run list"),
        ('{"absent":{"s":[1,2,3]}}', "an unknown part of an absence"),
    ],
)
def test_content_of_a_newer_version_is_no_damage(text: str, what: str):
    with pytest.raises(NewerContent, match=what):
        decode_learned(text)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"run_order":null}',
        '{"page_sizes":[]}',
        '{"page_sizes":{"results":1.5}}',
        '{"forbidden":{"cost":"x"}}',
        '{"unknown_schedules":{}}',
        '{"unknown_schedules":[1]}',
        '{"sources":{"runs":null}}',
        '{"absent":{"s":1}}',
        '{"absent":{"s":[1]}}',
        '{"absent":{"s":[1,2.5]}}',
    ],
)
def test_a_value_of_the_wrong_type_is_a_value_error(text: str):
    with pytest.raises(ValueError, match="another type"):
        decode_learned(text)
