from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from backendlint.api import (
    SAFE,
    Call,
    Cls,
    Fn,
    Hit,
    Location,
    Project,
    Route,
    Step,
    Value,
    Vid,
    bind,
    derived,
    for_admins,
    told_once,
)

OWNER = re.compile(
    r"(current_|request_|requesting_)?(owner|user|customer|author|account|tenant|org(anization|anisation)?|member|created_by|creator|seller|buyer|company|"
    r"workspace|merchant|principal|employee|patient|student|requester|caller)(_?(id|pk|uuid|uid|email|name))?(__\w+)?",
    re.IGNORECASE,
)
USER = re.compile(r"(user|member|author)(_?(id|pk|uuid|uid|email|name))?", re.IGNORECASE)
TENANCY = re.compile(r"(organi[sz]ation|org|workspace|tenant|company|team|slug)(_?(id|slug|name|key))?", re.IGNORECASE)
"""Parameters that say in whose data a collection lies."""
ROLES = re.compile(r"role|group|permission|scope", re.IGNORECASE)
"""Words of decorators that ask what kind of user calls."""
MANAGES = re.compile(r"admin|staff|super|manage|moderat|operator|support|root|delete|edit", re.IGNORECASE)
"""Roles of those who look after what belongs to others, and permissions that are given to such."""
CAPABILITY = re.compile(r"(\w*_)?(token|signature|secret)", re.IGNORECASE)
"""What nobody can guess lets in whoever has it: a shared link."""
SQL_OWNER = re.compile(
    r"\b(owner|user|customer|author|account|tenant|org(anization)?|member|created_by|creator|seller|buyer|company|workspace|team)(_id|_uuid)?\s*=",
    re.IGNORECASE,
)
CHECKS = re.compile(
    r"permi|owner|editable|deletable|viewable|authori[sz]|can_|may_|has_access|check_access|belongs|allowed|ensure_|require_|assert_can|for_user|of_user|visible_to",
    re.IGNORECASE,
)
READING = re.compile(r"get|find|fetch|load|read|select|first|one|filter|query|_(of|for|by)(_|$)", re.IGNORECASE)
KEY = re.compile(r"(id|slug|pk)$", re.IGNORECASE)
OF_KIND = re.compile(r"\w+_(id|uuid|pk|slug)", re.IGNORECASE)
"""A parameter that says what it is the key of."""
FROM_PATH = frozenset({"match_info", "path_params", "view_args"})
"""Attributes of requests with what the path names."""
KEPT = ("flask.g", "quart.g")
"""The request's own objects."""
ROWS = ("get_queryset", "filter_queryset")
OBJECTS = ("has_object_permission", "filter_queryset")
READS = {"db-read", "db"}
"""Reading may be open to all where changing takes a permission."""
DEPTH = 3
"""Calls through which the caller is followed."""
PARTS = ("attr", "item", "guard", "await", "conv")
GUARDS = {"authenticate", "authorize"}


