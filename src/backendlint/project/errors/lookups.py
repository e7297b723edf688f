"""Whether a look-up that finds nothing looked for what the request named, or for what the code had read itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.facts.within import below, called_name
from backendlint.project.entities import Fn, Ref
from backendlint.project.errors.exceptions import Escape
from backendlint.project.errors.justwritten import just_written
from backendlint.project.errors.ownmistakes import is_own_mistake
from backendlint.project.errors.samelimit import tested_before
from backendlint.project.linking.binding import bind
from backendlint.project.loops.filled import DUMPS, VALIDATED
from backendlint.project.rows.ownrows import DATABASE, answered, from_rows, is_row, rows_read
from backendlint.project.values.tables import entries
from backendlint.project.values.uses import ingredients
from backendlint.project.web.requests import request_reads

if TYPE_CHECKING:
    from backendlint.project.model import Project

_OWN = frozenset({"user", "current_user"})
"""Attributes of a request that authentication has looked up."""
_FUNCTIONS = (
    "sqlalchemy.func.",
    "sqlalchemy.sql.func.",
    "sqlalchemy.sql.functions.",
    "sqlalchemy.sql.expression.func.",
)
MISSING = re.compile(r"not_?found|no_?[a-z]+_?found|does_?not_?exist|missing|unknown", re.IGNORECASE)
"""Names of exceptions that say that something is not there."""
_MALFORMED = re.compile(
    r"Invalid(?!.*(State|Status|Transition|Operation|Action))|Malformed|Corrupt|Unreadable|Pars(e|ing)|Decod"
)
"""Names of exceptions that say that a value is not what it should be."""
_OUTAGE = re.compile(r"Time(d?_?[Oo]ut)|Unavailable|Unreachable|Connection(?!.*(Invalid|Unknown))")
"""Names of exceptions that say that somebody else did not answer."""
_KEYS = frozenset({"pk", "id", "uuid"})
_PERMITS = ("get_permission_object", "check_permissions", "has_permission")
"""Methods of views that run before the handler and decide who may call it."""
_WRITES = frozenset({"db-write", "commit", "flush"})
_ONE_ROW = frozenset({"exists", "insert", "count"})
_REFUSALS = frozenset({"builtins.ValueError", "builtins.KeyError", "builtins.LookupError", "builtins.IndexError"})
_MEANS = frozenset({"session", "db", "db_session", "conn", "connection", "cursor", "cur", "using"})


def chain(project: Project, fn: Fn, name: str) -> list[tuple[Fn, Escape]]:
    """The functions through which an exception leaves `fn`, down to the one in which it is raised."""
    found: list[tuple[Fn, Escape]] = []
    seen: set[str] = set()
    while fn.fqn not in seen:
        seen.add(fn.fqn)
        escape = project.exceptions.escaping(fn).get(name)
        if escape is None:
            return []
        found.append((fn, escape))
        if escape.edge is None:
            return found
        fn = escape.edge.callee
    return []


def asked_for(project: Project, fn: Fn, name: str) -> bool:
    """Whether the query behind a not-found exception of a handler looks for something that the request named."""
    return _asks(project, chain(project, fn, name))


def asked_in(project: Project, fn: Fn, group: int, name: str) -> bool:
    """The same of an exception that the handler catches around a `try`; True where nothing is seen that raises it there."""
    ways = _raised_in(project, fn, below(fn.facts, group), name)
    return not ways or any(_asks(project, way) for way in ways)


def _raised_in(project: Project, fn: Fn, tried: frozenset[int], name: str) -> list[list[tuple[Fn, Escape]]]:
    """The chains by which an exception comes out of the calls of some blocks."""
    ways = [
        [(fn, Escape(name, site.call.span, site.call.block, None, site, None))]
        for site in project.effects.direct(fn)
        if site.call.block in tried and name in map(project.libraries.canonical, site.model.raises)
    ]
    for edge in project.graph.callees(fn):
        further = chain(project, edge.callee, name) if edge.block in tried else []
        if further:
            ways.append([(fn, Escape(name, edge.span, edge.block, None, None, edge)), *further])
    return ways


def _asks(project: Project, steps: list[tuple[Fn, Escape]]) -> bool:
    if not steps or steps[-1][1].site is None:
        return False
    last, escape = steps[-1]
    assert escape.site is not None
    given = _inputs(escape.site.call)
    call = escape.site.call
    if _always_one(project, last, given) or _by_own_key(project, last, call) or _just_seen(last, escape.block, call):
        return False
    if (
        just_written(last, call)
        or _is_there(project, last, escape.block)
        or from_rows(project, last, call)
        or _sought_before(project, last, call)
    ):
        return False
    given = [vid for vid in given if not _of_few(project, last, vid)]
    for caller, above in reversed(steps[:-1]):
        wanted = behind(project, last, given)
        if not wanted:
            return False
        edge = above.edge
        if edge is None or edge.call is None:
            return True
        if edge.call.open_ended:  # `super().__init__(*args, **kwargs)`: whatever is passed
            given = list(edge.call.passed)
        else:
            bound = bind(caller, edge.call, edge.callee)
            given = [vid for index in wanted for vid, _ in bound.get(index, ())]
        if not given:  # by a default of the function's own, nobody has asked for it
            return any(edge.callee.facts.params[index].default < 0 for index in wanted)
        given = [vid for vid in given if not _of_few(project, caller, vid)]
        read = rows_read(project, caller)
        if all(vid in read or _authenticated(caller, vid) or _checked(caller, vid) for vid in given):
            return False
        last = caller
    return _of_request(project, last, given) and not _refused_before(project, last, given, steps[0][1])


def provoked(project: Project, steps: list[tuple[Fn, Escape]]) -> bool:
    """Whether an exception that leaves a handler hangs on what its request says: it is raised in the handler itself, or
    where something is asked that the handler was sent; by the way that it takes."""
    if len(steps) < 2:
        return bool(steps)
    name = steps[0][1].name
    steps = _to_the_cause(project, steps)
    last, escape = steps[-1]
    if of_failure(project, last, escape) or _OUTAGE.search(name.rpartition(".")[2]):
        return False
    if is_own_mistake(project, last, escape, steps[-2][1].edge):
        return False
    if tested_before(project, steps):
        return False
    short = name.rpartition(".")[2]
    found = bool(MISSING.search(short) or _MALFORMED.search(short) or name == "builtins.ValueError")
    given, inner = _asked(last, escape), escape
    for caller, above in reversed(steps[:-1]):
        edge = above.edge
        if edge is None or edge.call is None:
            return False
        if given:
            wanted = behind(project, last, given)
            handed = _handed_on(caller, edge.call) if wanted and edge.call.open_ended else []
            if handed:
                given, last, inner = handed, caller, above
                continue
            if wanted and edge.call.open_ended:
                return _may_spread(project, caller, edge.call, {last.facts.params[index].name for index in wanted})
            bound = bind(caller, edge.call, edge.callee)
            given = [vid for index in wanted for vid, _ in bound.get(index, ())]
            if found:  # a row that the code has read itself is there, and well formed
                read = rows_read(project, caller)
                given = [vid for vid in given if vid not in read and not is_row(project, caller, vid)]
            if not given:
                return False
        elif inner.block == 0:  # a helper that does nothing but raise
            given = _asked(caller, above)
        else:
            return False
        last, inner = caller, above
    return _of_request(project, last, [vid for vid in given if not _authenticated(last, vid)])


def _to_the_cause(project: Project, steps: list[tuple[Fn, Escape]]) -> list[tuple[Fn, Escape]]:
    """`except RowMissing: raise KeyUnknown(kid)`: on to what raises that, where one call alone does."""
    last, escape = steps[-1]
    block = last.inside(escape.block, "except") if escape.statement is not None else None
    if block is None:
        return steps
    types = project.exceptions.caught_types(last, block)
    told = [name for name in types if name in project.classes or project.exception_kind(name) == "not-found"]
    ways = [way for name in told for way in _raised_in(project, last, below(last.facts, block.group), name)]
    if len(ways) != 1 or len(told) < len(types):
        return steps
    return [*steps[:-1], *_to_the_cause(project, ways[0])]


def _handed_on(fn: Fn, call: Call) -> list[Vid]:
    """`super().__init__(**kwargs)` of the function's own `**kwargs`: whatever it was given itself."""
    spread = [vid for key, vid in call.kwargs if key == "**"]
    values = [_unchanged(fn, vid) for vid in spread]
    own = all(value[0] == "param" and fn.facts.params[value[1]].kind == "kwargs" for value in values)
    return spread if own and not call.args else []


