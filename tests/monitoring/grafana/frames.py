"""Tables of fields, as Grafana makes them of what Prometheus answers, and its transformations of them.

Only what the dashboards use; whatever else comes up raises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TIME, NUMBER, STRING = "time", "number", "string"


class UnsupportedError(Exception):
    """The dashboard uses something of Grafana that is not interpreted here."""


@dataclass(slots=True)
class Field:
    """A column. Times are milliseconds, as in Grafana."""

    name: str
    kind: str
    values: list[Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    legend: str = ""
    """What the data source calls the series; empty for a column of a table."""
    config: dict[str, Any] = field(default_factory=dict)
    """Defaults and overrides, once they have been applied."""

    @property
    def title(self) -> str:
        return str(self.config.get("displayName") or self.legend or self.name)

    def with_values(self, values: list[Any]) -> Field:
        return Field(self.name, self.kind, values, self.labels, self.legend, self.config)


@dataclass(slots=True)
class Frame:
    """Fields of the same length."""

    fields: list[Field]

    def __len__(self) -> int:
        return len(self.fields[0].values) if self.fields else 0

    def named(self, title: str) -> Field | None:
        return next((column for column in self.fields if column.title == title), None)

    def rows(self) -> list[dict[str, Any]]:
        return [{column.title: column.values[index] for column in self.fields} for index in range(len(self))]


def series_frames(result: Sequence[Mapping[str, Any]], legend: str, step: float | None) -> list[Frame]:
    """A frame for each series. Where a range has no sample Grafana draws a gap: there is a None."""
    frames = []
    for series in result:
        samples = series.get("values") or [series["value"]]
        times, values = _with_gaps([(float(at), _number(value)) for at, value in samples], step)
        labels = series["metric"]
        text = legend_text(legend, labels)
        frames.append(Frame([Field("Time", TIME, times), Field("Value", NUMBER, values, labels, text)]))
    return frames


def table_frame(result: Sequence[Mapping[str, Any]], value_name: str) -> Frame:
    """One frame for all series: time, labels in alphabetical order, value."""
    samples = [
        (series["metric"], at, value) for series in result for at, value in series.get("values") or [series["value"]]
    ]
    names = sorted({name for labels, _, _ in samples for name in labels})
    columns = [Field("Time", TIME, [1000 * float(at) for _, at, _ in samples])]
    columns += [Field(name, STRING, [labels.get(name, "") for labels, _, _ in samples]) for name in names]
    columns.append(Field(value_name, NUMBER, [_number(value) for _, _, value in samples]))
    return Frame(columns)


def legend_text(legend: str, labels: Mapping[str, str]) -> str:
    """A legend format filled in; without one, what Grafana makes of the labels."""
    if not legend:
        name = labels.get("__name__", "")
        rest = ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items()) if key != "__name__")
        return f"{name}{{{rest}}}" if rest or not name else name
    return re.sub(r"\{\{\s*(.+?)\s*\}\}", lambda match: labels.get(match[1], ""), legend)


def transformed(frames: list[Frame], transformations: Sequence[Mapping[str, Any]]) -> list[Frame]:
    """The frames after all transformations, in order."""
    for transformation in transformations:
        options = transformation["options"]
        match transformation["id"]:
            case "merge":
                frames = _merged(frames)
            case "organize":
                frames = [_organized(frame, options) for frame in frames]
            case "filterFieldsByName":
                frames = [_filtered(frame, options) for frame in frames]
            case other:
                raise UnsupportedError(f"transformation {other}")
    return frames


def _merged(frames: list[Frame]) -> list[Frame]:
    """Rows that agree in all columns common to all frames become one, unless both have another value in a column."""
    frames = [frame for frame in frames if frame.fields]
    if len(frames) < 2:
        return frames
    columns: dict[str, Field] = {}
    for frame in frames:
        for column in frame.fields:
            columns.setdefault(column.title, column)
    keys = [title for title in columns if all(frame.named(title) for frame in frames)]
    if not keys:
        return frames
    merged: list[dict[str, Any]] = []
    for frame in frames:
        for row in frame.rows():
            for other in merged:
                if all(other[key] == row[key] for key in keys) and all(
                    title not in other or other[title] == value for title, value in row.items()
                ):
                    other.update(row)
                    break
            else:
                merged.append(row)
    fields = [column.with_values([row.get(title) for row in merged]) for title, column in columns.items()]
    return [Frame(fields)]


def _organized(frame: Frame, options: Mapping[str, Any]) -> Frame:
    excluded = {name for name, hidden in options["excludeByName"].items() if hidden}
    order, names = options["indexByName"], options["renameByName"]
    kept = [column for column in frame.fields if column.title not in excluded]
    kept.sort(key=lambda column: order.get(column.title, math.inf))
    for column in kept:
        if names.get(column.title):
            column.config = {**column.config, "displayName": names[column.title]}
    return Frame(kept)


def _filtered(frame: Frame, options: Mapping[str, Any]) -> Frame:
    """By a pattern of names to keep, not by names."""
    if options.keys() != {"include"} or options["include"].keys() != {"pattern"}:
        raise UnsupportedError(f"filterFieldsByName {options}")
    pattern = options["include"]["pattern"]
    return Frame([column for column in frame.fields if re.search(pattern, column.title)])


def _number(text: str) -> float | None:
    value = float(text)
    return None if math.isnan(value) else value


def _with_gaps(samples: list[tuple[float, float | None]], step: float | None) -> tuple[list[float], list[float | None]]:
    times: list[float] = []
    values: list[float | None] = []
    for at, value in samples:
        if step and times and 1000 * at - times[-1] > 1500 * step:
            times.append(times[-1] + 1000 * step)
            values.append(None)
        times.append(1000 * at)
        values.append(value)
    return times, values
