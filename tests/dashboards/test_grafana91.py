"""Only what Grafana 9.1 has: panels, options, values of options. Later ones migrate from there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dashboards.reading import NAMES, each_panel, load

LEGEND = {"displayMode": {"list", "table"}, "placement": {"bottom", "right"}, "showLegend": bool, "calcs": list}
TOOLTIP = {"mode": {"single", "multi", "none"}, "sort": {"none", "asc", "desc"}}
REDUCE = {"calcs": list, "values": bool, "fields": str}
ORIENTATION = {"auto", "horizontal", "vertical"}

OPTIONS: dict[str, dict[str, Any]] = {
    "stat": {
        "graphMode": {"none", "area"},
        "colorMode": {"none", "value", "background"},
        "justifyMode": {"auto", "center"},
        "textMode": {"auto", "value", "value_and_name", "name", "none"},
        "reduceOptions": REDUCE,
        "orientation": ORIENTATION,
    },
    "table": {"showHeader": bool, "sortBy": list},
    "timeseries": {"legend": LEGEND, "tooltip": TOOLTIP},
    "state-timeline": {
        "mergeValues": bool,
        "showValue": {"auto", "always", "never"},
        "alignValue": {"left", "center", "right"},
        "rowHeight": float,
        "legend": LEGEND,
        "tooltip": TOOLTIP,
    },
    "bargauge": {
        "displayMode": {"basic", "lcd", "gradient"},
        "orientation": ORIENTATION,
        "showUnfilled": bool,
        "minVizWidth": int,
        "minVizHeight": int,
        "reduceOptions": REDUCE,
    },
}

CUSTOM: dict[str, dict[str, Any]] = {
    "stat": {},
    "bargauge": {},
    "table": {
        "align": {"auto", "left", "right", "center"},
        "displayMode": {"auto", "color-text", "color-background", "color-background-solid", "basic"},
        "inspect": bool,
        "width": int,
    },
    "timeseries": {
        "drawStyle": {"line", "bars", "points"},
        "lineInterpolation": {"linear", "smooth", "stepBefore", "stepAfter"},
        "lineWidth": int,
        "lineStyle": {"fill": {"solid", "dash", "dot"}, "dash": list},
        "fillOpacity": int,
        "showPoints": {"auto", "always", "never"},
        "spanNulls": bool,
        "axisSoftMin": int,
        "axisSoftMax": int,
        "stacking": {"mode": {"none", "normal", "percent"}, "group": str},
    },
    "state-timeline": {"lineWidth": int, "fillOpacity": int},
}

PANEL = {
    "type", "id", "pluginVersion", "title", "description", "datasource", "gridPos", "links", "targets", "options",
    "fieldConfig", "transformations", "interval",
}  # fmt: skip
DEFAULTS = {"unit", "decimals", "min", "mappings", "thresholds", "color", "links", "noValue", "custom"}
TARGET = {"expr", "datasource", "format", "instant", "range", "legendFormat", "refId"}
VARIABLE = {
    "type", "name", "label", "skipUrlSync", "query", "datasource", "current", "multi", "refresh", "sort", "includeAll",
    "allValue", "definition",
}  # fmt: skip


def strange(given: Any, known: Any) -> list[str]:
    """What of the options is not among the known ones, or has no known value."""
    if isinstance(known, dict):
        unknown = [key for key in given if key not in known]
        return unknown + [f"{key}: {each}" for key in given if key in known for each in strange(given[key], known[key])]
    fits = given in known if isinstance(known, set) else isinstance(given, known)
    return [] if fits else [repr(given)]


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_is_that_of_grafana_9_1(name) -> None:
    """A later one would not be read there, and not be migrated by those after it."""
    assert load(name)["schemaVersion"] == 37


@each_panel
def test_grafana_9_1_knows_the_panel(name, panel) -> None:
    kind, config = panel["type"], panel["fieldConfig"]
    assert set(panel) <= PANEL
    assert strange(panel["options"], OPTIONS[kind]) == []
    assert set(config["defaults"]) <= DEFAULTS
    assert strange(config["defaults"].get("custom", {}), CUSTOM[kind]) == []
    for override in config["overrides"]:
        assert override["matcher"]["id"] == "byName"
        custom = {each["id"].removeprefix("custom."): each["value"] for each in override["properties"]
                  if each["id"].startswith("custom.")}  # fmt: skip
        assert strange(custom, CUSTOM[kind]) == []
    for target in panel["targets"]:
        assert set(target) <= TARGET


def test_what_grafana_9_1_does_not_know_is_seen() -> None:
    assert strange({"textMode": "value", "wideLayout": True}, OPTIONS["stat"]) == ["wideLayout"]
    assert strange({"legend": {"placement": "left"}}, OPTIONS["timeseries"]) == ["legend: placement: 'left'"]
    assert strange({"cellOptions": {"type": "auto"}}, CUSTOM["table"]) == ["cellOptions"]


@pytest.mark.parametrize("name", NAMES)
def test_variables_have_only_known_keys(name) -> None:
    assert [set(each) - VARIABLE for each in load(name)["templating"]["list"]] == [set()] * 4


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_open(name) -> None:
    """The panels of a closed row would have to stand in it."""
    rows = [panel for panel in load(name)["panels"] if panel["type"] == "row"]
    assert rows
    assert all(not row["collapsed"] and row["panels"] == [] for row in rows)
