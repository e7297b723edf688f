from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    Cls,
    Fn,
    Hit,
    Project,
    Step,
    Write,
    decorator_models,
    object_root,
    only_by_hand,
    receiver,
    snake,
    stored_entity,
)

from .deeds import columns, copies, does_as_much, empties, makes, may_share, only_counts, pairs_set

FREE = ("migration", "command", "task", "middleware", "config", "entry")
"""Layers that may write anything."""
ABOVE = ("controller", "schema")
"""Layers of whose own writes another rule speaks (a layer that is skipped): no service that others should call."""
TESTS = re.compile(r"(^|/)(tests?|testing|testutils|factories|conftest)(/|\.py$|_)")
SEEDS = re.compile(r"(^|[_/])(seed|seeding|populate|bootstrap)(_|\.py$|$)")
"""Functions and files that fill an empty database."""
MAX_STRANGERS = 2
"""Where more packages than this write a table, sharing is the project's practice."""
APPLICATIONS = 3
"""From so many on the folders with models are those by which the project is divided."""
SHARED = (
    "crud",
    "common",
    "core",
    "db",
    "database",
    "utils",
    "base",
    "shared",
    "lib",
    "app",
    "src",
    "helpers",
    "seed",
    "fixtures",
    "bootstrap",
    "setup",
    "install",
)
GENERAL = frozenset({*SHARED, "manager", "access", "data", "store", "session"})
"""Words of files that may write any table: `db_manager`."""
MANY = 3
"""So many classes with a method of one name make it a way to be called, and no operation of its own."""
WHOLE = 3
"""So many tables from which a function deletes make it one that removes a thing with all its parts."""
LAYER_FOLDERS = ("service", "repository", "controller", "model", "client", "schema")


GROWS = ("append", "add", "extend", "remove")
LINKS = re.compile(r"RelatedManager\.(set|add|remove|clear)$")
KIND = re.compile(r"(^|_)(kind|type|category|event)$")
"""Columns that say what a row is."""


def check(project: Project) -> Iterator[Hit]:
    apps = applications(project)
    tables = by_entity(project)
    names = {singular(snake(entity.rpartition(".")[2])) for entity in tables}
    for entity, writes in tables.items():
        units: dict[str, list[Write]] = {}
        for write in writes:
            unit = unit_of(project, write, apps)
            if unit:
                units.setdefault(unit, []).append(write)
        owner = owning_unit(project, entity, owning(project, units), apps) if len(units) > 1 else None
        if owner is None:
            continue
        offers = [write for write in units[owner] if is_offer(project, write)]
        homes = {home(write.fn.path, owner) for write in units[owner]} - {""}
        if entity in project.classes:
            homes |= apps & {application(project.classes[entity])}
        strangers = {
            unit: [write for write in found if not any(write.fn.path.startswith(place) for place in homes)]
            for unit, found in units.items()
            if unit != owner and not any(unit in write.fn.path.split("/")[:-1] for write in units[owner])
            if not beside_owner(project, unit, found, units[owner], names)
        }
        if offers:
            yield from reported(
                project, entity, owner, offers, {unit: found for unit, found in strangers.items() if found}
            )


def beside_owner(project: Project, unit: str, found: list[Write], own: list[Write], names: set[str]) -> bool:
    """`repositories/worker.py` beside `repositories/bookings.py`: repositories in one folder, one of which bears no table's name."""
    layers = {project.layer(write.fn) for write in (*found, *own)}
    folders = {write.fn.path.rpartition("/")[0] for write in (*found, *own)}
    return layers == {"repository"} and len(folders) == 1 and singular(snake(unit)) not in names


def owning(project: Project, units: dict[str, list[Write]]) -> dict[str, list[Write]]:
    """Units that may own a table: not what only brings it in from elsewhere (clients, adapters), while others write it."""
    own = {
        unit: found
        for unit, found in units.items()
        if any(project.layers.of_path(write.fn.path) != "client" for write in found)
    }
    return own or units


