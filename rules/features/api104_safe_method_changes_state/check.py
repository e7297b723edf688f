from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from functools import partial

from backendlint.api import (
    SAFE,
    Call,
    Edge,
    Fn,
    Hit,
    Location,
    Project,
    Route,
    Write,
    here_and_in,
    identifier_words,
    ingredients,
    is_parameter,
    segments,
    told_once,
)

from .missing import fills_field, makes_missing

TRACES = re.compile(
    r"audit|histor(y|ies)|metric|referral|statistics|session|token|cache|usage|analytics|nonce|impression|challenge|captcha|thumbnail|"
    r"(^|_)(log(s|ged|ging)?|events?|stats?|visits?|views|viewed|counts?|counter|hits?|seen|track(s|ed|ing)?|touch(ed)?|refresh(ed)?|"
    r"locks?|locked|otp|clicks?|log_?(in|out)|last_access(ed)?|callback|status|health|traces?)(_|$)"
)
"""Words of names in snake case that tell of traces which a reader leaves."""
READ = re.compile(
    r"(^|_)(mark_?(as_?)?)?(un)?read(_(at|by|marks?|markers?|status|states?|receipts?))?$|^is_read$|(^|_)unread_\w+$"
)
"""Names of what says how far somebody has read: reading on notes it, a link "not read yet" changes it."""
PASSING = re.compile(
    r"session|token|cache|nonce|challenge|captcha|expire|stale|temp|(^|_)(old|locks?|locked|otp|log_?(in|out)|callback|view(s|ed)|seen)(_|$)"
)
"""Those of them that are deleted on the way too: of a log or a history no reader takes anything."""
STATES = re.compile(r"(^|_)status$")
"""A column that says how a thing is, whatever a route of that name is there for."""
DECIDES = re.compile(
    r"cancel|approv|reject|accept|archiv|clos(e|ing|ure)|publish|block|suspend|finish|complet|confirm|refund",
    re.IGNORECASE,
)
"""Words for what changes how a thing stands."""
POSTED = {"method", "POST", "FILES", "body", "is_valid"}
"""What a view reads that tells the methods apart."""
BACK = re.compile(
    r"oauth|openid|oidc|sso|saml|callback|/(web_?hooks?|ipn) |\b(auth|log_?in|sign_?in|pay|checkout)\S*/return |"
    r"/(paypal|stripe|mollie|adyen|klarna|alipay|paystack|razorpay|braintree|flutterwave)/(\S+/)?"
    r"(execut|succe|return|complet|captur|approv|confirm|result|finish)\w* ",
    re.IGNORECASE,
)
"""The way back from a sign-in or a payment elsewhere, or what that one calls itself, by the method that it has."""
OF_ADDRESS = re.compile(r"(?=.*(confirm|verif|activat))(?=.*e[-_]?mail)", re.IGNORECASE)
"""A path that confirms an address, whatever carries the proof."""
MAILED = re.compile(
    r"(confirm|verif|activat|subscri|invit|opt_?-?out|disable[-_]e?mail)[^{]*(\{[^}]*\}/)?"
    r"\{[^}]*(code|token|key|hash|secret|signed|uuid)[^}]*\}/?$|"
    r"\{(confirmation|verification|activation)_\w+\}/?$",
    re.IGNORECASE,
)
"""The path of a link in a mail, which only GET can follow; what it holds says who follows it."""
CONFIRMS = re.compile(r"confirm|verif|activat|magic", re.IGNORECASE)
PROOF = re.compile(
    r"((activation|confirm\w*|verif\w*|reset|secret|signed|e?mail|one_time|invit\w+|unique|random|auth|link)_?)?"
    r"(code|token|key|hash|secret|signature)",
    re.IGNORECASE,
)
"""Names under which such a link's proof is handed over, in the path or in the query."""
TOKEN = re.compile(r"jwt|token|claims|signer|serializer|loads|unsign", re.IGNORECASE)
"""Calls that read what a signed link says."""
TIDIES = re.compile(r"(^|_)(clean_?up|purge|prune|expire|evict|sweep)_|(^|_)(stale|orphan(s|ed)?|expired)(_|$)")
"""Functions that put away what has run out: whoever looks next sees the same."""
MIRRORED = re.compile(r"(\{\w+:(path|\.[+*])\}|<path:\w+>)/?$")
"""The path of whatever file: a mirror keeps what it fetches for the first who asks."""
FARTHEST = 3
"""Calls between handler and write; what lies deeper serves something else (configuration, caches)."""
LOADING = re.compile(
    r"_?a?(get|load|ensure|fetch|current|resolve|default|init|setup)(_|$)|\w*_if_(not_exists|necessary|missing|needed|absent)$"
    r"|\w+_or_(return|get|reuse|load)(_|$)",
    re.IGNORECASE,
)
"""Functions that make what they find missing."""
ASKING = re.compile(
    r"_?(is|has|can|may|should)_\w+|(?!_?(set|update|mark|save)_)\w+_has_\w+|\w*check\w*_(is|can)_\w+", re.IGNORECASE
)
"""Functions that answer a question, and keep what they found out."""
ANSWER = re.compile(r"_?(check|get|fetch|query|poll|look_?up|retrieve)(_|$)", re.IGNORECASE)
"""Functions that ask elsewhere how a thing stands."""
TIMES = re.compile(
    r"(^|_)(at|on|date|time|timestamp|modified|updated|checked|synced|synchroni[sz]ed|polled|contacted|used)(_|$)|^last_"
)
"""Columns that say when something was looked at."""
COUNTED = re.compile(
    r"(^|_)(views?|viewed|visits?|hits?|clicks?|impressions?|downloads?|reads?|seen|plays?)(_?(count|counter|total|num))?$"
)
"""Columns that count who looked."""
OLDER = re.compile(r"__lte?$")
"""What a filter by time takes that is over."""
METHOD = re.compile(r"(?:^|_)(get|head|options|trace|post|put|patch|delete)(?:_|$)", re.IGNORECASE)
"""The method in a decorator's name: `@api.post`, `@require_post`, `@post_only`."""
CHANGED = {"update", "save"}
LAZY = {"get_or_create", "update_or_create", "merge"}


