"""The rules that a dashboard keeps: those of Grafana's dashboard-linter that apply, ours on metrics and links."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest
from grafana_foundation_sdk.models import units

from dashboards.looks import DETAIL, OVERVIEW
from dashboards.queries import OBSERVERS, VIP
from exporter.publish.catalogue import CATALOGUE, Type
from tests.dashboards.reading import FILLED, NAMES, each_panel, load, queries, selectors

UNITS = {value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("__")}

TYPES = {metric.name: metric.type for metric in CATALOGUE}
LABELS = {metric.name: {*metric.labels, "job", "instance"} for metric in CATALOGUE}
for _metric in CATALOGUE:
    if _metric.type is Type.HISTOGRAM:
        for _part in ("bucket", "sum", "count"):
            TYPES[f"{_metric.name}_{_part}"] = Type.COUNTER
            LABELS[f"{_metric.name}_{_part}"] = {*LABELS[_metric.name], *(["le"] if _part == "bucket" else [])}

SOURCE = {"type": "prometheus", "uid": "${datasource}"}

each_query = pytest.mark.parametrize("asked", list(queries()), ids=str)
each_page = pytest.mark.parametrize("name", NAMES)


@each_page
def test_the_page_says_what_it_is(name) -> None:
    page = load(name)
    assert page["uid"] == name
    assert page["title"]
    assert page["description"]
    assert page["tags"] == ["vip-exporter"]
    assert page["editable"] is False
    assert not {"id", "__inputs", "__requires"} & set(page)


def test_the_uids_never_change() -> None:
    """Bookmarks, links from alerts and other people's dashboards depend on them."""
    assert (OVERVIEW, DETAIL) == NAMES


@each_page
def test_the_variables(name) -> None:
    variables = load(name)["templating"]["list"]
    source, job, instance, vip = variables
    assert [each["name"] for each in variables] == ["datasource", "job", "instance", "vip"]
    assert [each["label"] for each in variables] == ["Data source", "Job", "Instance", "VIP"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    assert job["definition"] == "label_values(vip_exporter_build_info, job)"
    assert instance["definition"] == 'label_values(vip_exporter_build_info{job=~"$job"}, instance)'
    assert vip["definition"] == 'label_values(vip_info{job=~"$job", instance=~"$instance"}, vip)'
    for each in (job, instance, vip):
        assert each["type"] == "query"
        assert each["datasource"] == SOURCE
        assert each["query"] == {"query": each["definition"], "refId": "PrometheusVariableQueryEditor-VariableQuery"}
        assert (each["refresh"], each["sort"]) == (2, 1)
    many = [job, instance] if name == DETAIL else [job, instance, vip]
    for each in many:
        assert (each["multi"], each["includeAll"], each["allValue"]) == (True, True, ".+")
    if name == DETAIL:
        assert (vip["multi"], vip["includeAll"]) == (False, False)


@each_panel
def test_the_panel_says_what_it_shows(name, panel) -> None:
    assert panel["title"]
    assert len(panel["description"]) > 20
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["noValue"]


@each_panel
def test_units_are_grafanas(name, panel) -> None:
    config = panel["fieldConfig"]
    given = [config["defaults"]["unit"]]
    given += [each["value"] for over in config["overrides"] for each in over["properties"] if each["id"] == "unit"]
    assert set(given) <= UNITS


@each_panel
def test_the_source_can_be_chosen(name, panel) -> None:
    assert panel["datasource"] == SOURCE
    assert [target["datasource"] for target in panel["targets"]] == [SOURCE] * len(panel["targets"])


@each_panel
def test_queries_have_names_of_their_own(name, panel) -> None:
    refs = [target["refId"] for target in panel["targets"]]
    assert refs
    assert all(refs)
    assert len(set(refs)) == len(refs)


@each_panel
def test_what_holds_now_is_asked_for_now(name, panel) -> None:
    instant = panel["type"] in {"stat", "table", "bargauge"}
    assert [(each["instant"], each["range"]) for each in panel["targets"]] == [(instant, not instant)] * len(
        panel["targets"]
    )


@each_panel
def test_what_is_counted_over_the_visible_time_says_so(name, panel) -> None:
    counted = any("$__range" in target["expr"] for target in panel["targets"])
    assert ("visible time" in panel["description"]) == counted


@each_panel
def test_words_stand_beside_colours(name, panel) -> None:
    """A value that is mapped has a word; whoever cannot tell colours apart reads it."""
    config = panel["fieldConfig"]
    given = config["defaults"].get("mappings", [])
    given += [
        m
        for over in config["overrides"]
        for each in over["properties"]
        if each["id"] == "mappings"
        for m in each["value"]
    ]
    results = [result for each in given for result in (
        each["options"].values() if each["type"] == "value" else [each["options"]["result"]])]  # fmt: skip
    assert all(result["text"] and result["color"] for result in results)
    if panel["type"] == "state-timeline":
        assert results


@each_panel
def test_overrides_meet_a_field(name, panel) -> None:
    """By the name that is shown: a column's title, or a legend."""
    shown = {target["legendFormat"] for target in panel["targets"]}
    for each in panel.get("transformations", []):
        shown |= set(each["options"].get("renameByName", {}).values())
    assert {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]} <= shown


