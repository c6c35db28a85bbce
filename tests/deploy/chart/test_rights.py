"""The account of the pods may read what the program asks for with the settings that it is given, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.cluster.client import Client
from exporter.cluster.errors import ClusterError, Reason
from exporter.cluster.target import API_ROOTS, Target
from exporter.cluster.watch import ClusterWatcher
from exporter.config import Config
from exporter.inputs import interests
from exporter.lab.kubeapi import Rule
from tests.cluster.conftest import FAST, Cluster, cluster, eventually, service
from tests.deploy.chart.charts import DEFAULT, HARVESTER, ROOT, Object, container, nested, objects, of, pod
from tests.deploy.chart.program import given

__all__ = ["cluster"]

CALM = replace(FAST, answer=2.0, connect=2.0, quiet=60.0, backoff_first=5.0, backoff_most=5.0)
MANY = [f"lb/web-{number}" for number in range(21)]
SET_UPS = {
    "default": DEFAULT,
    "harvester": HARVESTER,
    "named": nested(
        {
            "services.discover": False,
            "services.watch": ["lb/web", "edge/mail"],
            "leases.additional": ["edge/shared"],
            "controlPlane.addresses": ["192.0.2.10"],
        }
    ),
    "discovery with a control plane": nested({"controlPlane.addresses": ["192.0.2.10"]}),
}
SERVICES = {
    "default": ["lb/web"],
    "harvester": ["kube-system/ingress-expose", "kube-system/rke2-traefik"],
    "named": ["lb/web", "edge/mail"],
    "discovery with a control plane": ["lb/web"],
}
"""Those that there are."""
READ = {set_up: [one for one in API_ROOTS if one != "configmaps" or set_up == "harvester"] for set_up in SET_UPS}
"""The kinds of objects that each has to do with."""


def roles_of_the_account(values: dict[str, Any], **release: str) -> list[tuple[str, Object]]:
    """What is bound to the account that the pods run as: namespace (empty: all) and role."""
    release = {"name": "vip-exporter", "namespace": "vip-exporter", **release}
    account = {
        "kind": "ServiceAccount",
        "name": pod(values, **release)["serviceAccountName"],
        "namespace": release["namespace"],
    }
    made = objects(values, **release)
    roles = {
        (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one
        for one in made
        if one["kind"] in {"Role", "ClusterRole"}
    }
    bound = []
    for one in made:
        if one["kind"] in {"RoleBinding", "ClusterRoleBinding"}:
            assert one["subjects"] == [account]
            assert one["roleRef"]["apiGroup"] == "rbac.authorization.k8s.io"
            namespace = one["metadata"].get("namespace", "")
            bound.append((namespace, roles.pop((one["roleRef"]["kind"], namespace, one["roleRef"]["name"]))))
    assert roles == {}, "a role that nobody has"
    return bound


def permissions(bound: list[tuple[str, Object]]) -> list[Rule]:
    """One for each object (or all of a kind) and verb."""
    return [
        Rule(resource, (verb,), namespace, (name,) if name else ())
        for namespace, role in bound
        for rule in role["rules"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    ]


@cache
def rights(set_up: str) -> list[Rule]:
    return permissions(roles_of_the_account(SET_UPS[set_up]))


def populate(cluster: Cluster, set_up: str) -> None:
    """The Services that there are, each with an address and one with a Lease of its own choice."""
    for number, ref in enumerate(SERVICES[set_up]):
        namespace, _, name = ref.partition("/")
        there = service(name, ip=f"192.0.2.{100 + number}")
        there["metadata"]["namespace"] = namespace
        if ref == "edge/mail":
            there["metadata"]["annotations"]["kube-vip.io/leaseName"] = "edge/shared"
        cluster.api.apply("services", there)


def config_of(set_up: str, folder: Path) -> Config:
    return given(SET_UPS[set_up], folder).config()


# --- with the program's own watcher, against an API server that knows RBAC --------------------------------------------


@pytest.mark.parametrize("set_up", SET_UPS)
def test_the_rights_are_enough(cluster: Cluster, set_up: str, tmp_path: Path) -> None:
    populate(cluster, set_up)
    cluster.api.rules = list(rights(set_up))
    watcher = cluster.watch(interests=interests(config_of(set_up, tmp_path)), timing=CALM)
    eventually(lambda: watcher.status().ready, within=20)
    eventually(lambda: cluster.api.open_watches.total() == len(watcher.status().targets), within=20)
    eventually(lambda: watcher.status().up, within=20)
    assert not any(watcher.status().errors[resource, Reason.FORBIDDEN] for resource in API_ROOTS)
    assert {one.resource for one in watcher.status().targets} == set(READ[set_up])


@pytest.mark.parametrize("verb", ["list", "watch"])
@pytest.mark.parametrize(
    ("set_up", "resource"),
    [(set_up, resource) for set_up in ("default", "harvester", "named") for resource in READ[set_up]],
)
def test_none_of_them_can_be_left_out(cluster: Cluster, set_up: str, resource: str, verb: str, tmp_path: Path) -> None:
    """Without one verb on one kind of object, everything of the kind that is permitted is found to be forbidden."""
    populate(cluster, set_up)
    without = [rule for rule in rights(set_up) if (rule.resource, rule.verbs) == (resource, (verb,))]
    cluster.api.rules = [rule for rule in rights(set_up) if rule not in without]
    watcher = cluster.watch(interests=interests(config_of(set_up, tmp_path)), timing=CALM)
    permitted = {str(Target(rule.resource, rule.namespace, "".join(rule.names))) for rule in without}
    assert permitted
    if set_up == "default" and resource == "leases":
        # All of them, of which it asks for one after the other.
        eventually(lambda: watcher.status().errors[resource, Reason.FORBIDDEN], within=20)
        return
    eventually(lambda: permitted == forbidden(watcher, resource), within=20)


def forbidden(watcher: ClusterWatcher, resource: str) -> set[str]:
    """What of a kind it was refused."""
    return {
        one.object
        for one in watcher.status().targets
        if one.resource == resource and one.reason == Reason.FORBIDDEN.value
    }


@pytest.mark.parametrize("set_up", SET_UPS)
def test_anything_else_is_refused(cluster: Cluster, set_up: str) -> None:
    assert_refused(
        cluster,
        set_up,
        Target("configmaps"),
        Target("configmaps", "vip-exporter"),
        Target("configmaps", "harvester-system"),
        Target("configmaps", "harvester-system", "passwords"),
        Target("configmaps", "kube-system", "vip"),
        Target("daemonsets"),
        Target("daemonsets", "kube-system"),
        Target("daemonsets", "kube-system", "canal"),
    )


@pytest.mark.parametrize("set_up", ["harvester", "named"])
def test_services_that_are_named_permit_no_others(cluster: Cluster, set_up: str) -> None:
    assert_refused(
        cluster,
        set_up,
        Target("services"),
        Target("services", "kube-system"),
        Target("services", "lb"),
        Target("services", "kube-system", "kubernetes"),
        Target("leases"),
        Target("leases", "kube-system", "kube-scheduler"),
        Target("leases", "harvester-system"),
        Target("leases", "edge", "kubevip-web"),
    )


def assert_refused(cluster: Cluster, set_up: str, *targets: Target) -> None:
    cluster.api.rules = list(rights(set_up))
    client = Client(kubeconfig=str(cluster.kubeconfig))
    for target in targets:
        with pytest.raises(ClusterError) as raised:
            client.list(target).read()
        assert raised.value.reason is Reason.FORBIDDEN, target


# --- as they are written ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("set_up", SET_UPS)
def test_nothing_but_reading_is_permitted(set_up: str) -> None:
    for _, role in roles_of_the_account(SET_UPS[set_up]):
        for rule in role["rules"]:
            assert rule.keys() <= {"apiGroups", "resources", "resourceNames", "verbs"}
            assert rule["verbs"] == ["list", "watch"]
            (group,) = rule["apiGroups"]
            root = f"/apis/{group}/v1" if group else "/api/v1"
            assert {API_ROOTS[resource] for resource in rule["resources"]} == {root}
            assert "resourceNames" in rule or role["kind"] == "ClusterRole"


DOCUMENTED = {
    "named": nested(
        {
            "services.discover": False,
            "services.watch": ["kube-system/ingress-expose", "kube-system/rke2-traefik"],
            "leases.services": ["harvester-system/plndr-svcs-lock", "kube-system/plndr-svcs-lock"],
            "controlPlane.addresses": ["192.0.2.10"],
            "kubeVip.daemonsets": ["harvester-system/kube-vip", "kube-system/kube-vip-ds", "kube-system/kube-vip"],
            "harvester.configMap": "harvester-system/vip",
        }
    ),
    "discovery": nested(
        {
            "kubeVip.daemonsets": ["harvester-system/kube-vip", "kube-system/kube-vip-ds", "kube-system/kube-vip"],
            "harvester.configMap": "harvester-system/vip",
        }
    ),
}
"""The program's own defaults, and those with discovery, as values."""


