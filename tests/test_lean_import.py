"""What of large libraries is loaded, and what is not. Each in a process of its own, since nothing is ever unloaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from exporter.lean_import import skip_init


def loaded_by(code: str, *arguments: str) -> set[str]:
    """The modules that a new Python has after this."""
    told = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(told.stdout.split())


def test_a_package_counts_as_imported_without_its_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "heavy_for_the_test"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('this should not run')")
    (package / "part.py").write_text("from . import other\nVALUE = other.VALUE")
    (package / "other.py").write_text("VALUE = 7")
    monkeypatch.syspath_prepend(tmp_path)
    skip_init("heavy_for_the_test")
    from heavy_for_the_test.part import VALUE

    assert VALUE == 7
    for name in ("heavy_for_the_test", "heavy_for_the_test.part", "heavy_for_the_test.other"):
        monkeypatch.delitem(sys.modules, name)


def test_what_is_imported_already_stays_as_it_is() -> None:
    before = sys.modules["pytest"]
    skip_init("pytest")
    assert sys.modules["pytest"] is before


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_package'"):
        skip_init("no_such_package")


AT_THE_START = "import exporter.cli.serve, exporter.inputs"
SERVING = (
    "import exporter.publish.web.server, exporter.publish.web.openapi, exporter.publish.metrics, exporter.scheduler"
)


def test_a_start_brings_nothing_that_only_some_need() -> None:
    """No page, database, cluster, capture file or password: each comes with the first who needs it."""
    loaded = loaded_by(f"{AT_THE_START}\n{SERVING}")
    assert not {"jinja2", "sqlite3", "kubernetes", "scapy", "bcrypt", "pyroute2"} & loaded
    ours = {"exporter.publish.page", "exporter.publish.state_file", "exporter.cluster.watch", "exporter.look"}
    assert not ours & loaded


def test_what_serves_is_not_waited_for_before_frames_are_captured() -> None:
    assert not {"tornado", "prometheus_client", "apscheduler"} & loaded_by(AT_THE_START)


def test_who_asks_for_help_or_the_version_waits_for_neither() -> None:
    loaded = loaded_by("import exporter.cli.run")
    assert not {"exporter.app", "exporter.log", "loguru", "asyncio", "exporter.vip.core", "exporter.wire"} & loaded


def test_of_pyroute2_only_links_and_addresses_are_loaded() -> None:
    loaded = loaded_by("from exporter.host.netlink import Messages; Messages()")
    assert "pyroute2.netlink.rtnl.ifinfmsg" in loaded
    assert not {
        name for name in loaded if name.startswith(("pyroute2.ndb", "pyroute2.iproute", "pyroute2.netlink.rtnl.tcmsg"))
    }


KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: test, user: {token: test}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
"""
ASK = """
from exporter.cluster.client import Client
from exporter.cluster.errors import ClusterError
from exporter.cluster.target import Target
try:
    Client(kubeconfig=sys.argv[1]).list(Target("services", "kube-system", "ingress-expose"))
except ClusterError as error:
    assert error.reason == "unreachable", error
else:
    raise AssertionError("nobody is there who could answer")
"""
UNUSED = {"kubernetes.dynamic", "kubernetes.watch", "kubernetes.stream", "kubernetes.informer"}


def test_of_kubernetes_only_the_client_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    loaded = loaded_by(ASK, str(path))
    assert "kubernetes.client.api_client" in loaded
    assert not UNUSED & loaded
    assert not {name for name in loaded if name.startswith(("kubernetes.client.models.", "kubernetes.client.api."))}


def test_in_a_pod_nothing_of_a_kubeconfig_s_logins_is_loaded() -> None:
    enter = "from exporter.cluster.client import _enter_library; _enter_library()"
    loaded = loaded_by(f"{enter}; import kubernetes.config.incluster_config")
    assert "kubernetes.config.incluster_config" in loaded
    assert not {"kubernetes.config.kube_config", "oauthlib", "requests"} & loaded
