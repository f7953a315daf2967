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
from itertools import count
from pathlib import Path
from typing import Any

from runtype_exporter.ledger import Ledger, schema
from runtype_exporter.model import Batch, BatchRef, Delta, Labels, Run, Schedule
from runtype_exporter.polling.batches import costs, lifecycle
from runtype_exporter.protocols import BudgetState
from tests.ledger.golden import contents, steps, text
from tests.ledger.golden.pair import Continuation, Golden, opened, vocabulary
from tests.ledger.golden.words import identity

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


COUNTED_ONCE = row(None, "rec-w-1", "completed", "success")
COUNTED_FAILED = row(None, "rec-w-2", "failed", "failure", CONTINUE_AT - 90.5)
COUNTED_ENDLESS = row(None, "rec-w-3 ü", "cancelled", "cancelled", None)
WAITING = row(None, "rec-w-4", "running", None, None)
ADOPTED_BEFORE = row(None, "rec-w-5", "completed", "success", CONTINUE_AT - 60.25)
ADOPTER_BEFORE = {**ADOPTED_BEFORE, "result_id": "w-5"}
GUARD = 1772429400.0
REMEMBERED = row(None, "rec-gw-1", "failed", "failure", GUARD - 30.0, GUARD - 60.0)
REMEMBERED_ADOPTED = row(None, "rec-gw-2", "completed", "success", GUARD - 20.0, GUARD - 60.0)
REMEMBERED_ADOPTER = {**REMEMBERED_ADOPTED, "result_id": "gw-2"}
HALF_RECORD = "rec-h-1"
HALF_ADOPTER = next(
    key
    for key in (f"h-{number}" for number in count())
    if identity("result", key) < identity("record", HALF_RECORD)
)
"""A result id that is deleted before the record that it adopted, because its identity is lower."""
HALF_ROW = row(None, HALF_RECORD, "completed", "success", START - 300.0, START - 600.0)
HALF_ADOPTED = {**HALF_ROW, "result_id": HALF_ADOPTER}
PREPARATION = [
    page(
        "b-adopt",
        COUNTED_ONCE,
        COUNTED_FAILED,
        COUNTED_ENDLESS,
        WAITING,
        ADOPTED_BEFORE,
        total=24,
    ),
    page("b-adopt", ADOPTER_BEFORE, walk="resume", total=24),
    page("b-guard", REMEMBERED, REMEMBERED_ADOPTED, total=26),
    page("b-guard", REMEMBERED_ADOPTER, walk="resume", total=26),
    page("ib-open", row(None, "rec-i-1", "completed", "success"), total=3),
]
"""The pages that the ledger counts before it is closed. The last two sweeps still run."""


def new_batch(account: str, id_: str, created: float | None, **fields: Any) -> Batch:
    values = {
        "first_seen": START,
        "labels": Labels("weekly", "Score"),
        "schedule": "is-1",
        **fields,
    }
    return Batch(ref=BatchRef(account, id_), created=created, **values)


def close(ledger: Ledger, id_: str, *, abandoned: int = 0) -> None:
    batch = ledger.batches([id_])[id_]
    closed, delta = costs.with_cost_due(
        *lifecycle.close(batch, "success", abandoned, ledger._clock.now())
    )
    ledger.commit(delta, batches=(closed,))


