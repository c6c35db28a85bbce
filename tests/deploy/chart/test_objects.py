"""What is applied to the cluster: good in every version of Kubernetes, and with no more power than is needed."""

from __future__ import annotations

import re
from functools import cache

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from exporter import __version__
from tests.deploy.chart.charts import (
    DEFAULT,
    EVERYTHING,
    HARVESTER,
    SET_UPS,
    container,
    nested,
    objects,
    of,
    only,
    pod,
    settings,
    texts,
)

VERSIONS = sorted({version.removesuffix("-local-strict").removesuffix("-local") for version in utils.all_versions()})
IMAGE = "ghcr.io/vip-exporter/vip-exporter"
OTHERS = "monitoring.coreos.com/v1"
"""Kinds that Kubernetes has no schema of."""
SERVICE_MONITOR = nested({"podMonitor.enabled": False, "serviceMonitor.enabled": True}, EVERYTHING)
INLINE_TLS = {"tls_server_config": {"cert_file": "tls.crt", "key_file": "tls.key"}}
STRICT_TLS = {
    "tls_server_config": {"client_auth_type": "RequireAndVerifyClientCert", **INLINE_TLS["tls_server_config"]}
}

CLOSED = {**STRICT_TLS, "basic_auth_users": {"prometheus": "hash"}}
OTHER_TLS = STRICT_TLS["tls_server_config"] | {"cert_file": "new.crt", "key_file": "new.key"}


@pytest.fixture(scope="module", autouse=True)
def schemas_are_read_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", cache(utils.schema_contents))
        yield


def test_kubernetes_1_25_and_all_later_versions_are_looked_at() -> None:
    minors = sorted(int(version.split(".")[1]) for version in VERSIONS)
    assert minors == list(range(25, minors[-1] + 1))
    assert minors[-1] >= 37


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_all_objects(version: str) -> None:
    seen = []
    for values in (*SET_UPS.values(), SERVICE_MONITOR):
        for one in objects(values):
            if one["apiVersion"] != OTHERS and one not in seen:
                seen.append(one)
                assert kubernetes_validate.validate(one, version, strict=True) in version
    assert {one["kind"] for one in seen} == {
        *("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
        *("ConfigMap", "Secret", "DaemonSet", "Service", "NetworkPolicy"),
    }


def test_the_schemas_would_find_a_slip() -> None:
    daemonset = only("DaemonSet", DEFAULT)
    daemonset["spec"]["template"]["spec"]["hostNetwrok"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="hostNetwrok"):
        kubernetes_validate.validate(daemonset, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("set_up", SET_UPS)
def test_no_two_objects_have_one_name(set_up: str) -> None:
    names = [
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects(SET_UPS[set_up])
    ]
    assert len(names) == len(set(names))


# --- what the pods may do ---------------------------------------------------------------------------------------------


def test_the_container_has_one_capability_and_nothing_else() -> None:
    assert container(DEFAULT)["securityContext"] == {
        "runAsUser": 0,
        "runAsGroup": 0,
        "runAsNonRoot": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]},
    }
    assert pod(DEFAULT)["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}


def test_without_uid_0_it_has_the_same_rights() -> None:
    values = {"nonRoot": True}
    assert container(values)["securityContext"] == {
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]},
    }
    assert pod(values)["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}, "fsGroup": 65532}
    assert container(values)["image"] == f"{IMAGE}:{__version__}-nonroot"


def test_fields_of_the_security_contexts_can_be_replaced() -> None:
    values = nested({"containerSecurityContext.runAsGroup": 7, "podSecurityContext.seccompProfile.type": "Unconfined"})
    assert container(values)["securityContext"] == container(DEFAULT)["securityContext"] | {"runAsGroup": 7}
    assert pod(values)["securityContext"] == {"seccompProfile": {"type": "Unconfined"}}


@pytest.mark.parametrize("set_up", SET_UPS)
def test_the_pods_share_the_network_of_the_node_and_nothing_more(set_up: str) -> None:
    spec = pod(SET_UPS[set_up])
    assert spec["hostNetwork"] is True
    assert spec["dnsPolicy"] == "ClusterFirstWithHostNet"
    assert not {"hostPID", "hostIPC", "hostUsers", "initContainers", "shareProcessNamespace"} & spec.keys()
    assert "hostPath" not in str(pod(nested({"state.hostPath": ""}, SET_UPS[set_up]))["volumes"])


@pytest.mark.parametrize("set_up", SET_UPS)
def test_what_is_mounted_cannot_be_written_but_the_state(set_up: str) -> None:
    ours = [mount for mount in container(SET_UPS[set_up])["volumeMounts"] if mount["name"] != "more"]
    assert {mount["mountPath"] for mount in ours if not mount.get("readOnly")} == {"/var/lib/vip-exporter"}


def test_only_the_pods_are_given_the_token_of_the_account() -> None:
    account = only("ServiceAccount", DEFAULT)
    assert account["automountServiceAccountToken"] is False
    assert pod(DEFAULT)["automountServiceAccountToken"] is True
    assert pod(DEFAULT)["serviceAccountName"] == account["metadata"]["name"]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"serviceAccount.create": False}, "default"),
        ({"serviceAccount.create": False, "serviceAccount.name": "theirs"}, "theirs"),
        ({"serviceAccount.name": "ours"}, "ours"),
    ],
)
def test_the_account_can_be_another(values, name: str) -> None:
    assert pod(nested(values))["serviceAccountName"] == name
    assert {one["metadata"]["name"] for one in of("ServiceAccount", nested(values))} == (
        {name} if values.get("serviceAccount.create", True) else set()
    )


