"""The chart as a whole: Helm finds no fault, what it is made of is there, and an archive of it does the same."""

from __future__ import annotations

import re

import pytest
import yaml
from helm_python import Chart, lint, package

from deploy.generate import CHART, documented
from exporter import __version__
from tests.deploy.chart.charts import ROOT, SET_UPS, chart, texts

DOCUMENTS = [CHART / "README.md", CHART / "values.yaml", CHART / "values-harvester.yaml", CHART / "Chart.yaml"]


@pytest.mark.parametrize("set_up", SET_UPS)
@pytest.mark.parametrize("kubernetes", ["v1.25.0", "v1.37.0"])
def test_helm_finds_no_fault(set_up: str, kubernetes: str) -> None:
    report = lint(CHART, SET_UPS[set_up], strict=True, namespace="vip-exporter", kube_version=kubernetes)
    assert report == {"total_charts_linted": 1, "messages": [], "errors": []}


def test_chart_and_program_have_the_same_version() -> None:
    metadata = chart().metadata
    assert metadata["version"] == metadata["appVersion"] == __version__


def test_it_says_which_kubernetes_it_needs() -> None:
    assert chart().metadata["kubeVersion"] == ">=1.25.0-0"


def test_its_icon_is_where_it_says() -> None:
    prefix = "https://raw.githubusercontent.com/vip-exporter/vip-exporter/main/"
    icon = chart().metadata["icon"]
    assert icon.startswith(prefix)
    assert (ROOT / icon.removeprefix(prefix)).read_text().startswith("<svg ")


@pytest.mark.parametrize("set_up", SET_UPS)
def test_an_archive_of_it_renders_the_same(set_up: str, tmp_path) -> None:
    """Rules and dashboards are links to those of the project, which an archive must not be."""
    with Chart.load(package(CHART, destination=tmp_path)) as archived:
        rendered = archived.render(SET_UPS[set_up], name="vip-exporter", namespace="vip-exporter")
        assert {path.rpartition("/")[2]: text for path, text in rendered.items()} == texts(SET_UPS[set_up])
        names = {each["name"] for each in archived.files}
    assert names == {
        ".helmignore",
        "README.md",
        "values-harvester.yaml",
        "files/rules.yaml",
        "files/vip-detail.json",
        "files/vip-overview.json",
    }


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_it_refers_to_is_there(path) -> None:
    """Pages of the project, by link or by name, files of the chart, and values."""
    text = path.read_text()
    linked = re.findall(r"github\.com/vip-exporter/vip-exporter/(?:blob|tree)/main/([\w/.-]+)", text)
    raw = re.findall(r"vip-exporter/vip-exporter/v[\d.]+/([\w/.-]+)", text)
    quoted = re.findall(r"\bdocs/[\w-]+\.md\b", text)
    assert [name for name in {*linked, *raw, *quoted} if not (ROOT / name).exists()] == []
    values = {".".join(value.path) for value in documented()}
    free = (
        *("config.", "containerSecurityContext."),
        *("podMonitor.additionalLabels.", "prometheusRule.additionalLabels.", "prometheusRule.severity."),
    )
    groups = {name.split(".")[0] for name in values if "." in name}
    for name in re.findall(r"[a-zA-Z]+(?:\.[a-zA-Z]+)+(?==)", text):
        assert name in values or name.startswith(free), name
    for name in re.findall(r"`([a-z][a-zA-Z]+\.[a-zA-Z.]+)`", text):
        if name.split(".")[0] in groups and not name.endswith(".yaml"):
            assert name in values or name.startswith(free), name


def test_examples_in_its_readme_are_good_values() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", (CHART / "README.md").read_text(), re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        assert texts(yaml.safe_load(example))


def test_the_notes_tell_how_to_ask() -> None:
    notes = texts({}, namespace="elsewhere")["NOTES.txt"]
    assert "kubectl -n elsewhere exec daemonset/vip-exporter -- vip-exporter who" in notes
    assert "kubectl -n elsewhere port-forward daemonset/vip-exporter 10150" in notes
    assert "pod-security.kubernetes.io/enforce=privileged" in notes
