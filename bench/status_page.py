"""What the status page costs: a page, the list of 20,000 Pods, and admission beside many readers.

The API server is a stand-in, which lists 200 Namespaces and 20,000 Pods as a real one does, 500 at a time. It, the
readers and the load are on the machine of the server, which has a CPU to itself; the load has precedence on the others.
What they still take from each other is seen in a control: as many readers of /live, and the same list of Pods, which
their process throws away. A machine's speed changes from one second to the next: loads with readers and without take
turns, and are compared in pairs.

Goals: a page with 200 Namespaces within 50 ms without listing any Pods; the list of Pods within 4 s, with at most 15
MiB more resident memory, all of which is given back; and the 99th percentile of a full admission load at most 10 %
higher beside a thousand reloads a minute.
"""

from __future__ import annotations

import asyncio
import gzip
import http.client
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cache
from multiprocessing import Event, Process, Queue
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from bench import client, reviews, standin, wrk
from bench.check import kubeconfig_of
from bench.loads import Load, pods
from bench.memory import settled
from bench.servers import OURS, Server, Setting, arguments, machine, prepared, running, stay_apart
from bench.throughput import check, posts
from webhook.injector.names import CONTROL_PLANE, PROXY_VERSION, TRUST_ROOT
from webhook.statuspage.podlist import KEPT

JSON = dict[str, Any]

NAMESPACES: Final = 200
PODS: Final = 20_000
PAGE: Final = 500
CONNECTIONS: Final = 16
RELOADS_A_MINUTE: Final = 1000
# Of so many readers, as each waits for its answer.
READERS: Final = 60
# The niceness of what has no precedence.
_LAST: Final = 19


class Seen(NamedTuple):
    """The 99th percentile of a load in milliseconds, and the server's CPU time a review in microseconds."""

    p99: float
    cpu: float


@cache
def page(first: int) -> bytes:
    """A page of the list of Pods, metadata alone."""
    following = str(first + PAGE) if first + PAGE < PODS else ""
    items = [_pod(number) for number in range(first, min(first + PAGE, PODS))]
    return orjson.dumps({"kind": "List", "metadata": {"resourceVersion": "1", "continue": following}, "items": items})


def _pod(number: int) -> JSON:
    """Two of three are meshed. The rest is as long as it is in the wild: managedFields are most of a Pod's metadata."""
    labels = {"app": f"web-{number % 7}", "pod-template-hash": "5c9d8f7b6d"}
    annotations = {}
    if number % 3:
        labels[CONTROL_PLANE] = "linkerd"
        annotations = {PROXY_VERSION: "edge-26.8.3", TRUST_ROOT: "0" * 64, "linkerd.io/created-by": "linkerd/proxy"}
    fields: JSON = {"f:metadata": {f"f:field-{one}": {"f:of": {}, "f:some": {}, "f:length": {}} for one in range(40)}}
    metadata = {
        "name": f"web-5c9d8f7b6d-{number:05}",
        "namespace": _namespace(number % NAMESPACES),
        "uid": f"{number:08}-0000-4000-8000-000000000000",
        "resourceVersion": str(number),
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": labels,
        "annotations": annotations,
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5c9d8f7b6d", "uid": "1"}],
        "managedFields": [{"manager": "kubelet", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields}],
    }
    return {"metadata": metadata}


def _namespace(number: int) -> str:
    """One of them is that of the load."""
    return f"ns-{number:04}" if number else reviews.NAMESPACE


def serve(port: Queue[int]) -> None:
    """Be the API server; its port is put into the queue."""
    os.nice(_LAST)
    for first in range(0, PODS, PAGE):
        page(first)
    namespaces = [
        {"metadata": {"name": _namespace(number), "annotations": {"linkerd.io/inject": "enabled"}}}
        for number in range(NAMESPACES)
    ]
    owners = {
        f"/apis/apps/v1/namespaces/{reviews.NAMESPACE}/replicasets/{body['metadata']['name']}": orjson.dumps(body)
        for body in reviews.cluster_of()
        if body["kind"] == "ReplicaSet"
    }
    listed = orjson.dumps({"kind": "List", "metadata": {"resourceVersion": "1"}, "items": namespaces})

    class Handler(standin.Handler):
        def answer(self, path: str, query: dict[str, str]) -> None:
            if "watch" in query:
                # Nothing ever happens.
                self.send_response(200)
                self.end_headers()
                self.wfile.flush()
                threading.Event().wait(600)
                self.close_connection = True
            elif path == "/api/v1/namespaces":
                self.send(200, listed)
            elif path in owners:
                self.send(200, owners[path])
            elif path == "/api/v1/pods":
                self.send(200, page(int(query.get("continue", "0"))))
            else:
                self.missing()

    standin.serve_forever(Handler, port)


