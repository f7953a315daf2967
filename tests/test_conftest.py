"""In CI a skip is a failure: tried on a small test suite."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NEEDS_PROMTOOL = "def test_needy(promtool):\n    assert promtool\n"
SKIPPED = (
    "import pytest\n\n\ndef test_fine():\n    pass\n\n\ndef test_skipped():\n    pytest.skip('some"
    " day')\n"
)


def suite(folder: Path, tests: str, **environ: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(Path(__file__).parent / "conftest.py", folder)
    (folder / "test_it.py").write_text(tests)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("CI", "RUNTYPE_REQUIRE_TOOLS")
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rs",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        str(folder),
    ]
    return subprocess.run(
        command, cwd=folder, env=kept | environ, capture_output=True, text=True, check=False
    )


def test_a_missing_program_skips_its_tests_with_the_remedy(tmp_path: Path):
    done = suite(tmp_path, NEEDS_PROMTOOL, PATH="")
    assert 0 == done.returncode
    assert (
        "promtool is not installed; on Debian and Ubuntu: apt-get install prometheus" in done.stdout
    )


@pytest.mark.parametrize("environ", [{"CI": "true"}, {"RUNTYPE_REQUIRE_TOOLS": "1"}])
def test_a_missing_program_fails_its_tests_in_ci(tmp_path: Path, environ: dict[str, str]):
    done = suite(tmp_path, NEEDS_PROMTOOL, PATH="", **environ)
    assert 1 == done.returncode
    assert "1 error" in done.stdout


def test_any_skip_fails_the_suite_in_ci_only(tmp_path: Path):
    assert 0 == suite(tmp_path, SKIPPED).returncode
    done = suite(tmp_path, SKIPPED, CI="true")
    assert 1 == done.returncode
    assert "1 skipped, and nothing may be skipped here" in done.stdout
