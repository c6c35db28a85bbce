"""The state file: what it remembers over a restart, what it forgets, and that no trouble with it reaches the exporter.

Files, disks that are full or read-only, locks and killed writers are real ones.
"""

from __future__ import annotations

import io
import json
import os
import random
import select
import signal
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from exporter import log
from exporter.clock import Clock
from exporter.publish import state_file
from exporter.publish.state_file import StateFile, read_past
from exporter.publish.state_store import Store
from exporter.vip.core import Core
from exporter.vip.model import SECOND, Nanoseconds, State, parse_mac
from exporter.vip.snapshot import Snapshot, VipSnapshot

VIP, OTHER = ip_address("192.0.2.100"), ip_address("2001:db8::100")
MAC = "02:00:00:00:00:0a"
HOUR, DAY = 3600 * SECOND, 86400 * SECOND
EPOCH = 1_800_000_000 * SECOND
"""The wall clock at 0 of the first run's time line (January 2027)."""


class Line(Clock):
    """A clock that stands where a test puts it. Each run has a time line of its own under the same wall clock."""

    def __init__(self, *, now: Nanoseconds = 0, ahead: Nanoseconds = EPOCH) -> None:
        self.time = now
        self.ahead = ahead

    def now(self) -> Nanoseconds:
        return self.time

    def from_wall(self, wall: Nanoseconds) -> Nanoseconds:
        return wall - self.ahead

    def to_wall(self, at: Nanoseconds) -> Nanoseconds:
        return at + self.ahead


class Run:
    """A run of the exporter, as far as the state file sees it."""

    def __init__(self, path: Path, *, clock: Line | None = None, retention: Nanoseconds = 30 * DAY, **options) -> None:
        self.clock = clock or Line()
        self.file = StateFile(path, retention=retention, clock=self.clock, **options)

    def later(self, by: Nanoseconds) -> Run:
        self.clock.time += by
        return self

    def note(self, *numbers: int, vip=VIP) -> None:
        for number in numbers:
            record = {"event": "vip_moved", "vip": "" if vip is None else str(vip), "number": number}
            self.file.note(record, self.clock.now())

    def keep(self, *vips: VipSnapshot) -> None:
        self.file.keep(replace(EMPTY, vips=vips))
        self.file.flush()

    def numbers(self) -> list[int]:
        """Of the events in the file, in their order."""
        return [event.record["number"] for event in self.file.load(limit=1_000_000).events]


EMPTY: Snapshot = Core(at=0).snapshot()


def make(path: Path, *numbers: int) -> None:
    """A state file with these events and a holder, that nobody uses any more."""
    run = Run(path)
    run.note(*numbers)
    run.keep(seen())
    run.file.close()


def seen(state: State = State.HELD, *, vip=VIP, holder="node-1", mac=MAC, since=10, heard=70) -> VipSnapshot:
    """A VIP as it stands in a snapshot; times in seconds, None where there is none."""
    core = Core(at=0, listening=True)
    core.watch(vip)
    return replace(
        core.snapshot().vips[0],
        state=state,
        holder=holder,
        counted_from=holder,
        holder_mac=mac,
        holder_since=None if since is None else since * SECOND,
        last_announcement=None if heard is None else heard * SECOND,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[tuple[str, str]]]]:
    """What was logged: each message with its `trouble`, if it has one."""
    monkeypatch.setattr(log, "_limit", log._Limit())
    stream = io.StringIO()
    log.configure(level="info", format="json", stream=stream)
    yield lambda: [
        (found["msg"], found.get("trouble", "")) for found in map(json.loads, stream.getvalue().splitlines())
    ]
    log.configure(level="info", format="logfmt")


# --- what it remembers ------------------------------------------------------------------------------------------------


def test_a_new_run_knows_what_the_last_one_knew(path) -> None:
    """Holder, MAC and times come back on the new run's time line, which began elsewhere."""
    first = Run(path, clock=Line(now=100 * SECOND))
    assert first.file.load() == state_file.Past()
    first.note(1)
    first.later(SECOND).note(2, vip=None)
    first.keep(seen())
    first.file.close()

    second = Run(path, clock=Line(now=5 * SECOND, ahead=EPOCH + 200 * SECOND))  # 104 s later
    past = second.file.load()
    [known] = past.holders
    assert (known.vip, known.holder, known.mac) == (VIP, "node-1", parse_mac(MAC))
    assert known.at == 5 * SECOND
    assert (known.since, known.heard) == (10 * SECOND - 200 * SECOND, 70 * SECOND - 200 * SECOND)
    assert [(at, vip, record["number"]) for at, vip, record in past.events] == [
        (-100 * SECOND, VIP, 1),
        (-99 * SECOND, None, 2),
    ]
    assert past.reason == ""
    assert past == read_past(path, second.clock)