def check(project: Project) -> Iterator[Hit]:
    yield from unscoped(project)
    if not any(map(partial(is_open, project), project.routes)):
        return  # what others do is of no interest
    fetching: list[tuple[Route, Call]] = []
    for route in project.routes:
        if route.handler is not None and route.kind == "http":
            call = fetch(project, route)
            if call is not None:
                fetching.append((route, call))
    careful = [route for route, _ in fetching if checked(project, route, certain=True)]
    bare = {route for route, _ in fetching if route not in careful and not checked(project, route)}
    owned = [route for route in careful if checked(project, route, certain=True, owner=True)]
    bare |= {route for route, _ in fetching if by_role_alone(project, route, owned)}
    reading = [route for route in owned if SAFE.issuperset(route.methods)]
    comparing = [route for route in owned if compares_caller(route, route.handler)]
    views = list(of_caller(project)) if bare else []
    seen = set()
    found: dict[str, list[Hit]] = {}
    for route, call in fetching:
        assert route.handler is not None
        if route not in bare or not project.access.authentication(route) or project.access.exempt(route):
            continue
        named = bool(USER.fullmatch(parameter(route)))  # `/users/{user_id}`: to look it up says nothing of the caller
        if SAFE.issuperset(route.methods):  # what only its owner may change others may see
            example = None if named else sibling(route, reading)
        elif named:
            example = sibling(route, comparing)
        else:
            example = sibling(route, owned) or sibling(route, careful)
        if example is None and not named:
            example = next((view for view in views if of_one(view, route)), None)
        place = route.place if route.entry.decorator else route.handler.location(call.span)
        if example is None or place in seen or not usual(route, fetching, careful, bare):
            continue
        seen.add(place)
        by_owner = example in owned or example in views
        missing = "that it belongs to the caller" if by_owner else "what the caller may do"
        cure = "Add the owner to the condition, or compare it." if by_owner else "Ask for the same permission."
        advice = uses_caller(project, route, route.handler) or (not by_owner and is_scoped(route, call))
        hit = Hit(
            f"{route.label} fetches an object by the id in the path and never checks {missing}, as "
            f"{example.label} does: whoever may call it reaches the objects of others. {cure}",
            place,
            related=(
                route.handler.step(call.span, "fetched here"),
                Step(example.place, f"{example.label} checks {'the owner' if by_owner else 'a permission'}"),
            ),
            function=route.function,
            profile="strict" if advice else "default",
        )
        shared = project.targets(route.handler, call)
        found.setdefault(shared[0].fqn if shared and not advice and changes(project, shared[0]) else "", []).append(hit)
    yield from found.pop("", ())
    for hits in found.values():  # one function that does it all for several routes
        yield from told_once(hits, elsewhere, 1, severity=None)


def by_role_alone(project: Project, route: Route, owned: list[Route]) -> bool:
    """Whether it changes what it fetches for everybody who has a role, where a sibling for the same role asks for the owner too."""
    if SAFE.issuperset(route.methods) or route.handler is None or for_admins(route):
        return False
    role = roles(route.handler)
    if not role or checked(project, route, owner=True) or any(MANAGES.search(item) for item in role):
        return False
    if any(asks_permission(fn, depth) for fn, depth in project.graph.below(route.handler, 3)):
        return False
    alike = [item for item in owned if not SAFE.issuperset(item.methods) and related_to(item, route)]
    return any(item.handler is not None and roles(item.handler) == role for item in alike)


def roles(fn: Fn) -> frozenset[str]:
    """The texts that decorators are given: `@role_required("seller")`."""
    outer = fn.parent
    if outer is None:
        return frozenset()
    made = map(outer.unguarded, fn.facts.decorators)
    calls = [outer.calls[value[1]] for value in made if value[0] == "call"]
    texts = (outer.const(vid) for call in calls if ROLES.search(outer.callee_name(call)) for vid in call.args)
    return frozenset(text for text in texts if isinstance(text, str))


def is_open(project: Project, route: Route) -> bool:
    """A route of a reviewed file that fetches an object and checks nothing, or a role at most."""
    if route.handler is None or route.kind != "http":
        return False
    near = project.counts(route.place) or project.counts(route.handler)
    return near and fetch(project, route) is not None and (bool(roles(route.handler)) or not checked(project, route))


def of_caller(project: Project) -> Iterator[Route]:
    """Routes of generic views for one object, whose rows the view narrows to those of the caller."""
    for route in project.routes:
        if route.cls is not None and route.handler is None and route.path.rstrip("/").endswith("}"):
            rows = [project.method(route.cls, name) for name in ("get_queryset", "get_object")]
            if any(method is not None and asks_for_caller(method) for method in rows):
                yield route


def asks_for_caller(fn: Fn) -> bool:
    """`Order.objects.filter(owner=self.request.user)`"""
    users = {
        vid
        for vid in fn.made_by("attr")
        if fn.value(vid)[2] == "user" and "request" in map(str, fn.value(fn.value(vid)[1]))
    }
    return any(users.intersection(call.passed) for call in fn.calls)


def of_one(view: Route, route: Route) -> bool:
    """Whether a generic view is for the same resource."""
    handler = route.handler
    assert handler is not None and view.cls is not None
    return resource(view) == resource(route) and (view.cls.path == handler.path or prefix(view) == prefix(route))


