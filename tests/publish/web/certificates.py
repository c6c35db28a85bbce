"""Certificates for tests, made by openssl(1), and handshakes over a pair of sockets."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
_RSA = ("-newkey", "rsa:2048")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path

    def copy_to(self, other: Pair) -> None:
        put(self.certificate, other.certificate)
        put(self.key, other.key)


class Authority:
    """Signs certificates, kept in one directory. Unless signed by another, its own is self-signed."""

    def __init__(self, directory: Path, name: str = "authority", *, above: Authority | None = None) -> None:
        self._directory = directory
        extensions = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")
        self._own = _make(directory, name, extensions, above=above._own if above else None)
        self.certificate = self._own.certificate

    def issue(self, name: str, *, usage: str = "serverAuth,clientAuth", rsa: bool = False) -> Pair:
        """For `localhost`, 127.0.0.1 and ::1."""
        extensions = (
            "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1",
            f"extendedKeyUsage={usage}",
            "basicConstraints=critical,CA:FALSE",
        )
        return _make(self._directory, name, extensions, above=self._own, kind=_RSA if rsa else _EC)

    def client(self, own: Pair | None = None) -> ssl.SSLContext:
        """A client that believes this authority, and shows a certificate of its own if it has one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=self.certificate)
        if own is not None:
            context.load_cert_chain(own.certificate, own.key)
        return context


def put(source: Path, target: Path) -> None:
    """Replace a file by a copy of another, whole, as those do that renew certificates."""
    beside = target.with_name(f".{target.name}")
    shutil.copy(source, beside)
    beside.replace(target)


def encrypt(pair: Pair, password: str = "secret") -> Pair:
    """The same with its key encrypted."""
    key = pair.key.with_suffix(".encrypted")
    openssl("pkey", "-in", str(pair.key), "-aes256", "-passout", f"pass:{password}", "-out", str(key))
    return Pair(pair.certificate, key)


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, stdin=subprocess.DEVNULL)


@dataclass(frozen=True)
class Met:
    """What a client saw."""

    certificate: bytes
    """The server's, DER."""
    version: str
    protocol: str | None
    """Of ALPN."""


def meet(server: ssl.SSLContext, client: ssl.SSLContext) -> Met:
    """Let the two shake hands and the client read an answer.

    Raises:
        ssl.SSLError: the server refused, or else the client.
    """
    ours, theirs = socket.socketpair()
    refusals: list[Exception] = []

    def serve() -> None:
        with ours:
            try:
                with server.wrap_socket(ours, server_side=True) as secured:
                    secured.sendall(b"ok")
                    secured.recv(1)
            except OSError as error:
                refusals.append(error)

    thread = threading.Thread(target=serve)
    ours.settimeout(10)
    theirs.settimeout(10)
    thread.start()
    said: list[Exception] = []
    met = None
    try:
        with client.wrap_socket(theirs, server_hostname="localhost") as secured:
            # With TLS 1.3 a client learns only here that its certificate is not wanted.
            assert secured.recv(2) == b"ok"
            met = Met(
                secured.getpeercert(binary_form=True) or b"", secured.version() or "", secured.selected_alpn_protocol()
            )
    except (OSError, AssertionError) as error:
        said.append(error)
    finally:
        with contextlib.suppress(OSError):
            theirs.close()
        thread.join()
    if met is None:
        raise next(error for error in (*refusals, *said) if isinstance(error, ssl.SSLError))
    return met


def der(path: Path) -> bytes:
    """The first certificate of a PEM file, as a client sees it."""
    text = path.read_text()
    return ssl.PEM_cert_to_DER_cert(
        text[: text.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----\n")]
    )


def _make(
    directory: Path, name: str, extensions: tuple[str, ...], *, above: Pair | None, kind: tuple[str, ...] = _EC
) -> Pair:
    pair = Pair(directory / f"{name}.crt", directory / f"{name}.key")
    signed = ("-CA", str(above.certificate), "-CAkey", str(above.key)) if above else ()
    openssl(
        *("req", "-x509", *kind, "-nodes", "-days", "2", "-subj", f"/CN={name}", *signed),
        *(part for extension in extensions for part in ("-addext", extension)),
        *("-keyout", str(pair.key), "-out", str(pair.certificate)),
    )
    return pair