def test_a_wall_clock_that_was_set_back_puts_nothing_into_the_future(path) -> None:
    first = Run(path, clock=Line(now=100 * SECOND))
    first.note(1)
    first.keep(seen())
    past = read_past(path, Line(now=5 * SECOND, ahead=0))
    assert (past.holders[0].since, past.holders[0].heard, past.events[0].at) == (5 * SECOND,) * 3


def test_the_newest_events_are_loaded_the_oldest_of_them_first(path) -> None:
    run = Run(path)
    run.note(*range(10))
    run.file.flush()
    assert [event.record["number"] for event in run.file.load(limit=3).events] == [7, 8, 9]


REMEMBERED: dict[str, tuple[list[VipSnapshot], tuple[str, int, int]]] = {
    "held": ([], ("node-1", 10, 70)),
    "held on": ([seen(heard=73)], ("node-1", 10, 73)),
    "held by another": ([seen(holder="node-2", since=80, heard=90)], ("node-2", 80, 90)),
    "held by an unknown node": ([seen(holder="", since=80, heard=90)], ("", 80, 90)),
    "moving": ([seen(State.MOVING, holder="node-2", since=80, heard=90)], ("node-1", 10, 70)),
    "contested": ([seen(State.CONTESTED, holder="node-2", mac="", since=80, heard=90)], ("node-1", 10, 70)),
    "silent": ([seen(State.SILENT, holder="node-2", mac="", since=None)], ("node-1", 10, 70)),
    "unknown": ([seen(State.UNKNOWN, holder="", mac="", since=None, heard=None)], ("node-1", 10, 70)),
    "held on, since when is not known": ([seen(since=None, heard=90)], ("node-1", 10, 90)),
    "held by another, since when is not known": ([seen(holder="node-2", since=None, heard=90)], ("node-2", 90, 90)),
    "silent, then held": ([seen(State.SILENT, mac=""), seen(holder="node-2", since=95, heard=95)], ("node-2", 95, 95)),
}


