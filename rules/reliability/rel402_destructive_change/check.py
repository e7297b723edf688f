"""REL402: dropped tables and columns, TRUNCATE, DELETE of everything, in a migration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Fn, Hit, Moment, Project, ops, users_of

_BOOKS = re.compile(r"(^|_)migrations$|^alembic_version$|^(schema_version|\w*schema_history)$", re.IGNORECASE)
"""Tables in which migration tools note what has run."""
_INSERTS = re.compile(r"\bINSERT\s+(?:OR\s+\w+\s+)?INTO\b", re.IGNORECASE)
_PASSING = re.compile(
    r"(^|[_.])(sessions?|(refresh|access|auth|csrf|login)_?tokens?|nonces?|otps?|captchas?|locks?|caches?|cache_entries)$",
    re.IGNORECASE,
)
"""Tables of what is made anew by itself: who is signed in signs in again."""
SHORTLY = 3
"""So many migrations before a drop are asked whether they moved what it drops."""


def check(project: Project) -> Iterator[Hit]:
    """What the migrations do; of what they do again and again the newest."""
    yield from project.data.by_habit(_judged(project))


def _judged(project: Project) -> Iterator[Hit]:
    """What loses data of tables that existed before the migration, unless it was copied or is only being rebuilt."""
    released, computed = _forgotten(project), set(_computed(project))
    for moment in project.data.moments():
        operation = moment.operation
        if isinstance(operation, ops.DropTable) and operation.kind == "table" and _real(moment, operation.table):
            if _goes_with_owner(moment, operation) or _is_view(moment, operation):
                continue
            hit = _dropped_table(project, moment, operation)
            late = _second_step(released, moment, operation.table) or moment.migration.after_deploy
            yield replace(hit, profile="strict") if late else hit
        elif isinstance(operation, ops.DropColumn) and _real(moment, operation.table) and not _fresh(moment, operation):
            if _goes_with_table(moment, operation) or (operation.table, operation.column) in computed:
                continue
            hit = _dropped_column(project, moment, operation)
            late = _second_step(released, moment, operation.table, operation.column) or moment.migration.after_deploy
            yield replace(hit, profile="strict") if late else hit
        elif isinstance(operation, ops.Other) and operation.kind in {"DROP DATABASE", "DROP SCHEMA"}:
            hit = moment.hit(
                f"{operation.kind} destroys everything in it, and a downgrade cannot bring it back; take a "
                "backup, and drop what is in it "
                "table by table, after its last use is gone."
            )
            yield replace(hit, profile="strict") if _set_up(moment, operation) else hit
        elif isinstance(operation, ops.Truncate):
            for table in operation.tables:
                if moment.existing(table) and not _refilled(moment, table):
                    hit = moment.hit(
                        f"`TRUNCATE` empties `{table}` for good, and a downgrade cannot bring the rows "
                        "back; delete just what must go, "
                        "in batches, after a backup."
                    )
                    yield replace(hit, profile="strict") if _PASSING.search(table) else hit
        elif isinstance(operation, ops.DataChange) and operation.everything and _real(moment, operation.table):
            hit = moment.hit(
                f"`DELETE FROM {operation.table}` without WHERE empties the table for good, and a "
                "downgrade cannot bring the rows "
                "back; delete just what must go, in batches, after a backup."
            )
            yield replace(hit, profile="strict") if _PASSING.search(operation.table) else hit


def _set_up(moment: Moment, operation: ops.Other) -> bool:
    """`DROP SCHEMA IF EXISTS staging`, `CREATE SCHEMA staging`: the script sets up what is its own."""
    name = _named(operation)
    made = (item for item in moment.to_come if isinstance(item, ops.Other) and item.kind.startswith("CREATE "))
    return "IF EXISTS" in operation.text.upper() and any(
        item.kind[7:] == operation.kind[5:] and _named(item) == name for item in made
    )


def _named(operation: ops.Other) -> str:
    """`staging` of `DROP SCHEMA IF EXISTS staging CASCADE`."""
    words = [word.strip('"`;').lower() for word in operation.text.split()[2:]]
    return next((word for word in words if word not in ("if", "not", "exists")), "")


def _refilled(moment: Moment, table: str) -> bool:
    """Whether the migration fills the emptied table again from others."""
    changes = (item for item in moment.to_come if isinstance(item, ops.DataChange))
    return any(
        item.kind == "INSERT" and item.table.lower() == table.lower() and "SELECT" in item.text.upper()
        for item in changes
    )


def _forgotten(project: Project) -> dict[tuple[str, str], str]:
    """Tables (column "") and columns that leave Django's state alone, so that code stops using them first, with the migration."""
    found: dict[tuple[str, str], str] = {}
    for migration in project.data.migrations:
        for operation in migration.whole:
            if operation.state_only and isinstance(operation, ops.DropTable | ops.DropColumn):
                column = operation.column if isinstance(operation, ops.DropColumn) else ""
                found.setdefault((operation.table.lower(), column), migration.id)
    return found


