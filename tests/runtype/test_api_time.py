import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.runtype import ApiTime
from runtype_exporter.runtype.api_time import MAX_STEP, PROOF_TIME
from tests.runtype.conftest import Recorder

START = 1_780_000_000.0
DAY = 86400.0


class TwoClocks:
    """A wall clock and a monotonic clock that a test sets by hand."""

    def __init__(self) -> None:
        self.wall, self.since = START, 500.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.since

    def sleep(self, seconds: float) -> None:
        self.wall += seconds
        self.since += seconds


class World:
    """An API, whose clock is `ahead` of the true time, and an exporter that asks it."""

    def __init__(self) -> None:
        self.clock = TwoClocks()
        self.telemetry = Recorder()
        self.time = ApiTime("acme", self.clock, self.telemetry)
        self.true = START
        self.ahead = 0.0

    def sleep(self, seconds: float) -> None:
        self.true += seconds
        self.clock.sleep(seconds)

    def answer(self, *, dated: bool = True, age: float | None = None, way: float = 0.0) -> None:
        """One request and its answer, each `way` seconds under way."""
        sent = self.clock.monotonic()
        self.sleep(way)
        date = float(int(self.true + self.ahead - (age or 0.0)))
        self.sleep(way)
        self.time.observe(date if dated else None, age, sent=sent, received=self.clock.monotonic())

    @property
    def error(self) -> float:
        return self.time.now() - (self.true + self.ahead)

    def state(self) -> tuple[str, bool]:
        return self.time.source, self.time.certain


def test_before_the_first_answer_it_is_the_wall_clock_and_not_certain():
    world = World()
    assert world.state() == ("unknown", False)
    world.clock.wall += 40 * DAY
    assert world.time.now() == world.time.latest() == world.clock.wall
    assert (world.telemetry.sources, world.telemetry.skews) == ([], [])


@pytest.mark.parametrize("ahead", [0.0, -5.0, 5.0, -1800.0, 40 * DAY, -56 * 365 * DAY])
def test_the_first_answer_is_believed_however_far_the_wall_clock_is_off(ahead):
    world = World()
    world.ahead = ahead
    world.answer()
    assert world.state() == ("date", True)
    assert -1.0 <= world.error <= 0.0
    assert world.telemetry.sources == ["date"]
    assert world.telemetry.skews == [world.time.now() - world.clock.now()]
    world.sleep(3600)
    assert -1.0 <= world.error <= 0.0


@pytest.mark.parametrize("seconds", [40 * DAY, -40 * DAY, 30.0])
def test_a_jump_of_the_wall_clock_does_not_move_it(seconds):
    world = World()
    world.answer()
    world.clock.wall += seconds
    assert -1.0 <= world.error <= 0.0
    world.answer()
    assert -1.0 <= world.error <= 0.0
    assert world.state() == ("date", True)
    assert world.telemetry.skews[-1] == pytest.approx(-seconds, abs=1.0)


def test_each_answer_makes_it_more_exact_and_the_api_is_never_taken_for_later_than_it_is():
    world = World()
    world.sleep(0.9)
    for _ in range(20):
        world.answer(way=0.01)
        assert world.error <= 0.0
        world.sleep(0.13)
    assert world.error >= -0.2


def test_a_slow_answer_bounds_it_less():
    world = World()
    world.answer()
    before = world.time.now() - world.clock.monotonic()
    world.answer(way=20.0)
    assert world.time.now() - world.clock.monotonic() == before


def test_an_answer_from_a_cache_counts_with_its_age():
    world = World()
    world.answer()
    world.sleep(100)
    world.answer(age=90.0)
    assert world.state() == ("date", True)
    assert -1.0 <= world.error <= 0.0


@pytest.mark.parametrize("seconds", [30.0, -30.0, 59.0])
def test_a_change_of_less_than_a_minute_is_believed_at_once(seconds):
    world = World()
    world.answer()
    world.ahead += seconds
    world.answer()
    assert world.state() == ("date", True)
    assert -1.0 <= world.error <= 1.0


@pytest.mark.parametrize("seconds", [90.0, -90.0, 40 * DAY, -40 * DAY])
def test_a_step_is_in_doubt_until_three_answers_over_a_minute_agree(seconds):
    world = World()
    world.answer()
    world.ahead += seconds
    for wait in (0.0, 20.0, 39.0):
        world.sleep(wait)
        world.answer()
        assert world.state() == ("date", False)
        assert world.error == pytest.approx(-seconds, abs=1.0)
        latest = max(world.time.now(), world.clock.now(), world.true + world.ahead)
        assert world.time.latest() == pytest.approx(latest, abs=1.0)
    world.sleep(1.0)
    with structlog.testing.capture_logs() as logs:
        world.answer()
    assert "the API's time has changed" in [log["event"] for log in logs]
    assert world.state() == ("date", True)
    assert -1.0 <= world.error <= 1.0
    assert world.time.latest() == world.time.now()


def test_two_answers_do_not_make_a_step_believed_however_far_apart():
    world = World()
    world.answer()
    world.ahead += DAY
    world.answer()
    world.sleep(3600)
    world.answer()
    assert not world.time.certain
    world.answer()
    assert world.time.certain


def test_one_stale_answer_is_forgotten_with_the_next_good_one():
    world = World()
    world.answer()
    world.ahead -= DAY
    world.answer()
    assert not world.time.certain
    world.ahead += DAY
    world.answer()
    assert world.state() == ("date", True)
    assert -1.0 <= world.error <= 0.0


