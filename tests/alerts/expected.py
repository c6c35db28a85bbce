"""What each alert is to be, beside its expression, and what promtool is asked of it at each evaluation.

The scenarios hold the rules to this table; nothing here is read from the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.alerts.timeline import matchers

RUNBOOKS = "https://github.com/vip-exporter/vip-exporter/blob/main/docs/runbooks/"
NAMESPACE = "vip-exporter"


@dataclass(frozen=True, slots=True)
class Kind:
    severity: str
    delay: int
    """How long what it tells of must last, seconds: the window of its expression included, where that must be full."""
    summary: str


KINDS: Mapping[str, Kind] = {
    "VIPFlapping": Kind("warning", 0, "A VIP moves again and again."),
    "VIPContested": Kind("critical", 0, "Two nodes or more announce the same VIP."),
    "VIPMoved": Kind("info", 60, "A VIP went over to another node."),
    "VIPHandoverSlow": Kind("warning", 60, "A VIP was without an announcement for long while it moved."),
    "VIPObserversDisagree": Kind("critical", 180, "Observers on one segment hear different nodes announce a VIP."),
    "VIPBoundOnSeveralNodes": Kind("critical", 240, "Several nodes have the same VIP bound."),
    "VIPSilent": Kind("critical", 180, "A VIP is held, but nobody announces it."),
    "VIPUnheld": Kind("critical", 60, "Nobody holds a VIP."),
    "VIPNotHeardOnNode": Kind("warning", 300, "A node does not hear a VIP that others hear."),
    "VIPArpMismatch": Kind("critical", 60, "The MAC that announces a VIP is not the one that it should be."),
    "VIPHolderMismatch": Kind("warning", 60, "The wire and the Service's annotation name different holders of a VIP."),
    "VIPLeaseMismatch": Kind("warning", 60, "The Lease and the Service's annotation name different holders of a VIP."),
    "VIPAddressMismatch": Kind("warning", 60, "The address that a Service gave up is still announced."),
    "VIPBoundMismatch": Kind("warning", 60, "A node that does not hold a VIP has it bound."),
    "VIPForeignClaimant": Kind("warning", 60, "Somebody who is no node of the cluster announces a VIP."),
    "VIPDuplicateAddressProbe": Kind("warning", 0, "Somebody probes for a VIP, as if to take its address."),
    "VIPRequirementNotMet": Kind("warning", 600, "A documented requirement of a VIP is not met."),
    "VIPExporterBlind": Kind("warning", 300, "An exporter cannot hear its segment."),
    "VIPAllObserversBlind": Kind("critical", 120, "No exporter can hear its segment."),
    "VIPExporterCaptureDropping": Kind("warning", 600, "An exporter is given more frames than it can read."),
    "VIPExporterKubernetesStale": Kind("warning", 600, "Exporters do not hear from Kubernetes."),
    "VIPExporterAbsent": Kind("critical", 600, "No exporter is scraped."),
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """An alert that fires from `since` plus the delay until `until`, seconds; None: to the end. Not `sure`: it may."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    since: int
    until: int | None
    delay: int
    sure: bool = True

    def verdict(self, second: int, *, interval: int) -> bool | None:
        """Whether it fires at that evaluation; None: depends on when within their interval the scrapes fall.

        What happens at one second is scraped within an interval, and evaluated within another one. A window
        has lost its first sample up to an interval before its time is over.
        """
        begins = self.since + self.delay
        if second < begins or (self.until is not None and second > self.until + 2 * interval):
            return False
        if self.sure and second >= begins + 2 * interval and (self.until is None or second < self.until - interval):
            return True
        return None


@dataclass(frozen=True, slots=True)
class Choice:
    """Some `delay` after `since`, up to `until`, seconds, one of these alerts fires at any time, or several do."""

    names: frozenset[str]
    since: int
    delay: int
    until: int

    def must(self, second: int, *, interval: int) -> bool:
        return self.since + self.delay + 2 * interval <= second < self.until - interval

    def may(self, second: int, *, interval: int) -> bool:
        return self.since <= second <= self.until + 2 * interval


def expectation(
    name: str,
    *,
    since: int,
    until: int | None,
    description: str,
    labels: Mapping[str, str],
    severity: str | None = None,
) -> Expectation:
    kind = KINDS[name]
    return Expectation(
        name=name,
        labels={"severity": severity or kind.severity, "namespace": NAMESPACE, **labels},
        annotations={"summary": kind.summary, "description": description, "runbook_url": f"{RUNBOOKS}{name}.md"},
        since=since,
        until=until,
        delay=kind.delay,
    )


def entries(
    expectations: Sequence[Expectation], choices: Sequence[Choice], *, moments: Iterable[int], interval: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """promtool's `alert_rule_test` and `promql_expr_test`: of every alert at every moment, firing or not."""
    alerts, queries = [], []
    for second in moments:
        open_choices = [choice for choice in choices if choice.may(second, interval=interval)]
        queries += [_one_of(choice, second) for choice in open_choices if choice.must(second, interval=interval)]
        for name in KINDS:
            if any(name in choice.names for choice in open_choices):
                continue
            verdicts = [(one, one.verdict(second, interval=interval)) for one in expectations if one.name == name]
            possible = [one for one, verdict in verdicts if verdict is not False]
            if all(verdict is not None for _, verdict in verdicts):
                alerts.append(_exactly(name, second, possible))
            else:
                queries.append(_no_other(name, second, possible))
    return alerts, queries


def _exactly(name: str, second: int, firing: Sequence[Expectation]) -> dict[str, Any]:
    return {
        "eval_time": f"{second}s",
        "alertname": name,
        "exp_alerts": [{"exp_labels": one.labels, "exp_annotations": one.annotations} for one in firing],
    }


def _no_other(name: str, second: int, possible: Sequence[Expectation]) -> dict[str, Any]:
    """Whether or not these fire, none of that name does that has other labels."""
    known = " or ".join("ALERTS{" + matchers(one.labels) + "}" for one in possible)
    firing = "ALERTS{" + matchers({"alertname": name, "alertstate": "firing"}) + "}"
    return {"eval_time": f"{second}s", "expr": f"{firing} unless ({known})", "exp_samples": []}


def _one_of(choice: Choice, second: int) -> dict[str, Any]:
    firing = f'count(ALERTS{{alertname=~"{"|".join(sorted(choice.names))}", alertstate="firing"}}) > bool 0'
    return {"eval_time": f"{second}s", "expr": firing, "exp_samples": [{"labels": "{}", "value": 1}]}
