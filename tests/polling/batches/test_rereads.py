"""Batches that were given up are read again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from runtype_exporter.limits import DAY
from runtype_exporter.model import Batch, BatchRef, Labels, Probe, SweepSnapshot, SweepTally
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.rereads import Rereads
from runtype_exporter.polling.failures import Reach
from runtype_exporter.polling.sweeps.sweep import begin
from runtype_exporter.runtype import (
    ApiError,
    BatchStatus,
    NotFound,
    OffsetPagination,
    Priority,
    ResultsPage,
)
from tests.support.closer import ClosingRig, SetTime, failed

T = SetTime().at
RUNNING = Probe("running", 3, 1, 0)
LOST = Batch(
    ref=BatchRef("acme", "b1"),
    first_seen=T,
    labels=Labels("nightly", "enrich"),
    probes={"status": RUNNING},
    closed=T,
    outcome="lost",
)
STALE = replace(LOST, outcome="stale", snapshot=SweepSnapshot(T, 3, SweepTally(distinct=3)))
DENIED = NotFound("results", "no such batch", code="404")


@dataclass
class Answers:
    """A client that answers with one page and one status, or fails."""

    total: int = 3
    error: ApiError | None = None
    words: str = "running"
    page_size: int = 100
    asked: list[tuple[object, ...]] = field(default_factory=list)

    async def results(
        self, batch_id: str, offset: int, *, limit: int, status: str | None, priority: Priority
    ) -> ResultsPage:
        self.asked.append((batch_id, offset, limit, status, priority))
        return self._page()

    async def run_results(
        self, run_id: str, offset: int, *, limit: int, priority: Priority
    ) -> ResultsPage:
        self.asked.append((run_id, offset, limit, None, priority))
        return self._page()

    async def status(self, batch_id: str, *, priority: Priority) -> BatchStatus:
        self.asked.append((batch_id, priority))
        return BatchStatus(
            batch_execution_id=batch_id,
            status=self.words,
            total_records=3,
            processed_records=1,
            failed_records=0,
        )

    def _page(self) -> ResultsPage:
        if self.error is not None:
            raise self.error
        return ResultsPage([], OffsetPagination(total=self.total, has_more=False, offset=0))


def rig_of(batch: Batch, answers: Answers) -> tuple[ClosingRig, Rereads]:
    rig = ClosingRig((batch,), client=answers)
    rig.time.at = T + DAY
    return rig, Rereads(rig.context, rig.closer)


@pytest.mark.parametrize("outcome", ["lost", "unreadable"])
async def test_a_batch_that_can_be_read_is_open_again(outcome):
    answers = Answers()
    rig, rereads = rig_of(replace(LOST, outcome=outcome, page_size=7), answers)
    assert await rereads.read_due() == [rig.batch()]
    assert (rig.batch().closed, rig.batch().changed) == (None, rig.time.at)
    assert answers.asked == [("b1", 0, 7, None, Priority.EXTRA)]
    assert await rereads.read_due() == []


async def test_a_batch_that_cannot_be_read_is_tried_again_a_day_later():
    answers = Answers(error=DENIED)
    rig, rereads = rig_of(LOST, answers)
    assert await rereads.read_due() == []
    assert rig.batch() == replace(LOST, reread_at=rig.time.at)
    assert rig.collectors.forgotten == [("results", "b1")]
    assert await rereads.read_due() == []
    assert len(answers.asked) == 1
    rig.time.at += DAY
    answers.error = None
    assert len(await rereads.read_due()) == 1


async def test_the_page_is_read_again_at_which_the_batch_could_not_be_read():
    swept = begin(replace(LOST, closed=None, outcome=None), T, full=True)
    sick = replace(swept, sweep=replace(swept.sweep, offset=200))
    answers = Answers(error=DENIED)
    rig, rereads = rig_of(lifecycle.closed(sick, "unreadable", T), answers)
    assert await rereads.read_due() == []
    assert answers.asked == [("b1", 200, 100, None, Priority.EXTRA)]
    answers.error = None
    rig.time.at += DAY
    assert [batch.sweep for batch in await rereads.read_due()] == [None]


async def test_a_failure_of_the_account_puts_nothing_off(monkeypatch):
    rig, rereads = rig_of(LOST, Answers())

    async def read(*_: object) -> object:
        raise failed(DENIED, reach=Reach.ACCOUNT)

    monkeypatch.setattr(type(rig.collectors), "read", read)
    assert await rereads.read_due() == []
    assert rig.batch() == LOST


async def test_without_results_nothing_is_read():
    answers = Answers()
    rig, rereads = rig_of(LOST, answers)
    rig.collectors.off.add("results")
    assert (await rereads.read_due(), answers.asked, rig.batch()) == ([], [], LOST)


async def test_a_stale_batch_that_has_not_changed_stays_closed():
    answers = Answers()
    rig, rereads = rig_of(STALE, answers)
    assert await rereads.read_due() == []
    assert rig.batch() == replace(STALE, reread_at=rig.time.at)
    assert answers.asked[1:] == [("b1", Priority.EXTRA)]


@pytest.mark.parametrize(
    ("changes", "answers"),
    [
        ({}, Answers(total=4)),
        ({"snapshot": None}, Answers()),
        ({}, Answers(words="completed")),
    ],
    ids=["another total", "never swept", "another status"],
)
async def test_a_stale_batch_that_has_changed_is_open_again(changes, answers):
    rig, rereads = rig_of(replace(STALE, **changes), answers)
    assert await rereads.read_due() == [rig.batch()]
    assert rig.batch().closed is None


async def test_the_first_status_of_a_stale_batch_is_stored_for_the_next_day():
    answers = Answers()
    rig, rereads = rig_of(replace(STALE, probes={"summary": RUNNING}), answers)
    assert await rereads.read_due() == []
    assert rig.batch().probes["status"] == RUNNING
    rig.time.at += DAY
    answers.words = "completed"
    assert len(await rereads.read_due()) == 1


async def test_a_stale_batch_whose_status_may_not_be_read_goes_by_its_results():
    rig, rereads = rig_of(STALE, answers := Answers())
    rig.collectors.off.add("status")
    assert await rereads.read_due() == []
    assert len(answers.asked) == 1


async def test_the_results_of_a_run_have_no_status():
    own = replace(STALE, ref=BatchRef("acme", "run/r1"), run="r1")
    _, rereads = rig_of(own, answers := Answers())
    assert await rereads.read_due() == []
    assert answers.asked == [("r1", 0, 100, None, Priority.EXTRA)]


@pytest.mark.parametrize("answers", [Answers(), Answers(total=4)])
async def test_a_batch_that_opens_while_it_is_read_is_left_as_it_is(monkeypatch, answers):
    rig, rereads = rig_of(STALE, answers)
    page = answers.results

    async def results(*args: object, **named: object) -> ResultsPage:
        rig.closer.reopen("b1")
        return await page(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(answers, "results", results)
    assert await rereads.read_due() == [rig.batch()]
    assert rig.batch().reread_at == 0.0


async def test_a_batch_that_is_forgotten_while_it_is_read_is_not_opened(monkeypatch):
    rig, rereads = rig_of(LOST, answers := Answers())
    page = answers.results

    async def results(*args: object, **named: object) -> ResultsPage:
        rig.ledger.drop("b1")
        return await page(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(answers, "results", results)
    assert await rereads.read_due() == []