@each_panel
def test_labels_are_not_taken_for_numbers(name, panel) -> None:
    """Grafana would write the version 1.10 as 1.1."""
    if panel["type"] == "table":
        titles = panel["transformations"][-1]["options"]["renameByName"]
        units = {
            override["matcher"]["options"]: each["value"]
            for override in panel["fieldConfig"]["overrides"]
            for each in override["properties"]
            if each["id"] == "unit"
        }
        labels = {title for field, title in titles.items() if not field.startswith("Value")}
        assert {units.get(title) for title in labels} == {"string"}


@each_panel
def test_tables_are_sorted_by_a_column(name, panel) -> None:
    if panel["type"] == "table":
        titles = [
            title for each in panel["transformations"] for title in each["options"].get("renameByName", {}).values()
        ]
        assert {each["displayName"] for each in panel["options"]["sortBy"]} <= set(titles)


@each_query
def test_every_selector_follows_the_choices(asked) -> None:
    found = selectors(asked.expr)
    assert found
    for _, metric, matchers in found:
        assert OBSERVERS in matchers
        assert (VIP in matchers) == ("vip" in LABELS[metric])


@each_query
def test_metrics_and_labels_exist(asked) -> None:
    for _, metric, matchers in selectors(asked.expr):
        assert metric in TYPES
        assert set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", matchers)) <= LABELS[metric]
    grouped = re.findall(r"\b(?:by|on|group_left) \(([^)]*)\)", asked.expr)
    known = set().union(*(LABELS[metric] for _, metric, _ in selectors(asked.expr)), {"who"})
    assert {label for each in grouped for label in each.split(", ") if label} <= known


@each_panel
def test_legends_name_labels_that_are_left(name, panel) -> None:
    for target in panel["targets"]:
        named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        first = re.search(r"\bby \(([^)]*)\)", target["expr"])
        left = set(first[1].split(", ")) if first else set()
        left |= set(re.findall(r"group_left \((\w+)\)", target["expr"]))
        assert named <= left


@each_panel
def test_series_are_told_apart(name, panel) -> None:
    """Where several can be shown, each has its legend."""
    if panel["type"] != "table" and (panel["type"] != "stat" or len(panel["targets"]) > 1):
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert all(legends)
        assert len(set(legends)) == len(legends)


@each_query
def test_counters_are_never_shown_as_they_are(asked) -> None:
    """And what is no counter has no rate."""
    for before, metric, _ in selectors(asked.expr):
        assert (TYPES[metric] is Type.COUNTER) == (before in {"rate(", "increase("}), f"{before}{metric}"


@each_query
def test_windows_fit_the_scrape_interval(asked) -> None:
    windows = re.findall(r"}\[([^\]]*)\]", asked.expr)
    assert set(windows) <= {"$__rate_interval", "$__range"}


@each_page
def test_the_grid_is_filled_without_overlap(name) -> None:
    taken = Counter(
        (column, line)
        for panel in load(name)["panels"]
        for column in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for line in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    )
    height = max(line for _, line in taken) + 1
    assert taken == Counter((column, line) for column in range(24) for line in range(height))


@each_page
def test_panels_come_in_reading_order(name) -> None:
    """So Grafana on a narrow screen, and whoever reads the file, sees them in order."""
    places = [(panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in load(name)["panels"]]
    assert all(one < other for one, other in pairwise(places))


@each_page
def test_ids_are_unique(name) -> None:
    ids = [panel["id"] for panel in load(name)["panels"]]
    assert all(ids)
    assert len(set(ids)) == len(ids)


@each_page
def test_the_annotations(name) -> None:
    builtin, moves, contests = load(name)["annotations"]["list"]
    assert (builtin["builtIn"], builtin["type"]) == (1, "dashboard")
    assert builtin["datasource"] == {"type": "grafana", "uid": "-- Grafana --"}
    assert moves["datasource"] == contests["datasource"] == SOURCE
    assert moves["enable"] and contests["enable"]
    assert moves["useValueForTime"] is True
    assert moves["expr"].startswith("1000 * "), "Grafana takes the value as milliseconds"
    assert (moves["titleFormat"], moves["textFormat"]) == ("VIP moved", "{{vip}}: {{from}} → {{to}}")
    assert contests["titleFormat"] == "VIP contested"


def test_no_variable_is_forgotten() -> None:
    """What the other tests put in place of variables is all that is used."""
    used = {each for asked in queries() for each in re.findall(r"\$(?!1\b)(?:\w+|\{\w+\})", asked.expr)}
    assert used == set(FILLED)
