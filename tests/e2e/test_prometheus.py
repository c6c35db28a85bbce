"""Prometheus itself reads what is served: promtool finds no fault, and a real server scrapes it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from tests.e2e.running import exporter, free_port, until

PROGRAMS = Path(__file__).parent.parent.parent / "build" / "debian" / "usr" / "bin"
"""Where `make test` unpacks Debian's prometheus."""


@pytest.fixture
def running(tmp_path):
    intent = tmp_path / "intent.yaml"
    intent.write_text("vips:\n  - {address: 192.0.2.100, vipHost: node-1}\n  - {address: '2001:db8::1'}\n")
    with exporter(tmp_path, f"--intent.file={intent}", "--capture.interface=lo") as exporter_process:
        yield exporter_process


def test_promtool_finds_no_fault(running) -> None:
    command = [PROGRAMS / "promtool", "check", "metrics"]
    text = running.get("/metrics", Accept="text/plain")
    result = subprocess.run(command, input=text, text=True, capture_output=True, timeout=20, check=False)
    complaints = [line for line in (result.stdout + result.stderr).splitlines() if line]
    assert complaints == []
    assert result.returncode == 0


def test_a_real_prometheus_scrapes_it(running, tmp_path) -> None:
    target = running.url.removeprefix("http://")
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: vip-exporter, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    port = free_port()
    with (tmp_path / "prometheus.log").open("wb") as log:
        server = subprocess.Popen(
            [
                PROGRAMS / "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )

    def query(expression: str) -> list:
        try:
            with urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={quote(expression)}", timeout=5) as answer:
                return json.load(answer)["data"]["result"]
        except URLError:
            return []

    try:
        until(lambda: query("up == 1"), timeout=30)
        (state,) = until(lambda: query('vip_state{vip="192.0.2.100"} == 1'))
        assert state["metric"]["state"] == "unknown"
        (moves,) = query('vip_moves_total{vip="2001:db8::1"}')
        assert moves["value"][1] == "0"
        assert query("vip_handover_seconds_count")[0]["value"][1] == "0"
    finally:
        server.terminate()
        server.wait(20)
