"""The settings of an installation: the chart's values, their schema, and the flags of `install`."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Final

from webhook.install.tree import Condition, Equal, More, Not, On, Same, every

JSON = dict[str, Any]

_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class InstallSetting:
    """A setting. `path` is its path in the values. `schema` is its JSON schema, of which `schema.py` supports the parts
    that are used here; `form` describes in words, with an example, what its pattern allows.

    `flag` is the flag of `install` that sets it; the flag of a list adds an item, and may be repeated. `ha` is its
    value in a highly available installation, if it differs.
    """

    path: str
    default: Any
    schema: JSON
    description: str
    flag: str = ""
    ha: Any = _NOTHING
    form: str = ""

    @property
    def differs(self) -> bool:
        """Whether a highly available installation has another value."""
        return self.ha is not _NOTHING


BOOLEAN: Final = {"type": "boolean"}
PORT: Final = {"type": "integer", "minimum": 1, "maximum": 65535}
COUNT: Final = {"type": "integer", "minimum": 1, "maximum": 100}
OBJECT: Final = {"type": "object"}
OBJECTS: Final = {"type": "array", "items": {"type": "object"}}
STRINGS: Final = {"type": "object", "additionalProperties": {"type": "string"}}


def _text(pattern: str) -> JSON:
    return {"type": "string", "pattern": pattern}


def _choice(*choices: str) -> JSON:
    return {"type": "string", "enum": list(choices)}


# Quantities of a container's resources: https://pkg.go.dev/k8s.io/apimachinery/pkg/api/resource#Quantity
# Kubernetes refuses negative ones.
_QUANTITY: Final = "^[+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?$"
_QUANTITIES: Final = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number"], "pattern": _QUANTITY, "minimum": 0},
}

# The name of an image without tag and digest: https://github.com/distribution/reference
_HOST: Final = "([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\\[[0-9a-fA-F:]+\\])(:[0-9]+)?"
_COMPONENT: Final = "[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = f"^(({_HOST}/)?{_COMPONENT}(/{_COMPONENT})*)?$"

# DNS names. A value that becomes part of a template's string must have a pattern, so that it cannot contain quotes.
_LABEL: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME: Final = "[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"

SETTINGS: Final = (
    InstallSetting(
        "adopt",
        False,
        BOOLEAN,
        "Point Linkerd's own webhook configurations at this server, in place of configurations of ours. What was there "
        "before is kept on them, and `linkerd-webhook uninstall --delete` puts it back.",
        "--adopt",
    ),
    InstallSetting(
        "image.repository",
        "",
        _text(_REPOSITORY),
        "Where the image is, without tag and digest. There is no default: build the image and push it to a registry of "
        "yours.",
        form="a repository without a tag, such as registry.example.org/linkerd-webhook",
    ),
    InstallSetting(
        "image.tag",
        "",
        _text("^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$"),
        "The image's tag; empty: the chart's appVersion, or the digest alone.",
        form="up to 128 letters, digits, '_', '.' and '-', such as 0.1.0",
    ),
    InstallSetting(
        "image.digest",
        "",
        _text("^(sha256:[0-9a-f]{64})?$"),
        "The image's digest, as sha256:….",
        form="sha256: and 64 hexadecimal digits",
    ),
    InstallSetting(
        "image.pullPolicy", "IfNotPresent", _choice("Always", "IfNotPresent", "Never"), "When the image is pulled."
    ),
    InstallSetting("image.pullSecrets", [], OBJECTS, "Secrets to pull it with, each as {name: …}."),
    InstallSetting("replicas", 2, COUNT, "Replicas; with autoscaling the fewest.", "--replicas", ha=3),
    InstallSetting(
        "failurePolicy",
        "Ignore",
        _choice("Ignore", "Fail"),
        "What the API server does when no replica answers: let objects in as they are, or refuse them. With Fail the "
        "configurations have no rules until the server has seen that the API server reaches it.",
        "--failure-policy",
    ),
    InstallSetting(
        "guard",
        "warn",
        _choice("off", "warn", "deny"),
        "A ValidatingAdmissionPolicy against Pods that should be meshed and come without a proxy (Kubernetes 1.30 on): "
        "warn returns a warning; deny refuses them once the API server has reached this server.",
        "--guard",
    ),
    InstallSetting(
        "workloadAdvice",
        True,
        BOOLEAN,
        "A webhook that warns whoever applies a workload or a Namespace about annotations without effect, and says why "
        "its Pods will not be injected. It allows every object, and its timeout is one second.",
        "--workload-advice",
    ),
    InstallSetting(
        "statusPage",
        False,
        BOOLEAN,
        "Count on the status page, by Namespace, which running Pods are meshed and why the others are not. The server "
        "gets the right to list Pods for it, in a ClusterRole of its own.",
        "--status-page",
    ),
    InstallSetting(
        "tokenProjection",
        True,
        BOOLEAN,
        "Set it to the value of identity.serviceAccountTokenProjection in Linkerd's values. With false, the guard does "
        "not report Pods without a service account token.",
    ),
    InstallSetting(
        "namespaces.optIn",
        False,
        BOOLEAN,
        "Inject only in Namespaces with the label config.linkerd.io/admission-webhooks: enabled.",
        "--opt-in",
    ),
    InstallSetting(
        "namespaces.exclude",
        [],
        {"type": "array", "items": _text(f"^{_LABEL}$")},
        "Namespaces from which no requests are sent, beside the system's own.",
        "--exclude-namespace",
        form="the name of a Namespace, such as shop",
    ),
    InstallSetting(
        "certificates.existingSecret",
        "",
        _text(f"^({_NAME})?$"),
        "A Secret of type kubernetes.io/tls in Linkerd's namespace that you or cert-manager keep; its ca.crt, if it "
        "has one, goes into the caBundles. Empty: the server issues and rotates certificates itself.",
        "--existing-secret",
        form="the name of a Secret, such as webhook-tls",
    ),
    InstallSetting(
        "certificates.caBundle",
        "",
        _text("^(-----BEGIN CERTIFICATE-----(.|\\n|\\r)*)?$"),
        "CA certificates (PEM) of that Secret, if it has no ca.crt.",
        form="certificates in PEM, the first line -----BEGIN CERTIFICATE-----",
    ),
    InstallSetting(
        "certificates.injectCAFrom",
        "",
        _text(f"^({_LABEL}/{_NAME})?$"),
        "NAMESPACE/NAME of the cert-manager Certificate behind that Secret: cert-manager writes the caBundles then.",
        "--inject-ca-from",
        form="NAMESPACE/NAME of a Certificate, such as linkerd/webhook",
    ),
    InstallSetting("port", 8443, PORT, "The container's port for the API server.", "--port"),
    InstallSetting(
        "adminPort", 9995, PORT, "The container's port for metrics, probes and the status page.", "--admin-port"
    ),
    InstallSetting(
        "hostNetwork",
        False,
        BOOLEAN,
        "Run in the nodes' network, for where the API server does not reach Pods.",
        "--host-network",
    ),
    InstallSetting(
        "clusterDomain",
        "cluster.local",
        _text(f"^{_NAME}$"),
        "The cluster's DNS domain.",
        "--cluster-domain",
        form="a DNS domain, such as cluster.local",
    ),
    InstallSetting("logLevel", "info", _choice("error", "warn", "info", "debug"), "What is logged.", "--log-level"),
    InstallSetting("logFormat", "plain", _choice("plain", "json"), "How it is logged."),
    InstallSetting(
        "extraArgs",
        [],
        {"type": "array", "items": _text("^--[a-z]")},
        "More flags of `linkerd-webhook serve`, as --release-line=edge-26.8.",
        form="a flag, such as --release-line=edge-26.8",
    ),
    InstallSetting("autoscaling.enabled", False, BOOLEAN, "Scale by CPU (Kubernetes 1.23 on).", "--autoscaling"),
    InstallSetting("autoscaling.maxReplicas", 6, COUNT, "The most replicas."),
    InstallSetting(
        "autoscaling.targetCPUUtilization",
        80,
        {"type": "integer", "minimum": 1, "maximum": 1000},
        "Percent of the CPU request to keep to.",
    ),
    InstallSetting(
        "spread.nodes",
        "ScheduleAnyway",
        _choice("ScheduleAnyway", "DoNotSchedule"),
        "Whether a replica stays pending (DoNotSchedule) if there is no further node; before Kubernetes 1.26: never.",
        ha="DoNotSchedule",
    ),
    InstallSetting(
        "monitoring.podMonitor",
        False,
        BOOLEAN,
        "A PodMonitor, by which Prometheus collects the metrics; needs the CRDs of the Prometheus operator.",
        "--pod-monitor",
    ),
    InstallSetting(
        "monitoring.interval",
        "30s",
        _text("^[0-9]+(ms|s|m)$"),
        "The interval at which Prometheus collects the metrics.",
        form="a number of ms, s or m, such as 30s",
    ),
    InstallSetting(
        "monitoring.alerts",
        False,
        BOOLEAN,
        "A PrometheusRule with the alerts of docs/alerts.md; needs the CRDs of the Prometheus operator.",
        "--alerts",
    ),
    InstallSetting(
        "monitoring.runbooks",
        "docs/alerts.md",
        _text("^[A-Za-z0-9][-A-Za-z0-9._~:/?&=%+]*$"),
        "Where you publish docs/alerts.md: each alert carries the address of its section there.",
        form="the address of a page, such as https://docs.example.org/alerts.md",
    ),
    InstallSetting(
        "monitoring.labels",
        {},
        STRINGS,
        "Labels of the PodMonitor and of the PrometheusRule, by which Prometheus selects them.",
    ),
    InstallSetting(
        "monitoring.dashboards",
        False,
        BOOLEAN,
        "A ConfigMap with a board, which Grafana's sidecar finds by the label grafana_dashboard.",
        "--dashboards",
    ),
    InstallSetting(
        "networkPolicy.enabled",
        False,
        BOOLEAN,
        "A NetworkPolicy: in, only the two ports; out, DNS, the API server and the other replicas.",
        "--network-policy",
    ),
    InstallSetting(
        "networkPolicy.apiServerPort", 6443, PORT, "The API server's port behind its Service (443 is allowed, too)."
    ),
    InstallSetting(
        "resources",
        {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        {
            "type": "object",
            "properties": {"requests": _QUANTITIES, "limits": _QUANTITIES, "claims": OBJECTS},
            "additionalProperties": False,
        },
        "The container's requests and limits.",
        form="a quantity, such as 100m, 0.5 or 128Mi",
    ),
    InstallSetting(
        "priorityClassName",
        "system-cluster-critical",
        _text(f"^({_NAME})?$"),
        "The PriorityClass of the Pods.",
        form="the name of a PriorityClass, such as system-cluster-critical",
    ),
    InstallSetting("nodeSelector", {"kubernetes.io/os": "linux"}, STRINGS, "Labels of the nodes to run on."),
    InstallSetting("tolerations", [], OBJECTS, "Tolerations of the Pods."),
    InstallSetting("affinity", {}, OBJECT, "Affinity, beside the spread over zones and nodes."),
    InstallSetting("podAnnotations", {}, STRINGS, "More annotations of the Pods."),
    InstallSetting("podLabels", {}, STRINGS, "More labels of the Pods."),
)

BY_PATH: Final = {setting.path: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class SettingsConflict:
    """Settings that cannot be combined; `message` names them, and says what to do."""

    condition: Condition
    message: str


CONFLICTS: Final = (
    SettingsConflict(
        Not(On("image.repository")),
        "image.repository is empty, and no public registry has this program's image: build it (make image), push it to "
        "a registry of yours, and pass --image registry.example.org/linkerd-webhook:TAG (with Helm: --set "
        "image.repository=registry.example.org/linkerd-webhook,image.tag=TAG)",
    ),
    SettingsConflict(
        every(On("adopt"), On("namespaces.optIn")),
        "adopt: true keeps the namespaceSelector of Linkerd's configurations, so namespaces.optIn (--opt-in) would "
        "have no effect on injection: leave it out, and set proxyInjector.namespaceSelector in Linkerd's values; or "
        "install without adopt (--adopt)",
    ),
    SettingsConflict(
        every(On("adopt"), On("namespaces.exclude")),
        "adopt: true keeps the namespaceSelector of Linkerd's configurations, so namespaces.exclude "
        "(--exclude-namespace) would have no effect on injection: leave it out, and label those Namespaces "
        "config.linkerd.io/admission-webhooks=disabled, or set proxyInjector.namespaceSelector in Linkerd's values",
    ),
    SettingsConflict(
        every(On("adopt"), Equal("failurePolicy", "Fail")),
        "adopt: true keeps the failurePolicy of Linkerd's configurations: leave failurePolicy at Ignore here, and "
        "set webhookFailurePolicy: Fail in Linkerd's values",
    ),
    SettingsConflict(
        every(On("certificates.caBundle"), Not(On("certificates.existingSecret"))),
        "certificates.caBundle is for a certificate that you keep in a Secret: set certificates.existingSecret "
        "(--existing-secret), or leave caBundle empty",
    ),
    SettingsConflict(
        every(On("certificates.injectCAFrom"), Not(On("certificates.existingSecret"))),
        "certificates.injectCAFrom needs the Secret that the Certificate writes: set certificates.existingSecret "
        "(--existing-secret)",
    ),
    SettingsConflict(
        every(On("certificates.injectCAFrom"), On("certificates.caBundle")),
        "certificates.injectCAFrom and certificates.caBundle both set the caBundles: leave one of them empty",
    ),
    SettingsConflict(Same("port", "adminPort"), "port and adminPort are the same: change one of them"),
    SettingsConflict(
        every(On("autoscaling.enabled"), More("replicas", "autoscaling.maxReplicas")),
        "autoscaling.maxReplicas is less than replicas: raise it to replicas at least",
    ),
)


def defaults() -> JSON:
    """The defaults of all settings, as values of the chart."""
    return _tree({setting.path: setting.default for setting in SETTINGS})


def highly_available() -> JSON:
    """The values of a highly available installation that differ from the defaults."""
    return _tree({setting.path: setting.ha for setting in SETTINGS if setting.differs})


def _tree(values: dict[str, Any]) -> JSON:
    tree: JSON = {}
    for path, value in values.items():
        place(tree, path, copy.deepcopy(value))
    return tree


def place(values: JSON, path: str, value: Any) -> None:
    """Set the value at a path, such as `image.tag`. Changes `values`."""
    *parents, last = path.split(".")
    for key in parents:
        values = values.setdefault(key, {})
    values[last] = value
