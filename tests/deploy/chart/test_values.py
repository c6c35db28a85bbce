"""Each value is documented, known to the schema and of consequence; what is wrong or contradicts itself is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import HelmError
from yamllint import linter
from yamllint.config import YamlLintConfig

from deploy.generate import CHART, documented
from exporter.config import SETTINGS
from tests.deploy.chart.charts import DEFAULT, EVERYTHING, chart, container, nested, objects, only, settings, texts
from tests.deploy.chart.program import given

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DOCUMENTED = {".".join(value.path): value for value in documented()}
NAMED = {"services.discover": False, "services.watch": ["lb/web"]}
SECRET = {"web.existingSecret": "door"}
PODS = {"podMonitor.enabled": True}
SERVICES = {"serviceMonitor.enabled": True}
RULE = {"prometheusRule.enabled": True}
BOARDS = {"dashboards.enabled": True}
LOGIN = {"username": {"name": "login", "key": "username"}}

CHANGES: dict[str, tuple[Any, Mapping[str, Any]]] = {
    "nameOverride": ("other", {}),
    "fullnameOverride": ("other", {}),
    "namespaceOverride": ("other", {}),
    "commonLabels": ({"team": "network"}, {}),
    "image.registry": ("registry.example.org", {}),
    "image.repository": ("mirror/vip-exporter", {}),
    "image.tag": ("9.9.9", {}),
    "image.digest": ("sha256:" + "0" * 64, {}),
    "image.pullPolicy": ("Always", {}),
    "imagePullSecrets": ([{"name": "pull"}], {}),
    "services.discover": (False, {"controlPlane.addresses": ["192.0.2.10"]}),
    "services.watch": (["lb/web", "lb/mail"], NAMED),
    "leases.services": ([], {}),
    "leases.additional": (["lb/shared"], NAMED),
    "controlPlane.addresses": (["192.0.2.10"], {}),
    "controlPlane.lease": ("kube-system/other", {"controlPlane.addresses": ["192.0.2.10"]}),
    "kubeVip.daemonsets": (["lb/kube-vip"], {}),
    "harvester.configMap": ("harvester-system/vip", {}),
    "config": ({"log": {"level": "debug"}}, {}),
    "nonRoot": (True, {}),
    "port": (10151, {}),
    "listenHost": ("$(HOST_IP)", {}),
    "web.config": ({"basic_auth_users": {}}, {}),
    "web.existingSecret": ("door", {}),
    "web.tlsSecret": ("pair", SECRET),
    "web.tls": (True, SECRET),
    "web.clientCertificates": (True, SECRET),
    "state.enabled": (False, {}),
    "state.hostPath": ("/var/lib/vip-exporter", {}),
    "serviceAccount.create": (False, {}),
    "serviceAccount.name": ("other", {}),
    "serviceAccount.annotations": ({"a": "b"}, {}),
    "rbac.create": (False, {}),
    "updateStrategy": ({"type": "OnDelete"}, {}),
    "priorityClassName": ("system-node-critical", {}),
    "terminationGracePeriodSeconds": (30, {}),
    "resources": ({"requests": {"cpu": "20m"}}, {}),
    "nodeSelector": ({"a": "b"}, {}),
    "tolerations": ([], {}),
    "affinity": ({"nodeAffinity": {}}, {}),
    "podAnnotations": ({"a": "b"}, {}),
    "podLabels": ({"a": "b"}, {}),
    "podSecurityContext": ({"fsGroup": 1}, {}),
    "containerSecurityContext": ({"seLinuxOptions": {"type": "spc_t"}}, {}),
    "extraArgs": (["--vip.period=3s"], {}),
    "extraEnv": ([{"name": "TZ", "value": "UTC"}], {}),
    "extraVolumes": ([{"name": "more", "emptyDir": {}}], {}),
    "extraVolumeMounts": ([{"name": "more", "mountPath": "/more"}], {}),
    "startupProbe": ({"failureThreshold": 60}, {}),
    "livenessProbe": ({"failureThreshold": 60}, {}),
    "readinessProbe": ({"failureThreshold": 60}, {}),
    "podMonitor.enabled": (True, {}),
    "podMonitor.additionalLabels": ({"release": "monitoring"}, PODS),
    "podMonitor.job": ("vip-exporter-a", PODS),
    "podMonitor.interval": ("30s", PODS),
    "podMonitor.scrapeTimeout": ("10s", PODS),
    "podMonitor.basicAuth": (LOGIN, PODS),
    "podMonitor.tlsConfig": ({"serverName": "vip-exporter"}, PODS),
    "podMonitor.relabelings": ([{"targetLabel": "a", "replacement": "b"}], PODS),
    "podMonitor.metricRelabelings": ([{"regex": "zone", "action": "labeldrop"}], PODS),
    "serviceMonitor.enabled": (True, {}),
    "serviceMonitor.additionalLabels": ({"release": "monitoring"}, SERVICES),
    "serviceMonitor.job": ("vip-exporter-a", SERVICES),
    "serviceMonitor.interval": ("30s", SERVICES),
    "serviceMonitor.scrapeTimeout": ("10s", SERVICES),
    "serviceMonitor.basicAuth": (LOGIN, SERVICES),
    "serviceMonitor.tlsConfig": ({"serverName": "vip-exporter"}, SERVICES),
    "serviceMonitor.relabelings": ([{"targetLabel": "a", "replacement": "b"}], SERVICES),
    "serviceMonitor.metricRelabelings": ([{"regex": "zone", "action": "labeldrop"}], SERVICES),
    "service.enabled": (True, {}),
    "service.annotations": ({"a": "b"}, {"service.enabled": True}),
    "runbookURL": ("https://wiki.example.org/vip/", RULE),
    "prometheusRule.enabled": (True, {}),
    "prometheusRule.additionalLabels": ({"release": "monitoring"}, RULE),
    "prometheusRule.disabled": (["VIPMoved"], RULE),
    "prometheusRule.severity": ({"VIPMoved": "warning"}, RULE),
    "dashboards.enabled": (True, {}),
    "dashboards.namespace": ("cattle-dashboards", BOARDS),
    "dashboards.label": ("dashboard", BOARDS),
    "dashboards.labelValue": ("yes", BOARDS),
    "dashboards.annotations": ({"grafana_folder": "Network"}, BOARDS),
    "networkPolicy.enabled": (True, {}),
    "networkPolicy.from": ([{"podSelector": {}}], {"networkPolicy.enabled": True}),
}
"""By value: another one, and the values with which it means something."""


def refusal(values: Mapping[str, Any]) -> str:
    """Why Helm refuses them."""
    with pytest.raises(HelmError) as raised:
        texts(values)
    return raised.value.detail


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The names of all values; a documented map is one of them."""
    for key, value in values.items():
        name = prefix + key
        if name in DOCUMENTED or not isinstance(value, dict) or not value:
            yield name
        else:
            yield from leaves(value, f"{name}.")