@contextmanager
def api_server() -> Iterator[tuple[int, int]]:
    """The stand-in as a process; its port, and the ID of the process."""
    port: Queue[int] = Queue()
    process = Process(target=serve, args=(port,), daemon=True)
    process.start()
    assert process.pid is not None
    yield port.get(timeout=60), process.pid
    process.terminate()


def get(port: int, path: str) -> tuple[float, bytes]:
    """Seconds until the answer is there, and its body. As browsers do, it takes gzip."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    began = time.perf_counter()
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    seconds = time.perf_counter() - began
    if answer.getheader("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path}: HTTP {answer.status}: {body[:500].decode(errors='replace')}")
    return seconds, body


def pages(server: Server, tries: int) -> None:
    """A page with all Namespaces, and 500 decisions, for which the Pods were listed a moment ago."""
    get(server.admin_port, "/status.json")
    get(server.admin_port, "/")
    times, before = [], server.cpu_seconds()
    for number in range(tries):
        # Another page each time: the same one would not be made anew within a second.
        seconds, body = get(server.admin_port, f"/?refresh={number + 2}")
        times.append(seconds * 1000)
    if body.count(b'<tr id="namespace-') != NAMESPACES:
        raise SystemExit(f"the page does not have {NAMESPACES} Namespaces")
    spent = (server.cpu_seconds() - before) * 1000 / tries
    print(f"a page of {len(body) / 1024:.0f} KiB: median {statistics.median(times):.1f} ms, "
          f"slowest {max(times):.1f} ms, {spent:.1f} ms of CPU time")  # fmt: skip
    judge("a page", statistics.median(times), 50, "ms")


def listing(server: Server, rounds: int) -> None:
    """The list of Pods, from the first page to the last, and what it leaves behind."""
    get(server.admin_port, "/status.json")
    time.sleep(KEPT)
    before = settled(server)
    times, most = [], 0.0
    for _ in range(rounds):
        time.sleep(KEPT)
        with peak(server) as seen:
            seconds, body = get(server.admin_port, "/status.json")
        mesh = orjson.loads(body)["mesh"]
        if not mesh["complete"] or mesh["pods"] != PODS:
            raise SystemExit(f"{mesh['pods']} of {PODS} Pods were counted: {mesh['problem']}")
        times.append(seconds)
        most = max(most, seen[0])
    after = settled(server)
    print(f"{PODS:,} Pods: median {statistics.median(times):.2f} s; {before:.1f} MiB before, "
          f"{most:.1f} MiB at most, {after:.1f} MiB afterwards")  # fmt: skip
    judge("the list", statistics.median(times), 4, "s")
    judge("more meanwhile", most - before, 15, "MiB")
    judge("more afterwards", after - before, 1, "MiB")


@contextmanager
def peak(server: Server) -> Iterator[list[float]]:
    """The most resident MiB within the block, looked at every few milliseconds."""
    seen, stop = [0.0], threading.Event()

    def look() -> None:
        while not stop.wait(0.005):
            seen[0] = max(seen[0], server.resident_mib())

    thread = threading.Thread(target=look)
    thread.start()
    yield seen
    stop.set()
    thread.join()


def beside(server: Server, setting: Setting, load: Load, seconds: float) -> Seen:
    """What a full admission load sees, and what it costs."""
    target = server.target(setting)
    before = server.cpu_seconds()
    if wrk.is_installed():
        seen = wrk.load(f"https://127.0.0.1:{server.port}{load.path}", load.bodies, CONNECTIONS, seconds)
    else:
        seen = client.load(target, posts(target, load), CONNECTIONS, seconds)
    if seen.errors:
        raise SystemExit(f"{seen.errors} of {seen.requests} reviews failed")
    return Seen(seen.p99, (server.cpu_seconds() - before) / seen.requests * 1e6)


class Readers(NamedTuple):
    """Who reads beside a load: a path of the admin port, and, where `api` is a port, all Pods of the stand-in there."""

    path: str
    api: int = 0


NOBODY: Final = Readers("")


def read_often(port: int, readers: Readers, stop: Any, done: Queue[int]) -> None:
    """Be readers who load a thousand times a minute, each on a connection that stays, as it does behind a forwarded
    port. An answer is not unpacked: that would take the machine from the server and its load."""
    target = client.Target("127.0.0.1", port, None, (("Accept-Encoding", "gzip"),))
    request, interval, loads = target.request("GET", readers.path), 60 * READERS / RELOADS_A_MINUTE, 0

    async def read(number: int) -> None:
        nonlocal loads
        connection = await target.connect()
        following = time.monotonic() + interval * number / READERS
        while True:
            await asyncio.sleep(following - time.monotonic())
            if stop.is_set():
                return
            status, _ = await connection.send(request)
            if status != 200:
                raise SystemExit(f"{readers.path}: HTTP {status}")
            loads += 1
            following += interval

    async def all_of_them() -> None:
        lists = asyncio.create_task(_list_often(readers.api)) if readers.api else None
        await asyncio.gather(*(read(number) for number in range(READERS)))
        if lists is not None:
            lists.cancel()

    os.nice(_LAST)
    asyncio.run(all_of_them())
    done.put(loads)


async def _list_often(port: int) -> None:
    """Read all Pods as often as the server does, page by page, and do nothing with them."""
    target = client.Target("127.0.0.1", port, None)
    connection = await target.connect()
    while True:
        began = time.monotonic()
        for first in range(0, PODS, PAGE):
            await connection.send(target.request("GET", f"/api/v1/pods?limit={PAGE}&continue={first}"))
        await asyncio.sleep(KEPT - (time.monotonic() - began))


@contextmanager
def reloads(server: Server, readers: Readers) -> Iterator[list[int]]:
    """Readers, within the block; at its end, how often they loaded the page. They are a process of their own: beside
    the load's own threads they would slow that down."""
    loads: list[int] = []
    stop = Event()
    done: Queue[int] = Queue()
    reader = Process(target=read_often, args=(server.admin_port, readers, stop, done), daemon=True)
    reader.start()
    yield loads
    stop.set()
    loads.append(done.get(timeout=60))
    reader.join()


