"""Files of ledgers as crashes, full disks and other programs leave them.

A ledger that is intact opens, with every count.
"""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runtype_exporter import catalogue
from runtype_exporter.clock import SystemClock
from runtype_exporter.ledger import (
    Ledger,
    LedgerDamaged,
    LedgerForeign,
    LedgerLocked,
    LedgerNewer,
    LedgerRefused,
    LedgerUnusable,
    copy_check,
    examination,
    schema,
)
from runtype_exporter.ledger.check_folder import CheckFolder, places
from runtype_exporter.ledger.look import Examiner
from tests.support.counted import BATCH, SUCCESS, count
from tests.support.process import ROOT

OpenLedger = Callable[..., Ledger]
PAGE = 4096
LOG_HEADER, FRAME = 32, 24 + PAGE

IMPORTS = """
import os, resource, sqlite3, sys
from pathlib import Path
from runtype_exporter.clock import SystemClock
from runtype_exporter.ledger import Ledger, LedgerError, schema
from runtype_exporter.ledger.check_folder import CheckFolder, places
from runtype_exporter.ledger.look import Examiner
from tests.support.counted import count

path = Path(sys.argv[1])
"""


def run(program: str, path: Path) -> str:
    """Run a program in its own process, after IMPORTS. Return what it printed."""
    command = [sys.executable, "-c", IMPORTS + program, str(path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert not done.stderr, done.stderr
    return done.stdout


@dataclass
class Remains:
    """The files of an open ledger after a power cut.

    The file is as the last checkpoint left it, and the log has several commits.
    """

    main: bytes
    log: bytes
    pages: dict[int, bytes] = field(default_factory=dict)
    rows: int = 500

    def __post_init__(self) -> None:
        for start in range(LOG_HEADER, len(self.log) - FRAME + 1, FRAME):
            number = int.from_bytes(self.log[start : start + 4], "big")
            self.pages[number] = self.log[start + 24 : start + FRAME]

    def checkpointed(self, pages: int) -> bytes:
        """Return the file after a checkpoint that wrote only so many pages.

        SQLite writes them in order.
        """
        main = bytearray(self.main)
        for number in sorted(self.pages)[:pages]:
            start = (number - 1) * PAGE
            main.extend(bytes(max(0, start + PAGE - len(main))))
            main[start : start + PAGE] = self.pages[number]
        return bytes(main)


@pytest.fixture(scope="module")
def remains(tmp_path_factory: pytest.TempPathFactory) -> Remains:
    path = tmp_path_factory.mktemp("remains") / "ledger.db"
    with closing(
        Ledger.open(path, clock=SystemClock(), boundaries=catalogue.boundaries())
    ) as ledger:
        count(ledger, 0, 200)
    with closing(
        Ledger.open(path, clock=SystemClock(), boundaries=catalogue.boundaries())
    ) as ledger:
        count(ledger, 200, 500)
        return Remains(path.read_bytes(), path.with_name("ledger.db-wal").read_bytes())


@pytest.fixture
def lay(path: Path) -> Callable[..., Path]:
    """Puts files where the ledger is expected, and removes those that are there."""

    def put(main: bytes | None, log: bytes | None = None, **others: bytes) -> Path:
        for name, content in {
            "": main,
            "-wal": log,
            "-shm": None,
            "-journal": None,
            **others,
        }.items():
            file = path.with_name(path.name + (f"-{name}" if name and name[0] != "-" else name))
            file.unlink(missing_ok=True)
            if content is not None:
                file.write_bytes(content)
        return path

    return put


def rows(open_ledger: OpenLedger, path: Path) -> int:
    """Open a ledger, write to it and close it. Return its number of identities."""
    ledger = open_ledger(path)
    number = ledger.rows()
    ledger.save(BATCH)
    ledger.close()
    return number


def refused(open_ledger: OpenLedger, path: Path, kind: type[LedgerRefused]) -> str:
    """Open a ledger, expect the refusal and that no file changed or was added or removed.

    Return the message.
    """

    def files() -> dict[str, bytes]:
        return {
            str(file.relative_to(path.parent)): file.read_bytes()
            for file in path.parent.rglob("*")
            if file.is_file()
        }

    before = files()
    with pytest.raises(kind) as caught:
        open_ledger(path)
    assert files() == before
    return str(caught.value)


# --- checkpoints that were cut off ---


def test_a_checkpoint_that_was_cut_off_after_any_page_left_an_intact_ledger(
    remains: Remains, lay, open_ledger: OpenLedger
):
    cut_off = 0
    for pages in range(len(remains.pages) + 1):
        main = remains.checkpointed(pages)
        cut_off += int.from_bytes(main[28:32], "big") > len(main) // PAGE
        assert rows(open_ledger, lay(main, remains.log)) == remains.rows
    assert cut_off > 1, "the header says more pages than there are"


@pytest.mark.parametrize(
    "end", ["ledger.close()", "os.kill(os.getpid(), 9)"], ids=["stopped", "killed"]
)
def test_a_disk_that_was_full_when_the_log_was_written_back_left_an_intact_ledger(
    end: str, path: Path, open_ledger: OpenLedger, totals
):
    """The first pages are in the file, the last ones are not: once this was taken for damage."""
    program = f"""
ledger = Ledger.open(path, clock=SystemClock(), boundaries={{}})
count(ledger, 0, 500)
ledger.close()
ledger = Ledger.open(path, clock=SystemClock(), boundaries={{}})
count(ledger, 500, 1500)
full = path.stat().st_size + 3 * {PAGE}
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (full, limits[1]))
try:
    count(ledger, 1500, 1550)
except LedgerError:
    print("full", flush=True)
try:
    ledger._database._connection.execute("PRAGMA wal_checkpoint")
except sqlite3.Error:
    print("cut off", flush=True)
{end}
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
"""
    assert run(program, path).split("\n") == ["full", "cut off", ""]
    main = path.read_bytes()
    assert int.from_bytes(main[28:32], "big") > len(main) // PAGE, (
        "the header says more pages than there are"
    )
    ledger = open_ledger()
    assert ledger.rows() == 1500
    assert totals(ledger)[SUCCESS] == 1500


def test_an_intact_ledger_opens_without_a_copy(
    remains: Remains, lay, open_ledger: OpenLedger, monkeypatch
):
    monkeypatch.setattr(copy_check, "_copy", None)
    for pages in (0, 1, len(remains.pages)):
        assert rows(open_ledger, lay(remains.checkpointed(pages), remains.log)) == remains.rows
    assert rows(open_ledger, lay(remains.checkpointed(len(remains.pages)))) == remains.rows


# --- the index of the log ---


def index_of_another_log(folder: Path) -> bytes:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "other.db")) as connection:
        connection.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)"
        )
        return (folder / "other.db-shm").read_bytes()


