"""Serve what the routes have over HTTP, in a thread of its own; the only module that imports tornado.

Each answer is made in a further thread, so that neither a slow answer nor any number of silent clients delays another
request. Who may ask is for the door to say, what is answered for the routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import socket
import threading
import traceback
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from http import HTTPStatus
from types import TracebackType
from typing import Any, cast

from tornado.http1connection import HTTP1Connection, HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.netutil import add_accept_handler
from tornado.web import Application, Finish, HTTPError, RequestHandler

from exporter import log
from exporter.publish.parts import Parts
from exporter.publish.web.answer import Answer, accepts, as_json, text
from exporter.publish.web.connections import Connections
from exporter.publish.web.door import FrontDoor
from exporter.publish.web.failures import party
from exporter.publish.web.listen import Listening
from exporter.publish.web.query import BadParameterError, page_query
from exporter.publish.web.routes import (
    LIVE,
    METRICS,
    OPEN,
    RELOAD,
    STREAM,
    Asked,
    Content,
    Plan,
    Reloaded,
    reload_answer,
    routes,
)
from exporter.publish.web.stream import CONTENT_TYPE, Streams, TooManyStreamsError
from exporter.publish.web.turns import AT_ONCE, Turns

MOST_CONNECTIONS = 512
"""Open at once; never more than half of the file descriptors this process may have."""
MOST_HEADER_BYTES = 16 * 1024
MOST_HEADER_LINES = 100
"""Each costs time to read, and as much as bytes allow could hold everybody up."""
MOST_BODY_BYTES = 4096
"""No request needs a body; one of this size is read and forgotten, since only then the answer is sure to arrive."""
IDLE_SECONDS = 10.0
"""How long a client may take for the TLS handshake and a request's head together; and as long again for its body."""
RENDER_SECONDS = 10.0
"""How long an answer may take to make. Prometheus gives up after as long, by default."""
WRITE_SECONDS = 10.0
"""How long a client may take to accept an answer, or a message of a stream."""

VARY = "Accept, Accept-Encoding"
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class WebServer:
    """The HTTP server.

    Args:
        listening: the open sockets; they are closed when it ends.
        door: who is let in, and the TLS of all addresses.
        content: what is served.
    """

    def __init__(self, listening: Listening, *, door: FrontDoor, content: Content) -> None:
        self._listening = listening
        self._port = listening.port
        self._door = door
        self._content = content
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._grace = 0.0

    @property
    def port(self) -> int:
        """The first port listened on, also where port 0 was asked for. 0: only unix sockets."""
        return self._port

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        """Serve, from when this returns."""
        self._thread.start()
        self._running.result()

    def stop(self, timeout: float = 1.0) -> None:
        """Stop within `timeout` seconds; requests under way have half of that to end. Does nothing unless started."""
        if not self.alive:
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
        finally:
            self._listening.close()

    async def _serve(self) -> None:
        stopping = asyncio.Event()
        plans = routes(self._content)
        # What anybody may ask for in a thousand ways takes turns of its own: it must not hold up scrapes and probes.
        shared = asyncio.Semaphore(AT_ONCE)
        own = {path: Turns[Answer](RENDER_SECONDS) for path in (METRICS, *OPEN, RELOAD)}
        turns = {path: own.get(path) or Turns[Answer](RENDER_SECONDS, shared) for path in plans} | own
        parts = Turns[Parts](RENDER_SECONDS, shared)
        streams = Streams(lambda query: parts.answer(query, lambda: self._content.parts(query)))
        answering = {path: {"plan": plan, "turns": turns[path]} for path, plan in plans.items()}
        application = Application(
            [
                *((re.escape(path), _Answering, how) for path, how in answering.items() if path != LIVE),
                (LIVE, _Live, {**answering[LIVE], "streams": streams, "stopping": stopping}),
                (RELOAD, _Reload, {"reload": self._content.reload, "turns": turns[RELOAD]}),
            ],
            default_handler_class=_NotFound,
            log_function=lambda _: None,
        )
        server = _Server(
            application,
            no_keep_alive=True,
            idle_connection_timeout=IDLE_SECONDS,
            body_timeout=IDLE_SECONDS,
            max_header_size=MOST_HEADER_BYTES,
            max_body_size=MOST_BODY_BYTES,
            max_buffer_size=4 * MOST_HEADER_BYTES,
        )
        application.settings["door"] = self._door
        removers = [add_accept_handler(one, server.accept(self._door)) for one in self._listening.sockets]
        self._running.set_result((asyncio.get_running_loop(), stopping))
        await stopping.wait()
        for remove in removers:
            remove()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.drained(), self._grace)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.close_all_connections(), self._grace / 2)


