import gzip
import tracemalloc

import httpx
import pytest

from runtype_exporter.runtype import DecodeError, OversizedError
from runtype_exporter.runtype.body import read_body
from runtype_exporter.runtype.pace import SLICE
from tests.support.ticks import turns_during

TEXT = b'{"data":[]}' * 100


class Pieces(httpx.AsyncByteStream):
    """A body that arrives piece by piece."""

    def __init__(self, body, size):
        self.pieces = [body[start : start + size] for start in range(0, len(body), size)]
        self.read = 0

    async def __aiter__(self):
        for piece in self.pieces:
            self.read += 1
            yield piece


async def read(body, limit=10_000, size=7, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await read_body(
        httpx.Response(200, headers=named, stream=Pieces(body, size)), "results", limit
    )


async def test_a_plain_body_is_read_whole():
    assert await read(TEXT) == TEXT
    assert await read(TEXT, content_encoding="identity", content_length=str(len(TEXT))) == TEXT
    assert await read(b"") == b""


@pytest.mark.parametrize("size", [1, 2, 7, 100_000])
async def test_a_gzipped_body_is_inflated_however_it_is_cut(size):
    assert await read(gzip.compress(TEXT, mtime=0), size=size, content_encoding="GZIP") == TEXT
    two = gzip.compress(TEXT[:50]) + gzip.compress(TEXT[50:])
    assert await read(two, size=size, content_encoding="gzip") == TEXT


async def test_a_body_of_exactly_the_limit_is_taken():
    assert await read(TEXT, limit=len(TEXT)) == TEXT
    assert (
        await read(gzip.compress(TEXT, mtime=0), limit=len(TEXT), content_encoding="gzip") == TEXT
    )


@pytest.mark.parametrize("size", [1, 100_000])
async def test_a_body_above_the_limit_is_refused(size):
    message = (
        r"^results: the answer is larger than 1099 bytes; a smaller page_size makes it smaller$"
    )
    with pytest.raises(OversizedError, match=message):
        await read(TEXT, limit=len(TEXT) - 1, size=size)
    with pytest.raises(OversizedError, match=message):
        await read(
            gzip.compress(TEXT, mtime=0), limit=len(TEXT) - 1, size=size, content_encoding="gzip"
        )


async def test_a_body_that_says_it_is_too_long_is_not_read_at_all():
    stream = Pieces(TEXT, 7)
    response = httpx.Response(200, headers={"content-length": "9" * 5000}, stream=stream)
    with pytest.raises(OversizedError):
        await read_body(response, "results", 10_000)
    assert stream.read == 0


async def test_a_small_body_that_inflates_beyond_measure_does_not_fill_the_memory():
    bomb = gzip.compress(b"0" * 64 * 1024 * 1024, mtime=0)
    tracemalloc.start()
    with pytest.raises(OversizedError):
        await read(bomb, limit=100_000, size=65_536, content_encoding="gzip")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(TEXT, mtime=0)[:-3],
        gzip.compress(TEXT, mtime=0)[:20],
        b"CUSTOMER-SECRET",
        b"",
        gzip.compress(TEXT, mtime=0) + b"CUSTOMER-SECRET",
    ],
)
async def test_broken_gzip_is_no_answer(body):
    with pytest.raises(DecodeError) as caught:
        await read(body, content_encoding="gzip")
    assert (
        str(caught.value) == "results: the answer is broken: its gzip data are damaged or cut short"
    )
    assert caught.value.__context__ is None


async def test_an_encoding_that_was_not_asked_for_is_no_answer():
    with pytest.raises(DecodeError) as caught:
        await read(b"CUSTOMER-SECRET", content_encoding="br, CUSTOMER-SECRET")
    expected = (
        "results: the answer has a content encoding that was not asked for;"
        " does something stand between here and the API?"
    )
    assert str(caught.value) == expected


async def test_inflating_gives_the_loop_turns_also_where_one_piece_inflates_to_much():
    zipped = gzip.compress(b" " * (8 << 20))
    reading = read(zipped, limit=16 << 20, size=len(zipped), content_encoding="gzip")
    assert await turns_during(reading) >= (8 << 20) // SLICE // 2


async def test_many_empty_members_give_the_loop_turns():
    zipped = gzip.compress(b"") * 5000
    reading = read(zipped, size=len(zipped), content_encoding="gzip")
    assert await turns_during(reading) >= 4
