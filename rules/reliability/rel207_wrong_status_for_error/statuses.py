"""Whether a status says what failed: the client's mistake, an outage, or what is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable

from backendlint.api import (
    Fn,
    Project,
    Vid,
    below,
    block_at,
    called_name,
    calls_in,
    failure_status,
    identifier_words,
    ingredients,
    only_converts,
    request_reads,
    says_missing,
)

OK = 200
_DEPENDENCY = 424
"""Says itself that somebody else has failed."""
SERVER = 500
_FAILING = ("call", "attr", "item", "await", "binop", "elem", "unpack")
_FILES = ("builtins.FileNotFoundError", "builtins.NotADirectoryError")
EVERY = "to every failure"
ALL = ("builtins.Exception", "builtins.BaseException")
_READING = (
    "builtins.KeyError",
    "builtins.ValueError",
    "builtins.TypeError",
    "builtins.IndexError",
    "builtins.LookupError",
)
_AUTH = (401, 403)
_IDENTITY = re.compile(
    r"auth|log_?in|sign_?(in|ed|er|up)|token|jwt|jws|saml|oidc|oauth|sso|ldap|passw|credential|secret|session|verify|"
    r"signature|permission|permit|allow|access|user|account|member|role|identity|hmac|digest|nonce|captcha|otp|mfa|cert|invite|key",
    re.IGNORECASE,
)
"""Words of code that finds out who somebody is, or what he may do."""
_ASKED = {*_AUTH, 404}
"""What an endpoint may be there to find out."""
_FITTING = (*_AUTH, 408, 409, 412, 423, 424, 429)
"""Statuses of the client's range that can stand for a failure of something else."""
_CLIENTS = re.compile(
    r"Already|Exists(Error|Exception)?$|Taken|Duplicate|Conflict|Invalid|NotAllowed|Forbidden|Denied|Unauthor|Unauthent|Validation|"
    r"(^|No|Bad|Wrong|Missing)Credentials?(Error|Exception|$)|Insufficient|Expired"
)
_SERVERS = re.compile(
    r"(Repository|Storage|Store|Database|Db|DB|Persistence|Connection|Unavailable|Upstream|Gateway|Backend|Infrastructure|Network)"
    r"(Error|Exception|Failed|Failure|Down)?$"
)
_SAYS_NOTHING = frozenset(
    "not found exists exist does no such missing unknown error exception object entity item resource row record model instance".split()
)
"""Words of exceptions that do not say what is missing."""
_LACKS = re.compile(r"Missing", re.IGNORECASE)
"""Of a part that is needed (`MissingCaseError`): it need not be what the client asked for."""
_REFUSED = re.compile(
    r"Authentication|Signature|SenderRefused|RecipientsRefused|Rejected|Invalid|^CardError$|^DataError$"
)


def states_another(project: Project, types: tuple[str, ...], usual: Iterable[int] = ()) -> bool:
    """Whether the failures' own classes state statuses of failures; `{"exists": False}` and `{"signed_in": False}` may be what is
    asked."""
    stated = [failure_status(project, name) for name in types]
    return bool(stated) and None not in stated and not {*stated} <= {*_ASKED, *usual}


def mismatch(project: Project, fn: Fn, handler: int, types: tuple[str, ...], status: int) -> tuple[str, str] | None:
    """What the status says, and what is wrong with it."""
    if not types:
        return None
    if status >= 500:
        missing = all(_is_missing(project, name) and _is_asked_for(project, fn, handler, name) for name in types)
        if missing and not _own_file(fn, handler, types):
            return f"answers {status}", "what is not there is reported as a failure of the server"
        if _is_malformed(project, fn, handler, types):
            return f"answers {status}", "the client's mistake is reported as the server's"
        if all(_is_clients(project, name) for name in types) and not _reads_own(project, fn, handler, types):
            return f"answers {status}", "the client's mistake is reported as the server's"
        return None
    if any(name in ALL for name in types):
        if only_converts(project, fn, handler) or (status in _AUTH and _asks_who(project, fn, handler)):
            return None
        if status == _DEPENDENCY or not _can_fail(fn, handler):
            return None
        return f"answers {status} {EVERY}", "bugs and outages are reported as the client's mistake"
    if (
        all(_is_servers(project, name) or (failure_status(project, name) or 0) >= SERVER for name in types)
        and status not in _FITTING
    ):
        return (
            f"answers {status}",
            "a failure of the server is reported as the client's mistake, so nobody retries and no alarm rings",
        )
    return None


def _can_fail(fn: Fn, handler: int) -> bool:
    """Whether anything is tried but to name what is there: `try: return rows`."""
    tried = below(fn.facts, fn.facts.blocks[handler].group)
    made = (fn.facts.span_of(vid) for operation in _FAILING for vid in fn.made_by(operation))
    return any(block_at(fn, span) in tried for span in made)