def _unchanged(fn: Fn, vid: Vid) -> Value:
    """The value before anything was taken from it (`kwargs.pop("name")`)."""
    value = fn.value(vid)
    while value[0] in ("guard", "mut"):
        value = fn.value(value[1])
    return value


def _may_spread(project: Project, fn: Fn, call: Call, names: set[str]) -> bool:
    """Whether `**changes.model_dump()` may hold one of these: not where the class of `changes` has no such field."""
    fields: set[str] = set()
    for key, vid in call.kwargs:
        made = fn.unguarded(vid)
        func = fn.func_of(made) if key == "**" else ("",)
        if key != "**" or func[0] != "attr" or func[2] not in DUMPS:
            return True
        refs = project.refs(fn, func[1])
        classes = [project.classes[ref.name] for ref in refs if ref.kind == "inst" and ref.name in project.classes]
        if not classes:
            return True
        fields.update(
            name for cls in classes for owner in project.hierarchy.mro(cls) for name in owner.facts.annotations
        )
    return not names.isdisjoint(fields)


def sent(project: Project, fn: Fn, vids: list[Vid], depth: int = 3) -> bool:
    """Whether values are made of what a client sends, or of who it is: here, or by what callers pass."""
    made = ingredients(fn.facts, vids)
    if _of_request(project, fn, vids) or any(_reads_request(project, fn, vid) for vid in made):
        return True
    wanted = behind(project, fn, vids)
    if not wanted or fn.fqn in project.route_functions or depth == 0:
        return bool(wanted) and depth > 0
    for edge in project.graph.callers(fn):
        bound = edge.bound()
        given = [vid for index in wanted for vid, _ in bound.get(index, ())]
        if given and sent(project, edge.caller, given, depth - 1):
            return True
    return False


