"""REL309: numbered columns, lists in a text, references without a foreign key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from backendlint.api import (
    Call,
    Column,
    Fn,
    Hit,
    Location,
    Project,
    Step,
    Table,
    called_name,
    for_development,
    identifier_words,
    ingredients,
    sqltypes,
    told_once,
)

_ADDRESS = frozenset(["address", "addr", "adres", "adresse", "direccion", "endereco", "indirizzo"])
"""What is written to lines that a form numbers: `postal_address_abroad_1`."""
_NUMBERED = re.compile(r"^([a-z][a-z_]*?)_?([1-9])(_[a-z]+)?$", re.IGNORECASE)
_NOT_REPEATED = frozenset(
    "address address_line line street addr md sha ipv utf iso h level tier part token param arg lat lon x y".split()
)
_ADDRESSES = re.compile(r"emails$|(^|_)b?cc$|(^|_)(backup|recovery|scratch)_codes$", re.IGNORECASE)
"""Lists of what is no row of another table."""
_SEPARATED = re.compile(
    r"\b(?:(?:comma|semicolon|pipe)[- ]?(?:separated|delimited)|(?:separated|delimited) (?:by|with) (?:a )?(?:comma|semicolon|pipe)s?)\b",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+[\"`]?(?:\w+[\"`]?\.[\"`]?)?(\w+)", re.IGNORECASE)
_LIST = re.compile(r"(?:^|_)(?:ids|[a-z]+s_csv|id_list|codes|emails)$", re.IGNORECASE)
"""Of one thing, `report_csv` is a document."""
_KEPT = frozenset(
    "log logs auditlog auditlogs audit audits history archive archives event events snapshot snapshots journal trail catalog".split()
)
"""Tables of what has been keep ids of rows that may be gone."""
_LATER = ("history", "archive", "archived", "old", "past")
"""Words of tables into which rows are moved."""
_FOREIGN = re.compile(r"\b(fks?|foreign[ -]?keys?|referential)\b", re.IGNORECASE)
_DOCSTRING = re.compile(r'class [^\n]*:\n\s*"""(.*?)"""', re.DOTALL)
_GONE = re.compile(r"\b(deleted|removed|outlives?|snapshots?|the state of|no longer|orphan(ed|s)?)\b", re.IGNORECASE)
_FROZEN = re.compile(r"(^|/)versions/[^/]*_v?\d[^/]*\.py$|(^|/)v\d+(_\d+)*/schema\.py$")
"""Models of a schema as it was in some version: nobody changes those any more."""
_CONFIG = re.compile(r"(config|configuration|settings?|preferences|options)s?$", re.IGNORECASE)
"""Tables of what somebody has typed in, perhaps in a single row."""
_SEPARATORS = frozenset({",", ";", "|", ", "})
_FIGURES = ("integer", "decimal", "float")
FEWEST = 3
"""Numbered columns that make a repeated group; two may be a pair with a meaning."""


def check(project: Project) -> Iterator[Hit]:
    """All tables that models or DDL define. Where a project goes without foreign keys, that is told once."""
    data = project.data
    unreferenced: list[Hit] = []
    told_by_migrations = not data.models.tables
    own = _own(project)
    told: dict[str, list[str]] = {}
    routed = _routed(project)
    for table in data.schema.tables.values():
        known = table.location is not None and (
            told_by_migrations or table.location.path not in data.migration_paths or table.source == "ddl"
        )
        frozen = table.owner and table.location is not None and _FROZEN.search(table.location.path)
        if table.kind == "table" and table.managed and known and own(table) and not frozen:
            yield from _repeated(table)
            for column in table.columns.values():
                yield from _listed(table, column, _declared(project, column, told))
                unreferenced += _unreferenced(project, table, column, routed)
    yield from (hit for hit in unreferenced if hit.profile is not None)
    yield from told_once((hit for hit in unreferenced if hit.profile is None), _all_over, severity=None)
    yield from _split(project)


def _all_over(hit: Hit, others: str) -> str:
    return f"{hit.message} So it is with columns in {others}."


def _own(project: Project) -> Callable[[Table], bool]:
    """Whether a table is the project's: not one of a dump that lies beside the models and that no code asks, as of another
    service that the developers' machines run, or of the server's own tables."""
    data = project.data
    asked = {
        name.lower() for text in data.texts if text.fn is not None and text.call for name in _NAMED.findall(text.text)
    }
    elsewhere = bool(data.models.tables or asked)

    def own(table: Table) -> bool:
        if table.source != "ddl" or table.location is None or not elsewhere:
            return True
        if table.name.lower().rpartition(".")[2] in asked or data.models.find(table.name) is not None:
            return True
        return table.location.path in data.migration_paths and not data.models.tables

    return own


def _repeated(table: Table) -> Iterator[Hit]:
    groups: dict[tuple[str, str], list[Column]] = {}
    for column in table.columns.values():
        match = _NUMBERED.match(column.name)
        words = match.group(1).lower().split("_") if match else []
        if match and not (_NOT_REPEATED & {match.group(1).lower(), words[-1]} or _ADDRESS & {*words}):
            groups.setdefault((match.group(1), match.group(3) or ""), []).append(column)
    for columns in groups.values():
        if len(columns) < FEWEST or len({sqltypes.base(column.type) for column in columns}) > 1:
            continue
        names = ", ".join(f"`{column.name}`" for column in columns[:4])
        yield Hit(
            f"`{table.name}` repeats {names}: one more needs a migration, and a query must look into each; "
            "put them into rows of a table of their own "
            f"that refers to `{table.name}`.",
            _place(table, columns[0]),
            profile="strict" if _figures(table, columns) or _for_trial(table) else None,
        )


def _for_trial(table: Table) -> bool:
    """Made where one develops or tests: `fixtures.py`."""
    return table.location is not None and for_development(table.location.path)


def _figures(table: Table, columns: list[Column]) -> bool:
    """Numbers that refer to nothing: `ranked_1` may count how often something came first, which is no list."""
    keys = {name for key in table.foreign_keys for name in key.columns}
    return all(
        sqltypes.family(column.type) in _FIGURES and column.name not in keys and not column.name.endswith("_id")
        for column in columns
    )


def _listed(table: Table, column: Column, declared: str) -> Iterator[Hit]:
    if sqltypes.family(column.type) != "text":
        return
    if _LIST.search(column.name):
        yield Hit(
            f"`{table.name}.{column.name}` keeps a list in a text: the database cannot check that what it "
            "names exists, nor find a row by it; use a table "
            "that links the two (or an array column).",
            _place(table, column),
            profile="strict" if _ADDRESSES.search(column.name) or _CONFIG.search(table.name) else None,
        )
    elif _SEPARATED.search(declared):
        things = column.name.endswith("s") and not _ADDRESSES.search(column.name) and not _CONFIG.search(table.name)
        yield Hit(
            f"`{table.name}.{column.name}` keeps a list in a text, as its declaration says: the database cannot check, join or find "
            "its parts; use a table of its own (or an array column).",
            _place(table, column),
            profile=None if things else "strict",
        )


def _declared(project: Project, column: Column, told: dict[str, list[str]]) -> str:
    """The source of the column's declaration: `doc="comma separated list of ..."`; `told` keeps the files that speak of such."""
    place = column.location
    if place is None:
        return ""
    if place.path not in told:
        text = project.sources(place.path)
        told[place.path] = text.splitlines() if _SEPARATED.search(text) else []
    return "\n".join(told[place.path][place.line - 1 : place.end_line])


