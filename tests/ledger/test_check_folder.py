import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from runtype_exporter.ledger.check_folder import CheckFolder, places, remove_stale


@pytest.fixture
def place(path: Path) -> Path:
    return next(places(path))


def stale(place: Path, path: Path) -> None:
    """Leave what a killed process leaves."""
    place.mkdir(mode=0o755)
    for suffix in ("", "-wal", "-shm", "-journal"):
        (place / f"{path.name}{suffix}").write_bytes(b"x")


def test_each_ledger_has_fixed_places_of_its_own(path: Path, tmp_path: Path):
    assert list(places(path)) == list(places(path))
    assert not set(places(path)) & set(places(tmp_path / "other.db"))
    assert [tmp_path / "ledger.db.check", Path(tempfile.gettempdir())] == [
        place if number == 0 else place.parent for number, place in enumerate(places(path))
    ]
    link = tmp_path / "link.db"
    link.symlink_to(path)
    assert list(places(link)) == list(places(path))


def test_without_a_folder_for_temporary_files_one_place_is_left(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(tempfile, "gettempdir", fail)
    assert [path.with_name("ledger.db.check")] == list(places(path))


def test_a_folder_is_empty_private_and_gone_afterwards(path: Path, place: Path):
    stale(place, path)
    folder = CheckFolder(place, path)
    assert [] == list(place.iterdir())
    assert place.stat().st_mode & 0o777 == 0o700
    folder.copy.write_bytes(b"copy")
    folder.remove()
    assert not place.exists()


def test_a_stale_folder_is_removed_at_both_places(path: Path):
    for place in places(path):
        stale(place, path)
    remove_stale(path)
    assert not any(place.exists() for place in places(path))


def test_a_folder_in_use_is_kept_and_cannot_be_taken(path: Path, place: Path):
    program = (
        "import sys; from pathlib import Path;"
        "from runtype_exporter.ledger.check_folder import CheckFolder;"
        "folder = CheckFolder(Path(sys.argv[2]), Path(sys.argv[1]));"
        "folder.copy.write_bytes(b'copy'); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(path), str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(BlockingIOError):
            CheckFolder(place, path)
        remove_stale(path)
        assert (place / "ledger.db").read_bytes() == b"copy"
        other.kill()
    CheckFolder(place, path).remove()
    assert not place.exists()


def test_files_of_the_user_in_the_folder_are_kept(path: Path, place: Path):
    stale(place, path)
    (place / "notes").write_text("mine")
    remove_stale(path)
    assert ["notes"] == [file.name for file in place.iterdir()]


def test_what_cannot_be_emptied_is_refused_and_not_kept_locked(path: Path, place: Path):
    (place / path.name).mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(OSError, match=r"director|permitted") as caught:
            CheckFolder(place, path)
        assert not isinstance(caught.value, BlockingIOError)


@pytest.mark.parametrize("kind", ["file", "link"])
def test_something_else_of_this_name_is_no_place(
    kind: str, path: Path, place: Path, tmp_path: Path
):
    if kind == "file":
        place.write_text("mine")
    else:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / path.name).write_text("mine")
        place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotADirectoryError):
        CheckFolder(place, path)
    remove_stale(path)
    assert "mine" == (place if kind == "file" else place / path.name).read_text()


def test_a_folder_of_another_user_is_no_place(
    path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
):
    place.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: place.stat().st_uid + 1)
    with pytest.raises(PermissionError):
        CheckFolder(place, path)


@pytest.mark.parametrize("made_again", [None, "again"])
def test_a_folder_that_was_removed_before_it_was_locked_is_in_use(
    made_again: str | None, path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
):
    def open_and_lose(name: Path, flags: int, opened=os.open) -> int:
        descriptor = opened(name, flags)
        place.rename(place.with_name("removed"))
        if made_again:
            place.mkdir()
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    with pytest.raises(BlockingIOError):
        CheckFolder(place, path)
