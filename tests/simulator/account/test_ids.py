import re

from runtype_exporter.simulator.account.ids import Seed


def test_an_id_is_a_prefix_and_a_ulid_like_body_with_its_moment():
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    id_ = Seed(1).id("batch", 1_782_907_200.123, "nightly", 7)
    assert re.fullmatch(f"batch_[{alphabet}]{{26}}", id_)
    moment = 0
    for letter in id_.removeprefix("batch_")[:10]:
        moment = moment * 32 + alphabet.index(letter)
    assert moment == 1_782_907_200_123


def test_the_same_parts_give_the_same_id_and_any_other_part_another():
    ids = [
        Seed(1).id("run", 5.0, "a", 1),
        Seed(1).id("run", 5.0, "a", 2),
        Seed(1).id("run", 5.0, "b", 1),
        Seed(2).id("run", 5.0, "a", 1),
    ]
    assert len(set(ids)) == 4
    assert ids[0] == Seed(1).id("run", 5.0, "a", 1)


def test_streams_differ_by_seed_and_by_name_and_repeat():
    draws = [Seed(seed).random(name).random() for seed in (1, 2) for name in ("a", "b")]
    assert len(set(draws)) == 4
    assert draws[0] == Seed(1).random("a").random()
