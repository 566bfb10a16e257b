"""The `linkerd-proxy` container."""

from __future__ import annotations

from collections.abc import Iterable

from webhook.grammar import format_field, format_number
from webhook.injector import resources
from webhook.injector.effective import Settings
from webhook.injector.environment import Environment
from webhook.injector.fragments import Fragments, Part, Piece, Remembered, fixed, members
from webhook.injector.mesh_facts import MeshFacts, capabilities, need
from webhook.injector.names import IDENTITY, POD_INFO, PROXY, TOKEN
from webhook.injector.refusal import Refusal
from webhook.injector.settings import NATIVE, WAIT_BEFORE_EXIT
from webhook.review import JSON


def is_group(gid: int) -> bool:
    """Whether a group is set: -1 is none, and so is what no longer fits 64 bits on its way through a template."""
    return gid >= 0 and float(gid) < 2**63


class ProxyBuilder:
    """Writes the container. Whatever the settings of a Pod cannot change is written once, here."""

    def __init__(self, facts: MeshFacts, defaults: Settings) -> None:
        """`defaults` are the settings of a Pod without annotations."""
        self._facts = facts
        self._line = facts.line
        self._environment = Environment(facts)
        self._mounts = _mounts(facts)
        self._security = _security(facts)
        # What the values have, for Pods whose first container has none.
        self._capabilities = capabilities(facts.proxy.capabilities)
        self._probes = _Probes(facts)
        self._fragments = Fragments(self._parts(), defaults)

    @property
    def traces(self) -> bool:
        """Whether the proxy reports traces, and so reads the Pod's labels from a volume."""
        return self._facts.traces("rule/tracing-mount-enabled")

    def pieces(self, changed: Iterable[str]) -> list[Piece]:
        """The container as JSON, in the pieces of settings of which these fields are changed."""
        return self._fragments.pieces(changed)

    def _parts(self) -> list[Part | Remembered]:
        parts: list[Part | Remembered] = [
            fixed(b'{"env":['),
            *self._environment.parts(),
            fixed(f'],"name":"{PROXY}","terminationMessagePolicy":"FallbackToLogsOnError"'.encode()),
            members(self._facts.proxy_image),
            members(self._ports),
            members(lambda s: {"securityContext": self._security_context(s)}),
            *self._facts.volume_mounts(self._mounts),
            members(self._probes.build),
            members(self._life),
            fixed(b"}"),
        ]
        if self._facts.proxy.resources is not None:
            parts.insert(-1, resources.OF_PROXY)
        return parts

    def _ports(self, s: Settings) -> JSON:
        return {
            "ports": [
                {"containerPort": s.inbound_port, "name": PROXY},
                {"containerPort": s.admin_port, "name": "linkerd-admin"},
            ]
        }

    def _life(self, s: Settings) -> JSON:
        if s.native_sidecar:
            if s.wait_before_exit and self._line.has("rule/native-sidecar-without-wait"):
                raise Refusal(
                    f"{WAIT_BEFORE_EXIT} (or proxy.waitBeforeExitSeconds) has no place beside a native sidecar in "
                    f"{self._line.name}: remove it, or set {NATIVE[-1]} to false",
                    "wait_beside_native_sidecar",
                    annotation=WAIT_BEFORE_EXIT,
                )
            return {"restartPolicy": "Always"}
        lifecycle = self._lifecycle(s)
        return {"lifecycle": lifecycle} if lifecycle else {}

    def _security_context(self, s: Settings) -> JSON:
        if self._facts.proxy.security_context:
            return self._facts.proxy.security_context
        context = self._security.copy()
        context["runAsUser"] = format_field(s.uid)
        if is_group(s.gid) and self._line.has("field/proxy.runAsGroup"):
            context["runAsGroup"] = format_field(s.gid)
        given = s.capabilities or self._capabilities
        if given is not None:
            context["capabilities"] = {
                key: names for key, names in zip(("add", "drop"), given, strict=True) if names
            } or None
        return context

    def _lifecycle(self, s: Settings) -> JSON:
        lifecycle: JSON = {}
        if s.await_proxy:
            command = ["/usr/lib/linkerd/linkerd-await", "--timeout=2m"]
            if self._line.has("field/await.port"):
                command.append(f"--port={format_number(s.admin_port)}")
            lifecycle["postStart"] = {"exec": {"command": command}}
        if s.wait_before_exit:
            lifecycle["preStop"] = {"exec": {"command": ["/bin/sleep", format_number(s.wait_before_exit)]}}
        return lifecycle


def _mounts(facts: MeshFacts) -> list[JSON]:
    mounts: list[JSON] = [{"mountPath": "/var/run/linkerd/identity/end-entity", "name": IDENTITY}]
    if facts.traces("rule/tracing-mount-enabled"):
        mounts.append({"mountPath": "/var/run/linkerd/podinfo", "name": POD_INFO})
    if facts.token_projection:
        mounts.append({"mountPath": "/var/run/secrets/tokens", "name": TOKEN})
    return mounts


def _security(facts: MeshFacts) -> JSON:
    context: JSON = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True}
    if facts.line.has("field/proxy.runAsNonRoot"):
        context["runAsNonRoot"] = True
    if facts.line.has("field/proxy.seccompProfile"):
        context["seccompProfile"] = {"type": "RuntimeDefault"}
    return context


class _Probes:
    """Liveness, readiness and (for a native sidecar that is waited for) startup."""

    def __init__(self, facts: MeshFacts) -> None:
        self._startup = facts.proxy.startup_probe
        if facts.line.has("field/proxy.livenessProbe.timeoutSeconds"):
            live = need(facts.proxy.liveness_probe, "proxy.livenessProbe")
            ready = need(facts.proxy.readiness_probe, "proxy.readinessProbe")
            self._live: JSON = {
                "initialDelaySeconds": live.initial_delay_seconds,
                "timeoutSeconds": live.timeout_seconds,
            }
            self._ready: JSON = {
                "initialDelaySeconds": ready.initial_delay_seconds,
                "timeoutSeconds": ready.timeout_seconds,
            }
        else:
            self._live, self._ready = {"initialDelaySeconds": 10}, {"initialDelaySeconds": 2}

    def build(self, s: Settings) -> JSON:
        """The container's fields that hold the probes."""
        ready = {"path": "/ready", "port": s.admin_port}
        probes: JSON = {
            "livenessProbe": {"httpGet": {"path": "/live", "port": s.admin_port}, **self._live},
            "readinessProbe": {"httpGet": ready, **self._ready},
        }
        if s.native_sidecar and s.await_proxy:
            startup = need(self._startup, "proxy.startupProbe")
            probes["startupProbe"] = {
                "httpGet": ready,
                "initialDelaySeconds": startup.initial_delay_seconds,
                "periodSeconds": startup.period_seconds,
                "failureThreshold": startup.failure_threshold,
            }
        return probes
