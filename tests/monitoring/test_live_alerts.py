"""The rules and Alertmanager's sample at work on real exporters: who is told what, and told when it is over.

The rules are those that operators load, with times scaled down (`scaled.py` says how).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.lab.network import mac_of
from tests.e2e.observers import VIP
from tests.monitoring.conftest import Played
from tests.monitoring.management import RELEASE_NAMESPACE
from tests.monitoring.process import wait_until
from tests.monitoring.scaled import ALERTMANAGER, quick_alertmanager
from tests.monitoring.servers import JOB, Alertmanager, Prometheus
from tests.monitoring.stage import Scenario
from tests.monitoring.webhook import Webhook

pytestmark = pytest.mark.timeout(600)

SOON = 5.0
"""Seconds from the end of an effect's beginning to its page: scrape, evaluation, group, and a busy machine."""
WINDOW = 30.0
"""Seconds that the longest window of the scaled rules has."""
IDENTITY = {"job": JOB, "namespace": RELEASE_NAMESPACE, "vip": str(VIP)}

FIRES: Mapping[Scenario, set[str]] = {
    Scenario.QUIET: set(),
    Scenario.MOVE: {"VIPMoved"},
    Scenario.RESTART: set(),
    Scenario.WITHDRAWN: set(),
    Scenario.SPLIT_BRAIN: {"VIPContested", "VIPBoundOnSeveralNodes"},
    Scenario.FOREIGN: {"VIPForeignClaimant"},
    Scenario.PROBE: {"VIPDuplicateAddressProbe"},
    Scenario.HOST_MISMATCH: {"VIPHolderMismatch", "VIPLeaseMismatch", "VIPArpMismatch"},
    Scenario.BOUND: {"VIPBoundOnSeveralNodes"},
    Scenario.BLIND: set(),  # for one observer it waits longer than that
    Scenario.KUBERNETES: {"VIPExporterKubernetesStale"},
    Scenario.SILENT: {"VIPSilent"},
    Scenario.UNHELD: {"VIPUnheld"},
    Scenario.FLAPPING: {"VIPFlapping", "VIPMoved"},
}
"""All that may begin to fire from a scenario's beginning to the next one's."""

LEFT_OVER: Mapping[Scenario, set[str]] = {
    Scenario.RESTART: {"VIPMoved"},
    Scenario.WITHDRAWN: {"VIPMoved"},
    Scenario.SPLIT_BRAIN: {"VIPMoved"},
    Scenario.FOREIGN: {"VIPContested", "VIPBoundOnSeveralNodes"},
    Scenario.PROBE: {"VIPForeignClaimant"},
    Scenario.HOST_MISMATCH: {"VIPForeignClaimant", "VIPDuplicateAddressProbe"},
    Scenario.BOUND: {
        "VIPForeignClaimant",
        "VIPDuplicateAddressProbe",
        "VIPHolderMismatch",
        "VIPLeaseMismatch",
        "VIPArpMismatch",
    },
    Scenario.BLIND: {"VIPForeignClaimant", "VIPDuplicateAddressProbe", "VIPBoundOnSeveralNodes"},
    Scenario.KUBERNETES: {"VIPForeignClaimant"},
    Scenario.SILENT: {"VIPForeignClaimant", "VIPExporterKubernetesStale"},
    Scenario.UNHELD: {"VIPForeignClaimant", "VIPSilent"},
    Scenario.FLAPPING: {"VIPForeignClaimant", "VIPUnheld"},
}
"""What may still be on when a scenario begins. A stranger's MAC is shown for ten minutes; a move, a probe and a contest
are told for a while; the rest ends as soon as it has been scraped and evaluated that it is over."""


def firing(prometheus: Prometheus, start: float, end: float) -> dict[str, list[Mapping[str, str]]]:
    """The labels of the alerts that fired at any time of a span, by name."""
    answer = prometheus.query_range('ALERTS{alertstate="firing"}', start=start, end=end, step=1)
    assert answer.complaints == ()
    found: dict[str, list[Mapping[str, str]]] = {}
    for series in answer.result:
        found.setdefault(series["metric"]["alertname"], []).append(series["metric"])
    return found


def until(played: Played, scenario: Scenario) -> float:
    """When the next scenario began; for the last one, when all that it sets off is told."""
    span = played.spans[scenario]
    later = [other.begun for other in played.spans.values() if other.begun > span.begun]
    return min(later, default=span.end + SOON)