def _computed(project: Project) -> Iterator[tuple[str, str]]:
    """Columns that some migration adds as generated ones: the database computes their values anew, for all rows."""
    for migration in project.data.migrations:
        for operation in migration.whole:
            if isinstance(operation, ops.AddColumn) and (operation.column.default or "").startswith("GENERATED ("):
                yield operation.table, operation.column.name


def _second_step(released: dict[tuple[str, str], str], moment: Moment, table: str, column: str = "") -> bool:
    """True where an earlier migration already took it out of the state: the release between the two has gone by."""
    names = {(table.lower(), column), (table.lower(), "")}
    return any(released.get(name, moment.migration.id) != moment.migration.id for name in names)


def _dropped_table(project: Project, moment: Moment, operation: ops.DropTable) -> Hit:
    table = operation.table
    bare = table.rpartition(".")[2].lower()
    if any(isinstance(item, ops.CreateTable) and item.table.name.lower() == bare for item in moment.to_come):
        return moment.hit(
            f"Dropping table `{table}` and making it again loses its rows; copy them to the new one (`INSERT ... SELECT`), or change "
            "the one that is there."
        )
    related = users_of(project, table)
    still = " while code still uses it" if related else ""
    stray = not related and moment.table(table) is None and "IF EXISTS" in operation.text.upper()
    hit = moment.hit(
        f"Dropping table `{table}`{still} loses its rows, and a downgrade cannot bring them back; remove "
        "its last use, release that, "
        "keep a backup, and drop it in a later release.",
        related=related,
    )
    # what an uninstalled application left behind, or what has its rows elsewhere by now
    moved = _moved_table(project, moment, table) or _carried(project, moment, table)
    return replace(hit, profile="strict") if stray or moved else hit


def _dropped_column(project: Project, moment: Moment, operation: ops.DropColumn) -> Hit:
    related = () if _replaced(moment, operation) else users_of(project, operation.table, operation.column)
    name = f"`{operation.table}.{operation.column}`"
    if _made_anew(moment, operation):
        return moment.hit(
            f"Dropping column {name} and adding it again loses its data: every row gets the new column's default, or NULL; alter the "
            "column in place (`USING` converts the values), or copy them to a new column first."
        )
    if related:
        breaks = f"breaks the code that still names it ({related[0].location.path}:{related[0].location.line})"
    else:  # on a file of SQLite no instance of the old release works on
        breaks = "" if moment.dialect == "sqlite" else "breaks instances of the old release that still select it"
    moved = _moved(project, moment, operation.column)
    if moved:
        harm = f"{breaks + ', and' if breaks else 'means that'} a downgrade has no more of its values than the migrations moved before"
    else:
        harm = f"loses what was not moved elsewhere before{', and ' if breaks else ''}{breaks}"
    return moment.hit(
        f"Dropping column {name} {harm}; remove its last use, release that, keep a backup, and drop it in a later release.",
        related=related,
        profile="strict" if moved and (not breaks or _replaced(moment, operation)) else moment.profile,
    )


def _moved(project: Project, moment: Moment, column: str) -> bool:
    """Whether Python code of the migration, or of one shortly before, that changes rows speaks of the column."""
    names = {column, column.removesuffix("_id")}
    return any(_spoken(fn, names) for fn in _movers(project, moment))


def _moved_table(project: Project, moment: Moment, table: str) -> bool:
    """Whether such code works with the table's model and with another one."""
    return any(
        sum(fn.callee_name(call) == "get_model" for call in fn.calls) > 1
        and any(
            value[0] == "const"
            and isinstance(value[1], str)
            and value[1]
            and table.lower().endswith(f"_{value[1].lower()}")
            for value in fn.facts.values
        )
        for fn in _movers(project, moment)
    )


def _carried(project: Project, moment: Moment, table: str) -> bool:
    """Whether a function of the migration reads the table's rows by one statement and inserts what it makes of them by another."""
    file = project.files.get(moment.migration.path)
    reads = re.compile(rf"\bSELECT\b.*\bFROM\s+(?:\w+\.)?\"?{re.escape(table)}\b", re.IGNORECASE | re.DOTALL)
    for fn in project.functions_of(file) if file is not None else ():
        values = fn.facts.values
        texts = [value[1] for value in values if value[0] == "const" and isinstance(value[1], str)]
        if any(map(reads.search, texts)) and any(map(_INSERTS.search, texts)):
            return True
    return False


