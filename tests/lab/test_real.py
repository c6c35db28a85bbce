"""The suite that needs real binaries, up to their start: what it asks for, and how it would run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from exporter.cluster.client import Client
from exporter.cluster.target import Target
from exporter.lab.cluster import LEASE, SERVICE, node, service
from exporter.lab.network import Network, inside
from tests.real import rbac
from tests.real.binaries import Binaries, MissingError, find
from tests.real.control_plane import ADMIN, ControlPlane
from tests.real.kube_vip import kube_vip

VIP = IPv4Address("192.0.2.100")
ROOT = Path(__file__).parent.parent.parent

ETCD = """
import pathlib, sys, time
pathlib.Path(sys.argv[sys.argv.index("--data-dir") + 1]).with_suffix(".args").write_text(" ".join(sys.argv[1:]))
time.sleep(600)
"""
KUBE_VIP = """
import json, os, socket, sys, time
print(json.dumps({"argv": sys.argv[1:], "name": socket.gethostname(), "environment": dict(os.environ)}), flush=True)
time.sleep(600)
"""
APISERVER = """
import csv, http.server, json, ssl, sys
flags = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
users = {row[0]: row[1:] for row in csv.reader(open(flags["token-auth-file"]))}
stored = {}

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        path = self.path.partition("?")[0]
        user = users.get(self.headers["Authorization"].removeprefix("Bearer "))
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
        status, said = 401 if user is None else 200, stored
        if user and self.command == "POST":
            key = f"{path}/{body['metadata']['name']}"
            status = 409 if key in stored else 201
            stored.setdefault(key, user + [body])
        elif path == "/api/v1/nodes":
            items = [entry[-1] for key, entry in stored.items() if key.startswith(path)]
            said = {"kind": "NodeList", "metadata": {"resourceVersion": "1"}, "items": items}
        payload = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer((flags["bind-address"], int(flags["secure-port"])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(flags["tls-cert-file"], flags["tls-private-key-file"])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Binaries:
    """Fakes: what is started is real, but for the programs themselves."""
    directory = tmp_path_factory.mktemp("assets")
    for name, text in (("etcd", ETCD), ("kube-apiserver", APISERVER), ("kube-vip", KUBE_VIP)):
        path = directory / name
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(0o755)
    return Binaries(directory / "etcd", directory / "kube-apiserver", directory / "kube-vip")


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with Network(prefix="vipx-real") as network:
        yield network


@pytest.fixture(scope="module")
def plane(network: Network, binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    directory = tmp_path_factory.mktemp("plane")
    with ControlPlane(host=network.observer, binaries=binaries, directory=directory, users=["exporter"]) as plane:
        yield plane


class TestWhatIsMissing:
    @pytest.mark.parametrize(
        ("environ", "missing"),
        [
            pytest.param({}, ["KUBEBUILDER_ASSETS is not set", "KUBE_VIP is not set"], id="nothing is set"),
            pytest.param(
                {"KUBEBUILDER_ASSETS": "/nowhere", "KUBE_VIP": "/etc/passwd"},
                [
                    "/nowhere/etcd is no file that can be run (KUBEBUILDER_ASSETS)",
                    "/nowhere/kube-apiserver is no file that can be run (KUBEBUILDER_ASSETS)",
                    "/etc/passwd is no file that can be run (KUBE_VIP)",
                ],
                id="wrong paths",
            ),
        ],
    )
    def test_is_said_with_what_is_needed(self, environ: dict[str, str], missing: list[str]) -> None:
        with pytest.raises(MissingError) as caught:
            find(environ)
        text = str(caught.value)
        assert [line.removeprefix("  - ") for line in text.partition("Missing:\n")[2].splitlines()] == missing
        assert "make e2e KUBEBUILDER_ASSETS=" in text

    def test_ends_the_suite_at_once(self) -> None:
        """With a status of its own, and no test run or skipped."""
        environ = {key: value for key, value in os.environ.items() if key not in ("KUBEBUILDER_ASSETS", "KUBE_VIP")}
        result = pytest_run("tests/real/scenarios.py", environ=environ)
        assert result.returncode == 2
        assert "KUBE_VIP is not set" in result.stdout
        assert "setup-envtest" in result.stdout
        assert "passed" not in result.stdout

    def test_is_no_matter_to_other_tests(self) -> None:
        """They do not collect it."""
        result = pytest_run("--collect-only", "tests/real")
        assert "no tests collected" in result.stdout


def pytest_run(*arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_files_that_can_be_run_are_found(binaries: Binaries) -> None:
    environ = {"KUBEBUILDER_ASSETS": str(binaries.etcd.parent), "KUBE_VIP": str(binaries.kube_vip)}
    assert find(environ) == binaries


def test_etcd_is_reached_from_the_observer_only(plane: ControlPlane) -> None:
    command = plane.etcd.command
    urls = [argument for argument in command if argument.startswith("http")]
    assert urls
    assert all(url.startswith("http://127.0.0.1:") for url in urls)
    assert eventually(lambda: list(plane.etcd.log.parent.glob("etcd.args")))


def test_api_server_listens_on_the_segment_and_asks_rbac(plane: ControlPlane) -> None:
    flags = plane.apiserver.command
    assert {"--bind-address=192.0.2.10", "--authorization-mode=RBAC"} <= set(flags)
    assert any(flag.startswith("--token-auth-file=") for flag in flags)


def test_objects_are_created_as_the_administrator(plane: ControlPlane, network: Network) -> None:
    """Each in its namespace, which is made before; what is there already stays."""
    plane.create("services", service([VIP]))
    plane.create("nodes", node(network.hosts["node-1"]))
    plane.create("nodes", node(network.hosts["node-1"]))
    stored = plane.get("/stored")
    paths = list(stored)
    assert paths.index("/api/v1/namespaces/kube-system") < paths.index(
        f"/api/v1/namespaces/kube-system/services/{SERVICE.name}"
    )
    user, _, groups, created = stored["/api/v1/nodes/node-1"]
    assert (user, groups) == (ADMIN, "system:masters")
    assert (created["apiVersion"], created["kind"]) == ("v1", "Node")


@pytest.mark.parametrize("name", ["observer", "node-2"])
def test_the_exporter_gets_in_with_its_kubeconfig(plane: ControlPlane, network: Network, name: str) -> None:
    """Over TLS that it verifies, from any host."""
    plane.create("nodes", node(network.hosts["node-1"]))

    def ask() -> Any:
        with closing(Client(kubeconfig=str(plane.kubeconfig("exporter")))) as client:
            return client.list(Target("nodes")).read()

    answer = inside(network.hosts[name].namespace, ask)
    assert [item["metadata"]["name"] for item in answer["items"]] == ["node-1"]


def test_tokens_are_for_their_users_only(plane: ControlPlane) -> None:
    tokens = (plane.kubeconfig("exporter").parent / "tokens.csv").read_text()
    assert [line.split(",")[1] for line in tokens.splitlines()] == [ADMIN, "exporter"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in [plane.kubeconfig(ADMIN), plane.kubeconfig("exporter")])


def test_kube_vip_runs_on_each_node_by_its_name(
    plane: ControlPlane, network: Network, binaries: Binaries, tmp_path: Path
) -> None:
    """It announces Services from the node's interface, and elects by the lease that the exporter looks for."""
    host = network.hosts["node-2"]
    with kube_vip(
        host=host, binary=binaries.kube_vip, kubeconfig=plane.kubeconfig(ADMIN), directory=tmp_path
    ) as running:
        assert eventually(lambda: running.log.read_text().endswith("\n"))
        told = json.loads(running.log.read_text())
        assert running.running
        running.kill()
        assert not running.running
    assert (told["argv"], told["name"]) == (["manager"], "node-2")
    environment = told["environment"]
    assert environment["vip_nodename"] == "node-2"
    assert environment["vip_interface"] == "eth0"
    assert (environment["cp_namespace"], environment["svc_leasename"]) == (LEASE.namespace, LEASE.name)
    assert Path(environment["HOME"], ".kube", "config").read_text() == plane.kubeconfig(ADMIN).read_text()
    assert environment["k8s_config_file"] == str(plane.kubeconfig(ADMIN))


def test_the_documented_roles_are_bound_to_the_exporter(plane: ControlPlane) -> None:
    """Those of the defaults, which permit reading only; each by a binding of its own, where it is."""
    roles = rbac.roles(rbac.PAGE.read_text())
    assert {verb for role in roles for rule in role["rules"] for verb in rule["verbs"]} <= {"get", "list", "watch"}
    plane.apply([*roles, *rbac.bindings(roles, "exporter")])
    stored = plane.get("/stored")
    for role in roles:
        within = f"/namespaces/{role['metadata']['namespace']}" if "namespace" in role["metadata"] else ""
        path = f"/apis/{rbac.API}/v1{within}/{role['kind'].lower()}bindings/{role['metadata']['name']}"
        bound = stored[path][-1]
        assert (bound["roleRef"]["kind"], bound["subjects"][0]["name"]) == (role["kind"], "exporter")


def eventually(holds: Callable[[], object]) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with suppress(OSError):
            if holds():
                return True
        time.sleep(0.05)
    return False
