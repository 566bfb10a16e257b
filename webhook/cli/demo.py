"""`linkerd-webhook demo`: runs the server with built-in settings, and shows its answers for three sample Pods."""

from __future__ import annotations

import asyncio
import base64
import http.client
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import jsonpatch
import orjson

from certs.issue import issue_ca, issue_leaf
from webhook.cli import samples
from webhook.cli.console import CommandError, colours
from webhook.mesh.defaults import default_trust_anchors, default_values
from webhook.server import log as logs
from webhook.server.options import Options, StartError
from webhook.server.program import ListeningPorts, run
from webhook.server.run import Times

JSON = dict[str, Any]


@click.command()
@click.option("--addr", default="127.0.0.1:8443", show_default=True, help="Address to serve HTTPS on.")
@click.option(
    "--admin-addr", default="127.0.0.1:9995", show_default=True, help="Address to serve metrics and probes on."
)
@click.option("--once", is_flag=True, help="End after the samples.")
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)
def demo(addr: str, admin_addr: str, once: bool, output: str) -> None:
    """Serve with Linkerd's default values, a sample cluster and a new certificate, and show the answers for three
    sample Pods. The server runs until Ctrl-C.

    Exit code: 0 ended by Ctrl-C, or with --once, 2 a flag is wrong, a port is taken, or no temporary file can be
    written.
    """
    with _folder() as name:
        options = _options(Path(name), addr, admin_addr)
        writer = logs.configure("warn", "plain")
        ca = Path(name) / "ca.crt"

        async def started(ports: ListeningPorts, stop: asyncio.Event) -> None:
            await asyncio.to_thread(_post_all, ports, ca, as_json=output == "json")
            if once:
                stop.set()
                return
            click.echo(
                f"\nServing on https://127.0.0.1:{ports.admission} (status page: http://127.0.0.1:{ports.admin}/)."
            )
            click.echo("Ctrl-C ends it.")

        try:
            run(options, writer, then=started)
        except StartError as error:
            raise CommandError(str(error)) from None


def _folder() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder for the files that Linkerd's Deployments mount."""
    try:
        return tempfile.TemporaryDirectory(prefix="linkerd-webhook-")
    except OSError as error:
        raise CommandError(
            f"no folder for temporary files can be written to ({error.strerror or error}): set TMPDIR to one that can, "
            "such as TMPDIR=/dev/shm in a container"
        ) from None


def _options(folder: Path, addr: str, admin_addr: str) -> Options:
    """Write the files that Linkerd's Deployments mount into the folder; returns the server's options."""
    authority = issue_ca("linkerd-webhook demo")
    leaf = issue_leaf(authority, ["localhost", "127.0.0.1"])
    for name, content in (
        ("ca.crt", authority.certificate),
        ("tls.crt", leaf.certificate),
        ("tls.key", leaf.key),
        ("values", default_values()),
        ("ca-bundle.crt", default_trust_anchors()),
    ):
        (folder / name).write_bytes(content)
    return Options(
        addr=addr,
        admin_addr=admin_addr,
        tls_dir=folder,
        values=folder / "values",
        trust_anchors=folder / "ca-bundle.crt",
        manifests=[samples.cluster()],
        times=Times(shutdown_delay=0.0),
    )


def _post_all(ports: ListeningPorts, ca: Path, *, as_json: bool) -> None:
    for path in samples.reviews():
        body = path.read_bytes()
        connection = http.client.HTTPSConnection(
            "127.0.0.1", ports.admission, timeout=10, context=ssl.create_default_context(cafile=str(ca))
        )
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        answer = connection.getresponse().read()
        connection.close()
        request, response = orjson.loads(body)["request"], orjson.loads(answer)["response"]
        if as_json:
            click.echo(orjson.dumps(summary(path.name, request, response)).decode())
        else:
            click.echo(describe(path.name, request, response), color=colours(sys.stdout))
    sys.stdout.flush()


def summary(title: str, request: JSON, response: JSON) -> JSON:
    """The decision about a Pod, its reason and the patch, for programs."""
    audit = response.get("auditAnnotations", {})
    return {
        "sample": title,
        "namespace": request["namespace"],
        "decision": audit.get("decision", "denied"),
        "reason": audit.get("reason") or response.get("status", {}).get("message", ""),
        "warnings": list(response.get("warnings", ())),
        "patch": orjson.loads(base64.b64decode(response["patch"])) if response.get("patch") else [],
    }


def describe(title: str, request: JSON, response: JSON) -> str:
    """The decision about a Pod, its reason and what the patch adds, as text for a terminal."""
    before = request["object"]
    metadata = before["metadata"]
    name = metadata.get("name") or f"{metadata['generateName']}…"
    audit = response.get("auditAnnotations", {})
    lines = [
        "",
        click.style(f"{title}: Pod {request['namespace']}/{name}", bold=True),
        f"  {audit.get('decision', 'denied')}: {audit.get('reason') or response.get('status', {}).get('message', '')}",
    ]
    if response.get("patch"):
        after = jsonpatch.apply_patch(before, orjson.loads(base64.b64decode(response["patch"])))
        lines += _added(before, after)
    if "settings" in audit:
        lines.append(f"  settings    {audit['settings']}")
    lines += [click.style(f"  Warning: {warning}", fg="yellow") for warning in response.get("warnings", ())]
    return "\n".join(lines)


def _added(before: JSON, after: JSON) -> list[str]:
    lines = []
    for key, title in (("initContainers", "init"), ("containers", "container")):
        names = {container["name"] for container in before["spec"].get(key) or ()}
        for container in after["spec"].get(key) or ():
            if container["name"] not in names:
                kind = "sidecar" if container.get("restartPolicy") == "Always" else title
                lines.append(f"  + {kind:<11}{container['name']}  ({container['image']})")
    for key in ("labels", "annotations"):
        present = before["metadata"].get(key) or {}
        for name, value in (after["metadata"].get(key) or {}).items():
            if name not in present:
                lines.append(f"  + {key[:-1]:<11}{name}: {value[:48]}")
    return lines
