from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import (
    FEW,
    SAFE,
    SLIPS,
    Answer,
    Call,
    Edge,
    Fn,
    Hit,
    Location,
    Project,
    Route,
    Span,
    Vid,
    Write,
    among_pages,
    answers,
    here_and_in,
    is_signed,
    snake,
    told_once,
)

BEFORE = r"_?((api|rest|v\d+|handle)_)*"
"""What some write before the name of each handler."""
CREATE = re.compile(
    BEFORE + r"(create|add|insert|register|new|place|post|clone|duplicate|copy)(_|$)|[a-z]+(_[a-z]+)?_create$",
    re.IGNORECASE,
)
MAKING = frozenset({"new", "create", "add"})
"""What a path says after the thing that is made: `/rooms/new/`."""
POSTED = re.compile(BEFORE + r"(post|clone|duplicate|copy)(_|$)", re.IGNORECASE)
"""Names that alone do not say that something is made."""
ACTION = re.compile(
    r"login|logout|sign_?(in|out)|token|auth|refresh|verify|search|query|filter|calculate|validate|check|preview|send|notify|webhook|callback|"
    r"bulk|batch|import|sync|cancel|confirm|approve|reject|reset|recover|password|upload|export|run|execute|trigger|process",
    re.IGNORECASE,
)
LAZY = frozenset({"get_or_create", "update_or_create"})
CHANGES = frozenset({"update", "bulk_update", "delete"}) | LAZY
"""Writes after which there need not be a row more than before."""
CHANGING = re.compile(r"_?(update|change|modify|edit|patch|set|mark|touch)(_|$)", re.IGNORECASE)
"""Functions that hand what is there to the session again."""
ADDED = re.compile(r"_?add_(?:a_|an_|new_)?(\w+)", re.IGNORECASE)


PROPER = {"POST": 201, "DELETE": 204}
"""By which the project shows that it says what happened."""
UNIQUE = re.compile(r"uuid\d|ulid|nanoid|cuid|generate_id|new_id", re.IGNORECASE)
LEFT = ("continue", "return")
RECORD = re.compile(r"audit|(log|event|history|journal)\w*$", re.IGNORECASE)
"""Entities that tell what was done."""
STORING = frozenset({"db-write", "db", "commit", "cache-write"})
DROPPING = frozenset({"flask"})
"""Frameworks that leave the body of a 204 out: of `{}` nothing is lost."""
SENT = "answers 204 No Content with an empty object, which breaks the connection or is dropped; answer without a body."
EMPTY = "answers 204 No Content with an empty object, which is dropped; answer without a body."


def check(project: Project) -> Iterator[Hit]:
    seen: set[Location] = set()
    styles: dict[tuple[str, str], list[Hit]] = defaultdict(list)
    proper: Counter[str] = Counter()
    for route in project.routes:
        if route.handler is None or route.kind != "http" or len(route.methods) != 1:
            continue
        method = route.methods[0]
        given = answers(project, route.handler)
        if method in PROPER:
            proper[method] += PROPER[method] in statuses(route, given)
        for place, message, sure in judge(project, route, given):
            if place not in seen:
                seen.add(place)
                hit = Hit(
                    f"{route.label} {message}", place, confidence=None if sure else "low", function=route.function
                )
                if among_pages(project, route) or message == EMPTY:
                    yield replace(hit, profile="strict")
                else:
                    styles[method, message].append(hit)
    for (method, _), hits in styles.items():
        yield from told_once(
            hits, partial(here_and_in, before="; answer"), SLIPS if proper[method] >= len(hits) else FEW
        )


def statuses(route: Route, given: list[Answer]) -> set[int]:
    """The codes of its successes."""
    usual = default_status(route)
    found = [answer for answer in given if not answer.failed and not answer.special]
    return {usual if answer.status is None else answer.status for answer in found} or {usual}


def judge(project: Project, route: Route, given: list[Answer]) -> Iterator[tuple[Location, str, bool]]:
    """What is wrong with which answer, and whether that is more than what the handler's name says."""
    assert route.handler is not None
    method = route.methods[0]
    found = [answer for answer in given if not answer.failed and not answer.special and not answer.unsaid]
    sets_status = any(store.name == "status_code" for store in route.handler.facts.stores)
    if sets_status or writes_out(project, route.handler):
        return
    several = {
        first.span for first in found for other in found if first.span == other.span and first.status != other.status
    }
    silent = not found and ends_without_answer(route.handler, given)
    # `200 if request.method == "GET" else 201` says one or the other
    judged: list[Answer | None] = [None] if silent else [item for item in found if item.span not in several]
    tells = any(answer.status == 201 for answer in found)  # what it answers 200 to was there before
    made = creations(project, route) if method == "POST" and not tells else None
    for answer in judged:
        if answer is not None and not (answer.made or answer.shape or answer.content or route.documented):
            continue
        status = answer.status if answer is not None and answer.status is not None else default_status(route)
        place = location(route, answer)
        if (
            made is not None
            and status == 200
            and comes_after(answer, made)
            and not after_failure(route.handler, answer)
        ):
            yield place, "creates a resource and answers 200; answer 201 Created.", bool(made)
        elif method == "DELETE" and status == 200 and has_no_body(answer) and route.body_model is None:
            body = (
                "with nothing but `null` for a body"
                if route.documented and not silent_response(answer)
                else "without a body"
            )
            yield place, f"answers 200 {body}; answer 204 No Content.", True
        elif (
            method in SAFE
            and status == 201
            and not makes(project, route.handler)
            and only_reads(project, route.handler)
        ):
            yield place, "reads and answers 201 Created; answer 200.", True
        elif method == "DELETE" and status == 201 and not inserts(project, route.handler):
            yield place, "creates nothing and answers 201 Created; answer 204 No Content, or 200 with a body.", True
        elif status == 204 and answer is not None and answer.shape in ("dict", "list"):
            body = "answers 204 No Content with a body, which is dropped or breaks the connection; answer 200."
            empty = EMPTY if route.framework in DROPPING else SENT
            yield place, empty if answer.keys == () else body, True