def test_a_ledger_opens_with_any_index_of_its_log(
    remains: Remains, lay, open_ledger: OpenLedger, tmp_path: Path
):
    for index in (b"", b"x", b"\xa5" * 32_768, index_of_another_log(tmp_path / "other")):
        assert (
            rows(open_ledger, lay(remains.checkpointed(1), remains.log, shm=index)) == remains.rows
        )


def test_a_ledger_whose_log_can_have_no_index_is_judged_by_a_copy(
    remains: Remains, lay, open_ledger: OpenLedger
):
    path = lay(remains.checkpointed(1), remains.log)
    path.with_name("ledger.db-shm").mkdir()
    assert rows(open_ledger, path) == remains.rows
    path.with_name("ledger.db-shm").rmdir()


def test_a_disk_without_space_for_index_or_copy_is_no_damage(
    remains: Remains, lay, open_ledger: OpenLedger
):
    path = lay(remains.checkpointed(1), remains.log)
    program = """
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
try:
    Ledger.open(path, clock=SystemClock(), boundaries={})
except LedgerError as error:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    print(type(error).__name__, error)
"""
    before = (path.read_bytes(), path.with_name("ledger.db-wal").read_bytes())
    said = run(program, path).splitlines()[-1]
    assert said.startswith(f"LedgerUnusable {path}: the ledger cannot be opened (SQLITE_IOERR")
    assert (
        f"it may well be intact, but only a check of a copy can tell: free 0.2 MB in {path.parent}"
        " or in" in said
    )
    assert (path.read_bytes(), path.with_name("ledger.db-wal").read_bytes()) == before
    assert not any(place.exists() for place in places(path))
    assert rows(open_ledger, path) == remains.rows