def check(project: Project) -> Iterator[Hit]:
    told = partial(here_and_in, after="changes data")
    yield from told_once(changed(project), told, severity=None, each=lambda hit: hit.flow[-1].location)


def changed(project: Project) -> Iterator[Hit]:
    """One hit a route."""
    seen: set[Location] = set()
    for route in project.routes:
        if route.handler is None or route.kind != "http" or not answers_get(route) or route.trial:
            continue
        found = changing(project, route)
        if found is None or (not route.methods and asks_method(project, route.handler, found)):
            continue
        if not seen.isdisjoint((route.place, route.handler.header)):
            continue  # one function may answer several routes
        seen |= {route.place, route.handler.header}
        write, chain = found
        entity = write.entity.rpartition(".")[2] or owner_of(write.calls(chain))
        name = f"`{entity}`" if entity else "stored data"
        yield Hit(
            f"{route.label} changes data{'' if route.methods else ', whatever the method'}: it writes {name} ({write.op}) in "
            f"`{write.fn.name}()`, and GET is repeated by crawlers, caches and retries at will. Use POST, PUT, PATCH or DELETE.",
            route.place,
            flow=project.writes.steps(write, chain),
            function=route.function,
            confidence=None if route.methods else "medium",
        )


def answers_get(route: Route) -> bool:
    """Safe methods alone, or a plain view that is given every method."""
    if route.methods:
        return SAFE.issuperset(route.methods)
    fn = route.handler
    if fn is None or route.framework != "django" or route.cls is not None:
        return False
    if len(fn.decorators) != len(fn.facts.decorators):
        return False
    named = [METHOD.search(ref.name.rpartition(".")[2]) for ref in fn.decorators]
    return all(match is None or match[1].upper() in SAFE for match in named)


def asks_method(project: Project, fn: Fn, found: tuple[Write, tuple[Edge, ...]]) -> bool:
    """Whether a view that is given every method asks for it, or for what only POST has, itself before it writes, or in what
    it calls and what is around it."""
    write, chain = found
    call = chain[0].call if chain else write.call
    own = [project.functions[ref.name] for ref in fn.decorators if ref.kind == "func" and ref.name in project.functions]
    reached = [*own, *(inner for item in own for inner in project.functions_of(item.file) if inner.parent is item)]
    reached += [edge.callee for item in (fn, *own) for edge in project.graph.callees(item) if edge.kind == "call"]
    if any(value[0] == "attr" and value[2] in POSTED for item in reached for value in item.facts.values):
        return True
    asked = (fn.facts.span_of(vid) for vid in fn.made_by("attr") if fn.value(vid)[2] in POSTED)
    return any(call is None or span[:2] < call.span[2:] for span in asked)