def elsewhere(hit: Hit, places: str) -> str:
    return f"{hit.message} So do the routes in {places}, which call the same function."


def changes(project: Project, fn: Fn) -> bool:
    """Whether a function does not only read the object."""
    return project.effects.has(fn, "db-write", "commit")


def is_scoped(route: Route, call: Call) -> bool:
    """What is read is looked for with something that a decorator passes too: the project that the caller may enter."""
    fn = route.handler
    assert fn is not None
    given = {fn.unguarded(vid)[1] for vid in call.passed if fn.unguarded(vid)[0] == "param"}
    names = (fn.facts.params[index].name for index in given)
    return any(f"{{{name}" not in route.path for name in names if KEY.search(name)) and bool(fn.facts.decorators)


def fetch(project: Project, route: Route) -> Call | None:
    """The first call in the handler that reads an object by a path parameter."""
    fn = route.handler
    assert fn is not None
    last, _, rest = route.path.rpartition("{")[2].partition("}")
    if (TENANCY.fullmatch(last) and rest.strip("/")) or CAPABILITY.fullmatch(last):
        return None
    carried = set().union(*(derived(fn, vid) for vid in named_by_path(fn, last)))
    for call in fn.facts.calls:
        if reads_path(project, fn, call, last):
            return call
        passed = set(call.passed)
        receiver = fn.facts.values[call.func]
        chained = receiver[0] == "attr" and receiver[1] in carried
        if (passed & carried or chained) and READS & project.effects.call_effects(fn, call):
            if any(target.fqn in project.route_functions for target in project.targets(fn, call)):
                return None  # another route's handler, with what stands around it
            return call
    return None


def named_by_path(fn: Fn, name: str) -> Iterator[Vid]:
    """The parameter of that name, and what is read of it out of the request: `request.match_info["id"]`."""
    yield from (vid for vid in fn.made_by("param") if fn.facts.params[fn.value(vid)[1]].name == name)
    for vid in fn.made_by("item"):
        value = fn.value(vid)
        owner = fn.unguarded(value[1])
        if owner[0] == "attr" and owner[2] in FROM_PATH and fn.const(value[2]) == name:
            yield vid


def reads_path(project: Project, fn: Fn, call: Call, name: str) -> bool:
    """`await order_of(request)`: a helper that is given the request looks up what the path names, and reads it."""
    given = any(fn.unguarded(vid) == ("param", 0) for vid in call.passed)
    found = (any(named_by_path(target, name)) for target in project.targets(fn, call)) if given else ()
    return any(found) and bool(READS & project.effects.call_effects(fn, call))


def checked(project: Project, route: Route, *, certain: bool = False, owner: bool = False) -> bool:
    """An owner or permission check before, in or below the handler; `certain` leaves out what may be something else,
    `owner` permissions."""
    fn = route.handler
    assert fn is not None
    if (project.access.authorization(route) and not owner) or compares_caller(route, fn):
        return True
    if compares_identity(project, route, fn) or any(map(compares_owner, around(project, fn))):
        return True
    steps = list(project.graph.below(fn, 3))
    if not owner and any(asks_permission(item, depth) for item, depth in steps):
        return True
    found = any(checks_owner(project, item, certain) for item, _ in steps)
    return found or passes_caller(project, route, fn, certain)


def around(project: Project, fn: Fn) -> Iterator[Fn]:
    """What the handler's decorators wrap around it: `@is_owner`, whose wrapper compares the caller with the path."""
    for ref in fn.decorators:
        owner = project.functions.get(ref.name)
        for inner in project.functions_of(owner.file) if owner is not None else ():
            if owner in (inner.parent, inner.parent.parent if inner.parent is not None else None):
                yield inner


def asks_permission(fn: Fn, depth: int) -> bool:
    """By its name (`depth` 0 is the handler, whose name says nothing), or those of what it calls."""
    return bool(depth and CHECKS.search(fn.name)) or any(CHECKS.search(fn.callee_name(call)) for call in fn.facts.calls)


