"""Files: good ones, and for each kind of bad one exactly what a person sees."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from runtype_exporter.config import (
    Account,
    CollectorSwitches,
    Config,
    ConfigError,
    ConfiguredBatch,
    Globs,
    Metrics,
    Poll,
    Problem,
    Secret,
    Slo,
    State,
    load,
)

FIXTURES = Path(__file__).parent / "fixtures"
SHIPPED = Path(__file__).parents[2] / "config.yaml"
BUILT_IN = Config(accounts=(Account(name="default", api_key=Secret(env="RUNTYPE_API_KEY")),))
EXPECT = "# expect: "


def problems(path: Path | None) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return caught.value.problems


@pytest.mark.parametrize(
    "path", sorted(FIXTURES.glob("*.bad.yaml")), ids=lambda path: path.name.split(".")[0]
)
def test_a_bad_file_is_refused_with_exactly_these_lines(path: Path):
    expected = [
        line.removeprefix(EXPECT)
        for line in path.read_text().splitlines()
        if line.startswith(EXPECT)
    ]
    assert expected
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [f"{path}:{line}" for line in expected] == str(caught.value).splitlines()
    assert "marker" not in str(caught.value).lower()


def test_a_file_of_more_values_than_any_configuration_has_is_refused(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"slos: [{'1,' * 100_001}]")
    assert ["slos"] == [problem.path for problem in problems(path)]


@pytest.mark.parametrize(
    "path", sorted(FIXTURES.glob("*.good.yaml")), ids=lambda path: path.name.split(".")[0]
)
def test_a_good_file_is_taken(path: Path):
    assert load(path).accounts


def test_every_key_reaches_its_attribute():
    production = Account(
        name="production",
        base_url="https://api.runtype.com",
        api_key=Secret(env="RUNTYPE_API_KEY"),
        requests_per_hour=5000,
        page_size=1000,
        timeout=90.0,
        schedules=Globs(include=("nightly-*", "schedule_01"), exclude=("*-test",)),
        adhoc_batches=False,
        batches=(
            ConfiguredBatch(id="batch_01jv", name="backfill", status="failed"),
            ConfiguredBatch(id="batch_01jw"),
        ),
        collectors=CollectorSwitches(
            schedules=True, runs=False, summary=False, cost=False, sparklines=True, usage=False
        ),
    )
    second = Account(
        name="2",
        base_url="http://127.0.0.1:8080/runtype",
        api_key=Secret(file=FIXTURES / "keys" / "runtype"),
    )
    expected = Config(
        accounts=(production, second),
        poll=Poll(
            interval=0.5,
            discovery_interval=3600.0,
            lookback=86400.0,
            settle_time=0.0,
            max_concurrency=64,
        ),
        state=State(path=Path("/data/ledger.db"), retention=1209600.0),
        metrics=Metrics(
            latency_buckets=(0.1, 1.0, 60.0),
            batches_per_schedule=0,
            max_series=1000,
            status_map={"needs_review": "unfinished", "no": "failure", "7": "unknown"},
        ),
        slos=(
            Slo(
                name="nightly-succeeds",
                type="success",
                schedule="nightly-*",
                objective=Decimal("99.95"),
                window=604800.0,
            ),
            Slo(
                name="imports-fast",
                type="latency",
                schedule="",
                objective=Decimal(50),
                threshold=90.0,
            ),
            Slo(name="on-time", type="freshness", objective=Decimal("9.5"), max_delay=0.0),
        ),
    )
    assert expected == load(FIXTURES / "everything.good.yaml")


@pytest.mark.parametrize("name", ["nothing", "empty_sections"])
def test_what_is_left_out_is_the_default(name: str):
    assert BUILT_IN == load(FIXTURES / f"{name}.good.yaml")


@pytest.mark.parametrize("text", ["slos:\n", "slos: []\n"])
def test_an_empty_list_of_objectives_is_none_at_all(tmp_path: Path, text: str):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert () == load(path).slos


def test_an_alias_means_what_its_anchor_says():
    first, second = load(FIXTURES / "anchors.good.yaml").accounts
    assert Globs(include=("nightly-*",)) == first.schedules == second.schedules


def test_the_shipped_file_says_what_is_built_in():
    assert BUILT_IN == load(SHIPPED)


def test_the_shipped_file_shows_every_key():
    text = SHIPPED.read_text()
    models = (Config, Account, ConfiguredBatch, Globs, CollectorSwitches, Poll, State, Metrics, Slo)
    missing = {f"{key}:" for model in models for key in model.model_fields if f"{key}:" not in text}
    assert set() == missing


def test_without_a_file_the_built_ins_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert BUILT_IN == load(None)


def test_a_config_yaml_in_the_working_directory_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("poll: {interval: 30s}\n")
    assert 30.0 == load(None).poll.interval
    Path("config.yaml").write_text("poll: {interval: 30}\n")
    assert "config.yaml:1: poll.interval: 30 has no unit; write 30s for seconds, or m, h, d" == str(
        problems(None)[0]
    )


def test_keys_come_from_the_environment_that_was_given():
    environ = {"RUNTYPE_API_KEY": "rt_live_marker"}
    config = load(FIXTURES / "nothing.good.yaml", environ=environ)
    assert "rt_live_marker" == config.accounts[0].api_key.read()
    assert "marker" not in repr(config)


def test_no_key_is_read_while_loading():
    assert BUILT_IN == load(FIXTURES / "nothing.good.yaml", environ={})


def test_a_file_that_was_asked_for_must_exist(tmp_path: Path):
    path = tmp_path / "absent.yaml"
    remedy = (
        "no such file; check --config.file,"
        " or leave it out for ./config.yaml or the built-in defaults"
    )
    assert (Problem(str(path), None, "", remedy),) == problems(path)
    assert f"{path}: {remedy}" == str(problems(path)[0])


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path):
    assert f"{tmp_path}: cannot be read: Is a directory" == str(problems(tmp_path)[0])


def test_a_file_that_is_no_text_is_refused_with_the_line(tmp_path: Path):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"poll:\n  interval: \xff\n")
    assert f"{path}:2: is not UTF-8 text; save it as UTF-8" == str(problems(path)[0])


def test_a_file_far_too_large_is_not_read(tmp_path: Path):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    assert f"{path}: is larger than 4 MiB: no configuration" == str(problems(path)[0])


def test_a_byte_order_mark_is_no_error(tmp_path: Path):
    path = tmp_path / "config.yaml"
    path.write_text("\ufeffpoll: {interval: 30s}\n")
    assert 30.0 == load(path).poll.interval
