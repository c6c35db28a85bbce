"""A picture measured in pixels from its upper left corner: rectangles, texts and lines. It knows no dashboards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

BACKGROUND, PANEL, GRID, TEXT, FAINT = "#111217", "#181b1f", "#2c2f36", "#d8d9da", "#8e8e99"
_DPI = 100
_POINTS = 72 / _DPI
_LETTER = 0.62
"""Width of a letter, as a part of the font's size; texts are cut to fit, so it must not be too small."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the picture, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def inset(self, left: float, top: float, right: float, bottom: float) -> Box:
        return Box(self.x + left, self.y + top, self.width - left - right, self.height - top - bottom)


class Canvas:
    """Everything is drawn when it is saved."""

    def __init__(self, *, width: int, height: int) -> None:
        self._figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=BACKGROUND)
        FigureCanvasAgg(self._figure)
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.set_xlim(0, width)
        self._axes.set_ylim(height, 0)
        self._boxes: list[tuple[Rectangle, float]] = []

    def box(self, box: Box, colour: str, *, edge: str = "none", layer: float = 1, alpha: float = 1.0) -> None:
        patch = Rectangle((box.x, box.y), box.width, box.height, facecolor=colour, edgecolor=edge, alpha=alpha, lw=0.7)
        self._boxes.append((patch, layer))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 12,
        colour: str = TEXT,
        width: float | None = None,
        align: str = "left",
        bold: bool = False,
    ) -> None:
        """Write in one line, its middle at `y`; cut where it is wider than `width`."""
        if width is not None:
            text = cut(text, width, size)
        self._axes.text(
            x,
            y,
            text.replace("$", r"\$"),
            fontsize=size * _POINTS,
            color=colour,
            ha=align,
            va="center_baseline",
            weight="bold" if bold else "normal",
            zorder=5,
        )

    def lines(
        self,
        paths: Sequence[Sequence[tuple[float, float]]],
        colour: str,
        *,
        width: float = 1.3,
        dashed: bool = False,
        layer: float = 3,
    ) -> None:
        style = (0, (4, 3)) if dashed else "solid"
        found = LineCollection(
            [list(path) for path in paths], colors=colour, linewidths=width, zorder=layer, linestyles=style
        )
        self._axes.add_collection(found, autolim=False)

    def dot(self, x: float, y: float, colour: str) -> None:
        self._axes.plot([x], [y], marker="o", markersize=3, color=colour, zorder=4, scalex=False, scaley=False)

    def save(self, path: Path) -> None:
        for layer in sorted({layer for _, layer in self._boxes}):
            patches = [patch for patch, its in self._boxes if its == layer]
            self._axes.add_collection(PatchCollection(patches, match_original=True, zorder=layer), autolim=False)
        self._figure.savefig(path, dpi=_DPI, facecolor=BACKGROUND)


def cut(text: str, width: float, size: float) -> str:
    """The text, or as much of it as fits and an ellipsis."""
    letters = int(width / (size * _LETTER))
    return text if len(text) <= letters else text[: max(0, letters - 1)] + "…"
