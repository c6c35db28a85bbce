"""Signals at any moment: `python -m tests.faults.signals [ROUNDS] [SEED]` plays so many rounds and says what happened.

In each round the exporter is started, and at a random moment from exec on it is sent SIGTERM, SIGHUP or SIGKILL.
Between two rounds the VIP may move. After each, the state file must tell all of it: nothing lost, nothing doubled,
nothing made up, however often the program was killed while it wrote.
"""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from exporter.publish.state_store import read
from exporter.publish.state_trouble import StateFileError, Trouble
from exporter.vip.model import format_mac
from tests.e2e.running import until
from tests.faults.world import PATIENCE, Program, World, mac, world

LATEST = 2.0
"""Seconds from exec to a signal, at most; a start takes half a second, and a busy machine longer."""
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)


class Rounds:
    """A game of many rounds.

    Args:
        world: where it takes place.
        seed: the same gives the same signals after the same times. What they meet is the machine's.
    """

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.state = world.directory / "state.db"
        self.holder = 1
        """The node that announces the VIP; the next to do so has the next number."""
        self.told_of = 0
        """The last that the exporter is sure to have written down; 0: nobody."""
        self.ends: Counter[str] = Counter()

    def play(self) -> None:
        """One round."""
        number = self.chance.choice(SIGNALS)
        delay = self.chance.uniform(0, LATEST)
        if self.chance.random() < 0.5:
            self.holder += 1
        arguments = (f"--intent.file={self.world.intent}", f"--state.path={self.state}")
        with self.world.exporter(*arguments) as program:
            began = time.monotonic()
            heard = False
            while time.monotonic() < began + delay:
                # Whether it captures yet or not; once it is ready, it is sure to hear it.
                self.world.announce(by=self.holder)
                time.sleep(0.05)
            held_back = send(program, number)
            if number is signal.SIGHUP and held_back:
                self.survive(program)
                heard = True
            self.end(program, number, held_back=held_back)
        self.check(sure=heard)

    def survive(self, program: Program) -> None:
        """After a SIGHUP it serves, and has read its files anew; then it is told to end."""
        program.ready()
        program.logs("configuration reloaded")
        self.world.announce(2, by=self.holder)  # a move takes as many
        own = format_mac(mac(self.holder))
        moved = float(0 < self.told_of < self.holder)
        scrape = program.eventually(lambda scrape: scrape.mac() == own)
        assert scrape.value("vip_moves_total") == moved, scrape.series
        program.process.terminate()

    def end(self, program: Program, number: signal.Signals, *, held_back: bool) -> None:
        began = time.monotonic()
        status = program.status()
        log = program.log
        self.world.log.unlink()
        expected = 0 if held_back else -number
        self.ends[f"{number.name}{' held back' if held_back else ''}: {status}"] += 1
        assert status == expected, f"{number.name}: {status}, not {expected}\n{log}"
        assert "Traceback" not in log, log
        assert "level=error" not in log, log
        if number is not signal.SIGKILL:
            assert time.monotonic() - began < PATIENCE / 2, log

    def check(self, *, sure: bool) -> None:
        """The state file can be read, and tells of every holder in its order."""
        if not self.state.exists():
            return
        try:
            contents = read(self.state, limit=1_000_000)
        except StateFileError as error:
            # The journal of a transaction that was cut off: the next start rolls it back, as here.
            assert error.trouble is Trouble.UNFINISHED, error
            self.ends["a transaction cut off"] += 1
            with closing(sqlite3.connect(self.state)) as database:
                database.execute("SELECT * FROM events").fetchall()
            contents = read(self.state, limit=1_000_000)
        assert contents.unreadable == 0
        moves = [event.record for event in contents.events if event.record["event"] == "vip_moved"]
        chain = [(move["from_mac"], move["to_mac"]) for move in moves]
        for (_, before), (after, _) in pairwise(chain):
            assert before == after, f"lost or made up between: {chain}"
        assert len({new for _, new in chain}) == len(chain), f"told twice: {chain}"
        (known,) = contents.holders or (None,)
        if known is not None:
            assert not chain or format_mac(known.mac) == chain[-1][1], f"{known} is not the last of {chain}"
            seen = int.from_bytes(known.mac[1:], "big")
            assert self.told_of <= seen <= self.holder
            self.told_of = seen
        assert not sure or self.told_of == self.holder, f"{self.told_of} is known last, not {self.holder}"


def send(program: Program, number: signal.Signals) -> bool:
    """Send it, and tell whether the program has got so far that it does not just end by it, as is the default."""
    # It stands still for that moment, so that what it holds back is the same before and after.
    program.process.send_signal(signal.SIGSTOP)
    until(lambda: of_process(program, "State").startswith("T"), PATIENCE)
    held_back = bool(int(of_process(program, "SigBlk"), 16) >> (number - 1) & 1)
    program.process.send_signal(number)
    program.process.send_signal(signal.SIGCONT)
    return held_back


def of_process(program: Program, what: str) -> str:
    """A line of proc(5), `status`: of its main thread."""
    lines = Path(f"/proc/{program.process.pid}/status").read_text().splitlines()
    (found,) = [line.partition(":")[2].strip() for line in lines if line.startswith(f"{what}:")]
    return found


def play(rounds: int, seed: int, directory: Path) -> Counter[str]:
    """Play so many rounds; what happened in them, and a last one that knows the holder."""
    with world(directory) as made:
        game = Rounds(made, seed)
        for played in range(rounds):
            try:
                game.play()
            except AssertionError as error:
                raise AssertionError(f"round {played + 1} of seed {seed}, {game.ends}: {error}") from error
        return game.ends


if __name__ == "__main__":
    wanted, *more = [int(argument) for argument in sys.argv[1:]] or [500]
    seed = more[0] if more else random.randrange(2**32)
    print(f"{wanted} rounds, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(dict(sorted(play(wanted, seed, Path(directory)).items())), indent=2))
