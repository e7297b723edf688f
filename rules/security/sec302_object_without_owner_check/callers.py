"""What says who calls, and what it is compared with or passed to."""

from __future__ import annotations

from backendlint.api import Fn, Project, Route, Value, Vid, bind, derived, receiver

from .owners import OWNER, READING

KEPT = ("flask.g", "quart.g")
"""The request's own objects."""
DEPTH = 3
"""Calls through which the caller is followed."""
PARTS = ("attr", "item", "guard", "await", "conv")
GUARDS = {"authenticate", "authorize"}


def compares_caller(route: Route, fn: Fn | None) -> bool:
    """`if user_id != current_user.id`."""
    if fn is None:
        return False
    names = route.path_names
    for value in fn.facts.values:
        if value[0] == "compare":
            sides = [fn.facts.values[vid] for vid in value[2]]
            if any(side[0] == "param" and fn.facts.params[side[1]].name in names for side in sides) and any(
                side[0] in ("attr", "item") for side in sides
            ):
                return True
    return False


def passes_caller(project: Project, route: Route, fn: Fn, certain: bool) -> bool:
    """The id and the caller go into one call: `store.order_of(order_id, user.id)`."""
    names = route.path_names
    for call in fn.facts.calls:
        passed = [fn.facts.values[vid] for vid in call.passed]
        by_id = any(side[0] == "param" and fn.facts.params[side[1]].name in names for side in passed)
        caller = any(
            side[0] in ("param", "attr", "item", "call", "name")
            and not (side[0] == "param" and fn.facts.params[side[1]].name in names)
            and _names_caller(project, route, fn, side)
            for side in passed
        )
        if by_id and caller and (not certain or READING.search(fn.callee_name(call))):
            return True
    return False


def _names_caller(project: Project, route: Route, fn: Fn, side: Value) -> bool:
    """A parameter, an attribute or a helper that says who calls (`current_account_id()`), or what a guard notes of that."""
    if side[0] == "name":
        owner, _, name = str(side[1]).rpartition(".")
        return owner in KEPT and (bool(OWNER.fullmatch(name)) or name in project.access.identities)
    if side[0] == "call":  # `current_account_id()`, `user.agency()`
        func = fn.func_of(side)
        base = fn.unguarded(func[1]) if func[0] == "attr" else ("",)
        told = base[0] == "param" and bool(OWNER.fullmatch(fn.facts.params[base[1]].name))
        return told or bool(OWNER.fullmatch(fn.callee_name(fn.calls[side[1]])))
    while side[0] in ("attr", "item", "guard"):
        told = side[0] == "attr" and (OWNER.fullmatch(str(side[2])) or _is_auth(fn, side))
        if told or _is_behind_user(project, route, fn, side):
            return True
        side = fn.facts.values[side[1]]
    return side[0] == "param" and bool(OWNER.fullmatch(fn.facts.params[side[1]].name))


def _is_auth(fn: Fn, value: Value) -> bool:
    """`request.auth`: what a guard of django-ninja has found out of who calls."""
    base = fn.unguarded(value[1]) if value[0] == "attr" and value[2] == "auth" else ("",)
    return base[0] == "param" and fn.facts.params[base[1]].name == "request"


def uses_caller(project: Project, route: Route, fn: Fn) -> bool:
    """The caller takes part in what happens: a favourite (`user.liked.add(order)`), a comment, a record of who did it."""
    callers = _identities(project, route, fn)
    used = set().union(*(derived(fn, vid) for vid in callers)) if callers else set()
    return any(
        set(call.passed) & used or (receiver(fn, call) in used and any(fn.const(vid) is ... for vid in call.passed))
        for call in fn.facts.calls
    )


def _identities(project: Project, route: Route, fn: Fn) -> set[Vid]:
    """Values of the handler that say who calls: by their names, or injected by what authenticates."""
    names = route.path_names
    found = set()
    for vid, value in enumerate(fn.facts.values):
        name = ""
        if value[0] == "param":
            name = fn.facts.params[value[1]].name
            injected = project.graph.injected(fn, value[1])
            if any(GUARDS & project.access.of_function(item) for item in injected):
                found.add(vid)
        elif value[0] == "name":
            name = str(value[1]).rpartition(".")[2] or str(value[1])
            name = name if "current_user" in str(value[1]) or ".user" in str(value[1]) else ""
        elif value[0] == "attr" and value[2] in ("user", "current_user"):
            name = str(value[2])
        elif _is_auth(fn, value) or _is_behind_user(project, route, fn, value):
            found.add(vid)
        if name and name not in names and OWNER.fullmatch(name):
            found.add(vid)
    return found


def _is_behind_user(project: Project, route: Route, fn: Fn, value: Value) -> bool:
    """`self.skipper` of a view, a property that looks up who is behind `self.request.user`."""
    own = route.cls is not None and value[0] == "attr" and fn.cls is not None and fn.value(value[1]) == ("param", 0)
    method = project.method(route.cls, str(value[2])) if own and route.cls is not None else None
    if method is None or method.kind != "property":
        return False
    users = (method.value(method.value(vid)[1]) for vid in method.made_by("attr") if method.value(vid)[2] == "user")
    return any(base[0] == "attr" and base[2] == "request" for base in users)


def compares_identity(project: Project, route: Route, handler: Fn) -> bool:
    """Whether who calls is compared with a part of something else, in the handler or below it: `row["client_id"] != me.id`."""
    todo = [(handler, _identities(project, route, handler))]
    for depth in range(DEPTH + 1):
        following = []
        for fn, starts in todo:
            mine = _parts(fn, starts)
            if any(_is_compared(fn, value, mine, depth) for value in fn.facts.values if value[0] == "compare"):
                return True
            for edge in project.graph.callees(fn) if mine else ():
                if edge.kind == "call" and edge.call is not None:
                    bound = bind(fn, edge.call, edge.callee)
                    given = {index for index, vids in bound.items() if any(vid in mine for vid, _ in vids)}
                    params = {("param", index) for index in given}
                    inner = {vid for vid, value in enumerate(edge.callee.facts.values) if value in params}
                    following += [(edge.callee, inner)] if inner else []
        todo = following
    return False


def _parts(fn: Fn, starts: set[Vid]) -> set[Vid]:
    """The values, and what is read out of them."""
    found = set(starts)
    for vid, value in enumerate(fn.facts.values) if starts else ():
        if value[0] in PARTS and value[1] in found:
            found.add(vid)
    return found


def _is_compared(fn: Fn, value: Value, mine: set[Vid], depth: int) -> bool:
    """Whether one side is the caller's, and the other a part of something else; not of the handler's parameters or of `self`."""
    sides = value[2]
    others = [fn.unguarded(vid) for vid in sides if vid not in mine]
    owners = [fn.unguarded(other[1]) for other in others if other[0] in ("attr", "item")]
    return len(others) < len(sides) and any(
        owner[0] != "param" or (depth > 0 and (owner[1] > 0 or fn.cls is None)) for owner in owners
    )
