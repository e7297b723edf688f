"""REL302: a handler around writes that goes on without a rollback."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Block, Call, Fn, Hit, Project, below, runs_by_hand, siblings

STORES = frozenset({"commit", "flush"})
CAUGHT = ("builtins.Exception", "builtins.BaseException")


def check(project: Project) -> Iterator[Hit]:
    """One hit a handler that swallows a failed commit or flush and leaves the session as it is."""
    for fn in project.all_functions():
        for site in project.effects.direct(fn):
            if site.model.transaction not in STORES or not project.transactions.implicit(site.model):
                continue
            handler = _handler(project, fn, site.call)
            if handler < 0 or project.transactions.around(fn, site.call.block) is not None:
                continue
            if _rolled_back(project, fn, handler) or _closed(project, fn, site.call, fn.facts.blocks[handler]):
                continue
            block = fn.facts.blocks[handler]
            yield Hit(
                f"The handler in `{fn.name}()` goes on after a failed {site.model.transaction} without a rollback: the "
                "session stays in its failed transaction, and what uses it next fails too; call `rollback()` here.",
                fn.location(
                    block.span._replace(end_line=block.span.line, end_column=block.span.column + len("except"))
                ),
                related=(fn.step(site.call.span, f"the {site.model.transaction} that can fail"),),
                function=fn.fqn,
                profile="strict" if runs_by_hand(project, fn) else None,
            )


def _handler(project: Project, fn: Fn, call: Call) -> int:
    """The handler that catches a database error of the call, if it does not raise again."""
    for index, types in project.exceptions.handlers(fn, call.block):
        if fn.facts.blocks[index].kind != "except":
            continue
        database = any(
            name in CAUGHT or project.exception_kind(name) in ("infrastructure", "integrity") for name in types
        )
        if database:
            raises = any(index in {number for number, _ in fn.blocks_of(item.block)} for item in fn.facts.raises)
            return -1 if raises else index
    return -1


def _rolled_back(project: Project, fn: Fn, handler: int) -> bool:
    """A rollback or close in the handler or the finally block, directly or through a callee."""
    blocks = set(below(fn.facts, handler))
    for index in siblings(fn.facts, handler, "finally"):
        blocks |= below(fn.facts, index)
    for call in fn.calls:
        if call.block not in blocks:
            continue
        if project.effects.call_effects(fn, call) & {"rollback"} or any(
            model.closes for model in project.models(fn, call)
        ):
            return True
        value = fn.facts.values[call.func]
        name = str(value[-1] if value[0] == "attr" else value[1]) if value[0] in ("attr", "name") else ""
        if "rollback" in name.lower() or name.endswith(("abort", "close", "exit")):
            return True
    return False


def _closed(project: Project, fn: Fn, call: Call, handler: Block) -> bool:
    """A `with` around the call but inside the handler's `try` ends the transaction before the handler runs; so does one
    around the whole, if nothing follows."""
    for number, item in fn.blocks_of(call.block):
        if number == handler.group:
            break
        if item.kind == "with" and item.value >= 0:
            return True
    return (
        any(
            item.kind == "with" and project.is_instance(fn, item.value, *SESSIONS)
            for _, item in fn.blocks_of(handler.group)
        )
        and handler.exits == "return"
    )


SESSIONS = ("sqlalchemy.orm.Session", "sqlalchemy.ext.asyncio.AsyncSession")
