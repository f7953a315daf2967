from __future__ import annotations

import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.metrics import gzip as exposition_gzip
from runtype_exporter.metrics.gzip import FAN, Joiner, deflate


def unzip_first_member(body):
    """What a client reads that stops at the first gzip member, as httpx does."""
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
    plain = stream.decompress(b"".join(body.chunks))
    assert stream.eof
    assert stream.unused_data == b""
    return plain


@given(st.lists(st.binary(max_size=40), max_size=3 * FAN))
def test_pieces_join_to_one_stream_with_a_right_checksum(texts):
    body = Joiner().join([deflate(text) for text in texts])
    assert unzip_first_member(body) == b"".join(texts)
    assert gzip.decompress(b"".join(body.chunks)) == b"".join(texts)
    assert body.length == sum(map(len, body.chunks))


def test_large_pieces_have_right_checksums_too():
    texts = [bytes([n]) * (n * 33_333) for n in range(8)]
    assert unzip_first_member(Joiner().join([deflate(text) for text in texts])) == b"".join(texts)


@given(st.data())
def test_a_joiner_that_remembers_joins_as_one_that_does_not(data):
    pieces = [deflate(b"%d " % n * 9) for n in range(FAN**2 + 3)]
    joiner = Joiner()
    joiner.join(pieces)
    for _ in range(3):
        index = data.draw(st.integers(0, len(pieces) - 1))
        pieces[index : index + data.draw(st.integers(0, 20))] = [
            deflate(data.draw(st.binary(max_size=9)))
        ]
        assert joiner.join(pieces) == Joiner().join(pieces)


def test_a_change_of_one_piece_joins_only_its_own_group_again(monkeypatch):
    pieces = [deflate(b"%d" % n) for n in range(FAN * FAN)]
    joiner = Joiner()
    joiner.join(pieces)
    joined = []
    concatenate = exposition_gzip._concatenate
    monkeypatch.setattr(
        exposition_gzip,
        "_concatenate",
        lambda group, **kw: joined.append(group) or concatenate(group, **kw),
    )
    pieces[20] = deflate(b"changed")
    joiner.join(pieces)
    assert len(joined) == 2, "the group of the piece, and the group of that group"


def test_a_joiner_keeps_nothing_of_what_is_gone():
    joiner = Joiner()
    joiner.join([deflate(b"%d" % n) for n in range(FAN**2 + 1)])
    joiner.join([deflate(b"left")])
    assert len(joiner._chunks) == 1
    assert joiner._checksums == []
