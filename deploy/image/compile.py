"""Imports and does once all that the program can do in the image, then compiles what that took.

    python3 -B compile.py SITE_PACKAGES

Distroless brings its standard library without bytecode, and a read-only root never gets any: each start would compile
everything anew. And what `prune.py` took too much of is missed here, where the build fails, not on a node. The bytecode
is not checked against its source when loaded (PEP 552): both lie in the same read-only image.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import io
import os
import pkgutil
import py_compile
import site
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType


def main(packages: str) -> int:
    site.addsitedir(packages)
    with tempfile.TemporaryDirectory() as directory:
        # scapy keeps what it once read below the home directory, as pickles; they are not to become part of the image.
        os.environ |= {"HOME": directory, "XDG_CACHE_HOME": directory, "XDG_CONFIG_HOME": directory}
        import exporter

        # First, since what large packages are to skip (`exporter/lean_import.py`) is skipped only before their import.
        _use(Path(directory))
        for module in [exporter, *_modules(exporter)]:
            for name in _imports(module):
                _import(name)
    print(f"compiled {_compile()} modules")
    return 0


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith(".__main__"):  # which runs the program
            yield import_module(found.name)


def _imports(module: ModuleType) -> Iterator[str]:
    """What a module imports, what it puts off until it is needed included, what only type checkers need left out."""
    left: list[ast.AST] = [ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))]
    while left:
        match left.pop():
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                pass
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(source, names) if source:
                yield from (f"{source}:{alias.name}" for alias in names)
            case node:
                left += ast.iter_child_nodes(node)


def _import(name: str) -> None:
    source, _, attribute = name.partition(":")
    module = import_module(source)
    if attribute and not hasattr(module, attribute):
        import_module(f"{source}.{attribute}")


def _use(directory: Path) -> None:
    """What libraries put off until they are used, no import of ours tells."""
    _read_links()
    _ask_kubernetes(directory)
    asyncio.run(_prepare_to_run())
    _replay(directory)
    _run("--version")
    _run("--help")


def _read_links() -> None:
    """As far as that goes without a network."""
    from exporter.host.netlink import Messages

    Messages()


def _ask_kubernetes(directory: Path) -> None:
    """List, watch, and be refused."""
    from exporter.cluster.client import Client
    from exporter.cluster.errors import ClusterError
    from exporter.cluster.target import Target
    from exporter.lab.kubeapi import KubeAPI

    target = Target("services", "kube-system", "ingress-expose")
    with KubeAPI(token="right") as api:  # noqa: S106 - of a server that lives for a second
        api.apply("services", {"metadata": {"namespace": target.namespace, "name": target.name}})
        client = Client(kubeconfig=str(api.write_kubeconfig(directory / "kubeconfig")))
        found = client.list(target).read()
        assert [item["metadata"]["name"] for item in found["items"]] == [target.name], found
        watch = client.watch(target, version="1", seconds=1)
        assert next(watch.lines())["type"], "the watch said nothing"
        watch.close()
        client.close()
        api.token = "changed"  # noqa: S105 - likewise
        with contextlib.suppress(ClusterError):
            client.list(target)
            raise AssertionError("a wrong token was let in")


async def _prepare_to_run() -> None:
    """Where scheduler and web server find out what they need."""
    from tornado.ioloop import IOLoop

    from exporter.scheduler import Scheduler
    from exporter.vip.model import SECOND

    Scheduler().every(SECOND, lambda: None, name="never started")
    IOLoop.current()


def _replay(directory: Path) -> None:
    """Judge a capture of both protocols, in each format."""
    from ipaddress import ip_address

    from exporter.vip.model import SECOND, parse_mac
    from exporter.wire import craft

    vips = ("192.0.2.100", "2001:db8::100")
    mac = parse_mac("02:00:00:00:00:0a")
    packets = [(at * SECOND, craft.announcement(ip_address(vip), mac)) for at in range(1, 9) for vip in vips]
    craft.write_capture(directory / "capture.pcap.gz", packets, compressed=True)
    for form in ("text", "json", "metrics", "html"):
        said = _run("replay", str(directory / "capture.pcap.gz"), "--vip", vips[0], "--vip", vips[1], "--format", form)
        assert all(vip in said for vip in vips), said


def _run(*arguments: str) -> str:
    """What a command prints; it must end well."""
    from exporter.cli import main as program

    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        try:
            status = program(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
    assert not status, f"vip-exporter {' '.join(arguments)}: status {status}"
    return output.getvalue()


def _compile() -> int:
    """Write the bytecode of everything that is loaded now."""
    done = 0
    for module in list(sys.modules.values()):
        spec = getattr(module, "__spec__", None)
        if spec is None or not spec.cached or not str(spec.origin).endswith(".py"):
            continue
        py_compile.compile(
            spec.origin,
            cfile=spec.cached,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        done += 1
    return done


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
