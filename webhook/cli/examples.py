"""The examples at the end of each command's `--help`. A test runs them; files that they name are those of the test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import click


class Example(NamedTuple):
    """A line for a shell, and what it is for. `code` is its exit code with the files of the test. `cluster`: it needs
    one; `stays`: it runs until Ctrl-C."""

    about: str
    line: str
    code: int = 0
    cluster: bool = False
    stays: bool = False


_IMAGE: Final = "registry.example.org/linkerd-webhook:0.1.0"

EXAMPLES: Final[Mapping[str, tuple[Example, ...]]] = {
    "serve": (
        Example(
            "As the Deployment that install prints",
            "linkerd-webhook serve --service linkerd-webhook --certs self-managed",
            cluster=True,
            stays=True,
        ),
        Example(
            "With files in place of a cluster",
            "linkerd-webhook serve --addr 127.0.0.1:0 --admin-addr 127.0.0.1:0 --tls-dir tls --values values.yaml "
            "--trust-anchors tls/ca.crt --manifests cluster.yaml",
            stays=True,
        ),
    ),
    "review": (
        Example("What the server would answer", "linkerd-webhook review --manifests cluster.yaml review.json"),
        Example(
            "What another release of Linkerd would answer",
            "linkerd-webhook review --manifests cluster.yaml --release-line stable-2.14 - < review.json",
        ),
    ),
    "validate": (
        Example("Check a file", "linkerd-webhook validate server.yaml"),
        Example("Check a folder for code scanning", "linkerd-webhook validate -o sarif manifests > findings.sarif"),
        Example("Fail over warnings, too", "linkerd-webhook validate --strict - < server.yaml"),
    ),
    "inject": (
        Example(
            "Have a Deployment meshed",
            "linkerd-webhook inject --ignore-cluster cart.yaml | kubectl apply -f -",
        ),
        Example(
            "See in CI whether all are", "linkerd-webhook inject --ignore-cluster --check --diff manifests", code=1
        ),
        Example(
            "Put in the proxy itself",
            "linkerd-webhook inject --manual --values values.yaml --trust-anchors tls/ca.crt cart.yaml",
        ),
    ),
    "uninject": (
        Example("Take the proxy out", "linkerd-webhook uninject cart.yaml | kubectl apply -f -"),
        Example("Take out all settings, in the files", "linkerd-webhook uninject --all --in-place manifests"),
    ),
    "krm": (Example("As kustomize and kpt call it", "linkerd-webhook krm < resource-list.yaml"),),
    "profile": (
        Example(
            "From an OpenAPI document",
            "linkerd-webhook profile -n shop --ignore-cluster --open-api api.yaml web | kubectl apply -f -",
        ),
        Example("A template to change", "linkerd-webhook profile -n shop --ignore-cluster --template web > web.yaml"),
    ),
    "diff-lines": (
        Example("What an upgrade changes in a plain Pod", "linkerd-webhook diff-lines stable-2.14.10 edge-26.8.3", 1),
        Example(
            "In a workload, with your settings",
            "linkerd-webhook diff-lines -f cart.yaml --values values.yaml version-2.19 version-2.20 -o json",
            1,
        ),
        Example("From what runs now", "linkerd-webhook diff-lines cluster version-2.20", cluster=True),
    ),
    "check": (
        Example("Everything", "linkerd-webhook check", cluster=True),
        Example("Before the installation, looking once", "linkerd-webhook check --pre --wait 0s", cluster=True),
        Example(
            "The Pods of a Namespace, for a program", "linkerd-webhook check --proxy -n shop -o json", cluster=True
        ),
    ),
    "explain": (
        Example(
            "Why a Deployment's Pods have a proxy or not", "linkerd-webhook explain deploy/cart -n shop", cluster=True
        ),
        Example(
            "Why those of a manifest would have one",
            "linkerd-webhook explain -f cart.yaml --manifests cluster.yaml --values values.yaml "
            "--trust-anchors tls/ca.crt",
        ),
    ),
    "repair": (
        Example("What would be restarted", "linkerd-webhook repair", cluster=True),
        Example("Restart it, in one Namespace", "linkerd-webhook repair -n shop --yes --timeout 2m", cluster=True),
    ),
    "dashboard": (
        Example("Open the page in a browser", "linkerd-webhook dashboard", cluster=True, stays=True),
        Example(
            "Only its address, at any free port",
            "linkerd-webhook dashboard --show url --port 0 -o json --wait 10s",
            cluster=True,
            stays=True,
        ),
    ),
    "install": (
        Example(
            "Beside an installed Linkerd, in place of its webhooks",
            f"linkerd-webhook install --adopt --image {_IMAGE} | kubectl apply -f -",
            cluster=True,
        ),
        Example(
            "Without a look at the cluster, highly available",
            f"linkerd-webhook install --ignore-cluster --ha --image {_IMAGE} > webhook.yaml",
        ),
        Example(
            "The rights to check the installation",
            "linkerd-webhook install --rbac-for check --to Group:on-call | kubectl apply -f -",
        ),
    ),
    "uninstall": (
        Example(
            "Restore what was adopted, and delete what is ours", "linkerd-webhook uninstall --delete", cluster=True
        ),
        Example(
            "What there may be, without a look at the cluster",
            "linkerd-webhook uninstall --ignore-cluster | kubectl delete --ignore-not-found -f -",
        ),
    ),
    "certs inspect": (
        Example("All certificates of the installation", "linkerd-webhook certs inspect", cluster=True),
        Example("Those of a folder", "linkerd-webhook certs inspect --tls-dir tls -o json"),
    ),
    "certs issue": (
        Example("With a new CA", "linkerd-webhook certs issue --out new --lifetime 90d"),
        Example(
            "With a CA of yours",
            "linkerd-webhook certs issue --out new --force --ca-cert tls/ca.crt --ca-key tls/ca.key",
        ),
    ),
    "certs rotate": (
        Example("A new certificate of the same CA", "linkerd-webhook certs rotate", cluster=True),
        Example("A new CA, without following it", "linkerd-webhook certs rotate --ca --no-wait", cluster=True),
    ),
    "certs watch": (
        Example("A line for each change", "linkerd-webhook certs watch --interval 10s", cluster=True, stays=True),
    ),
    "version": (
        Example("All versions", "linkerd-webhook version", cluster=True),
        Example("This program's alone", "linkerd-webhook version --client --short"),
    ),
    "completion": (
        Example("bash, in ~/.bashrc", "source <(linkerd-webhook completion bash)"),
        Example("zsh, in a folder of $fpath", "linkerd-webhook completion zsh > ~/.zsh/_linkerd-webhook"),
        Example("fish", "linkerd-webhook completion fish > ~/.config/fish/completions/linkerd-webhook.fish"),
    ),
    "demo": (Example("Only the samples", "linkerd-webhook demo --once --addr 127.0.0.1:0 --admin-addr 127.0.0.1:0"),),
}


def add_examples(command: click.Command, path: str) -> None:
    """Have the `--help` of a command, or of each below it, end in its examples."""
    if isinstance(command, click.Group):
        for name, sub_command in command.commands.items():
            add_examples(sub_command, f"{path} {name}")
        return
    examples = EXAMPLES.get(path, ())
    # The character has click leave the lines as they are.
    blocks = ["\b\nExamples:", *(f"\b\n  # {example.about}\n  {example.line}" for example in examples)]
    command.epilog = "\n\n".join(blocks) if examples else None