def fill(ledger: Ledger) -> None:
    """Add what the format before could not store. The clock goes from START to CONTINUE_AT."""
    for account in ("initech", "hooli"):
        ledger.horizon(account, lookback=10 * DAY)
        ledger.mark_discovered(account)
        ledger.save_budget(account, BudgetState(77.5, START, START + 60.0))
        ledger.label(account, "schedule", "is-1", "weekly")
        ledger.label(account, "flow", "if-1", "Score")
    ledger.commit(
        Delta(),
        runs=(
            Run(
                account="initech",
                id="ir-old",
                schedule="is-1",
                batch="ib-old",
                created=START - 2 * DAY,
                started=START - 2 * DAY + 5.0,
                outcome="success",
                ended=START - DAY,
            ),
            Run(account="initech", id="ir-open", schedule="is-1", created=START + 2 * DAY),
        ),
        observed=(
            Schedule(account="initech", id="is-1", until=START, cron="0 5 * * 1", timezone="UTC"),
        ),
    )
    ledger.save(
        new_batch("initech", "ib-old", START - 2 * DAY + 1.25),
        new_batch("initech", "ib-undated", None),
        new_batch("initech", "ib-open", START + DAY),
        new_batch("initech", "ib-closed", START + 1.5 * DAY),
        new_batch("hooli", "hb-half", START - 600.0),
    )
    old = [
        row(f"io-{number}", f"rec-io-{number}", "completed", "success", START - 50.0, START - 90.0)
        for number in range(3)
    ]
    steps.apply_page(ledger, page("ib-old", *old))
    steps.apply_page(ledger, page("hb-half", HALF_ROW))
    steps.apply_page(ledger, page("hb-half", HALF_ADOPTED))
    for id_ in ("ib-old", "ib-undated", "hb-half"):
        close(ledger, id_)
    cheap = ledger.batches(["ib-old"])["ib-old"]
    paid, delta = costs.with_cost(cheap, 0.125)
    ledger.commit(delta, batches=(paid,))

    ledger._clock.at = CONTINUE_AT
    for account in ("acme", "initech"):
        ledger.raise_horizon(account, START + DAY)
        while ledger.forget(account, listed={"ib-undated"}, retention=RETENTION):
            pass
    ledger.forget("hooli", listed=set(), retention=RETENTION, most=1)
    for one in PREPARATION:
        steps.apply_page(ledger, one)
    close(ledger, "ib-closed")
    close(ledger, "b-swept", abandoned=1)
    ended = ledger.batches(["b-drift"])["b-drift"]
    ledger.save(replace(ended, ended=CONTINUE_AT - 5.0))


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
        "what was counted is known, with and without ids",
        page("b-adopt", COUNTED_ONCE, COUNTED_FAILED, COUNTED_ENDLESS, WAITING, ADOPTER_BEFORE),
    ),
    named_page(
        "02 the rest of a running sweep",
        "a new result without an id is counted, and its end is kept",
        page("b-adopt", row(None, "rec-w-6", "completed", "success"), walk="resume", total=24),
        records_counted={"success": 1},
    ),
    named_page(
        "03 counted results get ids",
        "an id adopts a final row without one and counts nothing; the end that was kept stays",
        page(
            "b-adopt",
            {**COUNTED_ONCE, "result_id": "w-1"},
            {**COUNTED_FAILED, "result_id": "w-2"},
            {**COUNTED_ENDLESS, "result_id": "w-3"},
        ),
    ),
    named_page(
        "04 a counted result gets an id and another outcome",
        "the end that was kept is the first one",
        page("b-adopt", row("w-1", "rec-w-1", "failed", "failure", CONTINUE_AT - 30.0)),
        records_counted={"failure": 1},
        outcome_changes={"success>failure": 1},
    ),
    named_page(
        "05 a waiting result gets an id and becomes final",
        "it was not counted before, and leaves no adoption",
        page("b-adopt", row("w-4", "rec-w-4", "completed", "success")),
        records_counted={"success": 1},
    ),
    named_page(
        "06 an adopted record is shown without its id",
        "a late page shows what was before the adoption",
        page(
            "b-adopt", ADOPTED_BEFORE, {**ADOPTED_BEFORE, "status": "failed", "outcome": "failure"}
        ),
    ),
    named_page(
        "07 an adopted record gets a second id",
        "that is another result",
        page("b-adopt", {**ADOPTER_BEFORE, "result_id": "w-5-again"}),
        records_counted={"success": 1},
    ),
    named_page(
        "08 a record whose adoption was kept by format 1 gets a second id",
        "the migrated adoption holds",
        page("b-adopt", row("ad-1-again", "rec-ad-1", "completed", "success")),
        records_counted={"success": 1},
    ),
    named_page(
        "09 a result without an id that format 1 counted gets one",
        "there was no adoption; it is made of the state alone",
        page("b-adopt", row("ad-2", "rec-ad-2", "completed", "success")),
    ),
    named_page(
        "10 remembered results",
        "final before the guard: known, never counted, with and without an id",
        page("b-guard", REMEMBERED, REMEMBERED_ADOPTER, REMEMBERED_ADOPTED),
    ),
    named_page(
        "11 a remembered result gets an id",
        "it was never counted, so that nothing is",
        page("b-guard", {**REMEMBERED, "result_id": "gw-1"}),
    ),
    named_page(
        "12 an account that began with this format",
        "one is known, one is new",
        page(
            "ib-open",
            row("i-1", "rec-i-1", "completed", "success"),
            row("i-2", "rec-i-2", "failed", "failure"),
            total=3,
        ),
        records_counted={"failure": 1},
    ),
    named_page(
        "13 a batch whose cost is due",
        "its rows are known after it closed",
        page("b-swept", row("sw-1", "rec-sw-1", "completed", "success")),
    ),
]
FORGET = {
    "do": "forget",
    "at": CONTINUE_AT + 6 * DAY,
    "retention": RETENTION,
    "listed": [],
    "ask_batches": ["b-adopt", "ib-old", "ib-undated", "ib-open", "ib-closed", "hb-half"],
    "ask_runs": ["ir-old", "ir-open"],
}
STEPS = {
    "a cost that is due": {"do": "count cost", "batch": "b-swept", "dollars": 1.5},
    "a batch of a new account closes": {
        "do": "close batch",
        "batch": "ib-open",
        "outcome": "failure",
        "abandoned": 1,
    },
    "forget the rest of a batch": {**FORGET, "account": "hooli", "horizon_at": CONTINUE_AT},
    "forget more": {**FORGET, "account": "initech", "horizon_at": CONTINUE_AT + 5 * DAY},
    "forget where it is unknown what was forgotten": {
        **FORGET,
        "account": "acme",
        "horizon_at": CONTINUE_AT + 5 * DAY,
    },
}


def made(path: Path, folder: Path) -> dict[str, Any]:
    """Return the content of the JSON file for a ledger that was filled."""
    settings = {
        **BEFORE.settings,
        "continue_at": CONTINUE_AT,
        "continue_at_text": datetime.fromtimestamp(CONTINUE_AT, UTC).isoformat(),
    }
    pages = [*PAGES, *PREPARATION, page("hb-half", HALF_ROW, HALF_ADOPTED)]
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
