"""PERF106: OFFSET that is deep, or as deep as the caller likes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from backendlint.api import Call, Fn, Hit, Location, Project, Span, SqlStatement, Step, sql

from .keysets import keysets, paging_views

PAGES = ("rest_framework.pagination.LimitOffsetPagination", "rest_framework.pagination.PageNumberPagination")
QUERYSET = "django.db.models.QuerySet"
DEEP = 5000
"""From this constant offset on it is no matter of taste."""
VIEW = (
    "This view's pages are numbered or begin at an offset, so the database reads and throws away all rows before a page, and each is "
    "slower than the one before; continue after the last row's key, as other views do: CursorPagination."
)


def check(project: Project) -> Iterator[Hit]:
    """Deep ones always; the others where most of the project's pages continue after a key instead."""
    found = list(_hits(project))
    yield from (hit for hit in found if hit.profile is not None)
    pages = [hit for hit in found if hit.profile is None]
    views = list(paging_views(project, PAGES))
    others = list(keysets(project)) if pages or views else []
    usual = len(others) >= len(pages) + len(views)
    if others and usual:
        step = Step(others[0], "other pages continue after a key, as here")
        yield from (replace(hit, profile="default", severity="warning", related=(*hit.related, step)) for hit in pages)
        yield from (
            Hit(VIEW, place, related=(step,), profile="default", severity="warning")
            for place in views
            if project.counts(place)
        )
    else:
        yield from pages


def _hits(project: Project) -> Iterator[Hit]:
    """SQL texts, then SQLAlchemy's `offset()` and slices of Django's querysets."""
    for statement in project.data.reviewed:
        if "OFFSET" in statement.text.upper() and not statement.in_migration and statement.tree is not None:
            for offset in statement.tree.find_all(exp.Offset):
                yield from _statement(statement, offset)
    for fn in project.reviewed():
        yield from _calls(project, fn)
        if project.imports("django"):
            yield from _slices(project, fn)


def _slices(project: Project, fn: Fn) -> Iterator[Hit]:
    """`queryset[start:end]`, which Django sends as OFFSET and LIMIT."""
    for vid in fn.made_by("slice"):
        value = fn.value(vid)
        if value[2] < 0:
            continue
        constant = fn.const(value[2])
        if (isinstance(constant, int) and constant < DEEP) or not project.is_instance(fn, value[1], QUERYSET):
            continue
        deep = isinstance(constant, int)
        yield Hit(
            f"The slice in `{fn.name}()` makes the database read and throw away all rows before the page, so each page is slower than "
            "the one before; continue after the last row's key: filter(id__gt=last).order_by('id')[:size].",
            fn.place(vid),
            function=fn.fqn,
            profile="default" if deep else None,
            severity="warning" if deep else None,
        )


def _statement(statement: SqlStatement, offset: exp.Offset) -> Iterator[Hit]:
    value = offset.expression
    number = int(value.this) if isinstance(value, exp.Literal) and str(value.this).isdigit() else None
    bound = statement.bound(value)
    number = bound if isinstance(bound, int) else number
    if number is not None and number < DEEP:
        return
    word = next((token for token in statement.tokens if token.word("OFFSET")), statement.tokens[0])
    at = (word.start - statement.offset, word.end - statement.offset)
    deep = f"OFFSET {number}" if number is not None else "OFFSET"
    hit = statement.hit(
        f"{deep}{sql.within(statement)} makes the database read and throw away all rows before the page, "
        "so each page is slower than the one "
        "before; continue after the last row's key: WHERE (created_at, id) < (...) ORDER BY ... LIMIT.",
        at=at,
    )
    yield hit if number is None else replace(hit, profile="default", severity="warning")


def _calls(project: Project, fn: Fn) -> Iterator[Hit]:
    for call in fn.calls:
        value = fn.value(call.func)
        if value[0] != "attr" or value[2] != "offset" or len(call.args) != 1:
            continue
        if not any(model.orm is not None and model.orm.op == "offset" for model in project.models(fn, call)):
            continue
        constant = fn.const(call.args[0])
        if isinstance(constant, int) and constant < DEEP:
            continue
        deep = isinstance(constant, int)
        yield Hit(
            f"`offset()` in `{fn.name}()` makes the database read and throw away all rows before the page, "
            "so each page is slower than the one "
            "before; continue after the last row's key instead.",
            _at_name(fn, call),
            function=fn.fqn,
            profile="default" if deep else None,
            severity="warning" if deep else None,
        )


def _at_name(fn: Fn, call: Call) -> Location:
    """`offset` itself, at the end of what is called: a chain begins lines above."""
    span = fn.facts.span_of(call.func)
    return fn.location(Span(span.end_line, span.end_column - len("offset"), span.end_line, span.end_column))
