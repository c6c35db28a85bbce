"""Reads a dashboard's JSON and asks Prometheus what it asks, as far as our dashboards go.

It draws nothing. What a dashboard uses beyond what is interpreted here raises, so that nothing passes unseen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.monitoring.annotations import Annotation, marks
from tests.monitoring.display import configured
from tests.monitoring.frames import (
    NUMBER,
    Field,
    Frame,
    UnsupportedError,
    series_frames,
    table_frame,
    transformed,
)
from tests.monitoring.servers import Answer, Prometheus

SCRAPE_SECONDS = 1.0
"""What the data source is told of Prometheus."""
POINTS = 400
"""Across a panel; Grafana has one for each pixel or so."""
ALL = "$__all"

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::(?P<format>\w+))?\}|(?P<plain>[a-zA-Z_]\w*))")
_LABEL_VALUES = re.compile(r"label_values\((?:(?P<match>.+),\s*)?(?P<label>\w+)\)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at: a Prometheus, a time range, and the values that are chosen for the variables."""

    prometheus: Prometheus
    start: float
    end: float
    """Both in seconds since 1970."""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of a panel and how Prometheus answered it."""

    ref: str
    expression: str
    answer: Answer
    format: str


@dataclass(frozen=True, slots=True)
class PanelData:
    asked: Sequence[Asked]
    frames: Sequence[Frame]
    """After transformations, with every field's configuration applied."""

    @property
    def complaints(self) -> list[str]:
        return [f"{one.ref}: {text}\n{one.expression}" for one in self.asked for text in one.answer.complaints]

    @property
    def is_empty(self) -> bool:
        return not any(
            value is not None
            for frame in self.frames
            for column in frame.fields[1:] or frame.fields
            for value in column.values
        )


@dataclass(frozen=True, slots=True)
class Panel:
    json: Mapping[str, Any]

    @property
    def title(self) -> str:
        return str(self.json["title"])

    @property
    def id(self) -> int:
        return int(self.json["id"])

    @property
    def type(self) -> str:
        return str(self.json["type"])

    @property
    def place(self) -> tuple[int, int, int, int]:
        """x, y, width and height on the grid."""
        where = self.json["gridPos"]
        return where["x"], where["y"], where["w"], where["h"]

    def ask(self, view: View) -> PanelData:
        """Run every target, and make of the answers what the panel would."""
        asked = [_ask(target, self.json, view) for target in self.json["targets"] if not target.get("hide")]
        frames = _frames(asked, self.json["targets"], _step(self.json, {}, view))
        transformations = self.json.get("transformations") or []
        return PanelData(asked, configured(transformed(frames, transformations), self.json.get("fieldConfig") or {}))

    def reduced(self, data: PanelData) -> list[tuple[Field, Any]]:
        """The fields that a panel of single values shows, each with its last value."""
        options = self.json["options"]["reduceOptions"]
        if options.get("calcs") != ["lastNotNull"] or options.get("values"):
            raise UnsupportedError(f"{self.title}: {options}")
        pattern = options.get("fields") or ""
        found = []
        for frame in data.frames:
            for column in frame.fields:
                if (column.kind == NUMBER) if not pattern else re.search(pattern.strip("/"), column.title):
                    values = [value for value in column.values if value is not None]
                    found.append((column, values[-1] if values else None))
        return found


