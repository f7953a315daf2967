"""Rules for the whole suite, tried on suites of a few tests: what is skipped, and what hangs."""

from __future__ import annotations

import os
import re
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
HANGING = """
import asyncio
import time


def test_sleeps():
    time.sleep(60)


def test_spins():
    while True:
        pass


async def test_waits():
    await asyncio.Event().wait()


def test_fine():
    pass
"""


def suite(
    folder: Path, tests: str, *options: str, **environ: str
) -> subprocess.CompletedProcess[str]:
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
        "-rsf",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        *options,
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


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_test_that_hangs_fails_and_the_others_go_on(tmp_path: Path, workers: str):
    configuration = Path(__file__).parents[1] / "pyproject.toml"
    options = ("-c", str(configuration), "-o", "timeout=1", "-n", workers)
    done = suite(tmp_path, HANGING, *options)
    assert 1 == done.returncode
    assert "3 failed, 1 passed" in done.stdout
    for name in ("test_sleeps", "test_spins", "test_waits"):
        assert re.search(rf"FAILED \S*::{name} - Failed: Timeout", done.stdout), done.stdout
