"""The program `linkerd-webhook`: imports only the module of the command that is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from webhook import __version__
from webhook.cli import goflags
from webhook.cli.console import INTERRUPTED, NO_COLOUR, NO_COLOUR_HELP, UNUSABLE, print_message, without_colours
from webhook.cli.examples import add_examples
from webhook.cli.stdout import guarded
from webhook.cli.unexpected import reported

# The module and the function of each command, and its summary in `--help`. A module is imported when it is needed.
COMMANDS = {
    "serve": ("webhook.cli.serve:serve", "Answer admission requests over HTTPS."),
    "review": ("webhook.cli.review:review", "Answer AdmissionReviews from files, without a server."),
    "validate": (
        "webhook.cli.validate:validate",
        "Check manifests, and report as text, JSON, GitHub annotations or SARIF.",
    ),
    "inject": ("webhook.cli.inject:inject", "Have the workloads of manifests meshed."),
    "uninject": ("webhook.cli.uninject:uninject", "Take out of manifests what Linkerd has put in."),
    "krm": ("webhook.cli.krm:krm", "Inject or uninject as a KRM function, for kustomize and kpt."),
    "profile": (
        "webhook.cli.profile:profile",
        "Write a ServiceProfile: a template, or made of an OpenAPI document or a protobuf file.",
    ),
    "diff-lines": ("webhook.cli.diff_lines:diff_lines", "Show what an upgrade of Linkerd changes in Pods."),
    "check": ("webhook.cli.check:check", "Check the installation in a cluster, and the Pods that it serves."),
    "explain": ("webhook.cli.explain:explain", "Explain why a Pod is meshed or is not, and what to do."),
    "repair": ("webhook.cli.repair:repair", "Restart the workloads whose Pods lack the proxy that they should have."),
    "dashboard": ("webhook.cli.dashboard:dashboard", "Show the status page of a replica in a browser."),
    "install": ("webhook.cli.install:install", "Print the objects to apply to a cluster that has Linkerd."),
    "uninstall": ("webhook.cli.uninstall:uninstall", "Print or delete what an installation has left in the cluster."),
    "certs": ("webhook.cli.certs:certs", "Inspect, issue, rotate and watch the webhook's certificates."),
    "version": (
        "webhook.cli.version:version",
        "Print the versions of this program, of the server in the cluster, and of Linkerd.",
    ),
    "completion": (
        "webhook.cli.completion:completion",
        "Print the script by which bash, zsh or fish completes command lines.",
    ),
    "demo": ("webhook.cli.demo:demo", "Serve with built-in settings, and show what becomes of three sample Pods."),
}

# Commands that only programs call.
HIDDEN = {"_extension-metadata": ("webhook.cli.linkerdcli:extension_metadata", "")}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        return load(cmd_name) if cmd_name in COMMANDS or cmd_name in HIDDEN else None

    def invoke(self, ctx: click.Context) -> Any:
        """As click's, but after Ctrl-C the process ends as a shell expects it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print_message("interrupted")
            sys.exit(INTERRUPTED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click's, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


def load(name: str) -> click.Command:
    """Import a command by its name."""
    module, _, attribute = {**COMMANDS, **HIDDEN}[name][0].partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)  # noqa: S101 - a mistake in the table above
    if name in COMMANDS and name != "serve":
        # The server's log has no colours.
        _add_to_each(command, NO_COLOUR)
    add_examples(command, name)
    return command


def _add_to_each(command: click.Command, option: click.Option) -> None:
    """Add an option to a command, or to each command of a group."""
    if isinstance(command, click.Group):
        for sub_command in command.commands.values():
            _add_to_each(sub_command, option)
    elif option not in command.params:
        command.params.append(option)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="linkerd-webhook", message="%(prog)s %(version)s")
@click.option("--no-color", is_flag=True, expose_value=False, callback=without_colours, help=NO_COLOUR_HELP)
def cli() -> None:
    """Linkerd's admission webhooks: proxy injector, policy validator and ServiceProfile validator.

    It also understands the command lines of Linkerd's own programs: `linkerd-webhook proxy-injector -log-level=info`.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script. Ends the process: 0, 2 for a command line that cannot be read and for an output that cannot
    be written, 70 after an error that nobody expected."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with reported(given, cli), guarded():
        _run(given)


def _run(given: list[str]) -> None:
    if goflags.is_ours(given):
        cli.main(given, prog_name="linkerd-webhook")
    try:
        translation = goflags.translate(given, _flags(load("serve")))
    except goflags.FlagError as error:
        print_message(str(error))
        sys.exit(UNUSABLE)
    if translation.version:
        cli.main(["--version"], prog_name="linkerd-webhook")
    cli.main(["serve", *translation.arguments], prog_name="linkerd-webhook", obj=translation.notes)


def _flags(command: click.Command) -> dict[str, bool]:
    """A command's flags without dashes, and whether each is a boolean."""
    return {
        flag.removeprefix("--"): option.is_flag
        for option in command.params
        if isinstance(option, click.Option)
        for flag in option.opts
        if flag.startswith("--")
    }
