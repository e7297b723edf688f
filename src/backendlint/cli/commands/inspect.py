"""`backendlint inspect`: what we believe about a file's functions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backendlint.errors import UsageError

if TYPE_CHECKING:
    from backendlint.findings.model import Step
    from backendlint.project.entities import Fn
    from backendlint.project.model import Project


@click.command()
@click.argument("target", metavar="PATH[:FUNCTION]")
def command(target: str) -> None:
    """Print layer, routes, callers, callees, effects and exceptions of the functions in PATH, or of one FUNCTION."""
    from backendlint.cli.understanding import understand

    name, _, wanted = target.partition(":")
    path = Path(name)
    if not path.exists():
        raise UsageError(f"inspect: there is no {name}")
    analysis = understand(path)
    root = analysis.inputs.settings.root
    relative = path.resolve().relative_to(root.resolve()).as_posix()
    project = analysis.project
    chosen = [
        fn
        for fn in project.all_functions()
        if (fn.path == relative or fn.path.startswith(f"{relative}/") or (path.is_dir() and relative == "."))
        and (not wanted or wanted in (fn.name, fn.facts.qualname, fn.fqn))
        and (bool(wanted) or not fn.is_module)
    ]
    if not chosen:
        raise UsageError(f"inspect: no function `{wanted}` in {name}" if wanted else f"inspect: no functions in {name}")
    click.echo("\n\n".join("\n".join(_describe(project, fn)) for fn in chosen))


def _describe(project: Project, fn: Fn) -> Iterator[str]:
    place = f"{fn.path}:{fn.header.line}"
    yield f"{fn.fqn}  ({place})"
    yield f"  layer: {project.layer(fn) or 'none'}"
    for route in project.route_functions.get(fn.fqn, []):
        yield f"  route: {route.label}"
    count = project.reach(fn.fqn)
    if count:
        yield f"  reached from {count} route{'s' if count != 1 else ''}"
    yield from _edges(project, fn)
    yield from _effects(project, fn)
    yield from _exceptions(project, fn)
    yield from _taint(project, fn)


def _edges(project: Project, fn: Fn) -> Iterator[str]:
    for title, edges, other in (
        ("callers", project.graph.callers(fn), "caller"),
        ("callees", project.graph.callees(fn), "callee"),
    ):
        told = dict.fromkeys(
            f"{getattr(edge, other).fqn}{'' if edge.kind == 'call' else f' ({edge.kind})'}" for edge in edges
        )
        if told:
            yield f"  {title}: {', '.join(told)}"


def _effects(project: Project, fn: Fn) -> Iterator[str]:
    for effect in sorted(project.effects.of(fn)):
        yield f"  effect {effect}:"
        yield from _steps(project.effects.witness(fn, effect))


def _exceptions(project: Project, fn: Fn) -> Iterator[str]:
    for name in sorted(project.exceptions.escaping(fn)):
        yield f"  lets out {name}:"
        yield from _steps(project.exceptions.witness(fn, name))


def _taint(project: Project, fn: Fn) -> Iterator[str]:
    names = [
        f"{fn.facts.params[index].name}{f' ({kind})' if kind else ''}"
        for index, kind in sorted(project.request_param_types(fn).items())
    ]
    if names:
        yield f"  request data: {', '.join(names)}"


def _steps(steps: tuple[Step, ...]) -> Iterator[str]:
    for step in steps:
        yield f"    {step.location.path}:{step.location.line} {step.message}"
