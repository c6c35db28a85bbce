"""Logins: who is admitted, and that a flood of wrong passwords buys little work and locks nobody else out."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import bcrypt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter import log
from exporter.publish.web import failures, logins
from exporter.publish.web.failures import Failures, party
from exporter.publish.web.logins import ADMITTED, REFUSED, Admission, Logins
from exporter.publish.web.users import Users
from exporter.vip.model import SECOND

T = TypeVar("T")

LONG = b"x" * 80
HASHES = {
    b"alice": bcrypt.hashpw(b"open sesame", bcrypt.gensalt(5)),
    b"bob": bcrypt.hashpw("pässword: 1".encode(), bcrypt.gensalt(4)),
    b"long": bcrypt.hashpw(LONG[:72], bcrypt.gensalt(4)),
    b"nothing": bcrypt.hashpw(b"", bcrypt.gensalt(4)),
}


def basic(name: str | bytes, password: str | bytes) -> str:
    both = b":".join(part.encode() if isinstance(part, str) else part for part in (name, password))
    return "Basic " + base64.b64encode(both).decode()


RIGHT = basic("alice", "open sesame")


class Bench:
    """A `Logins` on a clock that only a check of a password, a rest and the test itself move on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
        self.users = Users(HASHES)
        self.now = 0
        self.took = SECOND // 10
        """What a check takes."""
        self.checked: list[bytes] = []
        """The hash of each check."""
        self.rests: list[float] = []
        self.during: Callable[[], None] = lambda: None
        self.logins = Logins(lambda: self.users, clock=lambda: self.now, sleep=self._sleep)
        if monkeypatch is not None:
            real = bcrypt.checkpw

            def checkpw(password: bytes, hash: bytes) -> bool:
                self.checked.append(hash)
                self.now += self.took
                self.during()
                return real(password, hash)

            monkeypatch.setattr(bcrypt, "checkpw", checkpw)

    async def _sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        await asyncio.sleep(0)

    async def admit(self, authorization: str | None, client: str = "192.0.2.1") -> Admission:
        return await self.logins.admit(authorization, client)

    async def fail(self, count: int, client: str = "192.0.2.1") -> list[Admission]:
        """As many different wrong passwords, one after the other."""
        return [await self.admit(basic("alice", f"wrong {len(self.checked)} {n}"), client) for n in range(count)]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def run(story: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(story)


# --- who is admitted --------------------------------------------------------------------------------------------------


def test_the_right_password_is_checked_once_and_known_from_then_on(bench: Bench) -> None:
    async def story() -> None:
        assert [await bench.admit(RIGHT) for _ in range(5)] == [ADMITTED] * 5
        assert await bench.admit(RIGHT, "2001:db8::1") == ADMITTED

    run(story())
    assert len(bench.checked) == 1
    assert bench.rests == []


@pytest.mark.parametrize(
    "authorization",
    [
        basic("bob", "pässword: 1"),
        basic("nothing", ""),
        RIGHT.replace("Basic", "bAsIc"),
        RIGHT.replace(" ", "   "),
    ],
)
def test_names_passwords_and_schemes_may_look_like_this(bench: Bench, authorization: str) -> None:
    assert run(bench.admit(authorization)) == ADMITTED


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic ====",
        "Basic é",
        "Basic \ud800",
        "Bearer " + RIGHT.split()[1],
        RIGHT.split()[1],
        RIGHT + ", " + RIGHT,
        RIGHT + "!",
        "Basic " + base64.b64encode(b"alice").decode(),
        basic("bob", "pässword: 1".encode("latin-1")),
        basic("alice", "open sesame\0"),
        basic("nothing", "\0"),
        "Basic " + "A" * 100_000,
    ],
)
def test_what_is_no_name_and_password_is_refused_without_a_check(bench: Bench, authorization: str | None) -> None:
    assert run(bench.admit(authorization)) == REFUSED
    assert bench.checked == []