def reported(
    project: Project, entity: str, owner: str, offers: list[Write], strangers: dict[str, list[Write]]
) -> Iterator[Hit]:
    """One hit a function: what it does after the first write is part of the same story."""
    name = entity.rpartition(".")[2]
    shared = len(strangers) > MAX_STRANGERS
    offered = [(offer, kinds_made(project, offer.fn, entity)) for offer in offers]
    seen: set[str] = set()
    for unit, found in strangers.items():
        default: list[Hit] = []
        for write in found:
            if write.fn.fqn in seen or is_called_by(project, write.fn, owner) or links(project, write, unit):
                continue
            if relates_only(project, write):
                continue
            theirs = kinds_made(project, write.fn, entity)
            alike = [offer for offer, ours in offered if are_alike(ours, theirs)]
            if not alike:
                continue
            seen.add(write.fn.fqn)
            mine = columns(project, write)
            example = next(
                (
                    offer
                    for offer in alike
                    if does_as_much(project, offer, write) and may_share(mine, columns(project, offer))
                ),
                None,
            )
            aside = shared or project.layer(write.fn) in ABOVE or only_by_hand(project, write.fn) or example is None
            aside = aside or removes_a_whole(project, write) or looks_up(write) or only_counts(write) or copies(write)
            advice = f"Call {owner} instead" if example is not None else f"Offer an operation in {owner} and call that"
            shown = example or alike[0]
            hit = Hit(
                f"`{write.fn.name}()` in {unit} writes `{name}`, which {owner} owns and writes too (`{shown.fn.name}()`): its "
                f"rules are by-passed. {advice}.",
                write.fn.location(write.call.span),
                related=(Step(shown.fn.location(shown.call.span), f"{owner} writes `{name}` here"),),
                function=write.fn.fqn,
                profile="strict" if aside else "default",
            )
            if aside:
                yield hit
            else:
                default.append(hit)
        yield from told_together(default)


def told_together(hits: list[Hit]) -> Iterator[Hit]:
    """The first of what a unit writes of a table, with the number of the other functions."""
    for number, hit in enumerate(hits):
        if number:
            yield replace(hit, profile="strict")
        elif len(hits) > 1:
            others = "another function" if len(hits) == 2 else f"{len(hits) - 1} other functions"
            yield replace(hit, message=f"{hit.message[:-1]}. So it is with {others} there.")
        else:
            yield hit


def removes_a_whole(project: Project, write: Write) -> bool:
    """A row goes with all that belongs to it: a delete beside those of several other tables."""
    gone = {other.entity for other in project.writes.direct(write.fn) if other.op == "delete"}
    return write.op == "delete" and len(gone) >= WHOLE


def links(project: Project, write: Write, unit: str) -> bool:
    """`post.tags.set(tags)`, or `update(Order).values(crate_id=None)` by what keeps crates: what is changed is which rows belong
    together, and that is the writer's own."""
    fn = write.fn
    if any(LINKS.search(model.name) for model in project.models(fn, write.call)):
        return True
    pairs = list(pairs_set(write))
    return empties(write) or (
        bool(pairs) and all(singular(unit) in key and fn.const(vid) is None for key, vid in pairs)
    )


def relates_only(project: Project, write: Write) -> bool:
    """`owner.boats.append(boat); session.add(owner)` of a row that was read: the other table's rows are what is written."""
    fn, call = write.fn, write.call
    roots = {object_root(fn, vid) for vid in call.args[:1]} if fn.callee_name(call) == "add" else set()
    if not roots or any(fn.value(root)[0] != "call" or makes(project, fn, fn.value(root)[1]) for root in roots):
        return False
    lists = [
        fn.unguarded(receiver(fn, item))
        for item in fn.calls
        if fn.callee_name(item) in GROWS and receiver(fn, item) >= 0
    ]
    grown = any(held[0] == "attr" and object_root(fn, held[1]) in roots for held in lists)
    stored = any(store.name and object_root(fn, store.base) in roots for store in fn.facts.stores)
    return grown and not stored


def is_offer(project: Project, write: Write) -> bool:
    """A write of the owner that others can call: not one of its handlers, forms, serializers or receivers of signals and
    events, nothing private, and more than the end of a transaction."""
    fn = write.fn
    if fn.cls is not None and is_one_of_many(project, fn, fn.cls):
        return False
    private = fn.name.startswith(("_", "on_")) or (fn.parent is not None and not fn.parent.is_module and fn.cls is None)
    return (
        project.layer(fn) not in ABOVE
        and not is_hook(project, fn)
        and not private
        and fn.callee_name(write.call) != "commit"
    )


