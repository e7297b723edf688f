"""Loops that go round as often as there are rows, and whether anything tells that these are many."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from backendlint.api import (
    Call,
    Fn,
    Project,
    Vid,
    accumulates,
    depends,
    grows,
    identifier_words,
    ingredients,
    loops_around,
    one_row,
    stops_early,
)

FETCHES = frozenset(
    {"fetchall", "fetch_all", "fetch", "fetchmany", "json", "reader", "DictReader", "iter_rows", "execute"}
)
BODY = frozenset({"data", "json", "POST", "GET", "body", "form", "get_json", "getlist", "query_params"})
VIEWS = frozenset({"items", "keys", "values"})
OF_ONE_ROW = frozenset(
    {"get", "first", "one", "create", "get_or_create", "update_or_create", "add", "save", "execute", "lock"}
)
ROWS = frozenset({"row", "record", "entry"})
BY_PARENT = re.compile(r"\bWHERE\b.*\w_id\s*=\s*[%?:$]", re.IGNORECASE | re.DOTALL)
WHOLE_SYSTEM = re.compile(r"(tenant|org|organi[sz]ation|workspace|site)(_|$)")
"""Whose system this is, for whom it has as much in it as for one who has it alone."""
BULK = frozenset(
    """
    row rows record records entry entries lines items batch batches bulk many all csv import imports importer imported ingest sync
    synchronize backfill populate migrate export upload uploaded dump feed results readings events messages notifications users members
    customers subscribers followers recipients students employees patients contacts accounts participants devices orders products
    documents
    """.split()
)
"""Words of what comes in numbers, and of functions that take it."""
OF_ONE = frozenset(
    "author owner address addr email publisher host device domain certificate key role company photo picture".split()
)
"""Words of relations of which one thing has a few, although there are many of them in all."""


def loop_around(project: Project, fn: Fn, block: int) -> int:
    for number, _ in loops_around(fn, block):
        if stops_early(fn, block, number) or not grows(project, fn, number) or _of_one_row(project, fn, number):
            return -1
        return number
    return -1


def _of_one_row(project: Project, fn: Fn, loop: int) -> bool:
    """`for row in Order.objects.filter(pk=number):`, where there is one at most."""
    value = fn.unguarded(fn.facts.blocks[loop].value)
    return value[0] == "call" and one_row(project, fn, fn.calls[value[1]])


def is_sent(project: Project, fn: Fn, vid: Vid) -> bool:
    """The body of a request, whose lists are as long as a client likes."""
    classes = (project.classes[ref.name] for ref in project.refs(fn, vid) if ref.kind == "inst")
    return any(project.hierarchy.role(cls) == "schema" for cls in classes)


def of_one_parent(project: Project, fn: Fn, loop: int) -> bool:
    """`for author in article.authors.all():` goes through what belongs to one, and no name tells that this is much."""
    vid = fn.facts.blocks[loop].value
    value = fn.unguarded(vid)
    if value[0] != "call" or project.targets(fn, fn.calls[value[1]]):
        return False
    origins = project.origins.of(fn, vid)
    return bool(origins) and all(item.path and _few_each(item.path[-1]) for item in origins)


def may_be_many(project: Project, fn: Fn, loop: int) -> bool:
    """Whether anything tells that many come: rows that a query finds, and not for one parent, what a client or another system
    sends, and names (`rows`, `import_lines()`, `users`)."""
    vid = fn.facts.blocks[loop].value
    made = ingredients(fn.facts, (vid,))
    calls = [fn.calls[value[1]] for value in map(fn.value, made) if value[0] == "call"]
    steps = [step for origin in project.origins.of(fn, vid) if origin.ops - OF_ONE_ROW for step in origin.steps]
    texts = [text for call in calls if (text := project.queries.text(fn, call))]
    if steps or texts or any(fn.callee_name(call) in FETCHES for call in calls):
        return not any(_names_parent(project, step.fn, step.call) for step in steps) and not any(
            map(BY_PARENT.search, texts)
        )
    items = [item.name for item in fn.facts.bindings if item.name in ROWS and depends(fn, [item.value], loop)]
    words = {word.lower() for name in (fn.name, *items, *_names(fn, made)) for word in identifier_words(name)}
    return not words.isdisjoint(BULK) or any(_is_request(project, fn, part) for part in made)


def _names(fn: Fn, made: Iterable[Vid]) -> Iterator[str]:
    """What the values are called: parameters, attributes, variables, and what is called for them."""
    bound = {item.value: item.name for item in fn.facts.bindings}
    for vid in made:
        value = fn.value(vid)
        yield bound.get(vid, "")
        if value[0] == "param":
            yield fn.facts.params[value[1]].name
        elif value[0] in ("attr", "name") and (name := str(value[-1]).rpartition(".")[2]) not in VIEWS:
            yield name


def _names_parent(project: Project, fn: Fn, call: Call) -> bool:
    """`filter(order=order)`, `where(Line.order_id == number)`: the rows of one."""
    keys = [key for key, vid in call.kwargs if fn.const(vid) is ...]
    for value in map(fn.unguarded, call.args):
        if value[0] == "compare" and value[1] == ("==",):
            keys += [fn.dotted(vid).rpartition(".")[2] for vid in value[2]]
    names = project.associations.names
    parents = (key for key in keys if not WHOLE_SYSTEM.match(key))
    return any(key.endswith(("_id", "_pk")) or key.rpartition("__")[2] in names for key in parents)


def _is_request(project: Project, fn: Fn, vid: Vid) -> bool:
    """A list that a client sends: `request.data["ids"]`, or the body of the route."""
    value = fn.value(vid)
    if value[0] == "param":
        return fn.fqn in project.route_functions and value[1] in project.request_param_types(fn)
    owner, _, name = fn.dotted(vid).rpartition(".") if value[0] in ("attr", "name") else ("", "", "")
    base = fn.unguarded(value[1]) if value[0] == "attr" else ("",)
    if base[0] == "param":
        owner = fn.facts.params[base[1]].name
    return name in BODY and owner.lower().endswith(("request", "req"))


def _few_each(relation: str) -> bool:
    words = [word.lower().removesuffix("es").removesuffix("s") for word in identifier_words(relation)]
    return not accumulates(relation) or not OF_ONE.isdisjoint(words)