def test_bcrypt_looks_at_72_bytes_so_what_follows_does_not_matter(bench: Bench) -> None:
    """As in Go, so that a password that worked with another exporter works here."""

    async def story() -> None:
        for password in (LONG, LONG[:72], LONG + b"y" * 1000):
            assert await bench.admit(basic("long", password)) == ADMITTED
        assert await bench.admit(basic("long", LONG[:71])) == REFUSED
        assert await bench.admit(basic("long", LONG[:71] + b"y" * 1000)) == REFUSED

    run(story())
    assert len(bench.checked) == 3


_PARTS = st.one_of(st.sampled_from([*HASHES, b"open sesame", LONG, b""]), st.binary(max_size=90))
_HEADERS = st.one_of(
    st.none(),
    st.text(max_size=200),
    st.builds(basic, _PARTS, _PARTS),
    st.builds(lambda scheme, data: f"{scheme} {base64.b64encode(data).decode()}", st.text(max_size=8), st.binary()),
    st.builds(lambda text: "Basic " + text, st.text(max_size=100)),
)


@settings(deadline=None, max_examples=300)
@given(header=_HEADERS, client=st.text(max_size=30))
@example(header=RIGHT, client="")
@example(header=basic("alice", "open sesame "), client="::")
@example(header=basic("Alice", "open sesame"), client="%")
def test_no_header_raises_and_only_the_right_one_is_admitted(header: str | None, client: str) -> None:
    scheme, _, token = (header or "").partition(" ")
    admission = run(Bench().admit(header, client))
    if admission.admitted:
        name, _, password = base64.b64decode(token).partition(b":")
        assert scheme.lower() == "basic"
        assert bcrypt.checkpw(password[:72], HASHES[name])
    elif header == RIGHT:
        raise AssertionError("the right one was refused")


def test_whoever_is_removed_or_has_another_password_is_not_admitted_any_more(bench: Bench) -> None:
    async def story() -> None:
        assert await bench.admit(RIGHT) == ADMITTED
        assert await bench.admit(basic("bob", "pässword: 1")) == ADMITTED
        bench.users = Users({b"bob": HASHES[b"bob"]})
        assert await bench.admit(RIGHT) == REFUSED
        bench.users = Users({b"bob": HASHES[b"bob"], b"alice": HASHES[b"nothing"]})
        assert await bench.admit(RIGHT) == REFUSED
        assert await bench.admit(basic("alice", "")) == ADMITTED
        before = len(bench.checked)
        assert await bench.admit(basic("bob", "pässword: 1")) == ADMITTED
        assert len(bench.checked) == before, "who stays need not be checked again"

    run(story())


def test_whoever_is_removed_during_the_check_is_refused(bench: Bench) -> None:
    def remove() -> None:
        bench.users = Users({b"bob": HASHES[b"bob"]})

    bench.during = remove
    assert run(bench.admit(RIGHT)) == REFUSED


def test_nothing_of_a_password_is_kept(bench: Bench) -> None:
    async def story() -> None:
        await bench.admit(RIGHT)
        await bench.admit(basic("alice", "wrong secret"))

    run(story())
    kept = repr({name: getattr(bench.logins, name) for name in vars(bench.logins)})
    assert "sesame" not in kept
    assert "secret" not in kept


# --- what a flood costs -----------------------------------------------------------------------------------------------


def test_the_same_wrong_password_again_costs_nothing_for_a_while(bench: Bench) -> None:
    async def story() -> None:
        for _ in range(50):
            assert await bench.admit(basic("alice", "wrong")) == REFUSED
        assert len(bench.checked) == 1
        bench.now += logins.REMEMBERED
        assert await bench.admit(basic("alice", "wrong")) == REFUSED
        assert len(bench.checked) == 2

    run(story())


def test_an_unknown_user_costs_as_much_as_the_costliest_known_one(bench: Bench) -> None:
    assert run(bench.admit(basic("mallory", "guess"))) == REFUSED
    (stand_in,) = bench.checked
    assert stand_in[4:6] == b"05"
    assert stand_in not in HASHES.values()


