"""With which rights the image works, and how it refuses where they are missing.

Real containers: crun gives them their namespaces, capabilities and podman's seccomp filter, and a veth pair the frames.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from exporter.vip.model import format_mac, parse_mac
from exporter.wire import craft
from tests.deploy.image.engine import (
    BOUNDING_ONLY,
    NET_RAW,
    NO_NEW_PRIVILEGES,
    NO_RIGHTS,
    READ_ONLY,
    Container,
    Engine,
)
from tests.netns import Wire

pytestmark = pytest.mark.timeout(400)

VIP = ip_address("192.0.2.100")
MAC = parse_mac("02:00:00:00:00:0a")
EX_NOPERM = 77
NOTHING, ONLY_NET_RAW = "0000000000000000", "0000000000002000"  # bit 13, capability.h


def exporter(image: str, intent: Path) -> tuple[str, ...]:
    volume = f"{intent}:/etc/vip-exporter/vips.yaml:ro"
    settings = ("--intent.file=/etc/vip-exporter/vips.yaml", "--capture.interface=eth0", "--observer.name=node-1")
    return ("--volume", volume, image, *settings)


def hears(container: Container, cable: Wire) -> None:
    """It says who announces the VIP, and that it heard it on the wire."""
    cable.send([craft.announcement(VIP, MAC)])
    holder = container.eventually("vip_source_holder_info", vip=str(VIP), source="wire")
    assert holder.labels["mac"] == format_mac(MAC)


def rights(container: Container) -> dict[str, str]:
    status = container.status()
    return {name: status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")}


def only_net_raw(*, no_new_privileges: bool) -> dict[str, str]:
    return {
        "CapInh": NOTHING,
        "CapPrm": ONLY_NET_RAW,
        "CapEff": ONLY_NET_RAW,
        "CapBnd": ONLY_NET_RAW,
        "CapAmb": NOTHING,
        "NoNewPrivs": str(int(no_new_privileges)),
        "Seccomp": "2",
    }


def test_root_with_net_raw_and_nothing_else_hears(engine: Engine, image: str, cable: Wire, intent: Path) -> None:
    options = (*READ_ONLY, *NET_RAW, *NO_NEW_PRIVILEGES, *exporter(image, intent))
    with engine.running(cable.here, *options) as container:
        hears(container, cable)
        assert rights(container) == only_net_raw(no_new_privileges=True)
        assert set(container.status()["Uid"].split()) == {"0"}


@pytest.mark.parametrize("forbidden", [False, True], ids=["escalation-allowed", "no-new-privileges"])
def test_the_other_user_with_net_raw_hears(engine, nonroot, cable, intent, forbidden) -> None:
    """no_new_privs takes from a file's capabilities only what the runtime did not give the process itself."""
    more = NO_NEW_PRIVILEGES if forbidden else ()
    with engine.running(cable.here, *READ_ONLY, *NET_RAW, *more, *exporter(nonroot, intent)) as container:
        hears(container, cable)
        assert rights(container) == only_net_raw(no_new_privileges=forbidden)
        assert set(container.status()["Uid"].split()) == {"65532"}


def refused(done) -> None:
    assert done.returncode == EX_NOPERM
    (line,) = done.stderr.splitlines()
    assert line.startswith("vip-exporter: not permitted to capture on eth0: the process lacks CAP_NET_RAW")


def test_root_without_net_raw_is_refused_by_the_program(engine, image, cable, intent) -> None:
    refused(engine.run(*READ_ONLY, *NO_RIGHTS, *exporter(image, intent), network=f"ns:/run/netns/{cable.here}"))


def test_the_default_image_as_another_user_is_refused_by_the_program(engine, image, cable, intent) -> None:
    """The kernel takes the capabilities of a user other than root at exec, where the file has none."""
    options = ("--user", "65532:65532", *READ_ONLY, *NET_RAW, *NO_NEW_PRIVILEGES, *exporter(image, intent))
    refused(engine.run(*options, network=f"ns:/run/netns/{cable.here}"))


def test_the_other_user_without_net_raw_is_not_even_started(engine, nonroot) -> None:
    """Whatever it was to do: the kernel starts no file whose capabilities it cannot give."""
    done = engine.run(*READ_ONLY, *NO_RIGHTS, nonroot, "--version")
    assert done.returncode != 0
    assert done.stdout == ""
    assert "/opt/vip-exporter/bin/vip-exporter" in done.stderr
    assert "operation not permitted" in done.stderr.lower()


def test_no_new_privileges_with_net_raw_in_the_bounding_set_only_is_refused(engine, nonroot, cable, intent) -> None:
    options = (*READ_ONLY, *NET_RAW, *NO_NEW_PRIVILEGES, *exporter(nonroot, intent))
    refused(engine.run(*options, network=f"ns:/run/netns/{cable.here}", empty=BOUNDING_ONLY))


@pytest.mark.parametrize("arguments", [["--version"], ["--config.check"]], ids=" ".join)
def test_what_needs_no_frames_needs_no_rights(engine, image, arguments) -> None:
    done = engine.run("--user", "12345:12345", *READ_ONLY, *NO_RIGHTS, *NO_NEW_PRIVILEGES, image, *arguments)
    assert done.returncode == 0, done.stderr
