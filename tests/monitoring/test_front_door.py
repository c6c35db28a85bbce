"""Prometheus scrapes through a closed front door: with basic_auth, with tls_config, and not without them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from exporter.lab.network import ip
from tests.monitoring.process import Server, wait_until
from tests.monitoring.servers import Prometheus, Target
from tests.publish.web.certificates import Authority

PORT = 10150
TARGET = Target(f"localhost:{PORT}", {})


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    name = f"vipx-{os.getpid()}-door"
    ip("netns", "add", name)
    try:
        ip("link", "set", "lo", "up", inside=name)
        yield name
    finally:
        ip("netns", "delete", name)


class GuardedExporter(Server):
    """With TLS that asks for a client's certificate, and a user; ready when it listens."""

    name = "vip-exporter"
    port = PORT

    def command(self) -> list[str]:
        intent = self.directory / "intent.yaml"
        intent.write_text("vips:\n  - {address: 192.0.2.100, vipHost: node-1}\n")
        return [
            *(sys.executable, "-m", "exporter", f"--intent.file={intent}", "--capture.interface=lo"),
            f"--web.config.file={self.directory / 'web.yaml'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def _is_ready(self) -> bool:
        return "msg=started" in self.log.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def house(namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("door")
    authority = Authority(directory)
    server, _ = authority.issue("server"), authority.issue("client")
    hashed = bcrypt.hashpw(b"s3cret", bcrypt.gensalt(10)).decode()
    (directory / "web.yaml").write_text(
        "tls_server_config:\n"
        f"  cert_file: {server.certificate}\n"
        f"  key_file: {server.key}\n"
        "  client_auth_type: RequireAndVerifyClientCert\n"
        f"  client_ca_file: {authority.certificate}\n"
        "  min_version: TLS13\n"
        "basic_auth_users:\n"
        f"  prometheus: {hashed}\n"
    )
    with GuardedExporter(namespace=namespace, directory=directory):
        yield directory


def scrape(house: Path, *, password: str = "s3cret", certificate: bool = True) -> dict[str, Any]:
    own = {"cert_file": str(house / "client.crt"), "key_file": str(house / "client.key")} if certificate else {}
    return {
        "scheme": "https",
        "basic_auth": {"username": "prometheus", "password": password},
        "tls_config": {"ca_file": str(house / "authority.crt"), **own},
    }


def test_with_password_and_certificate_it_is_scraped(house: Path, namespace: str, tmp_path: Path) -> None:
    options = {"namespace": namespace, "directory": tmp_path, "targets": [TARGET]}
    with Prometheus(scrape=scrape(house), **options) as prometheus:
        prometheus.wait_until_scraped()
        (sample,) = prometheus.query("vip_holder_info").result
        assert sample["metric"]["holder"] == "node-1"


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"password": "wrong"}, "401 Unauthorized"),
        ({"certificate": False}, "certificate required"),
    ],
)
def test_without_either_it_is_not(
    house: Path, namespace: str, tmp_path: Path, how: dict[str, Any], complaint: str
) -> None:
    with Prometheus(
        scrape=scrape(house, **how), namespace=namespace, directory=tmp_path, targets=[TARGET]
    ) as prometheus:

        def last_error() -> str:
            targets = prometheus.get("/api/v1/targets")["data"]["activeTargets"]
            return "; ".join(target["lastError"] for target in targets)

        wait_until(lambda: complaint in last_error(), within=20, otherwise=last_error)
        assert not any(prometheus.targets_up().values())


def test_the_configuration_of_the_documentation_is_the_one_that_works() -> None:
    """docs/web-config.md shows the keys that are used here."""
    text = (Path(__file__).parents[2] / "docs" / "web-config.md").read_text(encoding="utf-8")
    for key in ("scheme: https", "basic_auth:", "tls_config:", "ca_file:", "cert_file:", "key_file:"):
        assert key in text
