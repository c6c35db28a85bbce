"""Draws a dashboard as Grafana would lay it out, each panel by its type, from what its queries gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.monitoring.grafana.annotations import Annotation
from tests.monitoring.grafana.canvas import BACKGROUND, FAINT, GRID, PANEL, TEXT, Box, Canvas
from tests.monitoring.grafana.display import COLOURS, shown
from tests.monitoring.grafana.draw_over_time import graph, timeline
from tests.monitoring.grafana.frames import UnsupportedError
from tests.monitoring.grafana.reading import Dashboard, Panel, PanelData
from tests.monitoring.grafana.view import View

WIDTH = 1680
_LINE, _GAP, _HEAD = 34, 6, 44
_COLUMN = WIDTH / 24
_HEADING = "#8ab8ff"


def draw(
    dashboard: Dashboard,
    view: View,
    data: Mapping[int, PanelData],
    marks: Sequence[Annotation],
    *,
    heading: str,
    path: Path,
) -> None:
    """Draw it to a PNG; `data` by the panels' ids."""
    bottom = max(y + height for _, y, _, height in (panel.place for panel in dashboard.panels))
    canvas = Canvas(width=WIDTH, height=bottom * _LINE + _HEAD + _GAP)
    canvas.text(12, _HEAD / 2, f"{dashboard.title} — {heading}", size=18, bold=True)
    times = " to ".join(f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}" for at in (view.start, view.end))
    canvas.text(WIDTH - 12, _HEAD / 2, f"{times} UTC", size=13, colour=FAINT, align="right")
    for row in dashboard.rows:
        x, y, _, _ = row.place
        canvas.text(x * _COLUMN + 12, _HEAD + (y + 0.5) * _LINE, f"v  {row.title}", size=14, bold=True)
    for panel in dashboard.panels:
        x, y, width, height = panel.place
        box = Box(x * _COLUMN, y * _LINE + _HEAD, width * _COLUMN, height * _LINE).inset(*[_GAP / 2] * 4)
        _panel(canvas, panel, box, data[panel.id], view, marks)
    canvas.save(path)


def _panel(canvas: Canvas, panel: Panel, box: Box, data: PanelData, view: View, marks: Sequence[Annotation]) -> None:
    canvas.box(box, PANEL, edge=GRID)
    inner = box.inset(10, 30, 10, 8)
    paint = _PAINTERS.get(panel.type)
    if paint is None:
        raise UnsupportedError(f"panel {panel.type}")
    if data.complaints:
        canvas.text(inner.x, inner.y + 10, data.complaints[0], colour=COLOURS["red"], width=inner.width)
    elif data.is_empty:
        none = panel.json["fieldConfig"]["defaults"].get("noValue") or "No data"
        middle = (inner.x + inner.width / 2, inner.y + inner.height / 2)
        canvas.text(*middle, none, colour=FAINT, align="center", size=14)
    else:
        paint(canvas, panel, inner, data, view, marks)
    canvas.text(box.x + 10, box.y + 16, panel.title, size=13, bold=True, width=box.width - 16)


# --- single values ----------------------------------------------------------------------------------------------------


def _stat(canvas: Canvas, panel: Panel, box: Box, data: PanelData, view: View, marks: Sequence[Annotation]) -> None:
    found = panel.reduced(data)
    on_background = panel.json["options"].get("colorMode") == "background"
    width = box.width / max(1, len(found))
    for place, (column, value) in enumerate(found):
        cell = Box(box.x + place * width, box.y, width, box.height)
        look = shown(column, value, now=view.end, position=place)
        if on_background:
            canvas.box(cell.inset(-6, 0, -6, -2), look.colour, layer=2)
        size = min(34.0, cell.height * 0.5, cell.width / max(1, len(look.text)) * 1.5)
        colour = BACKGROUND if on_background else look.colour
        middle = cell.y + cell.height / 2
        named = "name" in panel.json["options"].get("textMode", "auto")
        canvas.text(
            cell.x + width / 2,
            middle + (8 if named else 0),
            look.text,
            size=size,
            colour=colour,
            align="center",
            bold=True,
        )
        if named:
            canvas.text(cell.x + width / 2, cell.y + 4, column.title, size=12, align="center", colour=FAINT)


def _bars(canvas: Canvas, panel: Panel, box: Box, data: PanelData, view: View, marks: Sequence[Annotation]) -> None:
    found = panel.reduced(data)
    largest = max([1.0, *(float(value) for _, value in found if value is not None)])
    height = box.height / len(found)
    for place, (column, value) in enumerate(found):
        look = shown(column, value, now=view.end, position=place)
        y = box.y + (place + 0.5) * height
        canvas.text(box.x + 110, y, column.title, size=12, align="right", width=110)
        track = Box(box.x + 120, y - height * 0.36, box.width - 180, height * 0.72)
        canvas.box(track, GRID)
        filled = track.width * float(value or 0) / largest
        canvas.box(Box(track.x, track.y, filled, track.height), look.colour, layer=2)
        canvas.text(track.right + 8, y, look.text, size=12, colour=look.colour)


# --- tables -----------------------------------------------------------------------------------------------------------


def _table(canvas: Canvas, panel: Panel, box: Box, data: PanelData, view: View, marks: Sequence[Annotation]) -> None:
    (frame,) = data.frames
    fixed = {column.title: float(column.config.get("custom.width") or 0) for column in frame.fields}
    free = max(0.0, box.width - sum(fixed.values())) / max(1, sum(not width for width in fixed.values()))
    order = list(range(len(frame)))
    for rule in reversed(panel.json["options"].get("sortBy") or []):
        by = frame.named(rule["displayName"])
        if by is not None:
            order.sort(key=lambda index, by=by: str(by.values[index]), reverse=bool(rule.get("desc")))
    x = box.x
    for column in frame.fields:
        width = fixed[column.title] or free
        canvas.text(x + 4, box.y + 8, column.title, size=12, colour=_HEADING, width=width - 6, bold=True)
        for place, index in enumerate(order):
            y = box.y + 34 + place * 26
            if y + 10 > box.bottom:
                canvas.text(box.x + 4, box.bottom, f"… {len(order) - place} more", size=11, colour=FAINT)
                break
            look = shown(column, column.values[index], now=view.end)
            mode = column.config.get("custom.displayMode")
            if mode == "color-background-solid":
                canvas.box(Box(x, y - 12, width - 2, 24), look.colour, layer=2)
                colour = BACKGROUND
            else:
                colour = look.colour if mode == "color-text" else TEXT
            canvas.text(x + 4, y, look.text, size=12, colour=colour, width=width - 6)
        x += width


_PAINTERS: Mapping[str, Callable[..., None]] = {
    "stat": _stat,
    "bargauge": _bars,
    "table": _table,
    "timeseries": graph,
    "state-timeline": timeline,
}
