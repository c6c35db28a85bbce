"""Reads lists and watches from a Kubernetes API server, as plain JSON; the only module that imports kubernetes.

It can only read: there is no verb here that writes. Every failure comes out as one exception with a reason from a
small fixed vocabulary. Nothing is retried here; `loop` decides when to try again. The library is imported at the
first request, since that takes longer than everything else at a start and is of no use without a cluster.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from exporter.cluster.errors import ClusterError, ConfigurationError, Reason, status_reason
from exporter.cluster.target import Target
from exporter.lean_import import skip_init

LARGEST = 64 * 1024 * 1024
"""Bytes of one list, or of one line of a watch; a server that sends more is not believed."""

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

KEEPALIVE = {"idle": 4, "interval": 2, "count": 3}
"""Seconds and probes: a connection to a node that died is given up after ten seconds, not after three minutes. The node
that held the VIP often serves the API too, and what became of the VIP must not be missed for that."""

MOST_IDLE_CONNECTIONS = 64
"""Each watch has one of its own. The library keeps ten, and complains at every one more."""


def find_configuration(explicit: str = "") -> str:
    """Where the cluster's address and credentials come from: a kubeconfig path (or several), or empty for in-cluster.

    The first of: the explicit path, $KUBECONFIG (paths separated by a colon), the service account of the pod that
    this runs in, ~/.kube/config.

    Raises:
        ConfigurationError: none of them is there.
    """
    from_environment = os.environ.get("KUBECONFIG", "")
    for origin, paths in (("the configured kubeconfig", explicit), ("$KUBECONFIG", from_environment)):
        if paths:
            if not any(_is_file(Path(path).expanduser()) for path in paths.split(os.pathsep) if path):
                raise ConfigurationError(f"{paths}: no such file (named by {origin}); correct the path or unset it")
            return paths
    if os.environ.get("KUBERNETES_SERVICE_HOST") and (SERVICE_ACCOUNT / "token").exists():
        return ""
    default = Path.home() / ".kube" / "config"
    if _is_file(default):
        return str(default)
    raise ConfigurationError(
        f"no cluster configuration: not in a pod with a service account, no $KUBECONFIG, no {default};"
        " name a kubeconfig, or use an intent file"
    )


def _is_file(path: Path) -> bool:
    """One that may at least be looked at."""
    try:
        return path.is_file()
    except OSError:
        return False


class Answer:
    """An open response. `close` may be called from any thread, at any time, and makes a blocked read return."""

    def __init__(self, response: Any, *, quiet: float) -> None:
        self._response = response
        # The library offers one read timeout; the wait for the headers and the silence within a watch need two.
        with suppress(AttributeError, OSError):
            response.connection.sock.settimeout(quiet)

    def read(self) -> Any:
        """The whole body as JSON."""
        body = bytearray()
        for part in self._parts():
            body += part
            if len(body) > LARGEST:
                raise ClusterError(Reason.MALFORMED, f"the answer is larger than {LARGEST} bytes")
        return _parse(body)

    def lines(self) -> Iterator[Any]:
        """The body's lines as they arrive, each as JSON, to the server's orderly end."""
        rest = bytearray()
        for part in self._parts():
            rest += part
            if b"\n" in part:
                *lines, rest = rest.split(b"\n")
                yield from (_parse(line) for line in lines if line.strip())
            if len(rest) > LARGEST:
                raise ClusterError(Reason.MALFORMED, f"a line is longer than {LARGEST} bytes")
        if rest.strip():
            raise ClusterError(Reason.MALFORMED, "the watch ended in the middle of a line")

    def _parts(self) -> Iterator[bytes]:
        try:
            with _failures():
                yield from self._response.stream(65536)
        finally:
            # A response read to its end has given its connection back by now, and keeps it.
            self._response.close()

    def close(self) -> None:
        # Closing the response waits for the reader's lock; shutting the socket down makes the reader return first.
        with suppress(AttributeError, OSError):
            self._response.connection.sock.shutdown(socket.SHUT_RDWR)


class Client:
    """Requests to one API server. Safe to use from several threads.

    Args:
        kubeconfig: a path; empty: found as `find_configuration` says, at every (re)connect.
        connect: seconds to wait for a connection.
        answer: seconds to wait for the headers of an answer, and for each further part of a list.
        quiet: seconds without a byte after which an open watch is given up; longer than the watch itself.
    """

    def __init__(
        self, *, kubeconfig: str = "", connect: float = 5.0, answer: float = 15.0, quiet: float = 270.0
    ) -> None:
        self._kubeconfig = kubeconfig
        self._timeouts = (connect, answer)
        self._quiet = quiet
        self._lock = threading.Lock()
        self._api: Any = None

    def list(self, target: Target) -> Answer:
        return self._request(target, {})

    def watch(self, target: Target, *, version: str, seconds: int) -> Answer:
        """Watch from a resource version for so many seconds, bookmarks included."""
        options = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": seconds,
        }
        return self._request(target, options)

    def close(self) -> None:
        with self._lock:
            api, self._api = self._api, None
        if api is not None:
            api.close()

    def _request(self, target: Target, options: Mapping[str, object]) -> Answer:
        api, fresh = self._connection()
        try:
            return self._send(api, target, options)
        except ClusterError as error:
            if error.reason in (Reason.UNAUTHORIZED, Reason.TLS, Reason.CONFIGURATION):
                self._forget(api)
            if error.reason is not Reason.UNAUTHORIZED or fresh:
                raise
        # Tokens and client certificates are replaced in their files while this runs: read them again before failing.
        return self._send(self._connection()[0], target, options)

    def _send(self, api: Any, target: Target, options: Mapping[str, object]) -> Answer:
        query = [*options.items(), *([("fieldSelector", target.selector)] if target.selector else [])]
        with _failures():
            # The library's methods for each resource would load hundreds of models, a second and 20 MiB, to check what
            # a server sends against them; they reject objects that a server may well send, and none of it is used.
            request = api.param_serialize(
                "GET",
                target.path,
                query_params=query,
                header_params={"Accept": "application/json"},
                auth_settings=["BearerToken"],
            )
            response = api.call_api(*request, _request_timeout=self._timeouts)
            _raise_for_status(response)
        return Answer(response.response, quiet=self._quiet if options.get("watch") else self._timeouts[1])

    def _connection(self) -> tuple[Any, bool]:
        """The library's client, and whether it was made just now from the configuration as it is now."""
        with self._lock:
            if self._api is not None:
                return self._api, False
            self._api = _connect(self._kubeconfig)
            return self._api, True

    def _forget(self, api: Any) -> None:
        with self._lock:
            if self._api is api:
                self._api = None


