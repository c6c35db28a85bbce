"""TLS before the cluster's emulator: passes bytes on, by a certificate that can change, as slowly as wanted."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from concurrent.futures import Future
from typing import Self

from tests.publish.web.certificates import Pair


class Relay:
    """A context manager; inside, it listens on loopback.

    Args:
        to: the port of the emulator, on loopback.
        pair: the certificate that it shows.
    """

    def __init__(self, to: int, pair: Pair) -> None:
        self.port = 0
        self.pause = 0.0
        """Seconds from one few bytes of an answer to the next; 0: as they come."""
        self._to = to
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.show(pair)
        self._started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="relay", daemon=True)

    def show(self, pair: Pair) -> None:
        """The next client meets this certificate."""
        self._context.load_cert_chain(pair.certificate, pair.key)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port, _, _ = self._started.result()
        return self

    def __exit__(self, *_: object) -> None:
        _, loop, stopping = self._started.result()
        loop.call_soon_threadsafe(stopping.set)
        self._thread.join()

    async def _run(self) -> None:
        stopping = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self._started.set_result((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), stopping))
        await stopping.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.CancelledError):
            answers, requests = await asyncio.open_connection("127.0.0.1", self._to)
            with contextlib.closing(requests):
                await asyncio.gather(self._pass_on(reader, requests), self._drip(answers, writer))

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.close()

    async def _drip(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(40 if self.pause else 65536):
            await asyncio.sleep(self.pause)
            sink.write(data)
            await sink.drain()
        sink.close()
