"""Runs `promtool test rules`; what it says is shown where it fails."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.debian import program

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "alerts" / "rules.yaml"
LINES = 60
"""Of a failure: the first moments tell what the later ones repeat."""


def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program(name), *map(str, arguments)], text=True, capture_output=True, timeout=60, check=False
    )


def play_rules(
    directory: Path,
    *,
    evaluation_seconds: int,
    spacing_seconds: int,
    series: Mapping[str, Sequence[str]],
    alerts: Sequence[Mapping[str, Any]],
    queries: Sequence[Mapping[str, Any]],
) -> str:
    """What promtool finds wrong; empty if nothing.

    Args:
        directory: where the test file is left.
        evaluation_seconds: between evaluations of the rules.
        spacing_seconds: between the values of a series.
        series: values in promtool's notation.
        alerts: entries of promtool's `alert_rule_test`.
        queries: of its `promql_expr_test`.
    """
    content = {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{evaluation_seconds}s",
        "tests": [
            {
                "interval": f"{spacing_seconds}s",
                "input_series": [{"series": name, "values": " ".join(values)} for name, values in series.items()],
                "alert_rule_test": list(alerts),
                "promql_expr_test": list(queries),
            }
        ],
    }
    path = directory / "test.yaml"
    path.write_text(json.dumps(content, indent=1))
    result = run("promtool", "test", "rules", path)
    if result.returncode == 0:
        return ""
    said = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]
    return "\n".join([*said[:LINES], *([f"... {len(said) - LINES} more lines"] if len(said) > LINES else [])])
