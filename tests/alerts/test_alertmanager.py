"""The sample Alertmanager configuration: amtool accepts it, and it inhibits what it should and nothing else."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

import pytest
import yaml

from tests.alerts.expected import KINDS
from tests.alerts.promtool import ROOT, run

PLAIN = ROOT / "alerts" / "alertmanager.yaml"
RESOURCE = ROOT / "alerts" / "alertmanagerconfig.yaml"
CONFIG = yaml.safe_load(PLAIN.read_text())
SPEC = yaml.safe_load(RESOURCE.read_text())["spec"]
MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"\s*')

Labels = Mapping[str, str]


def alert(name: str, **labels: str) -> Labels:
    found = {"severity": KINDS[name].severity, "namespace": "vip-exporter", "job": "vip-exporter"}
    return found | {"alertname": name} | labels


def plain_rules() -> list[tuple[list[tuple[str, str, str]], list[tuple[str, str, str]], list[str]]]:
    """Source, target, equal."""

    def parsed(matchers: list[str]) -> list[tuple[str, str, str]]:
        return [MATCHER.fullmatch(matcher).groups() for matcher in matchers]

    return [
        (parsed(rule["source_matchers"]), parsed(rule["target_matchers"]), rule["equal"])
        for rule in CONFIG["inhibit_rules"]
    ]


def resource_rules() -> list[tuple[list[tuple[str, str, str]], list[tuple[str, str, str]], list[str]]]:
    def parsed(matchers: list[dict[str, str]]) -> list[tuple[str, str, str]]:
        return [(matcher["name"], matcher["matchType"], matcher["value"]) for matcher in matchers]

    return [(parsed(rule["sourceMatch"]), parsed(rule["targetMatch"]), rule["equal"]) for rule in SPEC["inhibitRules"]]


def matches(labels: Labels, matchers: list[tuple[str, str, str]]) -> bool:
    tests = {
        "=": lambda value, wanted: value == wanted,
        "!=": lambda value, wanted: value != wanted,
        "=~": lambda value, wanted: re.fullmatch(wanted, value) is not None,
        "!~": lambda value, wanted: re.fullmatch(wanted, value) is None,
    }
    return all(tests[kind](labels.get(name, ""), wanted) for name, kind, wanted in matchers)


def inhibited(target: Labels, source: Labels) -> bool:
    """As Alertmanager does it: a label that both lack is equal; two that are on both sides leave each other alone."""
    return any(
        matches(source, sources)
        and matches(target, targets)
        and not (matches(source, targets) and matches(target, sources))
        and all(source.get(label, "") == target.get(label, "") for label in equal)
        for sources, targets, equal in plain_rules()
    )


def test_amtool_finds_no_fault() -> None:
    result = run("amtool", "check-config", PLAIN)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "SUCCESS" in result.stdout


def test_the_resource_says_the_same() -> None:
    assert resource_rules() == plain_rules()
    assert [receiver["name"] for receiver in SPEC["receivers"]] == [
        receiver["name"] for receiver in CONFIG["receivers"]
    ]
    assert SPEC["route"]["groupBy"] == CONFIG["route"]["group_by"]


ONE, TWO = "192.0.2.100", "192.0.2.200"
EVERY_NAME = sorted(KINDS)


def test_contested_inhibits_the_flapping_of_the_same_vip() -> None:
    source = alert("VIPContested", vip=ONE)
    for severity in ("warning", "critical"):
        assert inhibited(alert("VIPFlapping", vip=ONE, severity=severity), source)
        assert not inhibited(alert("VIPFlapping", vip=TWO, severity=severity), source)
        assert not inhibited(alert("VIPFlapping", vip=ONE, severity=severity, cluster="east"), source)
        assert not inhibited(alert("VIPFlapping", vip=ONE, severity=severity, job="other"), source)


def test_the_second_threshold_inhibits_the_first_of_the_same_vip() -> None:
    warning, critical = (alert("VIPFlapping", vip=ONE, severity=severity) for severity in ("warning", "critical"))
    assert inhibited(warning, critical)
    assert not inhibited(critical, warning)
    assert not inhibited({**warning, "vip": TWO}, critical)


def test_one_blind_exporter_inhibits_only_its_own_vipnotheardonnode() -> None:
    source = alert("VIPExporterBlind", observer="node-1", device="mgmt-br")
    deaf = alert("VIPNotHeardOnNode", observer="node-1", vip=ONE, requirement="heard_here")
    assert inhibited(deaf, source)
    assert not inhibited({**deaf, "observer": "node-2"}, source)
    assert not inhibited({**deaf, "cluster": "east"}, source)


def test_all_blind_inhibits_silent_and_unheld_of_every_vip_of_its_fleet() -> None:
    source = alert("VIPAllObserversBlind")
    for name, vip in itertools.product(("VIPSilent", "VIPUnheld"), (ONE, TWO)):
        assert inhibited(alert(name, vip=vip), source)
        assert not inhibited(alert(name, vip=vip, cluster="east"), source)
        assert not inhibited(alert(name, vip=vip, job="other"), source)


WANTED = {
    ("VIPContested", "VIPFlapping"),
    ("VIPFlapping", "VIPFlapping"),
    ("VIPExporterBlind", "VIPNotHeardOnNode"),
    ("VIPAllObserversBlind", "VIPSilent"),
    ("VIPAllObserversBlind", "VIPUnheld"),
}


@pytest.mark.parametrize("target", EVERY_NAME)
def test_nothing_else_is_inhibited_by_anything(target) -> None:
    """Least of all VIPContested and VIPBoundOnSeveralNodes."""
    common = {"vip": ONE, "observer": "node-1", "device": "mgmt-br"}
    found = {
        (source, target)
        for source in EVERY_NAME
        for one in ("info", "warning", "critical")
        for other in ("info", "warning", "critical")
        if inhibited(alert(target, **common, severity=other), alert(source, **common, severity=one))
    }
    assert found == {pair for pair in WANTED if pair[1] == target}


@pytest.mark.parametrize("name", EVERY_NAME)
def test_a_critical_alert_pages_and_no_other_does(name) -> None:
    labels = alert(name, vip=ONE)
    result = run(
        "amtool", "config", "routes", "test", f"--config.file={PLAIN}", *(f"{k}={v}" for k, v in labels.items())
    )
    assert result.stdout.split() == ["page" if labels["severity"] == "critical" else "chat"], result.stderr