def test_a_copy_that_would_fill_the_disk_is_not_begun(
    remains: Remains, lay, open_ledger: OpenLedger, monkeypatch
):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10_000))
    message = refused(open_ledger, lay(remains.checkpointed(1)), LedgerUnusable)
    assert "(SQLITE_CORRUPT; it may well be intact" in message


def test_a_disk_that_fails_while_it_is_copied_is_no_damage(
    remains: Remains, lay, open_ledger: OpenLedger, monkeypatch
):
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = lay(remains.checkpointed(1), remains.log[:LOG_HEADER])
    monkeypatch.setattr(shutil, "copyfile", fail)
    assert "(SQLITE_CORRUPT; Input/output error)" in refused(open_ledger, path, LedgerUnusable)


def test_a_copy_that_cannot_be_read_is_no_damage(
    remains: Remains, lay, open_ledger: OpenLedger, monkeypatch, tmp_path: Path
):
    def copy(path: Path, *_: object) -> CheckFolder:
        folder = CheckFolder(tmp_path / "check", path)
        folder.copy = tmp_path / "missing" / "ledger.db"
        return folder

    monkeypatch.setattr(copy_check, "_copy", copy)
    message = refused(open_ledger, lay(remains.checkpointed(1)), LedgerUnusable)
    assert "a copy of it cannot be checked: SQLITE_CANTOPEN" in message


@contextmanager
def read_only_folder(remains: Remains, *, files: int) -> Iterator[Path]:
    """Make a ledger in a folder in which this user can create nothing.

    For root, who could, another user is taken.
    """
    folder = Path(tempfile.mkdtemp())
    user = os.geteuid()
    path = folder / "ledger.db"
    try:
        for file, content in (
            (path, remains.checkpointed(1)),
            (path.with_name("ledger.db-wal"), remains.log),
        ):
            file.write_bytes(content)
            file.chmod(files)
            os.chown(file, user or 65534, -1)
        folder.chmod(0o555)
        os.seteuid(user or 65534)
        yield path
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written_is_no_damage(remains: Remains, open_ledger: OpenLedger):
    with read_only_folder(remains, files=0o444) as path:
        refused(open_ledger, path, LedgerUnusable)
    with read_only_folder(remains, files=0o644) as path:
        assert rows(open_ledger, path) == remains.rows


def test_a_file_that_cannot_be_read_is_no_damage(remains: Remains, open_ledger: OpenLedger):
    with (
        read_only_folder(remains, files=0o000) as path,
        pytest.raises(LedgerUnusable, match="Permission denied"),
    ):
        open_ledger(path)


# --- logs that were cut short ---


def test_a_log_that_ends_anywhere_keeps_what_was_committed_before(
    remains: Remains, lay, open_ledger: OpenLedger
):
    cuts = [0, 1, LOG_HEADER - 1, LOG_HEADER]
    for frame in range(LOG_HEADER, len(remains.log), FRAME):
        cuts += [frame + 10, frame + 2_000, frame + FRAME]
    numbers = [rows(open_ledger, lay(remains.main, remains.log[:cut])) for cut in cuts]
    assert numbers == sorted(numbers)
    assert sorted(set(numbers)) == list(range(200, 501, 50))


@pytest.mark.parametrize("keep", [None, 0, LOG_HEADER], ids=["deleted", "empty", "header"])
def test_a_lost_log_after_an_interrupted_checkpoint_is_damage(
    keep: int | None, remains: Remains, lay, open_ledger: OpenLedger
):
    path = lay(remains.checkpointed(1), None if keep is None else remains.log[:keep])
    message = refused(open_ledger, path, LedgerDamaged)
    assert (
        "this ledger is damaged (SQLITE_CORRUPT) and is left as it is. Copy ledger.db,"
        " ledger.db-wal and" in message
    )


def test_a_first_page_that_only_the_log_has_is_no_damage(
    remains: Remains, lay, open_ledger: OpenLedger
):
    assert 1 in remains.pages
    assert rows(open_ledger, lay(bytes(PAGE) + remains.main[PAGE:], remains.log)) == remains.rows


