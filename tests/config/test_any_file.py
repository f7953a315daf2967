"""Whatever stands in the file: a configuration, or errors that name a line of it.

Never anything else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runtype_exporter.config import (
    Account,
    CollectorSwitches,
    Config,
    ConfigError,
    ConfiguredBatch,
    Globs,
    Metrics,
    Poll,
    State,
    load,
)

MODELS = (Config, Account, CollectorSwitches, ConfiguredBatch, Globs, Metrics, Poll, State)
KEYS = sorted({key for model in MODELS for key in model.model_fields} | {"env", "file"})
WORDS = ["30s", "0s", "1h30m", "*", "failure", "https://api.runtype.com", "RUNTYPE_API_KEY", ""]

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.sampled_from(WORDS)
    | st.text(max_size=8)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=20,
)
accounts = st.lists(
    st.dictionaries(st.sampled_from(sorted(Account.model_fields)), anything, max_size=5), max_size=3
)
documents = st.dictionaries(st.sampled_from(sorted(Config.model_fields)), anything, max_size=4)


def loaded_or_refused(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        config = load(path, environ={})
    except ConfigError as error:
        problems = error.problems
    else:
        assert config.accounts
        return
    lines = len(text.splitlines()) + 1
    assert problems
    assert [] == [
        problem
        for problem in problems
        if not problem.message or not 1 <= (problem.line or 0) <= lines
    ]
    assert [] == [problem for problem in problems if not str(problem).isprintable()]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "config.yaml"


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=50)
@given(
    data=documents
    | st.builds(lambda listed, rest: {**rest, "accounts": listed}, accounts, documents)
    | anything
)
def test_any_data_is_a_configuration_or_refused_by_line(path: Path, data: Any):
    loaded_or_refused(path, yaml.safe_dump(data))


@settings(deadline=None, max_examples=50)
@given(
    text=st.text(
        alphabet=st.sampled_from("accounts:poll{}[]-*&!#|>'\"? \n\t,0159s%@`~<=.é\x00\ufeff"),
        max_size=60,
    )
)
@example(text="[" * 1500)
@example(text="poll: {interval: " + "9" * 5000 + "}")
@example(text="poll: {? {a: 1} : 2}")
@example(text="accounts: !!bool maybe")
@example(text="accounts: !!int ''")
@example(text="poll: !!float .")
@example(text="<<: {poll: {}}")
@example(text="\ud800")
@example(text='metrics: {status_map: {"a\\nb": 1}}')
def test_any_text_is_a_configuration_or_refused_by_line(path: Path, text: str):
    loaded_or_refused(path, text)
