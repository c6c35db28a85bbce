"""Grafana knows every key of the dashboards: as far as its own models go, and by tables for what they leave free."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import common, dashboard

from tests.dashboards.reading import NAMES, load

register_default_plugins()

Model = Callable[[Any], Any]


def _value_mapping(data: dict[str, Any]) -> Any:
    model = {"value": dashboard.ValueMap, "special": dashboard.SpecialValueMap}[data["type"]]
    return model.from_json(data)


PROPERTIES: dict[str, Model | type] = {
    "unit": str,
    "decimals": int,
    "noValue": str,
    "custom.width": int,
    "custom.align": str,
    "custom.displayMode": str,
    "custom.fillOpacity": int,
    "custom.lineStyle": common.LineStyle.from_json,
    "color": dashboard.FieldColor.from_json,
    "thresholds": dashboard.ThresholdsConfig.from_json,
    "mappings": lambda value: [_value_mapping(each) for each in value],
    "links": lambda value: [dashboard.DashboardLink.from_json(each) for each in value],
}
"""What an override may set. The models take its value as it is."""

TRANSFORMATIONS = {
    "merge": set(),
    "organize": {"excludeByName", "indexByName", "renameByName"},
    "filterFieldsByName": {"include"},
}
"""Those that Grafana 9.1 has and that are needed here, with their options."""


def misfits(page: dict[str, Any]) -> list[str]:
    """Where the dashboard says what Grafana's models do not know."""
    try:
        return [
            *_lost(page, _again(dashboard.Dashboard.from_json(deepcopy(page))), ""),
            *_misfit_links(page),
            *_misfit_transformations(page),
            *_misfit_variables(page),
            *_misfit_properties(page),
            *_misfit_mappings(page),
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return [f"unreadable: {error!r}"]


def _again(model: object) -> Any:
    return json.loads(json.dumps(model, cls=JSONEncoder))


def _lost(before: Any, after: Any, path: str) -> Iterator[str]:
    """What did not come back from the models. They may add what is so by default."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from _lost(value, after[key], f"{path}.{key}") if key in after else [f"{path}.{key}"]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _lost(one, other, f"{path}[{index}]")
    elif before != after:
        yield path


def _misfit_links(page: dict[str, Any]) -> Iterator[str]:
    for panel in page["panels"]:
        for link in panel.get("links", []):
            yield from _lost(link, _again(dashboard.DashboardLink.from_json(link)), f"{panel['title']}: links")


def _misfit_transformations(page: dict[str, Any]) -> Iterator[str]:
    for panel in page["panels"]:
        for each in panel.get("transformations", []):
            where = f"{panel['title']}: transformations"
            yield from _lost(each, _again(dashboard.DataTransformerConfig.from_json(each)), where)
            if set(each["options"]) != TRANSFORMATIONS[each["id"]]:
                yield f"{where}: options of {each['id']}"
            if each["id"] == "organize":
                for fields in each["options"].values():
                    yield from (f"{where}: no column {field}" for field in fields if field not in columns(panel))
            if each["id"] == "filterFieldsByName" and each["options"]["include"] != {"pattern": ".*"}:
                yield f"{where}: loses fields"


def _misfit_variables(page: dict[str, Any]) -> Iterator[str]:
    """The models take anything for the query of a variable."""
    for variable in page["templating"]["list"]:
        if variable["type"] == "query" and set(variable["query"]) != {"query", "refId"}:
            yield f"variable {variable['name']}: query"


def columns(panel: dict[str, Any]) -> set[str]:
    """The columns that the queries of a table give: their labels, the time, their values."""
    refs = [target["refId"] for target in panel["targets"]]
    labels = {label for target in panel["targets"] for label in labels_of(target["expr"])}
    # With one query, Grafana calls the values "Value"; with several, each by its query.
    return labels | {"Time"} | {f"Value #{ref}" for ref in refs} | ({"Value"} if len(refs) == 1 else set())


def labels_of(expr: str) -> set[str]:
    """The labels of the query's first grouping, which all queries of tables have; `topk by` keeps those beneath it."""
    return set(re.search(r"\bby \(([^)]*)\) \((?!1, )", expr)[1].split(", "))


def _misfit_properties(page: dict[str, Any]) -> Iterator[str]:
    for panel in page["panels"]:
        for override in panel.get("fieldConfig", {}).get("overrides", []):
            for each in override["properties"]:
                where, model = (
                    f"{panel['title']}: {override['matcher']['options']}: {each['id']}",
                    PROPERTIES[each["id"]],
                )
                if not isinstance(model, type):
                    yield from _lost(each["value"], _again(model(each["value"])), where)
                elif not isinstance(each["value"], model):
                    yield where


def _misfit_mappings(page: dict[str, Any]) -> Iterator[str]:
    """The models take any value to be mapped; all of ours are small numbers."""
    for mapping in _mappings(page):
        if mapping["type"] == "value":
            yield from (f"mapping of {value}" for value in mapping["options"] if not re.fullmatch("[0-4]", value))


def _mappings(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for each in node:
            yield from _mappings(each)
    elif isinstance(node, dict):
        if node.get("type") in {"value", "special"} and "options" in node:
            yield node
        for each in node.values():
            yield from _mappings(each)


@pytest.mark.parametrize("name", NAMES)
def test_grafanas_models_know_every_key(name) -> None:
    assert misfits(load(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_any_misspelt_key_is_found(name) -> None:
    """Whatever key of the dashboard has a letter too many: one of the checks sees it."""
    page = load(name)
    unseen = [shape for shape, change, undo in _misspellings(page) if not _tried(change, undo, lambda: misfits(page))]
    assert unseen == []


def _tried(change: Callable[[], None], undo: Callable[[], None], check: Callable[[], list[str]]) -> list[str]:
    change()
    try:
        return check()
    finally:
        undo()


def _misspellings(page: dict[str, Any]) -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """(where, change, undo), once for each kind of place."""
    seen = set()
    for shape, holder, key in _keys(page, ""):
        if shape in seen:
            continue
        seen.add(shape)

        def rename(old: str, new: str, holder: dict[str, Any] = holder) -> None:
            items = [(new if name == old else name, value) for name, value in holder.items()]
            holder.clear()
            holder.update(items)

        yield (
            shape,
            lambda rename=rename, key=key: rename(key, f"{key}x"),
            lambda rename=rename, key=key: rename(f"{key}x", key),
        )


def _keys(node: Any, shape: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    if isinstance(node, list):
        for each in node:
            yield from _keys(each, f"{shape}[]")
    elif isinstance(node, dict):
        kind = f"({node['type']})" if shape == ".panels[]" else ""
        for key in list(node):
            yield f"{shape}{kind}.{key}", node, key
            yield from _keys(node[key], f"{shape}{kind}.{key}")