def test_a_ledger_with_a_blank_first_page_is_damaged_and_not_foreign(
    remains: Remains, lay, open_ledger: OpenLedger
):
    """If a log is cut short while it is in use, SQLite reads blanks and may write them back."""
    refused(open_ledger, lay(bytes(PAGE) + remains.main[PAGE:]), LedgerDamaged)
    refused(open_ledger, lay(bytes(PAGE) + b"\xa5" * (2 << 20)), LedgerForeign)
    refused(open_ledger, lay(bytes((1 << 20) - 4) + b"runtype_" + bytes(PAGE)), LedgerDamaged)


def test_a_log_of_another_ledger_is_named_in_the_refusal(
    remains: Remains, lay, open_ledger: OpenLedger, tmp_path: Path
):
    other = open_ledger(tmp_path / "other.db")
    count(other, 0, 1_000)
    other.close()
    main = (tmp_path / "other.db").read_bytes()
    path = lay(main, remains.log[: LOG_HEADER + 4 * FRAME])
    message = refused(open_ledger, path, LedgerDamaged)
    assert (
        "but without its write-ahead log it is whole: does ledger.db-wal belong to another ledger?"
        in message
    )
    assert rows(open_ledger, lay(main)) == 1_000
    path = lay(remains.checkpointed(1), remains.log[:LOG_HEADER])
    assert "whole" not in refused(open_ledger, path, LedgerDamaged)


# --- rollback journals ---

KILLED = """
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("PRAGMA cache_size = 1")  # pages are written before the commit
connection.execute("BEGIN EXCLUSIVE")
{}
connection.execute("CREATE TABLE more (a)")
connection.executemany("INSERT INTO more VALUES (?)", [("x" * 3_000,)] * 100)
os.kill(os.getpid(), 9)
"""
CREATING = KILLED.format("schema._create(connection, 5.0)")
MIGRATING = KILLED.format("""connection.execute("UPDATE results SET word = 7, sweep = 9")""")


def test_a_process_killed_while_it_created_the_ledger_leaves_none(
    path: Path, open_ledger: OpenLedger
):
    run(CREATING, path)
    assert path.stat().st_size > 0
    assert path.with_name("ledger.db-journal").read_bytes()
    assert rows(open_ledger, path) == 0


@pytest.fixture
def half_migrated(remains: Remains, lay) -> Path:
    """Makes a ledger whose next version was half written, its header first, with a journal."""
    path = lay(remains.checkpointed(len(remains.pages)))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    before = path.read_bytes()
    run(MIGRATING, path)
    main = bytearray(path.read_bytes())
    main[60:64] = (schema.VERSION + 1).to_bytes(4, "big")
    path.write_bytes(main)
    assert main[:PAGE] != before[:PAGE]
    assert main[PAGE : len(before)] != before[PAGE:]
    return path


