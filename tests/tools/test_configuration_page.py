"""The page of the configuration: it is complete, and its examples work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from runtype_exporter.cli import main as commands
from runtype_exporter.config import load
from runtype_exporter.config.fields import Section
from tools.configuration_page import Key, configuration, flags, keys

ROOT = Path(__file__).parents[2]
KEYS = list(keys())
LATENCY = {"type": "latency", "threshold": "60s"}
FRESHNESS = {"type": "freshness", "max_delay": "15m"}
NEEDED: dict[str, dict[str, Any]] = {
    "accounts": {"name": "a", "api_key": {"env": "KEY"}},
    "batches": {"id": "b"},
    "slos": {"name": "s", "type": "success", "objective": "99%"},
    "slos.type": LATENCY,
    "slos.threshold": LATENCY,
    "slos.max_delay": FRESHNESS,
}
"""The other keys that an item of a list needs."""


class Undocumented(Section):
    described: int = 1
    """Described. Example: `2`."""
    missing: int = 1


def key_at(path: str) -> Key:
    return next(key for key in KEYS if key.path == path)


def file_with(key: Key, value: Any) -> dict[str, Any]:
    """Return a document with this value for a key, and otherwise only required keys."""
    data: dict[str, Any] = {}
    here = data
    *sections, name = key.path.split(".")
    for section in sections:
        word = section.removesuffix("[]")
        item: dict[str, Any] = dict(NEEDED.get(word, {})) if section != word else {}
        item |= NEEDED.get(f"{word}.{name}", {})
        here[word] = [item] if section != word else item
        here = item
    here[name] = value
    return data


@pytest.mark.parametrize("key", [key for key in KEYS if key.example], ids=lambda key: key.path)
def test_every_example_is_valid(tmp_path: Path, key: Key):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(file_with(key, yaml.safe_load(key.example))))
    assert load(file)


@pytest.mark.parametrize(
    "key", [key for key in KEYS if key.default.startswith("`")], ids=lambda key: key.path
)
def test_every_default_is_the_built_in_one(tmp_path: Path, key: Key):
    explicit, implicit = tmp_path / "explicit.yaml", tmp_path / "implicit.yaml"
    data = file_with(key, yaml.safe_load(key.default.strip("`")))
    explicit.write_text(yaml.safe_dump(data))
    implicit.write_text(yaml.safe_dump(without(data, key)))
    assert load(implicit) == load(explicit)


def without(data: dict[str, Any], key: Key) -> dict[str, Any]:
    left = here = yaml.safe_load(yaml.safe_dump(data))
    *sections, name = key.path.split(".")
    for section in sections:
        here = here[section.removesuffix("[]")]
        here = here[0] if section.endswith("[]") else here
    del here[name]
    return left


def test_every_key_but_a_section_has_an_example():
    assert [] == [key.path for key in KEYS if not key.example and "section" not in key.kind]


@pytest.mark.parametrize(
    "key",
    [
        Key("poll.lookback", "duration", "`0s`", key_at("poll.lookback").meaning, "24h"),
        Key(
            "accounts[].page_size",
            "whole number from 1 to 1,000",
            "`100`",
            key_at("accounts[].page_size").meaning,
            "1000",
        ),
        Key(
            "accounts[].name", "text", "*required*", key_at("accounts[].name").meaning, "production"
        ),
        Key("slos[].threshold", "duration", "none", key_at("slos[].threshold").meaning, "60s"),
        Key("state", "section", "", "What must survive a restart.", ""),
    ],
    ids=lambda key: key.path,
)
def test_a_key_has_type_limits_default_and_example(key: Key):
    assert key == key_at(key.path)
    assert f"| `{key.path}` | {key.kind} |" in configuration()


def test_a_key_without_a_docstring_is_refused():
    with pytest.raises(ValueError, match="Undocumented: say below missing what it means"):
        list(keys(Undocumented))


def test_every_flag_has_an_environment_variable():
    by_command = {(name, flag.name) for flag in flags() for name in flag.commands}
    assert by_command == {
        (name, option.opts[0])
        for name, command in commands.commands.items()
        for option in command.params
        if isinstance(option, click.Option)
    }
    assert {
        f"RUNTYPE_EXPORTER_{flag.name[2:].upper().replace('.', '_').replace('-', '_')}"
        for flag in flags()
    } == {flag.variable for flag in flags()}


def test_the_committed_page_is_fresh():
    assert configuration() == (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
