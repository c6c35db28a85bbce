"""Prometheus takes every query, and the rules over several observers give what they promise."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from dashboards import queries as promql
from tests.dashboards.reading import filled, queries
from tests.debian import program

VIP = 'vip="192.0.2.100"'
OF_VIP = f"{{{VIP}}}"
UNKNOWN, HELD, MOVING, CONTESTED, SILENT = range(5)

Series = Mapping[str, str | float]
"""A value that stays, or several in promtool's notation, one a minute."""


def promtool(tmp_path, *command: str, content: Any) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "file.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    return subprocess.run(
        [program("promtool"), *command, path], text=True, capture_output=True, timeout=60, check=False
    )


def checked(tmp_path, *exprs: str) -> subprocess.CompletedProcess[str]:
    """promtool parses rules, not single queries: so each is made a rule."""
    rules = [{"record": f"query:{number}", "expr": expr} for number, expr in enumerate(exprs)]
    return promtool(tmp_path, "check", "rules", content={"groups": [{"name": "queries", "rules": rules}]})


def test_every_query_is_valid(tmp_path) -> None:
    exprs = [filled(asked.expr) for asked in queries()]
    result = checked(tmp_path, *exprs)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"SUCCESS: {len(exprs)} rules found" in result.stdout


def test_an_invalid_query_is_found(tmp_path) -> None:
    assert checked(tmp_path, "max by (vip (vip_info)").returncode == 1


def test_no_variable_is_unknown() -> None:
    """`$1` is no variable of Grafana's but belongs to the pattern of `label_replace`."""
    assert [str(asked) for asked in queries() if "$" in filled(asked.expr).replace('"$1"', "")] == []


@dataclass(frozen=True, slots=True)
class Case:
    """What observers export, and what a query makes of it after ten and a half minutes.

    Args:
        expected: by the labels of the result, as promtool writes them.
    """

    name: str
    query: str
    series: Series
    expected: Mapping[str, float]


def of(metric: str, instance: str, *labels: str) -> str:
    """A series of the VIP."""
    matchers = ", ".join((VIP, f'instance="{instance}"', *labels))
    return f"{metric}{{{matchers}}}"


def states(**of_observers: str) -> Series:
    """All states of each observer, as with `--metrics.detail=full`."""
    return {
        of("vip_state", instance, f'state="{state}"'): float(state == present)
        for instance, present in of_observers.items()
        for state in promql.STATES
    }


def summary(series: Series) -> Series:
    """Only those that are 1, as with `--metrics.detail=summary`."""
    return {name: value for name, value in series.items() if value}


def holder_info(instance: str, holder: str, mac: str = "") -> str:
    return of("vip_holder_info", instance, f'holder="{holder}"', f'mac="{mac}"')


def named_by(instance: str, source: str, holder: str, mac: str = "") -> str:
    return of("vip_source_holder_info", instance, f'source="{source}"', f'holder="{holder}"', f'mac="{mac}"')


def mismatch(instance: str, check: str) -> str:
    return of("vip_mismatch", instance, f'check="{check}"')


def hears(instance: str) -> str:
    return of("vip_requirement_met", instance, 'requirement="heard_here"')


def build(instance: str, observer: str, version: str) -> str:
    return f'vip_exporter_build_info{{instance="{instance}", observer="{observer}", version="{version}"}}'


def bucket(instance: str, le: str) -> str:
    return f'vip_handover_seconds_bucket{{instance="{instance}", le="{le}"}}'


def moved(instance: str, from_: str, to: str) -> str:
    return of("vip_last_move_timestamp_seconds", instance, f'from="{from_}"', f'to="{to}"')


