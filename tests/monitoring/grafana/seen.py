"""A dashboard as it is seen at one time: everything that it asked and was told, and what its panels read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.monitoring.grafana.annotations import Annotation
from tests.monitoring.grafana.display import shown, text_of
from tests.monitoring.grafana.reading import Dashboard, Panel, PanelData
from tests.monitoring.grafana.view import View
from tests.monitoring.stage import Scenario

FOLDER = Path(__file__).parents[3] / "dashboards"
DASHBOARDS = {dashboard.uid: dashboard for dashboard in map(Dashboard.load, sorted(FOLDER.glob("*.json")))}
UIDS = ("vip-detail", "vip-overview")


@dataclass(frozen=True, slots=True)
class Seen:
    """A dashboard at the end of a scenario."""

    dashboard: Dashboard
    scenario: Scenario
    view: View
    data: Mapping[int, PanelData]
    """By the panels' ids."""
    marks: Sequence[Annotation]
    complaints: Sequence[str]
    """Of the annotations' queries."""

    def panel(self, title: str, type: str = "") -> Panel:
        """The one panel of this title, and of this type where several have it."""
        (found,) = (panel for panel in self.dashboard.panels if panel.title == title and type in ("", panel.type))
        return found

    def stat(self, title: str) -> list[str]:
        """What stands in a panel of single values."""
        panel = self.panel(title, "stat")
        return [shown(column, value, now=self.view.end).text for column, value in panel.reduced(self.data[panel.id])]

    def rows(self, title: str) -> list[dict[str, str]]:
        """A table as it is read: texts by the titles of columns."""
        data = self.data[self.panel(title, "table").id]
        if not data.frames:
            return []
        (frame,) = data.frames
        return [
            {column.title: shown(column, column.values[row], now=self.view.end).text for column in frame.fields}
            for row in range(len(frame))
        ]

    def words(self, title: str) -> dict[str, str]:
        """The words that stand at the end of the rows of a state timeline."""
        found = {}
        for frame in self.data[self.panel(title, "state-timeline").id].frames:
            times, column = frame.fields
            # A row that has ended before says nothing now.
            if times.values[-1] / 1000 >= self.view.end - 1:
                found[column.title] = shown(column, column.values[-1], now=self.view.end).text
        return found

    def past_words(self, title: str, since: float) -> dict[str, set[str]]:
        """The words in each row of a state timeline from a time on."""
        found: dict[str, set[str]] = {}
        for frame in self.data[self.panel(title, "state-timeline").id].frames:
            times, column = frame.fields
            for at, value in zip(times.values, column.values, strict=True):
                if at / 1000 >= since and value is not None:
                    found.setdefault(column.title, set()).add(shown(column, value, now=self.view.end).text)
        return found

    def lines(self, title: str, since: float = 0.0) -> dict[str, list[float]]:
        """The values of each line of a graph from a time on, by its legend."""
        found = {}
        for frame in self.data[self.panel(title, "timeseries").id].frames:
            times, column = frame.fields
            found[column.title] = [
                value
                for at, value in zip(times.values, column.values, strict=True)
                if at / 1000 >= since and value is not None
            ]
        return found

    def bars(self, title: str) -> dict[str, str]:
        """The texts of a bar gauge, by the names of its bars."""
        panel = self.panel(title, "bargauge")
        return {
            column.title: text_of(column, value, now=self.view.end)
            for column, value in panel.reduced(self.data[panel.id])
        }


Pictures = Mapping[tuple[str, Scenario], Seen]
"""By uid and scenario."""


def look(dashboard: Dashboard, scenario: Scenario, view: View) -> Seen:
    """Run all queries of a dashboard."""
    marks, complaints = dashboard.annotations(view)
    data = {panel.id: panel.ask(view) for panel in dashboard.panels}
    return Seen(dashboard, scenario, view, data, marks, complaints)