def changing(project: Project, route: Route) -> tuple[Write, tuple[Edge, ...]] | None:
    assert route.handler is not None
    if BACK.search(f"{route.path.rstrip('/')} {route.name}"):
        return None
    if MAILED.search(route.path) or is_mailed(route, route.handler):
        return None
    if counts_only(route.handler, route.cls is not None) or authorizes(route.handler):
        return None
    if traces(own_words(route)) or traces(route.path.rpartition("/")[2]):
        return None
    mirrors = MIRRORED.search(route.entry.path) is not None
    for write, chain in project.writes.reached(route.handler, ("call", "property")):
        called = write.fn.callee_name(write.call)
        steps = write.calls(chain)
        below = [write.fn.name, *(edge.callee.name for edge in chain)] if chain else []
        names = (write.entity.rpartition(".")[2] or owner_of(steps), called, write.fn.name, *below)
        if (
            write.op in LAZY
            or len(chain) > FARTHEST
            or (mirrors and chain)
            or any(
                LOADING.match(fn.name)
                for fn in (write.fn, *(edge.callee for edge in chain))
                if not is_method(fn, route)
            )
            or any(ASKING.fullmatch(edge.callee.name) for edge in chain)
            or any(leaves_trace(name, write, route) for name in names)
            or (notes_reading(write, below) and not of_reading(route))
            or notes_look(write)
            or is_over(write)
            or fills_empty(write)
            or any(keeps_time(*step) or mends(*step) for step in steps)
            or tidies_only(route, below)
            or (write.op in CHANGED and (counts_only(write.fn) or any(told_so(project, *step) for step in steps)))
            or makes_missing(route.handler, chain[0].call if chain else write.call)
            or fills_field(steps)
        ):
            continue
        return write, chain
    return None


def own_words(route: Route) -> str:
    """The words of the handler's name but for those of the things that the path leads through: `release_event_holds` of
    `/events/{id}/holds` says nothing of a log of events."""
    parts = segments(route.path)
    through = {
        part.lower() for part, after in itertools.pairwise(parts) if is_parameter(after) and not is_parameter(part)
    }
    kept = (word for word in identifier_words(route.name) if not through & {word, f"{word}s"})
    return "_".join(kept)


def tidies_only(route: Route, below: list[str]) -> bool:
    """Whether what has run out is put away on the way, by a route that is not there for that (`release_holds`)."""
    tidied = [name for name in below if TIDIES.search(name)]
    asked = f"{route.name} {route.path}".replace("/", "_")
    named = {words[0] for name in (route.name, route.path.rpartition("/")[2]) if (words := identifier_words(name))}
    return bool(tidied) and not TIDIES.search(asked) and named.isdisjoint(identifier_words(name)[0] for name in tidied)


def of_reading(route: Route) -> bool:
    """Whether the route itself is there to change what counts as read."""
    words = identifier_words(f"{route.name}_{route.function or ''}_{route.path}")
    return any("read" in word.replace("thread", "") for word in words)


def notes_reading(write: Write, below: list[str]) -> bool:
    """`message.save(update_fields=["is_read"])`, `rows.update(is_read=True)`: the columns say so, or the model, or a function on
    the way."""
    if traces(write.entity.rpartition(".")[2], READ) or any(map(READ.search, below)):
        return True
    updated = [name for name, _ in write.call.kwargs] if write.op == "update" else []
    named = [*write.update_fields, *updated]
    return bool(named) and all(isinstance(name, str) and READ.search(name) for name in named)


def is_over(write: Write) -> bool:
    """`rows.filter(created_at__lt=limit).delete()`: what is over goes, whoever comes by."""
    written = write.fn.unguarded(write.call.func)
    if write.op != "delete" or written[0] != "attr":
        return False
    made = write.fn.unguarded(written[1])
    filtered = write.fn.calls[made[1]] if made[0] == "call" else None
    return filtered is not None and any(
        OLDER.search(name) and TIMES.search(OLDER.sub("", name)) for name, _ in filtered.kwargs
    )


def is_mailed(route: Route, fn: Fn) -> bool:
    """`/mailbox/confirm?code=...`: a link in a mail, that confirms and carries the proof."""
    if not CONFIRMS.search(f"{route.path} {route.name}"):
        return False
    if OF_ADDRESS.search(route.path) and any(TOKEN.search(fn.callee_name(call)) for call in fn.calls):
        return True
    asked = [fn.const(call.args[0]) for call in fn.calls if fn.callee_name(call) in ("get", "getlist") and call.args]
    asked += [fn.const(fn.value(vid)[2]) for vid in fn.made_by("item")]
    names = [*(param.name for param in fn.facts.params), *(key for key in asked if isinstance(key, str))]
    return any(map(PROOF.fullmatch, names))


def owner_of(steps: list[tuple[Fn, Call | None]]) -> str:
    """`SignInToken.delete(...)`: whose method the last call is that says so."""
    for fn, call in reversed(steps):
        func = fn.value(call.func) if call is not None else ("",)
        names = str(func[1]).split(".")[-2:] if func[0] == "name" else []
        if len(names) == 2 and names[0][:1].isupper():
            return names[0]
    return ""