# --- where they run ---------------------------------------------------------------------------------------------------


def test_they_run_on_every_node_whatever_its_taints() -> None:
    """A toleration without key and effect fits each taint, NoExecute included."""
    assert pod(DEFAULT)["tolerations"] == [{"operator": "Exists"}]
    assert pod(DEFAULT)["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert "affinity" not in pod(DEFAULT)
    assert "priorityClassName" not in pod(DEFAULT)


def test_one_node_at_a_time_is_updated() -> None:
    assert only("DaemonSet", DEFAULT)["spec"]["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 1},
    }


def test_a_change_of_settings_restarts_the_pods() -> None:
    for change in ({"config": {"log": {"level": "debug"}}}, {"kubeVip.daemonsets": []}):
        template = only("DaemonSet", nested(change))["spec"]["template"]
        assert template["metadata"] != only("DaemonSet", DEFAULT)["spec"]["template"]["metadata"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"podMonitor.enabled": True, "prometheusRule.enabled": True, "dashboards.enabled": True}),
        ({"web.config": {"basic_auth_users": {"a": "b"}}}, {"web.config": {"basic_auth_users": {"c": "d"}}}),
        ({"web.config": CLOSED}, {"web.config": CLOSED | {"tls_server_config": OTHER_TLS}}),
    ],
    ids=["monitoring", "users", "certificates"],
)
def test_what_the_program_reads_anew_or_never_restarts_none(before, after) -> None:
    daemonsets = [only("DaemonSet", nested(values)) for values in (before, after)]
    assert daemonsets[0] == daemonsets[1]


@pytest.mark.parametrize(
    "after",
    [
        {"basic_auth_users": CLOSED["basic_auth_users"]},
        {"tls_server_config": CLOSED["tls_server_config"]},
        CLOSED | {"basic_auth_users": {}},
        CLOSED | INLINE_TLS,
        CLOSED | {"tls_server_config": OTHER_TLS | {"client_auth_type": "VerifyClientCertIfGiven"}},
    ],
    ids=["TLS", "users", "all users", "client certificates", "client certificates required"],
)
def test_a_lock_that_is_taken_off_restarts_the_pods(after) -> None:
    """The running program takes none off."""
    annotations = [
        only("DaemonSet", nested({"web.config": config}))["spec"]["template"]["metadata"]["annotations"]
        for config in (CLOSED, after)
    ]
    assert annotations[0].keys() == annotations[1].keys()
    assert annotations[0] != annotations[1]


