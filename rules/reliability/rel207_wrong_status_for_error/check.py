"""REL207: the handler knows that something failed, and its answer says otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from backendlint.api import (
    SLIPS,
    Answer,
    Call,
    Fn,
    Hit,
    Profile,
    Project,
    Step,
    Vid,
    answers,
    asks_nobody,
    below,
    block_at,
    called_name,
    calls_in,
    failure_status,
    ingredients,
    lines_of,
    only_converts,
    request_reads,
    says_missing,
    slots,
    told_once,
    tries_out,
)

TELLING = frozenset({"error", "errors", "detail", "exception", "err", "error_message", "traceback"})
"""Keys of a body that tells of a failure."""
SAYS = frozenset({"error", "errors"})
"""Those that an answer has only where something went wrong."""
TEXTS = frozenset({"message", "detail", "description", "msg", "strerror", "reason", "args"})
"""Attributes of exceptions that say what happened."""
RPC = "jsonrpc"
"""Key of a body of JSON-RPC, whose errors travel in answers of 200."""
ASIDE = frozenset({"warning", "warnings", "note", "notes", "hint"})
"""Keys of what is said beside a success."""
WENT_WRONG = re.compile(
    r"\b(failed|failure|error|could not|couldn't|cannot|can't|unable to|unavailable|went wrong)\b", re.IGNORECASE
)
"""Words of a sentence that tells of a failure."""
FAILED = re.compile(r"(^|[_-])(error|fail(ed|ure)?)$", re.IGNORECASE)
OK = 200
DEPENDENCY = 424
"""Says itself that somebody else has failed."""
SERVER = 500
FAILING = ("call", "attr", "item", "await", "binop", "elem", "unpack")
WORDS = 6
"""So many a comment has that says why."""
DEPTH = 3
DONE = frozenset({"http", "db-write", "queue-publish", "mail", "cloud", "socket", "subprocess"})
OUTSIDE = DONE | {
    "db",
    "db-read",
    "commit",
    "flush",
    "db-connect",
    "grpc",
    "search",
    "cache-read",
    "cache-write",
    "dns",
    "ssh",
}
COMPUTES = re.compile(
    r"(^|_)(parse|decode|deserialize|verify|validate|check|clean|convert|transform|normali[sz]e|loads|from|to|str|is|format)(_|$|r$)",
    re.IGNORECASE,
)
"""Words of functions that make something of a value, or say no to it."""
MADE = re.compile(r"(^|\.)_*[A-Z]\w*$")
"""A class that is called."""
FILES = ("builtins.FileNotFoundError", "builtins.NotADirectoryError")
NOTHING = (("dict", ()), ("list", ()), ("tuple", ()))
EVERY = "to every failure"
TELLS = "a body that tells of an error"
ALL = ("builtins.Exception", "builtins.BaseException")
READING = (
    "builtins.KeyError",
    "builtins.ValueError",
    "builtins.TypeError",
    "builtins.IndexError",
    "builtins.LookupError",
)
AUTH = (401, 403)
IDENTITY = re.compile(
    r"auth|log_?in|sign_?(in|ed|er|up)|token|jwt|jws|saml|oidc|oauth|sso|ldap|passw|credential|secret|session|verify|"
    r"signature|permission|permit|allow|access|user|account|member|role|identity|hmac|digest|nonce|captcha|otp|mfa|cert|invite|key",
    re.IGNORECASE,
)
"""Words of code that finds out who somebody is, or what he may do."""
ASKED = {*AUTH, 404}
"""What an endpoint may be there to find out."""
FITTING = (*AUTH, 408, 409, 412, 423, 424, 429)
"""Statuses of the client's range that can stand for a failure of something else."""
CLIENTS = re.compile(
    r"Already|Exists(Error|Exception)?$|Taken|Duplicate|Conflict|Invalid|NotAllowed|Forbidden|Denied|Unauthor|Unauthent|Validation|"
    r"(^|No|Bad|Wrong|Missing)Credentials?(Error|Exception|$)|Insufficient|Expired"
)
SERVERS = re.compile(
    r"(Repository|Storage|Store|Database|Db|DB|Persistence|Connection|Unavailable|Upstream|Gateway|Backend|Infrastructure|Network)"
    r"(Error|Exception|Failed|Failure|Down)?$"
)
LACKS = re.compile(r"Missing", re.IGNORECASE)
"""Of a part that is needed (`MissingCaseError`): it need not be what the client asked for."""
REFUSED = re.compile(
    r"Authentication|Signature|SenderRefused|RecipientsRefused|Rejected|Invalid|^CardError$|^DataError$"
)


