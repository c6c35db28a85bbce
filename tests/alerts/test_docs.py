"""What the documents say of the alerts is what the rules do; the queries in them can be asked."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from exporter.publish.catalogue import CATALOGUE, Type
from tests.alerts.expected import KINDS
from tests.alerts.promtool import ROOT, run
from tests.alerts.test_rules import ALERTS, LABEL_LIST, MATCHER, METRICS, RECORDINGS, TARGET, names, titles

MONITORING = ROOT / "docs" / "monitoring.md"
PAGES = [MONITORING, *sorted((ROOT / "docs" / "runbooks").glob("*.md"))]
ROW = re.compile(r"^\| \[(VIP\w+)\]\(runbooks/\1\.md\) \| ([^|]+) \| ([^|]+) \|", flags=re.MULTILINE)
SPOKEN = re.compile(r"\bat once\b|\bafter (\d+) minutes?\b")
BLOCK = re.compile(r"^```promql\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
WINDOW = re.compile(r"min_over_time\([^()\[\]]*\[(\d+)m\]\)")
"""A condition that every sample of a window must meet has lasted for as long, `for` or not."""


def after(rule) -> int:
    """For how many minutes what an alert tells of lasts before it fires."""
    window = WINDOW.search(rule["expr"].split("unless")[0])
    return int(rule.get("for", "0m").removesuffix("m")) + (int(window[1]) if window else 0)


def severities() -> dict[str, set[str]]:
    found = defaultdict(set)
    for rule in ALERTS:
        found[rule["alert"]].add(rule["labels"]["severity"])
    return dict(found)


# --- times and severities ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ALERTS, ids=titles(ALERTS))
def test_the_tests_expect_an_alert_when_its_rule_says(rule) -> None:
    assert KINDS[rule["alert"]].delay == 60 * after(rule)


def test_the_table_of_alerts_says_what_the_rules_say() -> None:
    told = {name: (set(severity.split(", ")), time) for name, severity, time in ROW.findall(MONITORING.read_text())}
    times = {rule["alert"]: f"{after(rule)} min" if after(rule) else "at once" for rule in ALERTS}
    assert told == {name: (found, times[name]) for name, found in severities().items()}


@pytest.mark.parametrize("rule", ALERTS, ids=[f"{rule['alert']}-{rule['labels']['severity']}" for rule in ALERTS])
def test_a_runbook_begins_with_severity_and_time(rule) -> None:
    text = (ROOT / "docs" / "runbooks" / f"{rule['alert']}.md").read_text()
    first = text.split("\n\n")[1]
    assert first.startswith("**")
    assert f"**{rule['labels']['severity']}**" in first
    time = SPOKEN.search(first)
    assert time, first
    assert int(time[1] or 0) == after(rule)


# --- queries ----------------------------------------------------------------------------------------------------------


def queries(path: Path) -> list[str]:
    """One in each line of a block; one that goes on is indented."""
    return [
        query
        for block in BLOCK.findall(path.read_text())
        for query in re.sub(r"\n\s+", " ", block).splitlines()
        if query.strip()
    ]


QUERIES = [(path.stem, query) for path in PAGES for query in queries(path)]


def test_queries_are_found() -> None:
    """Nearly each runbook has some; a block of another spelling would go unseen."""
    text = "".join(path.read_text() for path in PAGES)
    assert text.count("promql") == len(re.findall("^```promql$", text, flags=re.MULTILINE))
    assert len({page for page, _ in QUERIES}) >= len(KINDS) - 2


def test_promtool_understands_each_query(tmp_path) -> None:
    rules = [{"record": f"query:{number}", "expr": query} for number, (_, query) in enumerate(QUERIES)]
    path = tmp_path / "queries.yaml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    result = run("promtool", "check", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(QUERIES)} rules found" in result.stdout


@pytest.mark.parametrize(("page", "query"), QUERIES)
def test_what_a_query_reads_exists(page, query) -> None:
    """Metrics, recordings, and the labels of metrics."""
    histograms = [metric.name for metric in CATALOGUE if metric.type is Type.HISTOGRAM]
    parts = {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}
    labels = {label for metric in CATALOGUE for label in metric.labels} | TARGET | {"job", "cluster", "le"}
    asked = names(LABEL_LIST.sub("", query))
    assert asked or query.startswith("up"), "of what metric?"
    assert asked <= set(METRICS) | parts | set(titles(RECORDINGS))
    assert set(MATCHER.findall(query)) <= labels
    assert {
        label.strip() for _, inside in LABEL_LIST.findall(query) for label in inside.split(",") if label.strip()
    } <= labels
