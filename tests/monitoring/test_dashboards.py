"""Every query of the dashboards, asked of a Prometheus that has watched every scenario: none fails, none is empty
without a reason, and what they show is what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.e2e.observers import ALL, VIP
from tests.monitoring.conftest import Played
from tests.monitoring.grafana import report
from tests.monitoring.grafana.seen import DASHBOARDS, UIDS, Pictures, look
from tests.monitoring.servers import JOB
from tests.monitoring.stage import Scenario

pytestmark = pytest.mark.timeout(600)

NOTHING_HAS_MOVED = {Scenario.QUIET}
NOBODY_HOLDS_IT = {Scenario.UNHELD}

EMPTY: Mapping[tuple[str, str, str], set[Scenario]] = {
    ("vip-overview", "VIPs", "holder"): NOBODY_HOLDS_IT,
    ("vip-overview", "VIPs", "since"): NOBODY_HOLDS_IT,
    ("vip-overview", "VIPs", "named"): NOBODY_HOLDS_IT,
    ("vip-overview", "VIPs", "heard"): NOBODY_HOLDS_IT,
    ("vip-overview", "Observers", "heard"): NOBODY_HOLDS_IT,
    ("vip-detail", "Holder", "holder"): NOBODY_HOLDS_IT,
    ("vip-detail", "Held since", "since"): NOBODY_HOLDS_IT,
    ("vip-detail", "Nodes named", "named"): NOBODY_HOLDS_IT,
    ("vip-detail", "Heard by", "heard"): NOBODY_HOLDS_IT,
    ("vip-detail", "Last handover", "handover"): NOTHING_HAS_MOVED,
}
"""The only queries that give nothing, and when: by dashboard, panel and name of the query."""


@pytest.fixture(params=UIDS)
def uid(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=Scenario, ids=lambda scenario: scenario.name.lower())
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return request.param


def test_there_are_two_dashboards() -> None:
    assert tuple(DASHBOARDS) == UIDS


def test_no_query_fails(seen: Pictures, uid: str, scenario: Scenario) -> None:
    """Prometheus has neither an error nor a warning for any panel or annotation."""
    one = seen[uid, scenario]
    assert [complaint for data in one.data.values() for complaint in data.complaints] == []
    assert one.complaints == []


def test_each_query_shows_something_unless_there_is_a_reason(seen: Pictures, uid: str, scenario: Scenario) -> None:
    one = seen[uid, scenario]
    empty = {
        (uid, panel.title, asked.ref)
        for panel in one.dashboard.panels
        for asked in one.data[panel.id].asked
        if not asked.answer.result
    }
    assert empty == {key for key, scenarios in EMPTY.items() if key[0] == uid and scenario in scenarios}


def test_the_reasons_are_about_queries_that_exist() -> None:
    queries = {
        (uid, panel.title, target["refId"])
        for uid, dashboard in DASHBOARDS.items()
        for panel in dashboard.panels
        for target in panel.json["targets"]
    }
    assert EMPTY.keys() <= queries


def test_a_panel_shows_what_its_queries_gave(seen: Pictures, uid: str, scenario: Scenario) -> None:
    """No transformation loses everything, and a table is one."""
    one = seen[uid, scenario]
    for panel in one.dashboard.panels:
        data = one.data[panel.id]
        assert data.is_empty == all(not asked.answer.result for asked in data.asked), panel.title
        if panel.type == "table":
            assert len(data.frames) == 1, panel.title


def test_columns_keep_their_names(seen: Pictures, uid: str, scenario: Scenario) -> None:
    """Where a single query of several gives something, Grafana calls its column just "Value"."""
    one = seen[uid, scenario]
    for panel in one.dashboard.panels:
        answers = [asked.answer.result for asked in one.data[panel.id].asked if asked.format == "table"]
        if len(answers) > 1:
            assert sum(map(bool, answers)) != 1, panel.title


def test_the_variables_offer_what_there_is(played: Played, uid: str, scenario: Scenario) -> None:
    view = played.view(scenario)
    dashboard = DASHBOARDS[uid]
    offered = {
        variable["name"]: dashboard.options(variable, view)
        for variable in dashboard.variables
        if variable["type"] == "query"
    }
    network = [f"192.0.2.{10 + number}:10150" for number in range(len(ALL))]
    assert offered == {"job": [JOB], "instance": network, "vip": [str(VIP)]}


def test_one_observer_can_be_chosen(played: Played, uid: str) -> None:
    """With one instance chosen, no query fails, and the table of observers has that one only."""
    view = played.view(Scenario.SPLIT_BRAIN)
    # As Grafana writes a chosen value into a query.
    chosen = replace(view, variables={**view.variables, "instance": r"192\\.0\\.2\\.11:10150"})
    one = look(DASHBOARDS[uid], Scenario.SPLIT_BRAIN, chosen)
    assert [complaint for data in one.data.values() for complaint in data.complaints] == []
    table = "Observers" if uid == "vip-overview" else "Exporters"
    assert [row["Observer"] for row in one.rows(table)] == ["node-1"]


def test_the_report_is_written(seen: Pictures) -> None:
    """A picture of each dashboard in each scenario, and a page with all of them: build/dashboards/index.html."""
    report.write(list(seen.values()))
    pictures = sorted(path.name for path in report.REPORT.glob("*.png"))
    assert len(pictures) == len(UIDS) * len(Scenario)
    page = (report.REPORT / "index.html").read_text("utf-8")
    assert all(page.count(f'src="{name}"') == 1 for name in pictures)
