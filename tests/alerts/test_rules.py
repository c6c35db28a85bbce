"""What holds for all rules: labels, texts, names, and that what they read exists."""

from __future__ import annotations

import re

import pytest
import yaml

from alerts.generate import GENERATED, NAMESPACE
from exporter.publish.catalogue import CATALOGUE, Type
from tests.alerts.events import move
from tests.alerts.expected import KINDS, RUNBOOKS
from tests.alerts.fleet import fleet
from tests.alerts.promtool import ROOT, RULES, run

GROUPS = yaml.safe_load(RULES.read_text())["groups"]
RECORDINGS = [rule for group in GROUPS for rule in group["rules"] if "record" in rule]
ALERTS = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
METRICS = {metric.name: metric for metric in CATALOGUE}
TARGET = {"instance", "pod", "node", "container", "endpoint", "namespace"}
"""Labels of one exporter: no alert may have them."""
NAME = re.compile(r"(?<![\w:$\"])(?:(?:vip|vip_observer|observer|job):)?vip_[a-z0-9_]+(?::[a-z0-9_]+)?(?![\w:])")
RECORDING = re.compile(r"(vip|vip_observer|observer|job):(vip_[a-z0-9_]+):([a-z]+(?:\d+[smh])?)")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*[\"'%]")
LABEL_LIST = re.compile(r"\b(without|by|ignoring|on|group_left|group_right)\s*\(([^()]*)\)")


def bare(expression: str) -> str:
    """Without what stands in quotes."""
    return re.sub(r'"[^"]*"', '""', expression)


def names(expression: str) -> set[str]:
    """Of metrics and recordings."""
    return set(NAME.findall(bare(expression)))


def queries(text: str) -> list[str]:
    """The PromQL in a template."""
    return re.findall(r'printf "((?:[^"\\]|\\.)*)"(?= \$labels)', text)


def titles(rules) -> list[str]:
    return [rule.get("alert") or rule["record"] for rule in rules]


def test_promtool_finds_no_fault() -> None:
    result = run("promtool", "check", "rules", RULES)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(RECORDINGS) + len(ALERTS)} rules found" in result.stdout


def test_the_file_has_the_alerts_that_the_tests_know() -> None:
    assert set(titles(ALERTS)) == set(KINDS)
    assert len(ALERTS) == len(KINDS) + 1, "VIPFlapping has two thresholds, all others one"


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_generated_files_are_fresh(path) -> None:
    """`make generate` was run after the last change of the rules."""
    assert path.read_text() == GENERATED[path]()


def test_the_resource_has_the_same_rules() -> None:
    resource = yaml.safe_load((ROOT / "alerts" / "prometheusrule.yaml").read_text())
    assert resource["spec"]["groups"] == GROUPS
    assert resource["metadata"]["namespace"] == NAMESPACE


def test_one_group_so_that_alerts_read_recordings_of_the_same_moment() -> None:
    (group,) = GROUPS
    assert "interval" not in group
    assert max(map(group["rules"].index, RECORDINGS)) < min(map(group["rules"].index, ALERTS))


# --- alerts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ALERTS, ids=titles(ALERTS))
def test_an_alert_has_all_that_a_reader_and_a_router_need(rule) -> None:
    assert set(rule["labels"]) == {"severity", "namespace"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["labels"]["namespace"] == NAMESPACE
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert "{{" not in rule["annotations"]["summary"]
    assert re.fullmatch(r"[A-Z].*[^.]\.", rule["annotations"]["summary"])
    assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}{rule['alert']}.md"


@pytest.mark.parametrize("rule", ALERTS, ids=titles(ALERTS))
def test_an_alert_names_what_it_is_about(rule) -> None:
    description = rule["annotations"]["description"]
    if "vip" in identity(rule):
        assert "{{ $labels.vip }}" in description
    assert not re.search(r"\$labels\.(instance|pod|node|container|endpoint|namespace)\b", description)


def identity(rule) -> set[str]:
    """Of which level its first recording is."""
    found = RECORDING.search(rule["expr"])
    return set(found[1].split("_")) if found else set()


