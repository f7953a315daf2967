from collections.abc import Mapping
from typing import Literal, NamedTuple

import pytest

from runtype_exporter.ledger.json_text import (
    Fields,
    NewerContent,
    decode_fields,
    expect_items,
    expect_parts,
    to_text,
    types_of,
    types_of_parts,
    without_defaults,
)
from runtype_exporter.model import Labels, SweepTally


class Place(NamedTuple):
    """A value with two attributes."""

    name: str
    depth: float | None


FIELDS = Fields(Place, {"name": "called"}, {"depth": "depth"})


@pytest.mark.parametrize(
    ("hint", "types"),
    [
        (str, {str}),
        (int, {int}),
        (float, {int, float}),
        (float | None, {int, float, type(None)}),
        (Literal["a", "b"], {str}),
        (tuple[float, int], {list}),
        (frozenset[str], {list}),
        (Mapping[str, int], {dict}),
        (Labels, {list}),
        (SweepTally, {dict}),
    ],
)
def test_the_types_on_disk_follow_from_the_hint(hint, types):
    assert types_of(hint) == types


def test_the_fields_of_an_object_are_returned_by_attribute():
    assert decode_fields({"called": "a", "depth": 1}, FIELDS, "a place") == {
        "name": "a",
        "depth": 1,
    }


def test_an_unknown_field_is_newer_and_a_wrong_type_is_not():
    with pytest.raises(NewerContent, match="an unknown field of a place"):
        decode_fields({"called": "a", "height": 1}, FIELDS, "a place")
    for body in ({"called": 1}, ["called"], None):
        with pytest.raises(ValueError, match="another type"):
            decode_fields(body, FIELDS, "a place")


def test_more_parts_are_newer_and_fewer_or_others_are_not():
    types = types_of_parts(Place, ("name", "depth"))
    assert expect_parts(["a", None], types, "a place") == ["a", None]
    with pytest.raises(NewerContent, match="an unknown part of a place"):
        expect_parts(["a", None, 1], types, "a place")
    for parts in (["a"], ["a", "b"], [1, 2.0]):
        with pytest.raises(ValueError, match="another type"):
            expect_parts(parts, types, "a place")


def test_items_have_one_of_the_types():
    expect_items([1, 2.5], types_of(float))
    with pytest.raises(ValueError, match="another type"):
        expect_items([True], types_of(float))


def test_default_values_are_left_out():
    keys = {"name": "called", "depth": "depth"}
    assert without_defaults(Place("a", 0.5), keys, {"name": "a", "depth": None}) == {"depth": 0.5}


def test_a_text_is_one_short_line():
    assert to_text({"a": [1, "ü"], "b": {}}) == '{"a":[1,"ü"],"b":{}}'
