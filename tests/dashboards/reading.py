"""The generated dashboards as the tests read them: their files, panels, queries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "dashboards"

NAMES = ("vip-overview", "vip-detail")

FILLED = {
    "$__rate_interval": "5m",
    "$__range": "1h",
    "${__from}": "1700000000000",
    "$job": ".+",
    "$instance": ".+",
    "$vip": ".+",
}
"""What Grafana would put in place of its variables, the longest name first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query of a dashboard and where it stands."""

    dashboard: str
    where: str
    expr: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.where}"


def load(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def panels(name: str) -> list[dict[str, Any]]:
    """All but the rows' titles."""
    return [panel for panel in load(name)["panels"] if panel["type"] != "row"]


def every_panel() -> list[Any]:
    return [(name, panel) for name in NAMES for panel in panels(name)]


each_panel = pytest.mark.parametrize(
    ("name", "panel"), every_panel(), ids=lambda each: each if isinstance(each, str) else each["title"]
)


def queries() -> Iterator[Asked]:
    """Of panels and annotations."""
    for name in NAMES:
        for panel in panels(name):
            for target in panel["targets"]:
                yield Asked(name, f"{panel['title']}/{target['refId']}", target["expr"])
        for annotation in load(name)["annotations"]["list"]:
            if "expr" in annotation:
                yield Asked(name, f"annotation {annotation['name']}", annotation["expr"])


def filled(expr: str) -> str:
    for variable, value in FILLED.items():
        expr = expr.replace(variable, value)
    return expr


def selectors(expr: str) -> list[tuple[str, str, str]]:
    """(what stands before, metric, matchers) of each selector. A label's value in these queries has no brace."""
    found = re.finditer(r"(?P<before>\w+\()?\b(?P<metric>vip_[a-z_]+)(?:\{(?P<matchers>[^}]*)\})?", _without_by(expr))
    return [(each["before"] or "", each["metric"], each["matchers"] or "") for each in found]


def _without_by(expr: str) -> str:
    """The query without its lists of labels, which could be taken for metrics."""
    return re.sub(r"\b(by|on|group_left|without) \([^)]*\)", "", expr)