def _reads_request(project: Project, fn: Fn, vid: Vid, depth: int = 2) -> bool:
    """A call of a function that reads the request: `page()`, `read_query(Filter)`; or the request itself."""
    value = fn.facts.values[vid]
    if value[0] == "param":
        return project.param_source(fn, value[1]) == "request"
    if value[0] != "call" or depth == 0:
        return False
    for target in project.targets(fn, fn.calls[value[1]]):
        if next(request_reads(project, target), None) is not None:
            return True
        if any(_reads_request(project, target, call.value, depth - 1) for call in target.calls):
            return True
    return False


def _asked(fn: Fn, escape: Escape) -> list[Vid]:
    """What decides whether a place is reached: the tests around it and before it, and what was tried above it."""
    asked = [test for test, _ in fn.tests_of(escape.block)]
    asked += [
        item.value
        for item in fn.facts.blocks
        if item.kind == "if" and item.exits == "return" and item.span[2:] <= escape.span[:2]
    ]
    for _, block in fn.blocks_of(escape.block):
        if block.kind == "except":
            tried = below(fn.facts, block.group)
            asked += [vid for call in fn.calls if call.block in tried for vid in _inputs(call)]
            break
    return [*asked, *(_inputs(escape.site.call) if escape.site is not None else ())]


def of_failure(project: Project, fn: Fn, escape: Escape) -> bool:
    """Whether it is raised for an exception that says nothing about what was passed: a host that does not answer."""
    block = fn.inside(escape.block, "except")
    types = project.exceptions.caught_types(fn, block) if block is not None else ()
    return block is not None and not any(_refuses(project, name) for name in types)


def _refuses(project: Project, name: str) -> bool:
    """An exception that says something about what was passed."""
    return (
        name in _REFUSALS
        or name in project.classes
        or project.exception_kind(name) in ("not-found", "validation", "integrity")
    )


def _of_request(project: Project, fn: Fn, given: list[Vid]) -> bool:
    """Whether values in a handler are made of what the client sent (not of what the server keeps on the request)."""
    given = [vid for vid in given if not _set_by_server(project, fn, vid)]
    made = ingredients(fn.facts, given)
    named = any(project.param_source(fn, index) == "request" for index in behind(project, fn, given))
    return named or any(item.vid in made or _is_read(fn, item.vid, made) for item in request_reads(project, fn))


def _is_read(fn: Fn, read: Vid, made: set[Vid]) -> bool:
    """`request.args.get`, where that is one name, of which `request.args` is a part."""
    value = fn.facts.values[read]
    start = f"{value[1]}." if value[0] == "name" else ""
    values = (fn.facts.values[vid] for vid in made) if start else ()
    return any(other[0] == "name" and str(other[1]).startswith(start) for other in values)


def _set_by_server(project: Project, fn: Fn, vid: Vid) -> bool:
    """`request.tenant`, `request.tenant.id`: no part of a request that its framework knows."""
    value = fn.unguarded(vid)
    while value[0] == "attr":
        base = fn.unguarded(value[1])
        if base[0] == "param" and project.param_source(fn, base[1]) == "request":
            names = [ref.name for ref in project.refs(fn, value[1]) if ref.kind in ("lib", "libinst")]
            return bool(names) and not any(project.libraries.attribute(f"{name}.{value[2]}") for name in names)
        value = base
    return False


