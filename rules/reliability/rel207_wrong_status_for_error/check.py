"""REL207: the handler knows that something failed, and its answer says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    SLIPS,
    Answer,
    Fn,
    Hit,
    Profile,
    Project,
    Step,
    answers,
    failure_status,
    told_once,
    tries_out,
)

from .answered import raised
from .attempts import computes, is_the_same
from .bodies import Given, denies, given_by, is_empty, is_fixed, refuses, reports, tells
from .choices import chosen_by_client, is_chosen, is_explained, sorted_out, speaks_of
from .statuses import EVERY, OK, SERVER, mismatch, states_another

DJANGO_DB = "django.db."
TELLS = "a body that tells of an error"


def check(project: Project) -> Iterator[Hit]:
    """The hits; where dozens of handlers answer so to whatever fails, or all with 200 and a body that tells of it, that is told once."""
    habits: dict[str, list[Hit]] = {EVERY: [], TELLS: []}
    for hit in _found(project):
        habit = next((alike for said, alike in habits.items() if said in hit.message), None)
        if hit.profile is None and habit is not None:
            habit.append(hit)
        else:
            yield hit
    firsts = _once_a_handler(habits[EVERY])
    yield from (hit for hit in firsts if hit.profile is not None)
    habits[EVERY] = [hit for hit in firsts if hit.profile is None]
    for alike in habits.values():
        each = None if len(alike) > SLIPS else _file_of
        yield from told_once(alike, _throughout, SLIPS, severity=None, each=each)


def _file_of(hit: Hit) -> str:
    """What the handlers of a file do alike is mended together."""
    return hit.location.path


def _once_a_handler(hits: list[Hit]) -> list[Hit]:
    """Of one endpoint the first, with where else in it failures are answered so; the others are advice."""
    by_function: dict[str | None, list[Hit]] = {}
    for hit in hits:
        by_function.setdefault(hit.function, []).append(hit)
    found: list[Hit] = []
    for alike in by_function.values():
        first, *others = sorted(alike, key=lambda hit: (hit.location.line, hit.location.column))
        also = tuple(Step(hit.location, "and so to what fails here") for hit in others)
        found += [replace(first, related=(*first.related, *also)), *(replace(hit, profile="strict") for hit in others)]
    return found


def _throughout(hit: Hit, places: str) -> str:
    return f"{hit.message} So it is in {places}: one error handler for the whole application can tell them apart."


def _found(project: Project) -> Iterator[Hit]:
    """One hit an answer inside an `except` block of a handler.

    Where other answers say in a body of 200 that something failed, or how it went, and nothing is written, whether it works is what
    is asked: advice.
    """
    for fqn, routes in project.route_functions.items():
        fn = project.functions[fqn]
        if not any(route.kind == "http" for route in routes):
            continue
        given = [given_by(project, fn, answer) for answer in (*answers(project, fn), *raised(project, fn))]
        handlers = [_handler(fn, item.answer.block) for item in given]
        usual = [item for item, number in zip(given, handlers, strict=True) if number < 0]
        asked = not project.effects.has(fn, "db-write", "commit") and any(
            not item.answer.failed and (tells(fn, -1, item) or reports(fn, item)) for item in usual
        )
        for item, number in zip(given, handlers, strict=True):
            if number < 0 and refuses(fn, item, usual):
                decided = (asked and tries_out(routes)) or speaks_of(project, fn, OK)
                yield _refused(fn, item.answer, "strict" if decided else None)
            if number >= 0 and not item.answer.special:
                if item.answer.failed:
                    decided = tries_out(routes) or computes(project, fn, number)
                else:
                    decided = asked or speaks_of(project, fn, item.answer.status or OK)
                yield from _judged(project, fn, number, item, usual, "strict" if decided else None)


def _refused(fn: Fn, answer: Answer, profile: Profile | None) -> Hit:
    return Hit(
        f"`{fn.name}()` answers {OK} with {TELLS}: clients, caches and monitors take it for success; answer with the status "
        "that says what happened.",
        fn.location(answer.span),
        function=fn.fqn,
        profile=profile,
    )


def _handler(fn: Fn, block: int) -> int:
    """The innermost `except` in which a block lies, or -1."""
    return next((number for number, item in fn.blocks_of(block) if item.kind == "except"), -1)


def _is_outage(project: Project, name: str) -> bool:
    """A failure of the server's own: by the status that its class states, or of its database."""
    if (failure_status(project, name) or 0) >= SERVER:
        return True
    library = project.libraries.library_of(name)
    stores = name.startswith(DJANGO_DB) or (library is not None and library.kind in ("driver", "orm"))
    return stores and project.exception_kind(name) == "infrastructure"


def _judged(
    project: Project, fn: Fn, handler: int, given: Given, usual: list[Given], profile: Profile | None
) -> Iterator[Hit]:
    answer = given.answer
    types = project.exceptions.caught_types(fn, fn.facts.blocks[handler])
    names = ", ".join(name.rpartition(".")[2] for name in types[:2]) or "an exception"
    found: tuple[str, str] | None = None
    if not answer.failed and not answer.unsaid:
        what = TELLS if tells(fn, handler, given, usual) else ""
        if not what and all(_is_outage(project, name) for name in types) and is_empty(fn, given):
            what = "nothing in it"
        if not what and states_another(project, types) and all(is_fixed(fn, vid) for vid in given.parts):
            denied = "`False` where it says `True` when all went well" if denies(fn, given, usual) else ""
            what = denied or ("the same body for each" if answer.status == OK else "")
        if not what and is_the_same(project, fn, handler, types, answer, usual):
            what = "what it answers where all went well"
        if what and types:
            found = f"answers {answer.status or 200} with {what}", "clients, caches and monitors take it for success"
    elif answer.failed and answer.status is not None:
        chosen = is_chosen(fn, handler, answer) or sorted_out(project, fn, handler)
        found = None if chosen else mismatch(project, fn, handler, types, answer.status)
        if found is not None and answer.status < SERVER and EVERY not in found[0]:
            found = None if chosen_by_client(project, fn, handler) else found
        decided = found is not None and is_explained(project, fn, handler, [str(answer.status), *types])
        profile = "strict" if decided else profile
    if found is not None:
        yield Hit(
            f"`{fn.name}()` catches `{names}` and {found[0]}: {found[1]}; answer with the status that says what happened.",
            fn.location(answer.span),
            function=fn.fqn,
            profile=profile,
        )