class Given(NamedTuple):
    """An answer, and the values that its body is made of."""

    answer: Answer
    parts: list[Vid]


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

    Where other answers say in a body of 200 that something failed, and nothing is written, whether it works is what is asked: advice.
    """
    for fqn, routes in project.route_functions.items():
        fn = project.functions[fqn]
        if not any(route.kind == "http" for route in routes):
            continue
        given = [_given(project, fn, answer) for answer in answers(project, fn)]
        handlers = [_handler(fn, item.answer.block) for item in given]
        usual = [item for item, number in zip(given, handlers, strict=True) if number < 0]
        asked = not project.effects.has(fn, "db-write", "commit") and any(
            not item.answer.failed and _tells(fn, -1, item) for item in usual
        )
        for item, number in zip(given, handlers, strict=True):
            if number < 0 and _refuses(fn, item, usual):
                yield _refused(fn, item.answer, "strict" if asked and tries_out(routes) else None)
            if number >= 0 and not item.answer.special:
                tried = (tries_out(routes) or _computes(project, fn, number)) if item.answer.failed else asked
                yield from _judged(project, fn, number, item, usual, "strict" if tried else None)


def _refuses(fn: Fn, given: Given, usual: list[Given]) -> bool:
    """`return jsonify(error="..."), 200` in a branch, where the function's other answers have no error to tell."""
    answer = given.answer
    if (
        answer.status != OK
        or answer.failed
        or answer.special
        or fn.inside(answer.block, "if", "else", "case") is None
        or not SAYS.intersection(answer.keys or ())
    ):
        return False
    others = [item.answer for item in usual if item is not given and not item.answer.failed]
    told = [said for vid in given.parts for name, said in _entries(fn, vid) if name in SAYS]
    return all(told) and bool(others) and not any(SAYS.intersection(item.keys or ()) for item in others)


def _refused(fn: Fn, answer: Answer, profile: Profile | None) -> Hit:
    return Hit(
        f"`{fn.name}()` answers {OK} with {TELLS}: clients, caches and monitors take it for success; answer with the status "
        "that says what happened.",
        fn.location(answer.span),
        function=fn.fqn,
        profile=profile,
    )


def _computes(project: Project, fn: Fn, handler: int) -> bool:
    """Whether nothing that is tried knows an outage: what fails there is the value, or there is a bug."""
    if not any(name in ALL for name in project.exceptions.caught_types(fn, fn.facts.blocks[handler])):
        return False
    tried = below(fn.facts, fn.facts.blocks[handler].group)
    calls = [call for call in fn.calls if call.block in tried]
    shared = any(item.block in tried and item.name and fn.unguarded(item.base)[0] == "name" for item in fn.facts.stores)
    return bool(calls) and not shared and all(_is_pure(project, fn, call) for call in calls)


def _is_pure(project: Project, fn: Fn, call: Call, depth: int = DEPTH) -> bool:
    if OUTSIDE & project.effects.call_effects(fn, call):
        return False
    models = project.models(fn, call)
    if call.awaited and (any(item.source == "request" for item in models) or (not models and _reads_upload(fn, call))):
        return True
    targets = project.targets(fn, call)
    if call.awaited and targets and not models:
        return COMPUTES.search(fn.callee_name(call)) is not None or (
            depth > 0 and all(_is_pure(project, item, inner, depth - 1) for item in targets for inner in item.calls)
        )
    if call.awaited or any(item.orm or item.spawn or item.executor or set(item.effect) - {"log"} for item in models):
        return False
    return asks_nobody(project, fn, call) or COMPUTES.search(fn.callee_name(call)) is not None


def _reads_upload(fn: Fn, call: Call) -> bool:
    """`await file.read()` of what the function is given."""
    func = fn.unguarded(call.func)
    return func[0] == "attr" and bool(func[2] == "read") and fn.unguarded(func[1])[0] == "param"


def _is_the_same(
    project: Project, fn: Fn, handler: int, types: tuple[str, ...], answer: Answer, usual: list[Given]
) -> bool:
    """Whether an outage of all that the handler does makes no difference to its answer, beside those where all went well."""
    if not any(name in ALL or project.exception_kind(name) == "infrastructure" for name in types):
        return False
    tried = below(fn.facts, fn.facts.blocks[handler].group)
    told = [fn.const(vid) for call in calls_in(fn.facts, handler) for vid in call.passed]
    if any(isinstance(item, int) and SERVER - 100 <= item < SERVER + 100 for item in told):
        return False  # a function is given the status: `self.write_error(500)`
    others = [item.answer for item in usual]
    works = [call.block for call in fn.calls if DONE & project.effects.call_effects(fn, call)]
    return (
        bool(others)
        and all(_alike(fn, answer.body, item.body) and (item.status or OK) == (answer.status or OK) for item in others)
        and bool(works)
        and tried.issuperset(works)
    )


