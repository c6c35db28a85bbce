"""Two hundred clients that mean harm, in a process of their own: idle, slow, half-open, oversized.

`python -m bench.hostile PORT [tls]`; prints a line when all of them have connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import sys
from collections.abc import Awaitable, Callable

EACH = 50
HEAD = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
PAUSE = (0.5, 1.5)
"""Seconds before who was hung up on comes again: from, to."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def idle(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Says nothing, for ever."""
    await reader.read()


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A header that never ends, a byte at a time."""
    writer.write(HEAD + b"X-Slow: ")
    while not reader.at_eof():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def half_open(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Half a request, and then the sending side is closed; the answer is never read."""
    writer.write(HEAD)
    if writer.can_write_eof():
        writer.write_eof()
    await asyncio.sleep(3600)


async def oversized(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Headers and bodies beyond every bound."""
    choice = random.choice(
        [
            HEAD + b"X-Large: " + b"x" * 200_000 + b"\r\n\r\n",
            b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\n\r\n",
            b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 200_000,
            (HEAD + b"\r\n") * 5_000,
        ]
    )
    writer.write(choice)
    await writer.drain()
    await reader.read()


async def again_and_again(
    connect: Callable[[], Awaitable[Stream]],
    behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    connected: Callable[[], None],
) -> None:
    while True:
        with contextlib.suppress(OSError, EOFError):
            reader, writer = await connect()
            connected()
            try:
                await behave(reader, writer)
            finally:
                writer.transport.abort()
        await asyncio.sleep(random.uniform(*PAUSE))


async def main(port: int, *, tls: bool) -> None:
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

    async def secured() -> Stream:
        return await asyncio.open_connection("127.0.0.1", port, ssl=context)

    async def bare() -> Stream:
        return await asyncio.open_connection("127.0.0.1", port)

    there = 0
    everybody = asyncio.Event()

    def connected() -> None:
        nonlocal there
        there += 1
        if there >= 4 * EACH:
            everybody.set()

    # Who says nothing never begins a handshake either; of a half-open one only garbage comes.
    ways = [(idle, bare), (slow, secured), (half_open, bare), (oversized, secured)]
    tasks = [
        asyncio.create_task(again_and_again(connect, behave, connected))
        for behave, connect in ways
        for _ in range(EACH)
    ]
    await everybody.wait()
    print("all connected", flush=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), tls="tls" in sys.argv[2:]))