def writes_out(project: Project, fn: Fn) -> bool:
    """Whether it answers by calls of the object that handles the request (`self.finish(...)`), and not by what it returns."""
    if fn.cls is None or fn.kind == "staticmethod":
        return False
    returned = set(map(fn.unguarded, fn.returned))
    own = (
        call
        for call in fn.calls
        if (func := fn.value(call.func))[0] == "attr"
        and fn.unguarded(func[1]) == ("param", 0)
        and fn.value(call.value) not in returned
    )
    bases = project.hierarchy.library_bases(fn.cls)
    named = (project.libraries.call(f"{base}.{fn.callee_name(call)}") for call in own for base in bases)
    return any(model is not None and model.response is not None and not model.exits for model in named)


def only_reads(project: Project, fn: Fn) -> bool:
    """False where it answers other methods as well (`as_view({"post": "update", "head": "update"})`)."""
    return all(SAFE.issuperset(route.methods) for route in project.route_functions.get(fn.fqn, ()))


def inserts(project: Project, fn: Fn) -> bool:
    """Whether it stores something new, other than the record of what it did."""
    found = [write for write, _ in project.writes.reached(fn) if not RECORD.search(write.entity)]
    return any(write.creates or (write.op in ("save", "write") and not write.update_fields) for write in found)


def silent_response(answer: Answer | None) -> bool:
    """A response object without a body, where others are turned into JSON."""
    return answer is not None and answer.made


def makes(project: Project, fn: Fn) -> bool:
    """Whether it writes, or calls what says that it creates."""
    said = any(CREATE.match(fn.callee_name(call)) for call in fn.calls)
    return said or project.effects.has(fn, "db-write", "commit")


def default_status(route: Route) -> int:
    return route.status if route.status is not None else 200


def location(route: Route, answer: Answer | None) -> Location:
    """Where the status is said: in the decorator, or with the response."""
    assert route.handler is not None
    if answer is None or (route.documented and answer.status is None):
        return route.place
    return route.handler.location(answer.span)


def has_no_body(answer: Answer | None) -> bool:
    return answer is None or answer.shape == "none"


def ends_without_answer(fn: Fn, given: list[Answer]) -> bool:
    """Whether the handler comes to its end without a `return`: not where each way ends with an error."""
    stopped = any(answer.raised and answer.block == 0 for answer in given)
    return not stopped and not fn.facts.blocks[0].exits and not any(answer.special for answer in given)


def comes_after(answer: Answer | None, made: list[Span]) -> bool:
    """Whether something may have been created when the handler answers so."""
    return answer is None or not made or any(span[:2] <= answer.span[2:] for span in made)


def after_failure(fn: Fn, answer: Answer | None) -> bool:
    """Whether it answers so because it did not work, whatever the status says."""
    return answer is not None and fn.inside(answer.block, "except") is not None


def creations(project: Project, route: Route) -> list[Span] | None:
    """Where the handler inserts, or calls what inserts; empty where it says that it creates, and nothing tells where;
    None for an action, a sign-in, and what creates nothing."""
    assert route.handler is not None
    parts = route.path.rstrip("/").split("/")
    last = parts[-2] if len(parts) > 1 and parts[-1] in MAKING else parts[-1]
    if ACTION.search(route.name) or (ACTION.search(last) and "{" not in last):
        return None
    if is_signed(route.handler) or signs_in(project, route.handler) or takes_twice(project, route.handler):
        return None
    own = singular(last.replace("-", "_").lower())
    added = ADDED.fullmatch(route.name)  # `add_member` to a team: a link, unless the path is that of what is added
    named = CREATE.match(route.name) and route.name.upper() not in route.methods
    named = named and (
        added is None or (own in added[1].lower() and added[1] == singular(added[1]) and "_to_" not in added[1])
    )
    if named and added is not None and last == own and "".join(parts[-2:-1]).startswith("{"):
        return None  # `add_state` to `/trips/{id}/state`, of which each trip has one
    reached = list(project.writes.reached(route.handler))
    lazily = {snake(write.entity.rpartition(".")[2]) for write, _ in reached if write.op in LAZY and write.entity}
    if any(own == name or own.endswith(f"_{name}") or name.endswith(f"_{own}") for name in lazily):
        return None  # it may have been there before
    named = named or located(route.handler)
    unknown = last != own and "{" not in route.path
    instead = [way for way in reached if any(replaces(step, way[0], reached) for step in way[0].calls(way[1]))]
    there = {write.entity for write, _ in instead if adds(write)}
    new = [way for way in reached if way not in instead and not (way[0].upserts and not names_new(route.handler))]
    found = [
        chain[0].span if chain else write.call.span
        for write, chain in new
        if (adds(write) or (write.op == "save" and write.entity not in there and not updates(write, chain)))
        and (
            named
            or is_named(write, own, linked=added is not None)
            or (unknown and adds(write) and not write.entity and not chain)  # whatever `schema.load(data)` made
        )
    ]
    changes = bool(reached) and all(
        write.op in CHANGES or updates(write, chain) or (write.creates and not adds(write)) for write, chain in reached
    )
    said = named and not POSTED.match(route.name) and not changes and len(new) == len(reached)
    return found if found or (said and stores(project, route.handler)) else None