def test_a_process_killed_while_it_migrated_the_ledger_leaves_the_old_one(
    half_migrated: Path, remains: Remains, open_ledger: OpenLedger
):
    assert rows(open_ledger, half_migrated) == remains.rows
    with closing(sqlite3.connect(half_migrated)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        assert connection.execute("SELECT count(*) FROM results WHERE word = 7").fetchone() == (0,)


def test_damage_next_to_a_journal_is_found_before_the_journal_is_played_back(
    half_migrated: Path, open_ledger: OpenLedger
):
    main = bytearray(half_migrated.read_bytes())
    journal = half_migrated.with_name("ledger.db-journal").read_bytes()
    kept = {
        int.from_bytes(journal[at : at + 4], "big") for at in range(512, len(journal), PAGE + 8)
    }
    page = min(set(range(2, 10)) - kept)
    # The journal does not have this page.
    main[(page - 1) * PAGE : page * PAGE] = b"\xa5" * PAGE
    half_migrated.write_bytes(main)
    refused(open_ledger, half_migrated, LedgerDamaged)


def test_a_journal_without_its_ledger_is_kept(half_migrated: Path, open_ledger: OpenLedger):
    half_migrated.write_bytes(b"")
    assert "its rollback journal is there, but not the ledger" in refused(
        open_ledger, half_migrated, LedgerDamaged
    )
    half_migrated.unlink()
    refused(open_ledger, half_migrated, LedgerDamaged)


def test_a_journal_that_sqlite_would_not_play_back_is_no_damage(
    remains: Remains, lay, open_ledger: OpenLedger
):
    for journal in (b"", bytes(512), b"\xa5" * 512):
        assert rows(open_ledger, lay(remains.main, remains.log, journal=journal)) == remains.rows


# --- files that SQLite makes for a look ---


@pytest.mark.parametrize("frames", [None, 1], ids=["without a log", "with a log"])
def test_a_refusal_leaves_no_index_and_no_log_that_were_not_there(
    frames: int | None, remains: Remains, lay, open_ledger: OpenLedger
):
    main = bytearray(remains.checkpointed(len(remains.pages)))
    main[-PAGE:] = b"\xa5" * PAGE
    path = lay(bytes(main), frames and remains.log[: LOG_HEADER + frames * FRAME])
    names = {file.name for file in path.parent.iterdir()}
    refused(open_ledger, path, LedgerDamaged)
    assert names == {file.name for file in path.parent.iterdir()}


@pytest.fixture
def refused_with(remains: Remains, lay, open_ledger: OpenLedger, monkeypatch):
    """Refuses a ledger as newer, after a change of the files in the middle of the look.

    Returns the names of the files that are left.
    """

    def refuse(change: Callable[[Path], object], log: bytes | None = remains.log) -> set[str]:
        path = lay(remains.main, log)

        def confirm(examiner: Examiner, _: str) -> None:
            change(examiner.path)
            raise LedgerNewer.of_content(examiner.path, "news")

        monkeypatch.setattr(examination, "_first_look", lambda _: "suspicion")
        monkeypatch.setattr(examination, "confirm", confirm)
        with pytest.raises(LedgerNewer):
            open_ledger(path)
        return {file.name for file in path.parent.iterdir()}

    return refuse


def test_a_log_that_another_process_wrote_meanwhile_is_kept(refused_with):
    def write(path: Path) -> None:
        path.with_name("ledger.db-shm").write_bytes(b"x")
        path.with_name("ledger.db-wal").write_bytes(b"x")

    assert {"ledger.db", "ledger.db-shm", "ledger.db-wal"} == refused_with(write, None)


def test_an_index_that_another_process_uses_is_kept(refused_with):
    program = """
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("SELECT * FROM sqlite_master").fetchone()
print(flush=True)
sys.stdin.read()
"""
    others: list[subprocess.Popen[bytes]] = []

    def use(path: Path) -> None:
        command = [sys.executable, "-c", IMPORTS + program, str(path)]
        other = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        others.append(other)
        other.stdout.readline()

    try:
        assert {"ledger.db", "ledger.db-shm", "ledger.db-wal"} == refused_with(use)
    finally:
        for other in others:
            other.communicate()


# --- newer, foreign and locked files ---


def test_a_newer_ledger_that_was_cut_short_is_newer(remains: Remains, lay, open_ledger: OpenLedger):
    main = bytearray(remains.main[:-PAGE])
    main[60:64] = (schema.VERSION + 1).to_bytes(4, "big")
    refused(open_ledger, lay(bytes(main)), LedgerNewer)


def test_another_programs_database_that_was_cut_short_is_foreign(
    open_ledger: OpenLedger, path: Path
):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE customers (name); CREATE TABLE orders (number)")
    path.write_bytes(path.read_bytes()[:-PAGE])
    refused(open_ledger, path, LedgerForeign)


def test_a_ledger_in_use_that_looks_damaged_is_locked_and_stays_so(
    open_ledger: OpenLedger, path: Path
):
    open_ledger().close()
    ledger = open_ledger()
    # In another process, whose locks it cannot drop.
    blank = "import sys; open(sys.argv[1], 'r+b').write(bytes(4096))"
    subprocess.run([sys.executable, "-c", blank, str(path)], check=True)
    for _ in range(2):
        with pytest.raises(LedgerLocked):
            open_ledger()
    assert ledger.rows() == 0


def test_no_copy_is_made_while_another_process_writes(path: Path):
    path.write_bytes(b"x")
    program = f"""
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX, {copy_check._SHARED_SIZE}, {copy_check._SHARED_FIRST})
print(flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(LedgerLocked), copy_check.locked(path):
            pass
        other.stdin.close()
    with copy_check.locked(path) as file:
        assert file.read() == b"x"
