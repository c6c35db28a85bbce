"""What the panels have in common: data source, words and colours of values, thresholds, links. It builds no panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard

OVERVIEW, DETAIL = "vip-overview", "vip-detail"
"""The uids. Links, bookmarks and other people's dashboards depend on them: they never change."""

RUNBOOKS = "https://github.com/vip-exporter/vip-exporter/blob/main/docs/runbooks"

SOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")

GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"
GREY = "#8e8e8e"

Words = Mapping[str, tuple[str, str]]
"""What a value means: its word and its colour."""

STATE: Words = {
    "0": ("unknown", GREY),
    "1": ("held", GREEN),
    "2": ("moving", YELLOW),
    "3": ("contested", RED),
    "4": ("silent", ORANGE),
}
UP: Words = {"0": ("down", RED), "1": ("up", GREEN)}
HEARS: Words = {"0": ("does not hear", RED), "1": ("hears", GREEN)}
MISMATCH: Words = {"0": ("agree", GREEN), "1": ("mismatch", RED)}
MET: Words = {"0": ("not met", RED), "1": ("met", GREEN)}
NAMED: Words = {"1": ("named", BLUE)}
BOUND: Words = {"1": ("bound", BLUE)}
PERIOD: Words = {"0": ("not repeated", GREY)}


def mapped(words: Words) -> list[dashboard.ValueMapping]:
    results = {
        value: dashboard.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(words.items())
    }
    return [dashboard.ValueMap(options=results)]


def or_word(word: str) -> list[dashboard.ValueMapping]:
    """The word where a text is empty or missing; anything else as it is."""
    result = dashboard.ValueMappingResult(text=word, color=GREY, index=0)
    return [
        dashboard.SpecialValueMap(dashboard.DashboardSpecialValueMapOptions(match=match, result=result))
        for match in (dashboard.SpecialValueMatch.EMPTY, dashboard.SpecialValueMatch.NULL)
    ]


def thresholds(base: str, *steps: tuple[float, str]) -> build.ThresholdsConfig:
    """Colours from a value on; `base` is the colour below the first."""
    first = dashboard.Threshold(value=None, color=base)
    rest = [dashboard.Threshold(value=value, color=color) for value, color in steps]
    return build.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps([first, *rest])


NEUTRAL = thresholds("text")
NONE_IS_GOOD = thresholds(GREEN, (1, RED))
SOME_ARE_WORTH_A_LOOK = thresholds(GREEN, (1, YELLOW))
ONE_IS_GOOD = thresholds(GREEN, (2, RED))


def in_state(state: str) -> build.ThresholdsConfig:
    """Of a number of VIPs: the state's own colour from one on. None is good, but for the good state."""
    color = dict(STATE.values())[state]
    return thresholds(GREY if color == GREEN else GREEN, (1, color))


def runbooks(alerts: Sequence[str]) -> list[Builder[dashboard.DashboardLink]]:
    return [
        build.DashboardLink(f"Runbook: {alert}").url(f"{RUNBOOKS}/{alert}.md").target_blank(True) for alert in alerts
    ]


_CHOICES = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"


def to_detail(vip: str) -> build.DashboardLink:
    """From a value to the page of its VIP; `vip` is the Grafana variable that has the address."""
    url = f"/d/{DETAIL}?var-vip={vip}&{_CHOICES}&${{__url_time_range}}"
    return build.DashboardLink("Open this VIP's page").url(url)


def to_dashboard(uid: str, title: str) -> build.DashboardLink:
    """To the other dashboard, at the same time. Without `vip`: here it may be many, there it is one."""
    return (
        build.DashboardLink(title)
        .type(dashboard.DashboardLinkType.LINK)
        .icon("dashboard")
        .tooltip(f"{title}, at the same time")
        .url(f"/d/{uid}?{_CHOICES}")
        .keep_time(True)
    )
