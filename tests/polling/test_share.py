"""A share of the budget: a few requests at once, then so many an hour."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from runtype_exporter.polling.share import BURST, Share
from tests.support.virtual import VirtualClock, run


def share_of(requests_per_hour: int = 1000, part: float = 0.1, *, paced: bool = True) -> Share:
    clock = VirtualClock(asyncio.get_running_loop(), 0.0)
    return Share(requests_per_hour, part, clock, paced=paced)


async def take(share: Share, times: int) -> list[float]:
    """Take so many requests, one after another. Return when each was granted."""
    granted = []
    for _ in range(times):
        await share.take()
        granted.append(asyncio.get_running_loop().time())
    return granted


async def test_a_few_requests_are_granted_at_once_and_the_others_at_the_rate_of_the_share():
    share = share_of()
    assert share.seconds_per_request == 36.0
    assert await take(share, 8) == [0.0] * 5 + [36.0, 72.0, 108.0]


async def test_what_was_not_taken_is_kept_up_to_the_burst():
    share = share_of()
    await take(share, 5)
    await asyncio.sleep(72)
    assert await take(share, 3) == [72.0, 72.0, 108.0]
    await asyncio.sleep(86400)
    granted = await take(share, 6)
    assert [at - granted[0] for at in granted] == [0.0] * 5 + [36.0]


async def test_two_who_wait_do_not_wait_for_the_same_request():
    share = share_of()
    await take(share, 5)
    granted = await asyncio.gather(take(share, 2), take(share, 2))
    assert sorted([*granted[0], *granted[1]]) == [36.0, 72.0, 108.0, 144.0]


async def test_without_pace_everything_is_granted_at_once():
    assert await take(share_of(paced=False), 100) == [0.0] * 100


@settings(deadline=None)
@given(
    st.integers(1, 100_000),
    st.sampled_from([0.05, 0.1, 0.5]),
    st.lists(st.floats(0.0, 20_000.0), min_size=1, max_size=60),
)
def test_no_time_sees_more_than_its_share_and_the_burst(requests_per_hour, part, pauses):
    async def check() -> None:
        share = share_of(requests_per_hour, part)
        granted = []
        for pause in pauses:
            await asyncio.sleep(pause)
            granted += await take(share, 1)
        for first, began in enumerate(granted):
            for last in range(first, len(granted)):
                allowed = BURST + (granted[last] - began) / share.seconds_per_request
                assert last - first + 1 <= allowed + 1e-3

    run(check())
