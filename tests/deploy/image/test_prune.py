"""prune.py takes what its lines say, also out of the lists of what is installed; a line that fits nothing ends it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "deploy" / "image" / "prune.py"
LISTS = """
PACKAGES = {"some-thing": "nobody"}
FILES = {"other/late/**/*": "never imported"}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two packages as pip installs them."""
    for name, files in (
        ("some_thing", ["some_thing/__init__.py"]),
        ("other", ["other/__init__.py", "other/late/x.py"]),
    ):
        info = f"{name}-1.0.dist-info"
        contents = {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", f"{info}/RECORD": ""}
        contents |= dict.fromkeys(files, "")
        contents[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in contents)
        for path, text in contents.items():
            (tmp_path / "site" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "site" / path).write_text(text)
    return tmp_path / "site"


def prune(site: Path, lists: str = LISTS) -> subprocess.CompletedProcess[str]:
    """Run it, with lists of the test's own in the place of the image's."""
    head, _, rest = SOURCE.read_text().partition("\nPACKAGES = {")
    program = site.parent / "prune.py"
    program.write_text(head + lists + "\ndef main(" + rest.partition("\ndef main(")[2])
    return subprocess.run([sys.executable, program, site], capture_output=True, text=True, check=False)


def test_packages_and_files_go_with_their_entries(site) -> None:
    done = prune(site)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pruned 4 files")
    left = sorted(str(path.relative_to(site)) for path in site.rglob("*") if path.is_file())
    assert left == ["other-1.0.dist-info/METADATA", "other-1.0.dist-info/RECORD", "other/__init__.py"]
    assert "late" not in (site / "other-1.0.dist-info/RECORD").read_text()
    assert "other/__init__.py" in (site / "other-1.0.dist-info/RECORD").read_text()
    assert not (site / "other/late").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("some-thing", "gone-by-now", "prune.py: PACKAGES: gone-by-now is not installed; take the line out\n"),
        ("late/**", "never/**", "prune.py: FILES: nothing fits other/never/**/*; take the line out or correct it\n"),
    ],
)
def test_a_line_that_fits_nothing_ends_the_build(site, old, new, message) -> None:
    before = sorted(site.rglob("*"))
    done = prune(site, LISTS.replace(old, new))
    assert (done.returncode, done.stderr) == (1, message)
    assert sorted(site.rglob("*")) == before
