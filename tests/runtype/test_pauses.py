import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.runtype.pauses import GOOD_TIME, MAX_PAUSE, KeyRefusal, Throttle


def pauses(throttle, waits, now=0.0):
    """The length of each pause, each asked for as soon as the one before is over."""
    found = []
    for wait in waits:
        throttle.pause(wait, sent=now, now=now)
        found.append(throttle.until - now)
        now = throttle.until
    return found


def test_each_pause_is_at_least_twice_as_long_as_the_one_before_up_to_a_minute():
    expected = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert pauses(Throttle(0.0), [0.0] * 8) == expected


def test_a_longer_wait_is_believed_up_to_an_hour_and_one_that_is_not_said_is_a_minute():
    assert pauses(Throttle(0.0), [0.5, 7.0, 1e9, None, 3.0]) == [1.0, 7.0, 3600.0, 60.0, 16.0]


def test_ten_good_minutes_make_the_next_pause_short_again():
    throttle = Throttle(0.0)
    pauses(throttle, [0.0, 0.0, 0.0])
    assert pauses(throttle, [0.0], throttle.until + GOOD_TIME - 1) == [8.0]
    assert pauses(throttle, [0.0], throttle.until + GOOD_TIME) == [1.0]


def test_answers_to_requests_from_before_the_last_pause_do_not_lengthen_the_next_one():
    throttle = Throttle(0.0)
    for now in (10.0, 10.1, 10.2):
        throttle.pause(0.0, sent=9.0, now=now)
    assert throttle.until == pytest.approx(11.2)
    throttle.pause(0.0, sent=9.5, now=30.0)
    assert throttle.until == 31.0
    throttle.pause(0.0, sent=31.0, now=31.0)
    assert throttle.until == 33.0


def test_a_shorter_pause_does_not_end_a_longer_one():
    throttle = Throttle(0.0)
    throttle.pause(100.0, sent=0.0, now=0.0)
    throttle.pause(50.0, sent=0.0, now=1.0)
    assert throttle.until == 100.0


def test_a_pause_of_an_earlier_process_is_no_step():
    throttle = Throttle(500.0)
    throttle.pause(0.0, sent=0.0, now=600.0)
    assert throttle.until == 601.0


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(0.0, 1e12)), st.floats(0.0, 2000.0), st.floats(0.0, 60.0)
        )
    )
)
def test_every_pause_is_between_a_second_and_an_hour_from_now(steps):
    throttle, now = Throttle(0.0), 0.0
    for wait, idle, ago in steps:
        now += idle
        before = throttle.until
        throttle.pause(wait, sent=now - ago, now=now)
        assert throttle.until >= before
        assert now + 1.0 <= throttle.until <= now + MAX_PAUSE


def test_a_refused_key_is_tried_once_a_minute():
    key = KeyRefusal()
    assert key.wait(0.0) == 0.0
    key.granted(0.0)
    assert not key.refused
    key.refuse(10.0)
    assert (key.refused, key.wait(10.0), key.wait(70.0)) == (True, 60.0, 0.0)
    key.granted(75.0)
    assert key.wait(75.0) == 60.0
    key.accept()
    assert (key.refused, key.wait(75.0)) == (False, 0.0)
