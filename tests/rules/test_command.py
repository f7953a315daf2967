"""`runtype-exporter rules`: printing, writing, and errors."""

from __future__ import annotations

import yaml
from click.testing import CliRunner

from runtype_exporter.cli import main
from tests.rules.conftest import ROOT

SHIPPED = f"--config.file={ROOT / 'config.yaml'}"


def run(*arguments: str):
    return CliRunner().invoke(main, ["rules", *arguments])


def test_the_rules_of_the_default_configuration_are_the_committed_ones(tmp_path):
    written = run(SHIPPED, f"--out={tmp_path / 'new' / 'folder'}")
    assert 0 == written.exit_code
    committed = {path.name: path.read_text() for path in (ROOT / "prometheus" / "rules").iterdir()}
    assert committed == {
        path.name: path.read_text() for path in (tmp_path / "new" / "folder").iterdir()
    }
    assert sorted(committed) == sorted(
        line.split("/")[-1].split(":")[0] for line in written.output.splitlines()
    )


def test_without_a_folder_they_are_printed_as_one_document_each(tmp_path):
    printed = run(SHIPPED).output
    committed = {path.name: path.read_text() for path in (ROOT / "prometheus" / "rules").iterdir()}
    assert [True] * 3 == [text in printed for text in committed.values()]
    assert 3 == len([document for document in yaml.safe_load_all(printed) if document["groups"]])


def test_a_configured_objective_has_its_rules(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "slos: [{name: mine, type: success, objective: 99.5%, window: 7d, min_bad: 9}]\n"
    )
    printed = run(f"--config.file={config}", "--runbooks=https://wiki.example").output
    assert 'slo:sli_error:ratio_rate15m{slo="mine"} > 0.072' in printed
    assert (
        'min_over_time(runtype:slo_events_total:max{slo="mine",result="bad"}[15m])) >= 9' in printed
    )
    assert "runbook_url: https://wiki.example/RuntypeErrorBudgetBurn.md" in printed


def test_a_bad_configuration_is_reported_and_writes_nothing(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("slos: [{name: mine, type: success, objective: 99}]\n")
    refused = run(f"--config.file={config}", f"--out={tmp_path / 'out'}")
    assert (1, False) == (refused.exit_code, (tmp_path / "out").exists())
    assert f"{config}:1: slos[0].objective: must be a percentage" in refused.output


def test_an_unwritable_folder_is_reported_with_the_flag(tmp_path):
    (tmp_path / "file").write_text("")
    refused = run(SHIPPED, f"--out={tmp_path / 'file' / 'out'}")
    assert 1 == refused.exit_code
    assert "(--out): Not a directory" in refused.output
