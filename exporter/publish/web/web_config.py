"""Read the file of `--web.config.file`: who may connect, and with what TLS; keeps nothing in force.

Its format is that of Prometheus' exporter-toolkit (docs/web-configuration.md there), of which this reads a part. The
rest is refused: a lock that was asked for and is silently not there would be the worst answer.
"""

from __future__ import annotations

import re
import ssl
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import yaml

from exporter.config.yaml_text import (
    YamlFileError,
    describe,
    is_null,
    line_of,
    read_yaml,
    shown,
    suggestion,
)
from exporter.publish.web.stamps import Stamp, stamp
from exporter.publish.web.tls import TlsFileError, TlsSettings, server_context
from exporter.publish.web.users import Users, hash_trouble

_TLS = "tls_server_config"
_USERS = "basic_auth_users"
_SECTIONS = (_TLS, _USERS)
_TLS_KEYS = ("cert_file", "key_file", "client_auth_type", "client_ca_file", "min_version", "max_version")

_ELSEWHERE = {
    f"{_TLS}.cert": "write it to a file and name that in cert_file",
    f"{_TLS}.key": "write it to a file and name that in key_file",
    f"{_TLS}.client_ca": "write it to a file and name that in client_ca_file",
    f"{_TLS}.client_allowed_sans": "give those clients an authority of their own, and name only that in client_ca_file",
    f"{_TLS}.cipher_suites": "remove it; OpenSSL chooses, and min_version: TLS13 leaves the newest only",
    f"{_TLS}.prefer_server_cipher_suites": "remove it; OpenSSL chooses",
    f"{_TLS}.curve_preferences": "remove it; OpenSSL chooses",
    "http_server_config": "remove it; there is HTTP/1.1 only, and the safe headers are always sent",
    "rate_limit": "remove it; connections and failed logins are always limited",
}
"""What exporter-toolkit has and this has not, with what to do."""

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENTS = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_HASH = re.compile(r"\$2\w?\$[^\s;]*")
_UNVERIFIED = ("RequestClientCert", "RequireClientCert", "RequireAnyClientCert")


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What a web configuration asks for, with all its files read.

    Attributes:
        tls: None: plain HTTP.
        stamps: of each file read, from just before that.
    """

    tls: ssl.SSLContext | None = None
    users: Users = field(default_factory=lambda: Users({}))
    stamps: Mapping[Path, Stamp] = field(default_factory=lambda: MappingProxyType({}))


class WebConfigError(Exception):
    """The web configuration cannot be used.

    Attributes:
        problems: a line for each: file and line, key, what is wrong, and the remedy. They say nothing of any hash.
        stamps: as in `WebConfig`; before one of them changes, nothing gets better.
    """

    def __init__(self, problems: tuple[str, ...], stamps: Mapping[Path, Stamp]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.stamps = stamps


def read_web_config(path: Path) -> WebConfig:
    """An empty file asks for neither TLS nor passwords.

    Raises:
        WebConfigError: with all that is wrong.
    """
    reader = _Reader(path)
    config = reader.read()
    if reader.problems:
        raise WebConfigError(tuple(text for _, text in sorted(reader.problems)), reader.stamps)
    return config


def _is_no_file(path: Path) -> bool:
    """It is there, and something else. What cannot even be looked at is left to whoever reads it."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class _Entry:
    line: int
    key: str
    """With the section before it."""
    name: str
    node: yaml.Node