def _split(project: Project) -> Iterator[Hit]:
    """Text columns that code takes apart at commas: `member.tags.split(",")`."""
    owners = {table.owner: table for table in project.data.models.tables.values() if table.owner}
    told: set[tuple[str, str]] = set()
    for fn in project.all_functions():
        for call in fn.calls:
            func = fn.value(call.func)
            if func[0] != "attr" or func[2] != "split" or not call.args or fn.const(call.args[0]) not in _SEPARATORS:
                continue
            for table, column in _column_read(project, fn, func[1], owners):
                if (table.name, column.name) not in told and not _LIST.search(column.name):
                    told.add((table.name, column.name))
                    yield Hit(
                        f"`{table.name}.{column.name}` keeps a list in a text, which `{fn.name}()` takes apart: the database "
                        "cannot check, join or find its parts; use a table of its own (or an array column).",
                        _place(table, column),
                        (Step(fn.location(call.span), "taken apart here"),),
                        profile=None if column.name.endswith("s") and _looked_up(fn, call) else "strict",
                        confidence="medium",
                    )


def _looked_up(fn: Fn, split: Call) -> bool:
    """Whether the parts do the database's work: a query asks for what they name, or the row is asked whether it has a part."""
    for call in fn.calls:
        sought = [vid for key, vid in call.kwargs if key == "in" or key.endswith("__in")]
        sought += call.args if called_name(fn.file, fn.facts, call).rpartition(".")[2] == "in_" else ()
        if split.value in ingredients(fn.facts, sought):
            return True
    return any(
        value[0] == "compare"
        and tuple(value[1]) in (("in",), ("not in",))
        and split.value in ingredients(fn.facts, value[2][1:])
        for value in fn.facts.values
    )


