"""Check who logs in, such that wrong passwords cost those who try them more than this program.

bcrypt is slow by design, so whoever may have passwords checked could keep the processor busy. Therefore one check is
made at a time, with a rest as long after each that failed; few wait for one, each for another client; a client that
fails often must pause; and what is known from an earlier check is not checked again.

Credentials that were right once are never held up by any of this. New ones of a client that has never failed come
before those of clients that have, and take the place of one that waits: whoever tries passwords from many addresses
keeps others out for no longer than until each of these has failed once.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from exporter import log
from exporter.publish.web.failures import Failures, party
from exporter.publish.web.turns import in_thread
from exporter.publish.web.users import Users, matches, significant
from exporter.vip.model import SECOND, Nanoseconds

MOST_WAITING = 16
"""Checks that wait, besides the one under way."""
PATIENCE = 5.0
"""Seconds that an answer waits for its check. That goes on, so the same credentials may be known the next time."""
REMEMBERED: Nanoseconds = 60 * SECOND
"""How long wrong credentials are known as such."""
MOST_REMEMBERED = 1024
SOON = 1
"""Seconds after which to come back if no check could be made, through no fault of this client."""

_NO_DIGEST = bytes(32)


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a request is let in.

    Attributes:
        retry_after: seconds to wait before the next try; None: with these credentials there is no point.
    """

    admitted: bool
    retry_after: int | None = None


ADMITTED = Admission(True)
REFUSED = Admission(False)


@dataclass(frozen=True, slots=True)
class _Check:
    name: bytes
    password: bytes
    hash: bytes
    digest: bytes
    failed_before: bool
    """Its client has."""
    answer: asyncio.Future[Admission]


class Logins:
    """What is known of credentials, and the checks under way. Belongs to one event loop.

    Args:
        users: those there are at the moment; whoever is no longer among them is not admitted any more.
        clock: monotonic nanoseconds.
        sleep: how to rest, for seconds.
    """

    def __init__(
        self,
        users: Callable[[], Users],
        *,
        clock: Callable[[], Nanoseconds] = time.monotonic_ns,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._users = users
        self._clock = clock
        self._sleep = sleep
        # Digests under this key stand for credentials; neither passwords nor anything of use elsewhere is kept.
        self._key = secrets.token_bytes(32)
        self._right: dict[bytes, bytes] = {}
        self._wrong: dict[bytes, Nanoseconds] = {}
        self._failures = Failures()
        self._under_way: dict[bytes, asyncio.Future[Admission]] = {}
        self._waiting: dict[str, _Check] = {}
        self._worker: asyncio.Task[None] | None = None

    async def admit(self, authorization: str | None, client: str) -> Admission:
        """Judge a request. Never raises, whatever it carries.

        Args:
            authorization: its header, if there is one.
            client: its address; anything else for those who have none.
        """
        if (credentials := _credentials(authorization)) is None:
            return REFUSED
        name, password = credentials
        known = self._users().hash_of(name)
        # No name has a colon, and all hashes are of one length.
        digest = hmac.digest(self._key, b"%s:%s%s" % (name, known, password), "sha256")
        if hmac.compare_digest(self._right.get(name, _NO_DIGEST), digest):
            return ADMITTED
        now = self._clock()
        if self._wrong.get(digest, now) > now:
            return REFUSED
        if digest not in self._under_way:
            who = party(client)
            if pause := self._failures.wait(who, now):
                return Admission(False, -(-pause // SECOND))
            failed_before = self._failures.known(who)
            if who in self._waiting or not self._has_room(failed_before):
                return Admission(False, SOON)
            # Counted before it is known, else many could be asked for at once.
            self._failures.add(who, now)
            answer = self._under_way[digest] = asyncio.get_running_loop().create_future()
            self._waiting[who] = _Check(name, password, known, digest, failed_before, answer)
            if self._worker is None or self._worker.done():
                self._worker = asyncio.create_task(self._work())
        try:
            return await asyncio.wait_for(asyncio.shield(self._under_way[digest]), PATIENCE)
        except TimeoutError:
            return Admission(False, SOON)

    def _has_room(self, failed_before: bool) -> bool:
        """Whether one more may wait. For a client that has never failed, one that has is turned away if need be."""
        if len(self._waiting) < MOST_WAITING:
            return True
        loser = None if failed_before else self._next(failed_before=True)
        if loser is None:
            return False
        check = self._waiting.pop(loser)
        del self._under_way[check.digest]
        check.answer.set_result(Admission(False, SOON))
        return True

    def _next(self, *, failed_before: bool) -> str | None:
        """Who has waited longest, of those clients."""
        return next((who for who, check in self._waiting.items() if check.failed_before is failed_before), None)

    async def _work(self) -> None:
        """Make the checks that wait, one after the other."""
        while self._waiting:
            who = self._next(failed_before=False)
            if who is None:
                who = next(iter(self._waiting))
            check = self._waiting.pop(who)
            begun = self._clock()
            try:
                admission = await self._judge(who, check)
            finally:
                del self._under_way[check.digest]
            check.answer.set_result(admission)
            if not admission.admitted:
                await self._sleep((self._clock() - begun) / SECOND)

    async def _judge(self, who: str, check: _Check) -> Admission:
        try:
            # Waited for when the process ends: as Python ends daemon threads, it would be aborted inside bcrypt.
            right = await in_thread(lambda: matches(check.password, check.hash), daemon=False)
        except Exception as error:  # noqa: BLE001 - no thread to be had, no memory: the next one may go well
            log.error("password could not be checked", error=error)
            self._failures.take_back(who, self._clock())
            return Admission(False, SOON)
        users = self._users()
        # They may have changed meanwhile; and nobody knows a password of the stand-in, but that is no reason to try.
        if right and users.hashes.get(check.name) == check.hash:
            self._failures.forgive(who)
            self._right = {name: digest for name, digest in self._right.items() if name in users.hashes}
            self._right[check.name] = check.digest
            return ADMITTED
        # Not the name: by a slip, it may be the password.
        log.warning("login refused", client=who or "unix socket")
        self._wrong[check.digest] = self._clock() + REMEMBERED
        if len(self._wrong) > MOST_REMEMBERED:
            del self._wrong[next(iter(self._wrong))]
        return REFUSED


def _credentials(authorization: str | None) -> tuple[bytes, bytes] | None:
    """Name and password, if that is what the header has (RFC 7617, section 2); of the password, what counts."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(token.strip(" "), validate=True)
        text.decode()
    except ValueError:
        return None
    name, colon, password = text.partition(b":")
    return (name, significant(password)) if colon and b"\0" not in text else None
