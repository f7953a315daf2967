"""The structure of the package: imports, names, and tests that mirror the modules.

Packages share leaf values only. `polling` imports two packages, `app` and the commands import all.
A package here is a folder or a single module directly in `runtype_exporter`.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "runtype_exporter"
TESTS = Path(__file__).parent
SOURCES = TESTS.parent / PACKAGE

LEAVES = {"model", "protocols", "catalogue", "clock", "config", "objectives", "limits", "urls"}
PACKAGES = {"runtype", "ledger", "metrics", "polling", "web"}

MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "model": set(),
    "protocols": {"model"},
    "limits": set(),
    "urls": set(),
    "objectives": {"model", "catalogue"},
    "catalogue": {"model"},
    "clock": set(),
    "logs": set(),
    "config": {"model", "catalogue", "limits", "urls"},
    "runtype": LEAVES,
    "ledger": LEAVES,
    "metrics": LEAVES,
    "polling": LEAVES | {"runtype", "ledger"},
    "web": LEAVES | {"metrics"},
    "rules": LEAVES,
    "simulator": {"clock"},
    "forecast": LEAVES | {"runtype", "polling", "metrics"},
    "accounts": LEAVES | {"runtype", "polling", "ledger", "metrics"},
    "ledger_watch": {"ledger"},
    "signals": set(),
    "app": LEAVES | PACKAGES | {"__init__", "accounts", "ledger_watch", "signals"},
    "demo": LEAVES | {"app", "signals", "simulator", "web"},
    "cli": LEAVES
    | PACKAGES
    | {"__init__", "logs", "app", "demo", "forecast", "rules", "simulator"},
}
"""Each package, and our packages that it may import."""

MAY_USE: dict[str, set[str]] = {
    "click": {"cli"},
    "cronsim": {"polling"},
    "httpx": {"runtype", "urls", "cli", "simulator", "forecast"},
    "msgspec": {"runtype"},
    "prometheus_client": {"metrics"},
    "pydantic": {"config"},
    "pydantic_core": {"config"},
    "sqlite3": {"ledger"},
    "starlette": {"web", "simulator"},
    "uvicorn": {"web"},
    "yaml": {"config", "rules"},
}
"""Each library that only some packages may import, and these packages."""


BEHAVIOUR_TESTS: dict[str, str] = {
    "config/test_any_file.py": "any text in the file: loading, schema and errors together",
    "ledger/test_exactly_once.py": "a state machine that compares the whole ledger with a model",
    "ledger/test_format.py": "the stored format: codec, states and schema together",
    "ledger/test_golden.py": "ledger files of every format, opened by the whole ledger",
    "ledger/test_killed.py": "a real process that is killed while it counts",
    "ledger/test_killed_migration.py": "a real process that is killed while it migrates",
    "ledger/test_migration_copies.py": "the copies and the space of a migration, with many cases",
    "ledger/test_objectives.py": "objectives and the ledger together",
    "polling/batches/test_closing_over_time.py": "the closer and the whole of polling",
    "polling/batches/test_every_batch_closes.py": "all rules of the end of a batch, in any order",
    "polling/batches/test_label_limit.py": "labels and the series limit together",
    "polling/discovery/test_run_walks.py": "full walks and failed reads of the run list",
    "polling/schedules/test_starts_over_time.py": "start checks against the simulator",
    "polling/test_batch_changes.py": "two rules for the source of all of polling",
    "polling/test_cardinality.py": "the whole of polling against the series limit",
    "polling/test_bad_rows.py": "one bad row or field in each answer",
    "polling/test_clocks.py": "wrong clocks, of the machine and of the API",
    "polling/test_contained.py": "the whole of polling while the ledger or a part of it fails",
    "polling/test_exactly_once.py": "the whole of polling against a hostile API",
    "polling/test_failure_matrix.py": "every read with every error, one item and all",
    "polling/test_month.py": "the whole of polling over a month",
    "polling/test_odd_ends.py": "batches that end in an odd way, or never",
    "polling/test_odd_sources.py": "lists of the API that are odd",
    "polling/test_outages.py": "the whole of polling while the API fails",
    "polling/test_pauses.py": "an API that refuses or pauses, and the whole of polling",
    "polling/test_reach.py": "how far failures reach: the judge and the collectors together",
    "polling/test_request_costs.py": "the requests of the whole of polling",
    "polling/test_rig.py": "the rig of these tests",
    "polling/test_sick_batches.py": "more sick batches than workers, and sick lists",
    "polling/test_soak.py": "the whole of polling in a week of random trouble",
    "polling/test_starvation.py": "the turns of the whole of polling under load",
    "polling/test_several_accounts.py": "several pollers on one ledger",
    "runtype/test_client_sockets.py": "the client against real sockets",
}
"""Tests of no single module, each with the reason."""
MIRRORED = ("cli", "config", "ledger", "metrics", "polling", "runtype", "simulator", "web")


def package_of(path: Path, root: Path = SOURCES) -> str:
    return path.relative_to(root).parts[0].removesuffix(".py")


def imports(path: Path, root: Path = SOURCES) -> Iterator[tuple[int, str]]:
    """Yield the line and full name of all that a module imports, in functions too."""
    package = path.relative_to(root.parent).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def imported_package(name: str, root: Path = SOURCES) -> str:
    """Return our package that a full name is in; names of the top are in `__init__`."""
    part = name.split(".")[1] if "." in name else "__init__"
    return part if (root / part).is_dir() or (root / f"{part}.py").is_file() else "__init__"


def violations(root: Path = SOURCES) -> list[str]:
    """Return the imports that break the tables, as a person should read them."""
    found = []
    for path in sorted(root.rglob("*.py")):
        package, place = package_of(path, root), path.relative_to(root.parent)
        if package not in MAY_IMPORT:
            found.append(
                f"{place}: the package {package!r} is not in the table; decide what it may import"
            )
            continue
        for line, name in imports(path, root):
            top = name.split(".")[0]
            if top == PACKAGE:
                other = imported_package(name, root)
                if other != package and other not in MAY_IMPORT[package]:
                    allowed = ", ".join(sorted(MAY_IMPORT[package])) or "nothing of ours"
                    found.append(
                        f"{place}:{line}: {package} must not import {other}; it may import"
                        f" {allowed}"
                    )
            elif package not in MAY_USE.get(top, {package}):
                found.append(
                    f"{place}:{line}: {top} stays inside {', '.join(sorted(MAY_USE[top]))}"
                )
    return found


# --- imports ---


def test_every_package_imports_only_what_it_may():
    broken = violations()
    assert not broken, "\n".join(["", *broken])


def test_every_package_and_library_of_the_tables_exists():
    packages = {package_of(path) for path in SOURCES.rglob("*.py")}
    used = {name.split(".")[0] for path in SOURCES.rglob("*.py") for _, name in imports(path)}
    assert set() == set(MAY_IMPORT) - packages
    assert set() == set(MAY_USE) - used


@pytest.mark.parametrize(
    ("module", "statement", "message"),
    [
        (
            "runtype/a.py",
            "from runtype_exporter.ledger import Ledger",
            "runtype must not import ledger",
        ),
        (
            "runtype/a.py",
            "def f():\n    import runtype_exporter.metrics.text",
            "runtype must not import metrics",
        ),
        ("ledger/a.py", "from runtype_exporter import metrics", "ledger must not import metrics"),
        (
            "model.py",
            "from runtype_exporter import __version__",
            "model must not import __init__; it may import nothing",
        ),
        ("polling/a.py", "from runtype_exporter.web import app", "polling must not import web"),
        (
            "web/a.py",
            "if True:\n    from runtype_exporter.ledger import Ledger",
            "web must not import ledger",
        ),
        (
            "simulator/a.py",
            "from runtype_exporter.model import Result",
            "simulator must not import model",
        ),
        ("app.py", "import runtype_exporter.simulator", "app must not import simulator"),
        ("web/a.py", "from ..ledger import Ledger", "web must not import ledger"),
        ("polling/a.py", "import pydantic", "pydantic stays inside config"),
        ("polling/a.py", "from yaml.nodes import Node", "yaml stays inside config, rules"),
        ("attic/a.py", "", "the package 'attic' is not in the table"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, module: str, statement: str, message: str):
    root = tmp_path / PACKAGE
    for package in MAY_IMPORT:
        (root / package).mkdir(parents=True)
    path = root / module
    path.parent.mkdir(exist_ok=True)
    path.write_text(statement)
    (found,) = violations(root)
    assert message in found
    assert found.startswith(f"{PACKAGE}/{module}:")


def test_an_allowed_import_is_not_found(tmp_path: Path):
    root = tmp_path / PACKAGE
    (root / "polling").mkdir(parents=True)
    (root / "ledger").mkdir()
    allowed = (
        "import json, httpcore",
        "from runtype_exporter.ledger import Ledger",
        "import runtype_exporter.polling.queue",
        "from .queue import Queue",
    )
    (root / "polling" / "a.py").write_text("\n".join(allowed))
    assert [] == violations(root)


# --- names ---


def type_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the name and line of each class, and of each type that a module assigns.

    Assignments count if the name has the form of a type: `Name` or `_Name`, but not `NAME`.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name, node.lineno
    for node in tree.body:
        for target in assigned(node):
            bare = target.lstrip("_")
            if bare[:1].isupper() and not bare.isupper():
                yield target, node.lineno


def assigned(node: ast.stmt) -> list[str]:
    """Return the names that a statement assigns."""
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    else:
        targets = []
    return [
        name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
    ]


def double_names(root: Path = SOURCES) -> list[str]:
    """Return the class and type names that are defined twice, each with its places."""
    places = defaultdict(list)
    for path in sorted(root.rglob("*.py")):
        for name, line in type_names(ast.parse(path.read_text())):
            places[name].append(f"{path.relative_to(root.parent)}:{line}")
    return [f"{name}: {', '.join(found)}" for name, found in places.items() if len(found) > 1]


def shadowed(root: Path = SOURCES) -> list[str]:
    """Return the names that hide a module of the standard library.

    These are top-level names, names of our own modules that another module imports, and parameters
    in a module that imports the hidden one. Ruff's rules A001 to A006 find hidden builtins.
    """
    found = []
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text())
        imported, names = set(), []
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported |= {alias.asname or alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and (
                node.level or (node.module or "").split(".")[0] == PACKAGE
            ):
                names += [(alias.asname or alias.name, node.lineno) for alias in node.names]
        for node in tree.body:
            names += [(name, node.lineno) for name in assigned(node)]
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.append((node.name, node.lineno))
        names += [
            (node.arg, node.lineno)
            for node in ast.walk(tree)
            if isinstance(node, ast.arg) and node.arg in imported
        ]
        found += [
            f"{path.relative_to(root.parent)}:{line}: {name}"
            for name, line in names
            if name in sys.stdlib_module_names
        ]
    return found


def test_no_type_name_is_defined_twice():
    found = double_names()
    assert not found, "\n".join(["", *found])


def test_no_name_hides_a_module_of_the_standard_library():
    found = shadowed()
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ("class Row: ...", "class Row: ...", "Row"),
        ("class _Row: ...", "def f():\n    class _Row: ...", "_Row"),
        ("class Row: ...", "class Table:\n    class Row: ...", "Row"),
        ("Rows = list[int]", "Rows: TypeAlias = list[str]", "Rows"),
        ('T = TypeVar("T")\nItem = TypeVar("Item")', "class Item: ...", "Item"),
        ("_Rows = list[int]", "_Rows = list[int]", "_Rows"),
    ],
)
def test_a_type_name_that_is_defined_twice_is_found(
    tmp_path: Path, first: str, second: str, name: str
):
    root = tmp_path / PACKAGE
    (root / "inner").mkdir(parents=True)
    (root / "a.py").write_text(first)
    (root / "inner" / "b.py").write_text(f"import os\n{second}")
    (found,) = double_names(root)
    assert found.startswith(f"{name}: {PACKAGE}/a.py:")
    assert f"{PACKAGE}/inner/b.py:" in found


def test_other_names_may_be_defined_twice(tmp_path: Path):
    for module in ("a.py", "b.py"):
        (tmp_path / module).write_text(
            "LIMIT = 1\n_LIMIT = 2\nrows = 3\ndef f():\n    Local = int\nfrom x import Row"
        )
    assert [] == double_names(tmp_path)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("def time(): ...", 1),
        ("import x\ntime: float = 0", 2),
        ("class queue: ...", 1),
        ("import time\ndef f(*, time): ...", 2),
        ("def f():\n    from runtype_exporter.metrics import gzip", 2),
        ("from . import gzip", 1),
    ],
)
def test_a_hidden_module_is_found(tmp_path: Path, source: str, line: int):
    root = tmp_path / PACKAGE
    root.mkdir()
    (root / "a.py").write_text(source)
    (found,) = shadowed(root)
    assert found.startswith(f"{PACKAGE}/a.py:{line}: ")


def test_a_name_that_hides_nothing_is_not_found(tmp_path: Path):
    (tmp_path / "a.py").write_text(
        "import json\nfrom copy import copy\ndef f(code, times):\n    queue = json\n"
    )
    assert [] == shadowed(tmp_path)


# --- tests ---


def unmirrored(tests: Path = TESTS, root: Path = SOURCES) -> list[str]:
    """Return the test files of the mirrored packages that test no module of the same name."""
    return [
        str(path.relative_to(tests))
        for package in MIRRORED
        for path in sorted((tests / package).rglob("test_*.py"))
        if not (root / path.relative_to(tests)).with_name(path.name.removeprefix("test_")).is_file()
    ]


def test_every_test_file_mirrors_a_module_or_is_in_the_table():
    found = unmirrored()
    assert set() == set(found) - BEHAVIOUR_TESTS.keys(), "no module has this name"
    assert set() == BEHAVIOUR_TESTS.keys() - set(found), "the table has more than it needs"


def test_a_test_file_without_module_is_found(tmp_path: Path):
    tests, root = tmp_path / "tests", tmp_path / PACKAGE
    for folder in (tests / "web", tests / "ledger" / "old", root / "web", root / "ledger"):
        folder.mkdir(parents=True)
    (root / "web" / "routes.py").touch()
    (root / "ledger" / "rows.py").touch()
    for file in ("web/test_routes.py", "web/test_other.py", "web/conftest.py"):
        (tests / file).touch()
    (tests / "ledger" / "old" / "test_rows.py").touch()
    assert ["ledger/old/test_rows.py", "web/test_other.py"] == unmirrored(tests, root)