def test_who_fails_too_often_must_pause_and_costs_nothing_meanwhile(bench: Bench) -> None:
    async def story() -> None:
        assert await bench.fail(failures.BURST) == [REFUSED] * failures.BURST
        assert await bench.fail(20) == [Admission(False, retry_after=3)] * 20
        assert len(bench.checked) == failures.BURST
        bench.now = failures.REGAIN - 1
        assert await bench.fail(1) == [Admission(False, retry_after=1)]
        bench.now = failures.REGAIN
        assert await bench.fail(1) == [REFUSED]
        assert len(bench.checked) == failures.BURST + 1

    bench.took = 0
    run(story())


def test_known_credentials_are_admitted_from_where_somebody_tries_passwords(bench: Bench) -> None:
    async def story() -> None:
        assert await bench.admit(RIGHT) == ADMITTED
        await bench.fail(50)
        before = len(bench.checked)
        assert await bench.admit(RIGHT) == ADMITTED
        assert len(bench.checked) == before

    run(story())


def test_the_right_password_is_no_failure(bench: Bench) -> None:
    """Many who share an address log in for the first time."""

    async def story() -> None:
        bench.users = Users({b"%d" % n: HASHES[b"nothing"] for n in range(30)})
        assert [await bench.admit(basic(str(n), "")) for n in range(30)] == [ADMITTED] * 30

    run(story())


def test_a_flood_from_one_client_delays_a_first_login_from_another_by_two_checks(bench: Bench) -> None:
    async def story() -> None:
        flood = [asyncio.create_task(bench.admit(basic("alice", f"wrong {n}"))) for n in range(500)]
        await asyncio.sleep(0)
        assert await bench.admit(RIGHT, "192.0.2.2") == ADMITTED
        assert len(bench.checked) <= 3
        answers = await asyncio.gather(*flood)
        assert answers.count(Admission(False, logins.SOON)) >= 498

    run(story())
    assert len(bench.checked) <= 3


def test_a_flood_from_many_clients_is_checked_one_by_one_and_few_wait(bench: Bench) -> None:
    async def story() -> list[Admission]:
        return await asyncio.gather(
            *(bench.admit(basic("alice", f"wrong {n}"), f"2001:db8:0:{n:x}::1") for n in range(1000))
        )

    answers = run(story())
    assert len(bench.checked) <= logins.MOST_WAITING + 1
    assert answers.count(REFUSED) == len(bench.checked)
    assert answers.count(Admission(False, logins.SOON)) == 1000 - len(bench.checked)


def test_who_never_failed_comes_before_those_who_did(bench: Bench) -> None:
    """An attacker with more addresses than may wait keeps nobody out whose first login this is."""

    async def attack() -> tuple[Admission, int]:
        clients = [f"198.51.100.{number}" for number in range(3 * logins.MOST_WAITING)]
        for client in clients:
            await bench.fail(1, client)
        tries = [
            asyncio.create_task(bench.admit(basic("alice", f"again {client}"), client))
            for client in clients[: logins.MOST_WAITING + 1]
        ]
        await asyncio.sleep(0)
        checked = len(bench.checked)
        admission = await bench.admit(RIGHT, "192.0.2.1")
        between = len(bench.checked) - checked
        turned_away = [one for one in await asyncio.gather(*tries) if one == Admission(False, logins.SOON)]
        assert len(turned_away) >= 1
        return admission, between

    admission, between = run(attack())
    assert admission == ADMITTED
    assert between <= 2


def test_who_has_logged_in_counts_as_one_that_never_failed() -> None:
    bucket = Failures()
    bucket.add("a", 0)
    assert bucket.known("a")
    bucket.forgive("a")
    bucket.forgive("b")
    assert not bucket.known("a")
    assert bucket.wait("a", 0) == 0