@pytest.mark.parametrize("set_up", DOCUMENTED)
def test_the_roles_are_those_of_the_documentation(set_up: str) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "rbac.md").read_text(), re.DOTALL)
    page = dict(zip(("named", "discovery"), (list(yaml.safe_load_all(block)) for block in blocks), strict=True))
    documented = [(role["metadata"].get("namespace", ""), role) for role in page[set_up]]
    assert set(permissions(roles_of_the_account(DOCUMENTED[set_up]))) == set(permissions(documented))


@pytest.mark.parametrize("namespace", ["vip-exporter", "monitoring"])
@pytest.mark.parametrize("account", [{}, {"serviceAccount.name": "other"}, {"serviceAccount.create": False}], ids=str)
def test_the_account_of_the_pods_is_the_one_that_is_bound(namespace: str, account: dict[str, Any]) -> None:
    bound = roles_of_the_account(nested(account), name="mine", namespace=namespace)
    assert {where for where, _ in bound} == {"", "kube-system"}


def test_releases_of_one_name_in_two_namespaces_have_roles_of_their_own() -> None:
    """Those that stand outside of a namespace, or in one of somebody else's, would be the same object."""
    kinds = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
    for values in (HARVESTER, nested({"fullnameOverride": "vips"})):
        names = [
            {
                (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
                for one in objects(values, namespace=namespace)
                if one["kind"] in kinds
            }
            for namespace in ("vip-exporter", "monitoring")
        ]
        assert not names[0] & names[1]
        assert {(kind, where) for kind, where, _ in names[0]} == {(kind, where) for kind, where, _ in names[1]}


def test_the_usual_release_has_roles_of_its_name() -> None:
    assert {role["metadata"]["name"] for role in of("ClusterRole", DEFAULT)} == {"vip-exporter"}
    elsewhere = of("ClusterRole", DEFAULT, namespace="monitoring")
    assert {role["metadata"]["name"] for role in elsewhere} == {"vip-exporter:monitoring"}


def test_outside_of_harvester_nothing_of_it_is_needed() -> None:
    """A Role in a namespace that is not there would fail the installation."""
    for set_up in ("default", "named"):
        assert "harvester-system" not in {namespace for namespace, _ in roles_of_the_account(SET_UPS[set_up])}


@pytest.mark.parametrize("more", [{"services.watch": MANY}, {"leases.additional": [f"lb/l-{n}" for n in range(20)]}])
def test_more_than_twenty_leases_are_listed_at_once(more: dict[str, Any]) -> None:
    """As the program does; it then has the right to all."""
    values = nested({"services.discover": False, "services.watch": ["lb/web"], **more})
    (role,) = of("ClusterRole", values)
    assert {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["list", "watch"]} in role["rules"]


def test_up_to_twenty_are_permitted_by_name() -> None:
    values = nested({"services.discover": False, "services.watch": MANY[:20]})
    (role,) = of("ClusterRole", values)
    assert role["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]}]


def test_the_rights_for_twenty_one_leases_are_enough(cluster: Cluster, tmp_path: Path) -> None:
    values = nested({"services.discover": False, "services.watch": MANY})
    for number, ref in enumerate(MANY):
        namespace, _, name = ref.partition("/")
        there = service(name, ip=f"192.0.2.{100 + number}")
        there["metadata"]["namespace"] = namespace
        cluster.api.apply("services", there)
    cluster.api.rules = permissions(roles_of_the_account(values))
    watcher = cluster.watch(interests=interests(given(values, tmp_path).config()), timing=CALM)
    eventually(lambda: any(str(one.object) == "leases" and one.up for one in watcher.status().targets), within=20)
    eventually(lambda: watcher.status().ready and watcher.status().up, within=20)
    assert not any(watcher.status().errors[resource, Reason.FORBIDDEN] for resource in API_ROOTS)


def test_without_rbac_no_role_is_made() -> None:
    kinds = {one["kind"] for one in objects({"rbac": {"create": False}})}
    assert kinds == {"ServiceAccount", "ConfigMap", "DaemonSet"}
    assert container({"rbac": {"create": False}}) == container(DEFAULT)
