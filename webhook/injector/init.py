"""The `linkerd-init` container, which redirects the Pod's traffic to the proxy."""

from __future__ import annotations

from webhook.grammar import format_field, format_number
from webhook.injector import resources
from webhook.injector.effective import Settings
from webhook.injector.mesh_facts import MeshFacts, need
from webhook.injector.proxy import is_group
from webhook.injector.refusal import Refusal
from webhook.injector.settings import CLOSE_WAIT
from webhook.review import JSON

NAME = "linkerd-init"
XTABLES = "linkerd-proxy-init-xtables-lock"

# What the init program itself cannot do without, whatever the Pod drops.
NEEDED = ("NET_ADMIN", "NET_RAW")
NOBODY = 65534


class InitBuilder:
    """Builds the container; absent under CNI, where the node's plug-in does its work."""

    def __init__(self, facts: MeshFacts) -> None:
        self._facts = facts
        init, self._has = facts.init, facts.line.has
        self._in_proxy_image = self._has("rule/init-in-proxy-image")
        self._head = [*_iptables(init.iptables_mode), *self._ipv6()]
        lock = need(init.xt_mount_path, "proxyInit.xtMountPath")
        self._mounts: list[JSON] = [{"mountPath": lock.mount_path, "name": lock.name}]
        own = facts.proxy_resources() if self._in_proxy_image else need(init.resources, "proxyInit.resources")
        self._resources = resources.from_values(own)
        if not self._in_proxy_image:
            need(init.image, "proxyInit.image")

    def _ipv6(self) -> list[str]:
        return ["--ipv6=false"] if self._has("flag/--ipv6") and self._facts.values.disable_ipv6 else []

    def build(self, settings: Settings, capabilities: JSON | None, service_account: JSON | None) -> JSON:
        """The container for these settings; arguments as for the proxy. Raises `Refusal`."""
        facts, s = self._facts, settings
        container: JSON = {
            "args": self._args(s),
            "image": facts.image(s.proxy_image, s.proxy_version),
            "imagePullPolicy": s.pull_policy or facts.pull_policy or None,
            "name": NAME,
            "resources": self._resources,
            "securityContext": self._security_context(s, capabilities),
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [*self._mounts, service_account] if service_account else self._mounts,
        }
        if self._in_proxy_image:
            container["resources"] = resources.from_settings(s)
        else:
            container["image"] = f"{s.init_image}:{s.init_version}"
            container["imagePullPolicy"] = s.init_pull_policy or facts.pull_policy or None
        if self._has("field/init.command"):
            container["command"] = ["/usr/lib/linkerd/linkerd2-proxy-init"]
        return container

    def _args(self, s: Settings) -> list[str]:
        init = self._facts.init
        args = [
            *self._head,
            "--incoming-proxy-port",
            format_number(s.inbound_port),
            "--outgoing-proxy-port",
            format_number(s.outbound_port),
            "--proxy-uid",
            format_number(s.uid),
        ]
        if is_group(s.gid) and self._has("flag/--proxy-gid"):
            args += ["--proxy-gid", format_number(s.gid)]
        ignored = f"{format_number(s.control_port)},{format_number(s.admin_port)}"
        if s.skip_inbound_ports:
            ignored += f",{s.skip_inbound_ports}"
        args += ["--inbound-ports-to-ignore", ignored]
        if s.skip_outbound_ports:
            args += ["--outbound-ports-to-ignore", s.skip_outbound_ports]
        if s.close_wait_seconds:
            if not init.run_as_root and self._has("rule/close-wait-needs-root"):
                raise Refusal(
                    "config.linkerd.io/close-wait-timeout (or proxyInit.closeWaitTimeoutSecs) needs "
                    "proxyInit.runAsRoot: set that to true in the values, or remove the timeout",
                    "close_wait_needs_root",
                    annotation=CLOSE_WAIT,
                )
            args += ["--timeout-close-wait-secs", format_number(s.close_wait_seconds)]
        for flag, value in (
            ("--log-format", init.log_format),
            ("--log-level", init.log_level),
            ("--subnets-to-ignore", s.skip_subnets),
        ):
            if value:
                args += [flag, value]
        return args

    def _security_context(self, s: Settings, capabilities: JSON | None) -> JSON:
        init = self._facts.init
        privileged = bool(s.close_wait_seconds or init.privileged)
        root, escalates = init.run_as_root, privileged
        if not self._has("rule/privileged-by-value"):
            root = escalates = bool(s.close_wait_seconds or init.run_as_root)
        context: JSON = {
            "allowPrivilegeEscalation": escalates,
            "capabilities": self._capabilities(capabilities),
            "privileged": privileged,
            "runAsNonRoot": not root,
            "runAsUser": 0 if root else _not_root(init.run_as_user),
            "readOnlyRootFilesystem": True,
        }
        if self._has("field/init.runAsGroup"):
            context["runAsGroup"] = 0 if root else _not_root(init.run_as_group)
        if self._has("field/init.seccompProfile"):
            context["seccompProfile"] = {"type": "RuntimeDefault"}
        return context

    def _capabilities(self, capabilities: JSON | None) -> JSON:
        """The Pod's, but what the init program needs is never dropped."""
        out: JSON = {"add": [*NEEDED, *(capabilities or {}).get("add", ())]}
        drop = [name for name in (capabilities or {}).get("drop", ()) if name not in NEEDED]
        if drop:
            out["drop"] = drop
        return out


def _not_root(identifier: int) -> int:
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
