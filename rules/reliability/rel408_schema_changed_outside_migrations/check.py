"""REL408: create_all() and DDL in application code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Call, Fn, Hit, Project, ingredients, only_by_hand

_DDL = re.compile(
    r"^\s*(?:CREATE\s+(?:UNLOGGED\s+)?TABLE|ALTER\s+TABLE|DROP\s+TABLE|CREATE\s+(?:UNIQUE\s+)?INDEX)\b", re.IGNORECASE
)
_TEMPORARY = re.compile(r"\b(?:TEMP|TEMPORARY)\b|\btmp_|\btemp_|_tmp\b|_temp\b", re.IGNORECASE)
_PARTITION = re.compile(
    r"\bPARTITION\s+OF\b|\b(?:ATTACH|DETACH|DROP|REPLACE|MOVE|TRUNCATE|EXCHANGE|FREEZE|FETCH)\s+PARTITIONS?\b",
    re.IGNORECASE,
)
"""Upkeep of a partitioned table goes on for as long as time does: no migration can know the next month."""
_MUTATION = re.compile(r"^\s*ALTER\s+TABLE\s+\S+\s+(?:DELETE\s+WHERE|UPDATE)\b", re.IGNORECASE)
"""How ClickHouse deletes and changes rows."""
_TOGGLE = re.compile(
    r"^\s*ALTER\s+TABLE\s+(?:ONLY\s+)?\S+\s+(?:ENABLE|DISABLE)(?:\s+(?:ALWAYS|REPLICA))?\s+TRIGGER\b", re.IGNORECASE
)
"""Triggers that a load switches off and on again are no other schema."""
_ANY_TABLE = re.compile(
    r"(?:TABLE(?:\s+IF\s+(?:NOT\s+)?EXISTS)?|\sON)\s+(?:ONLY\s+)?(?:%s|%\(|\"?(?:hole_\d+_|\{))", re.IGNORECASE
)
_YEARLY = re.compile(r"^\s*(?:ALTER|DROP)\s+TABLE\s+(?:IF\s+EXISTS\s+)?[\w.\"]*hole_\d+_", re.IGNORECASE)
"""`DROP TABLE sales_{year}`, which is filled anew aside and swapped in."""
"""A table whose name is worked out: as users make tables of their own, there is no migration that could know it."""
_TABLE = re.compile(
    r"^\s*(CREATE|ALTER|DROP)\s+(?:UNLOGGED\s+)?TABLE\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:ONLY\s+)?([\w.\"`]+)",
    re.IGNORECASE,
)
_SHORT = re.compile(
    r"^\s*CREATE\s+(?:(?:GLOBAL|LOCAL)\s+)?TEMP(?:ORARY)?\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w.\"`]+)", re.IGNORECASE
)
_MIGRATES = re.compile(r"(?:^|_)migrat(?:e|es|ion|ions)(?:_|$)", re.IGNORECASE)
"""`migrate_7()`: a migration of the project's own making."""
_LIGHT = "sqlite"
_HARM = {
    "create_all": "a table that it makes has no revision, so the next migration finds it there and fails, and its later changes "
    "never reach production",
    "drop_all": "the tables go and their revisions stay marked as done, so the next migration finds nothing to change and fails",
}
_MAKERS = frozenset(_HARM)
_RUN = "run_sync"
_EXEMPT = re.compile(
    r"(?:^|/)(?:tests?|conftest\.py|testing|fixtures|scripts?|bin|tools|management|benchmarks?|examples?|cli|commands|alembic|migrations?|seeds?)(?:/|$|\.py$)"
)


def check(project: Project) -> Iterator[Hit]:
    """Only where the project has migrations is a schema change beside them a deviation; without them it is advice."""
    migrated = bool(project.data.migrations)
    versioned = bool(project.data.alembic or project.data.sql_migrations)  # Django's make no table of SQLAlchemy's
    inside = project.data.migration_paths
    for fn, call in project.graph.calls_written(*_MAKERS, _RUN):
        if fn.path in inside or _EXEMPT.search(fn.path) or fn.path.endswith("env.py") or project.layer(fn) == "command":
            continue
        yield from _created(project, fn, call, versioned)
    if migrated:
        yield from _executed(project, inside)


