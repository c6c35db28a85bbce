"""Every link leads somewhere: to the other page, at the same time and with the same choices, or to a runbook."""

from __future__ import annotations

import re

import pytest
import yaml

from dashboards.looks import DETAIL, OVERVIEW
from tests.dashboards.reading import ROOT, each_panel, every_panel, load, panels


def links_of(panel) -> list[dict[str, str]]:
    config = panel["fieldConfig"]
    in_columns = [each["value"] for over in config["overrides"] for each in over["properties"] if each["id"] == "links"]
    return [*panel["links"], *config["defaults"].get("links", []), *(link for links in in_columns for link in links)]


def runbooks() -> dict[str, str]:
    """The runbook of each alert, by the alerts themselves."""
    groups = yaml.safe_load((ROOT / "alerts" / "rules.yaml").read_text())["groups"]
    return {
        rule["annotations"]["runbook_url"]: rule["alert"]
        for group in groups
        for rule in group["rules"]
        if "alert" in rule
    }


@each_panel
def test_links_lead_somewhere(name, panel) -> None:
    known = runbooks()
    for link in links_of(panel):
        if link["url"].startswith("/d/"):
            assert link["url"].split("?")[0] == f"/d/{DETAIL}"
        else:
            assert link["title"] == f"Runbook: {known[link['url']]}"
            assert link["targetBlank"] is True


def test_every_alert_is_reached_from_a_panel() -> None:
    linked = {link["url"] for _, panel in every_panel() for link in links_of(panel)}
    assert set(runbooks()) - linked == set()


@pytest.mark.parametrize(("name", "other"), [(OVERVIEW, DETAIL), (DETAIL, OVERVIEW)])
def test_the_pages_lead_to_each_other(name, other) -> None:
    """At the same time, of the same data source and observers. Without VIP: `All` of there is no address here."""
    (link,) = load(name)["links"]
    path, query = link["url"].split("?")
    assert path == f"/d/{other}"
    assert query == "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"
    assert link["keepTime"] is True
    assert link["includeVars"] is False


def test_a_vip_leads_to_its_page() -> None:
    """From its row in the table, its state and its moves; time and choices go with it."""
    titles = [
        panel["title"] for panel in panels(OVERVIEW) if any(link["url"].startswith("/d/") for link in links_of(panel))
    ]
    assert titles == ["VIPs", "State of each VIP", "Moves", "Contests"]
    for panel in panels(OVERVIEW):
        for link in links_of(panel):
            if link["url"].startswith("/d/"):
                assert re.search(r"[?&]var-vip=\$\{__(value\.raw|field\.labels\.vip)\}&", link["url"])
                for part in (
                    "${datasource:queryparam}",
                    "${job:queryparam}",
                    "${instance:queryparam}",
                    "${__url_time_range}",
                ):
                    assert part in link["url"]