def _spoken(fn: Fn, names: set[str]) -> bool:
    values = (
        value[2] if value[0] == "attr" else value[1] if value[0] == "const" else None for value in fn.facts.values
    )
    return any(value in names for value in values if isinstance(value, str))


def _movers(project: Project, moment: Moment) -> Iterator[Fn]:
    """The functions of the migration, and of those on which it builds, where these change rows before it drops something."""
    paths = [moment.migration.path] if any(map(_changes_rows, moment.earlier)) else []
    known = {migration.id: migration for migration in project.data.migrations}
    wanted = moment.migration.depends
    for _ in range(SHORTLY):
        before = [known[name] for name in wanted if name in known]
        paths += [item.path for item in before if any(map(_changes_rows, item.operations))]
        wanted = tuple(name for item in before for name in item.depends)
    for path in dict.fromkeys(paths):
        file = project.files.get(path)
        yield from (fn for fn in (project.functions_of(file) if file is not None else ()) if not fn.is_module)


def _changes_rows(operation: ops.Operation) -> bool:
    return isinstance(operation, ops.RunCode) and operation.changes_data


def _goes_with_table(moment: Moment, operation: ops.DropColumn) -> bool:
    """Its whole table is dropped by the same migration, and reported."""
    return any(isinstance(item, ops.DropTable) and item.table == operation.table for item in moment.migration.whole)


def _goes_with_owner(moment: Moment, operation: ops.DropTable) -> bool:
    """The rows of a relation whose own table goes with the same migration, which says what becomes of them."""
    return any(
        isinstance(item, ops.DropTable) and operation.table.lower().startswith(f"{item.table.lower()}_")
        for item in moment.migration.whole
    )


def _is_view(moment: Moment, operation: ops.DropTable) -> bool:
    """`DROP TABLE totals_mv`, `CREATE MATERIALIZED VIEW totals_mv TO totals ...`: ClickHouse drops its views so."""
    name = operation.table.rpartition(".")[2].lower()
    return any(
        isinstance(item, ops.CreateTable) and item.table.kind == "view" and item.table.name.lower() == name
        for item in moment.to_come
    )


def _replaced(moment: Moment, operation: ops.DropColumn) -> bool:
    """Another column takes its name in the same migration: that is what the code names."""
    return any(
        isinstance(item, ops.RenameColumn) and (item.table, item.new) == (operation.table, operation.column)
        for item in moment.to_come
    )


def _made_anew(moment: Moment, operation: ops.DropColumn) -> bool:
    """The same migration adds a column of that name, of another type."""
    return any(
        isinstance(item, ops.AddColumn) and (item.table, item.column.name) == (operation.table, operation.column)
        for item in moment.migration.whole
    )


def _real(moment: Moment, table: str) -> bool:
    """False for tables of this very migration, for those that are being rebuilt, and where the rows were copied before."""
    if not moment.existing(table) or table.lower().startswith(("tmp_", "temp_", "_alembic_tmp", "new__")):
        return False
    bare = table.rpartition(".")[2].lower()
    if _BOOKS.search(bare):
        return False
    if any(isinstance(item, ops.RenameTable) and item.new.lower() == bare for item in moment.migration.whole):
        return False
    return not any(_copies(item, bare) for item in moment.earlier)


def _copies(operation: ops.Operation, table: str) -> bool:
    """`INSERT INTO archive SELECT ... FROM table`, `CREATE TABLE backup AS SELECT ... FROM table`."""
    if not isinstance(operation, ops.DataChange | ops.CreateTable) or "SELECT" not in operation.text.upper():
        return False
    return re.search(rf"\bFROM\s+(?:\w+\.)?\"?{re.escape(table)}\b", operation.text, re.IGNORECASE) is not None


def _fresh(moment: Moment, operation: ops.DropColumn) -> bool:
    """True for a column that this migration itself added, or whose values it copied to another column."""
    for item in moment.earlier:
        if isinstance(item, ops.AddColumn) and (item.table, item.column.name) == (operation.table, operation.column):
            return True
        if (
            isinstance(item, ops.DataChange)
            and item.kind == "UPDATE"
            and re.search(rf"=.*\b{re.escape(operation.column)}\b", item.text, re.DOTALL)
        ):
            return True
    return False