def keeps_time(fn: Fn, call: Call | None) -> bool:
    """`store.set(LAST_CHECK_TIME, now)`: when it was looked, under a name that says so."""
    if call is None or len(call.args) < 2 or fn.callee_name(call) not in ("set", "put", "store"):
        return False
    key = fn.value(call.args[0])
    named = str(key[1]).rpartition(".")[2] if key[0] in ("name", "const") else ""
    return TIMES.search(named.lower()) is not None


def mends(fn: Fn, call: Call | None) -> bool:
    """`except MultipleObjectsReturned: delete all but the first`: what went wrong is put right, or noted, whoever asks first."""
    return call is not None and fn.inside(call.block, "except") is not None


def told_so(project: Project, fn: Fn, call: Call | None) -> bool:
    """`status = check_status(payment)`, and below `if status.failed:` a change: what another service says is kept."""
    tests = [test for test, _ in fn.tests_of(call.block)] if call is not None else []
    made = [fn.calls[fn.value(vid)[1]] for vid in ingredients(fn.facts, tests) if fn.value(vid)[0] == "call"]
    return any(
        ANSWER.match(fn.callee_name(item)) and project.effects.has(target, "http")
        for item in made
        for target in project.targets(fn, item)
    )


def is_method(fn: Fn, route: Route) -> bool:
    """`get()` of a view: named after the method, which says nothing of what it does."""
    return fn is route.handler and fn.name.upper() in route.methods


def notes_look(write: Write) -> bool:
    """`rows.update(checked_at=now)`, `pages.update_one({"id": page}, {"$inc": {"views": 1}})` and nothing else: when one looked,
    or how often."""
    columns = list(columns_of(write)) if write.op == "update" else []
    return bool(columns) and all(TIMES.search(name) or COUNTED.search(name) for name in columns)


def columns_of(write: Write) -> Iterator[str]:
    """The columns that an update names as keywords, or in the operators of a document (`$inc`, `$set`)."""
    yield from (name for name, _ in write.call.kwargs)
    for vid in write.call.args[1:]:
        value = write.fn.unguarded(vid)
        for key, item in value[1] if value[0] == "dict" else ():
            inner = write.fn.unguarded(item)
            if str(write.fn.const(key)).startswith("$") and inner[0] == "dict":
                yield from (str(write.fn.const(name)) for name, _ in inner[1])


def fills_empty(write: Write) -> bool:
    """`update(File).where(File.size.is_(None)).values(size=...)`: what was not worked out before, and is for who asks next."""
    fn, given, empty = write.fn, set[str](), set[str]()
    for call in fn.calls:
        named = fn.callee_name(call)
        if named in ("values", "update"):
            given |= {name for name, _ in call.kwargs}
        if named == "is_" and call.args and fn.const(call.args[0]) is None:
            empty.add(fn.dotted(call.func).removesuffix(".is_").rpartition(".")[2])
        empty |= {
            name.removesuffix("__isnull") for name, vid in call.kwargs if name.endswith("__isnull") and fn.const(vid)
        }
    return write.op == "update" and bool(given) and given <= empty


def authorizes(fn: Fn) -> bool:
    """OAuth's authorization endpoint, and where browsers come back from one: both are sent with GET."""
    names = {param.name for param in fn.facts.params} | {
        value[1] for value in fn.facts.values if value[0] == "const" and isinstance(value[1], str)
    }
    if "state" in names and any(is_state(fn, side) for vid in fn.made_by("compare") for side in fn.value(vid)[2]):
        return True
    return {"response_type", "client_id"} <= names or ("state" in names and bool({"code", "error"} & names))


def is_state(fn: Fn, vid: int) -> bool:
    """`request.GET.get("state")`, which is held against what was kept when the browser was sent away."""
    return fn.const(fn.key_of(vid, "get")) == "state"


def counts_only(fn: Fn, in_view: bool = False) -> bool:
    """`topic.views += 1` before it is saved, and nothing else; a new status is no count, and what a view keeps no change."""
    own = ("param", 0) if in_view else None
    changed = [
        store.name for store in fn.facts.stores if store.name and (store.base < 0 or fn.unguarded(store.base) != own)
    ]
    return bool(changed) and all(traces(name) and not STATES.search(name) for name in changed)


def leaves_trace(name: str, write: Write, route: Route) -> bool:
    """Whether a name tells of traces; the status of what a route by its own name decides (`/loans/{id}/cancellation`) is none."""
    if traces(name, STATES) and DECIDES.search(f"{route.path.rpartition('/')[2]} {route.name}"):
        return False
    return traces(name, PASSING if write.op == "delete" else TRACES)


def traces(name: str, those: re.Pattern[str] = TRACES) -> bool:
    """Whether a name tells of what any reader leaves behind: logs, counters, sessions, caches."""
    return those.search("_".join(identifier_words(name))) is not None
