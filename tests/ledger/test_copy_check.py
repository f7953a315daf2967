"""The folder of a checked copy: processes that are killed, and two at the same time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from runtype_exporter.ledger import LedgerLocked
from runtype_exporter.ledger.check_folder import CheckFolder, places
from tests.support.counted import count
from tests.support.process import ROOT

CUT_OFF = """
import os, sqlite3, sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = DELETE")
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN EXCLUSIVE")
connection.execute("UPDATE results SET word = 7")
connection.execute("CREATE TABLE more (a)")
connection.executemany("INSERT INTO more VALUES (?)", [("x" * 3_000,)] * 100)
os.kill(os.getpid(), 9)
"""
"""Changes a ledger, and is killed before it commits."""

KILLED = """
import json, os, shutil, sys
from itertools import count
from pathlib import Path
from runtype_exporter.clock import SystemClock
from runtype_exporter.ledger import Ledger
from runtype_exporter.ledger.check_folder import places
from tests.ledger.golden.killed import Steps

path = Path(sys.argv[1])
origin = path.with_name("origin")
shutil.copytree(path.parent, origin)
for last in count(1):
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        steps = Steps(last)
        steps.watch()
        for owner, name in ((Path, "mkdir"), (Path, "rmdir"), (Path, "unlink"),
                            (shutil, "copyfileobj"), (shutil, "copyfile")):
            setattr(owner, name, steps._around(getattr(owner, name)))
        Ledger.open(path, clock=SystemClock(), boundaries={})
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status == 0:
        break
    left = [[file.name for file in place.iterdir()] for place in places(path) if place.exists()]
    print(json.dumps([last, os.WTERMSIG(status), sorted(os.listdir(path.parent)), left]))
    for file in origin.iterdir():
        shutil.copyfile(file, path.with_name(file.name))
"""
"""Opens a ledger again and again, killed at each step of it in turn.

It prints the step, the signal, and what is left. The copy that was left stays for the next one.
"""


def run(program: str, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, str(path)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def suspicious(path: Path, open_ledger) -> Path:
    """Makes an intact ledger that only a check of a copy can tell from a damaged one."""
    ledger = open_ledger()
    count(ledger, 0, 200)
    ledger.close()
    assert run(CUT_OFF, path).returncode == -9
    return path


def test_kills_in_a_check_leave_one_copy_at_most_which_the_next_start_removes(
    suspicious: Path, open_ledger
):
    done = run(KILLED, suspicious)
    assert done.returncode == 0, done.stderr
    found = set()
    for line in done.stdout.splitlines():
        _, signal, names, left = json.loads(line)
        assert signal == 9
        assert len(left) <= 1
        assert [name for name in names if "check" in name] == ["ledger.db.check"] * len(left)
        found |= {frozenset(file.removeprefix("ledger.db") for file in files) for files in left}
    assert {frozenset(), frozenset({""}), frozenset({"", "-journal"})} <= found
    assert open_ledger(suspicious).rows() == 200
    assert not any(place.exists() for place in places(suspicious))


def test_a_start_after_a_kill_in_the_check_leaves_no_folder(suspicious: Path, open_ledger):
    kill = """
import os, sys
from pathlib import Path
from runtype_exporter.clock import SystemClock
from runtype_exporter.ledger import Ledger, copy_check

copy_check._look_at_copy = lambda *_: os.kill(os.getpid(), 9)
Ledger.open(Path(sys.argv[1]), clock=SystemClock(), boundaries={})
"""
    names = {file.name for file in suspicious.parent.iterdir()}
    for _ in range(3):
        assert run(kill, suspicious).returncode == -9
        assert names | {"ledger.db.check"} == {file.name for file in suspicious.parent.iterdir()}
    assert open_ledger(suspicious).rows() == 200
    assert not next(places(suspicious)).exists()


@pytest.mark.parametrize("number", [0, 1], ids=["next to it", "temporary files"])
def test_a_start_that_needs_no_check_removes_a_stale_copy(number: int, path: Path, open_ledger):
    open_ledger().close()
    place = list(places(path))[number]
    place.mkdir()
    (place / path.name).write_bytes(b"stale")
    open_ledger()
    assert not place.exists()


def test_a_second_check_at_the_same_time_is_locked_and_leaves_the_copy(
    suspicious: Path, open_ledger
):
    folder = CheckFolder(next(places(suspicious)), suspicious)
    folder.copy.write_bytes(b"copy")
    with pytest.raises(LedgerLocked):
        open_ledger(suspicious)
    assert folder.copy.read_bytes() == b"copy"
    folder.remove()
    assert open_ledger(suspicious).rows() == 200


def test_a_place_that_something_else_has_is_passed_over(suspicious: Path, open_ledger):
    next(places(suspicious)).write_text("mine")
    assert open_ledger(suspicious).rows() == 200
    assert "mine" == next(places(suspicious)).read_text()


def test_the_check_of_a_copy_is_logged_before_it(suspicious: Path, open_ledger):
    files = (suspicious, suspicious.with_name("ledger.db-journal"))
    size = sum(file.stat().st_size for file in files)
    with structlog.testing.capture_logs() as logs:
        open_ledger(suspicious)
    assert logs[0] == {
        "event": "checking a copy of the ledger",
        "log_level": "info",
        "path": str(suspicious),
        "bytes": size,
        "reason": "a transaction in a rollback journal was cut off",
    }