def _connect(kubeconfig: str) -> Any:
    """A client as the configuration says now.

    Raises:
        ConfigurationError: there is none, or it cannot be used.
    """
    source = find_configuration(kubeconfig)
    _enter_library()
    from kubernetes.client.api_client import ApiClient

    try:
        return ApiClient(_configure(source))
    except Exception as error:  # the library lets through whatever a broken file makes it stumble over
        remedy = "correct it; `kubectl config view` shows what is read" if source else "check the pod's service account"
        raise ConfigurationError(f"{source or SERVICE_ACCOUNT}: cannot be used: {_brief(error)}; {remedy}") from error


def _enter_library() -> None:
    """Before any of it is imported: as a whole it takes 20 MiB more, for an informer, a dynamic client and the like.

    Even of `kubernetes.config` a pod needs a part only: logins by OAuth, for kubeconfigs, are 7 MiB.
    """
    skip_init("kubernetes", "kubernetes.config", "kubernetes.utils")


def _configure(source: str) -> Any:
    from kubernetes.client.configuration import Configuration
    from kubernetes.utils.keepalive import tcp_keepalive_socket_options

    configuration = Configuration()
    if source:
        from kubernetes.config.kube_config import load_kube_config

        load_kube_config(config_file=source, client_configuration=configuration, persist_config=False)  # type: ignore[no-untyped-call]
    else:
        from kubernetes.config.incluster_config import load_incluster_config

        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    configuration.retries = False
    configuration.socket_options = tcp_keepalive_socket_options(**KEEPALIVE)
    configuration.connection_pool_maxsize = MOST_IDLE_CONNECTIONS
    _strip_tokens(configuration)
    return configuration


def _strip_tokens(configuration: Any) -> None:
    """Take the line feed off tokens read from files, which no header can carry; now, and whenever they are re-read."""
    refresh = configuration.refresh_api_key_hook

    def strip(current: Any) -> None:
        if refresh is not None:
            refresh(current)
            # The library's own hook puts itself back each time.
            current.refresh_api_key_hook = strip
        for name, token in current.api_key.items():
            current.api_key[name] = token.strip()

    configuration.refresh_api_key_hook = strip


def _raise_for_status(response: Any) -> None:
    from kubernetes.client.exceptions import ApiException

    if not 200 <= response.status <= 299:
        response.read()
        raise ApiException.from_response(http_resp=response, body=None, data=None)


@contextmanager
def _failures() -> Iterator[None]:
    """Turns whatever a request raises, from the library and from beneath it, into `ClusterError`."""
    try:
        yield
    except ClusterError:
        raise
    except Exception as error:
        raise _translated(error) from error


def _translated(error: Exception) -> ClusterError:
    _enter_library()
    from kubernetes.client.exceptions import ApiException
    from kubernetes.config.config_exception import ConfigException
    from urllib3 import exceptions as http

    if isinstance(error, ApiException):
        if not error.status:
            return ClusterError(Reason.TLS, _brief(error.reason))
        return ClusterError(status_reason(error.status), f"{error.status} {_brief(error.reason)}: {_said(error.body)}")
    match error:
        case ConfigException() | http.LocationValueError():
            return ConfigurationError(_brief(error))
        case http.NewConnectionError() | http.NameResolutionError():
            return ClusterError(Reason.UNREACHABLE, _brief(error))
        case http.TimeoutError() | TimeoutError():
            return ClusterError(Reason.TIMEOUT, _brief(error))
        case http.SSLError():
            return ClusterError(Reason.TLS, _brief(error))
        case http.HTTPError() | OSError():
            return ClusterError(Reason.UNREACHABLE, _brief(error))
        case ValueError():
            return ConfigurationError(
                f"the request cannot be sent: {_brief(error)}; check the token and the server's URL"
            )
        case _:
            return ClusterError(Reason.INTERNAL, _brief(error))


def _said(body: Any) -> str:
    """The message of the Status object that a refusal carries."""
    with suppress(ValueError, TypeError, AttributeError):
        return _brief(json.loads(body)["message"])
    return "(no message)"


def _brief(what: object) -> str:
    text = str(what).strip() or type(what).__name__
    return " ".join(text[:300].split())


def _parse(data: bytes | bytearray) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ClusterError(Reason.MALFORMED, f"not JSON: {_brief(error)}") from error
