"""Calls whose mapping becomes the attributes of a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from backendlint.api import Call, Fn, Project, Vid, stored_entity

WRITES = {"create", "update", "get_or_create", "update_or_create", "values"}
COLUMNS = ("psycopg.sql.Identifier", "psycopg2.sql.Identifier")
CHANGES = re.compile(r"\b(UPDATE|INSERT)\b", re.IGNORECASE)


def candidates(project: Project) -> Iterator[tuple[Fn, Call]]:
    """Calls that spread a mapping, set an attribute or update something; each once."""
    updates = ((fn, call) for fn, call, model in project.effects.sites if model.orm and model.orm.op == "update")
    graph = project.graph
    spread = graph.calls_with("**")
    columns = graph.calls_written("Identifier")
    found = chain(graph.calls_of("builtins.setattr"), graph.calls_written("update"), updates, spread, columns)
    yield from {(fn.fqn, call.value): (fn, call) for fn, call in found}.values()


def assigned(project: Project, fn: Fn, call: Call) -> tuple[Vid, str] | None:
    """The mapping or key whose content becomes attributes of an entity, and the entity's name."""
    spread = next((vid for key, vid in call.kwargs if key == "**"), -1)
    for ref in project.callees(fn, call):
        if spread >= 0 and ref.kind == "class" and stored_entity(project, project.classes[ref.name]):
            return spread, project.classes[ref.name].name
        if ref.name == "builtins.setattr" and len(call.args) == 3 and fn.const(call.args[1]) is ...:
            return call.args[1], "an object"
        if ref.name in ("builtins.dict.update", "dict.update") and call.args and _on_attributes(fn, call):
            return call.args[0], "an object"
        if ref.name in COLUMNS and len(call.args) == 1 and _changes_rows(fn):
            keys = _keys_of(fn, call.args[0])
            return (keys, "a row") if keys >= 0 else None
    if call.args and _on_attributes(fn, call):
        return call.args[0], "an object"
    for model in project.models(fn, call):
        if spread >= 0 and model.orm is not None and model.orm.op in WRITES:
            return spread, "a row"
        if (
            model.orm is not None
            and model.orm.op == "update"
            and model.name.endswith(".update")
            and len(call.args) == 1
            and not call.kwargs
        ):
            return call.args[0], "rows"
    return None


def _on_attributes(fn: Fn, call: Call) -> bool:
    """`obj.__dict__.update(...)`."""
    value = fn.facts.values[call.func]
    if value[0] != "attr" or value[2] != "update":
        return False
    owner = fn.facts.values[value[1]]
    return bool(owner[0] == "attr" and owner[2] == "__dict__")


def _keys_of(fn: Fn, vid: Vid) -> Vid:
    """The mapping whose keys are gone through, of which the value is one; -1 where it is something else."""
    value = fn.unguarded(vid)
    if value[0] != "elem":
        return -1
    inner = fn.unguarded(value[1])
    called = fn.facts.calls[inner[1]] if inner[0] == "call" else None
    func = fn.facts.values[called.func] if called is not None else ("unknown",)
    return int(func[1] if func[0] == "attr" and func[2] == "keys" else value[1])


def _changes_rows(fn: Fn) -> bool:
    """Whether the function writes an UPDATE or INSERT."""
    return any(
        value[0] == "const" and isinstance(value[1], str) and CHANGES.search(value[1]) for value in fn.facts.values
    )
