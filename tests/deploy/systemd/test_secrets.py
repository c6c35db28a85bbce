"""Files that only some may read, and a socket that only some may use, in the ways that docs/systemd.md describes."""

from __future__ import annotations

import subprocess

import bcrypt
import pytest

from tests.deploy.systemd.machine import Machine

PASSWORD = "correct horse"
GROUP = "vip-exporter-secrets"
GID = 901
WEB = "/etc/vip-exporter/web"
WEB_SETTINGS = f"intent: {{file: /etc/vip-exporter/vips.yaml}}\nweb: {{config: {{file: {WEB}/web.yaml}}}}\n"
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: me, user: {token: abc}}]
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[str, str]:
    """A key and the certificate that it signs itself."""
    directory = tmp_path_factory.mktemp("pair")
    key, certificate = directory / "tls.key", directory / "tls.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", "/CN=vip-exporter", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return key.read_text(), certificate.read_text()


def users(password: str) -> str:
    return f"basic_auth_users: {{prometheus: {bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}}}\n"


def write_web(host: Machine, pair: tuple[str, str], password: str) -> None:
    """All of it for root and a group."""
    tls = "tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n"
    for name, text in (("tls.key", pair[0]), ("tls.crt", pair[1]), ("web.yaml", tls + users(password))):
        host.write(f"{WEB}/{name}", text, 0o640)
    host.run("chgrp", "-R", GROUP, WEB)


def status(host: Machine, password: str) -> str:
    """Of an answer to Prometheus."""
    curl = ("curl", "--silent", "--insecure", "--output", "/dev/null", "--write-out", "%{http_code}")
    return host.run(*curl, "--user", f"prometheus:{password}", "https://127.0.0.1:10150/metrics")


def test_the_files_of_the_front_door_are_for_a_group_and_are_read_anew(stopped, pair) -> None:
    write_web(stopped, pair, PASSWORD)
    stopped.write("/etc/vip-exporter/config.yaml", WEB_SETTINGS)
    stopped.systemctl("start", "vip-exporter", succeeds=False)
    assert stopped.wrote(f"{WEB}/web.yaml")
    stopped.drop_in(f"[Service]\nSupplementaryGroups={GROUP}\n")
    stopped.systemctl("restart", "vip-exporter")
    assert stopped.process()["Groups"].split() == [str(GID), stopped.process()["Gid"].split()[0]]
    assert (status(stopped, PASSWORD), status(stopped, "wrong")) == ("200", "401")
    write_web(stopped, pair, "another")
    stopped.systemctl("reload", "vip-exporter")
    stopped.until(lambda: (status(stopped, "another"), status(stopped, PASSWORD)) == ("200", "401"))


def test_a_kubeconfig_that_only_root_may_read_is_handed_over_as_a_credential(stopped) -> None:
    stopped.write("/etc/rancher/k3s/k3s.yaml", KUBECONFIG, 0o600)
    stopped.write("/etc/vip-exporter/config.yaml", "state: {path: /var/lib/vip-exporter/state.db}\n")
    stopped.drop_in(
        "[Service]\n"
        "LoadCredential=kubeconfig:/etc/rancher/k3s/k3s.yaml\n"
        "Environment=VIP_EXPORTER_KUBERNETES_KUBECONFIG=%d/kubeconfig\n"
    )
    stopped.systemctl("start", "vip-exporter")
    assert stopped.wrote("intent=kubernetes")
    stopped.systemctl("reload", "vip-exporter")
    stopped.until(lambda: stopped.show("StatusText") == "Kubernetes does not answer; no VIP is known")


def test_a_unix_socket_is_for_a_group(stopped) -> None:
    stopped.write(
        "/etc/vip-exporter/config.yaml",
        "intent: {file: /etc/vip-exporter/vips.yaml}\nweb: {listen-address: 'unix:/run/vip-exporter/web.sock'}\n",
    )
    stopped.drop_in("[Service]\nGroup=scrapers\n")
    stopped.systemctl("start", "vip-exporter")

    def ask(gid: str, *, succeeds: bool) -> str:
        who = ("setpriv", "--reuid=12345", f"--regid={gid}", "--clear-groups")
        curl = ("curl", "--silent", "--unix-socket", "/run/vip-exporter/web.sock", "http://localhost/-/healthy")
        return stopped.run(*who, *curl, succeeds=succeeds)

    assert ask("900", succeeds=True) == "ok\n"
    assert ask("12345", succeeds=False) == ""
