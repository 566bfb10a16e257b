"""`linkerd-webhook completion`: the script by which a shell completes our command lines."""

from __future__ import annotations

from typing import Final

import click

SHELLS: Final = ("bash", "zsh", "fish")


@click.command(short_help="print a completion script")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script by which a shell completes the command lines of linkerd-webhook.

    It is written from the commands themselves, and starts no Python when Tab is pressed. Namespaces and contexts are
    asked of kubectl, for 0.3 s at most. Print it again after an upgrade.

    Exit code: 0 printed, 2 there is no script for this shell.
    """
    from webhook.cli.completions import bash, fish, zsh
    from webhook.cli.completions.model import command_line
    from webhook.cli.main import cli

    written = {"bash": bash.script, "zsh": zsh.script, "fish": fish.script}[shell]
    click.echo(written(command_line(cli)), nl=False)
