"""The repository as a whole: its files, its versions, and texts that must never be committed."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import runtype_exporter

ROOT = Path(__file__).parents[1]
MAX_LINES = 350
MAX_COLUMNS = 100

TOP = [
    ".ci/run",
    ".dockerignore",
    ".editorconfig",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "config.yaml",
    "exporter.py",
    "pyproject.toml",
    "requirements-dev.txt",
    "requirements.txt",
]

# Written in pieces, because this file is searched too.
LEAKS = {
    "a path of one machine": re.compile(
        r"""(["'=`( ]|^)/(wo[r]k|fa[r]m|ro[o]t|ho[m]e)/""", re.MULTILINE
    ),
    "a package registry": re.compile(
        r"[a-z0-9.-]*(py[p]i|npm[j]s|python[h]osted|deb[i]an)[a-z0-9.-]*\.(org|com|net|io)\b"
    ),
    "a key": re.compile(r"\b(rt|tv)_(live|test)_[A-Za-z0-9]{16,}"),
}


def tracked() -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode:
        pytest.skip("not a checkout: git lists no files")
    return [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def leaks(text: str) -> set[str]:
    return {what for what, pattern in LEAKS.items() if pattern.search(text)}


def locked(name: str) -> list[str]:
    """Return the entries of a requirements file, one per line."""
    return (ROOT / name).read_text().replace("\\\n", "").splitlines()


def test_no_machine_path_registry_or_key_is_committed():
    found = {name: leaks((ROOT / name).read_text(errors="replace")) for name in tracked()}
    assert {} == {name: what for name, what in found.items() if what}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("see /" + "root/notes", {"a path of one machine"}),
        ('open("/' + 'work/main")', {"a path of one machine"}),
        ("https://pypi" + ".org/simple", {"a package registry"}),
        ("--index-url https://files.pythonhosted" + ".org/x", {"a package registry"}),
        ("rt_live_" + "0123456789abcdef", {"a key"}),
        ("docs at network/ and homework/ of https://api.runtype.com", set()),
    ],
)
def test_a_leak_is_found(text: str, what: set[str]):
    assert what == leaks(text)


def test_no_module_is_too_long():
    modules = [name for name in tracked() if name.endswith(".py") and not name.startswith("tests/")]
    lengths = {name: len((ROOT / name).read_text().splitlines()) for name in modules}
    assert lengths
    assert {} == {name: lines for name, lines in lengths.items() if lines > MAX_LINES}


def test_no_line_of_code_is_too_long():
    """Ruff lets pragmas pass the limit, and so their reasons."""
    lines = {
        f"{name}:{number}": len(line)
        for name in tracked()
        if name.endswith(".py")
        for number, line in enumerate((ROOT / name).read_text().splitlines(), start=1)
    }
    assert lines
    assert {} == {place: columns for place, columns in lines.items() if columns > MAX_COLUMNS}


def test_the_version_of_package_and_project_is_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == runtype_exporter.__version__


def test_the_changelog_begins_with_unreleased_changes():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert "Unreleased" == headings[0]


def test_the_top_of_the_tree_is_complete():
    assert [] == [name for name in TOP if not (ROOT / name).is_file()]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_and_hashed(name: str):
    entry = re.compile(
        r"[a-z0-9-]+(\[[a-z,-]+\])?==[^ ]+( ; [^\\]+?)?( +--hash=sha256:[0-9a-f]{64})+"
    )
    entries = locked(name)
    assert entries
    assert [] == [line for line in entries if not entry.fullmatch(line.rstrip())]


def test_the_locked_versions_are_the_tested_ones():
    pins = {
        name: {line.split(" ")[0] for line in locked(name)}
        for name in ("requirements.txt", "requirements-dev.txt")
    }
    assert set() == pins["requirements.txt"] - pins["requirements-dev.txt"]


@pytest.mark.parametrize(
    ("name", "extra"), [("requirements.txt", None), ("requirements-dev.txt", "dev")]
)
def test_the_locks_contain_all_requirements(name: str, extra: str | None):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + (project["optional-dependencies"][extra] if extra else [])
    names = {re.split(r"[^A-Za-z0-9-]", entry)[0].lower() for entry in wanted}
    assert set() == names - {line.split("==")[0] for line in locked(name)}
