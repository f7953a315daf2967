"""docs/slo.md has the same values as the table of windows and the rules."""

from __future__ import annotations

import re

from runtype_exporter.config.durations import written_duration
from runtype_exporter.rules import BURN_WINDOWS, rule_files
from tests.rules.conftest import DAY, ROOT, config, groups, records, success

PAGE = (ROOT / "docs" / "slo.md").read_text()


def rows(heading: str) -> list[list[str]]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_burn_rates_is_that_of_the_rules():
    assert [
        [
            window.severity,
            str(window.factor),
            written_duration(window.long),
            written_duration(window.short),
            f"{window.share * 100:.0f} %",
            written_duration(round(30 * DAY / float(window.factor) / 60) * 60),
        ]
        for window in BURN_WINDOWS
    ] == rows("When an alert fires")


def test_every_record_of_an_objective_has_a_row():
    named = {
        name for row in rows("What is recorded") for name in re.findall(r"`(slo:\w+:\w+?)`", row[0])
    }
    made = {
        re.sub(r"(ratio_rate|increase)\w+", r"\g<1>5m", name) for name in records(config(success()))
    }
    assert {name for name in made if name.startswith("slo:")} == named


def test_the_number_of_rules_an_objective_is_right():
    (number,) = re.findall(r"Evaluate (\d+) rules an objective", PAGE)
    (file,) = [file for file in rule_files(config(success())) if file.name == "runtype-slo.yaml"]
    assert int(number) == sum(len(group.rules) for group in file.groups)
    assert 2 == len([group for group in groups(config(success())) if ":ok" in group.name])