def _always_one(project: Project, fn: Fn, vids: list[Vid]) -> bool:
    """Queries that give a row whatever there is: aggregates, `exists`, `insert ... returning`."""
    values = [fn.facts.values[vid] for vid in ingredients(fn.facts, vids)]
    names = [project.libraries.canonical(value[1]) for value in values if value[0] == "name"]
    names += [value[2] for value in values if value[0] == "attr"]
    return any(name.startswith(_FUNCTIONS) or name.rpartition(".")[2] in _ONE_ROW for name in names)


def _by_own_key(project: Project, fn: Fn, call: Call) -> bool:
    """`get(pk=counter.pk)` of a row that the function has just read or made."""
    if _compared_with_own(project, fn, call):
        return True
    keys = [vid for name, vid in call.kwargs if name in _KEYS]
    if not keys or len(keys) < len(call.kwargs) or call.args:
        return False
    read = rows_read(project, fn)
    return all(
        (fn.facts.values[vid][0] == "attr" and fn.facts.values[vid][2] in _KEYS and vid in read)
        or _checked(fn, vid)
        or answered(project, fn, vid)
        or _picked(project, fn, vid)
        for vid in keys
    )


def _compared_with_own(project: Project, fn: Fn, call: Call) -> bool:
    """`session.scalars(select(Boat).where(Boat.id == boat.id)).one()` of a row that the function has read or made before."""
    made = ingredients(fn.facts, _inputs(call))
    tests = [fn.value(vid) for vid in made if fn.value(vid)[0] == "compare"]
    wheres = [inner for inner in fn.calls if inner.value in made and fn.callee_name(inner) in ("where", "filter")]
    if not tests or any(inner.kwargs or len(inner.args) != 1 for inner in wheres) or len(tests) != len(wheres):
        return False
    read = rows_read(project, fn)
    return all(
        tuple(test[1]) == ("==",)
        and (key := fn.value(test[2][1]))[0] == "attr"
        and key[2] in _KEYS
        and test[2][1] in read
        and fn.unguarded(key[1])[0] != "param"
        for test in tests
    )


def _picked(project: Project, fn: Fn, vid: Vid) -> bool:
    """`rows[0][0]`, part of what the function has queried, whatever picks it."""
    root = _root(fn, vid)
    made = ingredients(fn.facts, (root,)) if root != fn.untested(vid) else ()
    return any(query.kind == "read" and query.vid in made for query in project.queries.direct(fn))


def _root(fn: Fn, vid: Vid) -> Vid:
    """What a value is a part of: `rows` of `rows[0].code`."""
    vid = fn.untested(vid)
    while fn.value(vid)[0] in ("item", "unpack", "elem", "attr"):
        vid = fn.untested(fn.value(vid)[1])
    return vid


def _of_few(project: Project, fn: Fn, vid: Vid) -> bool:
    """One of those that the code itself lists (`if key not in ("north", "south"): raise Http404`), or part of what a table
    of the module holds (`WATCHES[side].keeper`): no client's mistake is a row that is not there."""
    root = _root(fn, vid)
    if fn.value(root)[0] == "name" and root != fn.untested(vid):
        return next(entries(project, fn, root), None) is not None
    value, subject = fn.value(vid), fn.unguarded(vid)
    while value[0] == "guard":
        test, outcome = fn.value(value[2]), value[3]
        if test[0] == "compare" and tuple(test[1]) == (("in",) if outcome else ("not in",)):
            kept, listed = test[2]
            if fn.unguarded(kept) == subject and _listed(project, fn, listed):
                return True
        value = fn.value(value[1])
    return False


def _listed(project: Project, fn: Fn, vid: Vid) -> bool:
    """A list or dict that is written out, of constants."""
    found = list(entries(project, fn, vid))
    return bool(found) and all(
        isinstance(item.fn.const(item.key if item.key >= 0 else item.value), str | int) for item in found
    )


def _checked(fn: Fn, vid: Vid) -> bool:
    """`serializer.validated_data["shelf"].id`: the key of a row that the validation has found."""
    value = fn.unguarded(vid)
    row = fn.unguarded(value[1]) if value[0] == "attr" and value[2] in _KEYS else ("",)
    held = fn.unguarded(row[1]) if row[0] == "item" else ("",)
    return held[0] == "attr" and held[2] in VALIDATED


