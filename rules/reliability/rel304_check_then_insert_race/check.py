"""REL304: a row is looked for, and inserted when it was not found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from backendlint.api import (
    FEW,
    Call,
    Fn,
    Hit,
    Project,
    Raced,
    Vid,
    by_range,
    by_style,
    for_tests,
    identifier_words,
    ingredients,
    never_violated,
    object_root,
    of_others,
    only_by_hand,
    only_planned,
    shared_row,
    stopped_by,
    told_once,
)

_HANDLE = "Handle the constraint's violation around the insert and answer as if the row had been found, or insert with ON CONFLICT."

TRAILS = frozenset("tracking visit visits view views impression impressions sighting sightings journal trail".split())

ALIKE = 2
"""So many that one constraint makes fail, or of one table without one, are told one by one."""
DRAWS = frozenset("random uuid uuid1 uuid4 secrets urlsafe nonce choices randbelow".split())
"""Words of functions that give something else each time."""
ENSURES = re.compile(r"(^|_)(get_or_create|create_or_get|ensure|update_or_create|upsert)(_|$)")
"""What asks once more itself."""
WORK = frozenset("job jobs task run".split())
"""Rows that stand for work, and what tells one such piece of work from others."""
IMPORTS = frozenset("parser parsers importer importers".split())


def check(project: Project) -> Iterator[Hit]:
    """One hit a check; of many that one constraint makes fail, or of many in one file, the first."""
    files: dict[str, list[Hit]] = {}
    by_constraint = by_style(project, list(project.all_functions()), lambda functions: _judged(project, functions))
    for constraint, hits in by_constraint.items():
        if not constraint:
            yield from hits
        elif len(hits) > ALIKE:
            yield from told_once(hits, _everywhere, few=ALIKE, severity=None)
        else:
            for hit in hits:
                files.setdefault(hit.location.path, []).append(hit)
    names: dict[str, list[Hit]] = {}
    for hits in files.values():
        for hit in told_once(hits, _together, few=FEW - 1, severity=None):
            names.setdefault(_copied(project, hit), []).append(hit)
    yield from names.pop("", ())
    for hits in names.values():
        yield from told_once(hits, _everywhere, few=ALIKE, severity=None)


def _copied(project: Project, hit: Hit) -> str:
    """The name of a helper that each table may have its own of (`get_or_create()`), or ""."""
    fn = project.functions[hit.function] if hit.function else None
    plain = fn is not None and fn.cls is None and hit.profile is None and ENSURES.search(fn.name)
    return fn.name if fn is not None and plain else ""


def _together(hit: Hit, others: str) -> str:
    return _everywhere(hit, f"{others} of this file")


def _everywhere(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]}. So it is in {others}."


def _judged(project: Project, functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """The first insert that depends on a check, if nobody handles its conflict, or none can arise, with the constraint that it
    violates; "" where there is none, or the hit is advice."""
    mapped = any(
        project.exception_kind(ref.name) == "integrity" for refs in project.error_handlers.values() for ref in refs
    )
    for fn in functions:
        told: set[int] = set()
        alike: set[str] = set()
        for raced in sorted(_open_in(project, fn, mapped), key=_in_handler):
            aside = project.layer(fn) == "migration" or for_tests(project, fn) or adds_itself(fn, raced.insert)
            if aside or asks_again(project, raced):
                continue
            if raced.check.value in told or of_others(project, raced) or drawn(raced) or of_new_row(project, raced):
                continue
            hit, constraint = _hit(project, raced)
            hit = replace(hit, profile="strict") if raced.entity in alike else hit
            told.add(raced.check.value)
            alike.add(raced.entity)
            yield hit, (constraint or raced.entity) if hit.profile is None else ""


def asks_again(project: Project, raced: Raced) -> bool:
    """Whether what is called for the insert looks for the row itself: what it makes of that is told there."""
    inner = project.functions[raced.inner] if raced.inner else None
    if inner is None:
        return False
    return bool(ENSURES.search(inner.name)) or any(
        again.entity == raced.entity for again in project.checked_inserts(inner)
    )


def _open_in(project: Project, fn: Fn, mapped: bool) -> Iterator[Raced]:
    return (raced for raced in project.checked_inserts(fn) if _open(project, raced, mapped))


def _open(project: Project, raced: Raced, mapped: bool) -> bool:
    """Whether nobody handles the conflict of two such inserts, or none can arise."""
    if raced.handled == "above" and not mapped:
        return not stopped_by(project, raced)[1]
    return not (raced.handled or mapped) or (raced.handled != "locked" and never_violated(project, raced))


def _in_handler(raced: Raced) -> bool:
    """Whether the insert only says that something else failed."""
    return raced.fn.inside(raced.insert.block, "except") is not None


def _hit(project: Project, raced: Raced) -> tuple[Hit, str]:
    """With the unique constraint that the second insert violates, or ""."""
    name = raced.entity.rpartition(".")[2]
    table, columns = stopped_by(project, raced)
    near, key = ("", ()) if columns else stopped_by(project, raced, likely=True)
    constraint = f"the unique constraint on `{table or near}` ({', '.join(columns or key)})" if columns or key else ""
    if columns:
        outcome = f"find nothing, and the second insert violates {constraint}, which nobody handles: that one fails."
    elif key:
        outcome = f"find nothing and both insert: the second may violate {constraint}, which nobody handles."
    else:
        outcome = "find nothing and both insert; rely on a constraint (unique, or one that excludes overlaps) and handle its violation."
    who = "requests" if project.reach(raced.fn.fqn) else "runs"
    hit = Hit(
        f"`{raced.fn.name}()` looks for a `{name}` and inserts one if there is none: two {who} at once both {outcome}",
        raced.fn.location(raced.insert.span),
        related=(raced.fn.step(raced.check.span, "looked for here"),),
        function=raced.fn.fqn,
        severity="note" if constraint else None,
        help=_HANDLE if constraint else None,
        profile="strict" if _doubtful(project, raced, bool(constraint)) else None,
    )
    return hit, constraint


def _doubtful(project: Project, raced: Raced, unique: bool) -> bool:
    """Where two at once are not to be expected, or do no harm: scripts, planned jobs and the start, what is always called under a lock,
    the one row that all share and that is made once in a lifetime, and rows of which there may be many or that one worker makes."""
    if raced.held or only_by_hand(project, raced.fn) or shared_row(project, raced):
        return True
    return (
        (not unique and _may_be_many(project, raced))
        or of_own_run(project, raced)
        or of_saved_row(project, raced)
        or only_planned(project, raced.fn)
        or project.lifecycle.alone_leads_to(raced.fn)
        or by_import(project, raced.fn)
    )


def _may_be_many(project: Project, raced: Raced) -> bool:
    return (
        newest(project, raced)
        or by_range(project, raced)
        or over_relations(project, raced)
        or of_trail(raced)
        or by_one_worker(project, raced.fn)
    )


def by_one_worker(project: Project, fn: Fn) -> bool:
    """What lies with the jobs, and no request is seen to lead to: they run by the clock, one after the other."""
    return project.layer(fn) == "task" and not project.reach(fn.fqn)


def by_import(project: Project, fn: Fn) -> bool:
    """What a module of importers makes, and no request is seen to lead to: one import goes through its file row by row."""
    words = identifier_words(fn.file.module.replace(".", "_"))
    return not IMPORTS.isdisjoint(words) and not project.reach(fn.fqn)


def drawn(raced: Raced) -> bool:
    """`while len(codes) < 8: code = random_string(12); if not get_by(code=code): create(code=code)`: no other run draws the same."""
    fn = raced.fn
    made = ingredients(fn.facts, [raced.check.value])
    calls = (fn.facts.calls[fn.value(vid)[1]] for vid in made if fn.value(vid)[0] == "call")
    return any(not DRAWS.isdisjoint(identifier_words(fn.callee_name(call))) for call in calls)


def of_new_row(project: Project, raced: Raced) -> bool:
    """`crate = Crate(...)`, `crate.save()`, `Label.filter(crate=crate).exists()`: nobody else knows of the crate yet."""
    fn = raced.fn
    for vid in _sought(project, raced):
        value = fn.value(object_root(fn, vid))
        call = fn.facts.calls[value[1]] if value[0] == "call" else None
        refs = project.callees(fn, call) if call is not None else ()
        made = (project.classes[ref.name] for ref in refs if ref.kind == "class" and ref.name in project.classes)
        if any(project.hierarchy.role(cls) == "model" for cls in made):
            return True
    return False


def of_own_run(project: Project, raced: Raced) -> bool:
    """`def scan(job_id): if not Job.filter(id=job_id).exists(): Job.create(id=job_id)`: the row of the very run that it is told to do."""
    if WORK.isdisjoint(identifier_words(raced.entity.rpartition(".")[2])):
        return False
    given = [raced.fn.unguarded(vid) for vid in _sought(project, raced)]
    names = [raced.fn.facts.params[value[1]].name for value in given if value[0] == "param"]
    return any(not WORK.isdisjoint(identifier_words(name)) for name in names)


def of_saved_row(project: Project, raced: Raced) -> bool:
    """`def add_profile(sender, instance, **kwargs): if not Profile.filter(user=instance).exists(): ...`: what hears of a row that
    was saved looks for what belongs to that very row."""
    names = [param.name for param in raced.fn.facts.params]
    roots = [raced.fn.value(object_root(raced.fn, vid)) for vid in _sought(project, raced)]
    return "sender" in names and any(value[0] == "param" and names[value[1]] == "instance" for value in roots)


def _sought(project: Project, raced: Raced) -> set[Vid]:
    """What the function itself gives the check, and the query that it makes for it."""
    origins = project.origins.of(raced.fn, raced.check.value)
    steps = (step.call for origin in origins for step in origin.steps if step.fn is raced.fn)
    return {vid for call in (raced.check, *steps) for vid in call.passed}


def of_trail(raced: Raced) -> bool:
    """A row that notes that something was seen or done: a second one says the same."""
    return not TRAILS.isdisjoint(identifier_words(raced.entity.rpartition(".")[2]))


def newest(project: Project, raced: Raced) -> bool:
    """`order_by(...).first()`: there may be many such rows, and one more need not be wrong."""
    return any("order" in origin.ops for origin in project.origins.of(raced.fn, raced.check.value))


def over_relations(project: Project, raced: Raced) -> bool:
    """`filter(berth__harbour=harbour)`: about rows that belong to others, for which no constraint of the table can speak."""
    steps = [step for origin in project.origins.of(raced.fn, raced.check.value) for step in origin.steps]
    asked = {key for call in (raced.check, *(step.call for step in steps)) for key, _ in call.kwargs if "__" in key}
    return any(_leads_on(project, raced.entity, *key.split("__")[:2]) for key in asked)


def _leads_on(project: Project, entity: str, name: str, following: str) -> bool:
    """Whether the first is a relation, and the second a field of what it leads to."""
    cls = project.classes.get(entity)
    relation = project.associations.find(cls, name) if cls is not None else None
    target = project.classes.get(relation.target) if relation is not None else None
    return target is not None and any(following in owner.facts.attributes for owner in project.hierarchy.mro(target))


def adds_itself(fn: Fn, insert: Call) -> bool:
    """`session.add(self)` in a method: of an object that is stored already it is an update."""
    return fn.kind == "method" and any(fn.facts.values[object_root(fn, vid)] == ("param", 0) for vid in insert.args)