def is_one_of_many(project: Project, fn: Fn, cls: Cls) -> bool:
    """`invoke()` of one of several actions: whoever runs actions calls it, with what all of them take."""
    bases = [item for item in project.hierarchy.mro(cls) if item is not cls and fn.name in item.methods]
    return any(sum(fn.name in item.methods for item in project.subclasses(base)) >= MANY for base in bases)


def looks_up(write: Write) -> bool:
    """`Provider.objects.get_or_create(name="harbour")`: which row is meant is all that it says."""
    fn, call = write.fn, write.call
    told = [fn.const(vid) for _, vid in call.kwargs]
    return write.op == "get_or_create" and not call.args and bool(told) and all(item is not ... for item in told)


def are_alike(ours: dict[str, set[object]], theirs: dict[str, set[object]]) -> bool:
    """Whether rows that two functions make are not told apart by constants: `Task(kind="export")`, `Task(kind="upload")`."""
    return not any(ours[key].isdisjoint(theirs[key]) for key in ours.keys() & theirs.keys())


def kinds_made(project: Project, fn: Fn, entity: str) -> dict[str, set[object]]:
    """The constants in columns that say what the rows are that a function makes."""
    makes = [write.call for write in project.writes.direct(fn) if write.creates and write.entity == entity]
    makes += [call for call in fn.calls if any(ref[:2] == ("class", entity) for ref in project.callees(fn, call))]
    found: dict[str, set[object]] = {}
    for call in makes:
        for key, vid in call.kwargs:
            if KIND.search(key) and fn.const(vid) is not ...:
                found.setdefault(key, set()).add(fn.const(vid))
    return found


def is_called_by(project: Project, fn: Fn, owner: str) -> bool:
    """The owner itself has it written: a call back would go in a circle."""
    return any(home(edge.caller.path, owner) for edge in project.graph.callers(fn))


def is_hook(project: Project, fn: Fn) -> bool:
    """A signal's receiver and the like: the framework calls it."""
    return any(model.hook for model in decorator_models(project, fn))


def home(path: str, owner: str) -> str:
    """The folder that bears the owner's name, or its first words (`order` of `order_item`), above the file; "" without one."""
    folders = path.split("/")[:-1]
    names = (number for number, name in enumerate(folders) if name == owner or begins(owner, name))
    return "/".join((*folders[: next(names, -1) + 1], ""))


def begins(owner: str, folder: str) -> bool:
    return owner.startswith(f"{folder}_") and folder not in SHARED and folder != "api"


def by_entity(project: Project) -> dict[str, list[Write]]:
    """Writes by entity; a table's SQL name counts as the model of that name."""
    names: dict[str, str] = {}
    for fqn, cls in project.classes.items():
        if stored_entity(project, cls):
            name = table_name(cls)
            names[name] = fqn
            names.setdefault(f"{package(cls)}_{cls.name.lower()}", fqn)
    found: dict[str, list[Write]] = {}
    for write in project.writes.all():
        layer = project.layer(write.fn)
        if not write.entity or layer in FREE or layer == "model" or write.fn.is_module or TESTS.search(write.fn.path):
            continue
        if SEEDS.search(write.fn.name) or SEEDS.search(write.fn.path):
            continue
        entity = write.entity if write.entity in project.classes else names.get(write.entity.lower(), write.entity)
        found.setdefault(entity, []).append(write)
    return found


def package(cls: Cls) -> str:
    """The folder that defines the class, which Django puts before the table's name."""
    folders = [part for part in cls.path.split("/")[:-1] if part != "models"]
    return folders[-1] if folders else ""


def applications(project: Project) -> frozenset[str]:
    """The folders of Django's applications, where there are several: within its own everybody may write a table. What
    lies in another is part of that, unless the other holds all of them."""
    found = {
        application(cls)
        for cls in project.classes.values()
        if stored_entity(project, cls) and project.hierarchy.is_a(cls, "django.db.models.Model")
    } - {""}
    holds = {one: sum(other != one and other.startswith(one) for other in found) for one in found}
    roots = {one for one, number in holds.items() if number < APPLICATIONS}
    inner = {one for one in roots for other in roots if one != other and one.startswith(other)}
    return frozenset(roots - inner) if len(found) >= APPLICATIONS else frozenset()


