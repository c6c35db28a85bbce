"""The demo: builds the lab and walks through the story in it; where it cannot be built, over a generated capture."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NoReturn, TextIO

from exporter.lab.kubevip import PERIOD
from exporter.lab.lab import Lab
from exporter.lab.live import LiveStage
from exporter.lab.network import ENDINGS, LabUnavailableError
from exporter.lab.offline import OfflineStage, ReplayError
from exporter.lab.program import ProgramError
from exporter.lab.story import VIP, lasts
from exporter.lab.terminal import Style, Terminal
from exporter.lab.walk import Walk

FAST_PERIOD = 1.0
FLOOD_RATE = 5000.0
FAST_FLOOD_RATE = 2000.0
INSIST_SECONDS = 0.05


class Ended(BaseException):
    """Somebody ends the program with a signal; what is open is closed on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.status = 128 + number


def run(*, fast: bool, keep: bool, offline: bool, stream: TextIO) -> int:
    """Show it, and return the exit status: 0 if the exporter said what it should at every step.

    Args:
        fast: announce every second, not every three as kube-vip does.
        keep: afterwards stay up until a signal comes.
        offline: play it over a capture even where the lab could be built.
        stream: where to tell it.
    """
    terminal = Terminal(stream)
    terminal.line("vip-exporter demo: one virtual IP, three nodes, and what can happen to them", Style.BOLD)
    try:
        with _signals_raise():
            if not offline:
                try:
                    return _live(terminal, fast=fast, keep=keep)
                except LabUnavailableError as error:
                    terminal.line(f"The live lab cannot be built here: {error}.", Style.YELLOW)
            return _offline(terminal)
    except Ended as ended:
        terminal.line()
        terminal.line("Ended before its time; everything is cleaned up.", Style.YELLOW)
        return ended.status
    except (ProgramError, ReplayError) as error:
        terminal.verbatim(str(error), Style.RED)
        return 1


def _live(terminal: Terminal, *, fast: bool, keep: bool) -> int:
    """Raises LabUnavailableError before anything has been told, and never later."""
    period = FAST_PERIOD if fast else PERIOD
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(period=period))
        terminal.line(
            f"Real frames in network namespaces: {VIP} is announced every {period:.0f} s. The exporter listens on the "
            "same segment and follows the Service. Nothing leaves this machine; Ctrl-C ends it and cleans up."
        )
        terminal.line()
        terminal.pair("Page", f"{lab.url}/", Style.CYAN)
        terminal.pair("Metrics", f"{lab.url}/metrics", Style.CYAN)
        terminal.pair("Takes", f"at most {lasts(period):.0f} s")
        terminal.line()
        stage = LiveStage(lab=lab, period=period, flood_rate=FAST_FLOOD_RATE if fast else FLOOD_RATE)
        walk = Walk(stage=stage, terminal=terminal, period=period)
        try:
            good = walk.run()
            if keep:
                terminal.line()
                terminal.line("It stays up, and node-2 goes on announcing. Ctrl-C ends it.")
                terminal.pair("Page", f"{lab.url}/", Style.CYAN)
                with suppress(Ended):
                    stage.follow(walk.tell)
        except (LabUnavailableError, ProgramError) as error:
            raise ProgramError(f"{error}\n{lab.program.last_words()}") from None
        if not good:
            terminal.line("What the exporter logged:", Style.BOLD)
            terminal.verbatim(lab.program.last_words())
    return 0 if good else 1


def _offline(terminal: Terminal) -> int:
    terminal.line(
        f"A generated capture, judged by `vip-exporter replay` at the end of each step: {VIP} is announced every "
        f"{PERIOD:.0f} s."
    )
    terminal.line()
    with tempfile.TemporaryDirectory(prefix="vip-exporter-demo-") as directory:
        stage = OfflineStage(directory=Path(directory), period=PERIOD)
        good = Walk(stage=stage, terminal=terminal, period=PERIOD).run()
    terminal.line(
        "To see it live, with real frames and a page to open, run it as root, where network namespaces are allowed."
    )
    return 0 if good else 1


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Let every signal that ends a program unwind it, so that what is open gets closed."""

    def end(number: int, _frame: object) -> NoReturn:
        raise Ended(number)

    def insist(lost: sys.UnraisableHookArgs) -> None:
        """Python drops what is raised in a destructor or in the callback of a weak reference: then it comes again."""
        if isinstance(lost.exc_value, Ended):
            threading.Timer(INSIST_SECONDS, os.kill, (os.getpid(), lost.exc_value.number)).start()
        else:
            report(lost)

    report, sys.unraisablehook = sys.unraisablehook, insist
    before = {number: signal.signal(number, end) for number in ENDINGS}
    try:
        yield
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)
        sys.unraisablehook = report
