"""`backendlint completion`: shell completion."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for a SHELL.

    Put `eval "$(backendlint completion bash)"` into its start-up file.
    """
    from click.shell_completion import get_completion_class

    from backendlint.cli import cli
    from backendlint.errors import UsageError

    found = get_completion_class(shell)
    if found is None:
        raise UsageError(f"completion: click knows no shell `{shell}`")
    script = found(cli, {}, "backendlint", "_BACKENDLINT_COMPLETE")
    click.echo(script.source_template % script.source_vars())