def _column_read(project: Project, fn: Fn, vid: int, owners: dict[str, Table]) -> Iterator[tuple[Table, Column]]:
    """The text columns of models that a value may be read from."""
    value = fn.value(vid)
    if value[0] != "attr":
        return
    for ref in project.refs(fn, value[1]):
        table = owners.get(ref.name) if ref.kind == "inst" else None
        for column in table.columns.values() if table is not None else ():
            if (column.attribute or column.name) == value[2] and sqltypes.family(column.type) == "text":
                assert table is not None
                yield table, column


def _unreferenced(project: Project, table: Table, column: Column, routed: frozenset[str]) -> Iterator[Hit]:
    stem = column.name.lower().removesuffix("_id")
    if stem == column.name.lower() or not stem or column.primary_key or table.source == "django-migrations":
        return
    if _constrained(project, table, column) or _is_copy(project, table, column):
        return
    if any(name.lower() in {f"{stem}_type", f"{stem}_kind", f"{stem}_model"} for name in table.columns):
        return
    target = _target(project, table, stem)
    if target is None or len(target.primary_key) != 1 or _apart(project, table, target, routed):
        return
    key = target.columns.get(target.primary_key[0])
    if key is None or sqltypes.family(key.type) != sqltypes.family(column.type) or target.source != table.source:
        return
    words = {*identifier_words(table.name), *identifier_words(table.owner.rpartition(".")[2])}
    advice = bool(words & _KEPT) or (column.nullable and table.source != "ddl") or _explained(project, column)
    advice = advice or _outlives(project, table) or _moves_on(project, target)
    yield Hit(
        f"`{table.name}.{column.name}` refers to `{target.name}` without a foreign key: rows can name one "
        "that was deleted or never existed; add "
        f"`REFERENCES {target.name} ({key.name})`, with an index.",
        _place(table, column),
        profile="strict" if advice else None,
    )


def _routed(project: Project) -> frozenset[str]:
    """The mapped classes by which sessions choose among databases: in `get_bind()`, and as keys of `binds`."""
    found: set[str] = set()
    for cls in project.classes.values():
        if "get_bind" in cls.methods:
            fn = cls.methods["get_bind"]
            found |= {ref.name for vid in fn.made_by("name") for ref in project.refs(fn, vid) if ref.kind == "class"}
    for fn, call in project.graph.calls_with("binds"):
        value = fn.value(call.kwarg("binds"))
        keys = [key for key, _ in value[1]] if value[0] == "dict" else []
        found |= {ref.name for key in keys if key >= 0 for ref in project.refs(fn, key) if ref.kind == "class"}
    return frozenset(found)


def _apart(project: Project, table: Table, target: Table, routed: frozenset[str]) -> bool:
    """Whether the two lie in databases of their own, as the sessions say, or Flask-SQLAlchemy's `__bind_key__`: no key leads there."""
    one, other = project.classes.get(table.owner), project.classes.get(target.owner)
    if one is None or other is None:
        return False
    lines = [project.hierarchy.mro(cls) for cls in (one, other)]
    mine, others = ({cls.fqn for cls in line} for line in lines)
    keys = [
        next((cls.owner.const(vid) for cls in line if (vid := cls.facts.attributes.get("__bind_key__", -1)) >= 0), "")
        for line in lines
    ]
    return keys[0] != keys[1] or any((name in mine) != (name in others) for name in routed)


