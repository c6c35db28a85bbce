"""A Kubernetes control plane of two real processes on the observer: etcd on loopback, kube-apiserver on the segment.

No controller, no scheduler, no kubelet: the Nodes that they would make, the tests make. Who asks is known by a token
from a file; what he may, RBAC says.
"""

from __future__ import annotations

import json
import secrets
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import yaml

from exporter.lab.kubeapi.words import RESOURCES
from exporter.lab.network import Host, inside
from tests.real.binaries import Binaries
from tests.real.daemon import Daemon

PORT = 6443
ETCD = "http://127.0.0.1:2379"
READY_SECONDS = 60.0
ADMIN = "admin"

Json = dict[str, Any]


def etcd_command(binary: Path, data: Path) -> list[str]:
    return [
        str(binary),
        *("--data-dir", str(data)),
        *("--listen-client-urls", ETCD, "--advertise-client-urls", ETCD),
        *("--listen-peer-urls", "http://127.0.0.1:2380"),
    ]


def apiserver_command(binary: Path, host: Host, files: Path) -> list[str]:
    return [
        str(binary),
        f"--etcd-servers={ETCD}",
        f"--bind-address={host.address}",
        f"--advertise-address={host.address}",
        f"--secure-port={PORT}",
        f"--cert-dir={files}",
        f"--tls-cert-file={files / 'server.crt'}",
        f"--tls-private-key-file={files / 'server.key'}",
        f"--token-auth-file={files / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={files / 'accounts.key'}",
        f"--service-account-signing-key-file={files / 'accounts.key'}",
        "--endpoint-reconciler-type=none",
    ]


class ControlPlane:
    """A context manager: inside, the API answers.

    Args:
        host: where it runs.
        binaries: what runs.
        directory: for its files; must exist.
        users: who may ask, beside the administrator.
    """

    def __init__(self, *, host: Host, binaries: Binaries, directory: Path, users: Sequence[str]) -> None:
        self.url = f"https://{host.address}:{PORT}"
        self._host = host
        self._directory = directory
        self._users = tuple(users)
        self._tokens = {name: secrets.token_hex() for name in (ADMIN, *users)}
        self.etcd = Daemon(
            host=host, command=etcd_command(binaries.etcd, directory / "etcd"), log=directory / "etcd.log"
        )
        self.apiserver = Daemon(
            host=host,
            command=apiserver_command(binaries.apiserver, host, directory),
            log=directory / "kube-apiserver.log",
        )
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        self._write_files()
        with ExitStack() as parts:
            parts.enter_context(self.etcd)
            parts.enter_context(self.apiserver)
            self.wait_until_ready()
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def kubeconfig(self, user: str) -> Path:
        """The file by which a user gets in."""
        return self._directory / f"{user}.kubeconfig"

    def wait_until_ready(self) -> None:
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                self.request("GET", "/readyz")
                return
            except OSError as error:
                assert self.apiserver.running, self.apiserver.last_words()
                assert time.monotonic() < until, f"{error}\n{self.apiserver.last_words()}"
                time.sleep(0.2)

    # --- objects ----------------------------------------------------------------------------------------------------

    def create(self, resource: str, obj: Json) -> None:
        """Create one of the lab's objects. A Service's status is left out by the server; kube-vip writes it."""
        known = RESOURCES[resource]
        self.apply([{"apiVersion": known.api, "kind": known.kind} | obj])

    def apply(self, manifests: Iterable[Json]) -> None:
        """Create what is not there yet, and the namespaces that it needs."""
        for manifest in manifests:
            namespace = manifest["metadata"].get("namespace")
            wanted = [manifest]
            if namespace:
                wanted.insert(0, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            for obj in wanted:
                try:
                    self.request("POST", _path(obj), obj)
                except urllib.error.HTTPError as error:
                    if error.code != 409:  # it is there
                        raise AssertionError(f"{obj['kind']}: {error.read().decode()}") from None

    def get(self, path: str) -> Json:
        found: Json = json.loads(self.request("GET", path))
        return found

    def request(self, method: str, path: str, body: Json | None = None) -> bytes:
        """Ask as the administrator."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._tokens[ADMIN]}", "Content-Type": "application/json"},
        )

        def ask() -> bytes:
            trust = ssl.create_default_context(cafile=str(self._directory / "server.crt"))
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
            )
            with opener.open(request, timeout=10) as response:
                answer: bytes = response.read()
                return answer

        return inside(self._host.namespace, ask)

    # --- files ------------------------------------------------------------------------------------------------------

    def _write_files(self) -> None:
        files = self._directory
        _openssl("genrsa", "-out", str(files / "accounts.key"), "2048")
        _openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=lab"),
            *("-addext", f"subjectAltName=IP:{self._host.address}"),
            *("-keyout", str(files / "server.key"), "-out", str(files / "server.crt")),
        )
        rows = [f'{self._tokens[ADMIN]},{ADMIN},{ADMIN},"system:masters"']
        rows += [f"{self._tokens[name]},{name},{name}" for name in self._users]
        tokens = files / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text("\n".join(rows) + "\n")
        for name, token in self._tokens.items():
            cluster = {"server": self.url, "certificate-authority": str(files / "server.crt")}
            content = {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "lab",
                "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": name}}],
                "clusters": [{"name": "lab", "cluster": cluster}],
                "users": [{"name": name, "user": {"token": token}}],
            }
            path = self.kubeconfig(name)
            path.touch(mode=0o600)
            path.write_text(yaml.safe_dump(content))


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def _path(obj: Json) -> str:
    """Where an object of this kind is created."""
    api, namespace = obj["apiVersion"], obj["metadata"].get("namespace")
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/{'apis' if '/' in api else 'api'}/{api}{within}/{obj['kind'].lower()}s"
