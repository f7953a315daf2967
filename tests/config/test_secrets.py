"""Keys: read when needed, never shown."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import pytest

from runtype_exporter.config import Secret, SecretError

KEY = "rt_live_marker"


def test_a_variable_is_read_when_the_key_is_needed():
    environ = {"A": "first"}
    secret = Secret(env="A", environ=environ)
    environ["A"] = KEY
    assert KEY == secret.read()


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A", KEY)
    assert KEY == Secret(env="A").read()


def test_a_file_is_read_again_each_time_so_a_rotated_key_is_taken_up(tmp_path: Path):
    file = tmp_path / "key"
    file.write_text("old\n")
    secret = Secret(file=file)
    assert "old" == secret.read()
    file.write_text(f"{KEY}\r\n")
    assert KEY == secret.read()


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "the environment variable A is not set; put the Runtype API key into it"),
        ({"A": ""}, "the environment variable A is empty; put the Runtype API key into it"),
        ({"A": " \n"}, "the environment variable A is empty; put the Runtype API key into it"),
        (
            {"A": "ma rker"},
            "the environment variable A holds no API key; it must hold the key alone, on one line",
        ),
        (
            {"A": "ma\nrker"},
            "the environment variable A holds no API key; it must hold the key alone, on one line",
        ),
        (
            {"A": "märker"},
            "the environment variable A holds no API key; it must hold the key alone, on one line",
        ),
    ],
)
def test_a_variable_without_a_key_is_named_with_the_remedy(environ: dict[str, str], message: str):
    with pytest.raises(SecretError) as caught:
        Secret(env="A", environ=environ).read()
    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; put the Runtype API key into it"),
        (b"\xff\xfe", "holds no API key; it must hold the key alone, on one line"),
        (b"a" * 10_000, "holds no API key; it must hold the key alone, on one line"),
    ],
)
def test_a_file_without_a_key_is_named_with_the_remedy(
    tmp_path: Path, content: bytes, message: str
):
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(SecretError) as caught:
        Secret(file=file).read()
    assert f"the file {file} {message}" == str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(SecretError, match=r"key does not exist; put the Runtype API key into it$"):
        Secret(file=tmp_path / "key").read()


def test_an_unreadable_file_is_named_with_the_reason(tmp_path: Path):
    with pytest.raises(
        SecretError, match=r"cannot be read \(Is a directory\); let the exporter's user read it$"
    ):
        Secret(file=tmp_path).read()


@pytest.mark.parametrize(
    "places",
    [
        {},
        {"env": "A", "file": Path("a")},
        {"env": KEY},
        {"env": "1A"},
        {"file": Path("/keys") / KEY},
    ],
)
def test_what_names_no_place_is_refused_without_being_repeated(places: dict[str, object]):
    with pytest.raises(ValueError, match="key") as caught:
        Secret(**places)  # type: ignore[arg-type]
    assert "marker" not in str(caught.value)


def test_neither_repr_nor_a_copy_shows_a_key():
    secret = Secret(env="A", environ={"A": KEY, "B": "marker"})
    assert "Secret(env='A', file=None)" == repr(secret) == str(copy.copy(secret))


def test_secrets_of_the_same_place_are_equal_whatever_the_environment_holds():
    assert Secret(env="A", environ={}) == Secret(env="A", environ=os.environ)
    assert hash(Secret(env="A", environ={})) == hash(Secret(env="A"))
    assert Secret(env="A") != Secret(env="B")
