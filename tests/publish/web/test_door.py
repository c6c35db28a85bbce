"""The front door: TLS as a client meets it, and what happens while the files behind it change."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import threading
import time
from pathlib import Path

import bcrypt
import pytest

from exporter import log
from exporter.publish.web import door as door_module
from exporter.publish.web.door import LOOK_INTERVAL, FrontDoor
from exporter.publish.web.logins import ADMITTED, REFUSED
from exporter.publish.web.stamps import changed, stamp
from exporter.publish.web.web_config import WebConfigError, read_web_config
from tests.publish.web.certificates import Authority, Pair, der, meet, put

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
OTHER_HASH = bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()
TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
USERS = f"basic_auth_users:\n  alice: {HASH}\n  bob: {HASH}\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def old(authority: Authority) -> Pair:
    return authority.issue("old")


@pytest.fixture(scope="module")
def new(authority: Authority) -> Pair:
    return authority.issue("new")


class House:
    """A web configuration, its files, the door behind them and its clock."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "web.yml"
        self.pair = Pair(directory / "server.crt", directory / "server.key")
        self.now = 0
        self.logged: list[tuple[str, str]] = []

    def build(self, content: str) -> FrontDoor:
        self.file.write_text(content)
        self.door = FrontDoor(self.file, clock=lambda: self.now)
        return self.door

    def context(self) -> ssl.SSLContext:
        """Of a connection that comes when it is time to look again."""
        self.now += LOOK_INTERVAL
        context = self.door.tls_context()
        assert context is not None
        return context

    def look(self) -> None:
        self.now += LOOK_INTERVAL
        self.door.tls_context()

    def admits(self, name: str = "alice", password: str = "secret") -> bool:
        token = base64.b64encode(f"{name}:{password}".encode()).decode()
        return asyncio.run(self.door.admit(f"Basic {token}", "192.0.2.1")).admitted


@pytest.fixture
def house(tmp_path: Path, old: Pair, monkeypatch: pytest.MonkeyPatch) -> House:
    house = House(tmp_path)
    old.copy_to(house.pair)
    monkeypatch.setattr(log, "info", lambda message, **_: house.logged.append(("info", message)))
    monkeypatch.setattr(log, "error", lambda message, **_: house.logged.append(("error", message)))
    return house


# --- what a client meets ----------------------------------------------------------------------------------------------


def test_without_a_configuration_the_door_is_open() -> None:
    door = FrontDoor(None)
    door.reload()
    assert door.tls_context() is None
    assert not door.needs_login
    assert door.problems == ()
    assert asyncio.run(door.admit(None, "")) == ADMITTED


def test_a_wrong_configuration_builds_no_door(tmp_path: Path) -> None:
    with pytest.raises(WebConfigError, match="cannot be read"):
        FrontDoor(tmp_path / "none.yml")


def test_a_client_meets_the_certificate_the_newest_tls_and_http_1_1(
    house: House, authority: Authority, old: Pair
) -> None:
    house.build(TLS)
    client = authority.client()
    client.set_alpn_protocols(["h2", "http/1.1"])
    met = meet(house.context(), client)
    assert met.certificate == der(old.certificate)
    assert met.version == "TLSv1.3"
    assert met.protocol == "http/1.1"


