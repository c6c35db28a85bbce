"""The state file itself: a small SQLite database with the last holder of each VIP and the events.

It reads and writes, and raises `StateFileError` for whatever goes wrong; what follows from that, `state_file` decides.
Another program's SQLite file is never touched. Times in the file are wall-clock nanoseconds since 1970, UTC.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple, TypeVar

from exporter.publish.records import Record
from exporter.publish.state_trouble import StateFileError, Trouble, explained
from exporter.vip.model import SECOND, IPAddress, Mac, Nanoseconds, format_mac, parse_mac

T = TypeVar("T")

APPLICATION_ID = 0x76697065
"""Says in the file's header that it is ours ("vipe")."""
SCHEMA = 1
MOST_ROWS = 100_000
"""Events kept, and VIPs whose last holder is kept; the oldest give way."""
LONGEST_WAIT = 0.2
"""Seconds to wait for whoever else uses the file."""

_as_json = json.JSONEncoder(default=str).encode
_MAGIC = b"SQLite format 3\x00"
_HEADER = 100
"""Bytes (https://www.sqlite.org/fileformat.html, section 1.3)."""
_HOLDERS = """
CREATE TABLE holders (
    vip TEXT PRIMARY KEY, holder TEXT NOT NULL, mac TEXT NOT NULL, since INTEGER NOT NULL, heard INTEGER NOT NULL,
    kept INTEGER NOT NULL
) WITHOUT ROWID
"""
_EVENTS = "CREATE TABLE events (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, record TEXT NOT NULL)"
_EVENTS_AT = "CREATE INDEX events_at ON events (at)"


@dataclass(frozen=True, slots=True)
class LastHolder:
    """Who held a VIP when that was last known."""

    vip: IPAddress
    holder: str
    """The node; empty where it was not known."""
    mac: Mac | None
    since: Nanoseconds
    heard: Nanoseconds


class PastEvent(NamedTuple):
    at: Nanoseconds
    vip: IPAddress | None
    record: Record


@dataclass(frozen=True, slots=True)
class Contents:
    holders: tuple[LastHolder, ...]
    events: tuple[PastEvent, ...]
    """The newest, oldest of them first."""
    unreadable: int
    """Rows that make no sense."""


