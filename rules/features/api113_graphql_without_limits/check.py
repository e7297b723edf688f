from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backendlint.api import Call, Fn, Hit, Project

LIMIT = re.compile(
    r"depth_?limit|limit_?depth|complexity|query_?cost|cost_(validator|analysis)|max_?(depth|tokens|aliases|complexity|cost)",
    re.IGNORECASE,
)


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    places = made(project, options["schemas"]) or made(project, options["endpoints"])
    if not places or limited(project):
        return
    for fn, call, name in places:
        yield Hit(
            f"`{name}` serves queries of any depth and cost: a few hundred bytes can load millions of rows. Limit depth, aliases and cost.",
            fn.location(call.span),
            function=fn.fqn,
        )


def made(project: Project, names: Sequence[str]) -> list[tuple[Fn, Call, str]]:
    return [(fn, call, name) for name in names for fn, call in project.graph.calls_of(name)]


def limited(project: Project) -> bool:
    """A limiter that the project imports, calls or configures."""
    for file in project.files.values():
        if any(LIMIT.search(item.target) for item in file.imports):
            return True
        for function in file.functions:
            if any(LIMIT.search(key) for call in function.calls for key, _ in call.kwargs):
                return True
            if any(value[0] in ("name", "attr") and LIMIT.search(str(value[-1])) for value in function.values):
                return True
    return False