def known(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The names of all values that a schema has."""
    for key, child in schema["properties"].items():
        name = prefix + key
        resolved = SCHEMA["definitions"][child["$ref"].rpartition("/")[2]] if "$ref" in child else child
        if name in DOCUMENTED or "properties" not in resolved:
            yield name
        else:
            assert resolved["additionalProperties"] is False, name
            yield from known(resolved, f"{name}.")


def test_every_value_is_documented() -> None:
    assert list(leaves(VALUES)) == list(DOCUMENTED)
    assert [name for name, value in DOCUMENTED.items() if not value.meaning.endswith(".")] == []


def test_the_schema_knows_every_value_and_no_other() -> None:
    """But for the two that a chart has as part of another."""
    assert SCHEMA["additionalProperties"] is False
    assert set(known(SCHEMA)) - {"global", "enabled"} == set(DOCUMENTED)


def test_the_defaults_are_good() -> None:
    chart().validate_schema(DEFAULT)
    assert chart().values == VALUES


def test_the_test_below_changes_every_value() -> None:
    assert list(CHANGES) == list(DOCUMENTED)


@pytest.mark.parametrize("name", CHANGES)
def test_every_value_is_of_consequence(name: str) -> None:
    value, context = CHANGES[name]
    assert texts(nested({**context, name: value})) != texts(nested(context))


@pytest.mark.parametrize("file", ["values.yaml", "values-harvester.yaml", "Chart.yaml"])
def test_yamllint_finds_no_fault(file: str) -> None:
    config = YamlLintConfig("{extends: default, rules: {line-length: {max: 120}, document-start: disable}}")
    assert [str(problem) for problem in linter.run((CHART / file).read_text(), config)] == []


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prot": 1}, "additional properties 'prot' not allowed"),
        ({"web.tlS": True}, "at '/web': additional properties 'tlS' not allowed"),
        ({"podMonitor.intervall": "1m"}, "at '/podMonitor': additional properties 'intervall' not allowed"),
        ({"port": "10150"}, "at '/port': got string, want integer"),
        ({"port": 70000}, "at '/port': maximum"),
        ({"nonRoot": "yes"}, "at '/nonRoot': got string, want boolean"),
        ({"image.pullPolicy": "Sometimes"}, "at '/image/pullPolicy': value must be one of"),
        ({"image.digest": "0000"}, "at '/image/digest': '0000' does not match pattern"),
        ({"services.watch": ["web"]}, "at '/services/watch/0': 'web' does not match pattern"),
        ({"services.watch": "lb/web"}, "at '/services/watch': got string, want "),
        ({"leases.services": ["lock"]}, "at '/leases/services/0': 'lock' does not match pattern"),
        ({"kubeVip.daemonsets": ["kube-vip"]}, "at '/kubeVip/daemonsets/0': 'kube-vip' does not match pattern"),
        ({"harvester.configMap": "vip"}, "at '/harvester/configMap'"),
        ({"controlPlane.addresses": ["vip.example.org"]}, "at '/controlPlane/addresses/0'"),
        *(
            ({"controlPlane.addresses": [address]}, f"at '/controlPlane/addresses/0': '{address}' does not match")
            for address in ("1:2:3", "192.0.2", "192.0.2.256", "2001:db8::1::2", "::1/128", "")
        ),
        *(
            ({"listenHost": host}, f"at '/listenHost': '{host}' does not match pattern")
            for host in ("localhost", "2001:db8::1", "$(NODE_NAME)", "192.0.2.1:80", "[$(HOST_IP)", "[192.0.2.1]")
        ),
        ({"image.repository": "a b"}, "at '/image/repository': 'a b' does not match pattern"),
        ({"podMonitor.interval": "15"}, "at '/podMonitor/interval': '15' does not match pattern"),
        ({"podMonitor.interval": "30s1m"}, "at '/podMonitor/interval': '30s1m' does not match pattern"),
        ({"web.existingSecret": "a: b"}, "at '/web/existingSecret': 'a: b' does not match pattern"),
        ({"port": None}, "missing property 'port'"),
        ({"web": None}, "missing property 'web'"),
        ({"services.discover": None}, "at '/services': missing property 'discover'"),
        ({"state.hostPath": "var/lib"}, "at '/state/hostPath': 'var/lib' does not match pattern"),
        ({"extraArgs": ["vip.period=3s"]}, "at '/extraArgs/0': 'vip.period=3s' does not match pattern"),
        ({"podMonitor.interval": 15}, "at '/podMonitor/interval': got number, want string"),
        ({"livenessProbe.httpGet": {}}, "at '/livenessProbe': additional properties 'httpGet' not allowed"),
        (
            {"prometheusRule.severity": {"VIPMoved": "page"}},
            "at '/prometheusRule/severity/VIPMoved': value",
        ),
        ({"runbookURL": "https://wiki.example.org/vip"}, "at '/runbookURL'"),
        ({"commonLabels": {"team": 1}}, "at '/commonLabels/team': got number, want string"),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_by_name(values: Mapping[str, Any], message: str) -> None:
    assert message in refusal(nested(values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {**PODS, **SERVICES},
            "podMonitor.enabled and serviceMonitor.enabled: choose one; both would scrape every pod twice",
        ),
        (
            {"services.watch": ["lb/web"]},
            "services.watch and services.discover: choose one; to watch only those named, set services.discover",
        ),
        ({"services.discover": False}, "services.watch: there is nothing to watch; name Services in it"),
        ({"web.config": {"basic_auth_users": {}}, **SECRET}, "web.config and web.existingSecret: choose one"),
        ({"web.tls": True}, "web.tls: nothing asks for TLS; set web.config or web.existingSecret"),
        ({"web.tlsSecret": "pair"}, "web.tlsSecret: nothing asks for TLS; set web.config or web.existingSecret"),
        ({"web.clientCertificates": True}, "web.clientCertificates: nothing asks for TLS"),
        ({"web.config": {"basic_auth_users": {}}, "web.tls": True}, "web.config tells by itself"),
        (
            {"web.config": {"basic_auth_users": {"a": "b"}}, "web.tlsSecret": "pair"},
            "names no cert_file; add tls_server_config: {cert_file: tls.crt, key_file: tls.key}",
        ),
        ({"web.config": {"tls_server_config": "on"}}, "web.config.tls_server_config: it must be a map, such as {"),
        ({"web.config": {"tls_server_config": ["x"]}}, "web.config.tls_server_config: it must be a map, such as {"),
        (
            {"web.config": {"tls_server_config": {"client_auth_type": 4}}},
            "web.config.tls_server_config.client_auth_type: it must be a text, such as RequireAndVerifyClientCert",
        ),
        *(
            (
                {place: {label: "other"}},
                f"{place}: {label}: the pods are chosen by it; leave it out, or set nameOverride",
            )
            for place in ("commonLabels", "podLabels")
            for label in ("app.kubernetes.io/name", "app.kubernetes.io/instance")
        ),
        *(
            (
                {f"{monitor}.enabled": True, f"{monitor}.interval": "1m", f"{monitor}.scrapeTimeout": "1m0s1ms"},
                f"{monitor}.scrapeTimeout: 1m0s1ms is longer than {monitor}.interval, 1m; ",
            )
            for monitor in ("podMonitor", "serviceMonitor")
        ),
        *(
            (
                {"listenHost": host},
                f"listenHost: neither the kubelet's probes nor Prometheus reach {host}; use $(HOST_IP)",
            )
            for host in ("127.0.0.1", "127.1.2.3", "[::1]", "[0:0:0:0:0:0:0:1]")
        ),
        *(
            ({"extraArgs": [flag]}, f"extraArgs: {flag.partition('=')[0]}: the program would end at once")
            for flag in ("--version", "--help", "--config.check")
        ),
        (
            {**RULE, "prometheusRule.disabled": ["VIPmoved"]},
            "VIPmoved is no alert; there are VIPFlapping, VIPContested",
        ),
        ({**RULE, "prometheusRule.severity": {"Moved": "info"}}, "Moved is no alert; there are VIPFlapping, "),
        ({"config": {"services": "lb/web"}}, "config.services: it must be a map of settings, as services."),
        ({"config": {"web": 5}}, "config.web: it must be a map of settings, as web."),
        ({"extraEnv": [{"name": "NODE_NAME", "value": "node-1"}]}, "extraEnv: NODE_NAME: the chart sets it itself"),
        ({"extraEnv": [{"name": "HOST_IP", "value": "192.0.2.1"}]}, "extraEnv: HOST_IP: the chart sets it itself"),
        ({"extraArgs": ["--no-services.discover"]}, "extraArgs: --services.discover: the chart sets it itself"),
    ],
    ids=str,
)
def test_a_contradiction_is_refused_with_a_remedy(values: Mapping[str, Any], message: str) -> None:
    assert message in refusal(nested(values))


OWN = [
    "config.file",
    "web.listen-address",
    "web.config.file",
    "services.watch",
    "services.discover",
    "lease.services",
    "control-plane.address",
    "control-plane.lease",
    "kube-vip.daemonset",
    "harvester.configmap",
    "observer.name",
    "state.path",
]
"""Settings that follow from values of the chart, and from which rights, ports and mounts follow."""


@pytest.mark.parametrize("key", OWN)
def test_what_the_chart_sets_cannot_be_set_beside_it(key: str) -> None:
    """Nested, dotted, as a flag and as a variable."""
    variable = next(setting.variable for setting in SETTINGS if setting.key == key)
    for values, place in (
        ({"config": nested({key: "x"})}, f"config.{key}"),
        ({"config": {key: "x"}}, f"config.{key}"),
        ({"extraArgs": [f"--{key}=x"]}, f"extraArgs: --{key}"),
        ({"extraArgs": [f"--{key}", "--x"]}, f"extraArgs: --{key}"),
        ({"extraEnv": [{"name": variable, "value": "x"}]}, f"extraEnv: {variable}"),
    ):
        assert f"{place}: the chart sets it itself; " in refusal(values)


@pytest.mark.parametrize("setting", [one for one in SETTINGS if one.key not in OWN], ids=lambda one: one.key)
def test_every_other_setting_can_be_given(setting) -> None:
    found = settings({"config": nested({setting.key: "x"})})
    for key in setting.key.split("."):
        found = found[key]
    assert found == "x"
    assert texts({"extraArgs": [f"{setting.flag}=x"], "extraEnv": [{"name": setting.variable, "value": "x"}]})


# --- what is not there ------------------------------------------------------------------------------------------------

EMPTY = [name for name, value in DOCUMENTED.items() if value.default in ({}, [])]
FILLED = [
    name
    for name, value in DOCUMENTED.items()
    if isinstance(value.default, dict | list) and value.default and name != "updateStrategy"
]


@pytest.mark.parametrize("name", EMPTY)
def test_a_key_with_nothing_but_comments_is_empty(name: str) -> None:
    """YAML reads it as null."""
    _, context = CHANGES[name]
    base = {"controlPlane.addresses": ["192.0.2.10"]} if name == "services.watch" else {}
    assert objects(nested({**context, **base, name: None})) == objects(
        nested({**context, **base, name: DOCUMENTED[name].default})
    )


@pytest.mark.parametrize("name", FILLED)
def test_a_default_can_be_taken_out(name: str) -> None:
    assert all(isinstance(one, dict) for one in objects(nested({name: None})))
    assert texts(nested({name: None})) != texts({})


PROBES = ["startupProbe", "livenessProbe", "readinessProbe"]


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_without_times_has_those_of_kubernetes(name: str) -> None:
    assert container({name: None})[name].keys() == {"httpGet"}


@pytest.mark.parametrize("key", ["services", "web", "capture", "log"])
def test_a_setting_with_nothing_but_comments_is_none(key: str, tmp_path: Path) -> None:
    assert given({"config": {key: None}}, tmp_path).config() == given({}, tmp_path).config()


@pytest.mark.parametrize("timeout", ["15s", "15000ms", "0m15s", "9s", ""])
def test_a_scrape_may_take_as_long_as_the_interval(timeout: str) -> None:
    assert texts(nested({**PODS, "podMonitor.interval": "15s", "podMonitor.scrapeTimeout": timeout}))


def test_without_an_interval_that_of_prometheus_counts() -> None:
    (endpoint,) = only("PodMonitor", nested({**PODS, "podMonitor.interval": ""}))["spec"]["podMetricsEndpoints"]
    assert "interval" not in endpoint


@pytest.mark.parametrize("host", ["", "192.0.2.1", "0.0.0.0", "[2001:db8::1]", "[::]", "$(HOST_IP)", "[$(HOST_IP)]"])
def test_it_can_serve_at_an_address(host: str) -> None:
    assert container({"listenHost": host})["args"][1] == f"--web.listen-address={host}:10150"


@pytest.mark.parametrize(
    "address", ["192.0.2.10", "2001:db8::10", "2001:db8:0:0:0:0:0:10", "2001:0:0:0:0:0:0:10", "::"]
)
def test_a_vip_of_the_control_plane_is_an_address(address: str) -> None:
    assert settings(nested({"controlPlane.addresses": [address]}))["control-plane"]["address"] == [address]


def test_a_great_number_stays_one() -> None:
    """Helm reads numbers as floating point."""
    assert settings(EVERYTHING)["events"] == {"history": 100000}
