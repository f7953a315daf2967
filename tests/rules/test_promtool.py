"""The rules load in promtool, and its unit tests pass.

`PROMTOOL` names other versions of promtool, separated by colons.
"""

from __future__ import annotations

import os
import subprocess

import pytest
import yaml

from runtype_exporter.rules import rule_files, text_of
from tests.rules.conftest import DAY, ROOT, alerts, config, success

TESTS = sorted((ROOT / "prometheus" / "tests").glob("*.yaml"))


def failures(promtool: str, *arguments: str, cwd) -> list[str]:
    """Run each version of promtool. Return the output of those that fail."""
    failed = []
    for binary in os.environ.get("PROMTOOL", promtool).split(":"):
        done = subprocess.run(
            [binary, *arguments],
            cwd=cwd,
            # It takes a fifth less time if it collects its garbage less often.
            env={**os.environ, "GOGC": "400"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            failed.append(f"{binary}: {done.stdout}{done.stderr}")
    return failed


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_the_unit_tests_pass(path, promtool):
    assert [] == failures(promtool, "test", "rules", path.name, cwd=path.parent)


@pytest.mark.parametrize(
    "slos",
    [
        (),
        (success(window=DAY), success("b", "99.9999999999", 7 * DAY)),
        (success(window=90 * DAY, objective="0.01"), success("b", "50", 36.5 * DAY, min_bad=100)),
    ],
)
def test_rules_of_other_configurations_load(slos, promtool, tmp_path):
    for file in rule_files(config(*slos)):
        (tmp_path / file.name).write_text(text_of(file))
    files = sorted(path.name for path in tmp_path.iterdir())
    assert [] == failures(
        promtool, "check", "rules", "--lint=all", "--lint-fatal", *files, cwd=tmp_path
    )


def seen_by_tests() -> dict[str, set[bool]]:
    """Return for each alert whether tests see it firing, silent or both."""
    seen: dict[str, set[bool]] = {}
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test.get("alert_rule_test", ()):
                seen.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    return seen


def test_every_alert_is_seen_firing_and_silent():
    assert {alert.name: {True, False} for alert in alerts(config(success()))} == seen_by_tests()