class Store:
    """The open file. After an error it is of no more use and must be closed; what was written before stays.

    Args:
        path: where it is, or is to be made.

    Raises:
        StateFileError: it cannot be opened, made or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with explained():
            _examine(path)
            self._identity = _identity(path)
            self._database = _connect(path, "rw")
            try:
                self._prepare()
            except BaseException:
                self.close()
                raise

    def _prepare(self) -> None:
        if (found := self._database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise StateFileError(Trouble.CORRUPT, str(found))
        self._database.execute("BEGIN EXCLUSIVE")
        if self._database.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in (_HOLDERS, _EVENTS, _EVENTS_AT):
                self._database.execute(statement)
            self._database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        # Written each time, so that a file that cannot be written is found out now.
        self._database.execute(f"PRAGMA user_version = {SCHEMA}")
        self._database.execute("COMMIT")

    def check_in_place(self) -> None:
        """What is written to a file that was deleted is lost without a word.

        Raises:
            StateFileError: another file, or none, is at the path now.
        """
        with contextlib.suppress(OSError):
            if _identity(self._path) == self._identity:
                return
        raise StateFileError(Trouble.MISSING, "the file was deleted or replaced while it was in use")

    def write(
        self,
        *,
        events: Collection[tuple[Nanoseconds, Record]],
        holders: Collection[LastHolder],
        watched: Collection[IPAddress] | None,
        now: Nanoseconds,
        retention: Nanoseconds,
        most_events: int = MOST_ROWS,
    ) -> None:
        """Add events, replace holders, and delete what is too old or too much: all of it, or nothing.

        Args:
            events: when each was and its record, in the order in which they happened.
            holders: those that are new or have changed.
            watched: VIPs whose holders do not grow old; None: leave the age of holders alone this time.
            now: the present.
            retention: how old events, and holders of other VIPs, may grow.
            most_events: how many of them are kept.

        Raises:
            StateFileError: nothing was written.
        """
        with explained():
            execute, many = self._database.execute, self._database.executemany
            execute("BEGIN EXCLUSIVE")
            many("INSERT INTO events (at, record) VALUES (?, ?)", ((at, _as_json(record)) for at, record in events))
            many("REPLACE INTO holders VALUES (?, ?, ?, ?, ?, ?)", ((*_as_row(one), now) for one in holders))
            execute("DELETE FROM events WHERE at < ?", (now - retention,))
            execute("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", (most_events,))
            if watched is not None:
                many("UPDATE holders SET kept = ? WHERE vip = ?", ((now, str(vip)) for vip in watched))
                execute("DELETE FROM holders WHERE kept < ?", (now - retention,))
                execute(
                    "DELETE FROM holders WHERE vip IN (SELECT vip FROM holders ORDER BY kept DESC LIMIT -1 OFFSET ?)",
                    (MOST_ROWS,),
                )
            execute("COMMIT")

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._database.close()


def read(path: Path, *, limit: int) -> Contents:
    """What the file says, with at most `limit` events. Changes and creates nothing.

    Raises:
        StateFileError: it cannot be read.
    """
    with explained():
        if not path.exists():
            raise StateFileError(Trouble.MISSING, "there is no such file")
        _require_file(path)
        with contextlib.closing(_connect(path, "ro")) as database:
            database.execute("BEGIN")
            if database.execute("PRAGMA page_count").fetchone()[0] == 0:
                return Contents((), (), 0)
            _require_ours(
                application=database.execute("PRAGMA application_id").fetchone()[0],
                version=database.execute("PRAGMA user_version").fetchone()[0],
            )
            holders = database.execute("SELECT vip, holder, mac, since, heard FROM holders").fetchall()
            newest = database.execute("SELECT at, record FROM events ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
    good_holders, good_events = _sensible(_as_holder, holders), _sensible(_as_event, reversed(newest))
    unreadable = len(holders) - len(good_holders) + len(newest) - len(good_events)
    return Contents(good_holders, good_events, unreadable)


def move_aside(path: Path, *, now: Nanoseconds) -> Path:
    """Rename a file that is corrupt, with its journal, and say what it is called now. Nothing is overwritten.

    Raises:
        StateFileError: it stays where it is.
    """
    stamp = datetime.fromtimestamp(now // SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
    target, number = Path(f"{path}.corrupt-{stamp}"), 1
    while os.path.lexists(target):
        number += 1
        target = Path(f"{path}.corrupt-{stamp}-{number}")
    try:
        # The journal first: beside a new file, it would be taken for that one's.
        for suffix in ("-journal", ""):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{path}{suffix}").rename(f"{target}{suffix}")
    except OSError as error:
        raise StateFileError(Trouble.CORRUPT, f"it is corrupt and cannot be renamed: {error.strerror}") from error
    return target


# --- the file ---------------------------------------------------------------------------------------------------------


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=LONGEST_WAIT,
        isolation_level=None,  # a transaction begins where this module says so
        check_same_thread=False,
    )
    database.execute("PRAGMA temp_store = MEMORY")  # there may be no other directory that can be written
    database.text_factory = lambda data: data.decode(errors="replace")
    return database


def _examine(path: Path) -> None:
    """See that SQLite may have this file: make it where there is none, and refuse what is not ours."""
    try:
        _require_file(path)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)  # whatever the umask
        os.close(descriptor)
        return
    # SQLite would have to play back a stranger's journal before it could say that the file is not ours.
    with path.open("rb") as file:
        header = file.read(_HEADER)
    if not header:
        return
    if not header.startswith(_MAGIC) and any(header):
        # Whoever mistyped the path must find that file as it was.
        raise StateFileError(Trouble.NOT_OURS, "it is no SQLite file")
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        raise StateFileError(Trouble.CORRUPT, "it is cut off, or full of zeros as after a crash")
    _require_ours(application=int.from_bytes(header[68:72]), version=int.from_bytes(header[60:64]))


def _require_file(path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):
        raise StateFileError(Trouble.NOT_A_FILE, "it is a directory or a device")


def _require_ours(*, application: int, version: int) -> None:
    if application != APPLICATION_ID:
        raise StateFileError(Trouble.NOT_OURS, "it is the SQLite file of another program")
    if version > SCHEMA:
        raise StateFileError(Trouble.NEWER, f"a newer version of this program wrote it (schema {version})")


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


# --- its rows ---------------------------------------------------------------------------------------------------------


def _as_row(holder: LastHolder) -> tuple[str, str, str, int, int]:
    name = holder.holder.encode(errors="replace").decode()  # a lone surrogate is no text
    mac = "" if holder.mac is None else format_mac(holder.mac)
    return str(holder.vip), name, mac, holder.since, holder.heard


def _as_holder(vip: str, holder: str, mac: str, since: object, heard: object) -> LastHolder:
    return LastHolder(ip_address(vip), holder, parse_mac(mac) if mac else None, _integer(since), _integer(heard))


def _as_event(at: object, record: str) -> PastEvent:
    content = json.loads(record)
    if not isinstance(content, dict):
        raise TypeError
    vip = content.get("vip")
    return PastEvent(_integer(at), ip_address(str(vip)) if vip else None, content)


def _integer(value: object) -> int:
    # A column's type binds nobody in SQLite.
    if not isinstance(value, int):
        raise TypeError
    return value


def _sensible(read_row: Callable[..., T], rows: Iterable[Sequence[object]]) -> tuple[T, ...]:
    """Those rows that this program can have written."""
    found = []
    for row in rows:
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            found.append(read_row(*row))
    return tuple(found)
