"""The exporter with an enemy inside: `python -m tests.faults.doomed ARGUMENTS` makes threads die as it is told.

Standard input names a thread on each line; standard output answers `died` or `lives`. An empty line asks for the names
of all threads, which come as one line of JSON. `HANG` has the core stand still for ever, with its lock, and takes the
patience that the program has with it from minutes to seconds.
"""

from __future__ import annotations

import json
import signal
import sys
import threading

import exporter.app
import exporter.cli.serve
from exporter import cli
from exporter.vip.core import Core
from exporter.vip.model import SECOND
from tests.faults.dying import end_thread

ENEMY = "enemy"
HANG = "HANG"


def obey() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {*cli.SIGNALS, signal.SIGALRM})
    for line in sys.stdin:
        name = line.strip()
        if name == HANG:
            hang()
            continue
        threads = {thread.name: thread for thread in threading.enumerate()}
        if name:
            answer = "died" if name in threads and end_thread(threads[name]) else "lives"
        else:
            answer = json.dumps(sorted(threads))
        print(answer, flush=True)


def hang() -> None:
    exporter.app.UNHEALTHY_AFTER = 2 * SECOND
    exporter.cli.serve.UNWELL_LOOKS = 2
    exporter.cli.serve.STOP_SECONDS = 2
    Core.tick = lambda *_: threading.Event().wait()


if __name__ == "__main__":
    threading.Thread(target=obey, name=ENEMY, daemon=True).start()
    sys.exit(cli.main())
