"""Every entry of the corpora holds the properties that its target states, without a fuzzer."""

from __future__ import annotations

import pytest

from exporter.cli import main
from tests.fuzz import seeds
from tests.fuzz.capture import read_capture
from tests.fuzz.targets import CORPUS, TARGETS, Target

LARGEST = 300_000
"""Bytes of all corpora together: they are read by people, and fetched with every clone."""


@pytest.mark.parametrize("target", TARGETS.values(), ids=str)
def test_every_entry_holds_the_targets_properties(target: Target) -> None:
    module = target.load()
    entries = sorted(target.corpus.iterdir())
    assert len(entries) > 20
    broken = {}
    for path in entries:
        try:
            module.check(path.read_bytes())
        except Exception as error:
            broken[path.name] = repr(error)
    assert broken == {}


def test_the_corpora_are_those_of_the_targets_and_small() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    sizes = [path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()]
    assert len(sizes) < 600
    assert sum(sizes) < LARGEST


@pytest.mark.parametrize(("target", "entries"), [("decoder", seeds.frames()), ("capture", seeds.captures())])
def test_crafted_entries_are_fresh(target: str, entries: dict[str, bytes]) -> None:
    """`python -m tests.fuzz.seeds` was run after the last change of what they are crafted from."""
    stored = {name: path.read_bytes() for name in entries if (path := CORPUS / target / name).exists()}
    assert stored == entries


def test_a_capture_that_cannot_be_used_ends_replay_with_64_and_its_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What can be used, however little of it, is told, and that ends with 0."""
    used = 0
    for path in sorted(TARGETS["capture"].corpus.iterdir()):
        error = read_capture(path.read_bytes()).error
        status = main(["replay", str(path)])
        said = capsys.readouterr().err
        if error:
            assert (status, said) == (64, f"vip-exporter: {error.replace('FILE', str(path))}\n")
        else:
            used += 1
            assert (status, "Traceback" in said) == (0, False)
    assert used > 20
