"""The rig itself: a bug that polling only logs must fail the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtype_exporter.simulator.settings import RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

WORLD = WorldSettings(start=START, schedules=(ScheduleSpec(key="a", name="nightly"),))


def mistyped_label(*_: object, **__: object) -> None:
    raise ValueError("runtype_batches_finished_total: 2 label values for 3 labels")


async def polled(rig: Rig, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Poll a batch while a method of the ledger has a bug."""
    await rig.sleep(1)
    monkeypatch.setattr(rig.ledger, method, mistyped_label)
    rig.world.add_batch([RecordPlan(finished=1.0)], schedule="a", at=START + 2)
    await rig.sleep(120)


@pytest.mark.parametrize(
    ("method", "part", "event"),
    [
        ("horizon", "a cycle", "cycle failed"),
        ("apply", "a sweep", "sweep failed"),
        ("costs_due", "a background task", "background read failed"),
    ],
)
async def test_a_bug_that_polling_only_logs_fails_the_test_and_is_named(
    tmp_path, monkeypatch, method, part, event
):
    with pytest.raises(AssertionError) as raised:
        async with Rig(tmp_path, WORLD) as rig:
            await polled(rig, monkeypatch, method)
    assert f"failed with the reason internal: {part}" in str(raised.value)
    assert f"{event}: ValueError: runtype_batches_finished_total: 2 label" in str(raised.value)
    assert isinstance(raised.value.__cause__, ValueError)


async def test_a_failing_assert_of_the_test_does_not_hide_the_bug(tmp_path, monkeypatch):
    async def compared() -> None:
        async with Rig(tmp_path, WORLD) as rig:
            await polled(rig, monkeypatch, "apply")
            assert rig.counted() == rig.truth()

    with pytest.raises(AssertionError, match="ValueError: runtype_batches_finished_total"):
        await compared()


async def test_an_expected_bug_fails_no_test(tmp_path, monkeypatch):
    async with Rig(tmp_path, WORLD) as rig:
        rig.expect_internal()
        await polled(rig, monkeypatch, "apply")
        assert "internal" in rig.telemetry.sweeps


async def test_failures_of_the_api_fail_no_test(tmp_path):
    async with Rig(tmp_path, WORLD) as rig:
        rig.key = "rt_test_wrong"
        await rig.sleep(300)
        assert set(rig.telemetry.cycles) != {""}


async def test_the_api_and_the_exporter_have_clocks_of_their_own(tmp_path):
    rig = Rig(tmp_path, WORLD, skew=90.0)
    assert (rig.clock.now(), rig.api_clock.now()) == (START + 90, START)
    rig.clock.jump(10.0)
    rig.clock.drift(2.0)
    rig.api_clock.drift(0.0)
    await rig.sleep(60)
    assert (rig.clock.now(), rig.api_clock.now()) == (START + 220, START)
    assert rig.clock.monotonic() == 60.0
    rig.api_clock.drift(1.0)
    rig.suspend(3600)
    await rig.sleep(60)
    assert (rig.clock.now(), rig.api_clock.now()) == (START + 3940, START + 3660)
    assert rig.clock.monotonic() == 3720.0


async def test_truth_goes_by_the_clock_of_the_api(tmp_path):
    rig = Rig(tmp_path, WORLD, skew=86_400.0)
    rig.world.add_batch([RecordPlan(finished=10.0)], schedule="a", at=START)
    await rig.sleep(9)
    assert rig.truth() == {}
    await rig.sleep(1)
    assert rig.truth() == {("nightly", "enrich", "success"): 1.0}


async def test_the_example_of_contributing_works(tmp_path):
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()
    names: dict[str, Any] = {}
    exec(text.split("```python")[1].split("```")[0], names)
    await names["test_results_are_counted_once"](tmp_path)
