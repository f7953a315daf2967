"""Opaque ids and random streams, all derived from one seed.

An id depends only on what it names, so the order of creation and of reads cannot change it.
"""

from __future__ import annotations

from base64 import b32encode
from hashlib import blake2b
from random import Random

_TO_CROCKFORD = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghjkmnpqrstvwxyz"
)


class Seed:
    """The root of every id and of every random stream."""

    def __init__(self, value: int) -> None:
        self._key = str(value).encode()

    def id(self, prefix: str, at: float, *parts: object) -> str:
        """Return an id: a prefix and a ULID-like body.

        The first 10 characters of the body hold the moment `at` (seconds since the epoch), the
        other 16 a digest of the parts.
        """
        moment = (int(at * 1000) & (1 << 48) - 1).to_bytes(10, "big")
        text = "\x1f".join([prefix, *map(str, parts)]).encode()
        digest = blake2b(text, digest_size=10, key=self._key).digest()
        # 80 bits make 16 characters; the moment's 48 bits are right-aligned, so its last 10
        # characters hold it whole.
        body = b32encode(moment)[6:] + b32encode(digest)
        return f"{prefix}_{body.translate(_TO_CROCKFORD).decode()}"

    def random(self, *parts: object) -> Random:
        """Return a new random stream for what the parts name; the same parts give the same one."""
        text = "\x1f".join(map(str, parts)).encode()
        # Not for secrets: the same seed must give the same world.
        return Random(blake2b(text, digest_size=16, key=self._key).digest())  # noqa: S311
