"""Secrets on their way to a response, and whether they are meant to arrive there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from backendlint.api import Flow, Project, asks_to_show, block_at, identifier_words, place_flows

from .names import ISSUED, ISSUING, PASSWORD_HASH, STORED

MANY = 3
FORGOTTEN = re.compile(r"password|passwd|forgot|recover", re.IGNORECASE)
SET_ANEW = re.compile(r"confirm|verif|complete|validat|change|update|set_|/set|\{", re.IGNORECASE)
"""Words and parameters of routes to which the mail leads."""
ONE_TIME = re.compile(r"token_(urlsafe|hex|bytes)$|(reset|recovery|otp|one_?time)|make_token|^code$", re.IGNORECASE)
KEPT = frozenset({"credential", "secret", "key", "apikey"})
"""Words for secrets that services keep for others."""
GIVEN_OUT = frozenset({"credential", "secret"})
"""What routes end in that are there to give secrets out."""
MAKES = re.compile(r"^_?(make|generate|gen|new|random|create)_?|_generator$", re.IGNORECASE)
"""Functions that make a password up, when they are given nothing."""


def worst_flows(project: Project) -> Iterable[Flow]:
    """One flow to each place: a stored secret rather than a token that the client is meant to get. None of what is sent
    elsewhere, where none is in a reviewed file."""
    worst = partial(place_flows, project, ("response",), ("secret",), doubt=lambda flow: (flow.weak, is_issued(flow)))
    near = list(worst())
    if project.focus is None or not any(project.counts(flow.location) for flow in near):
        return near
    return worst(everywhere=True)


def shown(flows: list[Flow]) -> list[Flow]:
    """One flow for many where a serializer that they share gives the secret away."""
    return flows if len(flows) <= MANY else [min(flows, key=lambda flow: flow.location)]


def far_from_token(flow: Flow) -> bool:
    """What goes into a token elsewhere than it was read: mostly another field of an object that also has the secret."""
    return flow.site.model.jwt is not None and flow.source.fn != flow.site.fn.fqn


def is_issued(flow: Flow) -> bool:
    """A token (or a new key) that the client is meant to get."""
    name = flow.source.path[0] if flow.source.path else ""
    if ISSUED.search(name):
        return True
    handler = flow.fn.name if not flow.chain else flow.chain[0].edge.caller.name
    handler = f"{flow.fn.cls.name}.{handler}" if flow.fn.cls is not None else handler
    return "password" not in name.lower() and bool(ISSUING.search(handler) or ISSUING.search(flow.fn.name))


def is_made_up(project: Project, flow: Flow) -> bool:
    """A password that is made here, for whoever is signed in and asks for one: an administrator passes it on."""
    routes = flow.routes(project)
    if not routes or not all(project.access.guarded(route) for route in routes):
        return False
    owner = project.functions[flow.source.fn]
    value = owner.unguarded(flow.source.slot)
    call = owner.calls[value[1]] if value[0] == "call" else None
    return call is not None and not call.passed and bool(MAKES.search(owner.callee_name(call)))


def for_mailbox(project: Project, flow: Flow) -> bool:
    """What somebody who has forgotten a password is sent by mail, in the answer to whoever asked for it."""
    name = flow.source.path[0] if flow.source.path else ""
    if not ONE_TIME.search(name) or not project.effects.has(flow.site.fn, "mail", "queue-publish"):
        return False
    routes = project.route_functions.get(flow.site.fn.fqn, ())
    return any(
        FORGOTTEN.search(f"{route.path} {route.name}")
        and not SET_ANEW.search(f"{route.path} {route.name}")
        and not project.access.guarded(route)
        for route in routes
    )


def is_stored(flow: Flow) -> bool:
    """Passwords, hashes, private keys, shared secrets; a key for callers (`api_key`) is often theirs."""
    name = flow.source.path[0] if flow.source.path else ""
    words = identifier_words(name)
    kept = {"password", "passwd", "passphrase", "secret", "pwd", "pin", "ssn", "connection", "pair", "pairs"}
    return STORED.search(name) is not None or not kept.isdisjoint(words) or not flow.source.path


def is_filled_in(project: Project, flow: Flow) -> bool:
    """A helper's parameter that is empty unless a form is shown once more: `render_login(name="", password="")`."""
    entered = flow.parameter(project)
    if entered is None:
        return False
    fn, index = entered
    return fn.parent is not None and fn.parent.const(fn.facts.params[index].default) in ("", None)


def sent_back(project: Project, flow: Flow) -> bool:
    """What the caller has just sent: a form that is shown once more."""
    owner = project.functions[flow.source.fn]
    found = project.taint.labels(owner, flow.source.slot)
    return any(origin.what == "request" and not mark.weak for origin, mark in found.items())


def is_told(project: Project, flow: Flow) -> bool:
    """Whether it is added where the function's own flag says so (`if include_token:`), which who calls it has set by that name."""
    fn = project.functions[flow.source.fn]
    block = block_at(fn, fn.facts.span_of(flow.source.slot))
    asked = (fn.unguarded(test) for test, holds in fn.tests_of(block) if holds)
    return any(value[0] == "param" and asks_to_show(fn.facts.params[value[1]].name) for value in asked)


def is_asked(project: Project, flow: Flow) -> bool:
    """What the route is there to give: `/credentials/{id}` answers with the credentials that are kept for its callers."""
    name = flow.source.path[0] if flow.source.path else ""
    kept = KEPT.intersection(word.rstrip("s") for word in identifier_words(name))
    routes = flow.routes(project)
    named = [*(route.path for route in routes), *(fn.name for fn in flow.functions)]
    ends = [route.path.rstrip("/").rpartition("/")[2] for route in routes] + [
        fn.name.partition("_")[0] for fn in flow.functions
    ]
    if GIVEN_OUT.intersection(end.rstrip("s").lower() for end in ends) and not PASSWORD_HASH.search(name):
        return True
    paths = {word.rstrip("s") for text in named for word in identifier_words(text)}
    return bool(kept & paths) and not PASSWORD_HASH.search(name)
