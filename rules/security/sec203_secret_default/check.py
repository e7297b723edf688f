from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, NamedLiteral, Project, sensitive

NOTHING = ("", "true", "false", "yes", "no", "on", "off", "0", "1", "none", "null")


def check(project: Project) -> Iterator[Hit]:
    for literal in project.literals.named:
        if sensitive(literal.name) != "secret" or literal.text.strip().lower() in NOTHING:
            continue
        if literal.how == "environment":
            yield report(literal, f"`{literal.name}` falls back to a literal where the environment lacks it")
        elif literal.cls is not None and project.hierarchy.role(literal.cls) == "settings":
            yield report(literal, f"`{literal.cls.name}.{literal.name}` has a literal as its default")


def report(literal: NamedLiteral, what: str) -> Hit:
    return Hit(
        f"{what}, so a deployment that forgets it runs with a secret that everybody knows; require it instead.",
        literal.location,
        function=literal.fn.fqn,
    )
