"""Make the TLS context of a server from the files of its certificate; reads no configuration."""

from __future__ import annotations

import ssl
import stat
from dataclasses import dataclass
from pathlib import Path

from exporter.config.yaml_text import shown

LARGEST_FILE = 1 << 20
"""Bytes; a bundle of all public authorities is a fifth of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """Attributes:
    certificate: PEM: the server's own, then those that lead to its authority.
    key: PEM, not encrypted.
    client: whether clients show certificates; if they may or must, `client_ca` (PEM) says whose are believed.
    """

    certificate: Path
    key: Path
    client: ssl.VerifyMode
    client_ca: Path | None
    minimum: ssl.TLSVersion
    maximum: ssl.TLSVersion


class TlsFileError(Exception):
    """Files that cannot be used.

    Attributes:
        problems: by the name that the setting has in the web configuration, what is wrong and the remedy.
    """

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(problems.values()))
        self.problems = problems


class _EncryptedError(Exception):
    pass


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """Never asks on the terminal, nor waits.

    Raises:
        TlsFileError: with all that is wrong.
    """
    files = {"cert_file": settings.certificate, "key_file": settings.key, "client_ca_file": settings.client_ca}
    problems = {name: said for name, path in files.items() if path and (said := _unreadable(path))}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name in ("cert_file", "client_ca_file"):
        path = files[name]
        if path and name not in problems and (said := _not_certificates(path)):
            problems[name] = said
    if not problems.keys() & {"cert_file", "key_file"}:
        problems |= _load_pair(context, settings.certificate, settings.key)
    if problems:
        raise TlsFileError(problems)
    if settings.client_ca is not None:
        context.load_verify_locations(cafile=settings.client_ca)
        # As Go has it: who is in the file is believed, also an authority that is itself signed by one that is not.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_mode = settings.client
    context.minimum_version = settings.minimum
    context.maximum_version = settings.maximum
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


def _unreadable(path: Path) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return f"{shown(str(path))} is not a file; name a PEM file"
        if status.st_size > LARGEST_FILE:
            return f"{shown(str(path))} is larger than {LARGEST_FILE} bytes; name a PEM file"
        with path.open("rb"):
            return ""
    except OSError as error:
        return f"{shown(str(path))} cannot be read: {error.strerror}; correct the path or its permissions"
    except ValueError:
        return f"{shown(str(path))} is no name of a file; correct the path"


def _not_certificates(path: Path) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cafile=path)
    except OSError:  # which ssl.SSLError is
        return f"{shown(str(path))} is no certificate in PEM form; convert or replace it"
    return ""


def _load_pair(context: ssl.SSLContext, certificate: Path, key: Path) -> dict[str, str]:
    def encrypted() -> str:
        raise _EncryptedError

    def key_is(what: str) -> dict[str, str]:
        return {"key_file": f"{shown(str(key))} {what}"}

    try:
        context.load_cert_chain(certificate, key, password=encrypted)
    except _EncryptedError:
        return key_is("is encrypted; store it without a password (openssl pkey -in KEY -out PLAIN)")
    except ssl.SSLError as error:
        if not error.reason:
            return key_is("is no private key in PEM form; convert or replace it")
        # The second is said where even the kinds of the keys differ.
        if error.reason in {"KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED", "KEY_TYPE_MISMATCH"}:
            return key_is("is not the key of the first certificate in cert_file; name the two that were made together")
        why = error.reason.replace("_", " ").lower()
        return {"cert_file": f"{shown(str(certificate))} is refused by OpenSSL: {why}; make a stronger one"}
    except OSError as error:
        return key_is(f"or its certificate went away: {error.strerror}; correct the path")
    return {}