def _alike(fn: Fn, left: Vid, right: Vid, depth: int = 5) -> bool:
    """Whether two values are written alike, of constants alone."""
    if left < 0 or right < 0 or depth == 0:
        return left == right
    a, b = fn.unguarded(left), fn.unguarded(right)
    if a[0] == b[0] == "call":
        one, other = fn.facts.calls[a[1]], fn.facts.calls[b[1]]
        if fn.unguarded(one.func) != fn.unguarded(other.func) or len(one.passed) != len(other.passed):
            return False
        return all(_alike(fn, x, y, depth - 1) for x, y in zip(one.passed, other.passed, strict=True))
    if a[0] == b[0] == "dict" and len(a[1]) == len(b[1]):
        pairs = [tuple(zip(one, other, strict=True)) for one, other in zip(a[1], b[1], strict=True)]
        return all(_alike(fn, *keys, depth - 1) and _alike(fn, *said, depth - 1) for keys, said in pairs)
    return a == b and a[0] in ("const", "name")


def _handler(fn: Fn, block: int) -> int:
    """The innermost `except` in which a block lies, or -1."""
    return next((number for number, item in fn.blocks_of(block) if item.kind == "except"), -1)


def _given(project: Project, fn: Fn, answer: Answer) -> Given:
    """`return fail("stock_down", text, 200)`: of an answer that a function of the project makes, what that is given."""
    value = fn.unguarded(answer.body) if answer.body >= 0 else ("",)
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    if call is None or not project.targets(fn, call):
        return Given(answer, [answer.body])
    open_ended = not answer.made and answer.keys is None and answer.status is None  # whatever the function makes of it
    return Given(answer._replace(unsaid=answer.unsaid or open_ended), list(call.passed))


def _judged(
    project: Project, fn: Fn, handler: int, given: Given, usual: list[Given], profile: Profile | None
) -> Iterator[Hit]:
    answer = given.answer
    types = project.exceptions.caught_types(fn, fn.facts.blocks[handler])
    names = ", ".join(name.rpartition(".")[2] for name in types[:2]) or "an exception"
    found: tuple[str, str] | None = None
    if not answer.failed and not answer.unsaid:
        what = TELLS if _tells(fn, handler, given, usual) else ""
        if not what and all((failure_status(project, name) or 0) >= SERVER for name in types) and _is_empty(fn, given):
            what = "nothing in it"
        if not what and _states_another(project, types) and all(_is_fixed(fn, vid) for vid in given.parts):
            denied = "`False` where it says `True` when all went well" if _denies(fn, given, usual) else ""
            what = denied or ("the same body for each" if answer.status == OK else "")
        if not what and _is_the_same(project, fn, handler, types, answer, usual):
            what = "what it answers where all went well"
        if what and types:
            found = f"answers {answer.status or 200} with {what}", "clients, caches and monitors take it for success"
    elif answer.failed and answer.status is not None:
        chosen = _chosen(fn, handler, answer) or _sorted_out(project, fn, handler)
        found = None if chosen else _mismatch(project, fn, handler, types, answer.status)
        decided = found is not None and _is_explained(project, fn, handler, [str(answer.status), *types])
        profile = "strict" if decided else profile
    if found is not None:
        yield Hit(
            f"`{fn.name}()` catches `{names}` and {found[0]}: {found[1]}; answer with the status that says what happened.",
            fn.location(answer.span),
            function=fn.fqn,
            profile=profile,
        )


def _is_explained(project: Project, fn: Fn, handler: int, named: list[str]) -> bool:
    """Whether a comment in the handler says why it is this status or this exception, by its name."""
    span = fn.facts.blocks[handler].span
    lines = lines_of(project, fn.path)[span.line - 1 : span.end_line]
    said = " ".join(line.strip("# \t") for line in lines if line.lstrip().startswith("#"))
    words = {name.rpartition(".")[2] for name in named if name not in ALL}
    return len(said.split()) >= WORDS and any(re.search(rf"\b{re.escape(word)}\b", said) for word in words)


def _chosen(fn: Fn, handler: int, answer: Answer) -> bool:
    """`if "not found" in str(error): raise HTTPException(404)`: the answer is for this failure, not for every one."""
    for number, block in fn.blocks_of(answer.block):
        if number == handler:
            return False
        tested = ingredients(fn.facts, [block.value]) if block.kind in ("if", "case") else ()
        if any(fn.facts.values[vid][0] == "exc" for vid in tested):
            return True
    return False


