"""REL203: an exception that takes the place of the one that was caught, without naming it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from typing import NamedTuple

from backendlint.api import (
    FEW,
    SLIPS,
    ErrorClass,
    Fn,
    Hit,
    Project,
    Raise,
    asks_nobody,
    by_style,
    called_name,
    calls_in,
    error_classes,
    for_developers,
    here_and_in,
    inherits_any,
    lines_of,
    listed,
    of_caught,
    only_by_hand,
    told_once,
)

from .fixes import fix
from .meanings import meant
from .raises import handler_of, is_new
from .recorded import (
    carries_traceback,
    drops,
    is_logged,
    is_logged_below,
    is_noted,
    is_said,
    is_told_on,
    keeps,
    sets_cause,
)

UNKNOWN = "?"
WITHOUT = " without `from`"
UNSAID = ", and the cause is not recorded"
ANSWERS = ("http", "validation")
ANSWERED = "answered to a client, it leaves no traceback"
TIMEOUTS = ("builtins.TimeoutError", "asyncio.TimeoutError", "asyncio.exceptions.TimeoutError")
WAITS = ("asyncio.wait_for", "asyncio.timeout", "asyncio.timeout_at")
FILES = ("builtins.OSError", "builtins.IOError", "builtins.FileNotFoundError", "builtins.EnvironmentError")
ALL = ("builtins.Exception", "builtins.BaseException")
USUAL, FEWEST, SLIPPED = 5, 5, 3
"""So many times as often, and so often, a cause is named where that is how the project raises; so often at most it is not."""
LOOKUP = "builtins.LookupError"
LOOKUPS = (LOOKUP, "builtins.KeyError")
BUGS = "programming"
PROTOCOLS = {"__getattr__": "AttributeError", "__getattribute__": "AttributeError", "__missing__": "KeyError"}
"""Methods of which the language asks that they raise this."""
STATUS = frozenset({"status", "status_code", "code", "http_status"})
CLIENT, BEYOND = 400, 600
ACCEPTED = re.compile(r"#.*(noqa:?[^#]*\bB904\b|pylint: *disable=[^#]*\b(raise-missing-from|W0707)\b)")


class Policy(NamedTuple):
    """The rule's options."""

    control_flow: frozenset[str]
    narrow: frozenset[str]
    narrow_kinds: frozenset[str]
    answer_kinds: frozenset[str]
    refusals: frozenset[str]
    chains: bool
    """Whether the project names causes nearly everywhere: where one is missing, that is a slip."""
    dropped: frozenset[str]
    """Classes of the project which only those catch who go on without a traceback: a message for the user, most often."""


def check(project: Project, options: Mapping[str, object]) -> Iterator[Hit]:
    everywhere = project.functions_with("except")
    policy = policy_of(options, chains(everywhere), dropped(project, everywhere))
    styles = by_style(project, everywhere, partial(hits_in, project, policy))
    yield from styles.pop("", ())
    answered, raised = styles.get("answered", []), styles.get("raised", [])
    few = SLIPS if names_causes(everywhere, len(answered) + len(raised)) else FEW
    if answered and len(answered) + len(raised) > few:
        yield from (replace(hit, profile="strict") for hit in raised)  # which whoever prints tracebacks does see
        raised = []
    yield from told_once([*answered, *raised], partial(here_and_in, after=WITHOUT), few, by_function=True)


