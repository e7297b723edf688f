"""`backendlint config-schema`: for editors."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Print the configuration's JSON schema.

    It describes backendlint.toml, and [tool.backendlint] in pyproject.toml.
    """
    import json

    from backendlint.config import schema

    click.echo(json.dumps(schema(), indent=2))
