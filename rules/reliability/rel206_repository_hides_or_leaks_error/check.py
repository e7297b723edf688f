"""REL206: a database error that looks like an empty result, or a driver's exception that siblings would wrap."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Block, Fn, Hit, Project, Return, Vid, below, clause, ingredients, waiting_sites

DATABASE = ("db", "db-read", "db-write", "commit", "flush", "db-connect")
READS = frozenset({"db", "db-read"})
ALL = ("builtins.Exception", "builtins.BaseException")
LAYERS = frozenset({"repository", "service", "model"})
FILES = ("builtins.OSError", "builtins.FileNotFoundError", "builtins.IsADirectoryError", "builtins.NotADirectoryError")
"""Failures of files: none of a database's exceptions is one of them."""
EMPTY = ("list", "tuple", "set", "dict")


def check(project: Project) -> Iterator[Hit]:
    """Hidden errors first, then those that get out of repositories."""
    for fn in project.reviewed():
        if project.layer(fn) in LAYERS:
            for index, block in enumerate(fn.facts.blocks):
                if block.kind == "except":
                    yield from _hidden(project, fn, index, block)
    for leak in project.error_paths.unwrapped("repository"):
        short = leak.name.rpartition(".")[2]
        yield Hit(
            f"`{leak.fn.name}()` lets the driver's `{short}` out, while siblings such as `{leak.sibling.name}()` wrap it: callers have "
            "to know the database library; raise the project's exception from it.",
            leak.fn.location(leak.escape.span),
            related=(leak.sibling.step(leak.sibling.facts.header, "wraps it"),),
            function=leak.fn.fqn,
        )


def _hidden(project: Project, fn: Fn, index: int, block: Block) -> Iterator[Hit]:
    inside = below(fn.facts, index)
    if block.exits != "return" or any(item.block in inside for item in fn.facts.raises):
        return
    if not _for_database(project, fn, block) or project.exceptions.reraises(fn, index):
        return
    for item in fn.facts.returns:
        if item.block == index and not item.is_yield:
            what = _empty(fn, item)
            if what and not _tells(project, fn, item, inside) and (what != "`False`" or _asks(project, fn, inside)):
                yield Hit(
                    f"`{fn.name}()` returns {what} when the database fails: its caller cannot tell a failure from an empty result and "
                    "goes on with it; raise one of the project's exceptions from the error.",
                    fn.location(clause(fn.facts, index)),
                    related=(fn.step(item.span, "returned here"),),
                    function=fn.fqn,
                )
                return


def _asks(project: Project, fn: Fn, inside: frozenset[int]) -> bool:
    """Whether what is returned where all went well is `False` too, or comes from the database: else it is that something
    was not done."""
    given = [item.value for item in fn.facts.returns if item.block not in inside and item.value >= 0]
    if any(fn.const(vid) is False for vid in given):
        return True
    parts = ingredients(fn.facts, given)
    return any(
        site.call.value in parts and not READS.isdisjoint(site.model.effect) for site in project.effects.direct(fn)
    )


def _tells(project: Project, fn: Fn, item: Return, inside: frozenset[int]) -> bool:
    """`False` for nothing but a failure, where success returns True, or `None` where it returns an object that it makes:
    the caller can tell."""
    given = [other.value for other in fn.facts.returns if other.block not in inside]
    others = [fn.const(vid) for vid in given]
    if item.value < 0 or fn.const(item.value) is None:
        ends = bool(fn.facts.blocks[0].exits)  # nowhere at its end, with nothing
        return ends and bool(given) and all(vid >= 0 and _is_made(project, fn, vid) for vid in given)
    return fn.const(item.value) is False and True in others and False not in others


def _is_made(project: Project, fn: Fn, vid: Vid) -> bool:
    """`Report(rows)`, `{"rows": rows}`: never nothing."""
    value = fn.unguarded(vid)
    if value[0] in EMPTY:
        return bool(value[1])
    refs = project.callees(fn, fn.calls[value[1]]) if value[0] == "call" else ()
    return bool(refs) and all(ref.kind == "class" for ref in refs)


def _for_database(project: Project, fn: Fn, block: Block) -> bool:
    """Whether the handler is for failures of the database: by the classes, or by all that its `try` does."""
    types = project.exceptions.caught_types(fn, block)
    if not any(
        name in ALL or (project.exception_kind(name) == "infrastructure" and name not in FILES) for name in types
    ):
        return False
    inside = below(fn.facts, block.group)
    read = any(query.block in inside for query in project.queries.direct(fn))  # `list(Order.objects.all())`
    return read or bool(waiting_sites(project, fn, block.group, *DATABASE))


def _empty(fn: Fn, item: Return) -> str:
    if item.value < 0:
        return "nothing"
    value = fn.facts.values[item.value]
    if value[0] == "const" and value[1] in (None, False, 0, ""):
        return f"`{value[1]!r}`"
    if value[0] in EMPTY and not value[1]:
        return f"an empty {value[0]}"
    return ""