def hits_in(project: Project, policy: Policy, functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and which style of the project it is one of; "" for advice."""
    for fn in functions:
        for item in fn.facts.raises:
            for hit in judge(project, fn, item, policy):
                yield hit, "" if hit.profile is not None else "answered" if ANSWERED in hit.message else "raised"


def names_causes(functions: Iterable[Fn], without: int) -> bool:
    """Whether the project usually writes `from`."""
    return sum(item.cause >= 0 for fn in functions for item in fn.facts.raises) >= without


def chains(functions: Iterable[Fn]) -> bool:
    """Whether nearly all that is raised anew in handlers names its cause, or that it has none."""
    raised = [
        item
        for fn in functions
        for item in fn.facts.raises
        if item.exc >= 0 and is_new(fn.facts, item.exc) and handler_of(fn.facts, item) >= 0
    ]
    bare = sum(item.cause < 0 for item in raised)
    return bare <= SLIPPED and len(raised) - bare >= max(FEWEST, USUAL * bare)


def policy_of(options: Mapping[str, object], chains: bool, dropped: frozenset[str]) -> Policy:
    return Policy(
        listed(options, "control_flow"),
        listed(options, "narrow"),
        listed(options, "narrow_kinds"),
        listed(options, "answer_kinds"),
        listed(options, "refusals"),
        chains,
        dropped,
    )


def dropped(project: Project, functions: Iterable[Fn]) -> frozenset[str]:
    """Classes of the project that are caught somewhere, and wherever they, or those they inherit from, are, no traceback is printed."""
    found: dict[str, bool] = {}
    for fn in functions:
        for number, block in enumerate(fn.facts.blocks):
            for name in project.exceptions.caught_types(fn, block) if block.kind == "except" else ():
                if name in project.classes:
                    found[name] = found.get(name, True) and drops(fn, number)
    lines = {name: [item.fqn for item in project.hierarchy.mro(project.classes[name])] for name in found}
    return frozenset(name for name, line in lines.items() if all(found.get(item, True) for item in line))


def judge(project: Project, fn: Fn, item: Raise, policy: Policy) -> Iterator[Hit]:
    """A raise below an `except` that neither names a cause nor raises a caught exception again."""
    if item.exc < 0 or item.cause >= 0 or not is_new(fn.facts, item.exc):
        return
    handler = handler_of(fn.facts, item)
    if handler < 0 or sets_cause(fn.facts, item) or carries_traceback(fn, item):
        return
    made = next(error_classes(project, fn, item.exc))
    if inherits_any(project, made.name, policy.control_flow) or project.exception_kind(made.name) == "control":
        return
    block = fn.facts.blocks[handler]
    caught = list(error_classes(project, fn, block.value)) if block.value >= 0 else []
    types = ", ".join(f"`{short(kind.name)}`" for kind in caught if kind.name != UNKNOWN) or "what was caught"
    name = short(made.name)
    where = f" in `{fn.name}()`" if not fn.is_module else ""
    kept = keeps(project, fn, item, handler)
    said = kept or is_said(fn, item, handler) or is_logged(fn, item, handler) or is_told_on(project, fn, item, handler)
    said = said or is_logged_below(project, fn, handler) or is_noted(fn, item, handler)
    unsaid = "" if said else UNSAID
    insisted = not kept and is_insisted(project, fn, item, handler, made, caught, policy)
    answers = made.kind in ANSWERS and bool(unsaid)
    harm = ANSWERED if answers else "the traceback reads as if the handler had failed by accident"
    first = "log what was caught, and " if answers else ""
    yield Hit(
        f"`{name}` raised{where} replaces {types}{WITHOUT}: {harm}{unsaid}; "
        f"{first}write `raise {name}(...) from {block.name or 'err'}`.",
        fn.location(item.span),
        function=fn.fqn,
        profile=None if insisted else "strict",
        severity=None if insisted else "note",
        fix=fix(project, fn, item, handler),
    )


def is_insisted(
    project: Project, fn: Fn, item: Raise, handler: int, made: ErrorClass, caught: list[ErrorClass], policy: Policy
) -> bool:
    """Whether the cause tells more than the new exception: what failed was not foreseen, or its text was copied.

    Whoever starts the program, or runs it by hand, sees both tracebacks at once.
    Exceptions that become a client's answer do not: unless something broke, everybody knows what they stand for.
    """
    if (
        for_developers(fn.path)
        or fn.is_module
        or only_by_hand(project, fn)
        or is_accepted(project, fn, item)
        or made.name in policy.dropped
        or is_foreseen(fn, item, handler)
        or is_ended_here(project, fn, item, made)
        or is_missing_file(made, caught)
        or is_wait(fn, handler, caught)
        or short(made.name) == PROTOCOLS.get(fn.name)
        or is_reworded(project, made, caught, policy)
        or is_logged(fn, item, handler, whole=True)
        or project.literals.for_trial(fn, item.exc)
    ):
        return False
    said = is_said(fn, item, handler)
    if policy.chains and not said:
        return not is_told_on(project, fn, item, handler) and not is_logged(fn, item, handler)
    is_answer = made.kind in policy.answer_kinds or has_status(fn, item)
    anything = any(map(is_any, caught))
    named = bool(caught) and not anything
    told = is_answer or ((said or named) and not any(kind.kind == "infrastructure" for kind in caught))
    if (told and only_values(project, fn, handler, caught)) or is_refusal(project, caught, policy):
        return False
    if is_answer and (
        is_logged(fn, item, handler, as_error=anything)
        or is_told_on(project, fn, item, handler, whole=True)
        or is_logged_below(project, fn, handler)
        or (made.kind == "exit" and named)
    ):
        return False
    stood_for = [kind for error in caught for kind in meant(project, fn, handler, error)]
    if not stood_for or any(is_broken(project, kind, policy) for kind in stood_for):
        return True
    if is_answer or (is_handler(project, fn) and all(kind.name in project.classes for kind in stood_for)):
        return False
    if said:
        return any(not is_narrow(project, kind, policy) or kind.kind == BUGS for kind in stood_for)
    if all(not is_narrow(project, kind, policy) for kind in stood_for):
        return True
    return asks_for_several(fn, handler, stood_for) and not is_told_on(project, fn, item, handler)


def asks_for_several(fn: Fn, handler: int, caught: list[ErrorClass]) -> bool:
    """`{"id": answer["id"], "state": answer["state"]}` for `KeyError`: which of the keys is not there, the cause alone says."""
    tried = fn.facts.blocks[fn.facts.blocks[handler].group].span
    items = [fn.value(vid) for vid in fn.made_by("item") if tried.holds(fn.facts.span_of(vid))]
    keys = {key for _, base, vid in items if fn.unguarded(base)[0] != "name" and isinstance(key := fn.const(vid), str)}
    return len(keys) > 1 and any(kind.name in LOOKUPS for kind in caught)


def is_foreseen(fn: Fn, item: Raise, handler: int) -> bool:
    """`if error.code == "NoSuchBucket": raise MissingBucket(...)`: this failure was told from the others, or the others from it
    (`if error.status != 404: raise`) right before."""
    before = [
        block.value
        for number, block in enumerate(fn.facts.blocks)
        if block.kind == "if" and block.exits in ("raise", "return") and block.parent == item.block == handler
        if block.span < item.span
        and not any(other.kind == "else" and other.group == number for other in fn.facts.blocks)
    ]
    told = [test for test, outcome in fn.tests_of(item.block) if test >= 0 and outcome]
    return any(of_caught(fn.facts, handler, (test,)) for test in (*told, *before))


def is_accepted(project: Project, fn: Fn, item: Raise) -> bool:
    """A marker by which others' checks for this very flaw are silenced: `# noqa: B904`."""
    lines = lines_of(project, fn.path)[item.span.line - 1 : item.span.end_line]
    return any(map(ACCEPTED.search, lines))


def only_values(project: Project, fn: Fn, handler: int, caught: list[ErrorClass]) -> bool:
    """Whether nothing is tried but what makes a value of others: that it cannot be made is all there is to know."""
    calls = calls_in(fn.facts, fn.facts.blocks[handler].group)
    if asks_for_several(fn, handler, caught):
        return False
    if not calls:  # `table[key]`
        return bool(caught) and all(inherits_any(project, kind.name, frozenset({LOOKUP})) for kind in caught)
    return all(asks_nobody(project, fn, call) for call in calls)


def is_ended_here(project: Project, fn: Fn, item: Raise, made: ErrorClass) -> bool:
    """Whether the function itself catches the new exception further out and drops it: no traceback is ever printed."""
    end = project.exceptions.caught_by(fn, item.block, made.name)
    return end >= 0 and drops(fn, end)


def is_refusal(project: Project, caught: list[ErrorClass], policy: Policy) -> bool:
    """Errors whose class says all there is to say of a value: a text that does not parse, a token or a body that is not valid."""
    return bool(caught) and all(
        kind.kind == "validation" or is_one_of(project, kind, policy.refusals) for kind in caught
    )


def is_reworded(project: Project, made: ErrorClass, caught: list[ErrorClass], policy: Policy) -> bool:
    """`except UnknownPort: raise UnknownPort(f"no port {name}")`: the same error in better words, not that of an outage."""
    return made.name in [kind.name for kind in caught] and not any(is_broken(project, kind, policy) for kind in caught)


def is_missing_file(made: ErrorClass, caught: list[ErrorClass]) -> bool:
    """`except OSError: raise Http404`: a file that is not there, told to a client."""
    missing = made.kind == "http" and short(made.name) in ("Http404", "NotFound")
    return missing and bool(caught) and all(kind.name in FILES for kind in caught)


def is_handler(project: Project, fn: Fn) -> bool:
    """A route's handler, or the method that handlers of its name share (`super().get()`)."""
    if fn.fqn in project.route_functions:
        return True
    callers = [edge.caller for edge in project.graph.callers(fn)]
    return bool(callers) and all(
        caller.name == fn.name and caller.cls != fn.cls and caller.fqn in project.route_functions for caller in callers
    )


def is_narrow(project: Project, error: ErrorClass, policy: Policy) -> bool:
    """Errors of one foreseen sort: a missing key, a value that does not parse."""
    return error.kind in policy.narrow_kinds or is_one_of(project, error, policy.narrow)


def is_one_of(project: Project, error: ErrorClass, names: frozenset[str]) -> bool:
    """Whether its name is one of these (`*Timeout`), or it inherits from one."""
    return inherits_any(project, error.name, names) or any(fnmatchcase(error.name, pattern) for pattern in names)


def is_any(error: ErrorClass) -> bool:
    return error.name in ALL


def is_broken(project: Project, error: ErrorClass, policy: Policy) -> bool:
    """Errors behind which anything may stand: all of them, or the network, a database, a disk."""
    return is_any(error) or (error.kind == "infrastructure" and not is_narrow(project, error, policy))


def short(dotted: str) -> str:
    """The class's name; `socket.error` and `Order.DoesNotExist` keep what says of what."""
    owner, _, name = dotted.rpartition(".")
    above = owner.rpartition(".")[2]
    return name if not above or (name[:1].isupper() and not above[:1].isupper()) else f"{above}.{name}"


def has_status(fn: Fn, item: Raise) -> bool:
    """`ApiError(422, "no such tag")`: an exception that is given an HTTP status is an answer, whatever it is called."""
    value = fn.facts.values[item.exc]
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    if call is None:
        return False
    stated = [*call.args[:1], *(vid for key, vid in call.kwargs if key in STATUS)]
    return any(type(number := fn.const(vid)) is int and CLIENT <= number < BEYOND for vid in stated)


def is_wait(fn: Fn, handler: int, caught: list[ErrorClass]) -> bool:
    """`except TimeoutError` around `asyncio.wait_for(...)`: it says no more than that the time is over."""
    if not caught or any(kind.name not in TIMEOUTS for kind in caught):
        return False
    tried = calls_in(fn.facts, fn.facts.blocks[handler].group)
    return any(called_name(fn.file, fn.facts, call) in WAITS for call in tried)