def _sorted_out(project: Project, fn: Fn, handler: int) -> bool:
    """`return answer_for(error)`, where that function raises again what it has no answer for."""
    for call in calls_in(fn.facts, handler):
        given = {vid for vid in call.passed if fn.facts.values[vid] == ("exc", handler)}
        for target in project.targets(fn, call) if given else ():
            taken = slots(fn, call, target, given)
            again = (target.unguarded(item.exc) for item in target.facts.raises if item.exc >= 0)
            if any(value[0] == "param" and value[1] in taken for value in again):
                return True
    return False


def _tells(fn: Fn, handler: int, given: Given, usual: Sequence[Given] = ()) -> bool:
    """Whether a body tells of a failure by what it says, or by a key that the usual answers do not have."""
    keys = given.answer.keys or ()
    if RPC in keys:
        return False
    if any(key.lower() in TELLING for key in keys) and not _says_so_anyway(given, usual):
        return True
    return any(
        _flagged(fn, vid) or _is_text_of(fn, handler, vid) or (handler >= 0 and _complains(fn, vid))
        for vid in given.parts
    )


def _complains(fn: Fn, vid: Vid) -> bool:
    """`{"message": "the gateway failed"}`, with nothing else in it."""
    entries = _entries(fn, vid)
    return len(entries) == 1 and all(
        name in TEXTS and isinstance(said, str) and WENT_WRONG.search(said) is not None for name, said in entries
    )


def _says_so_anyway(given: Given, usual: Sequence[Given]) -> bool:
    """`{"detail": "already so"}`, where success is `{"detail": "done"}`: a key that tells of anything."""
    keys = set(given.answer.keys or ())
    return bool(keys) and SAYS.isdisjoint(keys) and any(keys == set(item.answer.keys or ()) for item in usual)


def _flagged(fn: Fn, vid: Vid) -> bool:
    """`{"success": False}`, `{"status": "refund_failed"}`."""
    for name, said in _entries(fn, vid):
        if name in ("success", "ok") and said is False:
            return True
        if name in ("status", "state", "result") and isinstance(said, str) and FAILED.search(said):
            return True
    return False


def _entries(fn: Fn, vid: Vid) -> list[tuple[object, object]]:
    """The constants of a dict's keys and values; Ellipsis for others."""
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    return [(fn.const(key), fn.const(item)) for key, item in value[1]] if value[0] == "dict" else []


def _is_text_of(fn: Fn, handler: int, vid: Vid) -> bool:
    """`str(error)`, `error.message`, `f"no: {error}"`, also as a value of a dict."""
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    caught = ("exc", handler)
    if value[0] == "dict":
        said = [item for key, item in value[1] if fn.const(key) not in ASIDE]
        return any(_is_text_of(fn, handler, item) for item in said)
    if value[0] == "fmt":
        return any(caught in (fn.facts.values[part], fn.unguarded(_unconverted(fn, part))) for part in value[2])
    if value[0] == "attr":
        return value[2] in TEXTS and fn.facts.values[value[1]] == caught
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    texts = call is not None and fn.unguarded(call.func) in (("name", "builtins.str"), ("name", "builtins.repr"))
    return call is not None and texts and any(fn.facts.values[item] == caught for item in call.args)


def _unconverted(fn: Fn, vid: Vid) -> Vid:
    value = fn.facts.values[vid]
    return int(value[1]) if value[0] == "conv" else vid


def _states_another(project: Project, types: tuple[str, ...]) -> bool:
    """Whether the failures' own classes state statuses of failures; `{"exists": False}` and `{"signed_in": False}` may be what is
    asked."""
    stated = [failure_status(project, name) for name in types]
    return bool(stated) and None not in stated and not {*stated} <= ASKED


def _is_fixed(fn: Fn, vid: Vid) -> bool:
    """`{"data": {"reserved": False}}`: a body of constants."""
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    if value[0] == "dict":
        return bool(value[1]) and all(_is_fixed(fn, item) for _, item in value[1])
    return value[0] == "const" and value[1] is not None


def _is_empty(fn: Fn, given: Given) -> bool:
    """A body that holds no data at all: `{}`, `{"sun": None}`; where it is passed on beside a status, all that is passed."""
    found = [_empty(fn, vid) for vid in given.parts if not isinstance(fn.const(vid), int)]
    return bool(found) and all(found)


def _denies(fn: Fn, given: Given, usual: list[Given]) -> bool:
    """`{"stored": False}`, where another answer is `{"stored": True}`."""
    said = [entry for item in usual if not item.answer.failed for vid in item.parts for entry in _flags(fn, vid)]
    return any(not truth and (name, True) in said for vid in given.parts for name, truth in _flags(fn, vid))