def test_answers_that_contradict_each_other_are_no_proof():
    world = World()
    world.answer()
    for ahead in (DAY, 2 * DAY, 3 * DAY, 4 * DAY):
        world.ahead = ahead
        world.answer()
        world.sleep(40)
        assert not world.time.certain
    assert world.time.now() == pytest.approx(world.true, abs=1.0)


def test_a_machine_that_was_suspended_without_its_clock_going_on_is_noticed():
    world = World()
    world.answer()
    world.true += 8 * 3600
    world.clock.wall += 8 * 3600
    world.answer()
    assert not world.time.certain
    assert world.time.latest() == world.clock.wall
    for _ in range(2):
        world.sleep(30)
        world.answer()
    assert world.time.certain
    assert -1.0 <= world.error <= 0.0


def test_without_dates_the_local_clock_is_taken_after_three_answers_with_one_log_line():
    world = World()
    with structlog.testing.capture_logs() as logs:
        for expected in ("unknown", "unknown", "local", "local"):
            world.answer(dated=False)
            assert world.state() == (expected, expected == "local")
            world.sleep(30)
    assert [log["event"] for log in logs] == [
        "the API does not date its answers: the clock of this machine is used"
    ]
    assert world.time.now() == world.clock.now()
    assert (world.telemetry.sources, world.telemetry.skews) == (["local"], [])


def test_without_dates_a_jump_of_the_local_clock_is_in_doubt_like_any_step():
    world = World()
    for _ in range(3):
        world.answer(dated=False)
    world.clock.wall += 40 * DAY
    world.answer(dated=False)
    assert not world.time.certain
    assert world.time.now() == world.true
    world.clock.wall -= 40 * DAY
    world.answer(dated=False)
    assert world.state() == ("local", True)
    world.clock.wall += 40 * DAY
    for _ in range(3):
        world.answer(dated=False)
        world.sleep(30)
    assert world.time.certain
    assert world.time.now() == world.clock.wall


@pytest.mark.parametrize("ahead", [0.0, DAY])
def test_dates_that_come_later_are_taken_up(ahead):
    world = World()
    world.ahead = ahead
    for _ in range(3):
        world.answer(dated=False)
    for _ in range(3):
        world.answer()
        world.sleep(30)
    assert world.state() == ("date", True)
    assert -1.0 <= world.error <= 0.0
    assert world.telemetry.sources == ["local", "date"]


def test_dates_that_stop_leave_what_was_learned_and_end_a_doubt():
    world = World()
    world.answer()
    world.clock.wall += DAY
    for _ in range(5):
        world.answer(dated=False)
        world.sleep(30)
    assert world.state() == ("date", True)
    assert -1.0 <= world.error <= 0.0
    world.ahead += DAY
    world.answer()
    assert not world.time.certain
    world.ahead -= DAY
    for _ in range(3):
        world.answer(dated=False)
    assert world.time.certain
    assert -1.0 <= world.error <= 0.0


def test_two_answers_without_a_date_between_others_mean_nothing():
    world = World()
    for _ in range(5):
        world.answer(dated=False)
        world.answer(dated=False)
        world.answer()
    assert world.telemetry.sources == ["date"]


def test_a_difference_of_the_clocks_is_logged_once_and_again_when_it_changes():
    world = World()
    with structlog.testing.capture_logs() as logs:
        for jump in (0.0, 59.0, 0.0, -159.0, 0.0, 20.0, -1000.0, 1140.0):
            world.clock.wall += jump
            world.answer()
    assert [(log["log_level"], log.get("seconds")) for log in logs] == [
        ("warning", 100),
        ("warning", 1080),
        ("info", None),
    ]


bounds = st.lists(
    st.tuples(
        st.floats(0.0, 300.0),
        st.floats(0.0, 5.0),
        st.sampled_from([0.0, 0.0, 0.0, 3.0, -3.0, 40.0, 1e6, -1e6]),
        st.sampled_from([None, 0.0, 5.0]),
        st.booleans(),
    ),
    max_size=40,
)


@given(bounds)
def test_it_never_moves_by_more_than_a_minute_unless_a_step_was_proven(steps):
    world = World()
    proven_since = None
    for wait, way, ahead, age, dated in steps:
        world.sleep(wait)
        before = world.time.now() - world.clock.monotonic()
        known = world.time.source != "unknown"
        doubted = known and not world.time.certain
        world.ahead = ahead
        world.answer(dated=dated, age=age, way=way)
        moved = abs(world.time.now() - world.clock.monotonic() - before)
        if known and moved > MAX_STEP:
            assert doubted
            assert proven_since is not None
            assert world.clock.monotonic() - proven_since >= PROOF_TIME
        if world.time.certain:
            proven_since = None
        elif proven_since is None:
            proven_since = world.clock.monotonic()
        assert world.time.latest() >= world.time.now()


@given(st.lists(st.tuples(st.floats(0.0, 300.0), st.floats(0.0, 5.0)), min_size=1, max_size=40))
def test_of_an_honest_api_it_is_never_ahead_and_at_most_a_second_and_a_slow_answer_behind(steps):
    world = World()
    for wait, way in steps:
        world.sleep(wait)
        world.answer(way=way)
        assert world.time.certain
        assert -1.0 - steps[0][1] - 1e-5 <= world.error <= 1e-5
