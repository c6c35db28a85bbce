"""The progress bar of `replay`: for large files on a terminal, and gone at the end."""

from __future__ import annotations

import io
import sys

from exporter.cli.replay import LARGE, _progress_bar


def test_it_shows_how_much_is_done_and_removes_itself(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := io.StringIO())
    progress = _progress_bar()
    progress(LARGE // 2, LARGE)
    assert terminal.getvalue() == f"\r[{'#' * 15}{' ' * 15}]  50 %"
    progress(LARGE, LARGE)
    assert terminal.getvalue().endswith(f"\r{' ' * 38}\r")


def test_small_files_and_pipes_have_none(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := io.StringIO())
    progress = _progress_bar()
    progress(10, 100)
    progress(10, None)
    assert terminal.getvalue() == ""