class _Reader:
    def __init__(self, path: Path) -> None:
        self.problems: list[tuple[int, str]] = []
        self.stamps: dict[Path, Stamp] = {}
        self._path = path

    def read(self) -> WebConfig:
        self.stamps[self._path] = stamp(self._path)
        # What is no file might be read only once, or have no end, and this is read again and again.
        if _is_no_file(self._path):
            self.problems.append((0, f"{self._path}: not a file; name one"))
            return WebConfig()
        try:
            root = read_yaml(self._path)
        except YamlFileError as error:
            self.problems.append((0, f"{error}; correct the file, its path or its permissions"))
            return WebConfig()
        sections = {} if root is None else {entry.name: entry for entry in self._entries(root, "", _SECTIONS)}
        tls, users = sections.get(_TLS), sections.get(_USERS)
        return WebConfig(
            self._tls(tls) if tls else None,
            Users(dict(self._users(users)) if users else {}),
            MappingProxyType(self.stamps),
        )

    def _wrong(self, line: int, key: str, text: str) -> None:
        # A hash may have got anywhere: to a user's place, or to that of the map of users.
        said = _HASH.sub("(a hash)", f"{key}: {text}")
        self.problems.append((line, f"{self._path}:{line}: {said}"))

    def _entries(self, node: yaml.Node, section: str, known: tuple[str, ...]) -> Iterator[_Entry]:
        """What a map has, each key once, and only those of `known` if there are any."""
        if is_null(node):
            return
        if not isinstance(node, yaml.MappingNode):
            # Where users belong, a lone value is likely a secret.
            what = "a single value" if isinstance(node, yaml.ScalarNode) else describe(node)
            self._wrong(line_of(node), section or "the file", f"{what}; write a map (key: value)")
            return
        lines: dict[str, int] = {}
        for key_node, value in node.value:
            line = line_of(key_node)
            if not isinstance(key_node, yaml.ScalarNode) or is_null(key_node):
                self._wrong(line, section or "the file", f"{describe(key_node)} as a key; write a name")
                continue
            name = key_node.value
            key = f"{section}.{name}" if section else name
            named = shown(key)[1:-1]
            if name in lines:
                self._wrong(line, named, f"already set in line {lines[name]}; remove one")
            elif key in _ELSEWHERE:
                self._wrong(line, named, f"not supported; {_ELSEWHERE[key]}")
            elif known and name not in known:
                there = f"there are {', '.join(known)}"
                self._wrong(line, named, f"unknown key; {suggestion(name, list(known), otherwise=there)}")
            else:
                yield _Entry(line, named, name, value)
            lines.setdefault(name, line)

    # --- TLS ----------------------------------------------------------------------------------------------------------

    def _tls(self, section: _Entry) -> ssl.SSLContext | None:
        given = {entry.name: entry for entry in self._entries(section.node, _TLS, _TLS_KEYS) if not is_null(entry.node)}
        if not given:
            return None
        for name in ("cert_file", "key_file"):
            if name not in given:
                self._wrong(section.line, f"{_TLS}.{name}", "missing; TLS needs both cert_file and key_file")
        certificate, key, client_ca = (
            self._file(given.get(name)) for name in ("cert_file", "key_file", "client_ca_file")
        )
        client = self._client(given.get("client_auth_type"))
        if client and "client_ca_file" not in given:
            text = "needs client_ca_file; name the certificate of the authority that signs the clients' ones"
            self._wrong(given["client_auth_type"].line, f"{_TLS}.client_auth_type", text)
        elif client is ssl.CERT_NONE and "client_ca_file" in given:
            text = "of no use without client_auth_type; set that to RequireAndVerifyClientCert"
            self._wrong(given["client_ca_file"].line, f"{_TLS}.client_ca_file", text)
        minimum = self._version(given.get("min_version"), ssl.TLSVersion.TLSv1_2)
        maximum = self._version(given.get("max_version"), ssl.TLSVersion.TLSv1_3)
        if minimum > maximum:
            entry = given.get("min_version", given["max_version"])
            self._wrong(entry.line, f"{_TLS}.min_version", "newer than max_version; remove max_version")
        if not certificate or not key:
            return None
        settings = TlsSettings(
            certificate=certificate,
            key=key,
            client=client or ssl.CERT_NONE,
            client_ca=client_ca,
            minimum=minimum,
            maximum=maximum,
        )
        try:
            return server_context(settings)
        except TlsFileError as error:
            for name, text in error.problems.items():
                self._wrong(given[name].line, f"{_TLS}.{name}", text)
            return None

    def _text(self, entry: _Entry, accepted: str) -> str | None:
        if isinstance(entry.node, yaml.ScalarNode) and entry.node.value:
            return str(entry.node.value)
        self._wrong(entry.line, entry.key, f"{describe(entry.node)}; write {accepted}")
        return None

    def _file(self, entry: _Entry | None) -> Path | None:
        """Relative names are relative to the configuration's directory, as in exporter-toolkit."""
        text = self._text(entry, "the name of a PEM file") if entry else None
        if text is None:
            return None
        file = self._path.parent / text
        self.stamps[file] = stamp(file)
        return file

    def _client(self, entry: _Entry | None) -> ssl.VerifyMode | None:
        """None: what stands there is wrong."""
        if entry is None:
            return ssl.CERT_NONE
        choice = " or ".join(_CLIENTS)
        text = self._text(entry, choice)
        if text in _UNVERIFIED:
            said = "refused, since a certificate that nobody verifies proves nothing; set RequireAndVerifyClientCert"
            self._wrong(entry.line, entry.key, f"{text} is {said}")
        elif text is not None and text not in _CLIENTS:
            near = suggestion(text, list(_CLIENTS), otherwise=f"write {choice}")
            self._wrong(entry.line, entry.key, f"bad value {shown(text)}; {near}")
        return _CLIENTS.get(text or "")

    def _version(self, entry: _Entry | None, default: ssl.TLSVersion) -> ssl.TLSVersion:
        text = self._text(entry, "TLS12 or TLS13") if entry else None
        if entry and text in {"TLS10", "TLS11"}:
            self._wrong(entry.line, entry.key, f"{text} must not be used any more (RFC 8996); write TLS12 or TLS13")
        elif entry and text and text not in _VERSIONS:
            self._wrong(entry.line, entry.key, f"bad value {shown(text)}; write TLS12 or TLS13")
        return _VERSIONS.get(text or "", default)

    # --- users --------------------------------------------------------------------------------------------------------

    def _users(self, section: _Entry) -> Iterator[tuple[bytes, bytes]]:
        for entry in self._entries(section.node, _USERS, ()):
            if not entry.name:
                self._wrong(entry.line, _USERS, "a user without a name; give one")
            elif ":" in entry.name or any(unicodedata.category(character) in {"Cc", "Cs"} for character in entry.name):
                said = "a colon or a control character in a user's name, which no client can send (RFC 7617, section 2)"
                self._wrong(entry.line, entry.key, f"{said}; choose another")
            elif not isinstance(entry.node, yaml.ScalarNode):
                self._wrong(entry.line, entry.key, f"{describe(entry.node)}; write a bcrypt hash")
            elif trouble := hash_trouble(entry.node.value):
                self._wrong(entry.line, entry.key, trouble)
            else:
                yield entry.name.encode(), entry.node.value.encode()
