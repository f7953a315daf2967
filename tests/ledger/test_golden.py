"""Ledger files of every format are opened, migrated and continued with the same numbers."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import structlog

from runtype_exporter import catalogue
from runtype_exporter.ledger import schema
from runtype_exporter.model import GIVE_UP_REASONS
from tests.ledger.golden import contents, text
from tests.ledger.golden.pair import FOLDER, Continuation, Golden, opened

GOLDEN = [Golden(version) for version in range(1, schema.VERSION + 1)]
PAGES = [(golden, page) for golden in GOLDEN for page in golden.pages]
STEPS = [(golden, step) for golden in GOLDEN for step in golden.steps]
SECTIONS = [
    "application_id",
    "created_at",
    "accounts",
    "batches",
    "runs",
    "schedules",
    "names",
    "label_names",
    "series",
    "result_rows",
    "exposition_lines",
    "reads",
]


def named(value: Any) -> str:
    """Return the id of a parameter: a golden pair's name, or a step's."""
    return str(value) if isinstance(value, Golden) else value["name"]


def rounded(value: Any) -> Any:
    """Return a value of JSON with its numbers rounded: sums may be added in another order."""
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory):
    """Migrates a copy of a golden ledger once, and returns what its continuation needs."""

    @cache
    def migrate(golden: Golden) -> Continuation:
        path = tmp_path_factory.mktemp(str(golden)) / "ledger.db"
        shutil.copyfile(golden.file, path)
        with opened(path, golden.settings):
            pass
        return Continuation(path, golden.settings, golden.vocabulary)

    return migrate


@pytest.fixture(scope="module")
def dumped(migrated, tmp_path_factory: pytest.TempPathFactory):
    """Returns everything that is in a migrated golden ledger."""

    @cache
    def dump(golden: Golden) -> dict[str, Any]:
        base = migrated(golden).base
        path = shutil.copyfile(base, tmp_path_factory.mktemp(str(golden)) / "ledger.db")
        with opened(path, golden.settings) as ledger:
            return contents.dump(ledger, base, golden.vocabulary)

    return dump


@pytest.fixture(scope="module")
def in_order(migrated, tmp_path_factory: pytest.TempPathFactory):
    """Returns what each page of a golden pair changes when all are applied to one copy."""

    @cache
    def apply(golden: Golden) -> dict[str, Any]:
        path = tmp_path_factory.mktemp(str(golden)) / "ledger.db"
        changes = migrated(golden).in_order(path, golden.pages)
        return dict(zip((page["name"] for page in golden.pages), changes, strict=True))

    return apply


def test_every_format_has_a_golden_pair():
    """If this fails: `python -m tests.ledger.golden.make`, before the next format is begun."""
    assert {f"v{version}.db" for version in range(1, schema.VERSION + 1)} == {
        file.name for file in FOLDER.glob("v*.db")
    }


@pytest.mark.parametrize("golden", GOLDEN, ids=named)
def test_a_golden_pair_is_unchanged(golden: Golden):
    assert golden.content["sha256"] == hashlib.sha256(golden.file.read_bytes()).hexdigest()
    with closing(sqlite3.connect(f"{golden.file.as_uri()}?immutable=1", uri=True)) as connection:
        assert (golden.version,) == connection.execute("PRAGMA user_version").fetchone()
    written = golden.file.with_suffix(".json").read_text(encoding="utf-8")
    assert written == text.dumps(text.loads(written))


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("golden", GOLDEN, ids=named)
def test_a_golden_ledger_still_has_its_content(golden: Golden, section: str, dumped):
    found = json.loads(json.dumps(dumped(golden)))
    assert set(SECTIONS) | {"user_version"} == set(found)
    assert rounded(golden.content[section]) == rounded(found[section])
    assert schema.VERSION == found["user_version"]


@pytest.mark.parametrize("golden", GOLDEN, ids=named)
def test_columns_that_only_sql_reads_agree_with_the_batches(golden: Golden, migrated):
    batches = golden.content["batches"]
    with closing(sqlite3.connect(migrated(golden).base)) as connection:
        columns = connection.execute(
            "SELECT id, schedule, created, closed, cost_due, given_up FROM batches"
        )
        assert {
            (
                *(one["id"], one["label_schedule"], one["created_at"], one["closed_at"]),
                one["cost_due"],
                one["outcome"] in GIVE_UP_REASONS,
            )
            for one in batches
        } == set(columns)
        families = connection.execute("SELECT metric, bounds FROM families").fetchall()
        assert golden.settings["histogram_bounds"] == {
            metric: json.loads(bounds) for metric, bounds in families
        }
        (bodies,) = connection.execute(
            "SELECT count(*) FROM batches WHERE instr(body, 'cost_due')"
        ).fetchone()
        assert bodies == 0


@pytest.mark.parametrize("golden", GOLDEN, ids=named)
def test_labels_have_the_names_that_the_file_gives_them(golden: Golden):
    for metric, names in golden.content["label_names"].items():
        assert list(catalogue.BY_NAME[metric].labels) == names


@pytest.mark.parametrize(("golden", "page"), PAGES, ids=named)
def test_a_page_continues_from_a_golden_ledger(golden: Golden, page: Any, migrated, path: Path):
    found = migrated(golden).page(path, page)
    expected = {**page["expected"]}
    del expected["changes_in_order"]
    assert rounded(expected) == rounded({key: found[key] for key in expected})


@pytest.mark.parametrize(("golden", "page"), PAGES, ids=named)
def test_a_page_continues_from_the_pages_before_it(golden: Golden, page: Any, in_order):
    expected = page["expected"]["changes_in_order"]
    assert rounded(expected) == rounded(in_order(golden)[page["name"]])


@pytest.mark.parametrize(("golden", "page"), PAGES, ids=named)
def test_what_a_page_counts_is_what_was_written_by_hand(golden: Golden, page: Any):
    counted, changed = {}, {}
    for metric, labels, before, after in page["expected"]["changes"]:
        if metric == "runtype_records_finished_total" and after != (before or 0.0):
            counted[labels[-1]] = after - (before or 0.0)
        if metric == "runtype_record_outcome_changes_total":
            changed[">".join(labels[-2:])] = after - (before or 0.0)
    assert page["records_counted"] == counted
    assert page["outcome_changes"] == changed


@pytest.mark.parametrize(("golden", "step"), STEPS, ids=named)
def test_another_step_continues_from_a_golden_ledger(
    golden: Golden, step: Any, migrated, path: Path
):
    found = migrated(golden).step(path, step["step"])
    expected = step["expected"]
    assert rounded(expected) == rounded({key: found[key] for key in expected})


@pytest.mark.parametrize("golden", GOLDEN, ids=named)
def test_a_migrated_ledger_is_not_migrated_again(golden: Golden, migrated):
    base = migrated(golden).base
    before = base.read_bytes()
    copies = [f"ledger.db.v{golden.version}"] if golden.version < schema.VERSION else []
    assert sorted(["ledger.db", *copies]) == sorted(file.name for file in base.parent.iterdir())
    with structlog.testing.capture_logs() as logs, opened(base, golden.settings):
        pass
    assert [] == logs
    assert sorted(["ledger.db", *copies]) == sorted(file.name for file in base.parent.iterdir())
    assert before == base.read_bytes()
