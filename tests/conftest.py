"""Fixtures for all tests: logging, and programs that are not written in Python.

In CI a skipped test is a failure.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator

import pytest
import structlog

# Each request of httpx.ASGITransport searches the whole path for this package, which is not there.
sys.modules.setdefault("sniffio", None)


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Restore logging after each test.

    A command sets it up for its process, on a standard error that is gone when the runner is done.
    """
    root = logging.getLogger()
    handlers, level, before = list(root.handlers), root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def skips_are_failures() -> bool:
    """Return whether a missing program is a failure: in CI, or with `RUNTYPE_REQUIRE_TOOLS=1`."""
    return "true" in (
        os.environ.get("CI"),
        os.environ.get("RUNTYPE_REQUIRE_TOOLS", "").replace("1", "true"),
    )


def program(name: str, package: str, *, otherwise: str = "") -> str:
    """Return the path of a program. Without it, skip the test, or fail in CI.

    `otherwise` is a second name, for programs that have another name on Debian.
    """
    path = shutil.which(name) or (shutil.which(otherwise) if otherwise else None)
    if path is None:
        remedy = f"{name} is not installed; on Debian and Ubuntu: apt-get install {package}"
        (pytest.fail if skips_are_failures() else pytest.skip)(remedy)
    return path


@pytest.fixture(scope="session")
def promtool() -> str:
    return program("promtool", "prometheus")


@pytest.fixture(scope="session")
def prometheus_binary() -> str:
    return program("prometheus", "prometheus")


@pytest.fixture(scope="session")
def amtool() -> str:
    return program("amtool", "prometheus-alertmanager")


@pytest.fixture(scope="session")
def alertmanager_binary() -> str:
    return program("alertmanager", "prometheus-alertmanager", otherwise="prometheus-alertmanager")


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are processors.

    Several tests mostly wait for processes that they started.
    """
    return (os.cpu_count() or 1) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail in CI if a test was skipped: a check that should run did not run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and skips_are_failures() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(
            f"\n{len(skipped)} skipped, and nothing may be skipped here", red=True, bold=True
        )