def checks_owner(project: Project, fn: Fn, certain: bool) -> bool:
    """A comparison with, or a lookup by, a column that says whose the object is."""
    if compares_owner(fn):
        return True
    for call in fn.facts.calls:
        name = fn.callee_name(call)
        by_owner = any(
            OWNER.fullmatch(key) and not is_own(fn, vid) for key, vid in call.kwargs
        ) and READS & project.effects.call_effects(fn, call)
        if by_owner and (not certain or READING.search(name)):
            return True
        for model in project.models(fn, call):
            lazy = model.orm is not None and model.orm.op in ("filter", "get", "exclude", "get_or_404")
            if lazy and any(OWNER.fullmatch(key) and not is_own(fn, vid) for key, vid in call.kwargs):
                return True
    return False


def compares_owner(fn: Fn) -> bool:
    """In Python, or in SQL."""
    for value in fn.facts.values:
        sides = value[2] if value[0] == "compare" else ()
        if any(names_owner(fn, vid) for vid in sides) and not any(is_own(fn, vid) for vid in sides):
            return True
        if value[0] == "const" and isinstance(value[1], str) and SQL_OWNER.search(value[1]) and " " in value[1]:
            return True
    return False


def is_own(fn: Fn, vid: Vid) -> bool:
    """`self.id` of a row that was fetched: what it is compared with belongs to the row, not to the caller."""
    value = fn.unguarded(vid)
    own = value[0] == "attr" and value[2] in ("id", "pk", "uuid") and fn.unguarded(value[1]) == ("param", 0)
    return own and fn.kind in ("method", "property")


def names_owner(fn: Fn, vid: Vid) -> bool:
    """`order.customer_id`, `order["user_id"]`, also `.owner.id`."""
    value = fn.facts.values[vid]
    if value[0] == "attr":
        if OWNER.fullmatch(str(value[2])):
            return True
        return str(value[2]) in ("id", "pk", "uuid") and names_owner(fn, value[1])
    if value[0] == "item":
        key = fn.const(value[2])
        return isinstance(key, str) and bool(OWNER.fullmatch(key))
    if value[0] == "name":  # `Order.customer_id` of a model, `current_user.id`; not `User.id`
        parts = str(value[1]).split(".")
        own = parts[:-1] if parts[-1] in ("id", "pk", "uuid") else parts
        return len(parts) > 1 and not own[-1][:1].isupper() and bool(OWNER.fullmatch(own[-1]))
    return value[0] == "guard" and names_owner(fn, value[1])


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
            and names_caller(project, fn, side)
            for side in passed
        )
        if by_id and caller and (not certain or READING.search(fn.callee_name(call))):
            return True
    return False


def names_caller(project: Project, fn: Fn, side: Value) -> bool:
    """A parameter, an attribute or a helper that says who calls (`current_account_id()`), or what a guard notes of that."""
    if side[0] == "name":
        owner, _, name = str(side[1]).rpartition(".")
        return owner in KEPT and (bool(OWNER.fullmatch(name)) or name in project.access.identities)
    if side[0] == "call":
        return bool(OWNER.fullmatch(fn.callee_name(fn.calls[side[1]])))
    while side[0] in ("attr", "item", "guard"):
        if side[0] == "attr" and (OWNER.fullmatch(str(side[2])) or is_auth(fn, side)):
            return True
        side = fn.facts.values[side[1]]
    return side[0] == "param" and bool(OWNER.fullmatch(fn.facts.params[side[1]].name))


def is_auth(fn: Fn, value: Value) -> bool:
    """`request.auth`: what a guard of django-ninja has found out of who calls."""
    base = fn.unguarded(value[1]) if value[0] == "attr" and value[2] == "auth" else ("",)
    return base[0] == "param" and fn.facts.params[base[1]].name == "request"


def uses_caller(project: Project, route: Route, fn: Fn) -> bool:
    """The caller takes part in what happens: a favourite, a comment, a record of who did it."""
    callers = identities(project, route, fn)
    used = set().union(*(derived(fn, vid) for vid in callers)) if callers else set()
    return any(set(call.passed) & used for call in fn.facts.calls)


