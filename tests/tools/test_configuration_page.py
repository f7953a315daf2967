"""The page of the configuration: nothing is missing, and what it gives as an example works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
"""What else an item of a list must have to be one."""


class Silent(Section):
    spoken: int = 1
    """Said. Example: `2`."""
    mute: int = 1


def told(path: str) -> Key:
    return next(key for key in KEYS if key.path == path)


def file_with(key: Key, value: Any) -> dict[str, Any]:
    """A file that says this about a key, and elsewhere only what it must."""
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
def test_every_example_is_a_value_that_the_key_takes(tmp_path: Path, key: Key):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(file_with(key, yaml.safe_load(key.example))))
    assert load(file)


@pytest.mark.parametrize(
    "key", [key for key in KEYS if key.default.startswith("`")], ids=lambda key: key.path
)
def test_every_default_means_what_is_built_in(tmp_path: Path, key: Key):
    said, silent = tmp_path / "said.yaml", tmp_path / "silent.yaml"
    data = file_with(key, yaml.safe_load(key.default.strip("`")))
    said.write_text(yaml.safe_dump(data))
    silent.write_text(yaml.safe_dump(without(data, key)))
    assert load(silent) == load(said)


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
        Key("poll.lookback", "duration", "`0s`", told("poll.lookback").meaning, "24h"),
        Key(
            "accounts[].page_size",
            "whole number from 1 to 1,000",
            "`100`",
            told("accounts[].page_size").meaning,
            "1000",
        ),
        Key("accounts[].name", "text", "*required*", told("accounts[].name").meaning, "production"),
        Key("slos[].threshold", "duration", "none", told("slos[].threshold").meaning, "60s"),
        Key("state", "section", "", "What must survive a restart.", ""),
    ],
    ids=lambda key: key.path,
)
def test_a_key_is_told_with_type_limits_default_and_example(key: Key):
    assert key == told(key.path)
    assert f"| `{key.path}` | {key.kind} |" in configuration()


def test_a_key_that_nobody_explained_is_refused():
    with pytest.raises(ValueError, match="Silent: say below mute what it means"):
        list(keys(Silent))


def test_every_flag_of_every_command_has_its_twin():
    by_command = {(name, flag.name) for flag in flags() for name in flag.commands}
    assert by_command == {
        (name, option.opts[0])
        for name, command in commands.commands.items()
        for option in command.params
    }
    assert {
        f"RUNTYPE_EXPORTER_{flag.name[2:].upper().replace('.', '_').replace('-', '_')}"
        for flag in flags()
    } == {flag.variable for flag in flags()}


def test_the_committed_page_is_fresh():
    assert configuration() == (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
