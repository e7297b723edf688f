"""REL105: a POST that is sent again may be carried out twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from backendlint.api import Call, Fn, Hit, Location, Policy, Project, Vid, bind, identifier_words, ingredients

ASKS = frozenset(
    "search query queries find fetch get list lookup read count details info status embed embedding embeddings encode tokenize "
    "predict rank rerank classify token login auth authenticate authorize validate verify evaluate evaluation judge check chat "
    "completion completions generate infer inference summarize transcribe translate convert parse extract detect recognize "
    "analyze render resolve scrape speech tts synthesize".split()
)
"""Words of functions and addresses that ask for something."""
STATES = frozenset(
    "revoke revocation revocations deactivate deactivation deactivations activate activation disable enable suspend resume cancel "
    "cancellation close stop delete remove unsubscribe archive config configure configuration settings preferences".split()
)
"""Words of those that bring a thing into a state, in which it stays when they are repeated."""
BEATS = frozenset({"heart", "beat"})
MEASURED = frozenset({"metrics", "telemetry", "gauges"})
"""Words of what carries the time at which it was measured, and stays the same when it comes twice."""
HOST = re.compile(r"^\w+://[^/]*")
MAKES = frozenset(
    "create add new charge pay payment payments send submit publish notify order orders book transfer refund register insert "
    "invite message messages mail email sms event events webhook checkout invoice invoices bill booking".split()
)
"""Words of those that do it again when they are repeated, whatever else they say."""
MAIL = frozenset({"mail", "mails", "email", "emails"})
LOCAL = frozenset("create make new add open send submit start".split())
"""Of those, what functions do with an object of their own too: `create_session()` posts to `/login`."""
CONFLICT = 409
AGAIN = re.compile(r"already|duplicate|CONFLICT", re.IGNORECASE)
"""By which code tells that what was sent has come before."""
UNSAFE = ("POST", "PATCH")
HELPERS = 3
"""Through so many functions the method is followed."""
KEYS = ("idempot", "-delivery", "delivery-id", "dedup", "message-id", "event-id", "webhook-id")
"""Parts of the names of headers and fields by which the other side can tell a repeated request."""


class Sent(NamedTuple):
    """An outbound call that is repeated, and the call of the project's helper in which it stands."""

    fn: Fn
    call: Call
    outer: Fn | None = None
    by: Call | None = None
    through: bool = False
    """The helper hands the method on to others, and is told `POST` or `PATCH`."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a call that changes something elsewhere and is retried without an idempotency key."""
    seen: set[tuple[str, Call]] = set()
    for policy in (*project.retries.all, *project.retries.wrapped):
        if policy.kind == "client":
            if {"ANY", *UNSAFE}.intersection(policy.methods) and policy.attempts != 0.0:
                yield _client(project, policy)
            continue
        if policy.attempts in (0.0, 1.0) or (policy.kind in ("decorator", "object") and not policy.on):
            continue
        if policy.on and not any(_may_be_late(project, name) for name in policy.on):
            continue
        for sent in _calls(project, policy):
            method = _method(project, sent)
            place = (sent.outer, sent.by) if method == "passed" or _forwards(sent) else (sent.fn, sent.call)
            if not method or place[0] is None or place[1] is None or (place[0].fqn, place[1]) in seen:
                continue
            keyed = _keyed(project, sent.fn, sent.call, sent.by)
            if not keyed and not (sent.outer and sent.by and _keyed(project, sent.outer, sent.by)):
                seen.add((place[0].fqn, place[1]))
                hit = _hit(project, policy, sent, place[0], place[1])
                yield replace(hit, profile="strict") if _is_advice(project, policy, sent, place[0]) else hit


def _is_advice(project: Project, policy: Policy, sent: Sent, fn: Fn) -> bool:
    return (
        project.lifecycle.alone_leads_to(policy.fn)  # sets up what it finds set up the next time
        or _is_harmless(project, sent, fn)
        or _mails(project, sent)
        or _asks_first(project, sent)
        or _hears_of_it(sent)
    )


def _is_harmless(project: Project, sent: Sent, fn: Fn) -> bool:
    """Whether a request, by what it is said to do, asks, or brings a thing into a state: the address says more than the function."""
    words, address = _words(project, sent, fn), _said(project, sent.fn, _address(sent)[:1])
    if address & (ASKS | STATES) and not address & MAKES:
        words -= LOCAL
    if words >= BEATS or "heartbeat" in words or words & MEASURED:
        return True
    asks = bool(words & (ASKS | STATES)) or _addressed(sent) or sent.fn.const(sent.call.kwarg("stream")) is True
    return asks and not words & MAKES


