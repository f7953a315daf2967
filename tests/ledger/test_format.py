"""The stored format: it changes only with VERSION, and content of a newer version is refused."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import MISSING, Field, field, fields, make_dataclass
from pathlib import Path

import pytest
import structlog

from runtype_exporter import catalogue, model
from runtype_exporter.ledger import LedgerDamaged, LedgerNewer, codec, learned, migrations, schema
from runtype_exporter.ledger.states import StoredState
from runtype_exporter.model import Batch, Learned, Schedule, Sweep, SweepTally

SHAPES = {
    2: "9ebc8a2c19a41bae57fce20ed645040b2bced06c09109d27c3caf0af0b6fae06",
    3: "57db7fee75731214ae28a97069526948bf17a2590b847e7a8a121d24250afe8f",
}
"""The hash of the stored shape of each version since there are hashes."""


TABLES = (
    (Batch, codec.BATCH),
    (Batch, codec.BATCH_NESTED),
    (Sweep, codec.SWEEP),
    (SweepTally, codec.TALLY),
    (Schedule, codec.SCHEDULE),
    (Learned, learned.LEARNED),
)


def default(value: Field) -> str:
    """Return an attribute's default, which stands for a key that is not on disk."""
    if value.default_factory is not MISSING:
        return repr(value.default_factory())
    return "required" if value.default is MISSING else repr(value.default)


def stored_shape(
    tables: Iterable[tuple[type, Mapping[str, str]]] = TABLES,
) -> str:
    """Return everything that decides how a value looks on disk, as text. Names in Python do not."""
    keys = []
    for kind, table in tables:
        defaults = {field.name: default(field) for field in fields(kind)}
        keys.append(sorted((key, defaults[name]) for name, key in table.items()))
    public = {
        name: value
        for module in (codec, learned)
        for name, value in vars(module).items()
        if not name.startswith("_") and name not in vars(model)
    }
    parts = sorted(
        value for name, value in public.items() if isinstance(value, tuple) and "COLUMN" not in name
    )
    states = {state.name: int(state) for state in StoredState}
    return repr((schema.TABLES, keys, parts, states))


def test_the_shape_has_every_table_of_keys():
    public = [
        value
        for module in (codec, learned)
        for name, value in vars(module).items()
        if not name.startswith("_")
    ]
    assert [table for _, table in TABLES] == [one for one in public if isinstance(one, dict)]


def test_another_default_is_another_shape_and_another_attribute_is_not():
    def made(name: str, default: object) -> str:
        kind = make_dataclass("Kind", [(name, object, field(default=default))])
        return stored_shape([(kind, {name: "key"})])

    assert made("a", 0) == made("b", 0)
    assert made("a", 0) != made("a", 1)
    assert made("a", 0) != made("a", 0.0)


def test_the_stored_shape_changes_only_together_with_the_version():
    """If this fails: raise VERSION, write a migration and a golden ledger, and add the new hash."""
    shape = hashlib.sha256(stored_shape().encode()).hexdigest()
    assert shape == SHAPES[schema.VERSION]
    assert max(SHAPES) == schema.VERSION


@pytest.mark.parametrize(
    ("kind", "tables"),
    [
        (Batch, (codec.BATCH, codec.BATCH_NESTED, codec.BATCH_COLUMNS)),
        (Sweep, (codec.SWEEP,)),
        (SweepTally, (codec.TALLY,)),
        (Schedule, (codec.SCHEDULE, codec.SCHEDULE_COLUMNS)),
        (Learned, (learned.LEARNED,)),
    ],
)
def test_every_attribute_has_a_place_on_disk_and_only_one(kind, tables):
    names = [name for table in tables for name in table]
    assert sorted(names) == sorted(field.name for field in fields(kind))
    keys = [key for table in tables if isinstance(table, dict) for key in table.values()]
    assert len(keys) == len(set(keys))


@pytest.fixture
def filled(open_ledger, path: Path, a_batch, a_result, closed) -> Path:
    ledger = open_ledger()
    batch = a_batch()
    ledger.apply(batch, [a_result("k1"), a_result(None, "r2")], lambda _: batch, now=1_000.0)
    ledger.save(closed("b2"))
    ledger.close()
    return path


