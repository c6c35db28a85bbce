"""docs/api.md states the limits that are in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.publish.web import server, stream

DOCUMENT = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words",
    [
        f"| connections | {server.MOST_CONNECTIONS}, never more than half",
        (
            f"head of a request | {server.IDLE_SECONDS:.0f} s, {server.MOST_HEADER_BYTES // 1024} KiB, "
            f"{server.MOST_HEADER_LINES} lines |"
        ),
        f"body of a request | {server.IDLE_SECONDS:.0f} s, {server.MOST_BODY_BYTES // 1024} KiB, not in chunks",
        f"making an answer, and taking it | {server.RENDER_SECONDS:.0f} s each |",
        f"making an answer, and taking it | {server.WRITE_SECONDS:.0f} s each |",
        (
            f"| streams of the page | {stream.MOST_STREAMS}, {stream.MOST_PER_CLIENT} for each client; each ends after "
            f"{stream.LONGEST / 60:.0f} min"
        ),
    ],
)
def test_the_document_has_it(words: str) -> None:
    assert words in DOCUMENT
