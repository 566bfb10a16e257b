"""Generates the Helm chart from the settings and objects that `install` uses.

Run `python -m webhook.install.chart FOLDER` to generate it.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from webhook import __version__
from webhook.install import helm
from webhook.install.objects.all import OBJECTS
from webhook.install.output import as_yaml
from webhook.install.render import OLDEST
from webhook.install.schema import schema
from webhook.install.settings import CONFLICTS, SETTINGS, InstallSetting, highly_available

NAME: Final = "linkerd-webhook"
WIDTH: Final = 100

_HELM_IGNORE: Final = ".git/\n*.orig\n*.tmp\n"

_NOTES: Final = """linkerd-webhook {{ .Chart.AppVersion }} is installed into {{ .Release.Namespace }}, beside Linkerd.

See it come up:

    kubectl -n {{ .Release.Namespace }} rollout status deploy/linkerd-webhook
{{- if .Values.adopt }}

Linkerd's own webhook configurations are pointed at it once the API server reaches it. Before `helm uninstall`, give
them back, or nobody answers:

    linkerd-webhook uninstall --linkerd-namespace {{ .Release.Namespace }} --delete
{{- else if eq .Values.failurePolicy "Fail" }}

The webhook configurations have no rules until the API server reaches it: until then, nothing is injected and nothing
is refused.
{{- end }}
{{- if .Values.certificates.existingSecret }}

The certificate is expected in Secret {{ .Release.Namespace }}/{{ .Values.certificates.existingSecret }}.
{{- end }}
"""

_README: Final = """# linkerd-webhook

Linkerd's admission webhooks: the proxy injector, the policy validator and the ServiceProfile validator. Linkerd's
control plane comes first, and identity and destination stay Linkerd's. The chart goes into Linkerd's namespace, because
Linkerd's ConfigMaps are mounted from there:

<!-- not run: needs a cluster -->
```sh
helm install linkerd-webhook deploy/chart --namespace linkerd \\
  --set image.repository=registry.example.org/linkerd-webhook
```

`-f values-ha.yaml` makes it highly available. `linkerd-webhook install` prints the same objects without Helm.

| value | default | what it is |
|---|---|---|
"""


def files() -> dict[str, str]:
    """The files of the chart: their contents by path."""
    contents = {
        ".helmignore": _HELM_IGNORE,
        "Chart.yaml": _chart(),
        "README.md": _readme(),
        "values.yaml": _values(),
        "values-ha.yaml": "# Beside values.yaml, for a highly available installation.\n" + as_yaml(highly_available()),
        "values.schema.json": json.dumps(schema(), indent=2, ensure_ascii=False) + "\n",
        "templates/NOTES.txt": _NOTES,
        "templates/conflicts.yaml": "".join(
            helm.failure(conflict.condition, conflict.message) for conflict in CONFLICTS
        ),
    }
    for rendered in OBJECTS:
        path = f"templates/{rendered.file}.yaml"
        contents[path] = contents.get(path, "") + helm.template(rendered.tree, rendered.condition)
    return contents


def write(folder: Path) -> None:
    """Write the chart into a folder, in place of everything that is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    for path, content in files().items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")


def _chart() -> str:
    return as_yaml(
        {
            "apiVersion": "v2",
            "name": NAME,
            "description": "Linkerd's admission webhooks: proxy injector, policy validator, ServiceProfile validator",
            "type": "application",
            "version": __version__,
            "appVersion": __version__,
            "kubeVersion": f">={OLDEST[0]}.{OLDEST[1]}.0-0",
            "keywords": ["linkerd", "admission", "webhook"],
        }
    )


def _readme() -> str:
    rows = (f"| `{setting.path}` | `{_short(setting.default)}` | {_sentence(setting)} |\n" for setting in SETTINGS)
    return _README + "".join(rows)


def _sentence(setting: InstallSetting) -> str:
    choices = f" One of {', '.join(setting.schema['enum'])}." if "enum" in setting.schema else ""
    flag = f" `{setting.flag}` of `install`." if setting.flag else ""
    ha = f" Highly available: `{_short(setting.ha)}`." if setting.differs else ""
    return setting.description.replace("|", "\\|") + choices + ha + flag


def _values() -> str:
    """values.yaml: the default of each setting, below its description."""
    lines: list[str] = []
    parents: tuple[str, ...] = ()
    for setting in SETTINGS:
        *path, last = setting.path.split(".")
        if tuple(path) != parents:
            lines += [""] if parents else []
            lines += [f"{'  ' * depth}{key}:" for depth, key in enumerate(path)]
            parents = tuple(path)
        pad = "  " * len(path)
        choices = f" One of {', '.join(setting.schema['enum'])}." if "enum" in setting.schema else ""
        lines += [f"{pad}# {line}" for line in _wrapped(setting.description + choices)]
        lines += [f"{pad}{line}" for line in as_yaml({last: setting.default}).splitlines()]
        lines += [] if path else [""]
    return "\n".join(lines).rstrip() + "\n"


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
