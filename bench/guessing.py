"""Clients that try passwords, each from an address of its own, in a process of their own, for as long as it runs.

`python -m bench.guessing PORT HOW_MANY`; over TLS. Prints a line once each of them has been refused.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import ssl
import sys

PAUSE = 0.1
"""Seconds between two tries of one client."""


async def guess(port: int, address: str, context: ssl.SSLContext, refused: asyncio.Event) -> None:
    for number in itertools.count():
        with contextlib.suppress(OSError, EOFError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, local_addr=(address, 0), server_hostname="localhost"
            )
            credentials = base64.b64encode(f"operator:{address} {number}".encode()).decode()
            writer.write(f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n\r\n".encode())
            head = await reader.readline()
            if b" 401 " in head or b" 429 " in head:
                refused.set()
            writer.transport.abort()
        await asyncio.sleep(PAUSE)


async def main(port: int, how_many: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    refused = [asyncio.Event() for _ in range(how_many)]
    tasks = [
        asyncio.create_task(guess(port, f"127.0.1.{number + 1}", context, event))
        for number, event in enumerate(refused)
    ]
    await asyncio.gather(*(event.wait() for event in refused))
    print("all refused", flush=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
