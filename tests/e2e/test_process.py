"""The program as a process: start, signals, bad input, and what it says of itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter import __version__
from tests.e2e.running import exporter, free_port, until

INTENT = "vips:\n  - {address: 192.0.2.100, mode: static, vipHost: node-1}\n"


@pytest.fixture
def intent(tmp_path: Path) -> Path:
    path = tmp_path / "intent.yaml"
    path.write_text(INTENT)
    return path


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "exporter", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, **options)


def value(text: str, name: str) -> float:
    (sample,) = [
        sample for family in text_string_to_metric_families(text) for sample in family.samples if sample.name == name
    ]
    return sample.value


def test_version() -> None:
    result = run("--version")
    assert (result.returncode, result.stdout) == (0, f"vip-exporter {__version__}\n")


def test_help_names_commands_and_settings() -> None:
    result = run("--help")
    assert result.returncode == 0
    assert all(word in result.stdout for word in ("replay", "demo", "--capture.interface", "VIP_EXPORTER_LOG_LEVEL"))


def test_config_check(intent) -> None:
    assert run("--config.check", f"--intent.file={intent}").returncode == 0
    intent.write_text("vips:\n  - {address: nonsense}\n")
    result = run("--config.check", f"--intent.file={intent}")
    assert result.returncode == 64
    assert f"{intent}:2" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["watch"], "'watch': no such command; there are run, who, check, replay, demo"),
        (["--log.levle=debug"], "unknown flag"),
        (["--log.level=loud"], "--log.level"),
        (["run", "--kubernetes.kubeconfig=/nonexistent", "--capture.interface=lo"], "/nonexistent"),
    ],
)
def test_bad_usage_is_a_clear_line_and_status_64(arguments, message) -> None:
    result = run(*arguments)
    assert result.returncode == 64
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_is_a_clear_line_and_status_1(tmp_path, intent) -> None:
    with exporter(tmp_path, f"--intent.file={intent}", "--capture.interface=lo") as first:
        address = first.url.removeprefix("http://")
        result = run(f"--web.listen-address={address}", f"--intent.file={intent}", "--capture.interface=lo")
        assert result.returncode == 1
        assert "--web.listen-address" in result.stderr
        assert "Traceback" not in result.stderr


def test_without_cap_net_raw_it_says_so_and_ends_with_status_77(intent) -> None:
    command = [
        "setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", "--",
        sys.executable, "-m", "exporter", f"--intent.file={intent}", "--capture.interface=lo",
        f"--web.listen-address=127.0.0.1:{free_port()}",
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert result.returncode == 77
    assert len([line for line in result.stderr.splitlines() if "CAP_NET_RAW" in line]) == 1
    assert "Traceback" not in result.stderr


def test_every_endpoint_answers(tmp_path, intent) -> None:
    with exporter(tmp_path, f"--intent.file={intent}", "--capture.interface=lo", "--observer.name=node-9") as running:
        assert running.get("/-/healthy") == "ok\n"
        assert "192.0.2.100" in running.get("/")
        (vip,) = running.api("/api/v1/vips")["vips"]
        assert (vip["vip"], vip["state"], vip["holder"], vip["holder_source"]) == (
            "192.0.2.100",
            "unknown",
            "node-1",
            "annotation",
        )
        assert running.api("/api/v1/events?limit=5") == {"events": [], "next": None}
        text = running.get("/metrics")
        assert 'observer="node-9"' in text
        assert value(text, "vip_exporter_capture_up") == 1
        assert value(text, "vip_exporter_config_last_reload_successful") == 1
        assert 'vip_exporter_log_suppressed_total{event="vip_moved"} 0.0' in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_within_two_seconds(tmp_path, intent, number) -> None:
    with exporter(tmp_path, f"--intent.file={intent}", "--capture.interface=lo") as running:
        begun = time.monotonic()
        running.process.send_signal(number)
        assert running.process.wait(5) == 0
        assert time.monotonic() - begun < 2
        assert "msg=stopped" in running.log


def test_a_silent_api_server_does_not_delay_the_end(tmp_path) -> None:
    """A server that accepts and says nothing: started all the same, ended in time."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(
            f"""
apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{silent.getsockname()[1]}"}}}}]
users: [{{name: me, user: {{token: abc}}}}]
"""
        )
        with exporter(tmp_path, f"--kubernetes.kubeconfig={kubeconfig}", "--capture.interface=lo") as running:
            assert value(running.get("/metrics"), "vip_exporter_kubernetes_up") == 0
            time.sleep(1)
            begun = time.monotonic()
            running.process.terminate()
            assert running.process.wait(5) == 0
            assert time.monotonic() - begun < 2


class TestSighup:
    def test_new_values_are_in_force(self, tmp_path, intent) -> None:
        config = tmp_path / "config.yaml"
        config.write_text("log: {level: info}\n")
        with exporter(
            tmp_path, f"--config.file={config}", f"--intent.file={intent}", "--capture.interface=lo"
        ) as running:
            full = len(running.get("/metrics"))
            config.write_text("metrics: {detail: summary}\nlog: {format: json}\n")
            intent.write_text(INTENT.replace("192.0.2.100", "192.0.2.101"))
            os.kill(running.process.pid, signal.SIGHUP)
            until(lambda: '"msg": "configuration reloaded"' in running.log)
            assert len(running.get("/metrics")) < full
            assert [vip["vip"] for vip in running.api("/api/v1/vips")["vips"]] == ["192.0.2.101"]

    def test_a_wrong_file_changes_nothing(self, tmp_path, intent) -> None:
        config = tmp_path / "config.yaml"
        config.write_text("metrics: {detail: full}\n")
        with exporter(
            tmp_path, f"--config.file={config}", f"--intent.file={intent}", "--capture.interface=lo"
        ) as running:
            config.write_text("metrics: {detail: summary, detial: full}\n")
            os.kill(running.process.pid, signal.SIGHUP)
            until(lambda: "configuration not reloaded" in running.log)
            text = running.get("/metrics")
            assert value(text, "vip_exporter_config_last_reload_successful") == 0
            assert "vip_claims_total" in text  # full detail, as before
            intent.write_text("vips: {}\n")
            config.write_text("metrics: {detail: summary}\n")
            os.kill(running.process.pid, signal.SIGHUP)
            until(lambda: running.log.count("configuration not reloaded") == 2)
            assert "vip_claims_total" in running.get("/metrics")


def test_a_mac_that_several_nodes_claim_is_logged_once(tmp_path, intent) -> None:
    cloned = [f"--nodes={name}=02:00:00:00:00:01" for name in ("node-7", "node-8")]
    with exporter(tmp_path, f"--intent.file={intent}", "--capture.interface=lo", *cloned) as running:
        before = until(lambda: "claimed by several" in running.log) and running.get("/metrics")
        done = 'vip_exporter_reconciles_total{result="success"}'
        until(lambda: running.get("/metrics").partition(done)[2].split()[0] != before.partition(done)[2].split()[0])
        (line,) = [line for line in running.log.splitlines() if "claimed by several" in line]
        assert "02:00:00:00:00:01" in line
        assert "node-7" in line
        assert "node-8" in line
        assert before.count('mac="02:00:00:00:00:01"') == 2
