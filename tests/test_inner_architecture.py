"""Which folder inside a package may import which other folder of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_architecture import PACKAGE, SOURCES, imports

MAY_IMPORT: dict[str, dict[str, set[str]]] = {
    "polling": {
        "background": {"batches", "schedules"},
        "batches": set(),
        "discovery": {"batches", "schedules"},
        "schedules": {"batches"},
        "sweeps": {"batches"},
    },
    "simulator": {
        "account": set(),
        "api": {"account", "faults"},
        "faults": set(),
    },
}
"""The folders of each package, and the sibling folders that each may import.

Single modules next to the folders may be imported by all, but for those that assemble them.
"""
ASSEMBLERS = {"polling": {"parts", "poller"}, "simulator": {"presets"}}
MAY_IMPORT_FOLDER = {("context", "batches"), ("paged_read", "sweeps")}
"""Single modules next to the folders that need one leaf of a folder."""


def violations(package: str, root: Path = SOURCES) -> list[str]:
    """Return the imports between folders of a package that are not in the table."""
    found = []
    prefix = f"{PACKAGE}.{package}."
    for path in sorted((root / package).rglob("*.py")):
        folder = path.relative_to(root / package).parts[0]
        for line, name in imports(path, root):
            if not name.startswith(prefix):
                continue
            other = name.removeprefix(prefix).split(".")[0]
            place = f"{path.relative_to(root.parent)}:{line}"
            if folder in MAY_IMPORT[package]:
                siblings = MAY_IMPORT[package].keys() - {folder} - MAY_IMPORT[package][folder]
                if other in siblings | ASSEMBLERS[package]:
                    found.append(f"{place}: {folder} must not import {other}")
            elif (
                other in MAY_IMPORT[package]
                and path.stem
                not in {
                    "__init__",
                    *ASSEMBLERS[package],
                }
                and (path.stem, other) not in MAY_IMPORT_FOLDER
            ):
                found.append(f"{place}: {path.stem} must not import the folder {other}")
    return found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_folders_import_only_what_they_may(package: str):
    broken = violations(package)
    assert not broken, "\n".join(["", *broken])


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_the_table_has_every_folder(package: str):
    folders = {path.parent.name for path in (SOURCES / package).glob("*/__init__.py")}
    assert folders == MAY_IMPORT[package].keys()


@pytest.mark.parametrize(
    ("module", "statement", "message"),
    [
        ("batches/a.py", "from runtype_exporter.polling.sweeps import queue", "import sweeps"),
        ("sweeps/a.py", "import runtype_exporter.polling.discovery.cycle", "import discovery"),
        ("sweeps/a.py", "from runtype_exporter.polling.poller import AccountPoller", "poller"),
        ("share.py", "from runtype_exporter.polling.batches import labels", "folder batches"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, module: str, statement: str, message: str):
    path = tmp_path / PACKAGE / "polling" / module
    path.parent.mkdir(parents=True)
    path.write_text(statement)
    (found,) = violations("polling", tmp_path / PACKAGE)
    assert message in found
