from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from backendlint.api import Edge, Fn, Hit, Location, Project, Route, Site, Span, Step, called, identifier_words

from .keys import KEY, names_key
from .siblings import keyless

GIVEN_KEY = re.compile(r"^((request|client)_)?key$|idempot|dedup", re.IGNORECASE)
"""Parameters of a client's method for the key, which callers may leave out."""
CLIENT = re.compile(r"(client|gateway|provider|processor)s?$", re.IGNORECASE)
MONEY = re.compile(
    r"(?:^|_)(?:pre|re|auto)?(?:pay(?!load)|charge|refund|transfer|withdraw|invoice|billing|checkout|purchase|subscri|deposit|order(?!ing)"
    r"|ship|book(?!mark)|reserv|issue_(card|refund|invoice|voucher)|topup|top_up|settle)"
)
"""How a word begins: neither a membership nor a payload is sent or paid."""
ACTS = re.compile(r"create|capture|confirm|charge|pay|sale|transfer|refund|submit|execute", re.IGNORECASE)
READS = re.compile(
    r"^_*(get|list|fetch|find|search|read|retrieve|query|lookup|load|introspect|check|verify|validate|ensure|refresh|auth|login)(_|$)|(^|_)(token|status)(_|$)",
    re.IGNORECASE,
)
"""Names of functions that ask by POST."""
REQUESTS = re.compile(r"^_*(create|make|add|generate|new|request)_(\w+_)?invoice$", re.IGNORECASE)
"""Of two invoices of a wallet or a payment provider one stays unpaid; money moves when it is paid."""
SETTLES = re.compile(
    r"^_*(cancel|end|stop|close|disable|unsubscribe|delete|remove|update|set|change)(_|$)|(checkout|portal|payment|billing)_session",
    re.IGNORECASE,
)
"""What is ended stays ended, and what is set is the same however often; a session in which somebody may pay is not paid yet."""
MOVES = re.compile(r"charge|(^|_)pay(_|$)|refund|transfer|payout|withdraw|deposit|capture", re.IGNORECASE)
MOVED = re.compile(
    r"charge|pay(ment(?!_?method)|out)|refund|transfer|invoice|subscription|order|topup|transaction|sale", re.IGNORECASE
)
"""What moves money, of the parts of a payment library that are known by their names alone."""
OPENS = re.compile(r"(Start|Open)Session")
"""Names of views that only begin a dialogue with the other service."""
STORES = {"db-write", "flush", "commit"}
WRITES = {"POST", "PUT", "PATCH"}
DUPLICATE = re.compile(r"IntegrityError|UniqueViolation|DuplicateKey|AlreadyExists|Duplicate", re.IGNORECASE)


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    payments = tuple(f"{name}." for name in options["payments"])
    seen: set[Location] = set()
    told: set[Fn] = set()
    for route in project.routes:
        fn = route.handler
        if fn is None or route.kind != "http" or (route.methods and not {"POST", "PUT"}.intersection(route.methods)):
            continue
        found = external(project, fn, payments)
        if found is None:
            continue
        site, chain = found
        keyed = next((edge for edge in chain if takes_key(edge)), None)
        if keyed is not None and passes_key(keyed):
            continue
        place = where(project, site, chain)
        if place in seen or protected(project, route, way(site, chain, keyed)):
            continue
        seen.add(place)
        told |= {site.fn, *(edge.callee for edge in chain)}
        yield Hit(
            f"`{site.model.name}` in `{site.fn.name}()` acts at another service for {route.label}, and "
            "nothing recognises a repeated "
            "request: a retry does it twice. Take an idempotency key, store it uniquely, and pass it on.",
            place,
            related=(Step(route.place, f"{route.label}"),),
            flow=(
                *(Step(edge.caller.location(edge.span), f"calls {edge.callee.name}()") for edge in chain),
                Step(place, site.model.name),
            ),
            function=site.fn.fqn,
        )

    yield from keyless(project, told)


def takes_key(edge: Edge) -> bool:
    """Whether what is called has a parameter for a key, and it can be told whether the call passes it."""
    return edge.call is not None and not edge.call.open_ended and bool(key_parameters(edge.callee))


def passes_key(edge: Edge) -> bool:
    passed = edge.passed(key_parameters(edge.callee)[0])
    return bool(passed) and all(edge.caller.const(vid) is not None for vid, _ in passed)


def key_parameters(fn: Fn) -> list[int]:
    return [number for number, param in enumerate(fn.facts.params) if GIVEN_KEY.match(param.name)]


def way(site: Site, chain: tuple[Edge, ...], keyed: Edge | None) -> list[tuple[Fn, Span]]:
    """The calls that lead to the other service: to the one that leaves out the key, as what the client does with it is no matter then."""
    steps = [(edge.caller, edge.span) for edge in chain]
    return steps[: chain.index(keyed) + 1] if keyed is not None else [*steps, (site.fn, site.call.span)]


def own_calls(project: Project, chain: tuple[Edge, ...]) -> list[Edge]:
    """The calls by which a client passes on to itself what it is asked to send, from the last one up."""
    found: list[Edge] = []
    for edge in reversed(chain[1:]):
        mine, theirs = edge.caller.cls, edge.callee.cls
        inherited = mine is not None and theirs is not None and theirs in project.hierarchy.mro(mine)
        if edge.caller.path != edge.callee.path and not inherited:
            break
        found.append(edge)
    return found


def is_client(project: Project, fn: Fn) -> bool:
    """`PaymentClient`, `CardGateway`, `gateway.py`, what lies in `clients/`."""
    return project.layer(fn) == "client" or any(CLIENT.search(name) for name in (class_name(fn), file_name(fn)))


