"""Prints the demo: a timeline of two columns, the wire and the exporter, and at the end the whole story as a chart.

Adapts to the width of the terminal; colours only where somebody sees them (https://no-color.org).
"""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import zip_longest
from typing import TextIO

NARROWEST = 72
WIDEST = 120
_TIME = 7
_GAP = 2
_MARGIN = _TIME + _GAP
_TICKS = (1, 2, 5, 10, 20, 30, 60, 120, 300)
"""Seconds between two numbers on the chart's axis."""
_TICK_CELLS = 6
_ASCII = str.maketrans({"→": ">", "·": "-", "✓": "+", "✗": "x", "─": "-", "━": "=", "▒": "#", "│": "|", "…": "."})


class Style(StrEnum):
    """Numbers of the escape sequence that switches it on."""

    PLAIN = ""
    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    CYAN = "36"


class Terminal:
    """Writes to one stream, a line at a time."""

    def __init__(self, stream: TextIO, *, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self._colours = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        columns = shutil.get_terminal_size(fallback=(80, 24)).columns
        self.width = min(max(columns, NARROWEST), WIDEST) - 1
        """One column is left free: some terminals wrap a line that fills the last one."""
        self._wire = (self.width - _TIME - 2 * _GAP) * 43 // 100
        self._said = self.width - _TIME - 2 * _GAP - self._wire

    def line(self, text: str = "", style: Style = Style.PLAIN, *, indent: int = 0) -> None:
        """A line, or several if it is too long."""
        for part in textwrap.wrap(text, self.width - indent) or [""]:
            self._write(" " * indent + self._styled(part, style))

    def verbatim(self, text: str, style: Style = Style.PLAIN) -> None:
        """Text of another program, as it is."""
        for line in text.splitlines():
            self._write(self._styled(line, style))

    def pair(self, name: str, value: str, style: Style = Style.PLAIN) -> None:
        """A name and what it stands for. Never wrapped, so that an address can be clicked."""
        self._write(f"{self._styled(f'{name:<9}', Style.DIM)}{self._styled(value, style)}")

    def heading(self) -> None:
        self._write(self._styled(self._row("seconds", "ON THE WIRE", "THE EXPORTER SAYS"), Style.DIM))
        self._write(self._styled(self._row("─" * _TIME, "─" * self._wire, "─" * self._said), Style.DIM))

    def step(self, number: int, title: str, lesson: str) -> None:
        self._write()
        self._write(f"{number:>{_TIME}}{' ' * _GAP}{self._styled(title, Style.BOLD)}")
        self.line(lesson, Style.DIM, indent=_MARGIN)

    def wire(self, at: float, text: str) -> None:
        self._rows(at, text, "", Style.PLAIN)

    def said(self, at: float, text: str, style: Style = Style.PLAIN) -> None:
        self._rows(at, "", text, style)

    def outcome(self, at: float, wire: str, said: str, text: str, problems: Sequence[str]) -> None:
        """How a step ended: what passed on the wire, what was heard of it, what the exporter says, what is wrong."""
        self._rows(at, wire, said, Style.PLAIN)
        self.verdict(text, good=not problems, indent=_MARGIN)
        for problem in problems:
            self.line(problem, Style.RED, indent=_MARGIN + 2)

    def verdict(self, text: str, *, good: bool, indent: int = 0) -> None:
        self.line(f"{'✓' if good else '✗'} {text}", Style.GREEN if good else Style.RED, indent=indent)

    def chart(self, lanes: Mapping[str, tuple[Style, Iterable[tuple[float, float]]]], end: float) -> None:
        """Stretches of time, a lane for each name, on one axis from 0 to `end` seconds."""
        label = max(map(len, lanes)) + 2
        cells = self.width - label
        for name, (style, stretches) in lanes.items():
            lane = [" "] * cells
            for start, stop in stretches:
                first = min(int(start / end * cells), cells - 1)
                last = min(max(int(stop / end * cells), first + 1), cells)
                lane[first:last] = "━" * (last - first)
            self._write(f"{name:<{label}}{self._styled(''.join(lane).rstrip(), style)}")
        step = next((step for step in _TICKS if end / step <= cells / _TICK_CELLS), _TICKS[-1])
        axis = ""
        for tick in range(0, int(end) + 1, step):
            marked = f"{axis:<{int(tick / end * cells)}}{tick}"
            axis = marked if len(marked) <= cells else axis
        self._write(self._styled(f"{'seconds':<{label}}{axis}", Style.DIM))

    def _rows(self, at: float | None, wire: str, said: str, style: Style) -> None:
        """One row of the timeline, as many lines as its fuller column needs."""
        columns = (textwrap.wrap(wire, self._wire), textwrap.wrap(said, self._said, subsequent_indent="  "))
        for number, (left, right) in enumerate(zip_longest(*columns, fillvalue="")):
            time = f"{at:.1f}" if at is not None and number == 0 else ""
            head = self._styled(f"{time:>{_TIME}}", Style.DIM)
            self._write(f"{head}{' ' * _GAP}{left:<{self._wire}}{' ' * _GAP}{self._styled(right, style)}".rstrip())

    def _row(self, time: str, wire: str, said: str) -> str:
        return f"{time:>{_TIME}}{' ' * _GAP}{wire:<{self._wire}}{' ' * _GAP}{said}"

    def _styled(self, text: str, style: Style) -> str:
        return f"\033[{style}m{text}\033[0m" if self._colours and style and text else text

    def _write(self, text: str = "") -> None:
        try:
            text.encode(self._stream.encoding or "ascii")
        except UnicodeEncodeError:
            text = text.translate(_ASCII).encode("ascii", "replace").decode()
        self._stream.write(f"{text}\n")
        self._stream.flush()
