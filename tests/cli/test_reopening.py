"""A batch that was given up opens again by command."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from runtype_exporter import catalogue
from runtype_exporter.clock import SystemClock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, BatchRef, Delta, Labels, Observation
from tests.support.commands import run
from tests.support.process import configure

LOST = Batch(ref=BatchRef("acme", "batch_1"), first_seen=1.0, labels=Labels("nightly", "enrich"))
LATENCY = ("runtype_record_latency_seconds", ("acme", "nightly", "enrich", "success"))


@pytest.fixture
def config(tmp_path):
    buckets = {"latency_buckets": ["1s", "2s"]}
    return configure(tmp_path, "http://127.0.0.1:1", metrics=buckets, slos=[])


@pytest.fixture
def opened(tmp_path):
    def open_() -> Ledger:
        return Ledger.open(
            tmp_path / "ledger.db",
            clock=SystemClock(),
            boundaries=catalogue.boundaries((1.0, 2.0)),
        )

    return open_


def stored(opened, *batches: Batch) -> None:
    ledger = opened()
    ledger.save(*batches)
    ledger.close()


def reopen(config, *more: str, batch: str = "batch_1") -> tuple[int, str]:
    done = run("reopen", batch, f"--config.file={config}", *more)
    return done.exit_code, done.output


def test_a_batch_that_was_given_up_is_open_again_and_nothing_else_changes(config, opened):
    stored(opened, replace(LOST, closed=time.time(), outcome="lost"))
    ledger = opened()
    ledger.commit(Delta(observations={LATENCY: [Observation(1.5, time.time())]}))
    ledger.close()
    assert reopen(config) == (
        0,
        "batch_1 of account acme is open again; start the exporter to read it\n",
    )
    ledger = opened()
    assert [batch.ref.id for batch in ledger.open_batches("acme")] == ["batch_1"]
    sample = ledger.snapshot().families[LATENCY[0]][LATENCY[1]]
    assert sample.value.counts == (0, 1, 0)
    ledger.close()


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (LOST, "batch_1: this batch is open"),
        (replace(LOST, closed=time.time(), outcome="success"), "is closed (success)"),
        (replace(LOST, closed=1.0, outcome="lost"), "counted twice"),
        (replace(LOST, ref=BatchRef("acme", "other")), "has no batch with this id"),
    ],
)
def test_any_other_batch_is_left_as_it_is(config, opened, batch, message):
    stored(opened, batch)
    code, output = reopen(config)
    assert (code, output.startswith("Error: "), message in output) == (1, True, True)
    ledger = opened()
    assert ledger.batches([batch.ref.id]) == {batch.ref.id: batch}
    ledger.close()


def test_while_the_exporter_runs_the_command_says_what_to_do(config, opened):
    ledger = opened()
    ledger.save(replace(LOST, closed=time.time(), outcome="lost"))
    code, output = reopen(config)
    ledger.close()
    assert (code, "the exporter runs and has the ledger open. Stop it" in output) == (1, True)


def test_without_a_ledger_none_is_made(config, tmp_path):
    code, output = reopen(config, f"--state.path={tmp_path / 'none.db'}")
    assert (code, "there is no ledger here (state.path)" in output) == (1, True)
    assert not (tmp_path / "none.db").exists()


def test_a_bad_configuration_is_one_message(tmp_path):
    code, output = reopen(tmp_path / "none.yaml")
    assert (code, output.startswith("Error: "), "no such file" in output) == (1, True, True)