# --- names and labels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("vip-exporter", {}, "vip-exporter"),
        ("mine", {}, "mine-vip-exporter"),
        ("mine", {"nameOverride": "vips"}, "mine-vips"),
        ("mine", {"fullnameOverride": "vips"}, "vips"),
        ("a" * 53, {}, "a" * 53 + "-vip-expor"),
    ],
)
def test_objects_are_named_after_the_release(release: str, values, name: str) -> None:
    found = only("DaemonSet", values, name=release)
    assert found["metadata"]["name"] == name
    for one in objects(nested({"dashboards.enabled": True, "service.enabled": True, **values}), name=release):
        if one["apiVersion"] != "rbac.authorization.k8s.io/v1":
            assert re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", one["metadata"]["name"])


def test_all_objects_have_the_usual_labels_and_those_added() -> None:
    expected = {
        "helm.sh/chart": f"vip-exporter-{__version__}",
        "app.kubernetes.io/name": "vip-exporter",
        "app.kubernetes.io/instance": "vip-exporter",
        "app.kubernetes.io/version": __version__,
        "app.kubernetes.io/managed-by": "Helm",
        "team": "network",
    }
    for one in [*objects(EVERYTHING), *objects(SERVICE_MONITOR)]:
        assert expected.items() <= one["metadata"]["labels"].items(), one["kind"]


def test_pods_are_chosen_by_labels_that_never_change() -> None:
    """Those of a DaemonSet cannot be changed, so an upgrade must not try to."""
    chosen = {"app.kubernetes.io/name": "vip-exporter", "app.kubernetes.io/instance": "vip-exporter"}
    daemonset = only("DaemonSet", EVERYTHING)
    assert daemonset["spec"]["selector"] == {"matchLabels": chosen}
    labels = daemonset["spec"]["template"]["metadata"]["labels"]
    assert labels == chosen | {"team": "network", "tier": "infrastructure"}
    assert only("Service", EVERYTHING)["spec"]["selector"] == chosen
    assert only("NetworkPolicy", EVERYTHING)["spec"]["podSelector"] == {"matchLabels": chosen}
    assert only("PodMonitor", EVERYTHING)["spec"]["selector"] == {"matchLabels": chosen}
    assert only("ServiceMonitor", SERVICE_MONITOR)["spec"]["selector"] == {"matchLabels": chosen}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("ServiceAccount", {}),
        ("PodMonitor", {"podMonitor.enabled": True, "podMonitor.additionalLabels": {"team": "specific"}}),
        ("ServiceMonitor", {"serviceMonitor.enabled": True, "serviceMonitor.additionalLabels": {"team": "specific"}}),
        ("PrometheusRule", {"prometheusRule.enabled": True, "prometheusRule.additionalLabels": {"team": "specific"}}),
    ],
)
def test_of_labels_with_one_key_the_more_specific_counts(kind: str, values) -> None:
    common = {"team": "common", "app.kubernetes.io/version": "9"}
    labels = only(kind, nested({"commonLabels": common, **values}))["metadata"]["labels"]
    assert labels["team"] == ("specific" if values else "common")
    assert labels["app.kubernetes.io/version"] == "9"


def test_the_dashboards_label_counts_before_a_common_one() -> None:
    values = nested({"dashboards.enabled": True, "commonLabels": {"grafana_dashboard": "0"}})
    found = [one for one in of("ConfigMap", values) if "config.yaml" not in one["data"]]
    assert {one["metadata"]["labels"]["grafana_dashboard"] for one in found} == {"1"}


