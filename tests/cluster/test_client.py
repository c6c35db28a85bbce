"""Where the configuration comes from, and that a broken one is explained rather than stumbled over."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.cluster import client as under_test
from exporter.cluster.client import Client, find_configuration
from exporter.cluster.errors import ClusterError, ConfigurationError, Reason
from exporter.cluster.target import Target
from tests.cluster.conftest import Cluster

TARGET = Target("services", "kube-system", "ingress-expose")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any configuration."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(under_test, "SERVICE_ACCOUNT", tmp_path / "serviceaccount")
    return tmp_path


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_order_of_configurations(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"no cluster configuration.*intent file"):
        find_configuration()
    default = put(home / ".kube" / "config")
    assert find_configuration() == str(default)
    put(home / "serviceaccount" / "token")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.43.0.1")
    assert find_configuration() == ""
    both = f"{home / 'absent'}{os.pathsep}{put(home / 'from-environment')}"
    monkeypatch.setenv("KUBECONFIG", both)
    assert find_configuration() == both
    explicit = str(put(home / "explicit"))
    assert find_configuration(explicit) == explicit


def test_file_that_is_named_must_exist(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / ".kube" / "config")
    with pytest.raises(ConfigurationError, match="/nowhere: no such file"):
        find_configuration("/nowhere")
    # As for a user who may not search the directory; that cannot be shown to root.
    with pytest.raises(ConfigurationError, match="no such file"):
        find_configuration("/" + "n" * 300)
    monkeypatch.setenv("KUBECONFIG", "/nowhere/else")
    with pytest.raises(ConfigurationError, match=r"/nowhere/else: no such file \(named by \$KUBECONFIG\)"):
        find_configuration()


GOOD = """
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: "secret"}}]
"""


@pytest.mark.parametrize(
    "content",
    [
        "",
        "just text",
        "[1, 2]",
        "{",
        "\0",
        "clusters: 5",
        GOOD.replace("current-context: c", "current-context: other"),
        GOOD.replace("clusters:", "cluster:"),
        GOOD.replace("name: u, user", "name: u, person"),
        GOOD.replace('{token: "secret"}', "{tokenFile: /nowhere}"),
        GOOD.replace("http://", "https://").replace('{token: "secret"}', "{client-certificate: /nowhere}"),
        GOOD.replace('"http://127.0.0.1:1"', '"https://127.0.0.1:1", certificate-authority: /nowhere'),
        GOOD.replace('"http://127.0.0.1:1"', "5"),
        GOOD.replace("http://127.0.0.1:1", "http://[half"),
        GOOD.replace("http://127.0.0.1:1", "no url"),
        GOOD.replace('"secret"', '"a\\nb"'),
        GOOD.replace('"secret"', '"\\u2603"'),
    ],
)
def test_broken_kubeconfig_is_a_configuration_error(home: Path, content: str) -> None:
    with pytest.raises(ClusterError) as raised:
        Client(kubeconfig=str(put(home / "kubeconfig", content))).list(TARGET).read()
    assert raised.value.reason is Reason.CONFIGURATION
    assert str(raised.value)
    assert len(str(raised.value)) < 1000


def test_service_account_is_used_and_the_line_feed_of_its_token_left_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes.config import incluster_config

    account = home / "serviceaccount"
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(put(account / "token", "secret\n")))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(put(account / "ca.crt")))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    configuration = under_test._configure("")
    assert configuration.host == "https://[fd00::1]:443"
    for _ in range(2):
        (setting,) = configuration.auth_settings().values()
        assert setting["value"] == "bearer secret"


def test_kubernetes_is_not_imported_before_the_first_request() -> None:
    code = "import sys, exporter.cluster.watch; sys.exit('kubernetes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_connection_to_a_node_that_died_is_given_up_in_seconds(cluster: Cluster) -> None:
    answer = Client(kubeconfig=str(cluster.kubeconfig)).watch(TARGET, version="1000", seconds=5)
    connection = answer._response.connection.sock
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    idle, interval, count = (connection.getsockopt(socket.IPPROTO_TCP, option) for option in options)
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert idle + interval * count <= 10
    answer.close()