def application(cls: Cls) -> str:
    """The folder whose `models` define the class: a Django application; "" at the top."""
    folders = re.split(r"(?:^|/)models(?:/|\.py$)", cls.path)
    return f"{folders[0]}/" if len(folders) > 1 and folders[0] else ""


def table_name(cls: Cls) -> str:
    for attribute in ("__tablename__", "db_table", "table_name"):
        vid = cls.facts.attributes.get(attribute, -1)
        value = cls.owner.facts.values[vid] if vid >= 0 else ("",)
        if value[0] == "const" and isinstance(value[1], str):
            return value[1].lower()
    return snake(cls.name)


def unit_of(project: Project, write: Write, apps: frozenset[str]) -> str:
    """What owns code: the module inside a layer's folder, else the application or package; "" for shared code and
    handlers."""
    parts = write.fn.path.rpartition(".")[0].split("/")
    within = next((place for place in apps if write.fn.path.startswith(place)), "")
    if within:
        return within.rstrip("/").rpartition("/")[2]
    for position in range(len(parts) - 2, -1, -1):
        layer = project.layers.of_path(f"{parts[position]}/x.py")
        if layer == "controller":
            return ""
        if layer == "schema" and position:
            return parts[position - 1]
        if layer in LAYER_FOLDERS:
            inner = [part for part in parts[position + 1 :] if part != "__init__"] or [""]
            above = parts[position - 1] if position > 1 else ""
            stem = re.sub(
                r"_?(service|repository|repo|crud|controller|views?|handlers?|dao|api)s?$|^(service|repo|crud)s?_",
                "",
                inner[0],
            )
            return "" if GENERAL.issuperset(stem.split("_")) and stem else stem or above or inner[0]
    package = parts[-1] == "__init__" and len(parts) > 1
    parts = parts[:-1] if package else parts
    if parts[-1] in SHARED or (len(parts) > 1 and parts[-2] in SHARED):
        return ""
    if package or len(parts) > 1:
        return parts[-1 if package else -2]
    return re.sub(r"_?(service|repository|repo|crud)s?$", "", parts[-1])


def owning_unit(project: Project, entity: str, units: dict[str, list[Write]], apps: frozenset[str]) -> str | None:
    """The unit with the entity's name, else the package that defines the model; it must write the entity itself."""
    name = snake(entity.rpartition(".")[2])
    cls = project.classes.get(entity)
    defined = application(cls).rstrip("/").rpartition("/")[2] if cls is not None and apps else ""
    for unit in units:
        if singular(snake(unit)) == singular(name):
            return unit if defined in ("", unit) else None  # called so, and defined by another application
    if cls is not None:
        parts = cls.path.rpartition(".")[0].split("/")
        for part in reversed(parts):
            own = home(cls.path, part)
            if part in units and part not in ("models", "app", "src") and set_apart(own, part, units):
                return part
    candidates = [
        unit
        for unit in units
        if len(unit) > 3 and singular(snake(unit)) in (name.split("_")[0], singular(name.split("_")[0]))
    ]
    if len(candidates) == 1 and defined in ("", candidates[0]):
        return candidates[0]
    return _only_keeper(project, units) if cls is None else None


def _only_keeper(project: Project, units: dict[str, list[Write]]) -> str | None:
    """The one unit that makes the rows of a table which no model describes, where its repository does all of its writing and
    most of everybody's."""
    makers = [unit for unit, found in units.items() if any(write.creates for write in found)]
    if len(makers) != 1:
        return None
    own = units[makers[0]]
    others = sum(len(found) for unit, found in units.items() if unit != makers[0])
    kept = all(project.layer(write.fn) == "repository" for write in own)
    return makers[0] if kept and len(own) > 2 * others else None


def set_apart(folder: str, unit: str, units: dict[str, list[Write]]) -> bool:
    """Whether a folder (or, without one, a file) is the unit's own: others that write do not lie in it."""
    return not folder or not any(
        write.fn.path.startswith(folder) for other, found in units.items() if other != unit for write in found
    )


def singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
