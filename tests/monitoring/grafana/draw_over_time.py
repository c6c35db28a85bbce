"""Draws graphs and state timelines: everything with an axis of time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from matplotlib.ticker import MaxNLocator

from tests.monitoring.grafana.annotations import Annotation
from tests.monitoring.grafana.canvas import BACKGROUND, FAINT, GRID, TEXT, Box, Canvas, cut
from tests.monitoring.grafana.display import colour_of, shown, unit_text
from tests.monitoring.grafana.frames import TIME, Field, Frame
from tests.monitoring.grafana.reading import Panel, PanelData
from tests.monitoring.grafana.view import View


def _series(frames: Sequence[Frame]) -> list[tuple[list[float], Field]]:
    return [(frame.fields[0].values, column) for frame in frames for column in frame.fields[1:] if column.kind != TIME]


def _across(box: Box, view: View) -> Callable[[float], float]:
    """From milliseconds to pixels."""
    return lambda at: box.x + min(1.0, max(0.0, (at / 1000 - view.start) / view.seconds)) * box.width


def _clock(canvas: Canvas, box: Box, view: View) -> None:
    across = _across(box, view)
    steps = next(step for step in (5, 10, 15, 30, 60, 300, 900) if view.seconds / step <= max(2, box.width / 90))
    at = math.ceil(view.start / steps) * steps
    while at <= view.end:
        x = across(1000 * at)
        canvas.lines([[(x, box.y), (x, box.bottom)]], GRID, width=0.6, layer=1.5)
        if box.x + 20 < x < box.right - 20:
            canvas.text(
                x, box.bottom + 10, f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}", size=11, colour=FAINT, align="center"
            )
        at += steps


def _mark(canvas: Canvas, box: Box, view: View, marks: Sequence[Annotation]) -> None:
    across = _across(box, view)
    for mark in marks:
        colour = colour_of(mark.colour)
        start, end = across(1000 * mark.start), across(1000 * mark.end)
        if end > start:
            canvas.box(Box(start, box.y, end - start, box.height), colour, alpha=0.12, layer=2.5)
        canvas.lines([[(start, box.y), (start, box.bottom)]], colour, width=0.9, dashed=True, layer=4)


def timeline(canvas: Canvas, panel: Panel, box: Box, data: PanelData, view: View, marks: Sequence[Annotation]) -> None:
    series = _series(data.frames)
    left = min(260.0, max(60.0, 8 + max(len(column.title) for _, column in series) * 7.2))
    plot = box.inset(left, 0, 4, 18)
    across = _across(plot, view)
    height = plot.height / len(series)
    for place, (times, column) in enumerate(series):
        top = plot.y + place * height
        canvas.text(plot.x - 8, top + height / 2, column.title, size=12, align="right", width=left)
        step = min((later - earlier for earlier, later in pairwise(times)), default=1000.0)
        for start, end, value in _stretches(times, column.values, step):
            look = shown(column, value, now=view.end, position=place)
            cell = Box(across(start), top + height * 0.08, across(end) - across(start), height * 0.84)
            canvas.box(cell, look.colour, layer=2, alpha=0.85)
            if cut(look.text, cell.width - 6, 11) == look.text:
                canvas.text(cell.x + 4, top + height / 2, look.text, size=11, colour=BACKGROUND)
    _clock(canvas, plot, view)
    _mark(canvas, plot, view, marks)


def _stretches(times: Sequence[float], values: Sequence[Any], step: float) -> list[tuple[float, float, Any]]:
    """Times over which a value stays; the last one ends with its sample."""
    found: list[tuple[float, float, Any]] = []
    for at, value in zip(times, values, strict=True):
        if found and found[-1][2] == value:
            found[-1] = (found[-1][0], at, value)
        else:
            if found:
                found[-1] = (found[-1][0], at, found[-1][2])
            found.append((at, at, value))
    return [(start, max(end, start + step / 2), value) for start, end, value in found if value is not None]


def graph(canvas: Canvas, panel: Panel, box: Box, data: PanelData, view: View, marks: Sequence[Annotation]) -> None:
    series = _series(data.frames)
    first = series[0][1].config
    plot = box.inset(56, 4, 6, 40)
    stacked = (first.get("custom.stacking") or {}).get("mode") == "normal"
    bottom, ceiling, ticks = _scale(series, first, stacked=stacked)

    def up(value: float) -> float:
        return plot.bottom - min(1.0, max(0.0, (value - bottom) / (ceiling - bottom))) * plot.height

    for tick in ticks:
        if bottom <= tick <= ceiling:
            canvas.lines([[(plot.x, up(tick)), (plot.right, up(tick))]], GRID, width=0.6, layer=1.5)
            text = unit_text(str(first.get("unit") or ""), tick, None, now=view.end)
            canvas.text(plot.x - 6, up(tick), text, size=11, colour=FAINT, align="right")
    across = _across(plot, view)
    legend_x = plot.x
    heaped: dict[float, float] = {}
    for place, (times, column) in enumerate(series):
        colour = shown(column, 0, now=view.end, position=place).colour
        if column.config.get("custom.drawStyle") == "bars":
            for at, value in zip(times, column.values, strict=True):
                if value is not None:
                    base = heaped.get(at, 0.0) if stacked else 0.0
                    heaped[at] = base + value
                    x = min(across(at), plot.right - 12) - 12
                    canvas.box(Box(x, up(base + value), 24, up(base) - up(base + value)), colour, layer=3)
        else:
            _line(canvas, times, column, colour, across, up)
        name = cut(column.title, 240, 11)
        if legend_x < plot.right - 40:
            canvas.box(Box(legend_x, box.bottom - 10, 12, 3), colour, layer=2)
            canvas.text(legend_x + 16, box.bottom - 8, name, size=11, colour=TEXT, width=plot.right - legend_x - 16)
        legend_x += 32 + len(name) * 6.6
    _clock(canvas, plot, view)
    _mark(canvas, plot, view, marks)


def _scale(
    series: Sequence[tuple[list[float], Field]], config: Mapping[str, Any], *, stacked: bool
) -> tuple[float, float, list[float]]:
    """From where to where the values' axis goes, and its ticks. A hard limit cuts values off, soft ones do not."""
    values = [float(value) for _, column in series for value in column.values if value is not None]
    tops = [max([0.0, *(value for value in column.values if value is not None)]) for _, column in series]
    high = max([sum(tops) if stacked else max(values), *_given(config, "custom.axisSoftMax")])
    low = min([*values, *_given(config, "custom.axisSoftMin")])
    if config.get("min") is not None:
        low = float(config["min"])
    ticks = [float(tick) for tick in MaxNLocator(4).tick_values(low, high if high > low else low + 1)]
    return (low if config.get("min") is not None else ticks[0]), ticks[-1], ticks


def _given(config: Mapping[str, Any], key: str) -> list[float]:
    return [float(config[key])] if config.get(key) is not None else []


def _line(
    canvas: Canvas,
    times: Sequence[float],
    column: Field,
    colour: str,
    across: Callable[[float], float],
    up: Callable[[float], float],
) -> None:
    paths: list[list[tuple[float, float]]] = [[]]
    steps = column.config.get("custom.lineInterpolation") == "stepAfter"
    for at, value in zip(times, column.values, strict=True):
        if value is None:
            paths.append([])
            continue
        if steps and paths[-1]:
            paths[-1].append((across(at), paths[-1][-1][1]))
        paths[-1].append((across(at), up(value)))
    dashed = (column.config.get("custom.lineStyle") or {}).get("fill") == "dash"
    canvas.lines([path for path in paths if len(path) > 1], colour, dashed=dashed)
    for path in paths:
        if len(path) == 1:
            canvas.dot(*path[0], colour)
