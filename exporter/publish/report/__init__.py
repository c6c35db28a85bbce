"""A replayed capture as one HTML document that needs nothing else: for an incident, to be read, printed and kept."""

from __future__ import annotations

from pathlib import Path

from exporter.publish.html.render import STYLE, own, policy, render
from exporter.publish.replayed import Replay
from exporter.publish.report.view import Origin, reported

__all__ = ["Origin", "report"]

_STYLE = STYLE + (Path(__file__).parent / "report.css").read_text(encoding="utf-8")


def report(replay: Replay, origin: Origin) -> str:
    """The document. The replay must have noted the announcers."""
    seen = reported(replay, origin)
    return render("report.html", seen=seen, style=own(_STYLE), policy=policy(style=_STYLE))
