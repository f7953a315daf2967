"""Replace halves of surrogate pairs, which are left if text is cut inside an emoji.

They are valid JSON but no Unicode, and the decoder refuses a whole answer because of one.
"""

from __future__ import annotations

import re
from typing import Final

from runtype_exporter.runtype.pace import SLICE, Pace

_SOUND: Final = re.compile(
    rb"(?:[^\\]++|\\(?:[^u]|u(?:[^dD]|[dD][^89a-fA-F]"
    rb"|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})))*+",
    re.DOTALL,
)
"""Text and escapes that may stay."""
_LONE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_ONE: Final = SLICE // 2000
"""The work on one half, as if it were so many bytes."""
_LONGEST_ESCAPE: Final = len(r"\ud83d\ude00")


async def replace_lone_surrogates(body: bytes) -> bytes:
    """Return a body of JSON with U+FFFD in place of each half of a pair."""
    pace = Pace()
    # Not a list of pieces: to join millions of them takes a while.
    repaired = bytearray()
    at = 0
    while at < len(body):
        end = min(at + SLICE, len(body))
        # For the type checker: the pattern matches the empty text too.
        sound = _SOUND.match(body, at, end)
        assert sound is not None  # noqa: S101
        repaired += body[at : sound.end()]
        await pace.worked(sound.end() - at)
        at = sound.end()
        if at == len(body) or (end < len(body) and end - at < _LONGEST_ESCAPE):
            # The slice ends here, perhaps in the middle of an escape: the next slice has it whole.
            continue
        if _LONE.match(body, at):
            repaired += rb"\ufffd"
            at += len(rb"\ufffd")
        else:
            # A broken escape, which the decoder refuses.
            repaired += body[at : at + 1]
            at += 1
        await pace.worked(_ONE)
    return bytes(repaired)
