"""PERF103: a request that fetches as many rows as there are."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import (
    Call,
    Fn,
    Hit,
    Project,
    Query,
    Span,
    Unbounded,
    Vid,
    aliases,
    doubtful,
    for_admins,
    for_tests,
    identifier_words,
    only_by_hand,
    runs_by_hand,
    unbounded,
)

MAKERS = (
    "create",
    "acreate",
    "get_or_create",
    "aget_or_create",
    "update_or_create",
    "aupdate_or_create",
    "bulk_create",
    "abulk_create",
)

MANAGERS = ("", "objects", "manager", "model", "_default_manager", "queryset")
PEOPLE = frozenset({"user", "account", "profile", "member"})
"""Those sign up through libraries."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a query that routes lead to."""
    for fn in project.reviewed():
        if not project.reach(fn.fqn) or runs_by_hand(project, fn) or for_tests(project, fn):
            continue
        for item in unbounded(project, fn):
            narrowed = "every matching row" if item.filtered else "every row"
            yield Hit(
                f"`{fn.name}()` fetches {narrowed} of `{item.entity}` while a client waits: memory and response time grow with the table; "
                f"take a limit with an upper bound, and page{_or_sum_up(fn, item.query)}.",
                fn.location(_place(fn, item.query)),
                function=fn.fqn,
                profile="strict" if _is_advice(project, fn, item) else None,
            )


def _place(fn: Fn, query: Query) -> Span:
    """Where the function gets the query that it hands on to be sent: there a limit belongs."""
    value = fn.unguarded(query.vid)
    return fn.calls[value[1]].span if value[0] == "call" else query.span


def _is_advice(project: Project, fn: Fn, item: Unbounded) -> bool:
    """Where nothing says that many rows come: those of one user, one column of each, and what operators set up."""
    few = doubtful(item) or item.own or _one_column(fn, item.query.vid) or _first_alone(fn, item.query.vid)
    return few or not _listed(project, fn) or _set_up(project, item.entity)


def _one_column(fn: Fn, vid: Vid) -> bool:
    """`Order.objects.values_list("pk", flat=True)`: a number or a key of each row takes little."""
    value = fn.unguarded(vid)
    call = fn.calls[value[1]] if value[0] == "call" else None
    return call is not None and fn.callee_name(call) == "values_list" and fn.const(call.kwarg("flat")) is True


def _first_alone(fn: Fn, vid: Vid) -> bool:
    """`found[0] if len(found) else None`: whoever takes the first knows that there is one at most, or wants no other."""
    held = aliases(fn.facts, vid)
    taken = [value for value in map(fn.value, fn.made_by("item")) if value[1] in held]
    gone_through = any(block.kind in ("for", "comp") and block.value in held for block in fn.facts.blocks)
    given = any(item.value in held for item in fn.facts.returns)
    return bool(taken) and all(isinstance(fn.const(value[2]), int) for value in taken) and not (gone_through or given)


def _or_sum_up(fn: Fn, query: Query) -> str:
    """What else helps where a loop makes something of the rows, which may be all that the client gets."""
    loops = (block for block in fn.facts.blocks if block.kind == "for" and block.value >= 0)
    made = any(fn.unguarded(block.value) == fn.unguarded(query.vid) for block in loops)
    return ", or let the database sum up what the answer needs of them" if made else ""


def _listed(project: Project, fn: Fn) -> bool:
    """Whether a route that reads waits for this, outside of administration."""
    routes = project.endpoints.leading_to(fn.fqn)
    return fn in project.in_request and any(
        (not route.methods or "GET" in route.methods) and not for_admins(route) for route in routes
    )


def _set_up(project: Project, entity: str) -> bool:
    """Whether its rows are what an operator sets up: they are made in Django's admin, and by nothing else that is seen."""
    name = entity.rpartition(".")[2]
    if not name or not project.imports("django") or PEOPLE.intersection(map(str.lower, identifier_words(name))):
        return False
    if not any(name in map(_last, map(fn.dotted, call.args)) for fn, call in project.graph.calls_written("register")):
        return False
    made = (*project.graph.calls_written(name), *project.graph.calls_written(*MAKERS))
    if any(_makes(fn, call, name) and not _by_hand(project, fn) for fn, call in made):
        return False
    models = (
        cls.owner.dotted(cls.facts.attributes["model"])
        for cls in project.classes.values()
        if cls.facts.name == "Meta" and cls.facts.attributes.get("model", -1) >= 0
    )
    return name not in map(_last, models)  # no serializer, no form


def _last(dotted: str) -> str:
    return dotted.rpartition(".")[2]


def _makes(fn: Fn, call: Call, name: str) -> bool:
    """Whether a call may make rows of the model: by its class, by a manager of which is not known whose it is
    (`self.model.objects`), or by one that is called after it (`order.items` for OrderItem)."""
    if fn.callee_name(call) == name:
        return True
    before = fn.dotted(call.func).split(".")[:-1]
    if name in before or any(part[:1].isupper() for part in before):
        return name in before
    last = before[-1] if before else ""
    return last in MANAGERS or any(word in last.lower() for word in identifier_words(name))


def _by_hand(project: Project, fn: Fn) -> bool:
    return project.layer(fn) == "migration" or only_by_hand(project, fn) or for_tests(project, fn)