def _moves_on(project: Project, target: Table) -> bool:
    """Whether old rows of the table are deleted, and another one keeps them (`parcels_history`): the id outlives its row."""
    singular = target.name.removesuffix("s")
    kept = [f"{name}_{word}" for name in (target.name, singular) for word in _LATER]
    kept += [f"{word}_{target.name}" for word in _LATER]
    if not any(project.data.schema.find(name) for name in kept):
        return False
    names = {target.name, target.owner} - {""}
    return any(write.op == "delete" and write.entity in names for write in project.writes.all())


def _constrained(project: Project, table: Table, column: Column) -> bool:
    """By the model or the DDL, or by what the migrations made of it (the model's base may come from a library)."""
    made = project.data.migrated.find(table.name)
    keys = [*table.foreign_keys, *(made.foreign_keys if made is not None else ())]
    return any(column.name in key.columns for key in keys)


def _explained(project: Project, column: Column) -> bool:
    """A comment above the column, or on its line, that speaks of foreign keys: somebody has thought of it."""
    if column.location is None:
        return False
    lines = project.sources(column.location.path).splitlines()[: column.location.line]
    said = [re.split(r"#|--", lines.pop(), maxsplit=1)[1:2]] if lines else []
    while lines and lines[-1].lstrip().startswith(("#", "--")):
        said.append([lines.pop()])
    return any(_FOREIGN.search(text) for texts in said for text in texts)


def _outlives(project: Project, table: Table) -> bool:
    """Whether the model's docstring says that its rows tell of others which may be gone: `the state of an order as it was`."""
    if table.location is None or not table.owner:
        return False
    text = "\n".join(project.sources(table.location.path).splitlines()[table.location.line - 1 :])
    said = _DOCSTRING.match(text)
    return said is not None and _GONE.search(said.group(1)) is not None


def _target(project: Project, table: Table, stem: str) -> Table | None:
    """The one table that `<stem>_id` names: in Django one of the same app, and `parent_id` the table itself; else also one with
    the same first word (`pier_id` of `port_calls` names `port_piers`), or to which other tables' columns of that name refer."""
    if stem == "parent":
        return table
    app = project.data.app_of(table) if table.source == "django" else ""
    names = [stem, f"{stem}s", f"{stem}es", f"{stem.removesuffix('y')}ies", f"{stem}_table"]
    for before in (f"{app}_",) if app else ("", f"{table.name.lower().partition('_')[0]}_"):
        found = {}
        for target in (project.data.schema.find(before + name) for name in names):
            if target is table:
                return None  # `user_id` of a user is what another system calls it
            if target is not None and target.kind == "table" and _reached(project, table, target):
                found[id(target)] = target
        if found:
            return next(iter(found.values())) if len(found) == 1 else None
    return _said_by_others(project, table, f"{stem}_id")


def _reached(project: Project, table: Table, target: Table) -> bool:
    """Whether a foreign key may lead there: both lie in one schema of the database, or the other in the default one; a name of
    three parts (`training.public.feedback`) is of another database, and so is what the SQL migrations of another folder make."""
    made = [item.location.path for item in (table, target) if item.source == "ddl" and item.location is not None]
    folders = {path.rpartition("/")[0] for path in made if path in project.data.migration_paths}
    if len(folders) > 1:
        return False
    usual = project.data.schema.tables.get(target.name) is target
    return target.namespace == table.namespace or (usual and "." not in table.namespace)


def _said_by_others(project: Project, table: Table, name: str) -> Table | None:
    """The one table to which the columns of that name in other tables refer."""
    others = (other for other in project.data.schema.tables.values() if other.name != table.name)
    targets = {key.target for other in others for key in other.foreign_keys if key.columns == (name,)}
    target = project.data.schema.find(targets.pop()) if len(targets) == 1 else None
    return target if target is not None and _reached(project, table, target) else None


def _is_copy(project: Project, table: Table, column: Column) -> bool:
    """True for a column that repeats a foreign key of a row to which the table refers."""
    others = (project.data.schema.find(key.target) for key in table.foreign_keys)
    return any(other is not None and any(column.name in key.columns for key in other.foreign_keys) for other in others)


def _place(table: Table, column: Column) -> Location:
    place = column.location or table.location
    assert place is not None
    return place
