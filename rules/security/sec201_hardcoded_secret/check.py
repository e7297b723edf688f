from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    Call,
    Fn,
    Hit,
    NamedLiteral,
    Project,
    below,
    for_development,
    issued_key,
    known_shape,
    only_by_hand,
    secret_like,
    sensitive,
)

EXAMPLE = re.compile(r"(x[-_])?examples?", re.IGNORECASE)
"""What a schema shows of a value."""
WARNS = re.compile(r"warn(ing)?|write|error|exception|echo|secho|style|add_error|append|flash", re.IGNORECASE)
"""Calls that say what is wrong."""
HOW = {"compared": "is compared with", "argument": "is passed", "default": "defaults to", "fallback": "falls back to"}


def check(project: Project) -> Iterator[Hit]:
    defaults = {
        literal.location
        for literal in project.literals.named
        if literal.how == "environment" or is_setting(project, literal) or EXAMPLE.fullmatch(literal.name)
    }
    shaped = set()
    for found in known_shape(project):
        if found.location in defaults:
            continue  # the default of a setting: SEC203
        shaped.add(found.location)
        yield Hit(
            f"{found.what} is written in the source, so everybody who can read the code has it; read it from the environment "
            "or a secret store, and change it.",
            found.location,
            function=found.fn.fqn,
        )
    for literal in project.literals.named:
        if literal.how == "environment" or is_setting(project, literal) or literal.location in shaped:
            continue
        named = sensitive(literal.name) == "secret" and secret_like(literal.name, literal.text)
        if (named or issued_key(literal.name, literal.text)) and not is_refused(literal):
            soft = for_development(literal.fn.path) or (literal.how == "argument" and only_by_hand(project, literal.fn))
            yield replace(report(literal), profile="strict") if soft else report(literal)


def is_refused(literal: NamedLiteral) -> bool:
    """`if password == "password": raise ...`: what nobody may use, or is warned about."""
    fn = literal.fn
    for number, block in enumerate(fn.facts.blocks) if literal.how == "compared" else ():
        test = fn.unguarded(block.value) if block.kind == "if" and block.value >= 0 else ("unknown",)
        if test[0] != "compare" or test[1] != ("==",) or literal.vid not in test[2]:
            continue
        inside = below(fn.facts, number)
        calls = [call for call in fn.calls if call.block in inside]
        changed = any(item.block in inside for item in fn.facts.stores)
        changed = changed or any(item.block in inside for item in fn.facts.returns)
        if block.exits == "raise" or (calls and not changed and all(warns(fn, call) for call in calls)):
            return True
    return False


def warns(fn: Fn, call: Call) -> bool:
    """Whether the call says what is wrong; a `print` to standard output may as well say that somebody is in."""
    name = fn.callee_name(call)
    return WARNS.fullmatch(name) is not None or (name == "print" and call.kwarg("file") >= 0)


def is_setting(project: Project, literal: NamedLiteral) -> bool:
    """A default in a settings class is SEC203; members of an enumeration are names."""
    cls = literal.cls
    if cls is None:
        return False
    return project.hierarchy.role(cls) == "settings" or project.hierarchy.is_a(cls, "enum.Enum")


def report(literal: NamedLiteral) -> Hit:
    how = HOW.get(literal.how, "is")
    return Hit(
        f"`{literal.name}` {how} a literal in the source, so everybody who can read the code has it; read it from the "
        "environment or a secret store, and change it.",
        literal.location,
        function=literal.fn.fqn,
    )