def edit(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def with_body(body: str) -> str:
    return f"UPDATE batches SET body = '{body}'"


def with_series(metric: str, labels: str, counts: str = "NULL") -> str:
    return f"INSERT INTO series VALUES ('{metric}', '{labels}', 1.0, 3.0, {counts}, 1.0)"


FINISHED = "runtype_batches_finished_total"
UNKNOWN_SERIES = "an unknown metric, or a known one with other labels"
FROM_THE_FUTURE = [
    (with_body('{"seen":1,"novel":1}') + " WHERE id = 'b2'", "an unknown field of a batch"),
    (with_body('{"seen":1,"outcome":"skipped"}'), "an unknown outcome of a batch"),
    (with_body('{"seen":1,"probes":{"stream":["x",1,1,0]}}'), "an unknown source of a probe"),
    (with_body('{"seen":1,"probes":{"run":["x",1,1,0,7]}}'), "an unknown part of a probe"),
    (with_body('{"seen":1,"labels":["a","b","c"]}'), "an unknown part of labels"),
    (with_body('{"seen":1,"picture":[1,2,{},4]}'), "an unknown part of a snapshot"),
    (with_body('{"seen":1,"prefix":[1,2,"x",{},5]}'), "an unknown part of a prefix"),
    (with_body('{"seen":1,"sweep":{"novel":1}}'), "an unknown field of a sweep"),
    (with_body('{"seen":1,"picture":[1,2,{"novel":3}]}'), "an unknown field of a tally"),
    ("UPDATE results SET state = 5", "an unknown state of a result"),
    ("UPDATE adoptions SET outcome = 5", "an unknown outcome of an adopted result"),
    (
        "INSERT INTO accounts VALUES ('a', 1.0, 1, 0.0, '{\"novel\":1}')",
        "an unknown field of what an account has learned",
    ),
    (
        "INSERT INTO runs VALUES ('r', 'a', 's', '', 1.0, 1.0, 'skipped', 2.0)",
        "an unknown outcome of a run",
    ),
    ("INSERT INTO schedules VALUES ('s', 'a', '{\"novel\":1}')", "an unknown field of a schedule"),
    (with_series("runtype_new_total", '["acme"]'), UNKNOWN_SERIES),
    (with_series(FINISHED, '["a","s","f","success","x"]'), UNKNOWN_SERIES),
    (with_series(FINISHED, '["a","s","f","success"]', "'[1]'"), UNKNOWN_SERIES),
    (with_series("runtype_up", '["acme"]'), UNKNOWN_SERIES),
]


@pytest.mark.parametrize(("statement", "what"), FROM_THE_FUTURE)
def test_content_of_a_newer_version_is_refused_as_newer_and_left_alone(
    statement: str, what: str, filled: Path, open_ledger
):
    edit(filled, statement)
    before = filled.read_bytes()
    with pytest.raises(LedgerNewer) as refused:
        open_ledger()
    assert f": this ledger holds {what}: a newer exporter wrote it." in str(refused.value)
    assert "novel" not in str(refused.value)
    assert filled.read_bytes() == before


def test_an_adopted_record_without_its_adopter_is_damage(filled: Path, open_ledger):
    edit(filled, "UPDATE results SET state = 255 WHERE id IN (SELECT record FROM adoptions)")
    with pytest.raises(LedgerDamaged):
        open_ledger()


@pytest.mark.parametrize(
    "statement",
    [
        with_body('{"seen":1,"drift":"x"}'),
        with_body('{"seen":1,"sweep":5}'),
        "INSERT INTO schedules VALUES ('s', 'a', '{\"due\":\"x\"}')",
    ],
)
def test_a_value_of_the_wrong_type_is_damage(statement: str, filled: Path, open_ledger):
    edit(filled, statement)
    before = filled.read_bytes()
    with pytest.raises(LedgerDamaged, match="a row cannot be read: ValueError"):
        open_ledger()
    assert filled.read_bytes() == before


def test_a_refused_ledger_is_not_kept_locked(filled: Path, open_ledger):
    edit(filled, "INSERT INTO schedules VALUES ('s', 'a', '[1]')")
    with pytest.raises(LedgerDamaged) as refused:
        open_ledger()
    edit(filled, "BEGIN EXCLUSIVE")
    assert refused.value


RETIRED = ("runtype_old_total", '["acme"]')


@pytest.fixture
def retired(filled: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Adds a series of a metric that this version has retired."""
    edit(filled, with_series(*RETIRED))
    monkeypatch.setattr(catalogue, "RETIRED", frozenset({(RETIRED[0], 1)}))
    return filled


def test_series_of_a_retired_metric_stay_on_disk_unshown_and_are_logged(
    retired: Path, open_ledger, a_batch, a_result
):
    with structlog.testing.capture_logs() as logs:
        ledger = open_ledger()
    assert [RETIRED[0]] == logs[0]["metrics"]
    assert 1 == logs[0]["series"]
    assert RETIRED[0] not in ledger.snapshot().families
    batch = a_batch()
    ledger.apply(batch, [a_result("k9")], lambda _: batch, now=1_000.0)
    ledger.end_series("acme", [], before=float("inf"))
    ledger.close()
    with closing(sqlite3.connect(retired)) as connection:
        rows = connection.execute("SELECT value FROM series WHERE metric = ?", RETIRED[:1])
        assert [(3.0,)] == rows.fetchall()


def test_a_retired_number_of_labels_is_not_shown_with_the_present_one(
    filled: Path, open_ledger, monkeypatch: pytest.MonkeyPatch
):
    name = "runtype_records_abandoned_total"
    edit(filled, with_series(name, '["acme"]'))
    monkeypatch.setattr(catalogue, "RETIRED", frozenset({(name, 1)}))
    labels = open_ledger().snapshot().families[name].keys()
    assert {("production", "nightly", "enrich")} == set(labels)


def test_the_migrations_lead_to_the_present_format():
    assert schema.VERSION == migrations.NEWEST