def _created(project: Project, fn: Fn, call: Call, migrated: bool) -> Iterator[Hit]:
    func = _made_by(fn, call)
    name = _maker(fn, func) if func >= 0 else ""
    if name not in _MAKERS or not _of_metadata(project, fn, func) or _stamped(project, fn):
        return
    if project.data.beside_migrations(_base(project, fn, func)):
        return  # of a database that has no migrations
    place = fn.location(call.span)
    if name == "drop_all" and (only_by_hand(project, fn) or _as_found(fn)):
        return  # an operator empties a database, and says so; or all that is found goes, the revisions too
    if migrated:
        aside = _switched(project, fn, call) or _unused(project, fn) or _of_light_database(fn, call)
        yield Hit(
            f"`{name}()` in `{fn.name}()` changes the schema beside the migrations: {_HARM[name]}; let migrations alone change the "
            "schema.",
            place,
            function=fn.fqn,
            profile="strict" if aside else None,
        )
    elif not fn.is_module or name == "create_all":
        yield Hit(
            f"`{name}()` in `{fn.name}()` makes missing tables but never changes those that exist, and "
            "nothing records what was done; "
            "use migrations (Alembic), so that each change of the schema can be reviewed, rolled out and taken back.",
            place,
            function=fn.fqn,
            profile="strict",
            confidence="medium",
        )


def _as_found(fn: Fn) -> bool:
    """`metadata.reflect(engine)`, then `metadata.drop_all(engine)`."""
    return any(fn.callee_name(call) == "reflect" for call in fn.calls)


def _of_light_database(fn: Fn, call: Call) -> bool:
    """`if engine.dialect.name == "sqlite":`, the database of a developer, while others are migrated."""
    return any(
        outcome and vid >= 0 and any(fn.const(part) == _LIGHT for part in ingredients(fn.facts, (vid,)))
        for vid, outcome in fn.tests_of(call.block)
    )


def _unused(project: Project, fn: Fn) -> bool:
    """A method that nothing of the project calls: one of what a class offers."""
    if fn.cls is None or fn.decorators or any(project.graph.callers(fn)):
        return False
    return all(project.targets(other, call) for other, call in project.graph.calls_written(fn.name))


def _switched(project: Project, fn: Fn, call: Call) -> bool:
    """Whether a variable of the environment must ask for it (`if os.getenv("CREATE_TABLES") == "1":`)."""
    tests = [item.value for _, item in fn.blocks_of(call.block) if item.kind == "if" and item.value >= 0]
    asked = {fn.facts.values[vid][1] for vid in ingredients(fn.facts, tests) if fn.facts.values[vid][0] == "call"}
    return any(model.env is not None for number in asked for model in project.models(fn, fn.calls[number]))


def _stamped(project: Project, fn: Fn) -> bool:
    """True where the function, or one that it calls, then marks the new schema with the latest revision (`command.stamp`)."""
    nearby = [fn, *(target for call in fn.calls for target in project.targets(fn, call))]
    return any(_maker(item, call.func) == "stamp" for item in nearby for call in item.calls)


def _made_by(fn: Fn, call: Call) -> int:
    """What is called, or passed on to be called: `await connection.run_sync(Base.metadata.create_all)`."""
    return call.args[0] if call.args and _maker(fn, call.func) == _RUN else call.func


def _maker(fn: Fn, func: int) -> str:
    value = fn.value(func)
    if value[0] == "attr":
        return str(value[2])
    if value[0] == "name":
        return str(value[1]).rpartition(".")[2]
    return ""


