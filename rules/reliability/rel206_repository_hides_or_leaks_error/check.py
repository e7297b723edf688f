"""REL206: a database error that looks like an empty result, or a driver's exception that siblings would wrap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from backendlint.api import (
    SLIPS,
    Block,
    Fn,
    Hit,
    Project,
    Return,
    Vid,
    below,
    by_style,
    clause,
    comments_in,
    here_and_in,
    ingredients,
    log_call,
    told_once,
    waits_there,
)

DATABASE = ("db", "db-read", "db-write", "commit", "flush", "db-connect")
READS = frozenset({"db", "db-read"})
ALL = ("builtins.Exception", "builtins.BaseException")
LAYERS = frozenset({"repository", "service", "model"})
MANAGERS = frozenset({"django.db.models.Manager", "django.db.models.QuerySet"})
FILES = (
    "builtins.OSError",
    "builtins.FileNotFoundError",
    "builtins.FileExistsError",
    "builtins.IsADirectoryError",
    "builtins.NotADirectoryError",
    "builtins.PermissionError",
    "builtins.ProcessLookupError",
    "builtins.ChildProcessError",
)
"""Failures of files and processes: none of a database's exceptions is one of them."""
FAILING = " when the database fails"
SAYS = re.compile(r"fail|error|cannot|could not|can't|unavailable|exception|signal", re.IGNORECASE)
"""Of a sentence that says what a failure gives."""
REASON = re.compile(r"(?!todo|fixme|xxx|hack|noqa|pylint|log|return|raise)\w+( [\w`'-]+){3}", re.IGNORECASE)
"""A comment of words, which is neither a marker nor code that was taken out."""
TIDIES = re.compile(r"(^|_)(clean_?up|purge|prune|vacuum|sweep|expire)(_|$)")
"""Functions that run again and again and say how many rows are gone, which nothing hangs on."""
PERMITS = re.compile(r"(^|_)(permi\w*|perms?|allowed|authori[sz]ed|can|may)(_|$)")
"""Functions that say whether somebody may do something."""
NEVER_NONE = frozenset(
    {"builtins.int", "builtins.len", "builtins.bool", "builtins.str", "builtins.float", "builtins.list"}
)
NUMBERS = frozenset({"Decimal", "Fraction", "timedelta"})
HOLDERS = frozenset({"set", "dict", "list", "tuple", "frozenset", "OrderedDict", "Counter", "none"})
"""What makes an empty result where it is given nothing."""
EMPTY = ("list", "tuple", "set", "dict")


def check(project: Project) -> Iterator[Hit]:
    """Hidden errors first, then those that get out of repositories."""
    styles = by_style(project, project.functions_with("except"), partial(_all_hidden, project))
    yield from styles.pop("", ())
    for hits in styles.values():
        yield from told_once(hits, partial(here_and_in, after=FAILING), SLIPS, severity=None)
    for leak in project.error_paths.unwrapped("repository"):
        short = leak.name.rpartition(".")[2]
        yield Hit(
            f"`{leak.fn.name}()` lets the driver's `{short}` out, while siblings such as `{leak.sibling.name}()` wrap it: callers have "
            "to know the database library; raise the project's exception from it.",
            leak.fn.location(leak.escape.span),
            related=(leak.sibling.step(leak.sibling.facts.header, "wraps it"),),
            function=leak.fn.fqn,
        )


def _keeps(project: Project, fn: Fn, inside: frozenset[int]) -> bool:
    """Whether success returns the row that the function has made and stored: `None` is that it was not stored."""
    given = [item.value for item in fn.facts.returns if item.block not in inside]
    rows = [vid for vid in given if vid >= 0 and fn.const(vid) is not None]
    return (
        bool(rows)
        and all(_is_made(project, fn, vid) for vid in rows)
        and project.effects.has(fn, "db-write", "commit", "flush")
    )