def _is_there(project: Project, fn: Fn, block: int) -> bool:
    """In the `except` for a row that could not be stored, as there is one like it."""
    handler = fn.inside(block, "except")
    if handler is None:
        return False
    types = project.exceptions.caught_types(fn, handler)
    if not any(project.exception_kind(name) in ("integrity", "validation") for name in types):
        return False
    tried = below(fn.facts, handler.group)
    return any(
        not _WRITES.isdisjoint(project.effects.call_effects(fn, call)) or fn.callee_name(call) in ("save", "create")
        for call in fn.calls
        if call.block in tried
    )


def _just_seen(fn: Fn, block: int, call: Call) -> bool:
    """`if Coupon.objects.filter(code=code).exists():` around a `get` by the same conditions, `if rows.exists():` around
    `rows.get()`."""
    wanted = {key: fn.unguarded(vid) for key, vid in call.kwargs}
    base = fn.value(call.func)
    rows = fn.unguarded(base[1]) if base[0] == "attr" and not wanted else ("",)
    tests = [fn.unguarded(test) for test, outcome in fn.tests_of(block) if outcome]
    for func in map(fn.func_of, tests) if not call.args else ():
        made = fn.unguarded(func[1]) if func[0] == "attr" and func[2] == "exists" else ("",)
        if made == rows and made[0] == "call":
            return True
        found = fn.calls[made[1]] if made[0] == "call" else None
        if wanted and found is not None and fn.callee_name(found) == "filter" and not found.args:
            told = {key: fn.unguarded(vid) for key, vid in found.kwargs}
            if told == wanted:
                return True
    return False


def _sought_before(project: Project, fn: Fn, call: Call) -> bool:
    """In a view whose check of permissions looks for the same sort of row first: who asks for one that is not there is refused."""
    sought = called_name(fn.file, fn.facts, call)
    hooks = [project.method(fn.cls, name) for name in _PERMITS] if fn.cls is not None else []
    return any(
        hook is not None
        and hook is not fn
        and any(called_name(hook.file, hook.facts, inner) == sought for inner in hook.calls)
        for hook in hooks
    )


def _refused_before(project: Project, fn: Fn, given: list[Vid], escape: Escape) -> bool:
    """Whether the handler has looked for the very same value before, by what answers the client itself where nothing is there."""
    wanted = {value for vid in given if (value := fn.unguarded(vid))[0] == "param"}
    around = {number for number, _ in fn.blocks_of(escape.block)}
    for call in fn.calls:
        if call.block not in around or call.span[:2] >= escape.span[:2]:
            continue
        if _found_by_relation(project, fn, call, wanted):
            return True
        if len(call.passed) != 1:
            continue
        if fn.unguarded(call.passed[0]) in wanted and _answers(project, fn, call):
            return True
    return False


def _found_by_relation(project: Project, fn: Fn, call: Call, wanted: set[Value]) -> bool:
    """`get_object_or_404(Berth, harbour__name=name)`: where there is such a berth, there is such a harbour."""
    answered = any(model.orm is not None and model.orm.op == "get_or_404" for model in project.models(fn, call))
    return answered and any("__" in key and fn.unguarded(vid) in wanted for key, vid in call.kwargs)


def _answers(project: Project, fn: Fn, call: Call) -> bool:
    """Of a function that looks something up, and raises what the framework turns into an answer."""
    targets = project.targets(fn, call)
    return bool(targets) and all(
        project.effects.has(target, *DATABASE)
        and any(project.exception_kind(name) == "http" for name in project.exceptions.escaping(target))
        for target in targets
    )


def _inputs(call: Call) -> list[Vid]:
    return [*call.passed, call.func]


def behind(project: Project, fn: Fn, vids: list[Vid]) -> set[int]:
    """Parameters of which the values are made: not `self`, and not what does the looking up."""
    made = {vid for vid in ingredients(fn.facts, vids) if fn.facts.values[vid][0] == "param"}
    return {
        fn.facts.values[vid][1]
        for vid in made
        if not (fn.facts.values[vid][1] == 0 and fn.cls is not None)
        and fn.facts.params[fn.facts.values[vid][1]].name not in _MEANS
        and not any(_looks_up(ref) for ref in project.refs(fn, vid))
    }


def _looks_up(ref: Ref) -> bool:
    """A model class (`model=Group`) or an object of a library (a session, a query set)."""
    return ref.kind in ("class", "lib") or (ref.kind == "libinst" and ref.name.count(".") > 1)


def _authenticated(fn: Fn, vid: Vid) -> bool:
    """`request.user.id`, or a part of an injected user."""
    for item in ingredients(fn.facts, (vid,)):
        value = fn.facts.values[item]
        if (value[0] == "attr" and value[2] in _OWN) or (
            value[0] == "param" and fn.facts.params[value[1]].name in _OWN
        ):
            return True
    return False