def test_every_rule_is_well(played: Played) -> None:
    """Prometheus could evaluate each one throughout, as it is and scaled."""
    for server in (played.prometheus, played.alerting):
        rules = server.rules()
        assert len(rules) > 30
        assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] != "ok"] == []
        all_told, failed = server.evaluations()
        assert all_told > 100 * len(rules)
        assert failed == 0


def test_a_clean_move_and_a_restart_fire_nothing_but_moved(played: Played) -> None:
    spans = played.spans
    found = firing(played.alerting, spans[Scenario.QUIET].begun, spans[Scenario.RESTART].end)
    assert found.keys() == {"VIPMoved"}
    (labels,) = found["VIPMoved"]
    assert {key: value for key, value in labels.items() if not key.startswith("__")} == IDENTITY | {
        "alertname": "VIPMoved",
        "alertstate": "firing",
        "severity": "info",
        "from": "node-1",
        "to": "node-2",
    }


@pytest.mark.parametrize("scenario", Scenario, ids=lambda scenario: scenario.name.lower())
def test_what_a_scenario_sets_off(played: Played, scenario: Scenario) -> None:
    """All that it should and nothing else, which would be a false page."""
    begun = played.spans[scenario].begun
    still_on = firing(played.alerting, begun, begun)
    assert still_on.keys() <= LEFT_OVER.get(scenario, set())
    found = firing(played.alerting, begun, until(played, scenario))
    began = {name for name, series in found.items() if any(labels not in still_on.get(name, []) for labels in series)}
    assert began == FIRES[scenario]


def test_silent_and_unheld_are_two_things(played: Played) -> None:
    silent, unheld = (played.spans[scenario] for scenario in (Scenario.SILENT, Scenario.UNHELD))
    assert "VIPUnheld" not in firing(played.alerting, silent.begun, silent.end)
    assert "VIPSilent" not in firing(played.alerting, unheld.end - 1, unheld.end)


def test_no_message_has_an_error_in_it(played: Played) -> None:
    """Templates are filled in when an alert fires, not before."""
    for notice in played.webhook.notices():
        for text in notice.annotations.values():
            assert "error expanding" not in text, notice
            assert "<no value>" not in text, notice
            assert "%!" not in text, notice


def test_no_alert_names_an_instance(played: Played) -> None:
    """Whose identity had a pod in it would begin anew with each rollout."""
    labels = {label for notice in played.webhook.notices() for label in notice.labels}
    assert labels.isdisjoint({"instance", "pod", "node", "container", "endpoint"})


def test_split_brain_pages_and_resolves(played: Played) -> None:
    """One page with all that it takes, nothing of flapping beside it, and word when it is over."""
    span = played.spans[Scenario.SPLIT_BRAIN]
    page = played.webhook.wait_for("VIPContested", status="firing", since=span.begun, within=0)
    assert span.begun < page.at < span.start + SOON
    assert (page.receiver, page.path) == ("page", "/page")
    assert page.labels == IDENTITY | {"alertname": "VIPContested", "severity": "critical"}
    assert page.annotations.keys() == {"summary", "description", "runbook_url"}
    assert page.annotations["runbook_url"].endswith("/docs/runbooks/VIPContested.md")
    description = page.annotations["description"]
    assert str(VIP) in description
    for node in ("node-2", "node-3"):
        assert f"{mac_of(node).hex(':')} ({node}, node)" in description
    until = played.spans[Scenario.FOREIGN].begun
    assert [notice for notice in played.webhook.notices("VIPFlapping") if notice.at < until] == []
    resolved = played.webhook.wait_for("VIPContested", status="resolved", since=page.at, within=0)
    assert (resolved.receiver, resolved.labels) == (page.receiver, page.labels)
    assert span.end < resolved.at < until + SOON


def test_a_split_brain_fires_nothing_that_misleads(played: Played) -> None:
    """No move, no mismatch and no split segment is told of, by the rival's own exporter neither."""
    begun, until = played.spans[Scenario.SPLIT_BRAIN].begun, played.spans[Scenario.FOREIGN].begun
    found = firing(played.alerting, begun, until)
    # The move of the scenario before may still be told.
    moves = found.pop("VIPMoved", [])
    assert [labels for labels in moves if "node-3" in (labels["from"], labels["to"])] == []
    assert found.keys() == {"VIPContested", "VIPBoundOnSeveralNodes"}


