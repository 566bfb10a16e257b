"""Where the time of one review goes: microseconds of each stage, in this process, without a socket.

`--profile` adds cProfile's table: its times are several times too long, its proportions are roughly right.
"""

from __future__ import annotations

import base64
import cProfile
import itertools
import pstats
import time
from collections.abc import Callable

import orjson

from bench import reviews
from bench.servers import Setting, arguments, machine, prepared
from webhook import review
from webhook.injector.inject import Injector
from webhook.mesh.config import Mesh
from webhook.review import AdmissionRequest, Answer


class Stages:
    """One review's way, cut into stages that can run alone. Each call takes the next of several reviews."""

    def __init__(self, setting: Setting) -> None:
        mesh = Mesh.load(setting.values.read_bytes(), setting.ca.read_bytes())
        self.injector = Injector(mesh)
        self.namespace: dict[str, str] = reviews.surroundings()[0]["metadata"]["annotations"]
        bodies = reviews.reviews(64)
        self._bodies = itertools.cycle(bodies)
        requests = [review.parse(body) for body in bodies]
        self._requests = itertools.cycle(requests)
        self._answers = itertools.cycle([self.injector.decide(request, self.namespace, OWNER) for request in requests])

    def json(self) -> object:
        """Only the JSON of the request."""
        return orjson.loads(next(self._bodies))

    def parse(self) -> AdmissionRequest:
        """The request's JSON and its checks."""
        return review.parse(next(self._bodies))

    def decide(self) -> Answer:
        """From a parsed request to a patch."""
        return self.injector.decide(next(self._requests), self.namespace, OWNER)

    def render(self) -> bytes:
        """From a patch to the answer's JSON."""
        return review.render("0" * 36, review.API_VERSIONS[0], next(self._answers))

    def whole(self) -> bytes:
        """All of it."""
        request = self.parse()
        return review.render(request.uid, request.api_version, self.injector.decide(request, self.namespace, OWNER))


OWNER = ("deployment", reviews.DEPLOYMENT)


def patch(setting: Setting, namespace: str) -> str:
    """The patch for the sample Pod in this Namespace, as an answer carries it."""
    injector = Injector(Mesh.load(setting.values.read_bytes(), setting.ca.read_bytes()))
    request = review.parse(reviews.review(0, namespace))
    annotations = reviews.surroundings()[0]["metadata"]["annotations"]
    return base64.b64encode(orjson.dumps(list(injector.decide(request, annotations, OWNER).patch or ()))).decode()


def microseconds(stage: Callable[[], object], seconds: float) -> float:
    """The best of several batches' mean: what it costs when nothing comes between."""
    best = float("inf")
    batch = 500
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        for _ in range(batch):
            stage()
        best = min(best, (time.perf_counter() - began) / batch)
    return best * 1e6


def main() -> None:
    """Print the stages, and the profile where it is asked for."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=1, help="a stage's length (default 1)")
    parser.add_argument("--profile", type=int, default=0, metavar="N", help="the N costliest functions of `decide`")
    options = parser.parse_args()
    with prepared(options) as setting:
        stages = Stages(setting)
    reviews.check_injected(stages.whole())
    print(f"{machine()}; {len(reviews.review(0))} bytes in, {len(stages.whole())} out; microseconds, best of batches")
    for stage in (stages.json, stages.parse, stages.decide, stages.render, stages.whole):
        print(f"  {stage.__name__:8}{microseconds(stage, options.seconds):8.1f}  {stage.__doc__}")
    if options.profile:
        profiler = cProfile.Profile()
        profiler.enable()
        for _ in range(5000):
            stages.whole()
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(options.profile)


if __name__ == "__main__":
    main()
