"""Monitors, rules and dashboards: the same as those of the project, and changed only as asked."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.deploy.chart.charts import DASHBOARDS, EVERYTHING, ROOT, RULES, nested, objects, of, only

ON = {"podMonitor.enabled": True, "prometheusRule.enabled": True, "dashboards.enabled": True}
MONITORS = {"PodMonitor": "podMetricsEndpoints", "ServiceMonitor": "endpoints"}
DEFAULT_RUNBOOKS = "https://github.com/vip-exporter/vip-exporter/blob/main/docs/runbooks/"
WIKI = "https://wiki.example.org/vip/"


def values_of(kind: str, **more) -> dict:
    key = kind[0].lower() + kind[1:]
    return nested({f"{key}.enabled": True, **{f"{key}.{name}": value for name, value in more.items()}})


# --- monitors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MONITORS)
def test_a_monitor_names_targets_after_their_node(kind: str) -> None:
    """The rules group by job; the dashboards choose observers by instance."""
    spec = only(kind, values_of(kind))["spec"]
    assert spec[MONITORS[kind]] == [
        {
            "port": "metrics",
            "scheme": "http",
            "interval": "15s",
            "relabelings": [
                {"action": "replace", "targetLabel": "job", "replacement": "vip-exporter"},
                *(
                    {
                        "action": "replace",
                        "sourceLabels": ["__meta_kubernetes_pod_node_name"],
                        "targetLabel": label,
                    }
                    for label in ("node", "instance")
                ),
            ],
        }
    ]
    assert spec.keys() == {"selector", MONITORS[kind]}


@pytest.mark.parametrize("kind", MONITORS)
def test_a_monitor_stands_beside_the_pods(kind: str) -> None:
    """Newer charts of kube-prometheus ignore selectors of namespaces."""
    assert only(kind, values_of(kind), namespace="elsewhere")["metadata"]["namespace"] == "elsewhere"


@pytest.mark.parametrize("kind", MONITORS)
def test_a_monitor_takes_what_it_is_given(kind: str) -> None:
    given = {name: value for name, value in EVERYTHING["podMonitor"].items() if name != "enabled"}
    found = only(kind, values_of(kind, **given, job="vips-a", interval="30s"))
    (endpoint,) = found["spec"][MONITORS[kind]]
    for name in ("scrapeTimeout", "basicAuth", "tlsConfig", "metricRelabelings"):
        assert endpoint[name] == given[name], name
    assert endpoint["interval"] == "30s"
    assert endpoint["relabelings"][0]["replacement"] == "vips-a"
    assert endpoint["relabelings"][3:] == given["relabelings"]
    assert found["metadata"]["labels"]["release"] == "monitoring"


@pytest.mark.parametrize("kind", MONITORS)
def test_a_monitor_uses_tls_where_the_pods_do(kind: str) -> None:
    values = nested({"web.existingSecret": "door", "web.tls": True}, values_of(kind))
    (endpoint,) = only(kind, values)["spec"][MONITORS[kind]]
    assert endpoint["scheme"] == "https"


def test_a_service_monitor_brings_a_headless_service_that_it_finds() -> None:
    values = values_of("ServiceMonitor")
    service = only("Service", values)
    assert service["spec"]["clusterIP"] == "None"
    chosen = only("ServiceMonitor", values)["spec"]["selector"]["matchLabels"]
    assert chosen.items() <= service["metadata"]["labels"].items()
    assert of("Service", values_of("PodMonitor")) == []


# --- rules ------------------------------------------------------------------------------------------------------------


def groups(values, **release) -> list:
    return only("PrometheusRule", nested({"prometheusRule.enabled": True, **values}), **release)["spec"]["groups"]


def alerts(found) -> dict[tuple[str, str], dict]:
    """By name and severity."""
    return {
        (rule["alert"], rule["labels"]["severity"]): rule
        for group in found
        for rule in group["rules"]
        if "alert" in rule
    }


def test_the_rules_are_those_of_the_project() -> None:
    """Their templates reach Prometheus as they are."""
    assert groups({}) == RULES["groups"]
    resource = yaml.safe_load((ROOT / "alerts" / "prometheusrule.yaml").read_text())
    found = only("PrometheusRule", nested({"prometheusRule.enabled": True}))
    assert found["spec"] == resource["spec"]
    for key in ("apiVersion", "kind"):
        assert found[key] == resource[key]
    for key in ("name", "namespace"):
        assert found["metadata"][key] == resource["metadata"][key]


def test_alerts_have_the_namespace_of_the_release() -> None:
    found = groups({}, namespace="elsewhere")
    assert {alert["labels"]["namespace"] for alert in alerts(found).values()} == {"elsewhere"}
    for group in found:
        for rule in group["rules"]:
            if "alert" in rule:
                rule["labels"]["namespace"] = "vip-exporter"
    assert found == RULES["groups"]


def test_an_alert_can_be_left_out() -> None:
    assert alerts(RULES["groups"]).keys() - alerts(groups({"prometheusRule.disabled": ["VIPMoved"]})).keys() == {
        ("VIPMoved", "info")
    }
    both = alerts(groups({"prometheusRule.disabled": ["VIPFlapping"]}))
    assert alerts(RULES["groups"]).keys() - both.keys() == {("VIPFlapping", "warning"), ("VIPFlapping", "critical")}


def test_an_alert_can_have_another_severity() -> None:
    before, after = alerts(RULES["groups"]), alerts(groups({"prometheusRule.severity": {"VIPMoved": "warning"}}))
    assert before.keys() ^ after.keys() == {("VIPMoved", "info"), ("VIPMoved", "warning")}
    changed, plain = after["VIPMoved", "warning"], before["VIPMoved", "info"]
    assert changed == plain | {"labels": {"severity": "warning", "namespace": "vip-exporter"}}


@pytest.mark.parametrize("severity", ["info", "warning", "critical"])
def test_of_two_thresholds_with_one_severity_the_lower_stays(severity: str) -> None:
    found = alerts(groups({"prometheusRule.severity": {"VIPFlapping": severity}}))
    (flapping,) = (rule for (name, _), rule in found.items() if name == "VIPFlapping")
    assert flapping["labels"]["severity"] == severity
    assert flapping["expr"] == alerts(RULES["groups"])["VIPFlapping", "warning"]["expr"]
    assert sum(len(group["rules"]) for group in RULES["groups"]) - 1 == sum(
        len(group["rules"]) for group in groups({"prometheusRule.severity": {"VIPFlapping": severity}})
    )


def test_runbooks_can_be_elsewhere() -> None:
    for (name, _), alert in alerts(groups({"runbookURL": WIKI})).items():
        assert alert["annotations"]["runbook_url"] == f"{WIKI}{name}.md"


# --- dashboards -------------------------------------------------------------------------------------------------------


def boards(values) -> list:
    return [
        one
        for one in of("ConfigMap", nested({"dashboards.enabled": True, **values}))
        if "config.yaml" not in one["data"]
    ]


def test_the_dashboards_are_those_of_the_project() -> None:
    found = boards({})
    assert {name: text for one in found for name, text in one["data"].items()} == DASHBOARDS
    assert all(len(one["data"]) == 1 for one in found)
    whole = yaml.safe_load((ROOT / "dashboards" / "configmap.yaml").read_text())
    assert whole["data"] == DASHBOARDS
    for one in found:
        assert whole["metadata"]["labels"].items() <= one["metadata"]["labels"].items()


def test_each_configmap_can_be_applied() -> None:
    """`kubectl apply` writes the whole object, as JSON, into an annotation of at most 256 KiB."""
    for one in boards({}):
        assert len(json.dumps(one, separators=(",", ":"), ensure_ascii=False).encode()) < 256 * 1024


def test_dashboards_go_where_the_sidecar_looks() -> None:
    found = boards(
        {
            "dashboards.namespace": "cattle-dashboards",
            "dashboards.label": "board",
            "dashboards.labelValue": "yes",
            "dashboards.annotations": {"grafana_folder": "Network"},
        }
    )
    assert {one["metadata"]["namespace"] for one in found} == {"cattle-dashboards"}
    for one in found:
        assert one["metadata"]["labels"]["board"] == "yes"
        assert one["metadata"]["annotations"] == {"grafana_folder": "Network"}


def test_dashboards_link_to_runbooks_elsewhere_too() -> None:
    for one in boards({"runbookURL": WIKI}):
        ((name, text),) = one["data"].items()
        assert text == DASHBOARDS[name].replace(DEFAULT_RUNBOOKS, WIKI)
        assert WIKI in text
        assert DEFAULT_RUNBOOKS not in text
        assert json.loads(text)


def test_with_all_of_them_on_the_rest_is_the_same() -> None:
    added = {"PodMonitor", "PrometheusRule"}
    with_all = [one for one in objects(nested(ON)) if one["kind"] not in added]
    assert [one for one in with_all if "vip-exporter-vip-" not in one["metadata"]["name"]] == objects({})
