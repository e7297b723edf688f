from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Hit, NamedLiteral, Project, for_development, identifier_words, sensitive, shape_of

NOTHING = ("", "true", "false", "yes", "no", "on", "off", "0", "1", "none", "null")


def check(project: Project) -> Iterator[Hit]:
    for literal in project.literals.named:
        setting = literal.cls is not None and project.hierarchy.role(literal.cls) == "settings"
        shaped = shape_of(literal.text) if literal.how == "environment" or setting else ""
        secret = shaped or literal.secret or sensitive(literal.name) == "secret"
        if not secret or literal.text.strip().lower() in NOTHING or stands_in(literal):
            continue
        if literal.how == "environment":
            yield report(literal, f"`{literal.name}` falls back to a literal where the environment lacks it")
        elif literal.cls is not None and setting:
            yield report(literal, f"`{literal.cls.name}.{literal.name}` has a literal as its default")


def stands_in(literal: NamedLiteral) -> bool:
    """A dummy for another service's key: calls fail with it, but nobody gets in."""
    return "api" in identifier_words(literal.name) and bool(
        {"dummy", "fake", "none", "unset", "placeholder"}.intersection(identifier_words(literal.text))
    )


def report(literal: NamedLiteral, what: str) -> Hit:
    hit = Hit(
        f"{what}, so a deployment that forgets it runs with a secret that everybody knows; require it instead.",
        literal.location,
        function=literal.fn.fqn,
    )
    return replace(hit, profile="strict") if for_development(literal.fn.path) else hit
