"""Where the time of one review goes: microseconds up to each stage, in this process, without a socket.

Every figure includes the stages before it: objects are decoded, and patches written, only once somebody needs them, so
that a stage alone would be measured without its work. Twice: for Pods of a few templates, which the injector remembers,
and of more than it remembers. `--profile` adds cProfile's table: its times are several times too long, its proportions
are roughly right.
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
from webhook.injector.subject import read
from webhook.kube.objects import Namespace
from webhook.mesh.config import Mesh
from webhook.review import AdmissionRequest, Answer


class Stages:
    """One review's way, up to each of its stages. Each call takes the next of several reviews."""

    def __init__(self, setting: Setting, templates: int) -> None:
        self.injector = Injector(Mesh.load(setting.values.read_bytes(), setting.ca.read_bytes()))
        self.namespace = namespace_of_pods()
        self._bodies = itertools.cycle(reviews.reviews(max(64, templates), templates=templates))

    def json(self) -> object:
        """All of the request's JSON with orjson, to compare with: the floor does this and no more."""
        return orjson.loads(next(self._bodies))

    def parse(self) -> AdmissionRequest:
        """The review, and its checks."""
        return review.parse(next(self._bodies))

    def decide(self) -> Answer:
        """To what is injected."""
        return self._decide(self.parse())

    def whole(self) -> bytes:
        """To the answer's JSON."""
        request = self.parse()
        return review.render(request.uid, request.api_version, self._decide(request))

    def _decide(self, request: AdmissionRequest) -> Answer:
        return self.injector.decide(read(request), self.namespace, OWNER)


OWNER = ("deployment", reviews.DEPLOYMENT)
# Fewer and more than the injector remembers.
FEW, MANY = 8, 1024


def patch(setting: Setting, namespace: str) -> str:
    """The patch for the sample Pod in this Namespace, as an answer carries it."""
    injector = Injector(Mesh.load(setting.values.read_bytes(), setting.ca.read_bytes()))
    request = review.parse(reviews.review(0, namespace))
    patch = injector.decide(read(request), namespace_of_pods(), OWNER).patch
    return base64.b64encode(orjson.dumps(list(patch or ()))).decode()


def namespace_of_pods() -> Namespace:
    """The Namespace that the sample Pods are in."""
    metadata = reviews.cluster_of()[0]["metadata"]
    return Namespace(metadata["name"], metadata["annotations"], {})


def microseconds(stage: Callable[[], object], seconds: float) -> float:
    """The best of several batches' mean: what it costs when nothing comes between."""
    best = float("inf")
    batch = 1024  # every template
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
    parser.add_argument("--profile", type=int, default=0, metavar="N", help="the N costliest functions")
    options = parser.parse_args()
    print(f"{machine()}; {len(reviews.review(0))} bytes; microseconds, the best of batches")
    with prepared(options) as setting:
        for templates in (FEW, MANY):
            stages = Stages(setting, templates)
            reviews.check_injected(stages.whole())
            print(f"{templates} templates")
            for stage in (stages.json, stages.parse, stages.decide, stages.whole):
                print(f"  {stage.__name__:8}{microseconds(stage, options.seconds):8.1f}  {stage.__doc__}")
            if options.profile:
                profile(stages, options.profile)


def profile(stages: Stages, count: int) -> None:
    """Print the functions that take the most time of their own."""
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(5000):
        stages.whole()
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(count)


if __name__ == "__main__":
    main()
