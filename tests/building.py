"""Small projects, linked in memory."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from textwrap import dedent

from backendlint.facts.extract import extract
from backendlint.project.entities import Fn
from backendlint.project.libraries.lookup import Libraries
from backendlint.project.model import Project, link


@cache
def libraries() -> Libraries:
    return Libraries.load()


def build(**sources: str) -> Project:
    """A project of files: `app__main="..."` is app/main.py, `pkg____init__` is pkg/__init__.py."""
    texts = {_path(name): dedent(text) for name, text in sources.items()}
    files = {}
    for path, text in texts.items():
        module = path.removesuffix(".py").replace("/", ".")
        is_package = module.endswith("__init__")
        module = module.removesuffix(".__init__")
        tree, leaving = ast.parse(text), libraries().leaving
        files[path] = extract(tree, text, path=path, module=module, is_package=is_package, leaving=leaving)
    return link(Path("/nowhere"), files, libraries(), lambda path: texts[path])


def _path(name: str) -> str:
    if name.endswith("____init__"):
        return name.removesuffix("____init__").replace("__", "/") + "/__init__.py"
    return name.replace("__", "/") + ".py"


def fn(project: Project, name: str) -> Fn:
    """The function whose fqn ends so."""
    return next(item for fqn, item in project.functions.items() if fqn == name or fqn.endswith(f".{name}"))


def called(project: Project, name: str) -> list[list[str]]:
    """What each call of a function may call, by name."""
    owner = fn(project, name)
    return [[ref.name for ref in project.callees(owner, call)] for call in owner.calls]


def returned(project: Project, name: str) -> list[tuple[str, str]]:
    """Kind and name of what a function returns."""
    return [(ref.kind, ref.name) for ref in project.resolver.results.of(fn(project, name))]
