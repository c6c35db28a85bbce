"""Serve metrics, health, the page and the API over HTTP, in its own thread; the only module that imports tornado.

It decides nothing: what is served comes from the callables given to `WebServer`. Each answer is made in a further
thread, so that neither a slow answer nor any number of silent clients delays another request.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import threading
import traceback
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import Future
from http import HTTPStatus
from types import TracebackType
from typing import Any, Protocol, cast

from tornado.http1connection import HTTP1Connection, HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler

from exporter import log
from exporter.publish.web.answer import HTML, TEXT, Answer, accepts_gzip, as_json, exposition, probe
from exporter.publish.web.listen import listen
from exporter.publish.web.query import BadParameterError, events_query
from exporter.publish.web.turns import Turns
from exporter.vip.model import IPAddress, Nanoseconds

MOST_CONNECTIONS = 512
"""Open at once; never more than half of the file descriptors this process may have."""
MOST_HEADER_BYTES = 16 * 1024
MOST_BODY_BYTES = 4096
"""No request needs a body; one of this size is read and forgotten, since only then the answer is sure to arrive."""
IDLE_SECONDS = 10.0
"""How long a client may take to send a request's head."""
RENDER_SECONDS = 10.0
"""How long an answer may take to make. Prometheus gives up after as long, by default."""
WRITE_SECONDS = 10.0
"""How long a client may take to accept an answer."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Events(Protocol):
    """The newest events that match, at most `limit`, as something `json.dumps` can write."""

    def __call__(self, *, vip: IPAddress | None, since: Nanoseconds | None, limit: int) -> object: ...


_Make = Callable[[], Answer]


class WebServer:
    """The HTTP server.

    Args:
        address: where to listen, as `--web.listen-address` has it.
        metrics: given the request's Accept header, the content type and the exposition.
        ready: whether `/-/ready` says so, and why or why not in one line; likewise `healthy`.
        page: the HTML of `/`.
        vips: what `/api/v1/vips` answers, as something `json.dumps` can write.
        events: the same for `/api/v1/events`.

    All of them are called in threads that are not the caller's, several at a time.
    """

    def __init__(
        self,
        address: str,
        *,
        metrics: Callable[[str], tuple[str, bytes]],
        ready: Callable[[], tuple[bool, str]],
        healthy: Callable[[], tuple[bool, str]],
        page: Callable[[], str],
        vips: Callable[[], object],
        events: Events,
    ) -> None:
        self._address = address
        self._sockets: list[socket.socket] = []
        self._port = 0
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._grace = 0.0

        def of_metrics(request: HTTPServerRequest) -> tuple[Hashable, _Make]:
            accept = ", ".join(request.headers.get_list("Accept"))
            squeeze = accepts_gzip(", ".join(request.headers.get_list("Accept-Encoding")))
            return (accept, squeeze), lambda: exposition(*metrics(accept), squeeze=squeeze)

        def of_events(request: HTTPServerRequest) -> tuple[Hashable, _Make]:
            query = events_query(request.query)
            return query, lambda: as_json(events(vip=query.vip, since=query.since, limit=query.limit))

        self._routes: dict[str, Callable[[HTTPServerRequest], tuple[Hashable, _Make]]] = {
            "/": lambda _: ((), lambda: Answer(page().encode(errors="replace"), HTML)),
            "/metrics": of_metrics,
            "/-/healthy": lambda _: ((), lambda: probe(*healthy())),
            "/-/ready": lambda _: ((), lambda: probe(*ready())),
            "/api/v1/vips": lambda _: ((), lambda: as_json(vips())),
            "/api/v1/events": of_events,
        }

    @property
    def port(self) -> int:
        """The port listened on, once started; also where port 0 was asked for."""
        return self._port

    def start(self) -> None:
        """Listen and serve.

        Raises:
            ListenError: the address is malformed, taken, or not this machine's.
        """
        self._sockets = listen(self._address, backlog=MOST_CONNECTIONS)
        self._port = self._sockets[0].getsockname()[1]
        self._thread.start()
        self._running.result()

    def stop(self, timeout: float = 1.0) -> None:
        """Stop within `timeout` seconds; requests under way have half of that to end. Does nothing unless started."""
        if not self._thread.is_alive():
            return
        loop, stopping = self._running.result()
        self._grace = timeout / 2
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(stopping.set)
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - else `start` would wait for ever
            if not self._running.done():
                self._running.set_exception(error)
            log.error("web server ended", error=error)

    async def _serve(self) -> None:
        handlers = [
            (path, _Handler, {"plan": plan, "turns": Turns[Answer](RENDER_SECONDS)})
            for path, plan in self._routes.items()
        ]
        application = Application(handlers, default_handler_class=_NotFound, log_function=lambda _: None)
        server = _Server(
            application,
            no_keep_alive=True,
            idle_connection_timeout=IDLE_SECONDS,
            body_timeout=IDLE_SECONDS,
            max_header_size=MOST_HEADER_BYTES,
            max_body_size=MOST_BODY_BYTES,
            max_buffer_size=4 * MOST_HEADER_BYTES,
        )
        application.settings["server"] = server
        server.add_sockets(self._sockets)
        stopping = asyncio.Event()
        self._running.set_result((asyncio.get_running_loop(), stopping))
        await stopping.wait()
        server.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.drained(), self._grace)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.close_all_connections(), self._grace / 2)


# --- tornado ----------------------------------------------------------------------------------------------------------


class _Server(HTTPServer):
    """Bounds the open connections: when there are too many, the longest idle one gives way to the newest."""

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        super().initialize(*args, **kwargs)
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = min(MOST_CONNECTIONS, descriptors // 2) if descriptors > 0 else MOST_CONNECTIONS
        # Longest idle first; a dict is a set that keeps its order.
        self._idle: dict[IOStream, None] = {}
        self._busy: dict[IOStream, None] = {}

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        if len(self._idle) + len(self._busy) >= self._most:
            crowd = self._idle or self._busy
            oldest = next(iter(crowd))
            del crowd[oldest]
            oldest.close()
        self._idle[stream] = None
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        super().on_close(server_conn)
        stream = cast(HTTP1ServerConnection, server_conn).stream
        self._idle.pop(stream, None)
        self._busy.pop(stream, None)

    def take(self, stream: IOStream) -> bool:
        """A request has come on this connection, which is busy from now on. False: it is not the connection's first."""
        if self._idle.pop(stream, self) is self:
            return False
        self._busy[stream] = None
        return True

    async def drained(self) -> None:
        while self._busy:  # noqa: ASYNC110 - only while stopping, and for half a second at most
            await asyncio.sleep(0.01)