def _may_be_late(project: Project, name: str) -> bool:
    """Whether an exception may come after the call has had its effect: no row that is missing, which the database says."""
    model = project.libraries.exception(name)
    return model is None or model.kind != "not-found"


def _calls(project: Project, policy: Policy) -> list[Sent]:
    """Outbound calls that are repeated: those of the loop or function, and of project functions that they call; where a helper's
    callers say what is sent, once a caller."""
    found: list[Sent] = []
    for call in policy.calls or tuple(policy.fn.calls):
        found += [Sent(policy.fn, call), *_of_callers(project, policy.fn, call)]
        for target in project.targets(policy.fn, call):
            found += [Sent(target, inner, policy.fn, call) for inner in target.calls]
            found += _through(project, policy.fn, call, target)
    return found


def _through(project: Project, fn: Fn, call: Call, target: Fn) -> Iterator[Sent]:
    """`self.call_json("POST", ...)`, which hands the method on, and on, to what sends."""
    for index, passed in bind(fn, call, target).items():
        if any(fn.const(vid) in UNSAFE for vid, part in passed if not part):
            yield from (Sent(*sent, fn, call, True) for sent in _handing(project, target, index, HELPERS))


def _handing(project: Project, fn: Fn, index: int, depth: int) -> Iterator[tuple[Fn, Call]]:
    """Where the functions that are handed a parameter as the method send, below the first."""
    for edge in project.graph.callees(fn) if depth else ():
        bound = bind(fn, edge.call, edge.callee) if edge.call is not None and edge.kind == "call" else {}
        for inner, passed in bound.items():
            if any(fn.unguarded(vid) == ("param", index) for vid, part in passed if not part):
                yield from (
                    (edge.callee, call) for call in edge.callee.calls if _is_told(project, edge.callee, call, inner)
                )
                yield from _handing(project, edge.callee, inner, depth - 1)


def _is_told(project: Project, fn: Fn, call: Call, index: int) -> bool:
    """Whether a request's method is the parameter."""
    vid = _method_in(call)
    return vid >= 0 and fn.unguarded(vid) == ("param", index) and _takes_method(project, fn, call)


def _takes_method(project: Project, fn: Fn, call: Call) -> bool:
    """`requests.request(method, ...)`"""
    return any("http" in model.effect and model.method.startswith("arg:") for model in project.models(fn, call))


def _method_in(call: Call) -> Vid:
    """What such a call passes as the method, or -1."""
    return next(iter(call.args), call.kwarg("method"))


def _of_callers(project: Project, fn: Fn, call: Call) -> Iterator[Sent]:
    """`request(method, ...)`, repeated in a helper: what is sent is for the helper's callers to say."""
    if _takes_method(project, fn, call):
        for edge in project.graph.callers(fn):
            if edge.kind == "call" and edge.call is not None:
                yield Sent(fn, call, edge.caller, edge.call)


def _method(project: Project, sent: Sent) -> str:
    """`own` for a call that changes something, `passed` where the helper's caller says so (`request("POST")`), or ""."""
    if sent.through:
        return "passed"
    for model in project.models(sent.fn, sent.call):
        if "mail" in model.effect and model.idempotent is not True:
            return "own"
        if "http" not in model.effect or model.idempotent:
            continue
        if not model.method.startswith("arg:"):
            if model.method in UNSAFE:
                return "own"
            continue
        vid = _method_in(sent.call)
        if str(sent.fn.const(vid)).upper() in UNSAFE:
            return "own"
        if _passed(sent, vid) in UNSAFE:
            return "passed"
    return ""


def _forwards(sent: Sent) -> bool:
    """A helper that is told where to send."""
    own = 1 if sent.fn.kind in ("method", "classmethod") else 0
    parts = map(sent.fn.value, ingredients(sent.fn.facts, _address(sent)) if sent.outer is not None else ())
    return any(value[0] == "param" and value[1] >= own for value in parts)


def _mails(project: Project, sent: Sent) -> bool:
    """A mail that comes twice is a nuisance, one that never comes is worse; also by the interface of who delivers it."""
    named = not MAIL.isdisjoint(identifier_words(sent.fn.name))
    return named or any("mail" in model.effect for model in project.models(sent.fn, sent.call))


def _asks_first(project: Project, sent: Sent) -> bool:
    """`found = client.get(...)`, `if found.status_code == 404: client.post(...)`: each attempt looks whether it is there."""
    fn = sent.fn
    asked = ingredients(fn.facts, [test for test, _ in fn.tests_of(sent.call.block) if test >= 0])
    calls = (fn.calls[value[1]] for value in map(fn.value, asked) if value[0] == "call")
    return any(model.method == "GET" and "http" in model.effect for call in calls for model in project.models(fn, call))