def class_name(fn: Fn) -> str:
    return fn.cls.name if fn.cls else ""


def file_name(fn: Fn) -> str:
    return fn.path.rpartition("/")[2].removesuffix(".py")


def where(project: Project, site: Site, chain: tuple[Edge, ...]) -> Location:
    """The call; that of a helper beside it, which sends what it is told; of a client's method the call in the service."""
    fn, call = site.fn, site.call
    around = False
    for edge in own_calls(project, chain):
        handed = edge.through is not None
        told = around or handed or any(fn.unguarded(vid)[0] == "param" for vid in call.passed)
        if edge.call is None or not told:
            break
        fn, call, around = edge.caller, edge.call, handed  # a closure knows what the function around it does
    above = next((edge for edge in chain if edge.callee is fn), None)
    asked = above is not None and above.call is not None and project.layer(above.caller) != "client"
    if above is not None and asked and is_client(project, fn):
        return above.caller.location(above.span)
    return fn.location(call.span)


def external(project: Project, start: Fn, payments: tuple[str, ...]) -> tuple[Site, tuple[Edge, ...]] | None:
    """The nearest call that moves money or goods at another service."""
    queue: list[tuple[Fn, tuple[Edge, ...]]] = [(start, ())]
    seen = {start.fqn}
    while queue:
        fn, chain = queue.pop(0)
        beside = [edge.caller for edge in own_calls(project, chain)]
        names = (fn.name, *(item.name for item in beside))
        asks = any(map(READS.search, names)) or OPENS.search(class_name(fn))
        settles = any(map(SETTLES.search, names)) and not any(map(MOVES.search, names))
        bills = not (settles or any(map(REQUESTS.search, names)))
        for site in () if asks else project.effects.direct(fn):
            known = site.model.name.startswith(payments)
            if acts(project, site, payments, chain) and (known or (bills and speaks_of_money(fn, beside))):
                return site, chain
        if len(chain) < 6:
            for edge in project.graph.callees(fn):
                if edge.kind == "call" and edge.callee.fqn not in seen:
                    seen.add(edge.callee.fqn)
                    queue.append((edge.callee, (*chain, edge)))
    return None


def speaks_of_money(fn: Fn, beside: list[Fn]) -> bool:
    """Whether the function, its class, its file or one of those beside it that call it is named for money or goods."""
    names = [file_name(fn), *(name for item in (fn, *beside) for name in (item.name, class_name(item)))]
    return any(MONEY.search("_".join(identifier_words(name))) for name in names)


def acts(project: Project, site: Site, payments: tuple[str, ...], chain: tuple[Edge, ...]) -> bool:
    """A call that changes something elsewhere: of payment providers' by the name of the method."""
    if site.model.name.startswith(payments):
        _, _, what = called(project, site).partition(".")
        repeatable = site.model.idempotent or site.model.method == "GET"
        by_name = "*" in site.model.name
        repeatable = repeatable or (by_name and (not MOVED.search(what) or site.call.open_ended))  # may hold the key
        return not repeatable and bool(ACTS.search(what.rpartition(".")[2])) and bool(site.model.effect)
    if "http" not in site.model.effect:
        return False
    method = site.model.method
    if method.startswith("arg:"):
        index = int(method[4:])
        vid = site.call.args[index] if index < len(site.call.args) else site.call.kwarg("method")
        method = passed_text(site.fn, vid, chain)
    return method.upper() in WRITES


def passed_text(fn: Fn, vid: int, chain: tuple[Edge, ...]) -> str:
    """A text, also one that the callers of helpers pass on: `_call("POST", path)`."""
    for edge in reversed(chain):
        value = fn.unguarded(vid) if vid >= 0 else ("",)
        if value[0] != "param" or edge.call is None:
            break
        given = edge.bound().get(value[1], [])
        if len(given) != 1 or given[0][1]:
            return ""
        fn, vid = edge.caller, given[0][0]
    text = fn.const(vid)
    return text if isinstance(text, str) else ""


def protected(project: Project, route: Route, steps: list[tuple[Fn, Span]]) -> bool:
    """A key or a duplicate caught before the call on the way, in the handler's dependencies, or in the body's schema."""
    for fn in (*(fn for fn, _ in steps), *route.dependencies, *route.hooks):
        if names_key(fn):
            return True
    for fn, span in steps:
        if any(block.kind == "except" and catches_duplicate(project, fn, index) and stored_before(project, fn, index, span)
               for index, block in enumerate(fn.facts.blocks)):  # fmt: skip
            return True
    for ref in route.guards:
        if KEY.search(ref.name):
            return True
    assert route.handler is not None
    for param in route.params:
        for ref in project.resolver.param(route.handler, param.index):
            cls = project.classes.get(ref.name)
            if cls is not None and any(
                KEY.search(name) for item in project.hierarchy.mro(cls) for name in item.facts.annotations
            ):
                return True
    return False


def catches_duplicate(project: Project, fn: Fn, index: int) -> bool:
    return any(DUPLICATE.search(name) for name in project.exceptions.caught_types(fn, fn.facts.blocks[index]))


def stored_before(project: Project, fn: Fn, index: int, span: Span) -> bool:
    """Whether what may be a duplicate is stored, in the `try` of a handler, before the call."""
    tried = fn.facts.blocks[fn.facts.blocks[index].group].span
    return any(
        tried.holds(call.span) and call.span < span and STORES & project.effects.call_effects(fn, call)
        for call in fn.calls
    )
