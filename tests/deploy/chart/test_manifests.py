"""The manifests for kubectl are what the chart renders, and bring the namespace that the pods need."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from yamllint import linter
from yamllint.config import YamlLintConfig

from deploy.generate import GENERATED, MANIFESTS, documented
from tests.deploy.chart.charts import DEFAULT, HARVESTER, nested, objects, only

VALUES = {"kube-vip.yaml": DEFAULT, "harvester.yaml": HARVESTER}
FILES = sorted(path.name for path in MANIFESTS.iterdir())
OF_HELM = {"helm.sh/chart", "app.kubernetes.io/managed-by"}


def manifest(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((MANIFESTS / name).read_text()))


def without_helm(one: dict[str, Any]) -> dict[str, Any]:
    labels = {name: value for name, value in one["metadata"]["labels"].items() if name not in OF_HELM}
    return one | {"metadata": one["metadata"] | {"labels": labels}}


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_generated_files_are_fresh(path) -> None:
    """`make generate` was run after the last change of the chart."""
    assert path.read_text() == GENERATED[path]()


def test_all_generated_files_are_named() -> None:
    assert {MANIFESTS / name for name in FILES} == {path for path in GENERATED if path.parent == MANIFESTS}


@pytest.mark.parametrize("name", VALUES)
def test_a_manifest_has_what_the_chart_renders(name: str) -> None:
    namespace, *rest = manifest(name)
    assert namespace["kind"] == "Namespace"
    rendered = [without_helm(one) for one in objects(VALUES[name])]
    key = lambda one: (one["kind"], one["metadata"].get("namespace", ""))
    assert sorted(rest, key=key) == sorted(rendered, key=key)


@pytest.mark.parametrize("name", VALUES)
def test_what_an_object_needs_comes_before_it(name: str) -> None:
    kinds = [one["kind"] for one in manifest(name)]
    assert kinds[0] == "Namespace"
    assert kinds[-1] == "DaemonSet"


def test_the_namespace_admits_the_pods() -> None:
    """The node's network and NET_RAW take the level `privileged`."""
    for name in VALUES:
        namespace = manifest(name)[0]
        assert namespace["metadata"]["name"] == "vip-exporter"
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
        others = {one["metadata"].get("namespace") for one in manifest(name)[1:]}
        assert others <= {None, "vip-exporter", "kube-system", "harvester-system"}


def test_the_pod_monitor_is_the_charts() -> None:
    (monitor,) = manifest("podmonitor.yaml")
    assert monitor == without_helm(only("PodMonitor", nested({"podMonitor.enabled": True})))


@pytest.mark.parametrize("name", FILES)
def test_nobody_takes_a_manifest_for_a_release_of_helm(name: str) -> None:
    for one in manifest(name):
        assert not OF_HELM & one["metadata"]["labels"].keys()


@pytest.mark.parametrize("name", FILES)
def test_yamllint_finds_no_fault(name: str) -> None:
    config = YamlLintConfig(
        "{extends: default, rules: {line-length: {max: 120}, document-start: disable,"
        " indentation: {indent-sequences: whatever}}}"
    )
    assert [str(problem) for problem in linter.run((MANIFESTS / name).read_text(), config)] == []


def test_the_readme_has_a_row_for_each_value() -> None:
    text = GENERATED[MANIFESTS.parent / "chart" / "README.md"]()
    rows = [line for line in text.partition("## Values")[2].splitlines() if line.startswith("| `")]
    assert len(rows) == len(list(documented()))
    assert all(line.count("|") - line.count("\\|") == 4 for line in rows)
