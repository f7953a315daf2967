"""What every test may ask for.

Programs that are not Python's, and the rule that nothing is skipped where it counts.
"""

from __future__ import annotations

import os
import shutil

import pytest


def nothing_may_be_skipped() -> bool:
    """In CI, and wherever somebody asks for it, a missing program is a failure."""
    return "true" in (
        os.environ.get("CI"),
        os.environ.get("RUNTYPE_REQUIRE_TOOLS", "").replace("1", "true"),
    )


def program(name: str, package: str, *, otherwise: str = "") -> str:
    """The path of a program, or a skip (a failure in CI) that says how to get it.

    `otherwise` is its name where Debian has another one.
    """
    path = shutil.which(name) or (shutil.which(otherwise) if otherwise else None)
    if path is None:
        remedy = f"{name} is not installed; on Debian and Ubuntu: apt-get install {package}"
        (pytest.fail if nothing_may_be_skipped() else pytest.skip)(remedy)
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
    """One more than there are processors.

    Several tests mostly wait for processes that they started.
    """
    return (os.cpu_count() or 1) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A skip in CI is a check that is believed to run and does not."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and nothing_may_be_skipped() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(
            f"\n{len(skipped)} skipped, and nothing may be skipped here", red=True, bold=True
        )
