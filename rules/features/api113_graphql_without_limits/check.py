from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backendlint.api import Call, Fn, Hit, Project, aliases, receiver

LIMIT = re.compile(
    r"depth_?limit|limit_?depth|complexity|query_?cost|cost_(validator|analysis)|max_?(depth|tokens|aliases|complexity|cost)",
    re.IGNORECASE,
)

GRAPHQL = re.compile(r"graph_?ql|graphene|strawberry|ariadne|tartiflette", re.IGNORECASE)


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    places = made(project, options["schemas"]) or made(project, options["endpoints"])
    bounded = [limits(fn, call) for fn, call, _ in places]
    if not places or (limited(project) and not any(bounded)):
        return
    for (fn, call, name), own in zip(places, bounded, strict=True):
        if own or only_tried(project, fn, call):
            continue
        yield Hit(
            f"`{name}` serves queries of any depth and cost: a few hundred bytes can load millions of rows. Limit depth, aliases and cost.",
            fn.location(call.span),
            function=fn.fqn,
        )


def made(project: Project, names: Sequence[str]) -> list[tuple[Fn, Call, str]]:
    return [(fn, call, name) for name in names for fn, call in project.graph.calls_of(name)]


def only_tried(project: Project, fn: Fn, call: Call) -> bool:
    """A script of its own that asks the schema by itself (`schema.execute(QUERY)`), and serves nobody."""
    held = aliases(fn.facts, call.value)
    asks = (item for item in fn.calls if fn.callee_name(item).startswith("execute"))
    dotted = {f"{fn.file.module}.{item.name}" for item in fn.facts.bindings if item.value == call.value}
    asked = any(receiver(fn, item) in held or fn.dotted(item.func).rpartition(".")[0] in dotted for item in asks)
    return fn.is_module and asked and not project.importers.of(fn.file)


def limits(fn: Fn, call: Call) -> bool:
    """A limiter among this schema's own extensions or rules."""
    todo = [vid for _, vid in call.kwargs]
    while todo:
        value = fn.facts.values[todo.pop()]
        if value[0] in ("list", "tuple"):
            todo.extend(value[1])
        elif value[0] == "call":
            todo.append(fn.facts.calls[value[1]].func)
            todo.extend(fn.facts.calls[value[1]].args)
        elif value[0] in ("name", "attr") and LIMIT.search(str(value[-1])):
            return True
    return False


def limited(project: Project) -> bool:
    """A limiter that is imported from a GraphQL library, or is called, configured or named where one is used."""
    for file in project.files.values():
        imported = any(GRAPHQL.search(item.target) for item in file.imports)
        if any(LIMIT.search(item.target) and GRAPHQL.search(item.target) for item in file.imports):
            return True
        for function in file.functions:
            keys = [key for call in function.calls for key, _ in call.kwargs]
            names = [str(value[-1]) for value in function.values if value[0] in ("name", "attr")]
            names += [binding.name for binding in function.bindings]
            if any(LIMIT.search(text) and (imported or GRAPHQL.search(text)) for text in (*keys, *names)):
                return True
    return False
