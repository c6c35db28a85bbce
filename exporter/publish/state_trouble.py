"""What can be wrong with the state file, in words: what SQLite and the system report, and what to do about it."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from enum import StrEnum


class Trouble(StrEnum):
    """Why the file cannot be used."""

    LOCKED = "locked"
    READ_ONLY = "read_only"
    NO_SPACE = "no_space"
    NO_DIRECTORY = "no_directory"
    NOT_A_FILE = "not_a_file"
    NOT_OURS = "not_ours"
    NEWER = "newer"
    CORRUPT = "corrupt"
    MISSING = "missing"
    UNFINISHED = "unfinished"
    FAILED = "failed"


_REMEDIES = {
    Trouble.LOCKED: "end the other process that uses it, or give each a file of its own",
    Trouble.READ_ONLY: "make the file and its directory writable",
    Trouble.NO_SPACE: "make room on the disk",
    Trouble.NO_DIRECTORY: "create its directory",
    Trouble.NOT_A_FILE: "name a file",
    Trouble.NOT_OURS: "name another path; this file is left as it is",
    Trouble.NEWER: "run the version that wrote it, or name another path; this file is left as it is",
    Trouble.CORRUPT: "check the disk, and move the file away",
    Trouble.MISSING: "a running exporter begins a new one",
    Trouble.UNFINISHED: "it can be read again once an exporter has opened it",
    Trouble.FAILED: "check the disk",
}
_BY_CODE = {
    sqlite3.SQLITE_BUSY: Trouble.LOCKED,
    sqlite3.SQLITE_LOCKED: Trouble.LOCKED,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    # The file itself is there by then: it is the journal beside it that cannot be made.
    sqlite3.SQLITE_CANTOPEN: Trouble.READ_ONLY,
    sqlite3.SQLITE_FULL: Trouble.NO_SPACE,
    sqlite3.SQLITE_CORRUPT: Trouble.CORRUPT,
    sqlite3.SQLITE_NOTADB: Trouble.CORRUPT,
}
_BY_ERRNO = {
    errno.EROFS: Trouble.READ_ONLY,
    errno.EACCES: Trouble.READ_ONLY,
    errno.EPERM: Trouble.READ_ONLY,
    errno.ENOSPC: Trouble.NO_SPACE,
    errno.EDQUOT: Trouble.NO_SPACE,
    errno.ENOENT: Trouble.NO_DIRECTORY,
    errno.ENOTDIR: Trouble.NO_DIRECTORY,
}


class StateFileError(Exception):
    """The text says what is wrong and what to do about it."""

    def __init__(self, trouble: Trouble, problem: str) -> None:
        self.trouble = trouble
        self.problem = problem
        super().__init__(f"{problem}; {_REMEDIES[trouble]}")


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Raise a StateFileError for whatever SQLite or the system reports within."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0)
        # Reading alone cannot roll back what a killed writer left behind.
        unfinished = code == sqlite3.SQLITE_READONLY_ROLLBACK
        trouble = Trouble.UNFINISHED if unfinished else _BY_CODE.get(code & 0xFF, Trouble.FAILED)
        raise StateFileError(trouble, str(error)) from error
    except OSError as error:
        trouble = _BY_ERRNO.get(error.errno or 0, Trouble.FAILED)
        raise StateFileError(trouble, error.strerror or str(error)) from error