# --- tornado ----------------------------------------------------------------------------------------------------------


class _Server(HTTPServer):
    """Takes connections, each with the TLS that is in force at that moment, and never too many of them."""

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        super().initialize(*args, **kwargs)
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = min(MOST_CONNECTIONS, descriptors // 2) if descriptors > 0 else MOST_CONNECTIONS
        self.connections = Connections[IOStream](most)

    def accept(self, door: FrontDoor) -> Callable[[socket.socket, Any], None]:
        def accepted(connection: socket.socket, address: Any) -> None:
            try:
                context = door.tls_context()
                if context is None:
                    self.handle_stream(_Plain(connection, max_buffer_size=self.max_buffer_size), address)
                    return
                # The handshake is the stream's, in its own time: a client that never begins it holds up nobody.
                secured = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                self.handle_stream(_Secured(secured, max_buffer_size=self.max_buffer_size), address)
            except OSError:  # it has gone already
                connection.close()

        return accepted

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        if (loser := self.connections.open(stream, party(address_of(address)))) is not None:
            loser.close()
        super().handle_stream(stream, address)

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        delegate = super().start_request(server_conn, request_conn)
        return _OnlyOne(delegate, cast(HTTP1Connection, request_conn), self.connections)

    def on_close(self, server_conn: object) -> None:
        super().on_close(server_conn)
        self.connections.close(cast(HTTP1ServerConnection, server_conn).stream)

    async def drained(self) -> None:
        while self.connections.busy:  # noqa: ASYNC110 - only while stopping, and for half a second at most
            await asyncio.sleep(0.01)


class _Heads(IOStream):
    """Refuses a head that is none, or has too many lines, before anything else of it is looked at."""

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        # A method begins with a letter. Who speaks TLS here, by mistake, should not wait for an answer.
        return asyncio.ensure_future(self._read(super().read_until_regex(rb"^[^A-Za-z\r\n]|" + regex, max_bytes)))

    async def _read(self, reading: Awaitable[bytes]) -> bytes:
        head = await reading
        if len(head) == 1:
            raise HTTPInputError("no HTTP")
        if head.count(b"\n") > MOST_HEADER_LINES:
            raise HTTPInputError("too many header lines")
        return head


class _Plain(_Heads, IOStream):
    pass


class _Secured(_Heads, SSLIOStream):
    pass


class _OnlyOne(HTTPMessageDelegate):
    """Lets one request of a connection through.

    A client that sends many ahead would else have them all answered, though it was told that the connection is closed:
    tornado goes on with what it has read.
    """

    def __init__(
        self, delegate: HTTPMessageDelegate, connection: HTTP1Connection, connections: Connections[IOStream]
    ) -> None:
        self._delegate = delegate
        self._connection = connection
        self._connections = connections

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        if "Transfer-Encoding" in headers:
            # No request needs a body, and one in chunks of a byte each would take long to read.
            self._connection.set_max_body_size(0)
        if self._connections.begin(self._connection.stream):
            return self._delegate.headers_received(start_line, headers)
        self._connection.detach().close()
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        self._delegate.finish()

    def on_connection_close(self) -> None:
        self._delegate.on_connection_close()


def address_of(end: Sequence[Any] | str) -> str:
    """The IP address of a connection's other end; empty: it has none, at a unix socket."""
    return str(end[0]) if isinstance(end, tuple) else ""


class _Base(RequestHandler):
    METHODS = "GET, HEAD"

    async def prepare(self) -> None:
        if self.request.path in OPEN:
            return
        door: FrontDoor = self.settings["door"]
        admission = await door.admit(self.request.headers.get("Authorization"), self.address)
        if admission.admitted:
            return
        if admission.retry_after is not None:
            self.set_header("Retry-After", str(admission.retry_after))
            said = f"too many logins that fail or wait; try again in {admission.retry_after} s"
            await self.send(text(said, status=HTTPStatus.TOO_MANY_REQUESTS))
        else:
            self.set_header("WWW-Authenticate", 'Basic realm="vip-exporter", charset="UTF-8"')
            given = "Authorization" in self.request.headers
            said = "wrong user or password" if given else "a user and a password are needed"
            await self.send(text(said, status=HTTPStatus.UNAUTHORIZED))
        raise Finish

    @property
    def address(self) -> str:
        return address_of(cast(Any, self.request.connection).context.address)

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in _HEADERS.items():
            self.set_header(name, value)
        self.set_header("Content-Security-Policy", Answer(b"").policy)

    def compute_etag(self) -> str | None:
        return None

    async def send(self, answer: Answer) -> None:
        self.set_status(answer.status)
        self.set_header("Content-Type", answer.content_type)
        self.set_header("Content-Security-Policy", answer.policy)
        if answer.gzipped:
            self.set_header("Content-Encoding", "gzip")
        self.set_header("Vary", VARY)
        await self.accepted(self.finish(answer.body))

    async def accepted(self, written: Awaitable[None]) -> None:
        """Wait until the client has taken it, and hang up on one that does not."""
        try:
            await asyncio.wait_for(written, WRITE_SECONDS)
        except TimeoutError:
            cast(HTTP1Connection, self.request.connection).stream.close()

    def write_error(self, status_code: int, **_: Any) -> None:
        answer = text(f"{status_code} {HTTPStatus(status_code).phrase}")
        self.set_header("Content-Type", answer.content_type)
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", self.METHODS)
        self.finish(answer.body)

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        if isinstance(value, HTTPError | StreamClosedError):
            return
        where = "".join(traceback.format_exception(typ, value, tb))[-log.LONGEST_VALUE :]
        log.error("request failed", path=self.request.path, error=value, traceback=where)


class _NotFound(_Base):
    async def prepare(self) -> None:
        await super().prepare()
        raise HTTPError(HTTPStatus.NOT_FOUND)


class _Answering(_Base):
    """One answer, as its plan has it."""

    def initialize(self, plan: Plan, turns: Turns[Answer]) -> None:
        self._plan = plan
        self._turns = turns

    async def get(self) -> None:
        await self.send(await self._answer())

    head = get

    async def _answer(self) -> Answer:
        headers = self.request.headers
        try:
            key, make = self._plan(
                Asked(
                    query=self.request.query,
                    accept=", ".join(headers.get_list("Accept")),
                    accept_encoding=", ".join(headers.get_list("Accept-Encoding")),
                )
            )
            return await asyncio.wait_for(self._turns.answer(key, make), RENDER_SECONDS)
        except BadParameterError as error:
            return bad_parameter(error)
        except TimeoutError:
            return text("the answer takes too long", status=HTTPStatus.SERVICE_UNAVAILABLE)


class _Live(_Answering):
    """A stream for who asks for one, else one answer."""

    def initialize(self, plan: Plan, turns: Turns[Answer], streams: Streams, stopping: asyncio.Event) -> None:  # type: ignore[override] # tornado passes by name what the route says
        super().initialize(plan, turns)
        self._streams = streams
        self._stopping = stopping

    async def get(self) -> None:
        if not accepts(self.request.headers.get("Accept", ""), STREAM):
            await super().get()
            return
        try:
            query = page_query(self.request.query)
            with self._streams.admit(party(self.address)):
                self.set_header("Content-Type", CONTENT_TYPE)
                self.set_header("X-Accel-Buffering", "no")  # proxies that know it pass each message on at once
                self.set_header("Vary", VARY)
                door: FrontDoor = self.settings["door"]
                let_in = door.in_force()
                # The page has been closed; or it could not be made in time, and the browser asks again.
                with contextlib.suppress(StreamClosedError, TimeoutError):
                    async for event in self._streams.messages(query, self._stopping):
                        self.write(event)
                        await self.accepted(self.flush())
                        if door.in_force() is not let_in:
                            break  # whether it would be let in now, the browser finds out by asking again
        except BadParameterError as error:
            await self.send(bad_parameter(error))
        except TooManyStreamsError:
            await self.send(text("too many streams; poll instead", status=HTTPStatus.SERVICE_UNAVAILABLE))

    head = _Answering.get


class _Reload(_Base):
    METHODS = "POST"

    def initialize(self, reload: Callable[[], Reloaded] | None, turns: Turns[Answer]) -> None:
        self._reload = reload
        self._turns = turns

    async def post(self) -> None:
        reload = self._reload
        if reload is None:
            refusal = "not enabled: start vip-exporter with --web.enable-lifecycle"
            await self.send(text(refusal, status=HTTPStatus.FORBIDDEN))
        elif "Origin" in self.request.headers:
            # Only browsers send it, and no page has business here, least of all somebody else's.
            await self.send(text("not for web pages", status=HTTPStatus.FORBIDDEN))
        else:
            try:
                answer = await asyncio.wait_for(self._turns.answer((), lambda: reload_answer(reload)), RENDER_SECONDS)
            except TimeoutError:
                answer = text("reloading takes too long", status=HTTPStatus.SERVICE_UNAVAILABLE)
            await self.send(answer)


def bad_parameter(error: BadParameterError) -> Answer:
    said = {"parameter": error.parameter, "error": error.problem, "remedy": error.remedy}
    return as_json(said, status=HTTPStatus.BAD_REQUEST)
