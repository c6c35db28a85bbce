"""The chart as a whole: Helm finds no fault, what it is made of is there, and an archive of it does the same."""

from __future__ import annotations

import re
import shutil

import pytest
import yaml
from helm_python import Chart, HelmError, lint, package, parse_set_json, parse_set_string

from deploy.generate import CHART, COPIED, documented
from exporter import __version__
from tests.deploy.chart.charts import DASHBOARDS, ROOT, SET_UPS, chart, nested, only, texts

DOCS = ROOT / "docs"
DOCUMENTS = [CHART / "README.md", CHART / "values.yaml", CHART / "values-harvester.yaml", CHART / "Chart.yaml"]
PAGES = [CHART / "README.md", CHART / "values-harvester.yaml", DOCS / "install.md", DOCS / "monitoring.md"]
"""Those that tell what to set."""
SET = re.compile(r"""--set(?P<json>-json)? (?:'(?P<quoted>[^']+)'|(?P<plain>(?:'[^']*'|[^\s'`])+))""")


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
    """It has rules and dashboards in it."""
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


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_what_a_page_sets_can_be_set(path) -> None:
    """Each `--set` and `--set-json` names a value that there is, with one that it can have."""
    found = list(SET.finditer(path.read_text()))
    assert found
    for match in found:
        parse = parse_set_json if match["json"] else parse_set_string
        values = parse((match["quoted"] or match["plain"]).replace("'", ""))
        assert texts(values), match[0]


def test_what_the_installation_page_has_in_its_table_can_be_set() -> None:
    """There without `--set` before it."""
    table = (DOCS / "install.md").read_text().partition("| you have | set |")[2].partition("\n\n")[0]
    expressions = re.findall(r"`([a-zA-Z]+(?:\.[a-zA-Z-]+)+=[^`]+)`", table)
    assert len(expressions) >= 5
    for expression in expressions:
        assert texts(parse_set_string(expression)), expression


def test_examples_in_its_readme_are_good() -> None:
    """Values, and a certificate that has the name and the Secret that these look for."""
    examples = re.findall(r"```yaml\n(.*?)```", (CHART / "README.md").read_text(), re.DOTALL)
    plain, certificate, closed = map(yaml.safe_load, examples)
    assert texts(plain)
    endpoint = only("PodMonitor", closed)["spec"]["podMetricsEndpoints"][0]
    spec = certificate["spec"]
    assert endpoint["tlsConfig"]["serverName"] in spec["dnsNames"]
    assert endpoint["tlsConfig"]["ca"]["secret"] == {"name": spec["secretName"], "key": "ca.crt"}
    assert closed["web"]["tlsSecret"] == spec["secretName"]
    assert certificate["metadata"]["namespace"] == only("PodMonitor", closed)["metadata"]["namespace"]
    login = f"secret generic {endpoint['basicAuth']['username']['name']} "
    assert login in (CHART / "README.md").read_text()


# --- rules and dashboards, of which it has copies ---------------------------------------------------------------------


def test_its_files_are_those_of_the_project() -> None:
    """Byte for byte, and no links: Flux, Rancher and Fleet, or a checkout without links, would lose them."""
    files = {path.name: path for path in (CHART / "files").iterdir()}
    assert files.keys() == {source.name for source in COPIED} == {"rules.yaml", *DASHBOARDS}
    for source in COPIED:
        assert not files[source.name].is_symlink()
        assert files[source.name].read_bytes() == source.read_bytes()


@pytest.mark.parametrize("content", ["", "../../../alerts/rules.yaml", "a: [", "{}", '{"groups": [], "panels": []}'])
@pytest.mark.parametrize(
    ("file", "value", "message"),
    [
        ("rules.yaml", "prometheusRule.enabled", "files/rules.yaml of the chart: no rules; take the chart whole"),
        ("vip-detail.json", "dashboards.enabled", "files/vip-detail.json of the chart: no dashboard; take the chart"),
    ],
)
def test_a_file_that_got_lost_is_told(file: str, value: str, message: str, content: str, tmp_path) -> None:
    shutil.copytree(CHART, tmp_path / "chart")
    (tmp_path / "chart" / "files" / file).write_text(content)
    with Chart.load(tmp_path / "chart") as damaged, pytest.raises(HelmError) as raised:
        damaged.render(nested({value: True}), name="vip-exporter", namespace="vip-exporter")
    assert message in raised.value.detail


# --- part of another chart --------------------------------------------------------------------------------------------


def test_it_can_be_part_of_another_chart(tmp_path) -> None:
    """Whose values have `global`, and by custom `enabled`, which decides on whether it is."""
    (tmp_path / "charts").mkdir()
    shutil.copytree(CHART, tmp_path / "charts" / "vip-exporter")
    dependency = {"name": "vip-exporter", "version": __version__, "condition": "vip-exporter.enabled"}
    whole = {"apiVersion": "v2", "name": "whole", "version": "1.0.0", "dependencies": [dependency]}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(whole))
    with Chart.load(tmp_path) as parent:
        for enabled in (True, False):
            values = {"global": {"region": "a"}, "vip-exporter": {"enabled": enabled}}
            made = parent.render(values, name="vip-exporter", namespace="vip-exporter")
            assert any("kind: DaemonSet" in text for text in made.values()) is enabled


def test_the_notes_tell_how_to_ask() -> None:
    notes = texts({}, namespace="elsewhere")["NOTES.txt"]
    assert "kubectl -n elsewhere exec daemonset/vip-exporter -- vip-exporter who" in notes
    assert "kubectl -n elsewhere port-forward daemonset/vip-exporter 10150" in notes
    assert "pod-security.kubernetes.io/enforce=privileged" in notes
