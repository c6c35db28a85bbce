"""Puts panels on Grafana's grid of 24 columns, line by line, and numbers them. It does not look into them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import GridPos

COLUMNS = 24


@dataclass(frozen=True, slots=True)
class Line:
    """Panels side by side, of one height; each with its width in columns."""

    height: int
    panels: Sequence[tuple[int, Any]]

    def __post_init__(self) -> None:
        if sum(width for width, _ in self.panels) != COLUMNS:
            raise ValueError(f"panels of {[width for width, _ in self.panels]} columns do not fill a line of {COLUMNS}")


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of a dashboard; the first may go without a title."""

    title: str
    lines: Sequence[Line]


def place(page: build.Dashboard, sections: Sequence[Section]) -> build.Dashboard:
    """Add the sections to the page. Ids begin anew with a hundred in each, so that a new panel renumbers few others."""
    y = 0
    for number, section in enumerate(sections, 1):
        first = 100 * number
        if section.title:
            page.with_row(build.Row(section.title).id(first).grid_pos(GridPos(h=1, w=COLUMNS, x=0, y=y)))
            y += 1
        for offset, (panel, where) in enumerate(_positions(section.lines, y), 1):
            page.with_panel(panel.id(first + offset).grid_pos(where))
        y += sum(line.height for line in section.lines)
    return page


def _positions(lines: Sequence[Line], y: int) -> Iterator[tuple[Any, GridPos]]:
    for line in lines:
        x = 0
        for width, panel in line.panels:
            yield panel, GridPos(h=line.height, w=width, x=x, y=y)
            x += width
        y += line.height
