"""The `linkerd-init` container, which redirects the Pod's traffic to the proxy."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from webhook.grammar import format_field, format_number
from webhook.injector import resources
from webhook.injector.effective import Settings
from webhook.injector.fragments import Fragments, Part, Piece, Remembered, fixed, items, members
from webhook.injector.mesh_facts import MeshFacts, capabilities, need
from webhook.injector.names import INIT
from webhook.injector.proxy import is_group
from webhook.injector.refusal import Refusal
from webhook.injector.settings import CLOSE_WAIT
from webhook.review import JSON

# What the init program itself cannot do without, whatever the Pod drops.
NEEDED = ("NET_ADMIN", "NET_RAW")
NOBODY = 65534


class InitBuilder:
    """Writes the container; absent under CNI, where the node's plug-in does its work."""

    def __init__(self, facts: MeshFacts, defaults: Settings) -> None:
        """`defaults` are the settings of a Pod without annotations."""
        self._facts = facts
        init, self._has = facts.init, facts.line.has
        self._in_proxy_image = self._has("rule/init-in-proxy-image")
        self._head = [*_iptables(init.iptables_mode), *self._ipv6()]
        lock = need(init.xt_mount_path, "proxyInit.xtMountPath")
        self._mounts: list[JSON] = [{"mountPath": lock.mount_path, "name": lock.name}]
        self._has_proxy_resources = self._has("rule/init-has-proxy-resources")
        own = facts.proxy_resources() if self._has_proxy_resources else need(init.resources, "proxyInit.resources")
        self._resources = resources.from_values(own)
        if not self._in_proxy_image:
            need(init.image, "proxyInit.image")
        # The proxy's where the values have them, else the init container's own.
        self._given = capabilities(facts.proxy.capabilities) or capabilities(init.capabilities)
        self._fragments = Fragments(self._parts(), defaults)

    def _ipv6(self) -> list[str]:
        return ["--ipv6=false"] if self._has("flag/--ipv6") and self._facts.values.disable_ipv6 else []

    def pieces(self, changed: Iterable[str]) -> list[Piece]:
        """The container as JSON, in the pieces of settings of which these fields are changed."""
        return self._fragments.pieces(changed)

    def _parts(self) -> list[Part | Remembered]:
        command = b',"command":["/usr/lib/linkerd/linkerd2-proxy-init"]' if self._has("field/init.command") else b""
        return [
            fixed(f'{{"name":"{INIT}","terminationMessagePolicy":"FallbackToLogsOnError"'.encode() + command),
            fixed(b',"args":[' + orjson.dumps([*self._head, "--incoming-proxy-port"])[1:-1]),
            items(self._ports_and_user),
            items(self._ignored_inbound),
            items(lambda s: ["--outbound-ports-to-ignore", s.skip_outbound_ports] if s.skip_outbound_ports else []),
            items(self._close_wait),
            items(self._others),
            fixed(b"]"),
            members(self._image),
            resources.OF_PROXY if self._has_proxy_resources else members(lambda _: {"resources": self._resources}),
            members(lambda s: {"securityContext": self._security_context(s)}),
            *self._facts.volume_mounts(self._mounts),
            fixed(b"}"),
        ]

    def _image(self, s: Settings) -> JSON:
        if self._in_proxy_image:
            return self._facts.proxy_image(s)
        return {
            "image": f"{s.init_image}:{s.init_version}",
            "imagePullPolicy": s.init_pull_policy or self._facts.pull_policy or None,
        }

    def _ports_and_user(self, s: Settings) -> list[str]:
        args = [
            format_number(s.inbound_port),
            "--outgoing-proxy-port",
            format_number(s.outbound_port),
            "--proxy-uid",
            format_number(s.uid),
        ]
        if is_group(s.gid) and self._has("flag/--proxy-gid"):
            args += ["--proxy-gid", format_number(s.gid)]
        return args

    def _ignored_inbound(self, s: Settings) -> list[str]:
        ignored = f"{format_number(s.control_port)},{format_number(s.admin_port)}"
        if s.skip_inbound_ports:
            ignored += f",{s.skip_inbound_ports}"
        return ["--inbound-ports-to-ignore", ignored]

    def _close_wait(self, s: Settings) -> list[str]:
        if not s.close_wait_seconds:
            return []
        if not self._facts.init.run_as_root and self._has("rule/close-wait-needs-root"):
            raise Refusal(
                f"{CLOSE_WAIT} (or proxyInit.closeWaitTimeoutSecs) needs proxyInit.runAsRoot: set that to true in the "
                "values, or remove the timeout",
                "close_wait_needs_root",
                annotation=CLOSE_WAIT,
            )
        return ["--timeout-close-wait-secs", format_number(s.close_wait_seconds)]

    def _others(self, s: Settings) -> list[str]:
        init, args = self._facts.init, []
        for flag, value in (
            ("--log-format", init.log_format),
            ("--log-level", init.log_level),
            ("--subnets-to-ignore", s.skip_subnets),
        ):
            if value and self._facts.line.knows(f"flag/{flag}"):
                args += [flag, value]
        return args

    def _security_context(self, s: Settings) -> JSON:
        init = self._facts.init
        privileged = bool(s.close_wait_seconds or init.privileged)
        root, escalates = init.run_as_root, privileged
        if not self._has("rule/privileged-by-value"):
            root = escalates = bool(s.close_wait_seconds or init.run_as_root)
        context: JSON = {
            "allowPrivilegeEscalation": escalates,
            "capabilities": self._capabilities(s.capabilities or self._given),
            "privileged": privileged,
            "runAsNonRoot": not root,
            "runAsUser": 0 if root else self._user(init.run_as_user),
            "readOnlyRootFilesystem": True,
        }
        if self._has("field/init.runAsGroup"):
            context["runAsGroup"] = 0 if root else not_root(init.run_as_group)
        if self._has("field/init.seccompProfile"):
            context["seccompProfile"] = {"type": "RuntimeDefault"}
        return context

    def _user(self, uid: int) -> int:
        return not_root(uid) if self._has("rule/init-never-user-0") else format_field(uid)

    def _capabilities(self, given: tuple[tuple[str, ...], tuple[str, ...]] | None) -> JSON:
        """The Pod's, but what the init program needs is never dropped."""
        added, dropped = given or ((), ())
        out: JSON = {"add": [*NEEDED, *added]}
        drop = [name for name in dropped if name not in NEEDED]
        if drop:
            out["drop"] = drop
        return out


def not_root(identifier: int) -> int:
    """A uid or gid, and nobody's in place of root's."""
    return format_field(identifier) if identifier else NOBODY


def _iptables(mode: str) -> list[str]:
    if mode == "nft":
        return ["--firewall-bin-path", "iptables-nft", "--firewall-save-bin-path", "iptables-nft-save"]
    if mode == "legacy":
        return []
    raise Refusal(
        f'values: proxyInit.iptablesMode is "{mode[:40]}", and must be nft or legacy: set it with `linkerd upgrade`',
        "unknown_iptables_mode",
        code=500,
    )
