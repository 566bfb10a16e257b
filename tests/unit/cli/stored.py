"""A cluster for commands: objects by their paths, over HTTP, and a kubeconfig that leads there."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

JSON = dict[str, Any]


class Cluster:
    """`objects` by path; `lists` by path, two a page; `failures` are (method, path) -> status, `before` is called with
    both ahead of each answer; `messages` are by path, where the failure's is another. `writes` is what was changed, in
    order."""

    def __init__(self) -> None:
        self.objects: dict[str, JSON] = {}
        self.lists: dict[str, list[JSON]] = {}
        self.failures: dict[tuple[str, str], int] = {}
        self.messages: dict[str, str] = {}
        self.before: Callable[[str, str], None] = lambda method, path: None
        self.writes: list[tuple[str, str]] = []
        self.url = ""

    def put(self, path: str, body: JSON) -> None:
        """Store an object."""
        stored = copy.deepcopy(body)
        metadata = stored.setdefault("metadata", {})
        metadata["resourceVersion"] = str(int(metadata.get("resourceVersion", "0")) + 1)
        self.objects[path] = stored

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: JSON) -> tuple[int, JSON]:
        """One request."""
        self.before(method, path)
        if (method, path) in self.failures:
            status = self.failures[method, path]
            message = self.messages.get(path, f"no {method} of {path.rpartition('/')[2]} today")
            return status, {"kind": "Status", "message": message}
        if path in self.lists:
            start = int(query.get("continue", ["0"])[0])
            items = self.lists[path][start : start + 2]
            more = {"continue": str(start + 2)} if start + 2 < len(self.lists[path]) else {}
            return 200, {"metadata": more, "items": items}
        if path not in self.objects:
            return 404, {"kind": "Status", "message": "not found"}
        if method == "PUT":
            if body["metadata"].get("resourceVersion") != self.objects[path]["metadata"]["resourceVersion"]:
                return 409, {"kind": "Status", "message": "the object has been modified"}
            self.put(path, body)
        if method != "GET":
            self.writes.append((method, path))
        return 200, self.objects.pop(path) if method == "DELETE" else self.objects[path]


@contextmanager
def served(folder: Path) -> Iterator[tuple[Cluster, Path]]:
    """A cluster, and its kubeconfig."""
    cluster = Cluster()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = json.loads(body) if body else {}
            status, found = cluster.answer(self.command, url.path, parse_qs(url.query), given)
            content = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_DELETE = handle_one  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        # A command may ask for everything at once.
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    cluster.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield cluster, kubeconfig(folder, cluster.url)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def kubeconfig(folder: Path, url: str) -> Path:
    """A kubeconfig of a server, without credentials."""
    path = folder / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "test", "cluster": {"server": url}}],
                "users": [{"name": "test", "user": {}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "current-context": "test",
            }
        )
    )
    return path