def names_new(fn: Fn) -> bool:
    """Whether it makes a key for what it stores, so that there cannot be such a row yet: `put_note(str(uuid4()), ...)`."""
    return any(UNIQUE.fullmatch(fn.callee_name(call)) for call in fn.calls)


def is_named(write: Write, own: str, *, linked: bool) -> bool:
    """Whether the path names what is written: `/items` a `KitItem`; what is added to something may be there, and just linked."""
    entity = singular(snake(write.entity.rpartition(".")[2]))
    return bool(write.entity) and (
        entity == own or (write.creates and bool(own) and not linked and entity.endswith(f"_{own}"))
    )


def takes_twice(project: Project, fn: Fn) -> bool:
    """`except IntegrityError:` that goes on: what is asked for may have been there before, and is no error."""
    handlers = (block for block in fn.facts.blocks if block.kind == "except" and block.value >= 0 and not block.exits)
    caught = (name for block in handlers for name in project.exceptions.caught_types(fn, block))
    return any(project.exception_kind(name) == "integrity" for name in caught)


def updates(write: Write, chain: tuple[Edge, ...]) -> bool:
    """`order.save(update_fields=[...])`: of a row that is there."""
    calls = (call for _, call in write.calls(chain) if call is not None)
    return write.op == "save" and any(call.kwarg("update_fields") >= 0 for call in calls)


def adds(write: Write) -> bool:
    return write.creates and not (write.op == "add" and CHANGING.match(write.fn.name))


def replaces(step: tuple[Fn, Call | None], write: Write, reached: list[tuple[Write, tuple[Edge, ...]]]) -> bool:
    """`if row is None: return create(...)`, and else the row that is there is changed: it need not be a new one. So it is after
    `if row: update(row); continue`."""
    fn, call = step
    if call is None:
        return False
    missing = any(is_missing(fn, *test) for test in fn.tests_of(call.block))
    left = [item for item in fn.left_before(call.block, call.span, LEFT) if is_missing(fn, item.value, False)]
    if not missing and not left:
        return False
    others = (way for way in reached if not adds(way[0]) and way[0].entity in ("", write.entity) and way[0] != write)
    changes = [made for other, chain in others for caller, made in other.calls(chain) if caller is fn]
    around = [block for made in changes if made is not None for _, block in fn.blocks_of(made.block)]
    return bool(changes) if missing else any(item in around for item in left)


def is_missing(fn: Fn, test: Vid, outcome: bool) -> bool:
    """Whether a test that came out so says that something is not there."""
    value = fn.unguarded(test)
    if value[0] == "not":
        return is_missing(fn, value[1], not outcome)
    if value[0] == "compare":
        return outcome == (value[1][0] in ("is", "==")) and len(value[2]) == 2 and fn.const(value[2][1]) is None
    return not outcome and value[0] in ("call", "await", "attr", "param", "item")


def stores(project: Project, fn: Fn) -> bool:
    """Whether it asks a store, itself or by a call: that the framework commits when it has run says nothing."""
    if any(STORING.intersection(site.model.effect) for site in project.effects.direct(fn)):
        return True
    return any(edge.kind == "call" and project.effects.has(edge.callee, *STORING) for edge in project.graph.callees(fn))


def located(fn: Fn) -> bool:
    """`response.headers["Location"] = ...` of the response that the framework passes in: where what was made is to be found."""
    stores = (item for item in fn.facts.stores if item.key >= 0 and fn.const(item.key) == "Location")
    bases = (fn.unguarded(item.base) for item in stores if item.base >= 0)
    return any(base[0] == "attr" and fn.unguarded(base[1])[0] == "param" for base in bases)


def signs_in(project: Project, fn: Fn) -> bool:
    """Whether it compares a password, whatever it is called: it answers with a token."""
    models = (site.model for item, _ in project.graph.below(fn, 3) for site in project.effects.direct(item))
    return any(
        (model.password is not None and model.password.op == "verify")
        or (model.auth is not None and model.auth.role == "authenticate")
        for model in models
    )


def singular(word: str) -> str:
    return word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")
