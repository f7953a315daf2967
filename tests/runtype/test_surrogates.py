import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtype_exporter.runtype import surrogates
from runtype_exporter.runtype.pace import SLICE
from runtype_exporter.runtype.surrogates import replace_lone_surrogates
from tests.support.ticks import turns_during
from tests.support.virtual import run

ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def simple(body: bytes) -> bytes:
    """The same in one step, as a reference."""
    return ESCAPE.sub(lambda match: rb"\ufffd" if match["lone"] else match[0], body)


@pytest.mark.parametrize(
    ("body", "repaired"),
    [
        (b"", b""),
        (b"plain", b"plain"),
        (rb"\ud83d", rb"\ufffd"),
        (rb"\ud83d here", rb"\ufffd here"),
        (rb"\udc00\uD800", rb"\ufffd\ufffd"),
        (rb"\ud83d\ude00 \ud83d", rb"\ud83d\ude00 \ufffd"),
        (rb"\ud83d\ud83d\ude00", rb"\ufffd\ud83d\ude00"),
        (rb"\\ud83d \ud83d", rb"\\ud83d \ufffd"),
        (rb"\ud7ff \ue000 \u00e4", rb"\ud7ff \ue000 \u00e4"),
        (rb"\uzzzz \ud83", rb"\uzzzz \ud83"),
        (rb"\ud8zz", rb"\ud8zz"),
        (b"at the end \\", b"at the end \\"),
    ],
)
async def test_each_half_of_a_pair_is_replaced_and_nothing_else(body, repaired):
    assert await replace_lone_surrogates(body) == repaired


TOKENS = [
    b"x",
    b"\\",
    rb"\n",
    rb"\\",
    rb"\u00e4",
    rb"\ud83d",
    rb"\ude00",
    rb"\ud83d\ude00",
    rb"\uD8",
    b'"',
    "ä".encode(),
]


@settings(max_examples=400, deadline=None)
@given(
    tokens=st.lists(st.sampled_from(TOKENS), max_size=60),
    size=st.integers(len(r"\ud83d\ude00"), 40),
)
def test_it_does_not_matter_where_a_slice_ends(tokens, size):
    body = b"".join(tokens)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surrogates, "SLICE", size)
        assert run(replace_lone_surrogates(body)) == simple(body)


@pytest.mark.parametrize(
    "text", ["x" * (4 << 20), '"\n' * (1 << 20), "\ud83d" * 100_000, "\U0001f600" * 300_000]
)
async def test_a_long_body_is_repaired_in_slices(text):
    body = json.dumps(text + "\ud83d").encode()
    assert await turns_during(replace_lone_surrogates(body)) >= len(body) // SLICE // 2
