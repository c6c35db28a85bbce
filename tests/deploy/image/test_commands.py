"""Everything that the program does works in the image, on a root that cannot be written to."""

from __future__ import annotations

import base64
import json
from ipaddress import ip_address
from pathlib import Path

import pytest
import yaml

from exporter import __version__
from exporter.lab.kubeapi import KubeAPI
from exporter.lab.repeater import Repeater
from exporter.vip.model import SECOND, parse_mac
from exporter.wire import craft
from tests.cluster.conftest import service
from tests.deploy.image.engine import NET_RAW, NO_NEW_PRIVILEGES, NO_RIGHTS, READ_ONLY, REVISION, Engine
from tests.netns import inside

pytestmark = pytest.mark.timeout(400)

VIP = "192.0.2.100"
MAC = parse_mac("02:00:00:00:00:0a")
CONFINED = (*READ_ONLY, *NET_RAW, *NO_NEW_PRIVILEGES)
ON_THE_WIRE = ("--capture.interface=eth0", "--observer.name=node-1")


@pytest.fixture(params=["image", "nonroot"])
def either(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


def test_version_names_the_commit(engine: Engine, either: str) -> None:
    assert engine.run(*CONFINED, either, "--version").stdout == f"vip-exporter {__version__} ({REVISION})\n"


@pytest.mark.parametrize(("form", "sign"), [("text", VIP), ("json", "{"), ("metrics", "vip_state{"), ("html", "<svg")])
def test_replay_judges_a_capture(engine, image, tmp_path, form, sign) -> None:
    capture = tmp_path / "capture.pcap.gz"
    packets = [(at * SECOND, craft.announcement(ip_address(VIP), MAC)) for at in range(1, 30, 3)]
    craft.write_capture(capture, packets, compressed=True)
    confined = (*READ_ONLY, *NO_RIGHTS, *NO_NEW_PRIVILEGES, "--volume", f"{capture}:/capture.pcap.gz:ro")
    done = engine.run(*confined, image, "replay", "/capture.pcap.gz", "--vip", VIP, "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    assert sign in done.stdout


@pytest.fixture
def cluster(cable, tmp_path):
    """A cluster whose Service says that node-1 has the VIP, which is announced; its API is on the wire's near side."""
    with inside(cable.here):
        api = KubeAPI(token="token")
        api.apply("services", service(host="node-1", ip=VIP))
        api.apply("nodes", {"metadata": {"name": "node-1"}, "status": {"addresses": []}})
        api.start()
    kubeconfig = api.write_kubeconfig(tmp_path / "kubeconfig")
    # As most have it; nobody looks at it here, but the library lays it down in a file.
    embedded = {"certificate-authority-data": base64.b64encode(b"a certificate").decode()}
    content = yaml.safe_load(kubeconfig.read_text())
    content["clusters"][0]["cluster"] |= embedded
    kubeconfig.write_text(yaml.safe_dump(content))
    kubeconfig.chmod(0o644)  # else nobody but root could read it
    announcer = Repeater(lambda: cable.send([craft.announcement(ip_address(VIP), MAC)]), period=0.5, name="announcer")
    announcer.start()
    yield "--volume", f"{kubeconfig}:/etc/vip-exporter/kubeconfig:ro", "--tmpfs", "/tmp"
    announcer.stop()
    api.stop()


def test_who_and_check_answer_from_kubernetes(engine, image, cable, cluster) -> None:
    kubernetes = ("--kubernetes.kubeconfig=/etc/vip-exporter/kubeconfig", *ON_THE_WIRE)
    network = f"ns:/run/netns/{cable.here}"
    who = engine.run(*CONFINED, *cluster, image, "who", "--json", *kubernetes, network=network)
    (vip,) = json.loads(who.stdout)["vips"]
    assert vip["vip"] == VIP
    assert vip["holder"] == "node-1"
    assert vip["holder_source"] == "annotation"
    check = engine.run(*CONFINED, *cluster, image, "check", *kubernetes, network=network)
    assert check.returncode in (0, 1), check.stderr
    assert VIP in check.stdout


def test_run_watches_kubernetes_and_says_which_build_it_is(engine, either, cable, cluster) -> None:
    kubernetes = ("--kubernetes.kubeconfig=/etc/vip-exporter/kubeconfig", *ON_THE_WIRE)
    with engine.running(cable.here, *CONFINED, *cluster, either, *kubernetes) as container:
        container.eventually("vip_exporter_kubernetes_up")
        assert container.eventually("vip_source_holder_info", source="annotation").labels["holder"] == "node-1"
        (build,) = container.samples("vip_exporter_build_info")
        assert (build.labels["version"], build.labels["revision"]) == (__version__, REVISION)
        assert build.labels["pythonversion"].startswith("3.13.")
        assert VIP in container.get("/")


def test_the_state_is_kept_on_a_volume_of_its_own(engine, either, cable, intent) -> None:
    """A new volume takes the owner of the folder in the image: either user may write there without any right."""
    options = ("--volume", "/var/lib/vip-exporter", "--volume", f"{intent}:/etc/vip-exporter/vips.yaml:ro")
    settings = ("--intent.file=/etc/vip-exporter/vips.yaml", "--state.path=/var/lib/vip-exporter/state.db")
    with engine.running(cable.here, *CONFINED, *options, either, *settings, *ON_THE_WIRE) as container:
        assert container.eventually("vip_exporter_state_file_up").value == 1


def test_it_writes_nothing_where_it_could(engine, either, cable, intent) -> None:
    volume = ("--volume", f"{intent}:/etc/vip-exporter/vips.yaml:ro")
    settings = ("--intent.file=/etc/vip-exporter/vips.yaml", *ON_THE_WIRE)
    with engine.running(cable.here, "--read-only=false", *NET_RAW, *volume, either, *settings) as container:
        container.get("/")
        container.get("/metrics")
        root = Path(f"/proc/{container.pid}/root")
        begun = Path(f"/proc/{container.pid}").stat().st_mtime
        changed = [
            path
            for folder in ("opt", "usr", "var", "tmp", "home", "root")
            for path in (root / folder).rglob("*")
            if path.lstat().st_mtime >= begun
        ]
        assert changed == []