def identities(project: Project, route: Route, fn: Fn) -> set[Vid]:
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
        elif is_auth(fn, value):
            found.add(vid)
        if name and name not in names and OWNER.fullmatch(name):
            found.add(vid)
    return found


def compares_identity(project: Project, route: Route, handler: Fn) -> bool:
    """Whether who calls is compared with a part of something else, in the handler or below it: `row["client_id"] != me.id`."""
    todo = [(handler, identities(project, route, handler))]
    for depth in range(DEPTH + 1):
        following = []
        for fn, starts in todo:
            mine = parts(fn, starts)
            if any(is_compared(fn, value, mine, depth) for value in fn.facts.values if value[0] == "compare"):
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


def parts(fn: Fn, starts: set[Vid]) -> set[Vid]:
    """The values, and what is read out of them."""
    found = set(starts)
    for vid, value in enumerate(fn.facts.values) if starts else ():
        if value[0] in PARTS and value[1] in found:
            found.add(vid)
    return found


def is_compared(fn: Fn, value: Value, mine: set[Vid], depth: int) -> bool:
    """Whether one side is the caller's, and the other a part of something else; not of the handler's parameters or of `self`."""
    sides = value[2]
    others = [fn.unguarded(vid) for vid in sides if vid not in mine]
    owners = [fn.unguarded(other[1]) for other in others if other[0] in ("attr", "item")]
    return len(others) < len(sides) and any(
        owner[0] != "param" or (depth > 0 and (owner[1] > 0 or fn.cls is None)) for owner in owners
    )


def sibling(route: Route, careful: list[Route]) -> Route | None:
    """A careful route for the same resource, in the same module or below the same path."""
    for other in careful:
        if other is not route and related_to(other, route) and shows(other, route):
            return other
    return None


def shows(example: Route, route: Route) -> bool:
    """Whether the example does the like: it reads the object itself (or at the same path), or both change something."""
    if not SAFE.issuperset(example.methods):
        return True
    return example.path.rstrip("/").endswith("}") or example.path == route.path


def related_to(route: Route, other: Route) -> bool:
    if other.handler is None or route.handler is None:
        return False
    if resource(other) != resource(route):  # `/own-letters/{letter_id}` beside `/letters/{letter_id}`
        same = parameter(other) == parameter(route) and OF_KIND.fullmatch(parameter(route)) is not None
        return (
            same and other.handler.path == route.handler.path and other.path.endswith("}") and route.path.endswith("}")
        )
    return other.handler.path == route.handler.path or prefix(other) == prefix(route)


def usual(route: Route, fetching: list[tuple[Route, Call]], careful: list[Route], bare: set[Route]) -> bool:
    """Whether not twice as many routes for the resource do without a check as have one: then those with one are special."""
    alike = [other for other, _ in fetching if related_to(other, route)]
    if SAFE.issuperset(route.methods):
        alike = [other for other in alike if SAFE.issuperset(other.methods)]
    without = bare.intersection(alike)
    return len(without) <= 2 * max(1, len([other for other in alike if other in careful]))


def parameter(route: Route) -> str:
    """Name of the last parameter in the path."""
    return route.path.rpartition("{")[2].partition("}")[0]


def prefix(route: Route) -> str:
    return route.path.rpartition("{")[0]


def resource(route: Route) -> str:
    """The fixed part before the last parameter: `orders` of `/shops/{shop}/orders/{id}/lines`."""
    parts = [part for part in route.path.split("/") if part]
    last = max((index for index, part in enumerate(parts) if "{" in part), default=0)
    return next((part for part in reversed(parts[:last]) if "{" not in part), "")


