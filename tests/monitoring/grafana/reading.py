"""Reads a dashboard's JSON and asks Prometheus what it asks, as far as our dashboards go.

It draws nothing. What a dashboard uses beyond what is interpreted here raises, so that nothing passes unseen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.monitoring.grafana.annotations import Annotation, marks
from tests.monitoring.grafana.display import configured
from tests.monitoring.grafana.frames import (
    NUMBER,
    Field,
    Frame,
    UnsupportedError,
    series_frames,
    table_frame,
    transformed,
)
from tests.monitoring.grafana.view import SCRAPE_SECONDS, View, duration, substituted
from tests.monitoring.servers import Answer

POINTS = 400
"""Across a panel; Grafana has one for each pixel or so."""

_LABEL_VALUES = re.compile(r"label_values\((?P<match>.+), (?P<label>\w+)\)")


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
        step = _step(self.json, view)
        asked = [_ask(target, step, view) for target in self.json["targets"]]
        frames = transformed(_frames(asked, self.json["targets"], step), self.json.get("transformations", []))
        return PanelData(asked, configured(frames, self.json["fieldConfig"]))

    def reduced(self, data: PanelData) -> list[tuple[Field, Any]]:
        """The fields that a panel of single values shows, each with its last value."""
        options = self.json["options"]["reduceOptions"]
        if options.get("calcs") != ["lastNotNull"] or options.get("values"):
            raise UnsupportedError(f"{self.title}: {options}")
        pattern = options["fields"]
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
        return [Panel(panel) for panel in self.json["panels"] if panel["type"] == "row"]

    @property
    def panels(self) -> list[Panel]:
        """All but rows. None is folded, so each panel stands beside its row and not in it."""
        if any(row.json.get("panels") for row in self.rows):
            raise UnsupportedError(f"{self.title} has a folded row")
        return [Panel(panel) for panel in self.json["panels"] if panel["type"] != "row"]

    @property
    def variables(self) -> list[Mapping[str, Any]]:
        return list(self.json["templating"]["list"])

    def options(self, variable: Mapping[str, Any], view: View) -> list[str]:
        """What a query variable offers."""
        text = variable["query"]["query"]
        match = _LABEL_VALUES.fullmatch(text)
        if match is None:
            raise UnsupportedError(f"query of variable {variable['name']}: {text}")
        selector = substituted(match["match"], view)
        return view.prometheus.label_values(match["label"], match=selector, start=view.start, end=view.end)

    def annotations(self, view: View) -> tuple[list[Annotation], list[str]]:
        """Those of Prometheus that are shown within the time range, and complaints."""
        found: list[Annotation] = []
        complaints: list[str] = []
        for query in self.json["annotations"]["list"]:
            if query["datasource"]["type"] != "prometheus":
                continue
            step = duration(query["step"])
            expression = substituted(query["expr"], view, step=step)
            start = view.end - int(view.seconds / step) * step
            answer = view.prometheus.query_range(expression, start=start, end=view.end, step=step)
            complaints += [f"{query['name']}: {text}\n{expression}" for text in answer.complaints]
            for series in answer.result:
                found += [mark for mark in marks(query, series, step) if view.start <= mark.start <= view.end]
        return sorted(found, key=lambda mark: mark.start), complaints


def _ask(target: Mapping[str, Any], step: float, view: View) -> Asked:
    if target.get("hide") or target.get("interval") or target["instant"] == target["range"]:
        raise UnsupportedError(f"target {target}")
    expression = substituted(target["expr"], view, step=step)
    if target["instant"]:
        answer = view.prometheus.query(expression, at=view.end)
    else:
        # Grafana puts the points on multiples of the step. Which these are is a matter of the clock; here, the end is.
        start = view.end - int(view.seconds / step) * step
        answer = view.prometheus.query_range(expression, start=start, end=view.end, step=step)
    return Asked(target["refId"], expression, answer, target["format"])


def _frames(asked: Sequence[Asked], targets: Sequence[Mapping[str, Any]], step: float) -> list[Frame]:
    legends = {target["refId"]: target["legendFormat"] for target in targets}
    is_range = {target["refId"]: target["range"] for target in targets}
    tables = [one for one in asked if one.format == "table" and one.answer.result]
    frames: list[Frame] = []
    for one in asked:
        if one.format == "time_series":
            gap = step if is_range[one.ref] else None
            frames += series_frames(one.answer.result, legends[one.ref], gap)
        elif one.format != "table":
            raise UnsupportedError(f"format {one.format}")
        elif one.answer.result:
            # Queries without a result do not count (grafana/grafana#57855).
            name = f"Value #{one.ref}" if len(tables) > 1 else "Value"
            frames.append(table_frame(one.answer.result, name))
    return frames


def _step(panel: Mapping[str, Any], view: View) -> float:
    if panel.get("maxDataPoints"):
        raise UnsupportedError(f"maxDataPoints of {panel['title']}")
    least = duration(panel["interval"]) if panel.get("interval") else SCRAPE_SECONDS
    return max(SCRAPE_SECONDS, least, float(-(-view.seconds // POINTS)))
