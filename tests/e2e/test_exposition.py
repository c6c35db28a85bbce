"""promtool finds no fault with what a running exporter serves. A real server scrapes it in tests/monitoring."""

from __future__ import annotations

import subprocess

from tests.debian import program
from tests.e2e.running import exporter


def test_promtool_finds_no_fault(tmp_path) -> None:
    intent = tmp_path / "intent.yaml"
    intent.write_text("vips:\n  - {address: 192.0.2.100, vipHost: node-1}\n  - {address: '2001:db8::1'}\n")
    with exporter(tmp_path, f"--intent.file={intent}", "--capture.interface=lo") as running:
        text = running.get("/metrics", Accept="text/plain")
    command = [program("promtool"), "check", "metrics"]
    result = subprocess.run(command, input=text, text=True, capture_output=True, timeout=20, check=False)
    complaints = [line for line in (result.stdout + result.stderr).splitlines() if line]
    assert complaints == []
    assert result.returncode == 0
