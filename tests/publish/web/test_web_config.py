"""The web configuration: what each key means, and that a wrong one is refused in a line with place and remedy."""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path

import pytest

from exporter.publish.web.users import matches
from exporter.publish.web.web_config import WebConfigError, read_web_config
from tests.publish.web.certificates import Authority, encrypt, meet, openssl

HASH = "$2b$04$U1d1Oqqhv2tHJ5Kk3HLeSuDkHxkLQdZknHL9a6vnjH5jox3cCEkLK"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with certificates, never written to by a test."""
    directory = tmp_path_factory.mktemp("made")
    authority = Authority(directory)
    encrypt(authority.issue("server"))
    authority.issue("other")
    authority.issue("rsa", rsa=True)
    (directory / "text.pem").write_text("just text\n")
    (directory / "empty.pem").touch()
    (directory / "cut.crt").write_text((directory / "server.crt").read_text()[:200])
    (directory / "cut.key").write_text((directory / "server.key").read_text()[:100])
    (directory / "large.crt").write_bytes(b"#" * (1 << 20) + (directory / "server.crt").read_bytes())
    (directory / "remark.crt").write_text("# Zürich\n" + (directory / "server.crt").read_text())
    return directory


@pytest.fixture
def file(tmp_path: Path, made: Path) -> Path:
    """A web configuration beside those certificates."""
    for source in made.iterdir():
        (tmp_path / source.name).symlink_to(source)
    return tmp_path / "web.yml"


def problems(file: Path, content: str | bytes) -> list[str]:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(WebConfigError) as caught:
        read_web_config(file)
    assert all("\n" not in problem for problem in caught.value.problems)
    return list(caught.value.problems)


def tls(**keys: str) -> str:
    """A section with a certificate, and these keys instead of or besides."""
    given = {"cert_file": "server.crt", "key_file": "server.key"} | keys
    return "tls_server_config:\n" + "".join(f"  {key}: {value}\n" for key, value in given.items())


# --- what is accepted -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# nothing\n",
        "{}\n",
        "tls_server_config:\nbasic_auth_users:\n",
        "tls_server_config: {}\nbasic_auth_users: {}\n",
    ],
)
def test_an_empty_file_asks_for_nothing(file: Path, content: str) -> None:
    file.write_text(content)
    config = read_web_config(file)
    assert config.tls is None
    assert not config.users


def test_names_of_files_are_relative_to_the_configuration(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(tls(key_file=str(tmp_path / "server.key")))
    monkeypatch.chdir("/")
    config = read_web_config(file)
    assert config.tls is not None
    assert set(config.stamps) == {file, tmp_path / "server.crt", tmp_path / "server.key"}


def test_users_are_text_whatever_yaml_would_make_of_their_names(file: Path) -> None:
    file.write_text(f"basic_auth_users:\n  123: {HASH}\n  no: '{HASH}'\n  \"Zoë \": {HASH}\n")
    users = read_web_config(file).users
    assert set(users.hashes) == {b"123", b"no", "Zoë ".encode()}
    assert all(matches(b"secret", known) for known in users.hashes.values())


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_each_kind_of_bcrypt_hash_works(file: Path, prefix: str) -> None:
    file.write_text(f"basic_auth_users: {{alice: '{prefix}{HASH[4:]}'}}\n")
    users = read_web_config(file).users
    assert matches(b"secret", users.hashes[b"alice"])
    assert not matches(b"Secret", users.hashes[b"alice"])


def test_the_defaults_are_tls_1_2_to_1_3_without_client_certificates(file: Path) -> None:
    file.write_text(tls())
    context = read_web_config(file).tls
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.maximum_version is ssl.TLSVersion.TLSv1_3
    assert context.verify_mode is ssl.CERT_NONE
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({"client_auth_type": "NoClientCert"}, ssl.CERT_NONE),
        ({"client_auth_type": "VerifyClientCertIfGiven", "client_ca_file": "authority.crt"}, ssl.CERT_OPTIONAL),
        ({"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "authority.crt"}, ssl.CERT_REQUIRED),
    ],
)
def test_each_client_auth_type(file: Path, given: dict[str, str], mode: ssl.VerifyMode) -> None:
    file.write_text(tls(**given))
    context = read_web_config(file).tls
    assert context is not None
    assert context.verify_mode is mode


def test_a_certificate_may_have_remarks_in_any_language_and_a_key_of_any_kind(file: Path, tmp_path: Path) -> None:
    for given in ({"cert_file": "remark.crt"}, {"cert_file": "rsa.crt", "key_file": "rsa.key"}):
        file.write_text(tls(**given))
        context = read_web_config(file).tls
        assert context is not None
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.load_verify_locations(cafile=tmp_path / "authority.crt")
        assert meet(context, client).version == "TLSv1.3"


def test_the_example_of_the_documentation_can_be_used(file: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "web-config.md").read_text()
    file.write_text(page.split("```yaml\n")[1].split("```")[0])
    (tmp_path / "tls.crt").symlink_to("server.crt")
    (tmp_path / "tls.key").symlink_to("server.key")
    config = read_web_config(file)
    assert config.tls is not None
    assert set(config.users.hashes) == {b"prometheus"}


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("tls_config: {}\n", 1, "tls_config: unknown key; did you mean tls_server_config?"),
        ("xyz: 1\n", 1, "xyz: unknown key; there are tls_server_config, basic_auth_users"),
        (tls(cert="x"), 4, "tls_server_config.cert: not supported; write it to a file and name that in cert_file"),
        (tls(key="x"), 4, "tls_server_config.key: not supported; write it to a file"),
        (tls(client_ca="x"), 4, "tls_server_config.client_ca: not supported; write it to a file"),
        (tls(client_allowed_sans="[a]"), 4, "client_allowed_sans: not supported; give those clients an authority"),
        (tls(cipher_suites="[]"), 4, "tls_server_config.cipher_suites: not supported; remove it"),
        (tls(prefer_server_cipher_suites="true"), 4, "prefer_server_cipher_suites: not supported; remove it"),
        (tls(curve_preferences="[X25519]"), 4, "tls_server_config.curve_preferences: not supported; remove it"),
        ("http_server_config:\n  http2: false\n", 1, "http_server_config: not supported; remove it"),
        ("rate_limit: {burst: 1}\n", 1, "rate_limit: not supported; remove it"),
        (tls(certfile="x"), 4, "tls_server_config.certfile: unknown key; did you mean cert_file?"),
        ('"a\\nb": 1\n', 1, "a\\nb: unknown key"),
        (tls() + "  key_file: server.key\n", 4, "tls_server_config.key_file: already set in line 3; remove one"),
        (f"basic_auth_users:\n  a: {HASH}\n  a: {HASH}\n", 3, "basic_auth_users.a: already set in line 2"),
        ("basic_auth_users: {}\nbasic_auth_users: {}\n", 2, "basic_auth_users: already set in line 1"),
        ("- a\n", 1, "the file: a list; write a map"),
        ("text\n", 1, "the file: a single value; write a map"),
        ("tls_server_config: [a]\n", 1, "tls_server_config: a list; write a map"),
        ("? [a]\n: b\n", 1, "the file: a list as a key; write a name"),
        ("tls_server_config:\n  cert_file: server.crt\n", 1, "tls_server_config.key_file: missing"),
        ("tls_server_config:\n  key_file: server.key\n", 1, "tls_server_config.cert_file: missing"),
        (tls(cert_file="[a]"), 2, "tls_server_config.cert_file: a list; write the name of a PEM file"),
        (tls(cert_file="''"), 2, "tls_server_config.cert_file: the value ''; write the name of a PEM file"),
        (tls(client_auth_type="NoClient"), 4, "client_auth_type: bad value 'NoClient'; did you mean NoClientCert?"),
        (tls(client_auth_type="{}"), 4, "client_auth_type: a map; write NoClientCert or"),
        (tls(client_auth_type="RequestClientCert"), 4, "a certificate that nobody verifies proves nothing"),
        (tls(client_auth_type="RequireAnyClientCert"), 4, "a certificate that nobody verifies proves nothing"),
        (tls(client_auth_type="RequireClientCert"), 4, "a certificate that nobody verifies proves nothing"),
        (tls(client_ca_file="authority.crt"), 4, "client_ca_file: of no use without client_auth_type"),
        (tls(client_auth_type="RequireAndVerifyClientCert"), 4, "client_auth_type: needs client_ca_file"),
        (tls(client_auth_type="VerifyClientCertIfGiven"), 4, "client_auth_type: needs client_ca_file"),
        (tls(min_version="TLS10"), 4, "min_version: TLS10 must not be used any more (RFC 8996)"),
        (tls(max_version="TLS11"), 4, "max_version: TLS11 must not be used any more (RFC 8996)"),
        (tls(min_version="1.2"), 4, "min_version: bad value '1.2'; write TLS12 or TLS13"),
        (tls(min_version="TLS13", max_version="TLS12"), 4, "min_version: newer than max_version"),
        (f"basic_auth_users:\n  '': {HASH}\n", 2, "a user without a name"),
        (f"basic_auth_users:\n  ~: {HASH}\n", 2, "as a key; write a name"),
        (f"basic_auth_users:\n  a:b: {HASH}\n", 2, "basic_auth_users.a:b: a colon or a control character"),
        (f'basic_auth_users:\n  "a\\tb": {HASH}\n', 2, "a colon or a control character"),
        (f'basic_auth_users:\n  "\\ud800": {HASH}\n', 2, "a colon or a control character"),
        ("basic_auth_users:\n  a: [b]\n", 2, "basic_auth_users.a: a list; write a bcrypt hash"),
        (
            "basic_auth_users:\n  a: secret\n",
            2,
            "basic_auth_users.a: not a bcrypt hash, which has 60 characters; make one with `htpasswd -nBC 10 NAME`",
        ),
        ("basic_auth_users:\n  a:\n", 2, "basic_auth_users.a: not a bcrypt hash"),
    ],
)
def test_mistakes_are_told_with_line_key_and_remedy(file: Path, content: str, line: int, said: str) -> None:
    (problem,) = problems(file, content)
    assert problem.startswith(f"{file}:{line}: ")
    assert said in problem
    assert "; " in problem


@pytest.mark.parametrize(
    ("given", "line", "said"),
    [
        ({"cert_file": "none.crt"}, 2, "none.crt' cannot be read: No such file or directory"),
        ({"cert_file": "."}, 2, "is not a file"),
        ({"cert_file": "large.crt"}, 2, "is larger than"),
        ({"cert_file": '"a\\0b"'}, 2, "is no name of a file"),
        ({"cert_file": "text.pem"}, 2, "text.pem' is no certificate in PEM form"),
        ({"cert_file": "empty.pem"}, 2, "empty.pem' is no certificate in PEM form"),
        ({"cert_file": "cut.crt"}, 2, "cut.crt' is no certificate in PEM form"),
        ({"cert_file": "server.key"}, 2, "server.key' is no certificate in PEM form"),
        ({"key_file": "none.key"}, 3, "none.key' cannot be read: No such file or directory"),
        ({"key_file": "other.key"}, 3, "other.key' is not the key of the first certificate in cert_file"),
        ({"key_file": "rsa.key"}, 3, "rsa.key' is not the key of the first certificate in cert_file"),
        ({"key_file": "server.encrypted"}, 3, "server.encrypted' is encrypted; store it without a password"),
        ({"key_file": "text.pem"}, 3, "text.pem' is no private key in PEM form"),
        ({"key_file": "cut.key"}, 3, "cut.key' is no private key in PEM form"),
        ({"key_file": "server.crt"}, 3, "server.crt' is no private key in PEM form"),
        (
            {"client_auth_type": "VerifyClientCertIfGiven", "client_ca_file": "text.pem"},
            5,
            "text.pem' is no certificate in PEM form",
        ),
        (
            {"client_auth_type": "VerifyClientCertIfGiven", "client_ca_file": "none.crt"},
            5,
            "none.crt' cannot be read: No such file or directory",
        ),
    ],
)
def test_files_that_cannot_be_used_are_told_with_line_key_and_name(
    file: Path, given: dict[str, str], line: int, said: str
) -> None:
    (problem,) = problems(file, tls(**given))
    key = list({"cert_file": 0, "key_file": 0} | given)[line - 2]
    assert problem.startswith(f"{file}:{line}: tls_server_config.{key}: ")
    assert said in problem
    assert "; " in problem


def test_a_weak_certificate_is_refused_with_the_reason_of_openssl(file: Path, tmp_path: Path) -> None:
    openssl(
        *("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-days", "2", "-subj", "/CN=weak"),
        *("-keyout", str(tmp_path / "weak.key"), "-out", str(tmp_path / "weak.crt")),
    )
    (problem,) = problems(file, tls(cert_file="weak.crt", key_file="weak.key"))
    assert "tls_server_config.cert_file" in problem
    assert "weak.crt' is refused by OpenSSL: ee key too small" in problem


def test_a_pipe_is_refused_instead_of_waited_for(file: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (problem,) = problems(file, tls(key_file="pipe"))
    assert "pipe' is not a file" in problem
    with pytest.raises(WebConfigError, match="not a file; name one"):
        read_web_config(tmp_path / "pipe")


def test_a_path_that_cannot_even_be_looked_at_is_a_problem_of_the_file(tmp_path: Path) -> None:
    """As for a user who may not search the directory; that cannot be shown to root."""
    with pytest.raises(WebConfigError, match="cannot be read: File name too long; correct the file, its path"):
        read_web_config(tmp_path / ("n" * 300))


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file(file: Path) -> None:
    content = tls(key_file="none.key", min_version="TLS10") + "basic_auth_users: {a: b, c: d}\nrate_limit: {}\n"
    assert [int(problem.split(":")[1]) for problem in problems(file, content)] == [3, 4, 5, 5, 6]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"a: \x00", "not valid YAML"),
        (b"[" * 50_000, "not valid YAML"),
        (b"a: {\nb: [", "not valid YAML"),
        (b"a: *nowhere\n", "not valid YAML"),
        (b"{}\n---\n{}\n", "not valid YAML"),
        (b"# " + b"x" * (1 << 20), "larger than"),
    ],
)
def test_what_is_no_yaml_is_told_with_the_name_of_the_file(file: Path, content: bytes, said: str) -> None:
    (problem,) = problems(file, content)
    assert problem.startswith(str(file))
    assert said in problem


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(WebConfigError, match=r"none\.yml: cannot be read: No such file or directory; correct"):
        read_web_config(tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("hash", "said"),
    [
        ("my plain password", "not a bcrypt hash"),
        (HASH[:-1], "not a bcrypt hash"),
        (HASH + "x", "not a bcrypt hash"),
        ("$2x$" + HASH[4:], "not a bcrypt hash"),
        ("$apr1$abcdefgh$" + "x" * 45, "not a bcrypt hash"),
        ("$2b$03$" + HASH[7:], "cost is not within 4 and 14"),
        ("$2b$15$" + HASH[7:], "cost is not within 4 and 14"),
        (HASH[:28] + "z" + HASH[29:], "mistyped"),
        (HASH[:59] + "z", "mistyped"),
    ],
)
def test_a_hash_that_cannot_be_right_is_refused(file: Path, hash: str, said: str) -> None:
    (problem,) = problems(file, f"basic_auth_users:\n  alice: '{hash}'\n")
    assert f"{file}:2: basic_auth_users.alice: " in problem
    assert said in problem
    assert hash[7:] not in problem


@pytest.mark.parametrize(
    "content",
    [
        f"basic_auth_users: {HASH}\n",
        f"basic_auth_users: [{HASH}]\n",
        f"basic_auth_users: {{{HASH}: alice}}\n",
        f"basic_auth_users: {{? [{HASH}] : alice}}\n",
        f"basic_auth_users: {{alice: {HASH}x}}\n",
        f"{HASH}: alice\n",
        f"tls_server_config: {{{HASH}: 1}}\n",
        tls(min_version=HASH),
        tls(client_auth_type=HASH),
        tls(cert_file=HASH),
        f"a: {HASH}\n b: [\n",
        f"{HASH}\n",
    ],
)
def test_no_problem_shows_a_hash_wherever_it_got_to(file: Path, content: str) -> None:
    for problem in problems(file, content):
        assert not re.search(r"\$2[aby]?\$", problem)
        assert HASH[7:20] not in problem


def test_a_lone_value_in_the_place_of_the_users_is_not_shown(file: Path) -> None:
    """It is likely a password."""
    (problem,) = problems(file, "basic_auth_users: hunter2\n")
    assert "hunter2" not in problem


def test_no_hash_is_in_what_an_object_says_of_itself(file: Path) -> None:
    file.write_text(f"basic_auth_users: {{alice: {HASH}}}\n")
    assert HASH[:7] not in repr(read_web_config(file))