def test_known_credentials_are_admitted_at_once_while_many_wait(bench: Bench) -> None:
    async def story() -> None:
        assert await bench.admit(RIGHT) == ADMITTED
        flood = [asyncio.create_task(bench.admit(basic("x", "y"), f"192.0.2.{n}")) for n in range(10)]
        flood += [asyncio.create_task(bench.admit(basic("x", str(n)), f"192.0.2.{n}")) for n in range(100)]
        await asyncio.sleep(0)
        admission = bench.admit(RIGHT)
        with pytest.raises(StopIteration) as ended:
            admission.send(None)  # it waits for nothing
        assert ended.value.value == ADMITTED
        await asyncio.gather(*flood)

    run(story())


def test_equal_requests_share_a_check(bench: Bench) -> None:
    async def story() -> None:
        tasks = [bench.admit(RIGHT, f"192.0.2.{n}") for n in range(100)]
        assert await asyncio.gather(*tasks) == [ADMITTED] * 100

    run(story())
    assert len(bench.checked) == 1


def test_after_a_failure_the_checks_rest_as_long_as_it_took(bench: Bench) -> None:
    """So failures never take more than half of a core."""

    async def story() -> None:
        await bench.fail(3)
        await asyncio.sleep(0)

    run(story())
    assert bench.rests == [bench.took / SECOND] * 3


def test_a_check_that_takes_too_long_is_answered_by_a_later_try(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "PATIENCE", 0.01)
    go_on = threading.Event()
    bench.during = lambda: go_on.wait(10) and None

    async def story() -> None:
        assert await bench.admit(RIGHT) == Admission(False, logins.SOON)
        go_on.set()
        while bench.logins._under_way:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert await bench.admit(RIGHT) == ADMITTED

    run(story())
    assert len(bench.checked) == 1


def test_a_check_that_cannot_be_made_is_no_failure_and_is_made_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(log, "error", lambda message, **_: said.append(message))

    def break_down() -> None:
        raise RuntimeError("can't start new thread")

    async def story() -> None:
        bench.during = break_down
        for _ in range(3 * failures.BURST):
            assert await bench.admit(RIGHT) == Admission(False, logins.SOON)
        bench.during = lambda: None
        assert await bench.admit(RIGHT) == ADMITTED

    run(story())
    assert set(said) == {"password could not be checked"}


def test_a_refusal_is_logged_with_the_client_and_nothing_else(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the name: whoever types the password where that belongs would find it in the log."""
    said: list[object] = []
    monkeypatch.setattr(log, "warning", lambda message, **fields: said.append((message, fields)))
    run(bench.admit(basic("s3cret", "alice"), "192.0.2.7"))
    assert said == [("login refused", {"client": "192.0.2.7"})]


def test_what_is_remembered_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "MOST_REMEMBERED", 5)
    monkeypatch.setattr(failures, "MOST_CLIENTS", 7)

    async def story() -> None:
        for n in range(20):
            await bench.fail(1, f"192.0.2.{n}")

    run(story())
    assert len(bench.logins._wrong) == 5
    assert len(bench.logins._failures._full) == 7
    assert not bench.logins._under_way
    assert not bench.logins._waiting


# --- who counts as one ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1:2:3", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("/run/vip-exporter.sock", ""),
    ],
)
def test_a_party_is_an_address_or_a_network_of_one_host(client: str, counted_as: str) -> None:
    assert party(client) == counted_as


@given(
    steps=st.lists(st.tuples(st.integers(0, 5 * failures.REGAIN), st.booleans()), max_size=60),
)
def test_failures_never_exceed_the_burst_and_what_time_has_given_back(steps: list[tuple[int, bool]]) -> None:
    bucket, now, allowed = Failures(), 0, 0
    for later, right in steps:
        now += later
        if bucket.wait("a", now) == 0:
            bucket.add("a", now)
            if right:
                bucket.take_back("a", now)
            else:
                allowed += 1
        assert allowed <= failures.BURST + now // failures.REGAIN
    assert bucket.wait("b", now) == 0
    assert bucket.wait("a", now + failures.REGAIN) == 0
