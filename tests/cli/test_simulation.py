"""The simulator and the demo, from the command to its end."""

from __future__ import annotations

import signal

from tests.support.commands import stopped


def test_the_simulator_says_where_it_is_and_ends_with_0():
    ended = stopped("simulate", "--web.listen-address=:0", number=signal.SIGINT)
    assert 0 == ended.exit_code
    assert ended.stdout.startswith("simulated API  http://127.0.0.1:")


def test_the_demo_says_where_to_look_and_leaves_nothing_behind(tmp_path):
    ended = stopped("demo", "--web.listen-address=127.0.0.1:0", TMPDIR=str(tmp_path))
    assert 0 == ended.exit_code
    assert ["simulated API", "metrics", "status", "try"] == [
        line.split("  ")[0] for line in ended.stdout.splitlines() if "http" in line
    ]
    assert [] == list(tmp_path.iterdir())
