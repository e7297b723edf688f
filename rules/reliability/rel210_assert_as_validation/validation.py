"""Asserts that refuse what callers give."""

from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst

from backendlint.api import FunctionFacts, Statement, SyntaxSite, around, called_name, ingredients, name_of

from .syntax import STATE, asks_type, is_narrowing, permits, says_why
from .values import conditions, is_constant, origins, parameters, unguarded

_SETUP = re.compile(r"__init__|_*(init|setup|set_up|register|configure|install|connect|ready)(_\w+)?")
"""Functions that start-up calls."""
_PROOF = re.compile(r"decode|verify|unsign|introspect|claims|token", re.IGNORECASE)
"""Calls that say who somebody is."""
_HOW_FAR = re.compile(r"(^|_)(status|state|phase)$")
_VALIDATES = re.compile(r"(^|_)(validate|verify|check|ensure|clean|authenticate|authori[sz]e)(_|$)", re.IGNORECASE)
"""Functions that are there to say no."""
_COMPARES = frozenset({"<", "<=", ">", ">="})
_WHO = re.compile(
    r"(^|_)(users?|actors?|members?|customers?|owners?|authors?|guests?|requesters?|principals?|patrons?|subscribers?|students?|patients?|employees?|drivers?|sellers?|buyers?)(_|$)",
    re.IGNORECASE,
)
_SENT = frozenset({"request", "content_type"})
"""What only a request or an upload has, or is."""
_ANSWERED = frozenset({"status_code", "http_status"})
"""What sorts an answer, and is no amount."""
_SECRET = re.compile(r"passw|passphrase|secret|signature|csrf|nonce|digest|hmac", re.IGNORECASE)
"""What is compared to find out who somebody is."""
_ENVIRONMENT = ("os.environ.get", "os.getenv")


def is_decided_before(site: SyntaxSite, statement: Statement) -> bool:
    """How parameters stand to each other, below a test of what the code has made of the same ones: what must be so there."""
    function = site.function
    given = parameters(function, {statement.value})
    tests = {
        block.value for block in map(function.blocks.__getitem__, around(function, statement.block)) if block.value >= 0
    }
    made = ingredients(function, tests)
    chosen = [function.span_of(vid) for vid in made if function.values[vid][0] == "phi"]
    made |= ingredients(
        function,
        [
            block.value
            for block in function.blocks
            if block.kind == "if" and block.value >= 0 and any(span.holds(block.span) for span in chosen)
        ],
    )
    return len(given) > 1 and given <= parameters(function, made)


def is_as_asked(site: SyntaxSite, vid: int) -> bool:
    """`assert len(hits) <= most` of what was asked for with `most`, `assert row.port_id == port_id` of what was asked for by it:
    that it is so is the other side's promise."""
    function, value = site.function, unguarded(site.function, vid)
    if value[0] != "compare" or len(value[2]) != 2 or not {*value[1]} <= {*_COMPARES, "=="}:
        return False
    for one, other in (value[2], value[2][::-1]):
        made = ingredients(function, (one,)) - ingredients(function, (other,))
        calls = [function.calls[item[1]] for item in map(function.values.__getitem__, made) if item[0] == "call"]
        given = ingredients(
            function, [item for call in calls if not site.span.holds(call.span) for item in call.passed]
        )
        if other in given or unguarded(function, other) in (
            unguarded(function, vid) for vid in given if unguarded(function, vid)[0] == "outer"
        ):
            return True
    return False


def is_configured(site: SyntaxSite, vid: int) -> bool:
    """A name of the module's own that stands for a variable of the environment, asked in a function."""
    value, module = unguarded(site.function, vid), site.file.functions[0]
    name = str(value[1]).rpartition(".")[2] if value[0] == "name" else ""
    bound = [item.value for item in module.bindings if item.name == name and item.value >= 0]
    return bool(site.function.name) and bool(bound) and all(_reads_environment(site, module, item) for item in bound)


def _reads_environment(site: SyntaxSite, module: FunctionFacts, vid: int) -> bool:
    """`os.environ["PIER_MAIL"]`, `os.environ.get("PIER_MAIL", "")`, `os.getenv("PIER_MAIL")`."""
    value = unguarded(module, vid)
    if value[0] == "item":
        return name_of(site.file, module, value[1]) == "os.environ"
    return value[0] == "call" and called_name(site.file, module, module.calls[value[1]]) in _ENVIRONMENT


