"""Users and their bcrypt hashes; the only module that imports bcrypt. Knows nothing of requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

LEAST_COST = 4
MOST_COST = 14
"""Each more doubles the time of a check; at this one it takes about a second."""

_HASH = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
# 128 bits of salt in 22 characters, 184 of digest in 31: the last of each has bits to spare, which must be 0. Else the
# check itself writes it differently, and no password ever matches.
_ENDS = re.compile(r".{28}[.Oeu].{30}[.CGKOSWaeimquy26]")
_LOOKED_AT = 72
"""Bytes of a password; bcrypt ignores what follows."""


def hash_trouble(text: str) -> str:
    """What is wrong with a bcrypt hash, and the remedy; empty: nothing. Never says any of the hash itself."""
    match = _HASH.fullmatch(text)
    if not match:
        return "not a bcrypt hash, which has 60 characters; make one with `htpasswd -nBC 10 NAME`"
    if not LEAST_COST <= int(match[1]) <= MOST_COST:
        return f"the hash's cost is not within {LEAST_COST} and {MOST_COST}; make one of cost 10"
    if not _ENDS.fullmatch(text):
        return "no password has this hash, so it is mistyped; copy it anew"
    return ""


@dataclass(frozen=True, slots=True)
class Users:
    """Those who may log in.

    Attributes:
        hashes: bcrypt hash by name, in the bytes that a client sends; each without `hash_trouble`.
        stand_in: checked for a name that is not there, so that this takes no less time: as costly as the costliest.
    """

    hashes: Mapping[bytes, bytes] = field(repr=False)
    stand_in: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        cost = max((known[4:6] for known in self.hashes.values()), default=b"10")
        object.__setattr__(self, "stand_in", b"$2b$%s$%s" % (cost, b"." * 53))

    def __bool__(self) -> bool:
        return bool(self.hashes)

    def hash_of(self, name: bytes) -> bytes:
        return self.hashes.get(name, self.stand_in)


def significant(password: bytes) -> bytes:
    """The part of a password that its hash is made of."""
    return password[:_LOOKED_AT]


def matches(password: bytes, hash: bytes) -> bool:
    """Whether it is the password. Takes as long as the hash's cost says; other threads run meanwhile.

    Args:
        password: without NUL bytes.
    """
    import bcrypt  # who has no users need not load it

    return bcrypt.checkpw(significant(password), hash)
