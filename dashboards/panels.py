"""The kinds of panel that the dashboards are made of, each with one look. It knows no query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as choices
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.looks import GREY, NEUTRAL, SOURCE, Words, mapped, runbooks

Panel = TypeVar("Panel", stat.Panel, table.Panel, timeseries.Panel, statetimeline.Panel, bargauge.Panel)


@dataclass(frozen=True, slots=True)
class About:
    """What every panel says of itself.

    Args:
        text: what it shows, how to read it, what is bad.
        none: stands where there is no value.
        alerts: those whose runbooks go with it.
    """

    title: str
    text: str
    none: str
    alerts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A query; `ref` names it within its panel, `legend` its series.

    Args:
        color: a fixed one instead of the palette's.
        dashed: a line to compare with, not a measured one.
    """

    ref: str
    expr: str
    legend: str = ""
    color: str = ""
    dashed: bool = False


def stat_of(
    about: About,
    *queries: Query,
    unit: str = "short",
    label: str = "",
    decimals: int | None = None,
    words: Words | None = None,
    limits: build.ThresholdsConfig = NEUTRAL,
    tile: bool = False,
) -> stat.Panel:
    """The value of now, in large; with `label`, that label of the series instead. Several queries show legends.

    Args:
        tile: colour the whole panel, not just its value.
    """
    panel = described(stat.Panel(), about, unit=unit, limits=limits)
    if words:
        panel.mappings(mapped(words))
    if decimals is not None:
        panel.decimals(decimals)
    for query in queries:
        panel.with_target(as_table(query) if label else _instant(query))
    fields = f"/^{label}$/" if label else ""
    return (
        panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields(fields))
        .graph_mode(choices.BigValueGraphMode.NONE)
        .color_mode(choices.BigValueColorMode.BACKGROUND if tile else choices.BigValueColorMode.VALUE)
        .text_mode(choices.BigValueTextMode.VALUE_AND_NAME if len(queries) > 1 else choices.BigValueTextMode.VALUE)
    )


def timeline_of(
    about: About, query: Query, words: Words, *, link: build.DashboardLink | None = None
) -> statetimeline.Panel:
    """A row for each series, with the word of its value over time; a gap where there is none."""
    panel = described(statetimeline.Panel(), about, unit="short").mappings(mapped(words))
    if link is not None:
        panel.data_links([link])
    return (
        # With colours by threshold, Grafana 9 would show the thresholds' names instead of the words.
        panel.color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.FIXED).fixed_color(GREY))
        .with_target(_over_time(query))
        # It loses nothing but answers without series, of which Grafana would say that they have no time field.
        .with_transformation(
            dashboard.DataTransformerConfig("filterFieldsByName", options={"include": {"pattern": ".*"}})
        )
        .merge_values(True)
        .show_value(choices.VisibilityMode.AUTO)
        .row_height(0.85)
        .fill_opacity(80)
        .line_width(0)
        .legend(_legend())
        .tooltip(_tooltip())
    )


def lines_of(
    about: About, *queries: Query, unit: str, decimals: int | None = None, steps: bool = False
) -> timeseries.Panel:
    """Values over time; `steps` for what holds until the next."""
    panel = _drawn(about, queries, unit=unit, decimals=decimals)
    for query in queries:
        properties: dict[str, object] = {}
        if query.color:
            properties["color"] = {"mode": "fixed", "fixedColor": query.color}
        if query.dashed:
            properties |= {"custom.lineStyle": {"dash": [8, 6], "fill": "dash"}, "custom.fillOpacity": 0}
        if properties:
            panel.override_by_name(query.legend, [dashboard.DynamicConfigValue(*pair) for pair in properties.items()])
    return (
        panel.draw_style(choices.GraphDrawStyle.LINE)
        .line_interpolation(choices.LineInterpolation.STEP_AFTER if steps else choices.LineInterpolation.LINEAR)
        .line_width(1)
        .fill_opacity(10)
    )


def bars_of(about: About, *queries: Query, link: build.DashboardLink | None = None) -> timeseries.Panel:
    """How often something happened, a bar for each interval."""
    panel = _drawn(about, queries, unit="short", decimals=0)
    if link is not None:
        panel.data_links([link])
    return (
        # Counting windows overlap by a scrape interval. Over bars of five minutes that is next to nothing.
        panel.interval("5m")
        .draw_style(choices.GraphDrawStyle.BARS)
        .line_width(0)
        .fill_opacity(80)
        .stacking(common.StackingConfig().mode(choices.StackingMode.NORMAL).group("A"))
        .axis_soft_max(1)
    )


def gauge_of(about: About, queries: Sequence[Query]) -> bargauge.Panel:
    """A horizontal bar for each query."""
    panel = described(bargauge.Panel(), about, unit="short").decimals(0).min(0)
    for query in queries:
        panel.with_target(_instant(query))
    return (
        panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields(""))
        .color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.FIXED).fixed_color("blue"))
        .display_mode(choices.BarGaugeDisplayMode.BASIC)
        .orientation(choices.VizOrientation.HORIZONTAL)
        .show_unfilled(True)
    )


def _drawn(about: About, queries: Sequence[Query], *, unit: str, decimals: int | None) -> timeseries.Panel:
    panel = described(timeseries.Panel(), about, unit=unit).axis_soft_min(0)
    if decimals is not None:
        panel.decimals(decimals)
    for query in queries:
        panel.with_target(_over_time(query))
    panel.color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
    panel.show_points(choices.VisibilityMode.NEVER).span_nulls(False)
    return panel.legend(_legend()).tooltip(_tooltip())


def described(panel: Panel, about: About, *, unit: str, limits: build.ThresholdsConfig = NEUTRAL) -> Panel:
    """The panel with what all have."""
    if about.alerts:
        panel.links(runbooks(about.alerts))
    return (
        panel.title(about.title)
        .description(about.text)
        .datasource(SOURCE)
        .unit(unit)
        .no_value(about.none)
        .thresholds(limits)
    )


def _over_time(query: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(query.ref).datasource(SOURCE).range()
    return target.format(PromQueryFormat.TIME_SERIES).legend_format(query.legend)


def _instant(query: Query) -> prometheus.Dataquery:
    return _over_time(query).instant()


def as_table(query: Query) -> prometheus.Dataquery:
    """Asks for now, with a column for each label."""
    return _instant(query).format(PromQueryFormat.TABLE)


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(choices.LegendDisplayMode.LIST)
        .placement(choices.LegendPlacement.BOTTOM)
        .calcs([])
    )


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(choices.TooltipDisplayMode.MULTI).sort(choices.SortOrder.NONE)
