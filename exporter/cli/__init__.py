"""The command line: which command was asked for, and what its end means as an exit status.

0: done. 1: failed while running; `who` and `check` say themselves what 1 and 2 mean. 64: what was given (arguments,
configuration, intent or capture file) cannot be used. 77: not permitted to capture. 130: interrupted.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib import import_module

EX_USAGE = 64
"""As in sysexits.h; every command uses it for bad input."""
EX_NOPERM = 77

SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
"""What `run` waits for."""

COMMANDS = {
    "run": "watch, and serve metrics (the default)",
    "who": "say who holds each VIP now, by each source",
    "check": "check what a cluster with a VIP requires",
    "replay": "judge a capture file as if it happened now",
    "demo": "show it all in a lab on this machine",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    try:
        return _main(list(sys.argv[1:] if argv is None else argv), whole_process=argv is None)
    except BrokenPipeError:
        # The reader of standard output has gone (a pager, head); nothing is left to say to it.
        sys.stderr.close()
        return 1
    except OSError as error:
        # A full disk under standard output, or none at all; commands answer for their own files themselves.
        print(f"vip-exporter: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _main(arguments: list[str], *, whole_process: bool) -> int:
    name = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "run"
    if name not in COMMANDS:
        print(f"vip-exporter: {name!r}: no such command; there are {', '.join(COMMANDS)}", file=sys.stderr)
        return EX_USAGE
    if name == "run" and whole_process:
        # What comes while it loads waits until it is ready. A SIGHUP would else end it, and look like a wish.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    from exporter.config import ConfigError

    try:
        # Only the command asked for is imported: replay has no use for Kubernetes, nor run for scapy.
        return int(import_module(f"exporter.cli.{name}").main(arguments))
    except ConfigError as error:
        for problem in error.problems:
            print(f"vip-exporter: {problem}", file=sys.stderr)
        return EX_USAGE
    except ModuleNotFoundError as error:
        if error.name != "scapy":
            raise
        # It may be left out on account of its licence (docs/licences.md).
        missing = "needs scapy, which is not installed here; install it, or use an installation that has it"
        print(f"vip-exporter: {name} {missing}", file=sys.stderr)
        return 1


def command_list() -> str:
    """The commands, for the end of `--help`."""
    return "commands:\n" + "\n".join(f"  {name:8} {what}" for name, what in COMMANDS.items())
