import pytest

from runtype_exporter.runtype import Unauthorised
from runtype_exporter.runtype.api_key import ApiKey


def test_the_key_is_read_for_each_request():
    keys = iter(["first", "second"])
    key = ApiKey(lambda: next(keys))
    assert key.headers("runs") == {"Authorization": "Bearer first"}
    assert key.headers("runs") == {"Authorization": "Bearer second"}


def test_a_key_may_be_a_fixed_one():
    key = ApiKey("fixed")
    assert key.headers("runs") == {"Authorization": "Bearer fixed"}
    assert not key.has_changed()


@pytest.mark.parametrize("bad", ["", "KEY MARK", "KEY\nMARK", "KEY-MARK-ä", "KEY\ud83dMARK"])
def test_a_key_that_no_header_can_carry_is_never_quoted(bad):
    with pytest.raises(Unauthorised) as caught:
        ApiKey(bad).headers("runs")
    assert caught.value.code == "key"
    assert "MARK" not in str(caught.value)


def test_a_changed_key_is_noticed_unless_it_cannot_be_sent_or_read():
    keys: list[str | Exception] = ["old"]

    def source() -> str:
        if isinstance(keys[-1], Exception):
            raise keys[-1]
        return keys[-1]

    key = ApiKey(source)
    key.headers("runs")
    for other, changed in (
        ("old", False),
        ("", False),
        (OSError("gone"), False),
        ("new", True),
    ):
        keys.append(other)
        assert key.has_changed() == changed
    key.headers("runs")
    assert not key.has_changed()
