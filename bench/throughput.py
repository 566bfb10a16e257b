"""Reviews a second over TLS, and their latency, beside a bare FastAPI route.

The servers run in turn, never at once (A B A B ...), each a fresh process under the same load; what counts is the
median of the ratios of neighbours. Goals, at 16 connections, of the floor's rate: 1.0 for Pods, 0.8 for Servers, 0.6
for ServiceProfiles of ten routes. CPU time a review is printed too: on a busy machine it is the steadier of the two.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from bench import client, wrk
from bench.loads import LOADS, Load
from bench.servers import NAMES, OURS, Server, Setting, arguments, machine, prepared, running

GENERATORS = {"wrk": "wrk", "python": "the built-in Python client"}


@dataclass(slots=True)
class Run:
    """One measurement: what the load generator saw, and the server's CPU time a review in microseconds."""

    seen: client.Measured
    cpu: float
    busy: float


@dataclass(slots=True)
class Contest:
    """How to measure, and what was measured so far: by server and number of connections."""

    load: Load
    seconds: float
    generator: str
    runs: dict[tuple[str, int], list[Run]] = field(default_factory=dict)

    def measure(self, server: Server, setting: Setting, connections: int) -> None:
        """One measurement of one server."""
        before = server.cpu_seconds()
        if self.generator == "wrk":
            url = f"https://127.0.0.1:{server.port}{self.load.path}"
            seen = wrk.load(url, self.load.bodies, connections, self.seconds)
        else:
            target = server.target(setting)
            seen = client.load(target, posts(target, self.load), connections, self.seconds)
        spent = server.cpu_seconds() - before
        if seen.errors or not seen.requests:
            raise SystemExit(f"{NAMES[server.name]}: {seen.errors} of {seen.requests} requests failed")
        run = Run(seen, spent / seen.requests * 1e6, spent / seen.seconds)
        self.runs.setdefault((server.name, connections), []).append(run)


def posts(target: client.Target, load: Load) -> list[bytes]:
    """The whole requests."""
    return [target.request("POST", load.path, body) for body in load.bodies]


def check(server: Server, setting: Setting, load: Load) -> None:
    """Post every body once (which warms up, too); our server must have answered each of them rightly."""
    target = server.target(setting)
    for status, answer in client.answers(target, posts(target, load)):
        if status != 200:
            raise SystemExit(f"{NAMES[server.name]}: HTTP {status}: {answer[:500].decode(errors='replace')}")
        if server.name == OURS:
            try:
                load.check(answer)
            except ValueError as error:
                raise SystemExit(f"{NAMES[OURS]}: {error}") from None


def turn(name: str, setting: Setting, contest: Contest, connections: list[int]) -> None:
    """Start a server, check its answers, measure it at each number of connections, stop it."""
    with running(name, setting) as server:
        check(server, setting, contest.load)
        for count in connections:
            contest.measure(server, setting, count)


def report(contest: Contest, names: list[str], connections: list[int]) -> None:
    """Print medians, and the medians of the pairs' ratios."""
    for count in connections:
        print(f"\n{count} connection{'s' if count > 1 else ''}: medians of {len(contest.runs[names[0], count])}")
        print(f"  {'':28}{'reviews/s':>10}{'p50 ms':>8}{'p90 ms':>8}{'p99 ms':>8}{'CPU us':>8}{'busy':>6}{'bytes':>7}")
        for name in names:
            runs = contest.runs[name, count]
            figures = [statistics.median(f(run) for run in runs) for f in COLUMNS]
            print(f"  {NAMES[name]:28}{figures[0]:10.0f}{figures[1]:8.2f}{figures[2]:8.2f}{figures[3]:8.2f}"
                  f"{figures[4]:8.0f}{figures[5]:6.0%}{figures[6]:7.0f}")  # fmt: skip
        if count > 1 and figures[5] < 0.9:
            print("  the servers were not busy: the load generator, or a neighbour on this machine, was the bottleneck")
        for name in names[1:]:
            pairs = list(zip(contest.runs[names[0], count], contest.runs[name, count], strict=True))
            rates = [ours.seen.rate / other.seen.rate for ours, other in pairs]
            cpu = statistics.median(other.cpu / ours.cpu for ours, other in pairs)
            print(f"  {NAMES[names[0]]} / {NAMES[name]}: {statistics.median(rates):.2f} "
                  f"({min(rates):.2f} to {max(rates):.2f}); by CPU time {cpu:.2f}")  # fmt: skip


COLUMNS: tuple[Callable[[Run], float], ...] = (
    lambda run: run.seen.rate,
    lambda run: run.seen.p50,
    lambda run: run.seen.p90,
    lambda run: run.seen.p99,
    lambda run: run.cpu,
    lambda run: run.busy,
    lambda run: run.seen.bytes_each,
)


def main() -> None:
    """Run the contest."""
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--seconds", type=float, default=3, help="a measurement's length (default 3)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16])
    parser.add_argument(
        "--templates", type=int, default=8, help="how many different injections (default 8; 1024: none is remembered)"
    )
    parser.add_argument("--load", choices=LOADS, default="pod", help="what is reviewed (default pod)")
    parser.add_argument("--noop", action="store_true", help="a do-nothing webhook on a FastAPI route as a third")
    parser.add_argument("--without-ours", action="store_true", help="the floor servers alone")
    parser.add_argument("--client", choices=["wrk", "python"], default="wrk" if wrk.found() else "python")
    options = parser.parse_args()
    names = [*([] if options.without_ours else [OURS]), "floor", *(["noop"] if options.noop else [])]
    load = LOADS[options.load](max(64, options.templates), options.templates)
    contest = Contest(load, options.seconds, options.client)
    print(f"{machine()}, load from {GENERATORS[options.client]}; {options.load} reviews of "
          f"{len(load.bodies[0])} bytes, {options.templates} templates of Pods, "
          f"{options.pairs} rounds of {options.seconds:g} s")  # fmt: skip
    with prepared(options) as setting:
        for number in range(options.pairs):
            # Every other round in reverse, so that no server always has the other's wake.
            for name in names if number % 2 == 0 else names[::-1]:
                turn(name, setting, contest, options.connections)
    report(contest, names, options.connections)


if __name__ == "__main__":
    main()