def _of_metadata(project: Project, fn: Fn, func: int) -> bool:
    """True for `metadata.create_all` and `db.create_all`."""
    value = fn.value(func)
    if value[0] == "name":
        owner = str(value[1]).split(".")[-2:-1]
        return bool(owner) and owner[0] in {"metadata", "db", "Base", "metadata_obj", "meta", "database"}
    base = fn.value(value[1])
    last = str(base[2]) if base[0] == "attr" else str(base[1]).rpartition(".")[2] if base[0] == "name" else ""
    if last in {"metadata", "db", "metadata_obj", "meta"}:
        return True
    return project.is_instance(fn, value[1], "sqlalchemy.MetaData", "flask_sqlalchemy.SQLAlchemy")


def _base(project: Project, fn: Fn, func: int) -> str:
    """The class whose metadata it is: `Base` of `Base.metadata.create_all`."""
    head, _, last = fn.dotted(func).rpartition(".")[0].rpartition(".")
    refs = project.resolver.dotted(head, fn.file.module) if last == "metadata" else ()
    return next((ref.name for ref in refs if ref.kind == "class"), "")


def _done_to(text: str) -> tuple[str, str]:
    """What is done (CREATE, ALTER, DROP) to which table; empty for what is done to none."""
    match = _TABLE.match(text)
    return (match[1].upper(), match[2]) if match is not None else ("", "")


def _passing(text: str) -> str:
    """The table that a text makes for its connection alone; "" where it makes none."""
    match = _SHORT.match(text)
    return match[1] if match is not None else ""


def _of_another_database(project: Project, name: str) -> bool:
    """`ALTER TABLE logs ...`, where the model of that table is of another database than the one that is migrated."""
    table = project.data.sqlalchemy.find(name) if name else None
    return table is not None and project.data.beside_migrations(table.owner)


def _scratch(project: Project) -> set[tuple[str, str]]:
    """Tables, with the file, that functions of one file make and others of it drop: they are there for a while only. One that a
    function drops to make it anew stays."""
    made: dict[tuple[str, str], set[Fn]] = {}
    gone: dict[tuple[str, str], set[Fn]] = {}
    for text in project.data.texts:
        done, table = _done_to(text.text)
        found = {"CREATE": made, "DROP": gone}.get(done)
        if found is None or text.fn is None or project.data.models.find(table) or project.data.migrated.find(table):
            continue
        found.setdefault((text.fn.path, table), set()).add(text.fn)
    return {key for key, functions in made.items() if key in gone and functions.isdisjoint(gone[key])}


def _executed(project: Project, inside: frozenset[str]) -> Iterator[Hit]:
    scratch = _scratch(project)
    for text in project.data.texts:
        fn = text.fn
        if fn is None or not text.certain or fn.path in inside or text.path in inside or _EXEMPT.search(fn.path):
            continue
        match = _DDL.match(text.text)
        if project.data.dialect and text.dialect not in {"", project.data.dialect}:
            continue  # another database than the one that is migrated
        done, table = _done_to(text.text)
        if (
            match is None
            or _of_another_database(project, table)
            or _TEMPORARY.search(text.text[:120])
            or project.layer(fn) == "command"
        ):
            continue
        if any(item.search(text.text) for item in (_PARTITION, _MUTATION, _TOGGLE)) or only_by_hand(project, fn):
            continue
        verb = " ".join(match.group().upper().split())
        start = len(match.group()) - len(match.group().lstrip())
        if done != "ALTER" and (fn.path, table) in scratch:
            continue
        if any(other.fn is fn and _passing(other.text) == table != "" for other in project.data.texts):
            continue
        unknown = _ANY_TABLE.search(text.text) or _YEARLY.search(text.text)
        aside = unknown is not None or _MIGRATES.search(fn.name) is not None
        yield Hit(
            f"`{verb}` in `{fn.name}()` changes the schema beside the migrations: nothing records it, it "
            "runs whenever this code runs, and "
            "databases drift apart; write it as a migration.",
            text.location(start, match.end()),
            function=fn.fqn,
            profile="strict" if aside else None,
        )
