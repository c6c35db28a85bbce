"""docs/rbac.md grants what the watcher needs, nothing more; and nothing in the program could use more."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.cluster import client as client_module
from exporter.cluster.client import Client
from exporter.cluster.errors import ClusterError, Reason
from exporter.cluster.interests import Interests
from exporter.cluster.target import API_ROOTS, Target
from exporter.lab.kubeapi import Rule
from tests.cluster.conftest import FAST, Cluster, eventually, service

ROOT = Path(__file__).parents[2]
NAMED = Interests(control_plane_addresses=(ip_address("10.0.0.9"),))
SET_UPS = {"named": NAMED, "discovery": replace(NAMED, discover=True)}
CALM = replace(FAST, answer=2.0, connect=2.0, backoff_first=5.0, backoff_most=5.0)


def roles(set_up: str) -> list[dict[str, Any]]:
    """The roles that the page gives for a set-up."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "rbac.md").read_text(), re.DOTALL)
    named, discovery = (list(yaml.safe_load_all(block)) for block in blocks)
    return {"named": named, "discovery": discovery}[set_up]


def permissions(set_up: str) -> list[Rule]:
    """One rule for each object (or all of a kind) and verb."""
    return [
        Rule(resource, (verb,), role["metadata"].get("namespace", ""), (name,) if name else ())
        for role in roles(set_up)
        for rule in role["rules"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    ]


@pytest.mark.parametrize("set_up", SET_UPS)
def test_roles_name_real_resources_and_read_only(set_up: str) -> None:
    for role in roles(set_up):
        assert role["apiVersion"] == "rbac.authorization.k8s.io/v1"
        assert role["kind"] == ("Role" if "namespace" in role["metadata"] else "ClusterRole")
        for rule in role["rules"]:
            assert set(rule["verbs"]) <= {"get", "list", "watch"}
            (group,) = rule["apiGroups"]
            root = f"/apis/{group}/v1" if group else "/api/v1"
            assert {API_ROOTS[resource] for resource in rule["resources"]} == {root}
            assert "resourceNames" in rule or role["kind"] == "ClusterRole"


@pytest.mark.parametrize("set_up", SET_UPS)
def test_documented_rules_are_enough(cluster: Cluster, set_up: str) -> None:
    cluster.api.apply("services", service("rke2-traefik", ip="10.0.0.6"))
    cluster.api.rules = permissions(set_up)
    watcher = cluster.watch(interests=SET_UPS[set_up], timing=CALM)
    eventually(lambda: watcher.status().ready)
    eventually(lambda: cluster.api.open_watches.total() == len(watcher.status().targets))
    assert watcher.status().up
    assert all(one.listed for one in watcher.status().targets)
    assert not any(watcher.status().errors.values())


@pytest.mark.parametrize(
    ("set_up", "rule"), [(set_up, rule) for set_up in SET_UPS for rule in permissions(set_up)], ids=str
)
def test_none_of_the_documented_rules_can_be_left_out(cluster: Cluster, set_up: str, rule: Rule) -> None:
    cluster.api.apply("services", service("rke2-traefik", ip="10.0.0.6"))
    cluster.api.rules = [other for other in permissions(set_up) if other != rule]
    watcher = cluster.watch(interests=SET_UPS[set_up], timing=CALM)
    eventually(lambda: watcher.status().errors[rule.resource, Reason.FORBIDDEN])


@pytest.mark.parametrize(
    "target",
    [
        Target("services"),
        Target("services", "kube-system"),
        Target("services", "kube-system", "kubernetes"),
        Target("services", "default", "ingress-expose"),
        Target("leases"),
        Target("leases", "kube-system", "kube-scheduler"),
        Target("leases", "harvester-system"),
        Target("configmaps"),
        Target("configmaps", "harvester-system"),
        Target("configmaps", "harvester-system", "passwords"),
        Target("configmaps", "kube-system", "vip"),
        Target("daemonsets"),
        Target("daemonsets", "kube-system", "canal"),
    ],
    ids=lambda target: f"{target.resource} {target}",
)
def test_anything_else_is_refused(cluster: Cluster, target: Target) -> None:
    cluster.api.rules = permissions("named")
    with pytest.raises(ClusterError) as raised:
        Client(kubeconfig=str(cluster.kubeconfig)).list(target).read()
    assert raised.value.reason is Reason.FORBIDDEN


def test_no_method_but_get_can_be_sent() -> None:
    """The one module that imports the Kubernetes library hands it one method; no other module sends requests to it."""
    modules = {path: path.read_text() for path in (ROOT / "exporter" / "cluster").glob("*.py")}
    client = Path(client_module.__file__)
    assert modules[client].count("param_serialize(") == modules[client].count('"GET"') == 1
    for path, text in modules.items():
        assert not re.search(r"""["'](POST|PUT|PATCH|DELETE)["']""", text), path
        assert not re.search(r"\b(create|replace|patch|delete|connect)_(namespaced|cluster|node)", text), path
        assert path == client or not re.search(
            r"^\s*(from|import) (kubernetes|urllib3|http|socket)\b", text, re.MULTILINE
        )