def _flags(fn: Fn, vid: Vid) -> list[tuple[str, bool]]:
    return [(name, said) for name, said in _entries(fn, vid) if isinstance(name, str) and isinstance(said, bool)]


def _makes(fn: Fn, call: Call) -> bool:
    """Whether a class is called, also one of some type: `Page[dict](items=[])`."""
    func = fn.unguarded(call.func)
    func = fn.unguarded(func[1]) if func[0] == "item" else func
    return MADE.search(str(func[-1])) is not None


def _empty(fn: Fn, vid: Vid) -> bool:
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    if value[0] == "dict":
        return bool(value[1]) and all(_empty(fn, item) for _, item in value[1])
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    if call is not None and call.kwargs and not call.args and _makes(fn, call):
        return all(_empty(fn, item) or fn.unguarded(item) in NOTHING for _, item in call.kwargs)  # `Page(items=[])`
    return value == ("const", None)


def _mismatch(project: Project, fn: Fn, handler: int, types: tuple[str, ...], status: int) -> tuple[str, str] | None:
    """What the status says, and what is wrong with it."""
    if not types:
        return None
    if status >= 500:
        if all(_is_missing(project, name) for name in types) and not _own_file(fn, handler, types):
            return f"answers {status}", "what is not there is reported as a failure of the server"
        if _is_malformed(project, fn, handler, types):
            return f"answers {status}", "the client's mistake is reported as the server's"
        if all(_is_clients(project, name) for name in types) and not _reads_own(project, fn, handler, types):
            return f"answers {status}", "the client's mistake is reported as the server's"
        return None
    if any(name in ALL for name in types):
        if only_converts(project, fn, handler) or (status in AUTH and _asks_who(project, fn, handler)):
            return None
        if status == DEPENDENCY or not _can_fail(fn, handler):
            return None
        return f"answers {status} {EVERY}", "bugs and outages are reported as the client's mistake"
    if (
        all(_is_servers(project, name) or (failure_status(project, name) or 0) >= SERVER for name in types)
        and status not in FITTING
    ):
        return (
            f"answers {status}",
            "a failure of the server is reported as the client's mistake, so nobody retries and no alarm rings",
        )
    return None


def _can_fail(fn: Fn, handler: int) -> bool:
    """Whether anything is tried but to name what is there: `try: return rows`."""
    tried = below(fn.facts, fn.facts.blocks[handler].group)
    made = (fn.facts.span_of(vid) for operation in FAILING for vid in fn.made_by(operation))
    return any(block_at(fn, span) in tried for span in made)


def _asks_who(project: Project, fn: Fn, handler: int) -> bool:
    """Whether the handler, its path, or what it tries has to do with who asks: then any failure may be a refusal."""
    tried = calls_in(fn.facts, fn.facts.blocks[handler].group)
    said = [fn.name, *(route.path for route in project.route_functions[fn.fqn]), fn.path]
    said += [called_name(fn.file, fn.facts, call) for call in tried]
    return any(IDENTITY.search(text) for text in said)


def _own_file(fn: Fn, handler: int, types: tuple[str, ...]) -> bool:
    """A file whose path no request decides: what the server itself should have is missing."""
    if any(name not in FILES for name in types):
        return False
    tried = calls_in(fn.facts, fn.facts.blocks[handler].group)
    used = [vid for call in tried for vid in (call.func, *call.passed)]
    parts = (fn.facts.values[vid] for vid in ingredients(fn.facts, used))
    return not any(value[0] == "param" and (value[1] > 0 or fn.cls is None) for value in parts)


def _is_missing(project: Project, name: str) -> bool:
    if project.exception_kind(name) == "not-found":
        return True
    return says_missing(name) and not LACKS.search(name.rpartition(".")[2])


def _is_clients(project: Project, name: str) -> bool:
    """Exceptions that tell of what the client asked for: those of validation, and the project's own by their names."""
    if project.exception_kind(name) == "validation":
        return True
    return name in project.classes and CLIENTS.search(name.rpartition(".")[2]) is not None


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
    if not all(name in READING or project.exception_kind(name) == "validation" for name in types):
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
        mixed = any(_is_missing(project, item.fqn) or CLIENTS.search(item.name) for item in below_it)
        return (
            not mixed
            and project.exception_kind(name) not in ("http", "validation")
            and SERVERS.search(last) is not None
        )
    return (
        project.exception_kind(name) == "infrastructure"
        and not name.startswith("builtins.")
        and REFUSED.search(last) is None
    )