def unscoped(project: Project) -> Iterator[Hit]:
    """Generic views below a parent in the path that fetch by their own id among the rows of all parents."""
    narrowing = list(narrowed(project))
    seen = set()
    for route in project.routes if narrowing else ():
        names = re.findall(r"\{(\w+)\}", route.path)
        cls, found = route.cls, model_of(project, route.cls)
        if cls is None or found is None or len(names) < 2 or not route.path.rstrip("/").endswith("}"):
            continue
        place, model = found
        parent, field = next(
            ((name, field) for name in names[:-1] if (field := related(project, model, name))), ("", "")
        )
        alike = [view for view, name, key in narrowing if (name, key) == (field, parent) and view is not cls]
        example = next((view for view in alike if view.path == cls.path), alike[0] if alike else None)
        if not parent or example is None or place in seen or looks_itself(project, route, cls, names):
            continue
        seen.add(place)
        yield Hit(
            f"{route.label} fetches a `{model.name}` by `{names[-1]}` among those of every {field}: who may enter one {field} "
            f"reaches the rows of all others. Narrow the rows by `{parent}`, as `{example.name}` does.",
            place,
            related=(Step(example.header, f"`{example.name}` narrows by `{parent}`"),),
            profile=None if kept_apart(project, cls, example) else "strict",
        )


def kept_apart(project: Project, cls: Cls, example: Cls) -> bool:
    """Whether anything asks who may enter a parent: a permission of either view, or the example's own look at the caller.
    Where everybody who has signed in may enter each, the path is no boundary."""
    if any(project.access.authorization(route) for route in project.routes if route.cls in (cls, example)):
        return True
    return any(
        method.facts.values[vid][2] == "user" for method in example.methods.values() for vid in method.made_by("attr")
    )


def model_of(project: Project, cls: Cls | None) -> tuple[Location, Cls] | None:
    """The model of a generic view's `queryset = X.objects.all()`, and where that stands."""
    for owner in project.hierarchy.mro(cls) if cls is not None else ():
        vid = owner.facts.attributes.get("queryset", -1)
        for ref in project.refs(owner.owner, vid) if vid >= 0 else ():
            model = (
                project.classes.get(ref.arg.name) if ref.name.endswith(".QuerySet") and ref.arg is not None else None
            )
            if model is not None:
                return owner.owner.place(vid), model
    return None


def related(project: Project, model: Cls, name: str) -> str:
    """The model's foreign key to what a path parameter names (`project` for `project_id`), or ""."""
    field = re.sub(r"_(id|pk|uuid|slug|key|name)$", "", name)
    for owner in project.hierarchy.mro(model):
        refs = project.refs(owner.owner, owner.facts.attributes[field]) if field in owner.facts.attributes else ()
        if any(ref.name.rpartition(".")[2] in ("ForeignKey", "OneToOneField") for ref in refs):
            return field
    return ""


def narrowed(project: Project) -> Iterator[tuple[Cls, str, str]]:
    """Views that narrow their rows by a field and a path parameter: `filter(project=self.kwargs["project_id"])`."""
    for cls in {route.cls: None for route in project.routes if route.cls is not None}:
        for method in (method for name, method in cls.methods.items() if name in ROWS):
            for call in method.calls:
                for key, vid in call.kwargs:
                    value = method.unguarded(vid)
                    from_path = value[0] == "item" and method.value(value[1])[2:] == ("kwargs",)
                    if from_path and isinstance(name := method.const(value[2]), str):
                        yield cls, re.sub(r"_(id|pk)$|__(id|pk)$", "", key), name


def looks_itself(project: Project, route: Route, cls: Cls, names: list[str]) -> bool:
    """Whether the view, a permission or a filter may see to it that the object lies below its parent."""
    if any(project.method(cls, name) is not None for name in (*ROWS, route.action, "get_object", "get_permissions")):
        return True
    if any(names_any(method, names[:-1]) for method in route.called):
        return True
    for ref in project.access.listed(cls):
        listed = project.classes.get(ref.name)
        if listed is None:
            if re.search(r"Object|Admin", ref.name.rpartition(".")[2]):
                return True
            continue
        methods = [method for owner in project.hierarchy.mro(listed) for method in owner.methods.values()]
        if any(method.name in OBJECTS or names_any(method, names[-1:]) for method in methods):
            return True
    return False


def names_any(fn: Fn, names: list[str]) -> bool:
    return any(fn.value(vid)[1] in names for vid in fn.made_by("const"))