def _all_hidden(project: Project, functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and whether it is one of those that are told once where there are many."""
    for fn in functions:
        if project.layer(fn) in LAYERS or _manages(project, fn):
            for index, block in enumerate(fn.facts.blocks):
                if block.kind == "except":
                    for hit in _hidden(project, fn, index, block):
                        yield hit, "" if hit.profile else "hidden"


def _manages(project: Project, fn: Fn) -> bool:
    """A method of a manager or a queryset of the project's own."""
    return fn.cls is not None and not MANAGERS.isdisjoint(project.hierarchy.library_bases(fn.cls))


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
                agreed = (
                    _is_agreed(fn, what)
                    or _is_explained(project, fn, block)
                    or _only_updates(project, fn, block)
                    or (what == "`None`" and _keeps(project, fn, inside))
                    or (what == "nothing" and _is_told(fn, inside))
                )
                yield Hit(
                    f"`{fn.name}()` returns {what}{FAILING}: its caller cannot tell a failure from an empty result and "
                    "goes on with it; raise one of the project's exceptions from the error.",
                    fn.location(clause(fn.facts, index)),
                    related=(fn.step(item.span, "returned here"),),
                    function=fn.fqn,
                    profile="strict" if agreed else None,
                )
                return


def _is_agreed(fn: Fn, what: str) -> bool:
    """Whether the docstring says that a failure gives this (`Returns None when the count cannot be read`), it is how many
    rows have been tidied up, or it refuses what nobody can say is allowed."""
    if (what == "`0`" and TIDIES.search(fn.name)) or (what == "`False`" and PERMITS.search(fn.name)):
        return True
    value = re.escape(what.strip("`").rpartition(" ")[2])
    sentences = re.split(r"\.\s|\n\s*\n|^\s*[-*]\s", fn.facts.docstring, flags=re.MULTILINE)
    told = [
        re.search(rf"\b{value}\b[`\s]*(to |when |if |on |where |in case )(.*)", item, re.DOTALL) for item in sentences
    ]
    return any(match is not None and SAYS.search(match[2]) is not None for match in told)


def _is_explained(project: Project, fn: Fn, block: Block) -> bool:
    """Whether a comment in the handler says why: `# the tables may not be there yet`; what is still to be done is no reason."""
    said = comments_in(project, fn.path, block.span)
    return bool(said) and REASON.match(said[0].lstrip("# \t")) is not None


def _is_told(fn: Fn, inside: frozenset[int]) -> bool:
    """Whether the handler logs the failure in a function that never gives anything: no caller takes it for a result."""
    gives = any(item.is_yield or (item.value >= 0 and fn.const(item.value) is not None) for item in fn.facts.returns)
    return not gives and any(call.block in inside and log_call(fn.file, fn.facts, call) for call in fn.calls)


def _only_updates(project: Project, fn: Fn, block: Block) -> bool:
    """`row.save(update_fields=[...])` alone: by its `DatabaseError` Django says that the row is gone."""
    tried = below(fn.facts, block.group)
    asking = [site.call for site in project.effects.direct(fn) if site.call.block in tried]
    forced = [
        call for call in asking if call.kwarg("update_fields") >= 0 or fn.const(call.kwarg("force_update")) is True
    ]
    types = project.exceptions.caught_types(fn, block)
    return bool(forced) and forced == asking and all(name.endswith(".DatabaseError") for name in types)


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
    """`Report(rows)`, `{"rows": rows}`, `int(count)`: never nothing."""
    value = fn.unguarded(vid)
    if value[0] == "const":
        return value[1] is not None
    if value[0] in EMPTY:
        return bool(value[1])
    refs = project.callees(fn, fn.calls[value[1]]) if value[0] == "call" else ()
    return bool(refs) and all(ref.kind == "class" or ref.name in NEVER_NONE for ref in refs)


def _for_database(project: Project, fn: Fn, block: Block) -> bool:
    """Whether the handler is for failures of the database: by the classes, or by all that its `try` does."""
    types = project.exceptions.caught_types(fn, block)
    if not any(
        name in ALL or (project.exception_kind(name) == "infrastructure" and name not in FILES) for name in types
    ):
        return False
    return waits_there(project, fn, block.group, *DATABASE)


def _empty(fn: Fn, item: Return) -> str:
    if item.value < 0:
        return "nothing"
    value = fn.facts.values[item.value]
    if value[0] == "const" and value[1] in (None, False, 0, ""):
        return f"`{value[1]!r}`"
    if value[0] in EMPTY and not value[1]:
        return f"an empty {value[0]}"
    return _made_empty(fn, item.value)


def _made_empty(fn: Fn, vid: Vid) -> str:
    """`Decimal("0")`, `set()`, `Ferry.objects.none()`."""
    value = fn.unguarded(vid)
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    if call is None or call.kwargs:
        return ""
    name = fn.callee_name(call)
    given = [fn.const(part) for part in call.args]
    if name in NUMBERS and all(str(part).strip("0.") == "" for part in given):
        return f"`{name}(0)`"
    return f"`{name}()`" if not given and name in HOLDERS else ""
