"""Turns kube-vip's DaemonSet into the version that runs and the nodes that it may run on. Pure and total."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporter.cluster.fields import Json, Key, Problem, Reader
from exporter.cluster.placement import Placement, read_placement

Version = tuple[int, int, int]

ANNOUNCES_HWADDR: Version = (0, 8, 2)
"""From here on, DHCP mode announces the MAC of the annotation `hwaddr`, on whichever node holds the VIP."""

VERSION_LABEL = "app.kubernetes.io/version"
IMAGE = "spec.template.spec.containers[].image"

_VERSION = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})(?:[-+._].*)?")


@dataclass(frozen=True, slots=True)
class KubeVip:
    """What a DaemonSet of kube-vip says."""

    version: Version | None
    """None: neither image nor labels tell it."""
    placement: Placement


def read_daemonset(_key: Key, obj: Json) -> tuple[KubeVip, tuple[Problem, ...]]:
    """What a DaemonSet says, and what of it could not be used. Never raises.

    The version is that of the image's tag; where the tag is none (a digest, `latest`), that of the label
    `app.kubernetes.io/version` on the DaemonSet, else on its pods. While the pods are being replaced it is not known:
    the VIP's holder may run either version.
    """
    reader = Reader()
    rolling = _is_rolling(reader, obj)
    template = reader.within(obj, "spec", "template")
    pod = reader.mapping(template, "spec", "spec.template.spec")
    image = _image(reader, pod)
    version = image_version(image)
    for owner in (obj, template):
        if version is None:
            meta = reader.mapping(owner, "metadata", "metadata")
            version = parse_version(reader.labels(meta, "labels", "metadata.labels").get(VERSION_LABEL, ""))
    if rolling:
        version = None
    elif version is None:
        reader.complain(IMAGE, image, "no version can be told from it; set --kube-vip.version")
    return KubeVip(version, read_placement(reader, pod, "spec.template.spec")), tuple(reader.problems)


def _is_rolling(reader: Reader, obj: Json) -> bool:
    """Some pods are not of the DaemonSet's present template."""
    meta, status = reader.mapping(obj, "metadata", "metadata"), reader.mapping(obj, "status", "status")
    generation, observed = meta.get("generation"), status.get("observedGeneration")
    desired, updated = status.get("desiredNumberScheduled"), status.get("updatedNumberScheduled", 0)
    behind = isinstance(generation, int) and isinstance(observed, int) and observed < generation
    return behind or (isinstance(desired, int) and isinstance(updated, int) and updated < desired)


def parse_version(text: str) -> Version | None:
    """The three numbers that a tag begins with. What follows says how it was built, or that it is nearly that."""
    match = _VERSION.fullmatch(text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def image_version(image: str) -> Version | None:
    """The version in an image's name: registry:port/path/name:tag@digest, of which only the name must be there."""
    _, _, tag = _last_part(image).partition(":")
    return parse_version(tag)


def _last_part(image: str) -> str:
    """The image's own name with its tag: a registry may have a colon too, and a digest has one for certain."""
    return image.partition("@")[0].rpartition("/")[2]


def _image(reader: Reader, pod: Json) -> str:
    """The image of the container that is kube-vip; empty where there is none."""
    found = [
        (reader.text(container, "name", "spec.template.spec.containers[].name"), reader.text(container, "image", IMAGE))
        for container in reader.items(pod, "containers", "spec.template.spec.containers")
    ]

    def unlikeliness(container: tuple[str, str]) -> tuple[bool, bool]:
        name, image = container
        return "kube-vip" not in _last_part(image).partition(":")[0], name != "kube-vip"

    likeliest = min(found, key=unlikeliness, default=("", ""))
    return "" if unlikeliness(likeliest) == (True, True) else likeliest[1]