@pytest.mark.parametrize("rule", ALERTS, ids=titles(ALERTS))
def test_alerts_read_recordings_only(rule) -> None:
    if rule["alert"] == "VIPExporterAbsent":
        assert rule["expr"] == "absent(vip_exporter_build_info)"
        return
    assert names(rule["expr"])
    assert names(rule["expr"]) <= set(titles(RECORDINGS))


# --- recordings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RECORDINGS, ids=titles(RECORDINGS))
def test_a_recording_is_named_level_metric_operation(rule) -> None:
    match = RECORDING.fullmatch(rule["record"])
    assert match, rule["record"]
    if match[3] != "bool":
        known = METRICS | {name.removesuffix("_total"): metric for name, metric in METRICS.items()}
        derived = {"vip_wire_holders", "vip_lease_left_seconds", "vip_exporter_kubernetes_sync_age_seconds"}
        assert match[2] in known.keys() | derived


def test_every_recording_is_used_and_told_once() -> None:
    used = {name for rule in [*RECORDINGS, *ALERTS] for name in names(rule["expr"])}
    assert set(titles(RECORDINGS)) <= used
    assert len(titles(RECORDINGS)) == len(set(titles(RECORDINGS)))


def test_a_recording_is_made_before_it_is_read() -> None:
    made: set[str] = set()
    for rule in RECORDINGS:
        assert {name for name in names(rule["expr"]) if ":" in name} <= made, rule["record"]
        made.add(rule["record"])


@pytest.mark.parametrize("rule", [*RECORDINGS, *ALERTS], ids=titles([*RECORDINGS, *ALERTS]))
def test_what_a_rule_reads_exists(rule) -> None:
    """Metrics and labels, also in the queries of a description."""
    labels = {label for metric in CATALOGUE for label in metric.labels}
    known = set(METRICS) | set(titles(RECORDINGS))
    for expression in [rule["expr"], *queries(rule.get("annotations", {}).get("description", ""))]:
        assert names(expression), expression
        assert names(expression) <= known
        assert set(MATCHER.findall(expression)) <= labels | {"job", "cluster"}
        listed = {
            label.strip()
            for _, inside in LABEL_LIST.findall(expression)
            for label in inside.split(",")
            if label.strip()
        }
        made = set(re.findall(r'"(\w+)", "\$1"', expression))
        assert listed <= labels | TARGET | made
    used = set(re.findall(r"\.Labels\.(\w+)|\$labels\.(\w+)", rule.get("annotations", {}).get("description", "")))
    assert {one or other for one, other in used} <= labels | {"job", "cluster", "instance"}


@pytest.mark.parametrize("rule", RECORDINGS, ids=titles(RECORDINGS))
def test_counters_are_increased_before_they_are_aggregated(rule) -> None:
    """The other way round a restart would invent what it counts."""
    for name in names(rule["expr"]):
        if name in METRICS and METRICS[name].type is Type.COUNTER:
            assert not re.search(rf"(?<!\()\b{name}\b(?!(?:{{[^}}]*}})?\[)", rule["expr"]), name


@pytest.mark.parametrize("rule", RECORDINGS, ids=titles(RECORDINGS))
def test_what_is_read_from_observers_loses_the_labels_of_a_target(rule) -> None:
    if any(":" not in name for name in names(rule["expr"])):
        outermost = [
            set(re.split(r"[,\s]+", inside)) for word, inside in LABEL_LIST.findall(rule["expr"]) if word == "without"
        ]
        assert any(inside >= TARGET for inside in outermost)
        assert not re.search(r"\bby\s*\(", rule["expr"]), "`by` would drop what users add, such as a cluster"


@pytest.mark.parametrize("rule", RECORDINGS, ids=titles(RECORDINGS))
def test_windows_hold_for_scrapes_a_minute_apart(rule) -> None:
    """Five minutes at least for what is scraped."""
    for name, minutes in re.findall(r"\b(vip_\w+)(?:{[^}]*})?\[(\d+)m\]", rule["expr"]):
        assert int(minutes) >= 5, name


def test_the_three_observers_of_the_tests_tell_all_that_the_rules_read() -> None:
    read = {name for rule in RECORDINGS for name in names(rule["expr"]) if ":" not in name}
    story = fleet()
    move(story, 300, "node-1", "node-2")
    assert {line.name for observer in story.observers for line in observer.lines} == read
