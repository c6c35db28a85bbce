"""The emulator's HTTP: reads requests, lets `KubeAPI` decide, and writes what it decided."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from exporter.lab.kubeapi.words import Fault, Flaw, Json, RefusedError, understand

if TYPE_CHECKING:
    from exporter.lab.kubeapi.api import KubeAPI


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    """A client opens a connection for each of its watches, all at once."""

    def __init__(self, api: KubeAPI, address: str, port: int) -> None:
        self.api = api
        self.connections: set[socket.socket] = set()
        super().__init__((address, port), Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves in the middle of an answer is nothing to report; anything else is."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def disconnect(self) -> None:
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Connection(BaseHTTPRequestHandler):
    """One client's connection: reads requests, lets `KubeAPI` decide, and writes what it decided."""

    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet: the lab prints its own timeline."""

    def do_GET(self) -> None:
        api = self.server.api
        try:
            request = understand(self.path)
            api.requests.append(request)
            fault = api.take_fault(request)
            if fault is not None and self._suffer(fault):
                return
            api.authorize(self.headers.get("Authorization", ""), request)
            if request.verb == "watch":
                api.stream_changes(request, self)
            else:
                self._answer(200, api.get_object(request) if request.verb == "get" else api.list_objects(request))
        except RefusedError as refusal:
            self._answer(refusal.status["code"], refusal.status)

    def _refuse_write(self) -> None:
        self.server.api.writes.append(f"{self.command} {self.path}")
        # A body left unread would reset the connection under the answer.
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(405, RefusedError(405, "MethodNotAllowed", "nobody may write here").status)

    do_POST = do_PUT = do_PATCH = do_DELETE = _refuse_write  # noqa: N815 - http.server looks for these names

    def _suffer(self, fault: Fault) -> bool:
        """Let the fault happen; False: answer rightly after all."""
        match fault.flaw:
            case Flaw.STATUS:
                raise RefusedError(fault.status, "Injected", "injected by the lab")
            case Flaw.RESET:
                self.reset()
            case Flaw.SILENT:
                self.server.api.wait_until_healed(fault)
                self.reset()
            case Flaw.SLOW:
                time.sleep(fault.seconds)
                return False
            case Flaw.RAW:
                self.begin_stream()
                self.send_chunk(fault.body)
                self.end_stream()
        return True

    def _answer(self, code: int, body: Json) -> None:
        payload = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_chunk(self, data: bytes) -> None:
        if data:  # an empty chunk is the end
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def is_abandoned(self) -> bool:
        """The client has closed its end; without this, a quiet watch would notice with its next line only."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Before the server's own orderly shutdown can send a FIN.
        os.close(self.connection.detach())
