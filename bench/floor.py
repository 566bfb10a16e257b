"""The floor: a bare FastAPI route function behind the same uvicorn, uvloop, httptools and TLS as the real server.

`floor` parses the body with orjson and answers 9 kB of JSON that were serialized beforehand (on a validator's path a
bare verdict): nothing is cheaper with a route function. `noop` is the least that a webhook can do: it answers
`allowed: true` with the request's uid. `canned` answers every request with the patch in the TLS folder's file `patch`:
what an injector would cost that thinks nothing.
"""

from __future__ import annotations

import argparse
import ssl
from pathlib import Path

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response

ANSWER = orjson.dumps(
    {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "0" * 36, "allowed": True, "patchType": "JSONPatch", "patch": "A" * 8850},
    }
)
VERDICT = orjson.dumps(
    {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "0" * 36, "allowed": True},
    }
)
VALIDATORS = ("/policy-validator", "/sp-validator")
PATHS = ("/", "/proxy-injector", *VALIDATORS)


async def floor(request: Request) -> Response:
    """Parse, answer 9 kB, or a verdict where one is wanted."""
    orjson.loads(await request.body())
    return Response(VERDICT if request.url.path in VALIDATORS else ANSWER, media_type="application/json")


async def noop(request: Request) -> Response:
    """Parse, allow, change nothing."""
    review = orjson.loads(await request.body())
    response = {"uid": review["request"]["uid"], "allowed": True}
    answer = {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}
    return Response(orjson.dumps(answer), media_type="application/json")


async def canned(request: Request) -> Response:
    """Parse, allow, always the same patch."""
    review = orjson.loads(await request.body())
    patch = request.app.state.patch
    response = {"uid": review["request"]["uid"], "allowed": True, "patchType": "JSONPatch", "patch": patch}
    answer = {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}
    return Response(orjson.dumps(answer), media_type="application/json")


ROUTES = {"floor": floor, "noop": noop, "canned": canned}


def main() -> None:
    """Serve one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("route", choices=ROUTES)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls-dir", type=Path, required=True, help="folder with tls.crt and tls.key")
    options = parser.parse_args()
    app = FastAPI(openapi_url=None)
    if options.route == "canned":
        app.state.patch = (options.tls_dir / "patch").read_text()
    for path in PATHS:
        app.post(path)(ROUTES[options.route])
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=options.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        ssl_certfile=options.tls_dir / "tls.crt",
        ssl_keyfile=str(options.tls_dir / "tls.key"),
    )
    config.load()
    if config.ssl is None:
        raise SystemExit("no TLS context")
    config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
