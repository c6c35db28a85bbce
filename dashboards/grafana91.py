"""Fits a dashboard to Grafana 9.1: takes out what only later ones know, and says for which one it is made.

The package that builds the dashboards writes for the current Grafana. Later ones read an older schema by migrating it,
an older one cannot read a later schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCHEMA = 37
"""Grafana 9.1's."""
PLUGINS = "9.1.0"
"""Panels come with Grafana. Without a version, they are taken for those of Grafana 6 and migrated from there."""

_LATER_OPTIONS: Mapping[str, frozenset[str]] = {
    "stat": frozenset({"wideLayout", "showPercentChange", "percentChangeColorMode"}),
    "table": frozenset({"cellHeight", "showTypeIcons", "frameIndex", "footer"}),
    "state-timeline": frozenset({"perPage"}),
    "bargauge": frozenset({"valueMode", "namePlacement", "sizing", "maxVizHeight", "legend"}),
    "timeseries": frozenset(),
}
_LATER_VARIABLE_KEYS = frozenset({"allowCustomValue", "auto", "auto_min", "auto_count"})
_LINK_KEYS = ("title", "url", "targetBlank")
"""Of links in panels and values; the package has one type for these and for those of the dashboard."""


def fitted(made: dict[str, Any]) -> dict[str, Any]:
    """The same dashboard for Grafana 9.1."""
    made["schemaVersion"] = SCHEMA
    made.pop("fiscalYearStartMonth", None)
    for link in made["links"]:
        link.pop("placement")
    for annotation in made["annotations"]["list"]:
        annotation.pop("placement")
    for variable in made["templating"]["list"]:
        _drop(variable, _LATER_VARIABLE_KEYS)
    for panel in made["panels"]:
        _fit_panel(panel)
    return made


def _fit_panel(panel: dict[str, Any]) -> None:
    if panel["type"] == "row":
        return
    _drop(panel, {"transparent", "repeatDirection"})  # both say what is so without them
    _drop(panel["options"], _LATER_OPTIONS[panel["type"]])
    panel["pluginVersion"] = PLUGINS
    panel["links"] = [_short(link) for link in panel.get("links", [])]
    config = panel["fieldConfig"]
    if "links" in config["defaults"]:
        config["defaults"]["links"] = [_short(link) for link in config["defaults"]["links"]]
    for override in config["overrides"]:
        for each in override["properties"]:
            if each["id"] == "links":
                each["value"] = [_short(link) for link in each["value"]]


def _short(link: Mapping[str, Any]) -> dict[str, Any]:
    return {key: link[key] for key in _LINK_KEYS if key in link}


def _drop(holder: dict[str, Any], keys: frozenset[str] | set[str]) -> None:
    for key in keys:
        holder.pop(key, None)
