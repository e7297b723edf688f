"""REL210: asserts that check what callers give; with `python -O` they are gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import libcst as cst

from backendlint.api import (
    FileFacts,
    FunctionFacts,
    Hit,
    Profile,
    Span,
    Statement,
    SyntaxSite,
    called_name,
    for_development,
    only_for_types,
)

from .agreements import is_among_bugs, is_contract, is_last_case, is_promised
from .callers import is_tested_before
from .functions import VALIDATOR, is_answered, is_decorated, is_decorator, is_inner, is_program, is_public, is_view
from .lookedup import is_looked_up
from .syntax import is_narrowing, says_why, speaks_of_bug
from .validation import is_as_asked, is_configured, is_decided_before, is_decided_elsewhere, is_validation
from .values import origins
from .wording import BARE, advice, hit, once_a_file, shorten
from .work import working_call

BY_HAND = re.compile(r"(^|/)(migrations|alembic|scripts?|bin)/")
"""Folders of what somebody runs and watches."""
ASSERTS = re.compile(r"_*assert_")
"""Functions that are there to assert: tests call them."""
HANDLER = re.compile(  # decorators of functions that the outside calls: request handlers, tasks, commands
    r"(^|\.)(route|get|post|put|patch|delete|websocket|api_view|action|task|shared_task|command|view_config|expose)$"
)


def suspects(_file: FileFacts, function: FunctionFacts) -> Iterator[int | Span]:
    """Asserts that test something else than constants."""
    for item in function.statements:
        if item.kind == "assert" and function.values[item.value][0] != "const":
            yield item.span


def check(site: SyntaxSite) -> Iterator[Hit]:
    """One hit a row of asserts that say nothing, at the first that is told: they are read, and mended, together."""
    for found in _judged(site):
        aside = found.profile is None and BARE in found.message and _follows_another(site)
        yield replace(found, profile="strict", severity="note") if aside else found


def _follows_another(site: SyntaxSite) -> bool:
    """Whether the same is told of the assert on the line before."""
    for item in site.function.statements:
        if item.kind == "assert" and item.block == site.block and item.span.end_line == site.span.line - 1:
            before = replace(site, span=item.span)
            same = any(found.profile is None and BARE in found.message for found in _judged(before))
            return same or _follows_another(before)
    return False


def _judged(site: SyntaxSite) -> Iterator[Hit]:
    node = site.node
    function = site.function
    statement = next((item for item in function.statements if item.span == site.span), None)
    if not isinstance(node, cst.Assert) or statement is None:
        return
    if site.is_step:
        return
    outside = is_decorated(site, HANDLER) or is_view(site)
    answered = is_answered(site, statement)
    if answered == "named" and not outside:
        return
    if only_for_types(function, site.span) or ASSERTS.match(function.name):
        return
    where = f"`{function.name}()`" if function.name else "the module"
    work = working_call(site)
    if work is not None:
        name = called_name(site.file, function, work).rpartition(".")[2]
        message = (
            f"The assert in {where} does work: with `python -O` `{name}(...)` is not even called; "
            "call it first, then check its result with an `if` that raises."
        )
        yield hit(site, message)
        return
    direct, looked_up = origins(site, statement.value)
    narrows = is_narrowing(node.test)
    if node.msg is not None and is_configured(site, statement.value):
        message = f"The assert in {where} checks the configuration: with `python -O` the check is gone"
        yield hit(site, f"{message}{advice(site, node, answered)}")
        return
    missed = narrows and says_why(node) and is_looked_up(site, statement.value)
    if not direct and ((narrows and not missed) or not looked_up):
        return
    profile: Profile | None = None
    if narrows and node.msg is None:
        profile = "audit"
    elif outside and not speaks_of_bug(node):
        decided = is_decided_elsewhere(site, node, statement.value) and not is_promised(site, statement.value)
        reminds = node.msg is None and (is_decided_before(site, statement) or is_as_asked(site, statement.value))
        profile = None if (direct or decided) and not reminds else "strict"
    elif _is_quiet(site, node, statement, bool(direct), missed) or answered:
        profile = "strict"
    source = f"`{direct[0]}`, which callers pass in" if direct else f"what `{looked_up[0]}` gave"
    message = f"`assert {shorten(site.code(node.test))}` in {where} checks {source}: with `python -O` the check is gone"
    found = hit(site, f"{message}{advice(site, node, answered)}", profile)
    yield found if profile is not None else once_a_file(site, found)


def _is_quiet(site: SyntaxSite, node: cst.Assert, statement: Statement, direct: bool, missed: bool) -> bool:
    """Whether it reminds programmers of what must be so, or is none that outsiders get to; `missed`: of a row that was looked up."""
    tested = statement.value
    seen = is_public(site.function) and not (direct and is_inner(site))
    if not seen or not (missed or is_validation(site, node, tested)):
        return True
    return (
        not site.function.name
        or is_decorator(site)
        or is_decorated(site, VALIDATOR)
        or BY_HAND.search(site.file.path) is not None
        or for_development(site.file.path)
        or is_program(site)
        or is_contract(site, tested)
        or is_promised(site, tested)
        or speaks_of_bug(node)
        or is_among_bugs(site)
        or is_last_case(site, tested)
        or is_tested_before(site, tested)
        or (not direct and is_as_asked(site, tested))
    )