def admission(server: Server, setting: Setting, api: int, rounds: int, seconds: float) -> None:
    """The load without readers, beside readers of the page, and beside those of the control. Every other round goes
    backwards."""
    load = pods(64, 8)
    check(server, setting, load)
    page, control = Readers("/"), Readers("/live", api)
    seen: dict[Readers, list[Seen]] = {NOBODY: [], page: [], control: []}
    taken = []
    for number in range(rounds):
        for readers in list(seen) if number % 2 == 0 else list(reversed(seen)):
            with reloads(server, readers) if readers.path else nullcontext([0]) as loads:
                seen[readers].append(beside(server, setting, load, seconds))
            if readers is page:
                taken.append(loads[0] / seconds * 60)
    alone, paged, controlled = seen.values()
    print(f"p99 {statistics.median(one.p99 for one in alone):.2f} ms without readers; beside "
          f"{statistics.median(taken):.0f} reloads a minute {ratio(paged, alone)} of that, beside the control "
          f"{ratio(controlled, alone)}; reloads to control {ratio(paged, controlled)}")  # fmt: skip
    cpu = [statistics.median(one.cpu for one in all_of) for all_of in seen.values()]
    print(f"CPU time a review: {cpu[0]:.0f} µs without readers, {cpu[1]:.0f} beside those of the page, "
          f"{cpu[2]:.0f} beside the control")  # fmt: skip
    ratios = [one.p99 / other.p99 for one, other in zip(paged, alone, strict=True)]
    judge("p99 beside readers", statistics.median(ratios), 1.10, "of p99 without")


def ratio(some: list[Seen], others: list[Seen]) -> str:
    """How their 99th percentiles compare, round by round."""
    ratios = [one.p99 / other.p99 for one, other in zip(some, others, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def judge(what: str, value: float, goal: float, unit: str) -> None:
    """Print a figure beside its goal."""
    print(f"  {what}: {value:.2f} {unit}, goal {goal:g}: {'met' if value <= goal else 'MISSED'}", flush=True)


def main() -> None:
    """Measure each part, on one server."""
    parser = arguments(__doc__)
    parser.add_argument("--tries", type=int, default=30, help="loads of the page (default 30)")
    parser.add_argument("--rounds", type=int, default=3, help="lists of all Pods (default 3)")
    parser.add_argument("--loads", type=int, default=11, help="rounds of admission loads (default 11)")
    parser.add_argument(
        "--seconds", type=float, default=KEPT, help="an admission load's length (default: as long as a count is kept)"
    )
    options = parser.parse_args()
    print(machine())
    with prepared(options) as setting, api_server() as (api, process), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kubeconfig"
        file.write_text(kubeconfig_of(f"http://127.0.0.1:{api}"))
        setting = replace(
            setting, cluster=("--kubeconfig", str(file)), serve=(*setting.serve, "--status-page", "--no-events")
        )
        with running(OURS, setting) as server:
            stay_apart(server, process)
            listing(server, options.rounds)
            beside(server, setting, pods(64, 8), 1.0)
            pages(server, options.tries)
            admission(server, setting, api, options.loads, options.seconds)


if __name__ == "__main__":
    main()
