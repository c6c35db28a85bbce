"""The Dockerfile itself: no complaint of hadolint, and the version of the program."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from exporter import __version__
from tests.deploy.image.engine import ROOT

DOCKERFILE = ROOT / "Dockerfile"


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent)
    assert hadolint, "hadolint is missing: `make test` installs it"
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_label_has_the_version_of_the_program() -> None:
    assert re.findall(r"^ARG VERSION=(.*)$", DOCKERFILE.read_text(), re.MULTILINE) == [__version__]