TELL = [
    ("all say held", states(a="held", b="held", c="held"), HELD),
    ("one says contested", states(a="held", b="contested", c="held"), CONTESTED),
    ("one says moving", states(a="held", b="moving", c="held"), MOVING),
    ("contested outweighs moving", states(a="moving", b="contested", c="held"), CONTESTED),
    ("contested outweighs silence", states(a="silent", b="contested", c="silent"), CONTESTED),
    ("most say silent", states(a="silent", b="held", c="silent"), SILENT),
    ("one deaf observer does not silence", states(a="silent", b="held", c="held"), HELD),
    ("half is no majority", states(a="silent", b="held"), HELD),
    ("one hears what others have never heard", states(a="unknown", b="held", c="unknown"), HELD),
    ("nobody knows", states(a="unknown", b="unknown"), UNKNOWN),
    ("nobody knows, and one hears nothing any more", states(a="silent", b="unknown"), UNKNOWN),
    ("a single observer", states(a="silent"), SILENT),
]

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"

CASES = [
    *(Case(f"state: {name}", promql.state(), series, {OF_VIP: number}) for name, series, number in TELL),
    *(
        Case(f"state, summary: {name}", promql.state(), summary(series), {OF_VIP: number})
        for name, series, number in TELL
    ),
    Case(
        "state of each observer is its own",
        promql.state("instance, vip"),
        states(a="silent", b="held"),
        {f'{{instance="a", {VIP}}}': SILENT, f'{{instance="b", {VIP}}}': HELD},
    ),
    Case("VIPs in a state", promql.vips_in("held"), states(a="held", b="silent", c="held"), {"{}": 1}),
    Case("no VIP is in a state: zero", promql.vips_in("contested"), states(a="held"), {"{}": 0}),
    Case("no VIP at all: no number", promql.vips_in("held"), {}, {}),
    Case(
        "a restart of the observer with the highest count is no move",
        promql.count_over("vip_moves_total", window="10m"),
        {of("vip_moves_total", "a"): "7x5 0x10", of("vip_moves_total", "b"): 2},
        {OF_VIP: 0},
    ),
    Case(
        "a move that all observers see is one move",
        promql.count_over("vip_moves_total", window="10m"),
        {of("vip_moves_total", "a"): "7x5 8x10", of("vip_moves_total", "b"): "2x5 3x10"},
        {OF_VIP: 1},
    ),
    Case(
        "a move that one observer misses is a move",
        promql.count_over("vip_moves_total", window="10m"),
        {of("vip_moves_total", "a"): "7x5 8x10", of("vip_moves_total", "deaf"): 2},
        {OF_VIP: 1},
    ),
    Case(
        "the holder is whom most observers name",
        promql.with_who(promql.most_named()),
        {holder_info("a", "node-1", A): 1, holder_info("b", "node-2", B): 1, holder_info("c", "node-2", B): 1},
        {f'{{holder="node-2", mac="{B}", {VIP}, who="node-2"}}': 2},
    ),
    Case(
        "a holder without a node is its MAC",
        promql.with_who(promql.most_named()),
        {holder_info("a", "", A): 1},
        {f'{{mac="{A}", {VIP}, who="{A}"}}': 1},
    ),
    Case(
        "held since: neither the observer that restarted nor the one that missed the move",
        promql.held_since(),
        {
            holder_info("a", "node-2"): 1,
            holder_info("b", "node-2"): 1,
            holder_info("deaf", "node-1"): 1,
            of("vip_holder_since_timestamp_seconds", "a"): 300,
            of("vip_holder_since_timestamp_seconds", "b"): 500,
            of("vip_holder_since_timestamp_seconds", "deaf"): 100,
        },
        {OF_VIP: 300_000},
    ),
    Case(
        "last handover: of the latest move, not the longest",
        promql.last_handover(),
        {
            moved("a", "node-1", "node-2"): 500,
            moved("deaf", "node-3", "node-1"): 100,
            of("vip_last_handover_seconds", "a"): 2,
            of("vip_last_handover_seconds", "deaf"): 40,
        },
        {OF_VIP: 2},
    ),
    Case(
        "nodes named: once each, and MACs are none",
        promql.nodes_named(),
        {
            named_by("a", "wire", "node-1", A): 1,
            named_by("a", "lease", "node-1"): 1,
            named_by("b", "wire", "", A): 1,
            named_by("b", "annotation", "node-2"): 1,
        },
        {OF_VIP: 2},
    ),
    Case(
        "mismatches: a check that fails for several observers is one",
        promql.mismatches(),
        {
            of("vip_info", "a"): 1,
            mismatch("a", "host"): 1,
            mismatch("b", "host"): 1,
            mismatch("b", "mac"): 1,
            mismatch("a", "lease"): 0,
        },
        {OF_VIP: 2},
    ),
    Case("mismatches: none in the summary is zero", promql.mismatches(), {of("vip_info", "a"): 1}, {OF_VIP: 0}),
    Case(
        "age: as it was at the scrape, by the observer that heard it last",
        promql.announcement_age(),
        {
            of("vip_last_announcement_timestamp_seconds", "a"): "0+60x9 597",
            of("vip_last_announcement_timestamp_seconds", "deaf"): 100,
        },
        {OF_VIP: 3},
    ),
    Case(
        "age: never below zero",
        promql.announcement_age(),
        {of("vip_last_announcement_timestamp_seconds", "a"): 601},
        {OF_VIP: 0},
    ),
    Case(
        "silence: ten seconds at least",
        promql.silence_limit(),
        {of("vip_announcement_period_seconds", "a"): 3},
        {OF_VIP: 10},
    ),
    Case(
        "silence: three periods", promql.silence_limit(), {of("vip_announcement_period_seconds", "a"): 5}, {OF_VIP: 15}
    ),
    Case(
        "silence: no limit without period", promql.silence_limit(), {of("vip_announcement_period_seconds", "a"): 0}, {}
    ),
    Case(
        "time left of the Lease: as it was at the scrape",
        promql.lease_left(),
        {of("vip_lease_expiry_timestamp_seconds", "a"): 612},
        {OF_VIP: 12},
    ),
    Case("heard by", promql.heard_by(), {hears("a"): 1, hears("b"): 0, hears("c"): 1}, {OF_VIP: 2}),
    Case("watched by", promql.watched_by(), {of("vip_info", "a"): 1, of("vip_info", "b"): 1}, {OF_VIP: 2}),
    Case(
        "an observer that two series name is still one",
        promql.named(promql.worst("vip_exporter_kubernetes_up", by="job, instance")),
        {
            'vip_exporter_kubernetes_up{instance="a"}': 1,
            build("a", "node-1", "1.0.0"): 1,
            build("a", "node-1", "1.0.1"): 1,
        },
        {'{instance="a", job="vip-exporter", observer="node-1"}': 1},
    ),
    Case(
        "an observer that was renamed is still one",
        f"count({promql.named(promql.worst('vip_exporter_kubernetes_up', by='job, instance'))})",
        {
            'vip_exporter_kubernetes_up{instance="a"}': 1,
            build("a", "node-1", "1.0.0"): 1,
            build("a", "node-1.example", "1.0.0"): 1,
        },
        {"{}": 1},
    ),
    *(
        Case(
            f"handovers of {legend}",
            expr,
            {
                bucket("a", "1.0"): "0x5 1x10",
                bucket("a", "2"): "0x5 1x10",  # as Prometheus 3 writes it
                bucket("a", "5.0"): "0x5 4x10",
                **{bucket("a", f"{bound}.0"): "0x5 4x10" for bound in promql.BUCKETS[3:]},
                bucket("a", "+Inf"): "0x5 5x10",
                bucket("b", "1.0"): "0x5 1x10",
            },
            {"{}": {"up to 1 s": 1, "2 – 5 s": 3, "over 3600 s": 1}.get(legend, 0)},
        )
        for legend, expr in promql.between_bounds("vip_handover_seconds")
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_several_observers_tell(case: Case, tmp_path) -> None:
    with_job = {name.replace("{", '{job="vip-exporter", ', 1): value for name, value in case.series.items()}
    content = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": value if isinstance(value, str) else f"{value}x10"}
                    for name, value in with_job.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": filled(case.query).replace("[1h]", "[10m]"),
                        "eval_time": "10m30s",
                        "exp_samples": [{"labels": name, "value": value} for name, value in case.expected.items()],
                    }
                ],
            }
        ],
    }
    result = promtool(tmp_path, "test", "rules", content=content)
    assert result.returncode == 0, result.stdout + result.stderr
