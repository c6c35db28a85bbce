"""What docs/security.md says the program does not do, held to its code and to a real wire."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from exporter.vip.model import Mac
from exporter.wire import craft
from release.versions import ROOT
from tests import netns
from tests.e2e.running import until

VIP = ip_address("192.0.2.100")
NODE = ip_address("192.0.2.11")
MAC = Mac(bytes.fromhex("02000000000b"))

LAB = ROOT / "exporter" / "lab"
"""The demo: it builds a network and sends frames, on request, and `run` never loads it (import-linter holds that)."""
SOURCES = sorted(path for path in (ROOT / "exporter").rglob("*.py") if LAB not in path.parents)

RUNS_OR_LOADS_CODE = {
    *("subprocess", "multiprocessing", "pty", "runpy", "code", "codeop", "pickle", "marshal", "shelve", "dill"),
    *("importlib.metadata", "pkg_resources", "webbrowser", "ctypes.util"),
}
ASKS_SOMEBODY = {
    *("urllib.request", "http.client", "requests", "aiohttp", "xmlrpc", "ftplib", "smtplib", "websocket"),
    *("urllib3", "socketserver"),
}
DANGEROUS_CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.fork", "os.forkpty", "os.posix_spawn"),
    *("os.posix_spawnp", "os.startfile", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"),
    *(
        f"os.{kind}{suffix}"
        for kind in ("exec", "spawn")
        for suffix in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")
    ),
}


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All of a file's syntax tree."""
    return tuple(ast.walk(ast.parse(path.read_text())))


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, with those above it."""
    for node in nodes(path):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def calls(path: Path) -> Iterator[str]:
    """What a file calls, as it stands there: `os.open`, `self.send`."""
    for node in nodes(path):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def where(predicate) -> set[str]:
    return {str(path.relative_to(ROOT / "exporter")) for path in SOURCES if predicate(path)}


def test_no_program_is_run_and_no_code_loaded() -> None:
    assert where(lambda path: RUNS_OR_LOADS_CODE & set(imported(path))) == set()
    assert where(lambda path: DANGEROUS_CALLS & set(calls(path))) == set()


def test_modules_are_loaded_by_name_in_one_place() -> None:
    """The command line's, out of a fixed list."""
    assert where(lambda path: "importlib.import_module" in set(imported(path))) == {"cli/__init__.py"}


def test_nobody_is_asked_but_the_api_server() -> None:
    """No telemetry, no look for updates: the one HTTP client is that of Kubernetes. `urllib3` names its exceptions."""
    assert where(lambda path: ASKS_SOMEBODY & set(imported(path))) == {"cluster/client.py"}
    assert where(lambda path: "kubernetes" in set(imported(path))) == {"cluster/client.py"}


def test_kubernetes_is_only_read() -> None:
    written = {
        node.value
        for path in SOURCES
        if "cluster" in path.parts
        for node in nodes(path)
        if isinstance(node, ast.Constant) and node.value in ("GET", "POST", "PUT", "PATCH", "DELETE")
    }
    assert written == {"GET"}


def test_few_modules_send_anything_by_a_socket() -> None:
    """To the kernel, which is asked for addresses, and to systemd, which is told of readiness; HTTP is tornado's."""
    verbs = {"send", "sendto", "sendmsg", "sendall", "sendfile"}

    def sends(path: Path) -> bool:
        return any(call.rpartition(".")[2] in verbs and call != "self.send" for call in calls(path))

    assert where(sends) == {"host/netlink.py", "service_manager.py"}


def test_http_changes_nothing_but_by_reload() -> None:
    methods = [
        (owner.name, method.name)
        for owner in nodes(ROOT / "exporter" / "publish" / "web" / "server.py")
        if isinstance(owner, ast.ClassDef)
        for method in owner.body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
        and method.name in ("post", "put", "patch", "delete")
    ]
    assert methods == [("_Reload", "post")]


def test_it_sends_no_frame_and_connects_to_nobody(tmp_path) -> None:
    """Frames of every kind, some of which ask for an answer, and for the VIP of a node that would give one."""
    listen = tmp_path / "web.sock"
    intent = tmp_path / "vips.yaml"
    intent.write_text(f"vips:\n  - address: {VIP}\n")
    frames = [
        craft.announcement(VIP, MAC),
        craft.probe(VIP, MAC),
        craft.ordinary_request(NODE, MAC, VIP),
        craft.ordinary_request(VIP, MAC, NODE),
    ]
    with netns.wire() as wire:
        process = subprocess.Popen(
            [
                *("ip", "netns", "exec", wire.here, sys.executable, "-m", "exporter", "run"),
                *(
                    f"--intent.file={intent}",
                    f"--capture.interface={netns.DEVICE}",
                    f"--web.listen-address=unix:{listen}",
                ),
            ]
        )
        try:

            def heard() -> bool:
                assert process.poll() is None
                wire.send(frames)
                asked = ["curl", "-s", "--unix-socket", str(listen), "http://vip-exporter/metrics"]
                answer = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
                return re.search(r'^vip_announcements_total{kind="request".*} [1-9]', answer, re.MULTILINE) is not None

            until(heard)
            time.sleep(2)
            assert sent(wire.here) == 0
            # Sockets of the whole namespace, in which nobody else is.
            tables = [Path("/proc", str(process.pid), "net", name) for name in ("tcp", "tcp6", "udp", "udp6", "raw")]
            assert [line for table in tables for line in table.read_text().splitlines()[1:]] == []
        finally:
            process.terminate()
            process.wait(10)


def test_the_count_of_sent_frames_counts() -> None:
    """Otherwise the test above proves nothing."""
    with netns.wire() as wire:
        wire.send([craft.announcement(VIP, MAC)])
        assert (sent(wire.there), sent(wire.here)) == (1, 0)


def sent(namespace: str) -> int:
    """Frames that the interface has sent, by the kernel's count."""
    with netns.inside(namespace):
        (line,) = [
            line for line in Path("/proc/thread-self/net/dev").read_text().splitlines() if f"{netns.DEVICE}:" in line
        ]
    return int(line.partition(":")[2].split()[9])
