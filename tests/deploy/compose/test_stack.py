"""The stack at work on a segment: exporter, Prometheus and Alertmanager, with the very files that compose mounts.

Real are the frames, Debian's Prometheus and Alertmanager, commands, mounts, users and capabilities. Not here: the
images, Docker itself, and Grafana.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import yaml

from exporter.vip.model import Mac
from exporter.wire import craft
from tests.deploy.compose.container import HERE, IMAGES, ROOT, SERVICES, Container
from tests.monitoring.process import wait_until
from tests.netns import DEVICE, ip, wire

VIP = IPv4Address("192.0.2.100")
MAC = Mac(bytes.fromhex("02000000000a"))
SCRAPED_SECONDS = 25.0
"""One interval of 15 s and what a busy machine may be late."""
PORTS = {"vip-exporter": 10150, "prometheus": 9090, "alertmanager": 9093}
NET_RAW = 1 << 13
LISTENING = "0A"


@dataclass(frozen=True)
class Stack:
    containers: Mapping[str, Container]
    targets: Path
    """The directory of Prometheus' targets; a copy, to be edited."""

    def query(self, expression: str) -> list[dict]:
        answer = self.containers["prometheus"].get("/api/v1/query", [("query", expression)])
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def active_targets(self) -> dict[tuple[str, str], str]:
        """Health by job and instance."""
        found = self.containers["prometheus"].get("/api/v1/targets")["data"]["activeTargets"]
        return {(each["labels"]["job"], each["labels"]["instance"]): each["health"] for each in found}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of it, while a node announces the VIP of vips.yaml each second."""
    directory = tmp_path_factory.mktemp("stack")
    targets = directory / "targets"
    shutil.copytree(HERE / "prometheus" / "targets", targets)
    with ExitStack() as parts:
        network = parts.enter_context(wire())
        namespace = network.here
        ip("-n", namespace, "link", "set", "lo", "up")
        ip("-n", namespace, "address", "add", "192.0.2.50/24", "dev", DEVICE)
        ip("-n", namespace, "route", "add", "default", "via", "192.0.2.1")
        over = {"prometheus": {"/etc/prometheus/targets": targets}}
        containers = {
            name: Container(name, namespace=namespace, directory=directory, port=port, over=over.get(name))
            for name, port in PORTS.items()
        }
        ended = threading.Event()

        def announce() -> None:
            with network.sender() as sender:
                while not ended.wait(1):
                    sender.send(craft.announcement(VIP, MAC))

        announcer = threading.Thread(target=announce)
        announcer.start()
        parts.callback(announcer.join)
        parts.callback(ended.set)
        for container in containers.values():
            parts.enter_context(container)
        yield Stack(containers, targets)


def test_prometheus_finds_no_fault_with_its_configuration_and_rules(stack) -> None:
    said = stack.containers["prometheus"].run("promtool", "check", "config", "/etc/prometheus/prometheus.yml").stdout
    assert "/etc/prometheus/prometheus.yml is valid prometheus config file syntax" in said
    assert re.search(r"SUCCESS: [1-9]\d* rules found", said), said


def test_alertmanager_finds_no_fault_with_its_configuration(stack) -> None:
    said = stack.containers["alertmanager"].run("amtool", "check-config", "/etc/alertmanager/alertmanager.yml").stdout
    assert "SUCCESS" in said


def test_the_lab_is_scraped_as_soon_as_its_lines_are_no_comment_any_more(stack) -> None:
    """In a job of its own, without a restart of anything. What answers here is the same exporter."""
    path = stack.targets / "exporters.yaml"
    text = path.read_text()
    edited = re.sub(
        r'^# - targets: \["198\.18\.[\d.]+:10150"\]\n# (  labels: {job: demo, instance: lab})$',
        '- targets: ["127.0.0.1:10150"]\n\\1',
        text,
        flags=re.MULTILINE,
    )
    assert edited != text
    path.write_text(edited)
    wait_until(
        lambda: stack.active_targets().keys() == {("vip-exporter", "laptop"), ("demo", "lab")},
        within=10,
        otherwise=lambda: f"{stack.active_targets()}\n{stack.containers['prometheus'].last_words()}",
    )


def test_who_works_beside_the_running_exporter(stack) -> None:
    """With the same settings, for they come from the environment."""
    done = stack.containers["vip-exporter"].run(*IMAGES["vip-exporter"].entrypoint, "who")
    assert done.stdout.startswith(f"{VIP}  {MAC.hex(':')}")


def test_prometheus_scrapes_the_exporter_which_hears_the_vip(stack) -> None:
    def held() -> bool:
        asked = f'vip_state{{job="vip-exporter", instance="laptop", vip="{VIP}", state="held"}} == 1'
        return len(stack.query(asked)) == 1

    wait_until(
        held,
        within=SCRAPED_SECONDS,
        otherwise=lambda: f"{stack.query('vip_state')}\n{stack.containers['vip-exporter'].last_words()}",
    )


def test_prometheus_evaluates_the_rules_of_this_repository(stack) -> None:
    groups = stack.containers["prometheus"].get("/api/v1/rules")["data"]["groups"]
    ours = yaml.safe_load((ROOT / "alerts" / "rules.yaml").read_text())["groups"]
    names = [[rule["name"] for rule in group["rules"]] for group in groups]
    assert names == [[rule.get("alert") or rule["record"] for rule in group["rules"]] for group in ours]


def test_prometheus_knows_the_alertmanager(stack) -> None:
    def known() -> bool:
        found = stack.containers["prometheus"].get("/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
        return [each["url"] for each in found] == ["http://127.0.0.1:9093/api/v2/alerts"]

    wait_until(known, within=10, otherwise=stack.containers["prometheus"].last_words)


@pytest.mark.parametrize("name", PORTS)
def test_each_has_its_rights_and_no_more(stack, name) -> None:
    """The exporter may capture, the others nothing; none can gain a right."""
    status = Path(f"/proc/{stack.containers[name].pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    wanted = NET_RAW if name == "vip-exporter" else 0
    assert {key: int(fields[key], 16) for key in ("CapPrm", "CapEff", "CapBnd")} == dict.fromkeys(
        ("CapPrm", "CapEff", "CapBnd"), wanted
    )
    assert {int(fields[key], 16) for key in ("CapInh", "CapAmb")} == {0}
    assert fields["NoNewPrivs"] == "1"


@pytest.mark.parametrize("name", PORTS)
def test_the_root_of_each_is_read_only(stack, name) -> None:
    assert "Read-only file system" in stack.containers[name].run("touch", "/tried", check=False).stderr


def test_nothing_listens_beyond_loopback(stack) -> None:
    heard = {}
    for family, loopback in (("tcp", "0100007F"), ("tcp6", "")):
        table = Path(f"/proc/{stack.containers['prometheus'].pid}/net/{family}").read_text().splitlines()[1:]
        for _, local, _, state, *_ in map(str.split, table):
            if state == LISTENING:
                address, port = local.split(":")
                heard[int(port, 16)] = address == loopback
    assert heard == dict.fromkeys(PORTS.values(), True)


@pytest.mark.parametrize("name", [name for name in PORTS if "healthcheck" in SERVICES[name]])
def test_the_health_check_says_healthy_of_what_runs_and_ill_of_what_does_not(stack, name) -> None:
    command, *arguments = SERVICES[name]["healthcheck"]["test"]
    assert command == "CMD"
    stack.containers[name].run(*arguments)
    elsewhere = [argument.replace(str(PORTS[name]), "1") for argument in arguments]
    assert elsewhere != arguments
    assert stack.containers[name].run(*elsewhere, check=False).returncode != 0


def test_the_exporter_remembers_in_its_volume(stack) -> None:
    container = stack.containers["vip-exporter"]
    wait_until(lambda: (container.volume / "state.db").exists(), within=10, otherwise=container.last_words)