def _asks_who(project: Project, fn: Fn, handler: int) -> bool:
    """Whether the handler, its path, or what it tries has to do with who asks: then any failure may be a refusal."""
    tried = calls_in(fn.facts, fn.facts.blocks[handler].group)
    said = [fn.name, *(route.path for route in project.route_functions[fn.fqn]), fn.path]
    said += [called_name(fn.file, fn.facts, call) for call in tried]
    return any(_IDENTITY.search(text) for text in said)


def _own_file(fn: Fn, handler: int, types: tuple[str, ...]) -> bool:
    """A file whose path no request decides: what the server itself should have is missing."""
    if any(name not in _FILES for name in types):
        return False
    tried = calls_in(fn.facts, fn.facts.blocks[handler].group)
    used = [vid for call in tried for vid in (call.func, *call.passed)]
    parts = (fn.facts.values[vid] for vid in ingredients(fn.facts, used))
    return not any(value[0] == "param" and (value[1] > 0 or fn.cls is None) for value in parts)


def _is_missing(project: Project, name: str) -> bool:
    if project.exception_kind(name) == "not-found":
        return True
    return says_missing(name) and not _LACKS.search(name.rpartition(".")[2])


def _is_asked_for(project: Project, fn: Fn, handler: int, name: str) -> bool:
    """Whether what is not there is what the request asks for: by what the query looks for; of an exception of the project, by what
    the endpoint is about: a missing `SigningKey` is none that a client asks `/ferries/{ferry_id}` for. A name that says nothing
    (`NotFound`) may be."""
    if name not in project.classes:
        return project.error_paths.asked_in(fn, fn.facts.blocks[handler].group, name)
    about = set(identifier_words(name.rpartition(".")[2])) - _SAYS_NOTHING
    said = [fn.facts.qualname, *(route.path for route in project.route_functions[fn.fqn])]
    asked = {word.rstrip("s") for text in said for word in identifier_words(text)}
    return not about or not asked.isdisjoint(word.rstrip("s") for word in about)


def _is_clients(project: Project, name: str) -> bool:
    """Exceptions that tell of what the client asked for: those of validation, and the project's own by their names."""
    if project.exception_kind(name) == "validation":
        return True
    return name in project.classes and _CLIENTS.search(name.rpartition(".")[2]) is not None


def _reads_own(project: Project, fn: Fn, handler: int, types: tuple[str, ...]) -> bool:
    """A text that does not parse, in the handler of a GET, which has no body, or out of a file that is opened there: it is the
    server's own."""
    if any(name in project.classes for name in types):
        return False
    group = fn.facts.blocks[handler].group
    models = (model for call in calls_in(fn.facts, group) for model in project.models(fn, call))
    if any(model.opens == "file" for model in models) and not any(request_reads(project, fn, below(fn.facts, group))):
        return True
    routes = project.route_functions[fn.fqn]
    return all(set(route.methods) <= {"GET", "HEAD"} and route.methods for route in routes)


def _is_malformed(project: Project, fn: Fn, handler: int, types: tuple[str, ...]) -> bool:
    """Whether built-in errors of reading a value are caught around nothing but a read of the request."""
    if not all(name in _READING or project.exception_kind(name) == "validation" for name in types):
        return False
    tried = below(fn.facts, fn.facts.blocks[handler].group)
    reads = {item.vid for item in request_reads(project, fn, tried)}
    return bool(reads) and not any(
        _is_fetched(fn, vid, tried)
        for call in fn.calls
        if call.block in tried and project.targets(fn, call)
        for vid in call.passed
    )


def _is_fetched(fn: Fn, vid: Vid, tried: frozenset[int]) -> bool:
    """What another call gave before: `check(quote, request.data)` is about the quote."""
    value = fn.unguarded(vid)
    return value[0] == "call" and fn.facts.calls[value[1]].block not in tried


def _is_servers(project: Project, name: str) -> bool:
    """Exceptions that tell of an outage: those of libraries unless the other side refused what was sent, and the
    project's own by their names (not where some of a kind tell what the client asked for: `GatewayNotFound(GatewayError)`)."""
    last = name.rpartition(".")[2]
    if name in project.classes:
        below_it = project.subclasses(project.classes[name])
        mixed = any(_is_missing(project, item.fqn) or _CLIENTS.search(item.name) for item in below_it)
        return (
            not mixed
            and project.exception_kind(name) not in ("http", "validation")
            and _SERVERS.search(last) is not None
        )
    return (
        project.exception_kind(name) == "infrastructure"
        and not name.startswith("builtins.")
        and _REFUSED.search(last) is None
    )
