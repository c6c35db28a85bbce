"""What is shipped is listed, with licences that have been judged: the SBOM and docs/licences.md against the lock."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from exporter import __version__
from release.licences import GENERATED, JUDGED, READ, TAKEN, licence
from release.sbom import sbom
from release.shipped import LOCK, ROOT, packages, pins

ELSEWHERE = {"colorama", "win-inet-pton", "win32-setctime"}
"""What the lock has for Windows."""


@pytest.fixture(scope="module")
def document() -> dict:
    return sbom()


def test_the_licences_page_is_fresh() -> None:
    """`make generate` was run after the last change of the lock."""
    for path, make in GENERATED.items():
        assert path.read_text() == make()


def test_every_pin_of_the_lock_is_read() -> None:
    """None is passed over, but for those of another system."""
    named = set(re.findall(r"^([a-z0-9.-]+)==", LOCK.read_text(), re.MULTILINE))
    assert named - {pin.name for pin in pins()} == ELSEWHERE
    assert all(pin.hashes for pin in pins())


def test_what_is_tested_is_what_is_shipped() -> None:
    """The lock of the tests has every package in the version, and with the hashes, of the one that is shipped."""
    assert set(pins()) <= set(pins(ROOT / "requirements" / "dev.txt"))


def test_a_new_licence_is_refused() -> None:
    """Somebody must have read it."""
    unknown = replace(packages()[0], expression="AGPL-3.0-only", licence="", classifiers=())
    with pytest.raises(ValueError, match=r"nobody has judged its licence \(AGPL-3.0-only\): read it"):
        licence(unknown)
    with pytest.raises(ValueError, match=r"\(none\)"):
        licence(replace(unknown, expression=""))


def test_nothing_is_judged_in_vain() -> None:
    shipped = packages()
    assert {licence(one) for one in shipped} == set(JUDGED)
    said = {(one.pin.name, text) for one in shipped for text in (one.expression, one.licence, *one.classifiers)}
    assert TAKEN.keys() | READ.keys() <= said


@pytest.mark.parametrize(
    ("pin", "says"),
    [
        ("no-such-package==1.0", "no-such-package of the lock is not installed"),
        ("scapy==1.0", r"scapy is installed as \S+, and the lock wants 1\.0"),
    ],
    ids=["missing", "another version"],
)
def test_what_is_not_installed_is_not_guessed(tmp_path, pin, says) -> None:
    lock = tmp_path / "run.txt"
    lock.write_text(f"{pin} \\\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(LookupError, match=says):
        packages(lock)


def test_a_line_that_pins_nothing_is_refused(tmp_path) -> None:
    lock = tmp_path / "run.txt"
    lock.write_text(f"scapy>=2 \\\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ValueError, match="not a pinned package: 'scapy>=2"):
        pins(lock)


def test_the_sbom_is_cyclonedx(document) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None


def test_the_sbom_lists_the_lock(document) -> None:
    listed = {(one["name"], one["version"]) for one in document["components"]}
    assert listed == {(pin.name, pin.version) for pin in pins()}
    hashes = {pin.name: set(pin.hashes) for pin in pins()}
    for one in document["components"]:
        (distribution,) = [ref for ref in one["externalReferences"] if ref["type"] == "distribution"]
        assert {found["content"] for found in distribution["hashes"]} == hashes[one["name"]]
        assert one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}"
        assert one["licenses"]


def test_the_sbom_is_about_this_version(document) -> None:
    program = document["metadata"]["component"]
    assert (program["name"], program["version"]) == ("vip-exporter", __version__)


def test_everything_in_the_sbom_is_asked_for(document) -> None:
    """From the program, every component can be reached: the graph is whole."""
    graph = {node["ref"]: node["dependsOn"] for node in document["dependencies"]}
    reached, todo = set(), [document["metadata"]["component"]["bom-ref"]]
    while todo:
        ref = todo.pop()
        if ref not in reached:
            reached.add(ref)
            todo += graph[ref]
    assert reached == set(graph)
    assert len(reached) == 1 + len(document["components"])


def test_two_runs_write_the_same(tmp_path: Path) -> None:
    """No time, no number drawn by lot, no order that changes."""
    texts = []
    for seed in ("1", "2"):
        path = tmp_path / seed
        subprocess.run(
            [sys.executable, "-m", "release.sbom", str(path)], cwd=ROOT, env={"PYTHONHASHSEED": seed}, check=True
        )
        texts.append(path.read_bytes())
    assert texts[0] == texts[1]
