"""What the stand-ins for an API server have in common: JSON over HTTP, nothing stored, and a port that is free."""

from __future__ import annotations

import http.server
import socketserver
import sys
import threading
from multiprocessing import Queue
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each GET by `answer`, and all else as if the object did not exist."""

    protocol_version = "HTTP/1.1"

    def answer(self, path: str, query: dict[str, str]) -> None:
        """Answer a GET by `send` or `missing`."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Split the address."""
        url = urlsplit(self.path)
        self.answer(url.path, {key: values[0] for key, values in parse_qs(url.query).items()})

    def do_POST(self) -> None:
        """Read the body, so that the connection stays open, and store nothing."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.missing()

    def do_PATCH(self) -> None:
        """As POST."""
        self.do_POST()

    def missing(self) -> None:
        """Answer that there is no such object."""
        self.send(404, b'{"kind":"Status","status":"Failure","reason":"NotFound","code":404,"message":"none"}')

    def send(self, status: int, body: bytes) -> None:
        """Answer with a JSON body."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes is no error; print others, as the base class."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def serve_forever(handler: type[Handler], port: Queue[int]) -> None:
    """Serve on a free port, which is put into the queue."""
    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=port.put, args=(server.server_address[1],), daemon=True).start()
    server.serve_forever()
