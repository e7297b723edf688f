"""`backendlint layers`: which layer each part of the project is taken to be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from backendlint.project.model import Project


@click.command()
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--format", "fmt", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(path: Path | None, fmt: str) -> None:
    """Print the layer of every file of the project at PATH, with its functions that belong to another."""
    from backendlint.cli.understanding import understand

    project = understand(path).project
    click.echo(_json(project) if fmt == "json" else _text(project))


def _json(project: Project) -> str:
    import json

    rows = [
        {
            "function": fn.fqn,
            "layer": project.layer(fn),
            "path": fn.path,
            "line": fn.header.line,
            "reach": project.reach(fn.fqn),
        }
        for fn in project.all_functions()
        if not fn.is_module
    ]
    return json.dumps(rows, indent=2)


def _text(project: Project) -> str:
    from backendlint.cli.understanding import table

    rows = []
    for file in project.files.values():
        counts = Counter(project.layer(fn) or "-" for fn in project.functions_of(file) if not fn.is_module)
        if not counts:
            continue
        told = ", ".join(f"{count} {layer}" for layer, count in counts.most_common())
        rows.append((file.path, project.layers.of_path(file.path) or "-", told))
    return table(("FILE", "BY PLACE", "FUNCTIONS"), rows) if rows else "no functions found"
