import pytest

from runtype_exporter.ledger.names import Fixed, Names


@pytest.fixture
def names() -> Names:
    return Names([])


def use(names: Names, id_: str, name: str | None, account: str = "a", kind: str = "flow") -> str:
    names.apply(fixed := names.choose(account, kind, id_, name))  # type: ignore[arg-type]
    return fixed.label


def test_the_first_id_of_a_name_gets_it_and_the_next_keeps_its_id(names: Names):
    assert [use(names, "f1", "enrich"), use(names, "f2", "enrich"), use(names, "f1", "enrich")] == [
        "enrich",
        "f2",
        "enrich",
    ]


@pytest.mark.parametrize("name", [None, ""])
def test_without_a_name_the_id_is_the_label_until_a_name_is_known(name: str | None, names: Names):
    assert [use(names, "f1", name), use(names, "f1", "enrich"), use(names, "f1", name)] == [
        "f1",
        "enrich",
        "enrich",
    ]


def test_a_rename_frees_the_old_name(names: Names):
    assert [use(names, "f1", "old"), use(names, "f1", "new"), use(names, "f2", "old")] == [
        "old",
        "new",
        "old",
    ]


def test_a_rename_to_a_name_that_is_taken_changes_nothing(names: Names):
    assert [use(names, "f1", "one"), use(names, "f2", "two"), use(names, "f2", "one")] == [
        "one",
        "two",
        "two",
    ]


def test_accounts_and_kinds_have_names_of_their_own(names: Names):
    labels = [
        use(names, "x1", "n"),
        use(names, "x2", "n", account="b"),
        use(names, "x3", "n", kind="schedule"),
    ]
    assert labels == ["n", "n", "n"]


def test_a_name_that_is_the_id_of_another_is_taken(names: Names):
    assert [use(names, "f1", None), use(names, "f2", "f1")] == ["f1", "f2"]


def test_an_id_can_be_its_own_name(names: Names):
    assert [use(names, "f1", "f1"), use(names, "f1", "f1")] == ["f1", "f1"]


def test_an_id_that_is_the_label_of_another_shares_the_label(names: Names):
    assert [use(names, "f1", "f2"), use(names, "f2", None), use(names, "f2", "enrich")] == [
        "f2",
        "f2",
        "enrich",
    ]
    assert use(names, "f3", "f2") == "f3"


def test_a_shared_label_can_be_given_up_by_both_ids(names: Names):
    assert [use(names, "f1", "f2"), use(names, "f2", None)] == ["f2", "f2"]
    assert [use(names, "f1", "one"), use(names, "f2", "two"), use(names, "f3", "one")] == [
        "one",
        "two",
        "f3",
    ]


def test_choosing_alone_changes_nothing(names: Names):
    names.choose("a", "flow", "f1", "enrich")
    assert names.known("a", "flow", "f1") is None


def test_stored_labels_stay_fixed():
    names = Names([Fixed("a", "flow", "f1", "enrich")])
    assert names.known("a", "flow", "f1") == "enrich"
    assert use(names, "f2", "enrich") == "f2"
