"""What Grafana makes of an annotation's query: marks over all panels, with titles and texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.monitoring.grafana.frames import legend_text


@dataclass(frozen=True, slots=True)
class Annotation:
    """A mark over all panels; a region where it lasts."""

    name: str
    start: float
    end: float
    title: str
    text: str
    tags: frozenset[str]
    colour: str


def marks(query: Mapping[str, Any], series: Mapping[str, Any], step: float) -> list[Annotation]:
    """Values above 0 no further apart than the step are one mark."""
    labels = series["metric"]
    by_value = query.get("useValueForTime")
    times = [
        float(value) / 1000 if by_value else float(at) for at, value in series["values"] if by_value or float(value) > 0
    ]
    spans: list[list[float]] = []
    for at in times:
        if spans and spans[-1][1] + step >= at:
            spans[-1][1] = at
        else:
            spans.append([at, at])
    keys = query["tagKeys"].split(",")
    return [
        Annotation(
            query["name"],
            start,
            end,
            legend_text(query["titleFormat"], labels),
            legend_text(query["textFormat"], labels),
            frozenset(labels[key] for key in keys if key in labels),
            query["iconColor"],
        )
        for start, end in spans
    ]