class _Base(RequestHandler):
    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def compute_etag(self) -> str | None:
        return None

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", TEXT)
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", "GET, HEAD")
        self.finish(f"{status_code} {HTTPStatus(status_code).phrase}\n")

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        if isinstance(value, HTTPError | StreamClosedError):
            return
        where = "".join(traceback.format_exception(typ, value, tb))[-log.LONGEST_VALUE :]
        log.error("request failed", path=self.request.path, error=value, traceback=where)


class _NotFound(_Base):
    def prepare(self) -> Awaitable[None] | None:
        raise HTTPError(HTTPStatus.NOT_FOUND)


class _Handler(_Base):
    def initialize(self, plan: Callable[[HTTPServerRequest], tuple[Hashable, _Make]], turns: Turns[Answer]) -> None:
        self._plan = plan
        self._turns = turns

    async def get(self) -> None:
        stream = cast(HTTP1Connection, self.request.connection).stream
        # A client that sends many requests ahead and reads no answer would have them all made and kept for it.
        if not self.settings["server"].take(stream):
            stream.close()
            return
        answer = await self._answer()
        self.set_status(answer.status)
        self.set_header("Content-Type", answer.content_type)
        if answer.gzipped:
            self.set_header("Content-Encoding", "gzip")
        self.set_header("Vary", "Accept, Accept-Encoding")
        try:
            await asyncio.wait_for(self.finish(answer.body), WRITE_SECONDS)
        except TimeoutError:
            stream.close()

    head = get

    async def _answer(self) -> Answer:
        try:
            key, make = self._plan(self.request)
            return await asyncio.wait_for(self._turns.answer(key, make), RENDER_SECONDS)
        except BadParameterError as error:
            said = {"parameter": error.parameter, "error": error.problem, "remedy": error.remedy}
            return as_json(said, status=HTTPStatus.BAD_REQUEST)
        except TimeoutError:
            return probe(False, "the answer takes too long")
