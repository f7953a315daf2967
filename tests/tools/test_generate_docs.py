"""The generated pages, and the check that they are fresh."""

from __future__ import annotations

import pytest

from runtype_exporter.catalogue import CATALOGUE
from tools.generate_docs import PAGES, main, metrics, stale, write


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_every_metric_has_one_complete_row(metric):
    [row] = [line for line in metrics().splitlines() if line.startswith(f"| `{metric.name}` |")]
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    assert cells == [f"`{metric.name}`", metric.type, labels, metric.stability, metric.help]


def test_closed_values_and_buckets_are_named():
    lines = metrics().splitlines()
    assert (
        "* `runtype_records_finished_total`, `outcome`: `success`, `failure`, `cancelled`,"
        " `unknown`" in lines
    )
    assert (
        "* `runtype_record_latency_seconds`: 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600"
        in lines
    )


def test_pages_that_were_just_written_are_fresh(tmp_path, capsys):
    assert stale(tmp_path) == list(PAGES)
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    assert capsys.readouterr().err == ""


def test_a_stale_page_is_named_with_the_remedy(tmp_path, capsys):
    write(tmp_path)
    (tmp_path / "docs/metrics.md").write_text("old", encoding="utf-8")
    assert main(["--check"], tmp_path) == 1
    assert (
        capsys.readouterr().err
        == "docs/metrics.md is stale: run `make docs` and commit what changes\n"
    )
    assert (tmp_path / "docs/metrics.md").read_text(encoding="utf-8") == "old"


def test_anything_else_is_answered_with_the_usage(tmp_path, capsys):
    assert main(["--chekc"], tmp_path) == 2
    assert "usage:" in capsys.readouterr().err


def test_the_committed_pages_are_fresh():
    assert main(["--check"]) == 0