def test_flapping_warns_then_pages_and_resolves(played: Played) -> None:
    """The page makes the warning superfluous; both are resolved once the VIP stays."""
    span, webhook = played.spans[Scenario.FLAPPING], played.webhook
    warning = webhook.wait_for("VIPFlapping", status="firing", severity="warning", since=span.begun, within=0)
    page = webhook.wait_for("VIPFlapping", status="firing", severity="critical", since=span.begun, within=SOON)
    assert span.begun < warning.at < page.at < span.end + SOON
    assert (warning.receiver, page.receiver) == ("chat", "page")
    for notice in (warning, page):
        severity = {"alertname": "VIPFlapping", "severity": notice.labels["severity"]}
        assert notice.labels == IDENTITY | severity
        assert notice.annotations["runbook_url"].endswith("/docs/runbooks/VIPFlapping.md")
        assert "node-2" in notice.annotations["description"]
    for severity in ("critical", "warning"):
        webhook.wait_for("VIPFlapping", status="resolved", severity=severity, since=page.at, within=WINDOW + SOON)
    # Until the last second or so of the page, nobody is warned again.
    asked = 'ALERTS{alertname="VIPFlapping", alertstate="firing", severity="critical"}'
    (lasted,) = played.alerting.query_range(asked, start=page.at, end=page.at + WINDOW + SOON, step=1).result
    over = float(lasted["values"][-1][0])
    repeated = webhook.notices("VIPFlapping", status="firing", severity="warning", since=page.at + 2)
    assert [notice for notice in repeated if notice.at < over - 1] == []


def _alert(name: str, severity: str, **labels: str) -> dict[str, str]:
    return {"alertname": name, "severity": severity, "namespace": RELEASE_NAMESPACE, "job": JOB, **labels}


FLAPS = _alert("VIPFlapping", "warning", vip="192.0.2.1")
FLAPS_MORE = _alert("VIPFlapping", "critical", vip="192.0.2.1")
CONTESTED = _alert("VIPContested", "critical", vip="192.0.2.1")
OTHER_FLAPS = _alert("VIPFlapping", "warning", vip="192.0.2.2")
THIRD_FLAPS = _alert("VIPFlapping", "warning", vip="192.0.2.3")
THIRD_FLAPS_MORE = _alert("VIPFlapping", "critical", vip="192.0.2.3")
BLIND = _alert("VIPExporterBlind", "warning", observer="node-1", device="eth0")
NOT_HEARD = _alert("VIPNotHeardOnNode", "warning", vip="192.0.2.1", observer="node-1")
OTHER_NOT_HEARD = _alert("VIPNotHeardOnNode", "warning", vip="192.0.2.1", observer="node-2")
ALL_BLIND = _alert("VIPAllObserversBlind", "critical")
SILENT = _alert("VIPSilent", "critical", vip="192.0.2.1")
UNHELD = _alert("VIPUnheld", "critical", vip="192.0.2.1")
BOUND = _alert("VIPBoundOnSeveralNodes", "critical", vip="192.0.2.1")

INHIBITED = (FLAPS, FLAPS_MORE, THIRD_FLAPS, NOT_HEARD, SILENT, UNHELD)
TOLD = (CONTESTED, OTHER_FLAPS, THIRD_FLAPS_MORE, BLIND, OTHER_NOT_HEARD, ALL_BLIND, BOUND)


def test_what_makes_another_alert_superfluous(played: Played, tmp_path: Path) -> None:
    """All at once: what is inhibited is not told, and nothing inhibits contested or bound on several nodes."""
    config = tmp_path / "alertmanager.yaml"
    with Webhook(played.namespace, port=8081) as webhook:
        config.write_text(quick_alertmanager(ALERTMANAGER.read_text("utf-8"), webhook.url), "utf-8")
        with Alertmanager(namespace=played.namespace, directory=tmp_path, port=9094, config=config) as alertmanager:
            alertmanager.send(*INHIBITED, *TOLD)

            def told() -> bool:
                return len({tuple(sorted(notice.labels.items())) for notice in webhook.notices()}) >= len(TOLD)

            wait_until(told, within=SOON + 5, otherwise=lambda: f"only {webhook.notices()}")
            states = {
                tuple(sorted(alert["labels"].items())): alert["status"]["state"] for alert in alertmanager.alerts()
            }
    expected = {tuple(sorted(alert.items())): "suppressed" for alert in INHIBITED}
    expected |= {tuple(sorted(alert.items())): "active" for alert in TOLD}
    assert states == expected
    arrived = [dict(notice.labels) for notice in webhook.notices()]
    assert all(alert in arrived for alert in TOLD)
    assert not any(alert in arrived for alert in INHIBITED)
