"""No ledger is migrated without a copy of it, or with too little free space."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from runtype_exporter.ledger import (
    LedgerNewer,
    LedgerUnusable,
    migrations,
    schema,
)
from tests.ledger.golden.first import (
    FIRST,
    assert_old,
    content,
    files,
    migrate,
    others_read,
    query,
    refused,
    version,
)


@pytest.fixture
def old(path: Path) -> Path:
    """Makes a ledger of format 1."""
    return shutil.copyfile(FIRST.file, path)


def test_the_copy_is_the_ledger_as_it_was(old: Path):
    old.chmod(0o640)
    migrate(old)
    copy = old.with_name("ledger.db.v1")
    assert ["ledger.db", "ledger.db.v1"] == files(old)
    assert version(copy) == 1
    assert content(FIRST.file) == content(copy)
    assert copy.stat().st_mode & 0o777 == 0o640
    migrate(copy)
    assert version(copy) == schema.VERSION


def test_a_migration_is_logged_before_and_after(old: Path):
    size = old.stat().st_size
    with structlog.testing.capture_logs() as logs:
        migrate(old)
    before, after = (log for log in logs if "migrat" in log["event"])
    assert before == {
        "event": "migrating the ledger",
        "log_level": "info",
        "path": str(old),
        "old": 1,
        "new": schema.VERSION,
        "bytes": size,
    }
    assert after["event"] == "ledger migrated"
    assert after["new"] == schema.VERSION


def test_a_copy_that_is_there_already_is_used(old: Path):
    migrate(old)
    copy = old.with_name("ledger.db.v1")
    before = copy.stat()
    shutil.copyfile(FIRST.file, old)
    migrate(old)
    assert ["ledger.db", "ledger.db.v1"] == files(old)
    assert (before.st_ino, before.st_mtime_ns) == (copy.stat().st_ino, copy.stat().st_mtime_ns)


def test_another_file_with_the_name_of_the_copy_is_kept(old: Path, tmp_path: Path):
    other, link = tmp_path / "ledger.db.v1", tmp_path / "ledger.db.v1.2"
    other.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    migrate(old)
    assert ["ledger.db", "ledger.db.v1", "ledger.db.v1.2", "ledger.db.v1.3"] == files(old)
    assert other.read_text() == "mine"
    assert link.readlink() == tmp_path / "nowhere"
    assert content(FIRST.file) == content(tmp_path / "ledger.db.v1.3")


def test_a_second_name_of_the_ledger_is_no_copy_of_it(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "ledger.db.v1").hardlink_to(old)
    answers = []
    step = migrations._STEPS[1]

    def asking(connection: sqlite3.Connection) -> None:
        answers.append(others_read(old))
        step(connection)

    monkeypatch.setitem(migrations._STEPS, 1, asking)
    migrate(old)
    assert ["database is locked"] == answers
    assert content(FIRST.file) == content(tmp_path / "ledger.db.v1.2")


def test_a_link_is_followed_and_the_copy_is_next_to_the_file(tmp_path: Path):
    folder = tmp_path / "volume"
    folder.mkdir()
    real, link = folder / "real.db", tmp_path / "link.db"
    shutil.copyfile(FIRST.file, real)
    link.symlink_to(real)
    migrate(link)
    assert ["real.db", "real.db.v1"] == files(real)
    assert ["link.db", "volume"] == files(link)
    assert link.is_symlink()
    query(real, f"PRAGMA user_version = {schema.VERSION + 1}")
    assert f"real.db.v{schema.VERSION}," in refused(link, LedgerNewer)


@pytest.fixture
def leave_free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the number of free bytes of the disk."""

    def leave(free: int) -> None:
        usage = shutil.disk_usage("/")._replace(free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    return leave


NEEDED = FIRST.file.stat().st_size * migrations.SPACE_NEEDED + migrations.SPARE


def test_without_enough_space_nothing_is_touched(old: Path, leave_free):
    leave_free(NEEDED - 1)
    message = refused(old, LedgerUnusable)
    assert f"needs {NEEDED} bytes of free space, there are {NEEDED - 1}" in message
    assert old.read_bytes() == FIRST.file.read_bytes()
    assert ["ledger.db"] == files(old)


def test_just_enough_space_is_enough(old: Path, leave_free):
    leave_free(NEEDED)
    migrate(old)
    assert version(old) == schema.VERSION


def test_the_needed_space_includes_the_log(old: Path, tmp_path: Path, leave_free):
    left = tmp_path / "left"
    left.mkdir()
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("UPDATE accounts SET horizon = 5.5")
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{old}{suffix}", left / f"ledger.db{suffix}")
    leave_free(NEEDED)
    refused(left / "ledger.db", LedgerUnusable)


def test_a_migration_needs_no_more_space_than_is_checked(path: Path, monkeypatch):
    shutil.copyfile(FIRST.file, path)
    with closing(sqlite3.connect(path)) as connection:
        number = range(20_000)
        connection.executemany(
            "INSERT INTO results VALUES (1, ?, ?, 0, 0, ?)",
            [(b"r%015d" % one, 9, b"k%015d" % one) for one in number]
            + [(b"k%015d" % one, 1, None) for one in number],
        )
        connection.commit()
    size, peak = path.stat().st_size, 0

    def measured(connection: sqlite3.Connection) -> None:
        nonlocal peak
        step(connection)
        peak = sum(file.stat().st_size for file in path.parent.iterdir())

    step = migrations._STEPS[1]
    monkeypatch.setitem(migrations._STEPS, 1, measured)
    migrate(path)
    assert 2 * size < peak < (1 + migrations.SPACE_NEEDED) * size


def test_others_can_neither_read_the_copy_nor_open_the_ledger_meanwhile(
    old: Path, monkeypatch: pytest.MonkeyPatch
):
    modes, answers = [], []

    def watched(name: str) -> None:
        original = getattr(migrations, name)

        def watching(*arguments: object) -> object:
            answers.append(others_read(old))
            if name == "_copy_path":
                modes.append(arguments[2].stat().st_mode & 0o777)
            return original(*arguments)

        monkeypatch.setattr(migrations, name, watching)

    chmod = Path.chmod

    def watched_chmod(file: Path, mode: int) -> None:
        modes.append(file.stat().st_mode & 0o777)
        chmod(file, mode)

    for name in ("expect_space", "back_up", "_copy_path", "migrate"):
        watched(name)
    old.chmod(0o600)
    monkeypatch.setattr(Path, "chmod", watched_chmod)
    migrate(old)
    assert [0o600, 0o600] == modes
    assert ["database is locked"] * 4 == answers


def test_the_copy_is_on_disk_before_the_migration_begins(
    old: Path, monkeypatch: pytest.MonkeyPatch
):
    events = []
    for name in ("_sync", "_copy_path", "migrate"):
        original = getattr(migrations, name)

        def noted(*arguments, name=name, original=original):
            events.append((name, Path(arguments[0]).name if name == "_sync" else ""))
            return original(*arguments)

        monkeypatch.setattr(migrations, name, noted)
    migrate(old)
    synced = [("_sync", "ledger.db.v1.unfinished"), ("_copy_path", ""), ("_sync", old.parent.name)]
    assert [*synced, ("migrate", "")] == events


def test_an_unfinished_copy_is_cleared_away(old: Path, tmp_path: Path):
    for suffix in ("", "-journal"):
        (tmp_path / f"ledger.db.v1.unfinished{suffix}").write_bytes(b"half a copy")
    migrate(old)
    assert ["ledger.db", "ledger.db.v1"] == files(old)
    assert content(FIRST.file) == content(tmp_path / "ledger.db.v1")


@pytest.mark.parametrize("call", ["touch", "chmod", "replace"])
def test_a_copy_that_cannot_be_made_is_a_refusal_that_says_so(
    call: str, old: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, call, fail)
        message = refused(old, LedgerUnusable)
    assert "it could not be copied before an upgrade of its format: Permission denied" in message
    assert ["ledger.db"] == files(old)
    assert_old(old)


def test_a_failure_without_a_text_is_named_by_its_kind(old: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(_: object) -> None:
        raise OSError

    monkeypatch.setattr(shutil, "disk_usage", fail)
    assert "an upgrade of its format: OSError" in refused(old, LedgerUnusable)