def is_validation(site: SyntaxSite, node: cst.Assert, vid: int) -> bool:
    """Whether the assert refuses what callers give, rather than remind readers of what must be so.

    With a message, that is a test of what was looked up, and of what was passed in one that data decides: how much, who, how
    far; without, one of who somebody is, of how far something has come, or in a function that is there to say no.
    """
    if is_narrowing(node.test) or asks_type(node.test):
        return False
    if permits(node.test):
        return True
    if says_why(node):
        parts = [site.function.values[item] for item in conditions(site, vid)]
        states = (part[0] == "attr" and STATE.match(str(part[2])) and origins(site, part[1])[1] for part in parts)
        if origins(site, vid)[0]:
            return any(_is_of_data(site, item) for item in conditions(site, vid)) or any(states)
        return any(part[0] == "compare" for part in parts) or any(states)
    return not _SETUP.fullmatch(site.function.name) and any(_is_bounded(site, item) for item in conditions(site, vid))


def _is_of_data(site: SyntaxSite, vid: int) -> bool:
    """Whether data may decide a test of what was passed in: how much there is, whose it is, how far it has come, what somebody
    has uploaded or sent. Which of several things it is, that it is there or that a predicate holds is what programmers agree on.
    """
    function = site.function
    if _VALIDATES.search(function.name) or function.name == "__post_init__" or _is_bounded(site, vid):
        return True
    value = unguarded(function, vid)
    named = [
        str(item[2]) for item in map(function.values.__getitem__, ingredients(function, (vid,))) if item[0] == "attr"
    ]
    how_much = value[0] == "compare" and not _COMPARES.isdisjoint(value[1]) and _ANSWERED.isdisjoint(named)
    if how_much or _is_state_of_somebody(site, vid):
        return True
    named += [function.params[index].name for index in parameters(function, {vid})]
    return not _SENT.isdisjoint(named) or (value[0] == "compare" and any(_WHO.search(name) for name in named))


def _is_state_of_somebody(site: SyntaxSite, vid: int) -> bool:
    """`not member.is_blocked` of a parameter: what somebody else has made of them, and no programmer knows."""
    function, value = site.function, unguarded(site.function, vid)
    value = unguarded(function, value[1]) if value[0] == "not" else value
    owner = unguarded(function, value[1]) if value[0] == "attr" and STATE.match(str(value[2])) else ("",)
    return owner[0] == "param" and _WHO.search(function.params[owner[1]].name) is not None


def _is_bounded(site: SyntaxSite, vid: int) -> bool:
    """A comparison of something that was passed in with what a token says, of secrets, or with constants: of how far it has
    come, or in a function that validates."""
    value = site.function.values[vid]
    if value[0] != "compare" or any(_is_remainder(site, item) for item in value[2]):
        return False
    if _is_state(site, value[2]):
        return True
    sides = [(item, *origins(site, item)) for item in value[2]]
    if not any(direct for _, direct, _ in sides):
        return False
    if any(_PROOF.search(name) for _, _, looked_up in sides for name in looked_up[:1]):
        return True
    tells = _VALIDATES.search(site.function.name) or any(_is_secret(site, item) for item in value[2])
    return bool(tells) and all(
        is_constant(site.function, item) or (direct and not looked_up) for item, direct, looked_up in sides
    )


def _is_secret(site: SyntaxSite, vid: int) -> bool:
    """`row["password"]`, `given_signature`."""
    function, value = site.function, unguarded(site.function, vid)
    if value[0] == "param":
        return _SECRET.search(function.params[value[1]].name) is not None
    said = function.values[value[2]][1:] if value[0] == "item" else value[2:] if value[0] == "attr" else ()
    return bool(said) and _SECRET.search(str(said[0])) is not None


def is_decided_elsewhere(site: SyntaxSite, node: cst.Assert, vid: int) -> bool:
    """Of what a handler has looked up: a check that says why, or of who may do what, of a state or of a constant."""
    parts = [unguarded(site.function, item) for item in conditions(site, vid)]
    return (
        says_why(node)
        or permits(node.test)
        or any(part[0] != "compare" or any(origins(site, item) == ([], []) for item in part[2]) for part in parts)
    )


def _is_remainder(site: SyntaxSite, vid: int) -> bool:
    """`slot = number % size` before `assert 0 <= slot < size`: what has been computed to be so, whatever was passed in."""
    value = unguarded(site.function, vid)
    return value[0] == "binop" and value[1] == "%" and not site.span.holds(site.function.span_of(vid))


def _is_state(site: SyntaxSite, sides: Sequence[int]) -> bool:
    """`order.status == "open"` of an order that was looked up or passed in: what state it is in, others decide."""
    compared = unguarded(site.function, sides[0])
    named = compared[0] == "attr" and _HOW_FAR.search(str(compared[2])) is not None
    return named and any(origins(site, sides[0])) and all(is_constant(site.function, item) for item in sides[1:])
