"""REL311: a row lock that ends with its own statement."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import (
    Call,
    Edge,
    Fn,
    Hit,
    Profile,
    Project,
    Span,
    for_tests,
    given,
    ingredients,
    receiver,
    ruled_out,
)

FOR_UPDATE = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+)?(?:UPDATE|SHARE)\b", re.IGNORECASE)
WRITES = re.compile(
    r"\b(?:UPDATE\s+(?!OF\b|NOWAIT\b|SKIP\b)[\w\"`.]+(?:\s+(?:AS\s+)?\w+)?\s+SET|DELETE\s+FROM|INSERT\s+INTO)\b",
    re.IGNORECASE,
)
"""One statement that locks rows and changes them is a transaction by itself: a queue's `UPDATE ... WHERE id IN (SELECT ...)`."""
_CHANGES = ("db-write", "flush", "commit")
LAZY = frozenset(
    "all filter exclude order_by select_related prefetch_related only defer using distinct annotate reverse union".split()
)
"""Methods of a query that run nothing yet."""
OWN = ("update_or_create",)
"""Operations that look for the row, and write it, in a transaction of their own (Django 5.2)."""
_STATES = ("get_autocommit", "in_atomic_block", "in_transaction")
"""What tells whether a transaction is open."""


def check(project: Project) -> Iterator[Hit]:
    """Locking ORM queries and `SELECT ... FOR UPDATE` by connections that commit each statement."""
    for fn in project.all_functions():  # their callers, who may be at fault, lie in other files
        for site in project.effects.direct(fn):
            orm = site.model.orm
            locks = orm is not None and orm.op == "lock" and project.transactions.autocommits(site.model)
            if locks and not _run_inside(project, fn, site.call):
                yield from _judged(project, fn, site.call.span, site.call.block)
        for query in project.queries.sent(fn):
            text = project.queries.text(fn, query.call) if query.call is not None else ""
            if not FOR_UPDATE.search(text) or WRITES.search(text):
                continue
            if project.transactions.autocommits(query.model):
                yield from _judged(project, fn, query.span, query.block)
            elif query.call is not None:
                yield from _by_others(project, fn, query.block, helped=query.call)


def _judged(project: Project, fn: Fn, span: Span, block: int) -> Iterator[Hit]:
    opening = project.transactions.open_at(fn, block)
    if _built_for_others(project, fn) or _asked_first(fn, block):
        return
    if opening is not None:
        yield from (
            _by_others(project, fn, block, "; other callers open a transaction for it")
            if opening.kind == "caller"
            else ()
        )
        return
    if _hands_on(project, fn):
        yield from _by_others(project, fn, block)
        return
    yield Hit(
        f"`{fn.name}()` locks rows outside of a transaction: the lock is refused or gone as soon as the query has run, and protects "
        "nothing; open the transaction around the query and the write.",
        fn.location(span),
        function=fn.fqn,
        profile=_profile(project, fn),
    )


def _run_inside(project: Project, fn: Fn, call: Call) -> bool:
    """`rows = Job.objects.select_for_update().filter(...)`, then `with transaction.atomic(): for row in rows:`. The query runs where
    its rows are first asked for."""
    lazy, runs = {call.value}, list[tuple[Span, int]]()
    for other in fn.calls:
        if receiver(fn, other) not in lazy:
            continue
        if fn.callee_name(other) in LAZY:
            lazy.add(other.value)
        elif any(model.orm is not None and model.orm.op in OWN for model in project.models(fn, other)):
            return True
        else:
            runs.append((other.span, other.block))
    loops = (item for item in fn.facts.blocks if item.kind in ("for", "comp") and item.value in lazy)
    runs += [(item.span, item.parent) for item in loops]
    runs += [(other.span, other.block) for other in fn.calls if not lazy.isdisjoint(other.passed)]
    handed = any(item.value in lazy for item in fn.facts.returns)
    return bool(runs) and not handed and project.transactions.around(fn, min(runs)[1]) is not None


def _profile(project: Project, fn: Fn) -> Profile | None:
    """`def save(self)` of a model: whoever saves the object decides about the transaction, and most do not lie before us."""
    hook = fn.cls is not None and fn.name in ("save", "delete") and project.hierarchy.role(fn.cls) == "model"
    return "strict" if hook else None


def _hands_on(project: Project, fn: Fn) -> bool:
    """A function that locks rows for those that call it, and changes none itself."""
    returns = any(item.value >= 0 and fn.const(item.value) is ... for item in fn.facts.returns)
    called = any(edge.kind == "call" and not for_tests(project, edge.caller) for edge in project.graph.callers(fn))
    return returns and called and fn.fqn not in project.route_functions and not project.effects.has(fn, *_CHANGES)


def _by_others(project: Project, fn: Fn, block: int, more: str = "", helped: Call | None = None) -> Iterator[Hit]:
    """Calls, by functions that open no transaction, of a function that locks when it is called so; `helped` hands the query
    to a helper, which has to end its transaction."""
    for edge in project.graph.callers(fn):
        if edge.call is None or edge.kind != "call" or for_tests(project, edge.caller):
            continue
        if (
            ruled_out(fn, block, given(edge))
            or _on_other_branch(fn, block, edge)
            or (helped and not project.queries.ended(fn, helped, edge))
        ):
            continue
        if project.transactions.open_at(edge.caller, edge.block) is None and not _asked_first(edge.caller, edge.block):
            yield Hit(
                f"`{edge.caller.name}()` has `{fn.name}()` lock rows outside of a transaction: the lock is refused or gone as soon as "
                "the query has run, and protects nothing; open the transaction around the call and the write.",
                edge.caller.location(edge.span),
                related=(fn.step(fn.facts.header, f"locks rows{more}"),),
                function=edge.caller.fqn,
                profile=_profile(project, edge.caller),
            )


def _on_other_branch(fn: Fn, block: int, edge: Edge) -> bool:
    """`if lock: with atomic(): store()`, `else: store()`, where the inner function locks under the same `if lock:`."""
    asked = {(value[1], outcome) for test, outcome in fn.tests_of(block) if (value := fn.value(test))[0] == "outer"}
    return fn.parent is edge.caller and any(
        (test, not outcome) in asked for test, outcome in edge.caller.tests_of(edge.block)
    )


def _asked_first(fn: Fn, block: int) -> bool:
    """`if not transaction.get_autocommit():`, `if connection.in_atomic_block:` around the query, or that it must be so."""
    tests = [item.value for item in fn.facts.statements if item.kind == "assert"]
    for _, item in fn.blocks_of(block):
        if item.kind in ("if", "else"):
            tests.append(item.value if item.kind == "if" else fn.facts.blocks[item.group].value)
    parts = (fn.value(vid) for vid in ingredients(fn.facts, tests))
    return any(value[0] in ("attr", "name") and str(value[-1]).endswith(_STATES) for value in parts)


def _built_for_others(project: Project, fn: Fn) -> bool:
    """A function without known callers that returns the query: who runs it decides."""
    return (
        not project.graph.callers(fn)
        and fn.fqn not in project.route_functions
        and any(any(ref.name.endswith("QuerySet") for ref in project.refs(fn, item.value)) for item in fn.facts.returns)
    )