@pytest.mark.parametrize(("then", "known"), REMEMBERED.values(), ids=REMEMBERED)
def test_the_last_holder_that_was_sure_is_remembered(path, then, known) -> None:
    """node-1 holds the VIP; then this is seen."""
    run = Run(path, clock=Line(now=100 * SECOND))
    for snapshot in [seen(), *then]:
        run.keep(snapshot)
    [found] = run.file.load().holders
    assert (found.holder, found.since // SECOND, found.heard // SECOND) == known


def test_a_vip_that_is_unknown_after_the_restart_stays_remembered(path) -> None:
    make(path)
    second = Run(path, clock=Line(now=HOUR))
    second.file.load()
    second.keep(seen(State.UNKNOWN, holder="", mac="", since=None, heard=None))
    assert [known.holder for known in second.file.load().holders] == ["node-1"]


def test_names_are_kept_whatever_they_contain(path) -> None:
    """A lone surrogate, which is no text, is shown as one character that is."""
    run = Run(path)
    run.keep(seen(holder="no'de\n\x00\ud800é"))
    run.file.note({"event": "vip_moved", "vip": "", "to": "\ud800'", "number": 1.5}, 0)
    run.file.flush()
    past = run.file.load()
    assert past.holders[0].holder == "no'de\n\x00?é"
    assert past.events[0].record == {"event": "vip_moved", "vip": "", "to": "\ud800'", "number": 1.5}


def test_events_of_several_threads_are_all_written_once(path) -> None:
    run = Run(path)
    writers = [threading.Thread(target=run.note, args=range(first, first + 500)) for first in range(0, 2000, 500)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        run.file.flush()
    run.file.close()
    past = read_past(path, run.clock, limit=10_000)
    assert sorted(event.record["number"] for event in past.events) == list(range(2000))


def test_after_the_end_nothing_is_written_and_nothing_raises(path) -> None:
    run = Run(path)
    run.note(1)
    run.file.close()
    run.note(2)
    run.keep(seen())
    run.file.close()
    assert [event.record["number"] for event in read_past(path, run.clock).events] == [1]


# --- what it forgets --------------------------------------------------------------------------------------------------


def test_events_are_kept_for_the_retention_time(path) -> None:
    run = Run(path, retention=DAY)
    run.note(1)
    run.later(12 * HOUR).note(2)
    run.later(12 * HOUR).note(3)
    assert run.numbers() == [1, 2, 3]
    run.later(1).note(4)
    assert run.numbers() == [2, 3, 4]


def test_old_events_go_even_if_nothing_new_comes(path) -> None:
    run = Run(path, retention=DAY)
    run.note(1)
    assert run.numbers() == [1]
    assert run.later(DAY + HOUR).numbers() == []


def test_the_oldest_events_give_way_to_new_ones_in_the_same_flush(path) -> None:
    run = Run(path, most_events=100)
    for first in range(0, 350, 70):
        run.note(*range(first, first + 70))
        assert run.numbers() == list(range(max(0, first - 30), first + 70))


def test_the_file_does_not_grow_with_the_number_of_events(path) -> None:
    run = Run(path, most_events=1000)
    sizes = []
    for first in range(0, 40_000, 500):
        run.note(*range(first, first + 500))
        run.file.flush()
        sizes.append(sum(found.stat().st_size for found in path.parent.iterdir()))
    assert max(sizes) <= sizes[3] * 1.5  # the third flush is the first that deletes as many as it writes
    assert len(run.numbers()) == 1000


def test_an_unwatched_vip_is_forgotten_after_the_retention_time_a_silent_one_is_not(path) -> None:
    run = Run(path, retention=DAY)
    run.keep(seen(), seen(vip=OTHER))
    silent = seen(State.SILENT, mac="")

    def known_after(time: Nanoseconds) -> list[object]:
        run.later(time).keep(silent)
        return [known.vip for known in run.file.load().holders]

    assert known_after(DAY - HOUR) == [VIP, OTHER]
    assert known_after(2 * HOUR) == [VIP]
    assert known_after(30 * DAY) == [VIP]


# --- trouble ----------------------------------------------------------------------------------------------------------


@contextmanager
def a_directory(path: Path) -> Iterator[None]:
    path.mkdir()
    yield
    path.rmdir()


@contextmanager
def a_pipe(path: Path) -> Iterator[None]:
    os.mkfifo(path)
    yield
    path.unlink()


@contextmanager
def no_directory(path: Path) -> Iterator[None]:
    path.parent.rmdir()
    yield
    path.parent.mkdir()


@contextmanager
def a_file_for_a_directory(path: Path) -> Iterator[None]:
    path.parent.rmdir()
    path.parent.touch()
    yield
    path.parent.unlink()
    path.parent.mkdir()


@contextmanager
def another_programs_file(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (id)")
        database.execute("PRAGMA application_id = 1234")
    yield from left_alone(path)


@contextmanager
def a_newer_file(path: Path) -> Iterator[None]:
    make(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 2")
    yield from left_alone(path)


def left_alone(path: Path) -> Iterator[None]:
    before = path.read_bytes()
    yield
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    path.unlink()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    make(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def being_read(path: Path) -> Iterator[None]:
    """Somebody is in the middle of a long look at the file."""
    make(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN")
        database.execute("SELECT * FROM events").fetchall()
        yield


@contextmanager
def disk(path: Path, options: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path.parent], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path.parent], check=True)


def remount(path: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", path.parent], check=True)


@contextmanager
def a_read_only_disk(path: Path) -> Iterator[None]:
    remount(path, "ro")
    yield
    remount(path, "rw")


@contextmanager
def a_read_only_disk_with_a_file(path: Path) -> Iterator[None]:
    make(path)
    with a_read_only_disk(path):
        yield


@contextmanager
def a_full_disk(path: Path) -> Iterator[None]:
    filler = path.parent / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


@contextmanager
def a_full_disk_with_a_file(path: Path) -> Iterator[None]:
    make(path, *range(1000, 1010))
    with a_full_disk(path):
        yield


TROUBLES = {
    "a directory": (a_directory, "not_a_file"),
    "a pipe": (a_pipe, "not_a_file"),
    "no directory": (no_directory, "no_directory"),
    "a file for a directory": (a_file_for_a_directory, "no_directory"),
    "another program's file": (another_programs_file, "not_ours"),
    "a newer schema": (a_newer_file, "newer"),
    "locked": (locked, "locked"),
    "being read for long": (being_read, "locked"),
    "a read-only disk": (a_read_only_disk, "read_only"),
    "a read-only disk with a file": (a_read_only_disk_with_a_file, "read_only"),
    "a full disk": (a_full_disk, "no_space"),
    "a full disk with a file": (a_full_disk_with_a_file, "no_space"),
}


@pytest.mark.parametrize(("befalls", "trouble"), TROUBLES.values(), ids=TROUBLES)
def test_trouble_is_told_once_and_nothing_is_lost(path, lines, befalls, trouble) -> None:
    """While it lasts, every call returns and events wait; once it is over they are written."""
    path = path.parent / "disk" / path.name
    path.parent.mkdir()
    with disk(path, "size=256k") if "disk" in befalls.__name__ else no_mount():
        with befalls(path):
            run = Run(path)
            run.file.load()
            for number in range(3):
                run.note(*range(number * 200, number * 200 + 200))
                run.later(HOUR).keep(seen())
            assert run.file.up is False
            assert "; " in run.file.reason  # what is wrong; what to do
            assert lines() == [("state file out of use", trouble)]
        run.later(HOUR).keep(seen())
        assert (run.file.up, run.file.reason) == (True, "")
        assert lines() == [("state file out of use", trouble), ("state file works again", "")]
        assert run.numbers()[-600:] == list(range(600))
        assert [known.holder for known in run.file.load().holders] == ["node-1"]
        run.file.close()


@contextmanager
def no_mount() -> Iterator[None]:
    yield


def test_it_is_tried_again_after_pauses_that_grow_to_half_a_minute(path) -> None:
    path.mkdir()
    run = Run(path)
    run.file.load()
    waited = []
    for _ in range(7):
        path.rmdir()
        path.mkdir()
        before = run.file.reason = "not tried"
        start = run.clock.now()
        while run.file.reason == before:
            run.later(SECOND // 2).file.flush()
        waited.append((run.clock.now() - start) / SECOND)
    assert waited == [1, 2, 4, 8, 16, 30, 30]


def test_at_the_end_it_is_tried_without_a_pause(path) -> None:
    path.mkdir()
    run = Run(path)
    run.note(1)
    run.file.flush()
    path.rmdir()
    run.file.close()
    assert [event.record["number"] for event in read_past(path, run.clock).events] == [1]


def test_too_many_events_wait_the_oldest_give_way_and_that_is_told(path, lines, monkeypatch) -> None:
    monkeypatch.setattr(state_file, "MOST_WAITING", 100)
    path.mkdir()
    run = Run(path)
    for first in range(0, 240, 40):
        run.note(*range(first, first + 40))
        run.later(HOUR).file.flush()
    path.rmdir()
    run.later(HOUR)
    assert run.numbers() == list(range(140, 240))
    assert [message for message, _ in lines()] == [
        "state file out of use",
        "state file loses events",
        "state file works again",
    ]


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_a_file_that_is_deleted_while_in_use_is_begun_anew(path, lines, replaced) -> None:
    """The new one has the present holders at once."""
    run = Run(path)
    run.keep(seen(), seen(vip=OTHER))
    path.unlink()
    if replaced:
        make(path)
    run.note(1)
    run.file.flush()
    assert run.file.up is False
    assert lines() == [("state file out of use", "missing")]
    run.later(SECOND).file.flush()
    assert run.file.up is True
    assert run.numbers() == [1]
    assert [known.vip for known in run.file.load().holders] == [VIP, OTHER]


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_nobody_else_may_read_the_file(path, umask) -> None:
    before = os.umask(umask)
    try:
        Run(path).file.load()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["with space?mode=ro&x=%41#y.db", "naïve-\udcff.db"], ids=["like a URI", "not UTF-8"])
def test_any_file_name_will_do(tmp_path, name) -> None:
    run = Run(tmp_path / name)
    run.note(1)
    assert run.numbers() == [1]
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_an_empty_file_is_taken(path) -> None:
    path.touch()
    run = Run(path)
    assert run.file.load().reason == ""
    run.note(1)
    assert run.numbers() == [1]


# --- corruption -------------------------------------------------------------------------------------------------------


def short(content: bytes) -> bytes:
    return b"SQLite format 3\x00"


def zeros_at_the_beginning(content: bytes) -> bytes:
    return bytes(4096) + content[4096:]


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def zeros_after_the_header(content: bytes) -> bytes:
    return content[:100] + bytes(len(content) - 100)


def noise_in_the_middle(content: bytes) -> bytes:
    noise = random.Random(1).randbytes(len(content) - 8192)
    return content[:8192] + noise


DAMAGE = (short, zeros_at_the_beginning, half, zeros_after_the_header, noise_in_the_middle)


def damage(path: Path, how: Callable[[bytes], bytes]) -> bytes:
    """Spoil a file that holds a few hundred events and a holder; returns what it contains then."""
    make(path, *range(300))
    path.write_bytes(content := how(path.read_bytes()))
    return content


@pytest.mark.parametrize("how", DAMAGE, ids=lambda how: how.__name__)
def test_a_corrupt_file_is_put_aside_and_a_new_one_begun(path, lines, how) -> None:
    content = damage(path, how)
    run = Run(path)
    past = run.file.load()
    assert (past.holders, past.events) == ((), ())
    assert run.file.up is True
    assert lines() == [("state file corrupt, a new one is begun", "")]
    run.note(1)
    assert run.numbers() == [1]
    aside = path.parent / f"{path.name}.corrupt-20270115T080000Z"
    assert sorted(path.parent.iterdir()) == [path, aside]
    assert aside.read_bytes() == content


def test_a_file_that_is_no_database_is_left_as_it_is(path, lines) -> None:
    """Somebody mistyped the path."""
    path.write_bytes(b"127.0.0.1 localhost\n" * 300)
    run = Run(path)
    assert run.file.load().holders == ()
    run.note(1)
    assert run.file.up is False
    assert "no SQLite file" in run.file.reason
    assert path.read_bytes() == b"127.0.0.1 localhost\n" * 300
    assert list(path.parent.iterdir()) == [path]
    assert lines() == [("state file out of use", "not_ours")]


def test_only_once_in_a_run(path, lines) -> None:
    """A disk that spoils whatever is on it must not be filled with spoilt files."""
    damage(path, short)
    run = Run(path)
    run.file.load()
    run.file._let_go()
    path.write_bytes(bytes(4096))
    run.note(1)
    for _ in range(3):
        run.later(HOUR).file.flush()
    assert run.file.up is False
    assert lines() == [("state file corrupt, a new one is begun", ""), ("state file out of use", "corrupt")]
    assert len(list(path.parent.iterdir())) == 2
    path.unlink()
    assert run.later(HOUR).numbers() == [1]


def test_what_was_put_aside_is_never_overwritten(path) -> None:
    for _ in range(3):
        damage(path, short)
        Run(path).file.load()
    assert len(list(path.parent.glob("*.corrupt-*"))) == 3


def test_corruption_that_shows_while_it_is_in_use(path, lines) -> None:
    run = Run(path, clock=Line(now=100 * SECOND))
    run.note(*range(300))
    run.keep(seen())
    with path.open("r+b") as file:  # the same file, not another one in its place
        file.seek(24)
        file.write(b"\xff" * 4)  # the count of changes, by which SQLite sees that what it remembers is outdated
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    run.note(1)
    run.keep(seen(heard=73))
    assert run.file.up is True
    assert run.numbers() == [1]
    assert [known.heard for known in run.file.load().holders] == [73 * SECOND]
    assert lines() == [("state file corrupt, a new one is begun", "")]


def test_rows_that_make_no_sense_are_left_out_and_counted(path, lines) -> None:
    run = Run(path)
    run.note(1)
    run.keep(seen())
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for row in [("no address", "a", "", 1, 1, 1), ("192.0.2.1", "a", "no mac", 1, 1, 1)]:
            database.execute("INSERT INTO holders VALUES (?, ?, ?, ?, ?, ?)", row)
        database.execute("INSERT INTO holders VALUES ('192.0.2.2', x'ff00', '', 'soon', 1, 1)")
        for record in ["{", "[]", '{"vip": "x"}', '{"vip": [1]}', "[" * 100_000]:
            database.execute("INSERT INTO events (at, record) VALUES (?, ?)", (EPOCH, record))
        database.execute("INSERT INTO events (at, record) VALUES ('soon', '{}')")
        database.execute("INSERT INTO events (at, record) VALUES (1, x'ff')")
    past = run.file.load()
    assert [known.vip for known in past.holders] == [VIP]
    assert [event.record["number"] for event in past.events] == [1]
    assert past.reason == "10 rows that make no sense are left out"
    assert lines() == [("state file read in part", "")]


# --- reading alone ----------------------------------------------------------------------------------------------------

UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "there is no such file"),
    "a directory": (Path.mkdir, "it is a directory"),
    "a pipe": (os.mkfifo, "it is a directory or a device"),
    "no database": (lambda path: path.write_text("hello\n" * 100), "file is not a database"),
    "another program's": (lambda path: sqlite3.connect(path).execute("CREATE TABLE a (b)"), "of another program"),
    "corrupt": (lambda path: damage(path, half), "malformed"),
}


@pytest.mark.parametrize(("make", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_reading_says_what_is_wrong_and_changes_nothing(path, lines, make, reason) -> None:
    make(path)
    before = sorted((found, found.stat().st_size, found.stat().st_mtime_ns) for found in path.parent.iterdir())
    past = read_past(path, Line())
    assert (past.holders, past.events) == ((), ())
    assert reason in past.reason
    assert before == sorted((found, found.stat().st_size, found.stat().st_mtime_ns) for found in path.parent.iterdir())
    assert lines() == []


def test_reading_beside_a_running_exporter(path) -> None:
    run = Run(path)
    run.keep(seen())
    assert [known.holder for known in read_past(path, run.clock).holders] == ["node-1"]
    run.keep(seen(holder="node-2"))
    assert [known.holder for known in read_past(path, run.clock).holders] == ["node-2"]
    assert run.file.up is True


def test_what_is_on_a_read_only_disk_is_known_all_the_same(path) -> None:
    path = path.parent / "disk" / path.name
    path.parent.mkdir()
    with disk(path, "size=256k"):
        make(path, 1)
        with a_read_only_disk(path):
            run = Run(path)
            assert run.numbers() == [1]
            assert run.file.up is False
            run.file.close()


def test_reading_while_the_file_is_locked(path) -> None:
    with locked(path):
        assert "locked" in read_past(path, Line()).reason


# --- killed writers ---------------------------------------------------------------------------------------------------


def test_a_killed_writer_leaves_what_it_had_written(path) -> None:
    """Thirty writers, one after the other, each killed somewhere: nothing that was written is missing, ever."""
    dice = random.Random(7)
    written = 0
    for _ in range(30):
        writer, numbers = start_writer(path, first=written + 1)
        until = written + dice.randrange(1, 30)
        told = b""
        while last(told) < until and select.select([numbers], [], [], 10)[0]:
            told += os.read(numbers, 65536)
        time.sleep(dice.random() / 300)  # most often, this ends in the midst of a transaction
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        while part := os.read(numbers, 65536):
            told += part
        os.close(numbers)
        run = Run(path)
        found = run.numbers()
        run.file.close()
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= last(told) >= until
        assert [path] == list(path.parent.iterdir())
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        written = len(found)
    assert written > 200


def last(told: bytes) -> int:
    """The last whole line's number."""
    return int(told.rpartition(b"\n")[0].rpartition(b"\n")[2] or 0)


def start_writer(path: Path, *, first: int) -> tuple[int, int]:
    """A process that writes event upon event, and says the number of each that is safely in the file."""
    numbers, told = os.pipe()
    writer = os.fork()
    if writer == 0:
        try:
            run = Run(path)
            for number in range(first, first + 100_000):
                run.note(number)
                run.keep(seen(heard=number))
                if run.file.up:
                    os.write(told, b"%d\n" % number)
        finally:
            os._exit(1)
    os.close(told)
    return writer, numbers


def test_what_a_killed_writer_left_half_done_is_told_and_mended(path) -> None:
    """Reading alone cannot roll it back; the next run does, and loses nothing but that."""
    make(path, *range(300))
    start, told = os.pipe()
    writer = os.fork()
    if writer == 0:
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA cache_size = 1")  # so that it writes to the file before the end
        database.execute("BEGIN")
        database.execute("UPDATE events SET record = '{}'")
        os.write(told, b".")
        signal.pause()
    os.read(start, 1)
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    assert "can be read again once an exporter has opened it" in read_past(path, Line()).reason
    assert Run(path).numbers() == list(range(300))


def test_an_attempt_that_hangs_shows_while_it_does(path, monkeypatch) -> None:
    """A disk on a network may answer never, or later. Nobody else waits for it, and nothing is lost."""
    run = Run(path)
    run.keep(seen())
    released, begun = threading.Event(), threading.Event()
    write = Store.write

    def hang(store, **what) -> None:
        begun.set()
        released.wait()
        write(store, **what)

    monkeypatch.setattr(Store, "write", hang)
    run.note(1)
    hanging = threading.Thread(target=run.file.flush)
    hanging.start()
    begun.wait()
    assert run.file.up is True
    run.later(31 * SECOND).note(2)
    assert run.file.up is False
    run.file.flush()
    released.set()
    hanging.join()
    assert run.file.up is True
    assert run.numbers() == [1, 2]