def test_labels_and_annotations_of_pods_count_before_others() -> None:
    values = nested(
        {
            "commonLabels": {"team": "common", "app.kubernetes.io/name": "vip-exporter"},
            "podLabels": {"team": ""},
            "podAnnotations": {"kubectl.kubernetes.io/default-container": "other"},
        }
    )
    metadata = only("DaemonSet", values)["spec"]["template"]["metadata"]
    assert metadata["labels"]["team"] == ""
    assert metadata["annotations"]["kubectl.kubernetes.io/default-container"] == "other"
    assert metadata["annotations"].keys() == {"checksum/config", "kubectl.kubernetes.io/default-container"}


@pytest.mark.parametrize("set_up", [*SET_UPS, "colliding"])
def test_no_key_stands_twice(set_up: str) -> None:
    """Of which most readers would take the last, and some none."""
    twice = {"app.kubernetes.io/version": "9", "helm.sh/chart": "x", "release": "x", "grafana_dashboard": "x"}
    colliding = nested(
        {
            "commonLabels": twice,
            "podLabels": twice,
            "podAnnotations": {"checksum/config": "x", "checksum/locks": "x"},
            "podMonitor.additionalLabels": twice,
            "prometheusRule.additionalLabels": twice,
        },
        EVERYTHING,
    )
    for template, text in texts({**SET_UPS, "colliding": colliding}[set_up]).items():
        if template != "NOTES.txt":
            for document in yaml.compose_all(text, yaml.CSafeLoader):
                assert doubled(document) == [], template


