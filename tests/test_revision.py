"""The commit that a build wrote down is told; where none did, nothing is made up.

`tests/deploy/image` looks for it in the metrics of a program that was really built.
"""

from __future__ import annotations

import exporter.revision
from exporter import __version__
from exporter.cli import main
from exporter.revision import revision


def test_what_the_build_wrote_is_told(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(exporter.revision, "REVISION", tmp_path / "REVISION")
    (tmp_path / "REVISION").write_text("0123abc\n")
    assert revision() == "0123abc"
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"vip-exporter {__version__} (0123abc)\n"


def test_a_clone_has_none(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(exporter.revision, "REVISION", tmp_path / "REVISION")
    assert revision() == ""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"vip-exporter {__version__}\n"