@dataclass(frozen=True, slots=True)
class Dashboard:
    json: Mapping[str, Any]

    @classmethod
    def load(cls, path: Path) -> Dashboard:
        return cls(json.loads(path.read_text(encoding="utf-8")))

    @property
    def title(self) -> str:
        return str(self.json["title"])

    @property
    def uid(self) -> str:
        return str(self.json["uid"])

    @property
    def rows(self) -> list[Panel]:
        return [Panel(panel) for panel in self._all if panel["type"] == "row"]

    @property
    def panels(self) -> list[Panel]:
        """All but rows; those of a folded row are taken as unfolded."""
        return [Panel(panel) for panel in self._all if panel["type"] != "row"]

    @property
    def _all(self) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for panel in self.json["panels"]:
            found += [panel, *(panel.get("panels") or [])]
        return found

    @property
    def variables(self) -> list[Mapping[str, Any]]:
        return list(self.json["templating"]["list"])

    def options(self, variable: Mapping[str, Any], view: View) -> list[str]:
        """What a query variable offers."""
        query = variable["query"]
        text = query if isinstance(query, str) else query["query"]
        match = _LABEL_VALUES.fullmatch(text.strip())
        if match is None:
            raise UnsupportedError(f"query of variable {variable['name']}: {text}")
        selector = substituted(match["match"] or "", view)
        return view.prometheus.label_values(match["label"], match=selector, start=view.start, end=view.end)

    def annotations(self, view: View) -> tuple[list[Annotation], list[str]]:
        """Those of Prometheus that are shown within the time range, and complaints."""
        found: list[Annotation] = []
        complaints: list[str] = []
        for query in self.json.get("annotations", {}).get("list", []):
            if query["datasource"].get("type") != "prometheus" or not query.get("enable", True):
                continue
            step = duration(query.get("step") or "60s")
            expression = substituted(query["expr"], view, step=step)
            start = view.end - int(view.seconds / step) * step
            answer = view.prometheus.query_range(expression, start=start, end=view.end, step=step)
            complaints += [f"{query['name']}: {text}\n{expression}" for text in answer.complaints]
            for series in answer.result:
                found += [mark for mark in marks(query, series, step) if view.start <= mark.start <= view.end]
        return sorted(found, key=lambda mark: mark.start), complaints


def _ask(target: Mapping[str, Any], panel: Mapping[str, Any], view: View) -> Asked:
    step = _step(panel, target, view)
    expression = substituted(target["expr"], view, step=step)
    if target.get("instant") and not target.get("range"):
        answer = view.prometheus.query(expression, at=view.end)
    elif target.get("instant"):
        raise UnsupportedError(f"both instant and range: {target}")
    else:
        # Grafana puts the points on multiples of the step. Which these are is a matter of the clock; here, the end is.
        start = view.end - int(view.seconds / step) * step
        answer = view.prometheus.query_range(expression, start=start, end=view.end, step=step)
    return Asked(target["refId"], expression, answer, target.get("format") or "time_series")


def _frames(asked: Sequence[Asked], targets: Sequence[Mapping[str, Any]], step: float) -> list[Frame]:
    legends = {target["refId"]: target.get("legendFormat") or "" for target in targets}
    is_range = {target["refId"]: not target.get("instant") for target in targets}
    tables = [one for one in asked if one.format == "table" and one.answer.result]
    frames: list[Frame] = []
    for one in asked:
        if one.format == "time_series":
            gap = step if is_range[one.ref] else None
            frames += series_frames(one.ref, one.answer.result, legends[one.ref], gap)
        elif one.format != "table":
            raise UnsupportedError(f"format {one.format}")
        elif one.answer.result:
            # Queries without a result do not count (grafana/grafana#57855).
            name = f"Value #{one.ref}" if len(tables) > 1 else "Value"
            frames.append(table_frame(one.ref, one.answer.result, name))
    return frames


def _step(panel: Mapping[str, Any], target: Mapping[str, Any], view: View) -> float:
    least = [SCRAPE_SECONDS, *(duration(given) for given in (panel.get("interval"), target.get("interval")) if given)]
    points = panel.get("maxDataPoints") or POINTS
    return max(*least, float(-(-view.seconds // points)))


def substituted(text: str, view: View, *, step: float = SCRAPE_SECONDS) -> str:
    """The text with variables filled in.

    Raises:
        UnsupportedError: one that is not known.
    """
    built_in = {
        "__interval": f"{step:.0f}s",
        "__interval_ms": f"{1000 * step:.0f}",
        "__rate_interval": f"{max(step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS):.0f}s",
        "__range": f"{view.seconds:.0f}s",
        "__range_s": f"{view.seconds:.0f}",
        "__range_ms": f"{1000 * view.seconds:.0f}",
        "__from": f"{1000 * view.start:.0f}",
        "__to": f"{1000 * view.end:.0f}",
    }

    def value(match: re.Match[str]) -> str:
        name = match["braced"] or match["plain"]
        if name in built_in:
            return built_in[name]
        if name not in view.variables:
            raise UnsupportedError(f"variable {match[0]} in {text}")
        return view.variables[name]

    return _VARIABLE.sub(value, text)


def duration(text: str) -> float:
    """Seconds of Grafana's `15s`, `5m`."""
    match = re.fullmatch(r">?(\d+)(ms|[smhd])", text)
    if match is None:
        raise UnsupportedError(f"duration {text}")
    return int(match[1]) * _SECONDS[match[2]]
