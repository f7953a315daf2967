"""The dashboards as Grafana reads them: rules that every dashboard must follow."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtype_exporter.model import BATCH_STATES, OUTCOMES, START_RESULTS
from runtype_exporter.polling import StatusWords
from tools.dashboards import DASHBOARDS, PAGES, field_config
from tools.dashboards.layout import dashboard, even_row, row, section

ROOT = Path(__file__).parents[2]
COMMITTED = {path: json.loads((ROOT / path).read_text(encoding="utf-8")) for path in DASHBOARDS}
UIDS = {document["uid"]: document for document in COMMITTED.values()}
MOST_BYTES = 125_000

BUILT_IN_VARIABLES = {
    "__range",
    "__rate_interval",
    "__interval",
    "__interval_ms",
    "__value",
    "__data",
    "__url_time_range",
}
VARIABLE = re.compile(r"\$\{?([a-z_]\w*)|\[\[(\w+)")

each = pytest.mark.parametrize("document", COMMITTED.values(), ids=UIDS)


def panels(document: Any) -> list[Any]:
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def variables(document: Any) -> dict[str, Any]:
    return {variable["name"]: variable for variable in document["templating"]["list"]}


def expressions(document: Any) -> Iterator[str]:
    yield from (target["expr"] for panel in panels(document) for target in panel["targets"])
    yield from (mark["expr"] for mark in document["annotations"]["list"] if "expr" in mark)
    yield from (
        variable["query"]["query"]
        for variable in variables(document).values()
        if variable["type"] == "query"
    )


def properties(panel: Any) -> dict[str, dict[str, Any]]:
    """Return the overrides of a panel by the series or column that they change."""
    return {
        override["matcher"]["options"]: {
            item["id"]: item["value"] for item in override["properties"]
        }
        for override in panel["fieldConfig"]["overrides"]
    }


def links(document: Any) -> Iterator[str]:
    yield from (link["url"] for link in document["links"])
    for panel in panels(document):
        for override in properties(panel).values():
            yield from (link["url"] for link in override.get("links", []))


def texts(document: Any) -> Iterator[str]:
    """Yield every text in which Grafana replaces variables."""
    yield from expressions(document)
    yield from links(document)
    yield from (panel["title"] for panel in document["panels"])


def used_variables(document: Any) -> set[str]:
    return {one or other for text in texts(document) for one, other in VARIABLE.findall(text)}


@pytest.mark.parametrize("path", PAGES)
def test_the_committed_files_are_fresh(path: str):
    assert PAGES[path]() == (ROOT / path).read_text(encoding="utf-8"), "run `make docs`"


def test_every_committed_dashboard_is_generated():
    assert set(DASHBOARDS) == {
        str(path.relative_to(ROOT)) for path in (ROOT / "grafana/dashboards").glob("*")
    }


def test_uids_are_stable():
    assert {"runtype-overview", "runtype-batch", "runtype-slo", "runtype-exporter"} == set(UIDS)
    assert len(COMMITTED) == len({document["title"] for document in COMMITTED.values()})


@each
def test_it_is_the_classic_model_that_grafana_11_imports(document: Any):
    assert 39 <= document["schemaVersion"] <= 41
    assert ["runtype"] == document["tags"]
    assert "elements" not in document


@each
def test_it_is_small(document: Any):
    assert len(json.dumps(document, indent=2)) < MOST_BYTES


@each
def test_panels_have_unique_ids_and_titles(document: Any):
    for key in ("id", "title"):
        counts = Counter(panel[key] for panel in document["panels"])
        assert {} == {value: count for value, count in counts.items() if count > 1}


@each
def test_panels_fill_the_grid_without_overlap_or_gap(document: Any):
    taken = Counter(
        (x, y)
        for at in (panel["gridPos"] for panel in document["panels"])
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    )
    assert {1} == set(taken.values())
    assert set(taken) == {(x, y) for x in range(24) for y in range(max(y for _, y in taken) + 1)}


@each
def test_every_panel_has_a_description_and_a_text_for_no_value(document: Any):
    for panel in panels(document):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["noValue"] != "No data", panel["title"]


@each
def test_every_number_has_a_unit(document: Any):
    for panel in panels(document):
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        if panel["type"] == "table":
            assert [] == [name for name, has in properties(panel).items() if not has.get("unit")]


@each
def test_every_column_of_a_table_has_a_name_a_place_and_a_style(document: Any):
    for panel in panels(document):
        if panel["type"] != "table":
            continue
        organize = panel["transformations"][-1]["options"]
        assert set(organize["renameByName"]) == set(organize["indexByName"])
        assert set(organize["renameByName"].values()) == set(properties(panel))
        assert panel["options"]["sortBy"][0]["displayName"] in properties(panel)
        values = {name for name in organize["renameByName"] if name.startswith("Value")} | set(
            organize["excludeByName"]
        )
        several = len(panel["targets"]) > 1
        assert {
            f"Value #{target['refId']}" if several else "Value" for target in panel["targets"]
        } | {"Time"} == values


@each
def test_every_query_uses_the_chosen_data_source(document: Any):
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert "datasource" == variables(document)["datasource"]["type"]
    asking = [target for panel in panels(document) for target in [panel, *panel["targets"]]]
    asking += [variable for variable in variables(document).values() if variable["type"] == "query"]
    asking += [mark for mark in document["annotations"]["list"] if "expr" in mark]
    assert [] == [one for one in asking if one["datasource"] != chosen]


@each
def test_every_query_is_complete(document: Any):
    for panel in panels(document):
        assert panel["targets"], panel["title"]
        assert len(panel["targets"]) == len({target["refId"] for target in panel["targets"]})
        for target in panel["targets"]:
            assert target["expr"]
            assert target["instant"] is not target["range"]
            assert target["instant"] is (panel["type"] in ("stat", "table", "bargauge")), panel[
                "title"
            ]


@each
def test_variables_exist_if_and_only_if_they_are_used(document: Any):
    assert set() == used_variables(document) - BUILT_IN_VARIABLES - set(variables(document))
    assert set() == set(variables(document)) - used_variables(document) - {"datasource"}


@each
def test_a_choice_of_several_values_is_matched_as_a_pattern(document: Any):
    for expr in expressions(document):
        assert [] == re.findall(r"(?<!~)\"\$(?!\d)\w+\"", expr), expr
    for variable in variables(document).values():
        assert (
            variable.get("definition") == variable["query"]["query"]
            if variable["type"] == "query"
            else True
        )


@each
def test_all_includes_batches_without_a_schedule(document: Any):
    for name, variable in variables(document).items():
        if variable.get("includeAll"):
            assert "$__all" == variable["current"]["value"]
            assert (".*" if name != "instance" else None) == variable.get("allValue"), name


@each
def test_it_links_to_the_others_with_time_and_variables(document: Any):
    assert {f"/d/{uid}" for uid in UIDS} - {f"/d/{document['uid']}"} == {
        link["url"] for link in document["links"]
    }
    assert all(link["includeVars"] and link["keepTime"] for link in document["links"])


@each
def test_links_go_to_existing_dashboards_and_variables(document: Any):
    for url in links(document):
        uid, _, query = url.removeprefix("/d/").partition("?")
        assert uid in UIDS, url
        for name in re.findall(r"var-(\w+)=|\$\{(?!__)(\w+):queryparam\}", query):
            assert "".join(name) in variables(UIDS[uid]), url
        assert not query or "${__url_time_range}" in query, url


@each
def test_a_link_encodes_values_of_its_own_row(document: Any):
    for panel in panels(document):
        for override in properties(panel).values():
            for link in override.get("links", []):
                assert {"percentencode"} == set(
                    re.findall(r"\$\{__(?:value|data)\.[\w.]+:?(\w*)\}", link["url"])
                )
                columns = set(re.findall(r"__data\.fields\.(\w+)", link["url"]))
                assert set() == columns - set(properties(panel)), panel["title"]


@each
def test_no_expression_averages_shares(document: Any):
    assert [] == [
        expr for expr in expressions(document) if re.search(r"\bavg(_over_time)?\b", expr)
    ]


@each
def test_no_expression_divides_by_zero(document: Any):
    for expr in expressions(document):
        for divisor in re.findall(r"/ (?:on \([^)]*\) group_left \(\) )?\(?sum by", expr):
            assert divisor.endswith("(sum by"), expr
    guarded = [expr for expr in expressions(document) if re.search(r"/ \(.*increase", expr)]
    assert all("> 0)" in expr for expr in guarded)


@pytest.mark.parametrize(
    ("colours", "words"),
    [
        (field_config.OUTCOMES, {*OUTCOMES}),
        (field_config.STARTS, {*START_RESULTS}),
        (field_config.STATES, {*BATCH_STATES}),
    ],
    ids=["outcomes", "starts", "states"],
)
def test_every_word_of_a_closed_set_has_a_colour(colours: dict[str, str], words: set[str]):
    assert words == colours.keys()


def test_a_status_word_has_the_colour_of_its_outcome():
    known = StatusWords()
    outcomes = {word: known.outcome(word, ended=False) for word in known.known}
    colours = {word: field_config.OUTCOMES[how] for word, how in outcomes.items() if how}
    assert colours == {word: field_config.STATUSES.get(word) for word in colours}
    failed = {word for word, how in outcomes.items() if how == "failure"}
    assert failed <= {*field_config.FAILED_WORDS}
    unfinished = {word for word, how in outcomes.items() if how is None}
    assert unfinished == {*field_config.WAITING_WORDS, *field_config.RUNNING_WORDS}


def test_widths_that_do_not_fill_the_grid_are_refused():
    with pytest.raises(ValueError, match="widths must add up to 24"):
        row(4, (12, {"title": "a"}), (11, {"title": "b"}))


def test_sections_are_placed_below_each_other():
    first, second = (
        section("", even_row(2, {"title": "a"}, {"title": "b"})),
        section("more", even_row(3, {"title": "c"})),
    )
    made = dashboard("runtype-slo", [], [], [first, second])
    assert [("a", 0, 0), ("b", 12, 0), ("more", 0, 2), ("c", 0, 3)] == [
        (panel["title"], panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in made["panels"]
    ]
    assert [1, 2, 3, 4] == [panel["id"] for panel in made["panels"]]


def provisioned(kind: str) -> Any:
    [path] = (ROOT / "grafana/provisioning" / kind).glob("*.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_provisioned_data_source_has_the_expected_uid():
    [source] = provisioned("datasources")["datasources"]
    assert ("runtype-prometheus", "prometheus", "http://prometheus:9090") == (
        source["uid"],
        source["type"],
        source["url"],
    )
    [exemplar] = source["jsonData"]["exemplarTraceIdDestinations"]
    assert "/d/runtype-batch?var-batch=$${__value.raw}" == exemplar["url"]
    assert "batch" in variables(UIDS["runtype-batch"])


def test_the_provisioned_dashboards_are_files_in_a_folder():
    [provider] = provisioned("dashboards")["providers"]
    assert ("file", "/var/lib/grafana/dashboards") == (
        provider["type"],
        provider["options"]["path"],
    )
