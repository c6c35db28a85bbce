"""The web configuration, and the certificates and keys that it names.

An input is the configuration. Beside it lie the files of `make_files`, and as `given.pem` what follows a line `=====`.
"""

from __future__ import annotations

import atexit
import re
import shutil
import ssl
import tempfile
from pathlib import Path
from typing import Any

import yaml

from exporter.publish.web.users import hash_trouble
from exporter.publish.web.web_config import _SECTIONS, _TLS_KEYS, WebConfig, WebConfigError, read_web_config
from tests.fuzz.lines import mutate_lines
from tests.publish.web.certificates import Authority, encrypt

GIVEN_FOLLOWS = b"=====\n"
HASH = "$2b$04$" + "a" * 21 + "." + "b" * 30 + "C"
"""Of no password that anybody knows; well formed."""

mutate = mutate_lines
TOKENS = tuple(
    text.encode()
    for text in (
        *("tls_server_config:\n", "basic_auth_users:\n", "http_server_config:\n", "rate_limit:\n", "  cert_file: "),
        *("  key_file: ", "  client_ca_file: ", "  client_auth_type: ", "  min_version: ", "  max_version: "),
        *("NoClientCert", "RequestClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert", "TLS12"),
        *("TLS13", "TLS11", "server.crt", "server.key", "authority.crt", "other.key", "server.encrypted", "given.pem"),
        *("/dev/null", "..", ".", "cipher_suites: []\n"),
        *("client_allowed_sans: ", f"  alice: {HASH}\n", "$2y$10$", HASH),
        *("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\n", "=====\n"),
        *("null", "~", "&a ", "*a", "<<: ", "[", "]", "{", "}", "? "),
        *("!!binary ", "'", '"', "\\x00", "\\ud800", "\u2028"),
    )
)


def make_files() -> Path:
    """A folder with a server's certificate and key, that key encrypted, another key, and an authority."""
    folder = Path(tempfile.mkdtemp(prefix="vip-fuzz-"))
    atexit.register(shutil.rmtree, folder)
    authority = Authority(folder)
    encrypt(authority.issue("server"))
    authority.issue("other")
    return folder


FOLDER = make_files()
PATH = FOLDER / "web.yaml"


def check(data: bytes) -> None:
    content, separator, given = data.partition(GIVEN_FOLLOWS)
    PATH.write_bytes(content)
    (FOLDER / "given.pem").write_bytes(given if separator else b"")
    try:
        config = read_web_config(PATH)
    except WebConfigError as error:
        check_problems(error)
    else:
        check_config(config, content)


def check_problems(error: WebConfigError) -> None:
    """Each is one line that names the file and says nothing of any hash."""
    assert error.problems
    assert PATH in error.stamps
    for problem in error.problems:
        assert problem.startswith(f"{PATH}:"), problem
        assert problem.isprintable(), problem
        assert len(problem) < 1000, problem
        assert not re.search(r"\$2[aby]\$[0-9]", problem), problem


def check_config(config: WebConfig, content: bytes) -> None:
    """What an independent reader finds asked for is there: no lock that was asked for is silently not."""
    assert PATH in config.stamps
    assert all(hash_trouble(known.decode()) == "" for known in config.users.hashes.values())
    asked = plainly(content)
    assert set(asked) <= set(_SECTIONS)
    assert set(asked.get("tls_server_config") or {}) <= set(_TLS_KEYS)
    tls, users = asked.get("tls_server_config") or {}, asked.get("basic_auth_users") or {}
    assert bool(tls.get("cert_file")) is (config.tls is not None)
    assert {str(name).encode() for name in users} == set(config.users.hashes)
    if config.tls is not None:
        must = {"RequireAndVerifyClientCert": ssl.CERT_REQUIRED, "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL}
        assert config.tls.verify_mode is must.get(tls.get("client_auth_type"), ssl.CERT_NONE)
        assert config.tls.minimum_version >= ssl.TLSVersion.TLSv1_2


def plainly(content: bytes) -> dict[str, Any]:
    """The file as maps of texts, by YAML's own means."""
    root = yaml.load(content.decode("utf-8-sig"), Loader=yaml.BaseLoader)
    return root if isinstance(root, dict) else {}
