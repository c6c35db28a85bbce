"""`vip-exporter replay`: judge a capture file. Needs no privilege and no cluster."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from exporter.cli.output import say
from exporter.cluster.intent_file import IntentFileError, read_intent_file
from exporter.cluster.intent_words import address as unicast_address
from exporter.config import ArgumentParser, ConfigError
from exporter.config.values import PERIOD
from exporter.publish.records import event_record, replay_record
from exporter.publish.replayed import Replay
from exporter.replay import replay
from exporter.vip.model import IPAddress, Nanoseconds
from exporter.wire.capture_file import CaptureFileError

LARGE = 4 * 1024 * 1024
"""Bytes from which on a progress bar is worth its line."""


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(prog="vip-exporter replay", description="Judge a capture file as if it happened now.")
    parser.add_argument("capture", metavar="CAPTURE", help="pcap or pcapng, gzip too; -: standard input")
    parser.add_argument(
        "--vip",
        action="append",
        default=[],
        metavar="IP",
        help="address to watch, repeatable (default: those of the intent file, and all that anyone announces)",
    )
    parser.add_argument("--intent", metavar="FILE", help="YAML file with what Kubernetes said meanwhile")
    parser.add_argument(
        "--period", metavar="DURATION", default="auto", help="announcement period; 0s: not repeated (default: learned)"
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "metrics", "html"),
        default="text",
        help="html: a report for an incident (default: text)",
    )
    given = parser.parse_args(arguments)
    vips = [_address(text) for text in given.vip]
    try:
        result = replay(
            given.capture,
            vips=vips,
            intent=read_intent_file(Path(given.intent)) if given.intent else None,
            period=_period(given.period),
            announcers=given.format == "html",
            progress=_progress_bar() if sys.stderr.isatty() else lambda _done, _size: None,
        )
    except (CaptureFileError, IntentFileError) as error:
        raise ConfigError(str(error).splitlines()) from None
    for warning in result.warnings:
        print(f"vip-exporter: warning: {warning}", file=sys.stderr)
    # The report says in itself that it is UTF-8, whatever the terminal has.
    say(_render(result, given, vips).removesuffix("\n"), encoding="utf-8" if given.format == "html" else None)
    return 0


def _render(result: Replay, given: Namespace, vips: Sequence[IPAddress]) -> str:
    # Each format imports what only it needs.
    if given.format == "metrics":
        from exporter.publish.metrics import Exposition

        exposition = Exposition(snapshot=lambda: result.snapshot, status=None, to_wall=lambda at: at)
        return exposition.render()[1].decode()
    if given.format == "json":
        document = {
            "vips": [replay_record(vip) for vip in result.snapshot.vips],
            "events": [event_record(event, lambda at: at) for event in result.events],
            "ignored": result.ignored,
        }
        return json.dumps(document, indent=2) + "\n"
    if given.format == "html":
        from exporter.publish.report import Origin, report

        return report(result, Origin(_name(given.capture), _name(given.intent or ""), tuple(vips), given.period))
    from exporter.cli.report import text_report

    return text_report(result)


def _name(path: str) -> str:
    """Of a file, without the folders that it lies in."""
    return "standard input" if path == "-" else Path(path).name


def _address(text: str) -> IPAddress:
    try:
        return unicast_address(text)
    except ValueError as error:
        raise ConfigError([f"--vip: {text!r}: {error}"]) from None


def _period(text: str) -> Nanoseconds | None:
    try:
        return PERIOD.parse(text)  # type: ignore[return-value] # a Kind does not say what its parser returns
    except ValueError as error:
        raise ConfigError([f"--period: bad value {text!r} ({error}); accepted: {PERIOD.accepts}"]) from None


class _progress_bar:  # noqa: N801 - used as the function it stands for
    """Draws on standard error how much of a large file is done; removes itself at the end."""

    WIDTH = 30

    def __init__(self) -> None:
        self._shown = ""

    def __call__(self, done: int, size: int | None) -> None:
        if size is None or size < LARGE:
            return
        filled = self.WIDTH * done // size
        shown = f"[{'#' * filled:{self.WIDTH}}] {100 * done // size:3} %"
        if done >= size:
            shown = " " * len(self._shown)
        if shown != self._shown:
            sys.stderr.write(f"\r{shown}" + ("\r" if done >= size else ""))
            sys.stderr.flush()
            self._shown = shown
