"""`backendlint schema`: the database schema as the code defines it."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format", "fmt", type=click.Choice(["text", "json", "sql", "mermaid"]), default="text", show_default=True
)
@click.option(
    "--from", "origin", type=click.Choice(["all", "models", "migrations", "ddl"]), default="all", show_default=True,
    help="What to read it from.",
)  # fmt: skip
def command(path: Path | None, fmt: str, origin: str) -> None:
    """Print the tables that models, migrations and SQL files at PATH define.

    Nothing is run and no database is asked: SQLAlchemy and Django models, Alembic and Django migrations and CREATE
    statements are read as text.
    """
    from backendlint.cli.understanding import understand
    from backendlint.report.parts.schema_text import render

    data = understand(path).project.data
    schema = {"models": data.models, "migrations": data.migrated, "ddl": data.defined}.get(origin, data.schema)
    click.echo(render(schema, fmt) if schema.tables else "no tables found")
