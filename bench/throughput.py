"""Reviews a second over TLS, and their latency, beside a bare FastAPI route.

The servers run in turn, never at once (A B A B ...), each a fresh process under the same load; what counts is the
median of the ratios of neighbours. Goals, at 16 connections, of the floor's rate: 1.0 for Pods, 0.8 for Servers, 0.6
for ServiceProfiles of ten routes. CPU time a review is printed too: on a busy machine it is the steadier of the two.

With --lines our server runs with the values of each release line in turn, and each is held against the newest one.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bench import client, wrk
from bench.loads import LOADS, Load
from bench.servers import NAMES, OURS, Server, Setting, arguments, machine, prepared, running
from webhook.mesh.defaults import default_values
from webhook.mesh.releases import LINES

GENERATORS = {"wrk": "wrk", "python": "the built-in Python client"}


@dataclass(slots=True)
class Run:
    """One measurement: what the load generator saw, and the server's CPU time a review in microseconds."""

    seen: client.Measured
    cpu: float
    busy: float


@dataclass(frozen=True, slots=True)
class Contender:
    """A server that is measured, and what it is called in the report. `line`: with the values of that release line."""

    server: str
    label: str
    line: str = ""

    def setting(self, common: Setting) -> Setting:
        """What it is started with."""
        if not self.line:
            return common
        values = common.folder / f"values-{self.line}.yaml"
        values.write_bytes(default_values(self.line))
        return replace(common, values=values)


@dataclass(slots=True)
class Contest:
    """How to measure, and what was measured so far: by label and number of connections."""

    load: Load
    seconds: float
    generator: str
    runs: dict[tuple[str, int], list[Run]] = field(default_factory=dict)

    def measure(self, label: str, server: Server, setting: Setting, connections: int) -> None:
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
            raise SystemExit(f"{label}: {seen.errors} of {seen.requests} requests failed")
        run = Run(seen, spent / seen.requests * 1e6, spent / seen.seconds)
        self.runs.setdefault((label, connections), []).append(run)


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


def turn(contender: Contender, setting: Setting, contest: Contest, connections: list[int]) -> None:
    """Start a server, check its answers, measure it at each number of connections, stop it."""
    setting = contender.setting(setting)
    with running(contender.server, setting) as server:
        check(server, setting, contest.load)
        for count in connections:
            contest.measure(contender.label, server, setting, count)


def report(contest: Contest, labels: list[str], connections: list[int], *, against_first: bool) -> None:
    """Print medians, and the medians of the pairs' ratios: the first to each other, or each other to the first."""
    for count in connections:
        print(f"\n{count} connection{'s' if count > 1 else ''}: medians of {len(contest.runs[labels[0], count])}")
        print(f"  {'':28}{'reviews/s':>10}{'p50 ms':>8}{'p90 ms':>8}{'p99 ms':>8}{'CPU us':>8}{'busy':>6}{'bytes':>7}")
        for label in labels:
            runs = contest.runs[label, count]
            figures = [statistics.median(f(run) for run in runs) for f in COLUMNS]
            print(f"  {label:28}{figures[0]:10.0f}{figures[1]:8.2f}{figures[2]:8.2f}{figures[3]:8.2f}"
                  f"{figures[4]:8.0f}{figures[5]:6.0%}{figures[6]:7.0f}")  # fmt: skip
        if count > 1 and figures[5] < 0.9:
            print("  the servers were not busy: the load generator, or a neighbour on this machine, was the bottleneck")
        for label in labels[1:]:
            one, two = (label, labels[0]) if against_first else (labels[0], label)
            pairs = list(zip(contest.runs[one, count], contest.runs[two, count], strict=True))
            rates = [ours.seen.rate / other.seen.rate for ours, other in pairs]
            cpu = statistics.median(other.cpu / ours.cpu for ours, other in pairs)
            print(f"  {one} / {two}: {statistics.median(rates):.2f} "
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
    parser.add_argument("--lines", action="store_true", help="ours with the values of each release line, and no other")
    parser.add_argument("--client", choices=["wrk", "python"], default="wrk" if wrk.is_installed() else "python")
    options = parser.parse_args()
    contenders = _contenders(options)
    load = LOADS[options.load](max(64, options.templates), options.templates)
    contest = Contest(load, options.seconds, options.client)
    print(f"{machine()}, load from {GENERATORS[options.client]}; {options.load} reviews of "
          f"{len(load.bodies[0])} bytes, {options.templates} templates of Pods, "
          f"{options.pairs} rounds of {options.seconds:g} s")  # fmt: skip
    with prepared(options) as setting:
        for number in range(options.pairs):
            # Every other round in reverse, so that no server always has the other's wake.
            for contender in contenders if number % 2 == 0 else contenders[::-1]:
                turn(contender, setting, contest, options.connections)
    report(contest, [contender.label for contender in contenders], options.connections, against_first=options.lines)


def _contenders(options: argparse.Namespace) -> list[Contender]:
    if options.lines:
        return [Contender(OURS, name, name) for name in reversed(LINES)]
    names = [*([] if options.without_ours else [OURS]), "floor", *(["noop"] if options.noop else [])]
    return [Contender(name, NAMES[name]) for name in names]


if __name__ == "__main__":
    main()
