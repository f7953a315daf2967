"""Who may import whom.

Rooms meet in leaf values; only `polling` knows two rooms, only `app` and the commands know all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "runtype_exporter"
SOURCES = Path(__file__).parents[1] / PACKAGE

LEAVES = {"model", "protocols", "catalogue", "clock", "config", "objectives", "limits", "urls"}
ROOMS = {"runtype", "ledger", "metrics", "polling", "web"}

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
    "app": LEAVES | ROOMS | {"__init__", "accounts", "ledger_watch", "signals"},
    "demo": LEAVES | {"app", "signals", "simulator", "web"},
    "cli": LEAVES | ROOMS | {"__init__", "logs", "app", "demo", "forecast", "rules", "simulator"},
}
"""Each room, and the rooms of ours that it may know."""

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
"""Libraries that stay where they are: behind the door of the room that needs them."""


def room_of(path: Path, root: Path = SOURCES) -> str:
    return path.relative_to(root).parts[0].removesuffix(".py")


def imports(path: Path, root: Path = SOURCES) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports, wherever in it the statement stands."""
    package = path.relative_to(root.parent).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def known_room(name: str, root: Path = SOURCES) -> str:
    """The room that a full name of ours is in.

    Names of the package itself are in its `__init__`.
    """
    part = name.split(".")[1] if "." in name else "__init__"
    return part if (root / part).is_dir() or (root / f"{part}.py").is_file() else "__init__"


def violations(root: Path = SOURCES) -> list[str]:
    """What breaks the tables, as a person should read it."""
    found = []
    for path in sorted(root.rglob("*.py")):
        room, place = room_of(path, root), path.relative_to(root.parent)
        if room not in MAY_IMPORT:
            found.append(
                f"{place}: the room {room!r} is not in the table; decide what it may import"
            )
            continue
        for line, name in imports(path, root):
            top = name.split(".")[0]
            if top == PACKAGE:
                known = known_room(name, root)
                if known != room and known not in MAY_IMPORT[room]:
                    allowed = ", ".join(sorted(MAY_IMPORT[room])) or "nothing of ours"
                    found.append(
                        f"{place}:{line}: {room} must not know {known}; it may import {allowed}"
                    )
            elif room not in MAY_USE.get(top, {room}):
                found.append(
                    f"{place}:{line}: {top} stays inside {', '.join(sorted(MAY_USE[top]))}"
                )
    return found


def test_every_room_knows_only_what_it_may():
    broken = violations()
    assert not broken, "\n".join(["", *broken])


def test_every_room_and_library_of_the_tables_exists():
    rooms = {room_of(path) for path in SOURCES.rglob("*.py")}
    used = {name.split(".")[0] for path in SOURCES.rglob("*.py") for _, name in imports(path)}
    assert set() == set(MAY_IMPORT) - rooms
    assert set() == set(MAY_USE) - used


@pytest.mark.parametrize(
    ("module", "statement", "message"),
    [
        (
            "runtype/a.py",
            "from runtype_exporter.ledger import Ledger",
            "runtype must not know ledger",
        ),
        (
            "runtype/a.py",
            "def f():\n    import runtype_exporter.metrics.text",
            "runtype must not know metrics",
        ),
        ("ledger/a.py", "from runtype_exporter import metrics", "ledger must not know metrics"),
        (
            "model.py",
            "from runtype_exporter import __version__",
            "model must not know __init__; it may import nothing",
        ),
        ("polling/a.py", "from runtype_exporter.web import app", "polling must not know web"),
        (
            "web/a.py",
            "if True:\n    from runtype_exporter.ledger import Ledger",
            "web must not know ledger",
        ),
        (
            "simulator/a.py",
            "from runtype_exporter.model import Result",
            "simulator must not know model",
        ),
        ("app.py", "import runtype_exporter.simulator", "app must not know simulator"),
        ("web/a.py", "from ..ledger import Ledger", "web must not know ledger"),
        ("polling/a.py", "import pydantic", "pydantic stays inside config"),
        ("polling/a.py", "from yaml.nodes import Node", "yaml stays inside config, rules"),
        ("attic/a.py", "", "the room 'attic' is not in the table"),
    ],
)
def test_a_broken_rule_is_found_and_said(tmp_path: Path, module: str, statement: str, message: str):
    root = tmp_path / PACKAGE
    for room in MAY_IMPORT:
        (root / room).mkdir(parents=True)
    path = root / module
    path.parent.mkdir(exist_ok=True)
    path.write_text(statement)
    (found,) = violations(root)
    assert message in found
    assert found.startswith(f"{PACKAGE}/{module}:")


def test_what_is_allowed_is_not_found(tmp_path: Path):
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
