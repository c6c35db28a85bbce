"""A version is released only if every place that names it agrees, and the changelog says what is new."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exporter import __version__
from release.versions import CHANGELOG, NAMED, ROOT, notes, problems, written

GOOD = f"""# Changelog

## Unreleased

## {__version__} / 2026-12-01

- [FEATURE] Something.

## 0.0.9 / 2026-11-01

- Old.
"""
TAG = f"v{__version__}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the check reads, ready to be released."""
    for file, _ in NAMED:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / CHANGELOG).write_text(GOOD)
    return tmp_path


def test_every_place_names_one_version() -> None:
    assert set(written().values()) == {__version__}


def test_a_ready_tree_can_be_released(tree) -> None:
    assert problems(TAG, tree) == []


@pytest.mark.parametrize("tag", ["0.1.0", "v0.1", "v0.1.0-rc.1", "v0.1.0.1", "v01.1.0", "release-0.1.0"])
def test_other_tags_are_no_releases(tree, tag) -> None:
    (problem,) = problems(tag, tree)
    assert problem.startswith(f"{tag}: not a release; tags are v1.2.3")


@pytest.mark.parametrize("place", NAMED, ids=lambda place: " ".join(place))
def test_each_place_counts(tree, place) -> None:
    file, key = place
    path = tree / file
    path.write_text(path.read_text().replace(__version__, "9.9.9"))
    assert f"{file}: {key} is 9.9.9, not {__version__}; set it, or tag another version" in problems(TAG, tree)


@pytest.mark.parametrize("place", NAMED, ids=lambda place: " ".join(place))
def test_a_place_that_is_gone_is_missed(tree, place) -> None:
    (tree / place[0]).write_text("")
    assert any(f"{place[1]} is not there" in problem for problem in problems(TAG, tree))


@pytest.mark.parametrize(
    ("changelog", "says"),
    [
        ("# Changelog\n\n## Unreleased\n\n- New.\n", "name what is under 'Unreleased'"),
        (f"## 0.0.9 / 2026-11-01\n\n- Old.\n\n## {__version__} / 2026-12-01\n\n- New.\n", "its newest section is not"),
        (f"## {__version__}\n\n- New.\n", "its day is wrong or missing"),
        (f"## {__version__} / soon\n\n- New.\n", "its day is wrong or missing"),
        (f"## {__version__} / 2026-12-01\n\n## 0.0.9 / 2026-11-01\n\n- Old.\n", "say what is new"),
    ],
    ids=["unreleased", "older first", "no day", "no such day", "empty"],
)
def test_the_changelog_must_have_the_section(tree, changelog, says) -> None:
    (tree / CHANGELOG).write_text(changelog)
    (problem,) = problems(TAG, tree)
    assert problem.startswith("CHANGELOG.md: ")
    assert says in problem


def test_notes_are_the_section_alone() -> None:
    assert notes(__version__, GOOD) == "- [FEATURE] Something."


def test_the_program_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "release.versions", "v99.0.0"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"not to be released: exporter/__init__.py: __version__ is {__version__}, not 99.0.0" in done.stderr


@pytest.mark.parametrize("arguments", [(), (TAG, "--note-s")], ids=["no tag", "unknown option"])
def test_what_it_is_not_told_it_asks_for(arguments) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "release.versions", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m release.versions")


def test_the_changelog_has_only_known_kinds() -> None:
    """Each entry begins with one of the kinds that its head names."""
    text = (ROOT / CHANGELOG).read_text()
    kinds = {"[CHANGE]", "[FEATURE]", "[ENHANCEMENT]", "[BUGFIX]"}
    assert all(f"`{kind}`" in text for kind in kinds)
    entries = [line for line in text.splitlines() if line.startswith("- ")]
    assert {entry.split()[1] for entry in entries} <= kinds