def doubled(node: yaml.Node | None) -> list[str]:
    """Keys that stand twice in one map."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        here = [key for key in keys if keys.count(key) > 1]
        return here + [key for _, value in node.value for key in doubled(value)]
    return [key for item in node.value for key in doubled(item)] if isinstance(node, yaml.SequenceNode) else []


ODD = nested(
    {
        "nonRoot": False,
        "services.watch": ["lb/no", "2024/1e3"],
        "leases.services": ["on/0x1f"],
        "leases.additional": [],
        "harvester.configMap": "15/12",
        "state.hostPath": "/data/vip of the " + "very " * 20 + "long name #1: here",
        "priorityClassName": "1e3",
        "serviceAccount.name": "0o17",
        "imagePullSecrets": [{"name": "12"}],
        "web.config": {},
        "web.tlsSecret": "12",
        "web.existingSecret": "on",
        "web.tls": True,
        "podMonitor.job": "a: b " + "c " * 50 + "#",
        "dashboards.namespace": "2024",
        "dashboards.label": "yes",
        "dashboards.labelValue": "no",
        "commonLabels": {"on": "off", "1": "2"},
    },
    EVERYTHING,
)
"""Names that YAML could take for numbers, switches or comments."""


@pytest.mark.parametrize("name", ["123", "on"])
def test_a_name_stays_a_name(name: str) -> None:
    values = ODD | {"fullnameOverride": name}
    release = {"name": "2024", "namespace": "2024"}
    for one in objects(values, **release):
        metadata = one["metadata"]
        labels = metadata["labels"]
        names = (metadata["name"], metadata.get("namespace", ""), *labels, *labels.values())
        assert all(isinstance(each, str) for each in names), one["kind"]
        assert labels["app.kubernetes.io/instance"] == "2024"
        if one["apiVersion"] != OTHERS:
            assert kubernetes_validate.validate(one, VERSIONS[-1], strict=True) in VERSIONS[-1]
    daemonset = only("DaemonSet", values, **release)
    spec = daemonset["spec"]["template"]["spec"]
    assert (daemonset["metadata"]["name"], daemonset["metadata"]["namespace"]) == (name, "2024")
    assert (spec["priorityClassName"], spec["serviceAccountName"], spec["imagePullSecrets"]) == (
        *("1e3", "0o17"),
        [{"name": "12"}],
    )
    volumes = {one["name"]: one for one in spec["volumes"]}
    assert volumes["state"]["hostPath"]["path"] == ODD["state"]["hostPath"]
    assert volumes["web"]["projected"]["sources"] == [{"secret": {"name": "on"}}, {"secret": {"name": "12"}}]
    permitted = {
        (role["metadata"]["namespace"], named)
        for role in of("Role", values, **release)
        for rule in role["rules"]
        for named in rule["resourceNames"]
    }
    assert permitted >= {("lb", "no"), ("2024", "1e3"), ("on", "0x1f"), ("15", "12"), ("lb", "kubevip-no")}
    assert settings(values, **release)["services"] == {"watch": ["lb/no", "2024/1e3"]}
    monitor = only("PodMonitor", values, **release)
    assert monitor["spec"]["podMetricsEndpoints"][0]["relabelings"][0]["replacement"] == ODD["podMonitor"]["job"]
    board = next(one for one in of("ConfigMap", values, **release) if "config.yaml" not in one["data"])
    assert board["metadata"]["labels"].items() >= {"yes": "no", "on": "off", "1": "2"}.items()


def test_a_service_monitor_takes_odd_names_too() -> None:
    values = nested({"podMonitor.enabled": False, "serviceMonitor.enabled": True, "serviceMonitor.job": "on"}, ODD)
    monitor = only("ServiceMonitor", values, name="2024", namespace="2024")
    assert monitor["spec"]["endpoints"][0]["relabelings"][0]["replacement"] == "on"
    assert monitor["metadata"]["namespace"] == "2024"


def test_another_namespace_holds_for_all_that_is_ours() -> None:
    values = nested({"namespaceOverride": "other"}, EVERYTHING)
    namespaces = {(one["kind"], one["metadata"].get("namespace")) for one in objects(values)}
    elsewhere = {"Role", "RoleBinding"}
    ours = {namespace for kind, namespace in namespaces if kind not in elsewhere and namespace is not None}
    assert ours == {"other", "cattle-dashboards"}
    assert "vip-exporter" not in {namespace for _, namespace in namespaces}
    assert "-n other exec" in texts(values)["NOTES.txt"]


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, f"{IMAGE}:{__version__}"),
        ({"image.tag": "9.9.9", "nonRoot": True}, f"{IMAGE}:9.9.9-nonroot"),
        ({"image.registry": "", "image.repository": "vips"}, f"vips:{__version__}"),
        ({"image.registry": "192.0.2.1:5000/"}, f"192.0.2.1:5000/vip-exporter/vip-exporter:{__version__}"),
        ({"image.registry": "", "image.repository": "12", "image.tag": "34"}, "12:34"),
        ({"image.digest": "sha256:" + "0" * 64}, f"{IMAGE}:{__version__}@sha256:" + "0" * 64),
    ],
)
def test_the_image_can_come_from_elsewhere(values, image: str) -> None:
    assert container(nested(values))["image"] == image


# --- probes and the front door ----------------------------------------------------------------------------------------

PROBES = {"startupProbe": "/-/healthy", "livenessProbe": "/-/healthy", "readinessProbe": "/-/ready"}


@pytest.mark.parametrize(
    ("values", "scheme"),
    [
        ({}, "HTTP"),
        ({"web.config": {"basic_auth_users": {}}}, "HTTP"),
        ({"web.config": INLINE_TLS}, "HTTPS"),
        ({"web.existingSecret": "door"}, "HTTP"),
        ({"web.existingSecret": "door", "web.tls": True}, "HTTPS"),
    ],
)
@pytest.mark.parametrize("probe", PROBES)
def test_probes_ask_what_needs_neither_password_nor_api_server(probe: str, values, scheme: str) -> None:
    found = container(nested(values))[probe]
    assert found["httpGet"] == {"path": PROBES[probe], "port": "metrics", "scheme": scheme}
    assert "tcpSocket" not in found


@pytest.mark.parametrize(
    "values", [{"web.config": STRICT_TLS}, {"web.existingSecret": "door", "web.clientCertificates": True}], ids=str
)
@pytest.mark.parametrize("probe", PROBES)
def test_probes_only_connect_where_client_certificates_are_required(probe: str, values) -> None:
    found = container(nested(values))[probe]
    assert found["tcpSocket"] == {"port": "metrics"}
    assert "httpGet" not in found


def test_the_port_is_the_same_everywhere() -> None:
    values = nested({"port": 9999}, SERVICE_MONITOR)
    assert container(values)["args"][:2] == ["run", "--web.listen-address=$(HOST_IP):9999"]
    assert container(values)["ports"] == [{"name": "metrics", "containerPort": 9999, "protocol": "TCP"}]
    (port,) = only("Service", values)["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (9999, "metrics")
    assert ":9999/" in texts(values)["NOTES.txt"]


def test_the_front_door_is_mounted_where_the_settings_say() -> None:
    values = nested({"web.existingSecret": "door", "web.tlsSecret": "pair"})
    (volume,) = (one for one in pod(values)["volumes"] if one["name"] == "web")
    assert volume["projected"] == {
        "defaultMode": 0o440,
        "sources": [{"secret": {"name": "door"}}, {"secret": {"name": "pair"}}],
    }
    (mount,) = (one for one in container(values)["volumeMounts"] if one["name"] == "web")
    assert settings(values)["web"]["config"]["file"] == f"{mount['mountPath']}/web.yaml"
    assert of("Secret", values) == []


def test_a_front_door_in_the_values_is_kept_in_a_secret() -> None:
    secret = only("Secret", EVERYTHING)
    assert secret["stringData"].keys() == {"web.yaml"}
    (volume,) = (one for one in pod(EVERYTHING)["volumes"] if one["name"] == "web")
    assert {"secret": {"name": secret["metadata"]["name"]}} in volume["projected"]["sources"]
    assert "$2y$10$" not in str([one for one in objects(EVERYTHING) if one["kind"] != "Secret"])


def test_without_a_front_door_there_is_no_trace_of_one() -> None:
    assert "web" not in settings(DEFAULT)
    assert {one["name"] for one in pod(DEFAULT)["volumes"]} == {"config", "state"}


# --- state ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "volume"),
    [
        ({}, {"emptyDir": {}}),
        ({"state.hostPath": "/srv/vips"}, {"hostPath": {"path": "/srv/vips", "type": "DirectoryOrCreate"}}),
        (
            {"state.hostPath": "/srv/vips", "nonRoot": True},
            {"hostPath": {"path": "/srv/vips", "type": "Directory"}},
        ),
    ],
    ids=str,
)
def test_the_state_is_kept_in_a_volume(values, volume) -> None:
    (found,) = (one for one in pod(nested(values))["volumes"] if one["name"] == "state")
    assert found == {"name": "state", **volume}
    (mount,) = (one for one in container(nested(values))["volumeMounts"] if one["name"] == "state")
    assert settings(nested(values))["state"] == {"path": f"{mount['mountPath']}/state.db"}


def test_no_state_needs_no_volume() -> None:
    values = nested({"state.enabled": False})
    assert "state" not in settings(values)
    assert {one["name"] for one in pod(values)["volumes"]} == {"config"}


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_a_network_policy_lets_in_who_is_named_and_only_to_the_port() -> None:
    spec = only("NetworkPolicy", EVERYTHING)["spec"]
    assert spec["policyTypes"] == ["Ingress"]
    assert spec["ingress"] == [
        {"ports": [{"port": "metrics", "protocol": "TCP"}], "from": EVERYTHING["networkPolicy"]["from"]}
    ]


def test_by_default_nothing_is_made_that_others_must_provide_for() -> None:
    """Neither resources of prometheus-operator nor a namespace of somebody else's but kube-system."""
    for values in (DEFAULT, HARVESTER):
        assert {one["kind"] for one in objects(values)} == {
            *("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ConfigMap", "DaemonSet")
        }
    namespaces = {one["metadata"].get("namespace") for one in objects(DEFAULT)}
    assert namespaces == {None, "vip-exporter", "kube-system"}