def _hears_of_it(sent: Sent) -> bool:
    """`if response.status_code == 409: return`, `if is_already_sent(response)`: the other side tells what it has taken before."""
    for fn in (sent.fn, *((sent.outer,) if sent.outer is not None else ())):
        asked = ingredients(fn.facts, [block.value for block in fn.facts.blocks if block.kind in ("if", "case")])
        values = [fn.value(vid) for vid in asked]
        named = [fn.callee_name(fn.calls[value[1]]) for value in values if value[0] == "call"]
        named += [str(value[-1]) for value in values if value[0] in ("attr", "name")]
        said = [value[1] for value in values if value[0] == "const"]
        if CONFLICT in said or any(
            AGAIN.search(text) for text in (*named, *(text for text in said if isinstance(text, str)))
        ):
            return True
    return False


def _words(project: Project, sent: Sent, fn: Fn) -> set[str]:
    """What a call is said to do: by the function's name, and by what is constant in the address, also where those say that
    call the helper."""
    words = {*_deeds(sent.fn.name), *_deeds(fn.name)}
    words |= _said(project, sent.fn, _address(sent))
    if sent.outer is not None and sent.by is not None:
        words |= _said(project, sent.outer, [vid for vid in sent.by.args if isinstance(sent.outer.const(vid), str)])
    told = fn is sent.fn and any(fn.unguarded(vid)[0] == "param" for vid in _address(sent)[:1])
    for edge in project.graph.callers(fn) if told else ():
        words |= _deeds(edge.caller.name)
        words |= _said(project, edge.caller, edge.call.args[:2] if edge.call is not None else ())
    return words


def _deeds(name: str) -> set[str]:
    """The words of a name that say what is done, and not by what: `search_account_by_email`."""
    words = list(identifier_words(name))
    return set(words[: words.index("by")] if "by" in words[1:] else words)


def _said(project: Project, fn: Fn, address: Iterable[int]) -> set[str]:
    """Words of what is constant in an address, and of the names that it is made of."""
    words: set[str] = set()
    for vid in address:
        value = fn.value(vid)
        made = fn.calls[value[1]].passed if value[0] == "call" else (vid,)  # `self._url("/api/settings")`
        for part in value[2] if value[0] == "fmt" else made:
            known = project.constants(fn, part) or [fn.const(part)]
            words.update(
                word for text in known if isinstance(text, str) for word in identifier_words(HOST.sub("", text))
            )
            named = fn.value(part)
            if named[0] in ("name", "attr"):
                words.update(identifier_words(str(named[-1]).rpartition(".")[2]))
    return words


def _addressed(sent: Sent) -> bool:
    """`POST /documents/{document_id}`: what is sent again replaces what was sent before."""
    for vid in _address(sent):
        value = sent.fn.value(vid)
        parts = [sent.fn.const(part) for part in value[2]] if value[0] == "fmt" else []
        if len(parts) > 1 and parts[-1] is ... and str(parts[-2]).endswith("/"):
            return True
    return False


def _address(sent: Sent) -> list[int]:
    return [vid for vid in (*sent.call.args[:2], sent.call.kwarg("url")) if vid >= 0]


def _passed(sent: Sent, vid: int) -> str:
    """The constant that the helper's caller passes for the parameter."""
    value = sent.fn.value(vid) if vid >= 0 else ("",)
    while value[0] == "guard" or (value[0] == "call" and sent.fn.value(sent.fn.calls[value[1]].func)[0] == "attr"):
        value = sent.fn.value(value[1] if value[0] == "guard" else sent.fn.value(sent.fn.calls[value[1]].func)[1])
    if value[0] != "param" or sent.outer is None or sent.by is None:
        return ""
    given = bind(sent.outer, sent.by, sent.fn).get(value[1], [])
    return str(sent.outer.const(given[0][0])).upper() if given and not given[0][1] else ""


def _keyed(project: Project, fn: Fn, call: Call, by: Call | None = None) -> bool:
    """An idempotency key in a keyword, a header or the body, or one that may be there; of what a helper hands on (`**kwargs`)
    the call `by` which it is reached tells."""
    if call.open_ended and (by is None or by.open_ended or not _hands_on(fn, call)):
        return True
    for key, vid in call.kwargs:
        if _is_key(key) or _mentions(project, fn, vid):
            return True
    return any(_mentions(project, fn, vid) for vid in call.args)