@pytest.mark.parametrize(
    ("keys", "speaks", "met"),
    [
        ("", ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
        ("  min_version: TLS13\n", ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
        ("  min_version: TLS13\n", ssl.TLSVersion.TLSv1_2, None),
        ("  max_version: TLS12\n", ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
        ("  max_version: TLS12\n", ssl.TLSVersion.TLSv1_3, None),
    ],
)
def test_the_versions_are_kept(
    house: House, authority: Authority, keys: str, speaks: ssl.TLSVersion, met: str | None
) -> None:
    house.build(TLS + keys)
    client = authority.client()
    client.minimum_version = client.maximum_version = speaks
    if met is None:
        with pytest.raises(ssl.SSLError, match=r"(?i)version|protocol"):
            meet(house.context(), client)
    else:
        assert meet(house.context(), client).version == met


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_tls_1_1_is_never_spoken(house: House, authority: Authority) -> None:
    house.build(TLS)
    client = authority.client()
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"(?i)version|protocol"):
        meet(house.context(), client)


@pytest.mark.parametrize("speaks", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("policy", ["VerifyClientCertIfGiven", "RequireAndVerifyClientCert"])
def test_client_certificates(
    house: House, authority: Authority, old: Pair, tmp_path: Path, policy: str, speaks: ssl.TLSVersion
) -> None:
    house.build(TLS + f"  client_auth_type: {policy}\n  client_ca_file: {authority.certificate}\n")
    stranger = Authority(tmp_path, "stranger").issue("client")
    for_servers = authority.issue("for-servers", usage="serverAuth")

    def meets(own: Pair | None) -> bool:
        client = authority.client(own)
        client.maximum_version = speaks
        try:
            meet(house.context(), client)
        except ssl.SSLError:
            return False
        return True

    assert meets(old)
    assert meets(None) == (policy == "VerifyClientCertIfGiven")
    assert not meets(stranger)
    assert not meets(for_servers)


def test_whoever_is_in_the_client_ca_file_is_believed_also_if_signed_by_another(
    house: House, authority: Authority, tmp_path: Path
) -> None:
    """As in Go; to OpenSSL, such an authority is nothing by itself."""
    middle = Authority(tmp_path, "middle", above=authority)
    keys = f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {middle.certificate}\n"
    house.build(TLS + keys)
    meet(house.context(), authority.client(middle.issue("client")))
    with pytest.raises(ssl.SSLError):
        meet(house.context(), authority.client(authority.issue("above")))


def test_where_there_are_users_who_says_nothing_is_refused(house: House) -> None:
    door = house.build(USERS)
    assert asyncio.run(door.admit(None, "192.0.2.1")) == REFUSED


# --- while files change -----------------------------------------------------------------------------------------------


def test_files_are_looked_at_once_a_second_and_read_when_they_changed(
    house: House, new: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = house.build(TLS)
    looks: list[None] = []
    monkeypatch.setattr(door_module, "changed", lambda stamps: looks.append(None) or changed(stamps))
    first = door.tls_context()
    new.copy_to(house.pair)
    house.now = LOOK_INTERVAL - 1
    assert [door.tls_context() for _ in range(100)] == [first] * 100
    assert looks == []
    house.now = LOOK_INTERVAL
    second = door.tls_context()
    assert second is not first
    assert [door.tls_context() for _ in range(100)] == [second] * 100
    assert house.context() is second, "what has not changed is not read again"
    assert len(looks) == 2


def test_a_replaced_certificate_is_what_the_next_client_meets(
    house: House, authority: Authority, old: Pair, new: Pair
) -> None:
    house.build(TLS)
    assert meet(house.context(), authority.client()).certificate == der(old.certificate)
    new.copy_to(house.pair)
    assert meet(house.context(), authority.client()).certificate == der(new.certificate)
    assert house.logged == [("info", "web configuration in force")]


def test_a_pair_that_is_half_replaced_waits_for_its_other_half(
    house: House, authority: Authority, old: Pair, new: Pair
) -> None:
    house.build(TLS)
    put(new.certificate, house.pair.certificate)
    for _ in range(3):
        assert meet(house.context(), authority.client()).certificate == der(old.certificate)
    (problem,) = house.door.problems
    assert "is not the key of the first certificate" in problem
    assert house.logged == [("error", "web configuration not in force")]
    put(new.key, house.pair.key)
    assert meet(house.context(), authority.client()).certificate == der(new.certificate)
    assert house.door.problems == ()
    assert house.logged[1:] == [("info", "web configuration in force")]


def test_a_volume_of_kubernetes_is_turned_by_one_symbolic_link(
    tmp_path: Path, house: House, authority: Authority, old: Pair, new: Pair
) -> None:
    for name, pair in {"..1": old, "..2": new}.items():
        (tmp_path / name).mkdir()
        pair.copy_to(Pair(tmp_path / name / "tls.crt", tmp_path / name / "tls.key"))
    (tmp_path / "..data").symlink_to("..1")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    house.build("tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n")
    assert meet(house.context(), authority.client()).certificate == der(old.certificate)
    (tmp_path / "..tmp").symlink_to("..2")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    assert meet(house.context(), authority.client()).certificate == der(new.certificate)


def test_another_client_authority_holds_for_the_next_client(
    house: House, authority: Authority, tmp_path: Path, old: Pair
) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_bytes(authority.certificate.read_bytes())
    house.build(TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n")
    meet(house.context(), authority.client(old))
    put(Authority(tmp_path, "other").certificate, ca)
    with pytest.raises(ssl.SSLError):
        meet(house.context(), authority.client(old))


def test_users_come_go_and_change_their_passwords(house: House) -> None:
    house.build(USERS)
    assert house.door.needs_login
    assert house.admits()
    assert not house.admits("carol")
    house.file.write_text(f"basic_auth_users:\n  alice: {OTHER_HASH}\n  carol: {HASH}\n")
    house.look()
    assert not house.admits()
    assert house.admits(password="other")
    assert house.admits("carol")
    assert not house.admits("bob")


def test_who_stays_keeps_what_is_known_of_the_password(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    checks: list[None] = []
    real = bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda *given: checks.append(None) or real(*given))
    house.build(USERS)
    assert house.admits()
    house.file.write_text(f"basic_auth_users:\n  alice: {HASH}\n")
    house.look()
    assert house.admits()
    assert len(checks) == 1


def test_tls_may_come_with_a_change(house: House, authority: Authority) -> None:
    assert house.build("").tls_context() is None
    house.file.write_text(TLS + USERS)
    meet(house.context(), authority.client())
    assert house.door.needs_login


def test_a_wrong_configuration_keeps_the_old_one_whole_and_is_logged_once(house: House, new: Pair) -> None:
    house.build(TLS + USERS)
    before = house.context()
    new.copy_to(house.pair)
    for content in ("basic_auth_users: {carol: x}\n", "basic_auth_users: {carol: y}\n", "x: 1\n"):
        house.file.write_text(content)
        for _ in range(3):
            assert house.context() is before
            assert len(house.door.problems) == 1
    assert house.admits()
    assert house.logged == [("error", "web configuration not in force")] * 2, "one for each distinct state"
    house.file.write_text(TLS + USERS)
    assert house.context() is not before
    assert house.door.problems == ()
    assert house.logged[2:] == [("info", "web configuration in force")]


def test_what_is_missing_is_found_when_it_comes(house: House, new: Pair, tmp_path: Path) -> None:
    """Also if the configuration itself was right all the time."""
    house.build(TLS)
    before = house.context()
    house.file.write_text(TLS.replace("server.", "later."))
    assert house.context() is before
    assert len(house.door.problems) == 2
    new.copy_to(Pair(tmp_path / "later.crt", tmp_path / "later.key"))
    assert house.context() is not before
    assert house.door.problems == ()


def test_a_configuration_that_goes_away_opens_nothing(house: House) -> None:
    house.build(TLS + USERS)
    house.file.unlink()
    house.context()
    assert house.door.needs_login
    assert "cannot be read" in house.door.problems[0]


@pytest.mark.parametrize(
    ("content", "lost"),
    [
        ("", ["passwords", "TLS"]),
        (USERS, ["TLS"]),
        (
            TLS + "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: CA\n",
            ["passwords", "client certificates"],
        ),
        (TLS + USERS, ["client certificates"]),
    ],
)
def test_a_change_of_a_file_takes_no_lock_off_before_a_reload_does(
    house: House, authority: Authority, content: str, lost: list[str]
) -> None:
    """A file is empty, or ends early, while somebody writes it."""
    ca = f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {authority.certificate}\n"
    house.build(TLS + ca + USERS)
    before = house.context()
    house.file.write_text(content.replace("CA\n", f"{authority.certificate}\n"))
    assert house.context() is before
    assert house.door.needs_login
    assert [problem.split(": asks no more for ")[1].split(",")[0] for problem in house.door.problems] == lost
    house.door.reload()
    assert house.door.problems == ()
    assert house.door.tls_context() is not before
    assert house.door.needs_login == ("basic_auth_users" in content)


def test_a_file_that_is_empty_for_a_moment_is_no_matter(house: House) -> None:
    house.build(USERS)
    house.file.write_text("")
    house.look()
    assert house.door.needs_login
    house.file.write_text(USERS)
    house.look()
    assert house.door.problems == ()


def test_a_reload_reads_at_once_or_tells_what_is_wrong(house: House) -> None:
    door = house.build(USERS)
    house.file.write_text(f"basic_auth_users: {{carol: {HASH}}}\n")
    door.reload()
    assert house.admits("carol")
    house.file.write_text("x: 1\n")
    with pytest.raises(WebConfigError, match="x: unknown key"):
        door.reload()
    assert "x: unknown key" in door.problems[0]
    assert house.admits("carol")
    house.look()
    assert [level for level, _ in house.logged] == ["info"], "who reloads tells the user"
    house.file.write_text(USERS)
    house.look()
    assert door.problems == ()


def test_a_connection_does_not_wait_for_a_reload_in_another_thread(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = house.build(TLS)
    begun, go_on = threading.Event(), threading.Event()

    def slow(path: Path) -> object:
        begun.set()
        assert go_on.wait(10)
        return read_web_config(path)

    monkeypatch.setattr(door_module, "read_web_config", slow)
    before = house.context()
    thread = threading.Thread(target=door.reload)
    thread.start()
    assert begun.wait(10)
    assert house.context() is before
    go_on.set()
    thread.join()
    assert house.context() is not before


# --- stamps -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("abc")
    os.utime(path, ns=(0, 0))
    time.sleep(0.02)  # file systems tell the time in steps of up to 10 ms
    return path


def test_a_file_that_nobody_touches_has_not_changed(file: Path) -> None:
    before = {path: stamp(path) for path in (file, file / "beneath", file.parent / "none", Path("a\0b"))}
    assert not changed(before)


@pytest.mark.parametrize(
    "touch",
    [
        lambda file: file.write_text("abcd"),
        lambda file: os.utime(file, ns=(0, 1)),
        lambda file: file.chmod(0o640),
        lambda file: file.unlink(),
        lambda file: (file.write_text("xyz"), os.utime(file, ns=(0, 0))),
        lambda file: (file.rename(file.with_name("a")), file.mkdir()),
    ],
    ids=["longer", "later", "permissions", "gone", "as long and as old", "a directory"],
)
def test_a_file_has_changed(file: Path, touch) -> None:
    before = {file: stamp(file)}
    touch(file)
    assert changed(before)
