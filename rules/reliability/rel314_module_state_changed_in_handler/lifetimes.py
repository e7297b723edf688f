"""State that lasts as long as something runs."""

from __future__ import annotations

from backendlint.api import Fn, Project

from .mutations import deletions
from .state import dotted_state, module_name, root


def restored(fn: Fn, block: int, name: str) -> bool:
    """`flag = True`, `try: ...`, `finally: flag = False`: changed for as long as something runs."""
    homes = {
        store.block for store in fn.facts.stores if not store.name and store.key < 0
        and str(fn.facts.values[root(fn, store.base)][-1]).rpartition(".")[2] == name
    }  # fmt: skip
    return len(homes) > 1 and any(fn.inside(number, "finally") is not None for number in homes)


def under_way(project: Project, fn: Fn, name: str) -> bool:
    """A set from which a `finally` takes out again what was put in: what this process is at work on."""
    for owner in project.functions_of(fn.file):
        for call in owner.facts.calls:
            value = owner.facts.values[call.func]
            dotted, _, method = str(value[1]).rpartition(".") if value[0] == "name" else ("", "", "")
            taken = method in ("discard", "remove") and owner.inside(call.block, "finally") is not None
            if taken and dotted_state(project, owner, dotted)[0] == name:
                return True
    return False


def ended(project: Project, fn: Fn, name: str) -> bool:
    """`waiting[queue] = wish`, `finally: del waiting[queue]` of a queue that is made here: of use to this process alone, and for
    as long as the function runs."""
    made = (store for store in fn.facts.stores if store.key >= 0 and module_name(project, fn, store.base) == name)
    return any(fn.value(root(fn, store.key))[0] == "call" for store in made) and any(
        deleted == name and fn.inside(block, "finally") is not None for deleted, _, block, _ in deletions(project, fn)
    )