def _hands_on(fn: Fn, call: Call) -> bool:
    """Whether nothing is open in a call but the keywords that the function itself was given."""
    for vid in (vid for key, vid in call.kwargs if key == "**"):
        value = fn.value(vid)
        while value[0] in ("guard", "mut", "store"):
            value = fn.value(value[1])
        if value[0] != "param" or fn.facts.params[value[1]].kind != "kwargs":
            return False
    return all(fn.value(vid)[0] != "star" for vid in call.args)


def _is_key(text: str) -> bool:
    return any(part in text.lower() for part in KEYS)


def _mentions(project: Project, fn: Fn, vid: int, depth: int = 6) -> bool:
    value = fn.facts.values[vid]
    if depth == 0:
        return False
    if value[0] == "const":
        return isinstance(value[1], str) and _is_key(value[1])
    if value[0] == "dict":
        return any(_mentions(project, fn, item, depth - 1) for pair in value[1] for item in pair if item >= 0)
    if value[0] == "phi":
        return any(_mentions(project, fn, item, depth - 1) for item in value[1] if item != vid)
    if value[0] == "store":
        return _mentions(project, fn, value[2], depth - 1) or _mentions(project, fn, value[1], depth - 1)
    if value[0] in ("guard", "mut", "setattr"):
        return _mentions(project, fn, value[1], depth - 1)
    if value[0] == "name":
        return "idempot" in value[1].lower()
    if value[0] == "call":  # `headers=headers_for(order.id)`
        return _made_with_key(project, fn, fn.calls[value[1]], depth)
    if value[0] == "param":
        return "idempot" in fn.facts.params[value[1]].name.lower()
    return value[0] == "attr" and "idempot" in value[2].lower()


def _made_with_key(project: Project, fn: Fn, call: Call, depth: int) -> bool:
    """Whether what the project's function gives has a key, which this call does not leave out."""
    targets = project.targets(fn, call)
    for target in targets:
        made = target.returned
        if not made or not all(_mentions(project, target, vid, depth - 1) for vid in made):
            return False
        passed = bind(fn, call, target)
        left = {("param", number) for number in range(len(target.facts.params)) if number not in passed}
        if any(target.value(part) in left for part in ingredients(target.facts, _keys(target))):
            return False
    return bool(targets)


def _keys(fn: Fn) -> list[int]:
    """What a function gives as keys, in a mapping or an entry of one."""
    pairs = [(item.key, item.value) for item in fn.facts.stores if item.key >= 0]
    pairs += [pair for vid in fn.made_by("dict") for pair in fn.value(vid)[1]]
    return [vid for key, vid in pairs if key >= 0 and isinstance(text := fn.const(key), str) and _is_key(text)]


def _client(project: Project, policy: Policy) -> Hit:
    methods = "every method" if "ANY" in policy.methods else "POST"
    return Hit(
        message=f"The client made in `{policy.fn.name}()` retries {methods} without an idempotency key: an answer lost on the way "
        "back repeats the effect.",
        location=_allows(policy),
        function=policy.fn.fqn,
        profile="strict" if policy.fn.cls is not None and not _posts(project, policy.fn) else None,
    )


def _allows(policy: Policy) -> Location:
    """The argument that names the methods, of the call that makes the client."""
    made = (call for call in policy.home.calls if call.span == policy.span)
    named = (vid for call in made for key, vid in call.kwargs if "method" in key)
    return next(map(policy.home.place, named), policy.home.location(policy.span))


def _posts(project: Project, fn: Fn) -> bool:
    """Whether the file of a class that makes a client sends anything but what may be repeated: `session.post(...)`,
    `self._request("POST", ...)`, or what callers say."""
    return any(
        any(str(other.const(vid)).upper() in UNSAFE for vid in call.passed)
        or any(model.method in UNSAFE for model in project.models(other, call) if "http" in model.effect)
        for other in project.functions_of(fn.file)
        for call in other.calls
    )


def _hit(project: Project, policy: Policy, sent: Sent, fn: Fn, call: Call) -> Hit:
    name = project.models(sent.fn, sent.call)[0].name
    via = "" if call is sent.call else f" through `{sent.fn.name}()`"
    steps = () if call is sent.call else (sent.fn.step(sent.call.span, "sent here"),)
    return Hit(
        message=f"`{name}` in `{fn.name}()`{via} is retried without an idempotency key: an answer lost on the way back repeats the effect.",
        location=fn.location(call.span),
        related=(policy.home.step(policy.span, "retried here"), *steps),
        function=fn.fqn,
    )
