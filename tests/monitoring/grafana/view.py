"""What a dashboard is looked at with: a Prometheus, a time range, and what its variables stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.monitoring.grafana.frames import UnsupportedError
from tests.monitoring.servers import Prometheus

SCRAPE_SECONDS = 1.0
"""What the data source is told of Prometheus."""

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>.*?)\}|(?P<plain>[a-zA-Z_]\w*))")
_SECONDS = {"s": 1, "m": 60}


@dataclass(frozen=True, slots=True)
class View:
    """Who is asked, about which time, with which values chosen for the variables."""

    prometheus: Prometheus
    start: float
    end: float
    """Both in seconds since 1970."""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.end - self.start


def substituted(text: str, view: View, *, step: float = SCRAPE_SECONDS) -> str:
    """The text with variables filled in.

    Raises:
        UnsupportedError: one that is not known, or has a format.
    """
    known = {
        "__rate_interval": f"{max(step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS):.0f}s",
        "__range": f"{view.seconds:.0f}s",
        "__from": f"{1000 * view.start:.0f}",
        **view.variables,
    }

    def value(match: re.Match[str]) -> str:
        name = match["braced"] or match["plain"]
        if name not in known:
            raise UnsupportedError(f"variable {match[0]} in {text}")
        return known[name]

    return _VARIABLE.sub(value, text)


def duration(text: str) -> float:
    """Seconds of Grafana's `15s`, `5m`.

    Raises:
        UnsupportedError: any other unit.
    """
    match = re.fullmatch(r"(\d+)([sm])", text)
    if match is None:
        raise UnsupportedError(f"duration {text}")
    return int(match[1]) * _SECONDS[match[2]]
