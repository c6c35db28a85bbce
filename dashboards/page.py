"""What both dashboards have around their panels: variables, annotations, links, times."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common, dashboard

from dashboards.looks import RED, SOURCE, to_dashboard
from dashboards.queries import OBSERVERS, count_over, worst


def page(*, uid: str, title: str, text: str, many_vips: bool, other: tuple[str, str]) -> build.Dashboard:
    """A dashboard without panels; `other` is uid and title of the one that it links to."""
    made = build.Dashboard(title).uid(uid).description(text).tags(["vip-exporter"]).readonly()
    made.time("now-6h", "now").refresh("30s").timezone("browser").tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    for variable in _variables(many_vips=many_vips):
        made.with_variable(variable)
    for annotation in _annotations():
        made.annotation(annotation)
    return made.link(to_dashboard(*other))


def _variables(*, many_vips: bool) -> list[build.DatasourceVariable | build.QueryVariable]:
    return [
        build.DatasourceVariable("datasource")
        .label("Data source")
        .type("prometheus")
        .current(dashboard.VariableOption(selected=True, text="default", value="default")),
        _every(_choice("job", "Job", "label_values(vip_exporter_build_info, job)")),
        _every(_choice("instance", "Instance", 'label_values(vip_exporter_build_info{job=~"$job"}, instance)')),
        _every(_vip()) if many_vips else _vip(),
    ]


def _vip() -> build.QueryVariable:
    return _choice("vip", "VIP", f"label_values(vip_info{{{OBSERVERS}}}, vip)")


def _choice(name: str, label: str, query: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        # A plain string would lose its value on a change of the time range in Grafana 9.4.
        .query({"query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"})
        .definition(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )


def _every(variable: build.QueryVariable) -> build.QueryVariable:
    chosen = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
    return variable.multi(True).include_all(True).all_value(".+").current(chosen)


def _annotations() -> list[build.AnnotationQuery]:
    builtin = (
        build.AnnotationQuery()
        .name("Annotations & Alerts")
        .datasource(common.DataSourceRef(type_val="grafana", uid="-- Grafana --"))
        .built_in(1)
        .enable(True)
        .hide(True)
        .icon_color("rgba(0, 211, 255, 1)")
        .type("dashboard")
    )
    moves = (
        # The value is the time of the move itself, so a mark stands where it happened, whenever it was scraped. Older
        # Grafana would put one from before the visible time at its beginning.
        _events("Moves", f"1000 * {worst('vip_last_move_timestamp_seconds', by='vip, from, to')} >= ${{__from}}")
        .use_value_for_time(True)
        .icon_color("blue")
        .title_format("VIP moved")
        .text_format("{{vip}}: {{from}} → {{to}}")
        .tag_keys("vip,from,to")
    )
    contests = (
        _events("Contests", f"{count_over('vip_contests_total')} > 0")
        .icon_color(RED)
        .title_format("VIP contested")
        .text_format("{{vip}} has two claimants")
        .tag_keys("vip")
    )
    return [builtin, moves, contests]


def _events(name: str, expr: str) -> build.AnnotationQuery:
    return build.AnnotationQuery().name(name).datasource(SOURCE).enable(True).hide(False).expr(expr).step("15s")
