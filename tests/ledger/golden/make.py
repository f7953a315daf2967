"""Make the golden pair of the present format: `python -m tests.ledger.golden.make`.

It migrates a copy of the golden ledger of the format before, and adds through the Ledger what only
the present format can store. An existing pair is never replaced. For a new format, rewrite `fill`,
`PAGES` and `STEPS`: they are used only once.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runtype_exporter.catalogue import BATCHES_GIVEN_UP, UNCOUNTED_RECORDS, series
from runtype_exporter.ledger import Ledger, schema
from runtype_exporter.model import Batch, BatchRef, Delta, GiveUpReason, Labels, Learned
from tests.ledger.golden import contents, steps, text
from tests.ledger.golden.pair import Continuation, Golden, opened, vocabulary

BEFORE = Golden(schema.VERSION - 1)
MADE = Golden(schema.VERSION)
DAY = 86_400.0
START = BEFORE.settings["continue_at"]
CONTINUE_AT = START + 3 * DAY
RETENTION = BEFORE.settings["retention_seconds"]


def row(  # noqa: PLR0917  # the order of a row's columns
    key: str | None,
    record: str,
    status: str,
    outcome: str | None,
    finished: float | None = CONTINUE_AT - 120.0,
    created: float = CONTINUE_AT - 300.0,
) -> dict[str, Any]:
    return {
        "result_id": key,
        "record_id": record,
        "status": status,
        "outcome": outcome,
        "created_at": created,
        "finished_at": finished,
        "time_fault": "",
    }


def page(batch: str, *rows: dict[str, Any], walk: str = "new", total: int = 20) -> dict[str, Any]:
    return {"batch": batch, "walk": walk, "count": True, "total": total, "rows": list(rows)}


END = CONTINUE_AT - 120.0
AGAIN = row(None, "rec-p-1", "failed", "failure", END - 60.0)
AGAIN_RETRIED = row(None, "rec-p-1", "completed", "success", END)
COUNTED_FAILED = row(None, "rec-p-2", "failed", "failure", END - 60.5)
COUNTED_ONCE = row(None, "rec-p-3", "completed", "success", END)
WAITING = row(None, "rec-p-4", "running", None, None)
SHOWN_EARLY = row("p-5", "rec-p-5", "running", None, None)
COUNTED_EARLY = row(None, "rec-p-5", "completed", "success", END - 30.25)
COUNTED_ENDLESS = row(None, "rec-p-6 ü", "cancelled", "cancelled", None)
PAUSED = [row(f"p-7{letter}", f"rec-p-7{letter}", "paused", None, None) for letter in "ab"]
GUARD = START + 1.5 * DAY
REMEMBERED = row(None, "rec-q-1", "failed", "failure", GUARD - 30.0, GUARD - 60.0)
REMEMBERED_RETRIED = row(None, "rec-q-1", "completed", "success", END, GUARD - 60.0)
PREPARATION = [
    page("pb-open", AGAIN, COUNTED_FAILED, COUNTED_ONCE, WAITING, COUNTED_EARLY, COUNTED_ENDLESS),
    page("pb-open", AGAIN_RETRIED, SHOWN_EARLY, *PAUSED, walk="resume"),
    page("pb-guard", REMEMBERED, REMEMBERED_RETRIED, total=2),
]
"""The pages that the ledger counts before it is closed. Their sweeps still run."""
GIVEN_UP: dict[str, GiveUpReason] = {
    "pb-lost": "lost",
    "pb-unreadable": "unreadable",
    "pb-stale": "stale",
}
LEARNED = Learned(
    run_order="new-first",
    page_sizes={"results": 50, "runs": 100},
    forbidden={"cost": CONTINUE_AT + 3600.0},
    unknown_schedules=frozenset({"s-gone", "s-one ü"}),
    sources={"summary": START + 0.5 * DAY},
    absent={"s-absent": (START + 0.25, 2)},
)


def new_batch(id_: str, created: float | None, **fields: Any) -> Batch:
    values = {
        "first_seen": START,
        "labels": Labels("weekly", "Score"),
        "schedule": "is-1",
        **fields,
    }
    return Batch(ref=BatchRef("initech", id_), created=created, **values)


def give_up(ledger: Ledger, id_: str, reason: GiveUpReason, uncounted: int) -> None:
    batch = ledger.batches([id_])[id_]
    assert batch.labels is not None
    flow = {"account": batch.ref.account, **batch.labels._asdict()}
    closed = replace(batch, closed=ledger._clock.now(), outcome=reason, sweep=None, prefix=None)
    increments = {
        series(BATCHES_GIVEN_UP, account=batch.ref.account, reason=reason): 1.0,
        series(UNCOUNTED_RECORDS, **flow): float(uncounted),
    }
    ledger.commit(Delta(increments=increments), batches=(closed,))


def fill(ledger: Ledger) -> None:
    """Add what the format before could not store. The clock goes from START to CONTINUE_AT."""
    ledger.set_learned("acme", LEARNED)
    ledger.set_learned("umbrella", Learned(run_order="old-first"))
    ledger.lower_horizon("initech", START - 30 * DAY)
    ledger.save(
        new_batch(
            "pb-open",
            START + DAY,
            changed=START + 2 * DAY,
            unreadable_since=START + 2.5 * DAY,
            unreadable_for=1_800.5,
            run_ended_since=START + 2.25 * DAY,
            page_size=25,
        ),
        new_batch("pb-guard", None, count_from=GUARD),
        new_batch("pb-missing", START + DAY, missing_since=START + 1.25 * DAY, missing_for=7_200.5),
        *(new_batch(id_, START + DAY) for id_ in GIVEN_UP),
        new_batch("pb-listed", START - 20 * DAY, closed=START + 1.0, outcome="success"),
    )
    ledger._clock.at = CONTINUE_AT - DAY
    for number, (id_, reason) in enumerate(GIVEN_UP.items()):
        give_up(ledger, id_, reason, number)
    ledger._clock.at = CONTINUE_AT
    for one in PREPARATION:
        steps.apply_page(ledger, one)
    ledger.update("pb-stale", lambda batch: replace(batch, reread_at=CONTINUE_AT - 60.0))


def named_page(
    name: str, why: str, what: Mapping[str, Any], **by_hand: dict[str, int]
) -> dict[str, Any]:
    """Return a page with its name, and what it counts, written by hand."""
    return {
        "name": name,
        "why": why,
        **what,
        "records_counted": {},
        "outcome_changes": {},
        **by_hand,
    }


PAGES = [
    named_page(
        "01 the same rows again",
        "what was counted is known, both attempts of a record included",
        page(
            "pb-open",
            AGAIN_RETRIED,
            AGAIN,
            COUNTED_FAILED,
            COUNTED_ONCE,
            WAITING,
            COUNTED_ENDLESS,
            *PAUSED,
        ),
    ),
    named_page(
        "02 both counted attempts of a record get ids, the retry first",
        "each id takes over what has its outcome and its end",
        page("pb-open", {**AGAIN_RETRIED, "result_id": "p-1b"}, {**AGAIN, "result_id": "p-1a"}),
    ),
    named_page(
        "03 the retry gets an id, the first attempt is still shown without one",
        "the record keeps what is not taken over yet",
        page("pb-open", {**AGAIN_RETRIED, "result_id": "p-1b"}, AGAIN, AGAIN_RETRIED),
    ),
    named_page(
        "04 a counted record was retried, and both attempts get ids",
        "the retry is another result, whatever the order",
        page(
            "pb-open",
            row("p-2b", "rec-p-2", "completed", "success", END),
            {**COUNTED_FAILED, "result_id": "p-2a"},
        ),
        records_counted={"success": 1},
    ),
    named_page(
        "05 an id with the stored outcome and another end",
        "that is another result",
        page("pb-open", {**COUNTED_ONCE, "result_id": "p-3", "finished_at": END + 0.5}),
        records_counted={"success": 1},
    ),
    named_page(
        "06 a waiting result gets an id",
        "any id takes over what was not counted",
        page("pb-open", {**WAITING, "result_id": "p-4"}),
    ),
    named_page(
        "07 an id that was shown unfinished becomes final with the stored end",
        "it was counted before, without its id",
        page("pb-open", {**COUNTED_EARLY, "result_id": "p-5"}),
    ),
    named_page(
        "08 an id that was shown unfinished becomes final with another end",
        "that is another result",
        page("pb-open", {**COUNTED_EARLY, "result_id": "p-5", "finished_at": END}),
        records_counted={"success": 1},
    ),
    named_page(
        "09 an id of a result without an end",
        "no end is the stored end",
        page("pb-open", {**COUNTED_ENDLESS, "result_id": "p-6"}),
    ),
    named_page(
        "10 an end that is not believed",
        "counted, but in no histogram",
        page(
            "pb-open",
            {
                **row("p-8", "rec-p-8", "completed", "success", CONTINUE_AT + 9 * DAY),
                "time_fault": "implausible",
            },
        ),
        records_counted={"success": 1},
    ),
    named_page(
        "11 a remembered result and its retry get ids",
        "the first attempt was never counted, the retry was",
        page(
            "pb-guard",
            {**REMEMBERED_RETRIED, "result_id": "q-1b"},
            {**REMEMBERED, "result_id": "q-1a"},
            total=2,
        ),
    ),
]
FORGET = {
    "do": "forget",
    "at": CONTINUE_AT + 20 * DAY,
    "retention": RETENTION,
    "listed": ["pb-listed"],
    "ask_batches": ["pb-listed", "pb-open", *GIVEN_UP],
    "ask_runs": [],
    "account": "initech",
    "horizon_at": CONTINUE_AT + 10 * DAY,
}
STEPS = {
    "a given-up batch is followed again": {"do": "reopen batch", "batch": "pb-unreadable"},
    "forget given-up batches, and keep what is listed": FORGET,
    "forget what is no longer listed": {**FORGET, "listed": []},
}


def made(path: Path, folder: Path) -> dict[str, Any]:
    """Return the content of the JSON file for a ledger that was filled."""
    settings = {
        **BEFORE.settings,
        "continue_at": CONTINUE_AT,
        "continue_at_text": datetime.fromtimestamp(CONTINUE_AT, UTC).isoformat(),
    }
    pages = [*PAGES, *PREPARATION, *BEFORE.pages]
    words = vocabulary({"batches": BEFORE.content["batches"], "continue": {"pages": pages}})
    continuation = Continuation(path, settings, words)
    copy = shutil.copyfile(path, folder / "copy.db")
    with opened(copy, settings) as ledger:
        content = contents.dump(ledger, path, words)
    work = folder / "work.db"
    pages = [{**one, "expected": continuation.page(work, one)} for one in PAGES]
    for one, changes in zip(pages, continuation.in_order(work, PAGES), strict=True):
        if changes != one["expected"]["changes"]:
            one["expected"]["changes_in_order"] = changes
    other = [
        {"name": name, "step": step, "expected": continuation.step(work, step)}
        for name, step in STEPS.items()
    ]
    return {
        "about": f"What {MADE.file.name} holds and what continues from it. See README.md.",
        "made_by": f"make.py, from {BEFORE.file.name}, in the commit that added this file",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "settings": settings,
        **content,
        "continue": {"pages": pages, "other": other},
    }


def main() -> None:
    json_file = MADE.file.with_suffix(".json")
    if MADE.file.exists() or json_file.exists():
        sys.exit(f"{MADE.file.name} or its JSON exists: a golden pair is never made again")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = shutil.copyfile(BEFORE.file, folder / "ledger.db")
        with opened(path, BEFORE.settings) as ledger:
            fill(ledger)
        json_file.write_text(text.dumps(made(path, folder)), encoding="utf-8")
        shutil.copyfile(path, MADE.file)


if __name__ == "__main__":
    main()
