"""`backendlint routes`: what clients can ask for."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.routes import Route


@click.command()
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--format", "fmt", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(path: Path | None, fmt: str) -> None:
    """Print every route of the project at PATH with its handler."""
    from backendlint.cli.understanding import understand

    project = understand(path).project
    click.echo(_json(project) if fmt == "json" else _text(project))


def _json(project: Project) -> str:
    import json

    return json.dumps([_row(project, route) for route in project.routes], indent=2)


def _row(project: Project, route: Route) -> dict[str, Any]:
    return {
        "methods": list(route.methods),
        "path": route.path,
        "handler": route.handler.fqn if route.handler else None,
        "class": route.cls.fqn if route.cls else None,
        "location": {"path": route.location.path, "line": route.location.line, "column": route.location.column},
        "framework": route.framework,
        "kind": route.kind,
        "application": route.app.name if route.app else None,
        "status": route.status,
        "dependencies": [fn.fqn for fn in route.dependencies],
        "params": [asdict(item) for item in route.params],
        "authenticated": bool(project.access.authentication(route)),
        "rate_limited": bool(project.access.rate_limits(route)),
        "in_schema": route.in_schema,
    }


def _text(project: Project) -> str:
    from backendlint.cli.understanding import table

    rows = [
        (
            "|".join(route.methods) or "ANY",
            route.path,
            route.handler.fqn if route.handler else f"({route.cls.fqn})" if route.cls else "?",
            f"{route.location.path}:{route.location.line}",
            "yes" if project.access.authentication(route) else "no",
        )
        for route in sorted(project.routes, key=lambda item: (item.path, item.methods))
    ]
    if not rows:
        return "no routes found"
    return table(("METHOD", "PATH", "HANDLER", "PLACE", "AUTH"), rows) + f"\n\n{len(rows)} routes"
